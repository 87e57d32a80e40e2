"""Ctrl-C and SIGTERM: the first winds the work up, the second quits at once."""

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TypeVar

import anyio

T = TypeVar("T")

WATCH_SECONDS = 0.1
SHOW_CURSOR = "\x1b[?25h"


@dataclass(slots=True)
class Stop:
    """Whether the user wants the command to stop.

    A handler of Python's own, which only takes note: it works on every system, and the second Ctrl-C gets through
    even where the event loop is kept from running.

    Attributes:
        signal: the number of the signal heard first; 0 while there was none.
    """

    signal: int = 0

    @contextmanager
    def listening(self) -> Generator[None]:
        """Take note of Ctrl-C and SIGTERM until the end of the block."""
        before = {number: signal.signal(number, self._heard) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """128 and the signal's number."""
        return 128 + self.signal

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            if sys.stderr.isatty():
                os.write(sys.stderr.fileno(), SHOW_CURSOR.encode())
            os._exit(128 + number)
        self.signal = number

    async def over(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """What the work comes to; None if the user stopped it."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._cancel, group.cancel_scope)
            value = await work()
            group.cancel_scope.cancel()
            return value
        return None

    async def _cancel(self, scope: anyio.CancelScope) -> None:
        while not self.signal:  # noqa: ASYNC110  a signal handler can only leave a note
            await anyio.sleep(WATCH_SECONDS)
        scope.cancel()


def until_stopped(work: Callable[[], Awaitable[int]]) -> int:
    """Run the work on an event loop of its own; its exit code, or that of the signal that ended it."""
    stop = Stop()
    with stop.listening():
        code = anyio.run(stop.over, work)
    return stop.exit_code if code is None else code
