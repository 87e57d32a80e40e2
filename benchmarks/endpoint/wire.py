"""Replies, streams and errors as the API writes them, in bytes."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from benchmarks.endpoint.draft import MARK
from benchmarks.endpoint.simulation import Admitted


def message(call: Admitted) -> bytes:
    """A whole reply."""
    stop = None if call.fault == "null_stop" else call.reply.stop_reason
    return _json(_message(call, list(call.reply.content), stop, _usage(call, call.reply.output_tokens)))


def opening(call: Admitted) -> bytes:
    """The first event of a stream."""
    return _event("message_start", message=_message(call, [], None, _usage(call, 1)))


def rest(call: Admitted, delta_chars: int) -> list[bytes]:
    """All events of a stream after the first."""
    blocks = [_block(n, block, delta_chars) for n, block in enumerate(call.reply.content)]
    events = list(chain([_event("ping")], *blocks))
    return events if call.fault == "null_stop" else [*events, *_closing(call)]


def truncated(events: list[bytes]) -> list[bytes]:
    """The first half of the events, the last of them with its JSON cut."""
    kept = events[: len(events) // 2 + 1]
    return [*kept[:-1], kept[-1][:-10] + b"\n\n"]


def error(kind: str, text: str, request: str) -> bytes:
    """An error's body."""
    return _json({"type": "error", "error": {"type": kind, "message": text}, "request_id": request})


def request_id(call: str) -> str:
    """What the header `request-id` says."""
    return f"req_{MARK}_{call}"


def _message(call: Admitted, content: list[Any], stop: str | None, usage: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "id": f"msg_{MARK}_{call.id}",
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def _usage(call: Admitted, output: int) -> Mapping[str, Any]:
    split = call.split
    return {
        "input_tokens": split.plain,
        "cache_creation_input_tokens": split.written,
        "cache_read_input_tokens": split.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": split.written - split.hour,
            "ephemeral_1h_input_tokens": split.hour,
        },
        "output_tokens": output,
        "service_tier": "standard",
    }


def _block(index: int, block: Mapping[str, Any], size: int) -> Iterator[bytes]:
    """The events of one content block, its text or arguments in deltas of so many characters."""
    if block["type"] == "text":
        empty, whole, kind, key = {**block, "text": ""}, str(block["text"]), "text_delta", "text"
    else:
        empty, whole = {**block, "input": {}}, json.dumps(block["input"])
        kind, key = "input_json_delta", "partial_json"
    yield _event("content_block_start", index=index, content_block=empty)
    for start in range(0, len(whole), size):
        yield _event("content_block_delta", index=index, delta={"type": kind, key: whole[start : start + size]})
    yield _event("content_block_stop", index=index)


def _closing(call: Admitted) -> list[bytes]:
    delta = {"stop_reason": call.reply.stop_reason, "stop_sequence": None}
    return [
        _event("message_delta", delta=delta, usage={"output_tokens": call.reply.output_tokens}),
        _event("message_stop"),
    ]


def _event(kind: str, **data: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), _json({"type": kind, **data}))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
