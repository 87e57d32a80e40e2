"""fanfold as a child process of its host: protocol on stdin and stdout, everything else on stderr."""

import io
import logging
import os
import sys
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from fanfold_server.mcp.frames import Refusal, next_line, read_frame
from fanfold_server.mcp.lanes import Lanes
from fanfold_server.mcp.server import build_lazily
from fanfold_server.settings import Settings

if TYPE_CHECKING:
    from fanfold_server.mcp.calls import Calls


async def serve_stdio(settings: Settings) -> None:
    """Serve until the host closes stdin. Runs in progress then read `interrupted`; dispatch takes them up again."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        async with anyio.create_task_group() as group:
            await serve(build_lazily(Opening(settings, group)), _own_stdin())
            group.cancel_scope.cancel()
    except* (BrokenPipeError, ConnectionResetError):
        # The host has gone without waiting for the last answers.
        logging.getLogger(__name__).info("stdout was closed")


async def serve(server: MCPServer, source: BinaryIO) -> None:
    """Serve what comes from the source, answering on stdout, until its end."""
    lowlevel: Any = server._lowlevel_server  # pyright: ignore[reportPrivateUsage]  the SDK's loops take no other
    nothing = anyio.wrap_file(io.StringIO())
    # Of the SDK's transport only the writing half is used: it also keeps stray prints off the wire.
    async with stdio_server(stdin=nothing) as (unread, out), lowlevel.lifespan(lowlevel) as state:
        await unread.aclose()
        async with out, anyio.create_task_group() as group:
            await _pump(source, Lanes(lowlevel, state, out, group))


async def _pump(source: BinaryIO, lanes: Lanes) -> None:
    while True:
        # Abandoned when cancelled, since a read from a pipe ends only when its other end wants it to.
        line = await anyio.to_thread.run_sync(next_line, source, abandon_on_cancel=True)
        if not line.data:
            lanes.close()
            return
        if not line.data.strip():
            continue
        message = read_frame(line)
        if isinstance(message, Refusal):
            await lanes.out.send(SessionMessage(message.answer))
        else:
            await lanes.take(message)


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
        s = self.settings
        async with calls.Orchestrator(roots=s.roots, home=s.home, width=s.width) as orchestrator:
            task_status.started(calls.Calls(orchestrator, s.wait))
            await anyio.sleep_forever()


def _own_stdin() -> BinaryIO:
    """Stdin for this reader alone: what else reads file descriptor 0, children included, sees an empty file."""
    source = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return source
