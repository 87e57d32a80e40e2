"""Where blocking work runs: in a thread, or inline where time is virtual and there is nothing to block."""

from collections.abc import Callable
from contextvars import ContextVar
from threading import Event
from typing import Protocol, TypeVar

import anyio.lowlevel
import anyio.to_thread

T = TypeVar("T")


class Aside(Protocol):
    """Runs blocking work without holding up the event loop."""

    async def __call__(self, work: Callable[[], T], /) -> T:
        """The work's own result; whatever it raises is raised here."""
        ...


class Abandoned(BaseException):
    """Raised by `stop_if_abandoned` in a thread whose caller has gone. Nobody sees it: it only ends the work."""


_left: ContextVar[Event | None] = ContextVar("_left", default=None)


async def in_thread(work: Callable[[], T], /) -> T:
    """Run the work in a worker thread; a cancelled caller leaves at once and the thread's answer is dropped.

    Work that may take long calls `stop_if_abandoned` now and then, so that its thread ends soon after.
    """
    left = Event()

    def watched() -> T:
        _left.set(left)
        return work()

    try:
        return await anyio.to_thread.run_sync(watched, abandon_on_cancel=True)
    finally:
        left.set()


async def inline(work: Callable[[], T], /) -> T:
    """Run the work here and now: for in-memory doubles, which do not block."""
    await anyio.lowlevel.checkpoint()
    return work()


def stop_if_abandoned() -> None:
    """End blocking work that nobody waits for any more. Costs 0.1 µs; does nothing outside `in_thread`.

    Raises:
        Abandoned: if the task that asked for this work was cancelled.
    """
    left = _left.get()
    if left is not None and left.is_set():
        raise Abandoned
