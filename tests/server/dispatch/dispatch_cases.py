"""Subtasks, workers and a house for dispatches in virtual time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio

from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.dispatch.dispatcher import Dispatch, Hold, held_by_nothing
from fanfold_server.dispatch.events import Event
from fanfold_server.dispatch.policy import Policy
from fanfold_workers.contract import Examined, Finding, Limits, Result, Status, Subtask, Usage
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.work import Notes, Step, Worker


def subtask(name: str, *depends_on: str, seconds: float = 600.0, if_unmet: str = "skip") -> Subtask:
    fields = {"id": name, "title": name, "objective": name, "depends_on": depends_on, "if_unmet": if_unmet}
    return Subtask.model_validate({**fields, "limits": Limits(seconds=seconds)})


@dataclass
class Timed:
    """A worker that notes a finding, takes so long over each subtask, and then ends as it is told to.

    Attributes:
        seconds: by subtask; 1 where it does not say.
        ends: a Status, or an exception to raise, by subtask; ok where it does not say.
        told: what each subtask was told, as it was started.
        working: who is at it now.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    ends: Mapping[str, Status | Exception] = field(default_factory=dict)
    told: dict[str, Subtask] = field(default_factory=dict)
    at: dict[str, float] = field(default_factory=dict)
    working: set[str] = field(default_factory=set)
    engine: str = "timed"

    async def work(self, subtask: Subtask, notes: Notes) -> Result:
        self.told[subtask.id], self.at[subtask.id] = subtask, anyio.current_time()
        self.working.add(subtask.id)
        try:
            notes.step(Step("tool", "search", Examined(done=3, in_scope=9), Usage(tool_calls=1)))
            await notes.found(Finding(subject=subtask.id, claim=f"{subtask.id} was seen"))
            await anyio.sleep(self.seconds.get(subtask.id, 1))
        finally:
            self.working.discard(subtask.id)
        end = self.ends.get(subtask.id, Status.ok)
        if isinstance(end, Exception):
            raise end
        if end is Status.ok:
            return Result.ended(subtask.id, summary=f"{subtask.id} is done")
        return Result(subtask=subtask.id, status=end, reason=f"it was {end}")

    def accepts(self, subtask: Subtask) -> bool:
        return not subtask.id.startswith("host")


@dataclass
class House:
    """One journal, and as many dispatches over it as a test wants."""

    journal: MemoryJournal = field(default_factory=MemoryJournal)
    events: list[Event] = field(default_factory=list)

    def dispatch(
        self,
        worker: Worker,
        *subtasks: Subtask,
        policy: Policy = Policy(),  # noqa: B008  a frozen value
        hold: Hold = held_by_nothing,
    ) -> Dispatch:
        attempts = [Attempt("r-1", one) for one in subtasks]
        limiter = anyio.CapacityLimiter(256)
        return Dispatch(worker, self.journal, attempts, limiter, self.events.append, policy=policy, hold=hold)
