"""Where blocking work runs: in a thread, or inline where time is virtual and there is nothing to block."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import anyio.lowlevel
import anyio.to_thread

T = TypeVar("T")


class Aside(Protocol):
    """Runs blocking work without holding up the event loop."""

    async def __call__(self, work: Callable[[], T], /) -> T:
        """The work's own result; whatever it raises is raised here."""
        ...


async def in_thread(work: Callable[[], T], /) -> T:
    """Run the work in a worker thread; a cancelled caller leaves at once and the thread's answer is dropped."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


async def inline(work: Callable[[], T], /) -> T:
    """Run the work here and now: for in-memory doubles, which do not block."""
    await anyio.lowlevel.checkpoint()
    return work()
