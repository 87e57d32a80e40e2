"""Both eras of the protocol over one pipe.

Some hosts ask `server/discover` and then still send `initialize`. The SDK's loop serves the era of the first request
and refuses the other, so each era gets a loop of its own over the same server.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server.lowlevel.server import Server
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCMessage, JSONRPCNotification, JSONRPCRequest
from mcp_types import PROTOCOL_VERSION_META_KEY

Era = Literal["handshake", "modern"]
Lane = MemoryObjectSendStream[SessionMessage | Exception]


class Outlet(Protocol):
    """The way out. Each lane has a clone of its own, which it closes when it ends."""

    async def send(self, item: SessionMessage, /) -> None:
        """Send one message."""
        ...

    def clone(self) -> Any:
        """Another end of the same stream."""
        ...


@dataclass(slots=True)
class Lanes:
    """Sends each message to the loop of its era, which starts with the first of them.

    Attributes:
        server: serves both.
        state: what its lifespan yielded.
        out: where answers go.
        group: where the loops run.
    """

    server: Server[Any]
    state: Any
    out: Outlet
    group: TaskGroup
    _lanes: dict[Era, Lane] = field(default_factory=dict[Era, Lane])

    async def take(self, message: JSONRPCMessage) -> None:
        """Pass a message on: requests by their envelope, notifications to both, answers to the handshake's lane."""
        framed = SessionMessage(message)
        if isinstance(message, JSONRPCRequest):
            modern = message.method != "initialize" and _enveloped(message)
            await self._lane("modern" if modern else "handshake").send(framed)
        elif isinstance(message, JSONRPCNotification):
            # A cancellation names a request by an id that only its own lane knows; the other passes it over.
            for lane in list(self._lanes.values()) or [self._lane("handshake")]:
                await lane.send(framed)
        elif answered := self._lanes.get("handshake"):
            await answered.send(framed)

    def close(self) -> None:
        """End of input: each loop cancels what it is at and ends."""
        for lane in self._lanes.values():
            lane.close()

    def _lane(self, era: Era) -> Lane:
        if era not in self._lanes:
            send, receive = anyio.create_memory_object_stream[SessionMessage | Exception]()
            self._lanes[era] = send
            self.group.start_soon(self._serve, receive)
        return self._lanes[era]

    async def _serve(self, receive: Any) -> None:
        await serve_dual_era_loop(self.server, receive, self.out.clone(), lifespan_state=self.state)


def _enveloped(request: JSONRPCRequest) -> bool:
    meta = (request.params or {}).get("_meta")
    return isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta
