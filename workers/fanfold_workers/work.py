"""The one seam to whoever does a subtask: a rules engine, a model, or a function of the user's own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from .contract import Finding, Result, Subtask


class Notes(Protocol):
    """Where a worker writes down what it finds while it works, so that being cut off loses nothing."""

    @property
    def begun(self) -> bool:
        """Whether somebody may have been at this try before, who left something under its key."""
        ...

    def key(self, kind: str) -> str:
        """Where this try at this subtask keeps things of a kind in the journal: `r-1f…/turns/s1/001`."""
        ...

    async def found(self, *findings: Finding) -> tuple[Finding, ...]:
        """Record findings durably, together; returns them with their ids."""
        ...


class Worker(Protocol):
    """Does one subtask."""

    @property
    def engine(self) -> str:
        """What its Results name as their engine: `rules`, `function`, or `model:<id>`."""
        ...

    async def work(self, subtask: Subtask, notes: Notes, /) -> Result:
        """The result. Failures are values: raising is a bug, which the dispatcher turns into a failed Result.

        Findings given to `notes` need not be repeated in the Result.
        """
        ...

    def accepts(self, subtask: Subtask, /) -> bool:
        """Whether this worker can do such a subtask at all."""
        ...


WorkFunction = Callable[[Subtask], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class FunctionWorker:
    """A worker that is a function: `async def worker(subtask) -> Result`."""

    function: WorkFunction

    @property
    def engine(self) -> str:
        """See Worker."""
        return "function"

    async def work(self, subtask: Subtask, notes: Notes, /) -> Result:
        """See Worker."""
        return await self.function(subtask)

    def accepts(self, subtask: Subtask, /) -> bool:
        """See Worker: a user's function takes everything."""
        return True


@dataclass(frozen=True, slots=True)
class Crew:
    """Several workers: each subtask goes to the first that accepts it."""

    members: tuple[Worker, ...]

    @property
    def engine(self) -> str:
        """See Worker: all of them."""
        return ", ".join(member.engine for member in self.members)

    async def work(self, subtask: Subtask, notes: Notes, /) -> Result:
        """See Worker."""
        return await doer(self, subtask).work(subtask, notes)

    def accepts(self, subtask: Subtask, /) -> bool:
        """See Worker."""
        return any(member.accepts(subtask) for member in self.members)


def doer(worker: Worker, subtask: Subtask) -> Worker:
    """Who of a crew does the subtask; a worker that is no crew, and a crew that has nobody for it, does it itself."""
    if not isinstance(worker, Crew):
        return worker
    return next((member for member in worker.members if member.accepts(subtask)), worker)
