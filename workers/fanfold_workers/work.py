"""The one seam to whoever does a subtask: a rules engine, a model, or a function of the user's own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from .contract import Examined, Finding, Result, Subtask, Usage


@dataclass(frozen=True, slots=True)
class Step:
    """What a worker is about to do, and how far it has come.

    Attributes:
        kind: turn (it asks its model); tool (it calls a tool).
        note: which, in a few words.
        examined: how much of its scope it has looked at.
        usage: what it has used.
    """

    kind: Literal["turn", "tool"]
    note: str
    examined: Examined = field(default_factory=Examined)
    usage: Usage = field(default_factory=Usage)


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

    def step(self, step: Step, /) -> None:
        """Say what comes next: watchers hear of it, and the Result of whoever is cut off tells how far it was."""
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
