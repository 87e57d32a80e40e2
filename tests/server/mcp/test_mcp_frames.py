"""What comes in on stdin: whoever sends something that cannot be read is told so instead of waiting for ever."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.types import JSONRPCRequest

from fanfold_server.mcp.frames import Line, Refusal, next_line, read_frame

REQUEST = '{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"read","arguments":{"ref":%s}}}'


def frame(text: str | bytes) -> JSONRPCRequest | Refusal:
    message = read_frame(Line(text.encode() if isinstance(text, str) else text))
    assert isinstance(message, JSONRPCRequest | Refusal)
    return message


def refused(text: str | bytes) -> object:
    message = frame(text)
    assert isinstance(message, Refusal)
    return message.answer.id


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (r'"a \ud800 b"', "a \ufffd b"),
        (r'"a \udc00 b"', "a \ufffd b"),
        (r'"\ud83d\ude00 \ud83d"', "😀 \ufffd"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\\ud800"', r"\ud800"),
        (r'"\uD800\uD800"', "\ufffd\ufffd"),
    ],
)
def test_half_a_surrogate_pair_is_replaced_and_its_request_answered(sent, read):
    message = frame(REQUEST % (1, sent))
    assert isinstance(message, JSONRPCRequest)
    assert message.params == {"name": "read", "arguments": {"ref": read}}


def test_bytes_that_are_not_utf_8_are_replaced():
    message = frame((REQUEST % (1, '"a?b"')).encode().replace(b"?", b"\xff\xfe"))
    assert isinstance(message, JSONRPCRequest)
    assert (message.params or {})["arguments"] == {"ref": "a\ufffd\ufffdb"}


@pytest.mark.parametrize(
    ("line", "answered"),
    [
        ('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{', 7),
        ('{"jsonrpc":"2.0","id":"seven","method":7}', "seven"),
        ('{"id":7,"jsonrpc":"2.0","method":"x","params":[[[', 7),
        ('{"method":"x","params":{"id":3},,"jsonrpc":"2.0","id":7}', 7),
        ('{"method":"x","params":{"id":3},"id":7,"jsonrpc":"2.0"', None),
        ('{"method":"x","params":{"id":3}', None),
        ("hello", None),
        ("[]", None),
        ('{"jsonrpc":"2.0","id":7,"method":"x","params":' + "[" * 200_000, 7),
        (r'{"jsonrpc":"2.0","id":7,"method":"x","params":"\ud800' + "[" * 9, 7),
        ('{"jsonrpc":"2.0","id":7,"params":"\\ud800' + '","a":[' * 3 + "[" * 100_000, 7),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_under_its_own_id(line, answered):
    assert refused(line) == answered


def test_a_line_over_the_cap_is_refused_without_being_held_and_the_next_is_read():
    long = REQUEST % ('"big"', '"' + "x" * 5_000_000 + '"')
    short = REQUEST % (2, '"runs"')
    source = io.BytesIO(f"{long}\n{short}\n".encode())
    first = next_line(source, cap=100_000)
    assert len(first.data) + len(first.ends) < 10_000
    message = read_frame(first)
    assert isinstance(message, Refusal)
    assert (message.answer.id, message.answer.error.code) == ("big", -32600)
    assert "64 MB" in message.answer.error.message
    assert read_frame(next_line(source, cap=100_000)).id == 2
    assert next_line(source).data == b""


@given(st.integers(0, 300), st.integers(1, 300), st.booleans())
def test_a_line_is_whole_up_to_the_cap_and_refused_beyond(length, cap, ended):
    line = next_line(io.BytesIO(b"x" * length + b"\n" * ended), cap)
    assert bool(line.ends) == (length + ended > cap and not (ended and length == cap))
    assert line.ends or line.data == b"x" * length + b"\n" * ended


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: json.dumps({"id": 1, "x": text}).encode()))
def test_no_line_whatever_breaks_the_reader(data):
    read_frame(Line(data))
