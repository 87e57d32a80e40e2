"""fanfold as a child process of its host: protocol on stdin and stdout, everything else on stderr."""

import io
import logging
import os
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus
from anyio.streams.memory import MemoryObjectReceiveStream
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from fanfold_server.mcp.frames import Frame, Refusal, next_line, read_frame
from fanfold_server.mcp.lanes import Lanes
from fanfold_server.mcp.server import build_lazily
from fanfold_server.mcp.wire import Wire, own_wire
from fanfold_server.settings import Settings

if TYPE_CHECKING:
    from fanfold_server.mcp.calls import Calls


async def serve_stdio(settings: Settings) -> None:
    """Serve until the host closes stdin. Runs in progress then read `interrupted`; dispatch takes them up again."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    async with anyio.create_task_group() as group:
        await serve(build_lazily(Opening(settings, group)), own_wire())
        group.cancel_scope.cancel()


async def serve(server: MCPServer, wire: Wire) -> None:
    """Serve what comes over the wire until its end."""
    lowlevel: Any = server._lowlevel_server  # pyright: ignore[reportPrivateUsage]  the SDK's loops take no other
    nothing, sink = anyio.wrap_file(io.StringIO()), anyio.wrap_file(wire.sink)
    try:
        # Of the SDK's transport only the writing half is used.
        async with stdio_server(nothing, sink) as (unread, out), lowlevel.lifespan(lowlevel) as state:
            await unread.aclose()
            async with out, anyio.create_task_group() as group:
                await _pump(wire.source, Lanes(lowlevel, state, out, group))
    except* (BrokenPipeError, ConnectionResetError):
        logging.getLogger(__name__).info("the host has gone without waiting for the last answers")


async def _pump(source: BinaryIO, lanes: Lanes) -> None:
    async for frame in _frames(source):
        if isinstance(frame, Refusal):
            await lanes.out.send(SessionMessage(frame.answer))
        else:
            await lanes.take(frame)
    lanes.close()


def _frames(source: BinaryIO) -> MemoryObjectReceiveStream[Frame]:
    """What comes in, as it comes."""
    send, receive = anyio.create_memory_object_stream[Frame]()
    token = anyio.lowlevel.current_token()

    def read() -> None:
        with suppress(anyio.BrokenResourceError, anyio.RunFinishedError):
            try:
                while (line := next_line(source)).data:
                    if line.data.strip():
                        anyio.from_thread.run(send.send, read_frame(line), token=token)
            finally:
                anyio.from_thread.run_sync(send.close, token=token)

    # A thread that dies with the process: a read from a pipe ends only when its other end wants it to.
    threading.Thread(target=read, name="stdin", daemon=True).start()
    return receive


@dataclass(slots=True)
class Opening:
    """The orchestrator of these settings and what answers calls with it, opened at the first call.

    A host starts every server it knows with every session; most sessions never call this one.
    """

    settings: Settings
    group: TaskGroup
    _lock: anyio.Lock = field(default_factory=anyio.Lock)
    _calls: "Calls | None" = None

    async def __call__(self) -> "Calls":
        """Open it, or what is open. An error is the caller's, and the next call tries again."""
        async with self._lock:
            calls: Calls = self._calls or await self.group.start(self._hold)
            self._calls = calls
        return calls

    async def _hold(self, *, task_status: TaskStatus["Calls"]) -> None:
        # In a thread: the import takes a good part of a second, in which pings and cancellations must get through.
        calls = await anyio.to_thread.run_sync(import_module, "fanfold_server.mcp.calls")
        opening = await anyio.to_thread.run_sync(import_module, "fanfold_server.opening")
        async with opening.orchestrator_of(self.settings, os.environ) as orchestrator:
            task_status.started(calls.Calls(orchestrator, self.settings.wait))
            await anyio.sleep_forever()
