"""The one seam to whoever does a subtask: a rules engine, a model, or a function of the user's own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from .contract import Finding, Result, Subtask


class Notes(Protocol):
    """Where a worker writes down what it finds while it works, so that being cut off loses nothing."""

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
