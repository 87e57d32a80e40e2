"""Work that outlives the call that began it: a second caller joins it, and a caller who leaves does not stop it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import TaskGroup

from fanfold_workers.errors import unwrapped
from fanfold_workers.journal import MAX_POLL_SECONDS


@dataclass(slots=True)
class Job:
    """One piece of work in the background.

    Attributes:
        done: set when it has ended, well or not.
        value: what it came to; None before the end or after an error.
        error: what it raised, raised again for everyone who waits.
    """

    done: anyio.Event = field(default_factory=anyio.Event)
    value: Any = None
    error: Exception | None = None

    async def outcome(self, seconds: float | None = None) -> bool:
        """Wait for the end, at most so long; whether it has come. Raises what the work raised."""
        with anyio.move_on_after(seconds):
            await self.done.wait()
        if self.error:
            raise self.error
        return self.done.is_set()


@dataclass(slots=True)
class Jobs:
    """The work going on in this process, by key."""

    group: TaskGroup
    _going: dict[str, Job] = field(default_factory=dict[str, Job])

    def start(self, key: str, work: Callable[[], Awaitable[Any]]) -> Job:
        """The job going on under this key, or a new one that does the work."""
        if going := self._going.get(key):
            return going
        job = self._going[key] = Job()
        self.group.start_soon(self._do, key, job, work, name=key)
        return job

    def going(self, key: str) -> bool:
        """Whether work under this key is going on in this process."""
        return key in self._going

    async def ended(self) -> None:
        """Return when nothing goes on any more."""
        for job in list(self._going.values()):
            await job.done.wait()

    async def _do(self, key: str, job: Job, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            job.value = await work()
        except Exception as error:
            job.error = unwrapped(error)
        finally:
            del self._going[key]
            job.done.set()


async def until(ready: Callable[[], Awaitable[object]], pause: float = MAX_POLL_SECONDS) -> None:
    """Return once `ready` answers with something true; asked every `pause` seconds."""
    while not await ready():  # noqa: ASYNC110  what it waits for happens in other processes
        await anyio.sleep(pause)
