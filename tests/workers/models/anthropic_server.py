"""A server on a raw socket that answers as a test tells it to, down to the byte."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-test",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 12, "output_tokens": 3},
}


def http(status: int, body: object, *, missing: int = 0, **headers: str) -> bytes:
    """An answer with a body, as JSON unless it is bytes, of which so many bytes at the end never come."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"content-type": "application/json", "content-length": str(len(data)), **headers}
    return _head(status, fields) + data[: len(data) - missing]


def failing(status: int, message: str, kind: str = "invalid_request_error", **headers: str) -> bytes:
    """An error as the API words it."""
    return http(status, {"type": "error", "error": {"type": kind, "message": message}}, **headers)


def events(*sent: dict[str, Any] | bytes, ended: bool = True) -> bytes:
    """A stream of events; one that has not ended is cut off within a chunk."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in map(_event, sent))
    fields = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    return _head(200, fields) + chunks + (b"0\r\n\r\n" if ended else b"ff\r\ndata: {")


def _event(sent: dict[str, Any] | bytes) -> bytes:
    return sent if isinstance(sent, bytes) else f"event: {sent['type']}\ndata: {json.dumps(sent)}\n\n".encode()


def _head(status: int, fields: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} So", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode()


@dataclass(frozen=True)
class Sent:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    data: bytes

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.data)


@dataclass
class Server:
    """Answers with one script after the other; the last one stands for all that follow.

    Attributes:
        answers: what to send.
        hangs: whether it then waits for the client to hang up, as `left` shows.
    """

    answers: list[bytes]
    url: str = ""
    requests: list[Sent] = field(default_factory=list)
    hangs: bool = False
    left: anyio.Event = field(default_factory=anyio.Event)

    async def serve(self, stream: SocketStream) -> None:
        async with stream:
            try:
                self.requests.append(await _received(BufferedByteReceiveStream(stream)))
            except (anyio.IncompleteRead, anyio.EndOfStream):
                return
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            await stream.send(answer)
            if self.hangs:
                await self._hang(stream)

    async def _hang(self, stream: SocketStream) -> None:
        try:
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self.left.set()


async def _received(stream: BufferedByteReceiveStream) -> Sent:
    line, *fields = (await stream.receive_until(b"\r\n\r\n", 65_536)).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    return Sent(line, headers, await stream.receive_exactly(int(headers.get("content-length", "0"))))


@asynccontextmanager
async def serving(*answers: bytes, hangs: bool = False) -> AsyncGenerator[Server]:
    """The server at work on a port of its own."""
    server = Server(list(answers), hangs=hangs)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    server.url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, server.serve)
        yield server
        group.cancel_scope.cancel()
