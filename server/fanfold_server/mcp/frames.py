"""What comes in on stdin, line by line: capped, repaired where it can be, and answered where it cannot be read.

The SDK's own reader has no cap (a line of 256 MB costs it over 1 GB) and drops what it can't parse, half a surrogate
pair included, so that whoever sent it waits for ever.
"""

import json
import re
from dataclasses import dataclass
from typing import BinaryIO

from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    RequestId,
    jsonrpc_message_adapter,
)

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""A thousand and more long texts in one call to synthesize; read at about four times that in memory."""
ENDS_BYTES = 4096
"""How much of either end of a line is looked at for its id."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_ID = rb'"id"\s*:\s*(-?\d+|"(?:[^"\\]|\\.){1,200}")\s*'
_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"\s*'
_HEAD = re.compile(rb"^\s*\{\s*(?:" + _VERSION + rb",\s*)?" + _ID)
_TAILS = (re.compile(_VERSION + rb",\s*" + _ID + rb"\}\s*$"), re.compile(_ID + rb",\s*" + _VERSION + rb"\}\s*$"))
"""Clients write the id first or last; inside the arguments it has no version beside it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of input, or of an endless one its two ends.

    Attributes:
        data: the line; "" bytes at the end of input.
        ends: what was kept of a line over the cap.
    """

    data: bytes
    ends: bytes = b""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What to answer a line that cannot be taken in."""

    answer: JSONRPCError


Frame = JSONRPCMessage | Refusal


def next_line(source: BinaryIO, cap: int = MAX_FRAME_BYTES) -> Line:
    """The next line, holding no more than the cap in memory. Blocks."""
    data = source.readline(cap + 1)
    if len(data) <= cap or data.endswith(b"\n"):
        return Line(data)
    tail = part = data[-ENDS_BYTES:]
    while part and not part.endswith(b"\n"):
        part = source.readline(1024 * 1024)
        tail = (tail + part)[-ENDS_BYTES:]
    return Line(data[:1], data[:ENDS_BYTES] + b"\n" + tail)


def read_frame(line: Line) -> Frame:
    """The message of a line, or what to answer it with, under its id if that can be made out."""
    if line.ends:
        most = f"{MAX_FRAME_BYTES // 1024 // 1024} MB"
        message = f"The request is over {most}. Hand it in in parts, or name files under a root."
        return _refused(line.ends, INVALID_REQUEST, message)
    try:
        return jsonrpc_message_adapter.validate_json(_repaired(line.data), by_name=False)
    except (ValueError, RecursionError):
        return _refused(line.data, PARSE_ERROR, "This line is no JSON-RPC message: send one JSON object a line.")


def _repaired(data: bytes) -> bytes:
    """The same JSON with U+FFFD for each half of a surrogate pair and each byte that is not UTF-8."""
    text = data.decode("utf-8", "replace")
    if not _SURROGATE.search(data):
        return text.encode()
    whole = json.dumps(json.loads(text), ensure_ascii=False)
    return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _refused(data: bytes, code: int, message: str) -> Refusal:
    return Refusal(JSONRPCError(jsonrpc="2.0", id=_id_of(data), error=ErrorData(code=code, message=message)))


def _id_of(data: bytes) -> RequestId | None:
    """The id of an unread request, where it stands at either end; None if it doesn't."""
    tail = data[-ENDS_BYTES:]
    found = _HEAD.search(data[:ENDS_BYTES]) or next(filter(None, (end.search(tail) for end in _TAILS)), None)
    if not found:
        return None
    try:
        value: object = json.loads(found[1])
    except ValueError:
        return None
    return value if isinstance(value, int | str) else None
