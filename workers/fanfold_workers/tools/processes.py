"""Inspections in processes of their own, so that a scan of fifty repositories uses every core and not one.

The first inspection at work runs in a thread, at no cost in start-up; those that join it run in child processes,
which are kept for the next. A child gets the roots' own descriptors, so it reads the very folders that were opened,
whatever their paths name by then. It ends when its caller is cancelled, when this process dies, or on close.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from fanfold_workers import errors
from fanfold_workers.aside import in_thread
from fanfold_workers.contract import Value
from fanfold_workers.errors import FanfoldError

from .child import ANSWER, READY, Reply, Request
from .disk import DiskRoot
from .files import Files
from .roots import Root
from .toolbox import Answer, Tool

MAX_CHILDREN = 8
"""Each takes some 60 MB."""
# -P: nothing in the current folder, which may be a stranger's, is taken for a module.
COMMAND = (sys.executable, "-P", "-m", "fanfold_workers.tools.child")
DEATHS = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.DelimiterNotFound)


class ChildDied(Exception):  # noqa: N818  nobody catches it: it becomes a failed Result, which this names
    """Raised when a child process ended in the middle of an inspection."""


@dataclass(slots=True, eq=False)
class _Child:
    """A process that runs one inspection at a time."""

    process: Process
    answers: BufferedByteReceiveStream

    async def ask(self, request: Request) -> Reply:
        data = request.model_dump_json().encode()
        assert self.process.stdin is not None  # noqa: S101  it was opened with pipes
        await self.process.stdin.send(b"%d\n%b" % (len(data), data))
        size = int(await self.answers.receive_until(b"\n", 20))
        return Reply.model_validate_json(await self.answers.receive_exactly(size))

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):
            if self.process.returncode is None:
                self.process.kill()
            await self.process.aclose()


@dataclass(slots=True)
class Processes:
    """Runs inspections on all cores. Use it as an async context manager; leaving it ends the children.

    Attributes:
        roots: the roots the children may read.
        cores: inspections at once.
        command: starts a child. Where none can be started, inspections run in threads.
    """

    roots: Mapping[str, DiskRoot]
    cores: int = field(default_factory=lambda: min(os.cpu_count() or 1, MAX_CHILDREN))
    command: tuple[str, ...] = COMMAND
    _limiter: anyio.CapacityLimiter = field(init=False)
    _children: set[_Child] = field(default_factory=set[_Child])
    _idle: list[_Child] = field(default_factory=list[_Child])
    _thread_taken: bool = False

    async def __aenter__(self) -> Self:
        self._limiter = anyio.CapacityLimiter(self.cores)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._idle.clear()
        for child in tuple(self._children):
            await self._ended(child)

    @property
    def pids(self) -> frozenset[int]:
        """Process ids of the children."""
        return frozenset(child.process.pid for child in self._children)

    async def __call__(self, tool: Tool[Any], files: Files, given: Value, /) -> Answer:
        """Run the tool, here or in a child.

        Raises:
            FanfoldError: whatever the tool refuses.
            ChildDied: if the child was killed, by the system or by what it read.
        """
        if not tool.inspection:
            return await in_thread(lambda: tool.run(files, given))
        async with self._limiter:
            child = await self._free() if self._thread_taken else None
            if child is None:
                return await self._here(tool, files, given)
            request = Request(tool=tool.name, places=files.places, given=given.model_dump_json())
            return _answer(await self._asked(child, request))

    async def _here(self, tool: Tool[Any], files: Files, given: Value) -> Answer:
        self._thread_taken = True
        try:
            return await in_thread(lambda: tool.run(files, given))
        finally:
            self._thread_taken = False

    async def _free(self) -> _Child | None:
        """A child without work, or None if none can be started here."""
        if self._idle:
            return self._idle.pop()
        try:
            return await self._started() if self.command else None
        except (OSError, *DEATHS):
            self.command = ()
            return None

    async def _asked(self, child: _Child, request: Request) -> Reply:
        try:
            reply = await child.ask(request)
        except DEATHS as error:
            await self._ended(child)
            msg = f"the process that ran {request.tool} died"
            raise ChildDied(msg) from error
        except BaseException:
            await self._ended(child)
            raise
        self._idle.append(child)
        return reply

    async def _started(self) -> _Child:
        held = {name: root.fileno() for name, root in self.roots.items()}
        named = [f"{name}={descriptor}" for name, descriptor in held.items()]
        process = await anyio.open_process(
            [*self.command, str(os.getpid()), *named],
            stderr=None,
            pass_fds=list(held.values()),
            # Ctrl-C is for the parent, which decides what becomes of the work.
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101  it was opened with pipes
        child = _Child(process, BufferedByteReceiveStream(process.stdout))
        self._children.add(child)
        try:
            await child.answers.receive_exactly(len(READY))
        except BaseException:
            await self._ended(child)
            raise
        return child

    async def _ended(self, child: _Child) -> None:
        self._children.discard(child)
        await child.close()


def _answer(reply: Reply) -> Answer:
    if reply.crash:
        raise RuntimeError(reply.crash)
    if reply.error:
        kind = getattr(errors, reply.error, FanfoldError)
        raise kind(reply.problem, field=reply.field, remedy=reply.remedy)
    return ANSWER.validate_json(reply.answer)


def divisible(roots: Mapping[str, Root]) -> dict[str, DiskRoot]:
    """The roots, if children can be given them all: folders held by descriptor, on a system that hands those on."""
    held = {name: root for name, root in roots.items() if isinstance(root, DiskRoot)}
    return held if sys.platform != "win32" and len(held) == len(roots) else {}
