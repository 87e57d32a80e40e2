"""Plans made from plans: changed by hand, or following up what a run left open. Each is a version of its own."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from fanfold_server.brains import Brains
from fanfold_server.following import follow_up, open_conflicts
from fanfold_server.records import Conflict, Draft, Plan, Report, RunState, Task
from fanfold_server.revising import Change, changed, draft_of, replaced, unchanged
from fanfold_server.runs import Runs, digest, run_of
from fanfold_workers.contract import Result
from fanfold_workers.errors import CannotDoError
from fanfold_workers.journal import once


class Make(Protocol):
    """Checks and prices the subtasks of a task, less those that are `kept`."""

    async def __call__(self, task: Task, plan_id: str, kept: frozenset[str] = ..., /) -> Plan:
        """The plan."""
        ...


@dataclass(frozen=True, slots=True)
class Versions:
    """Makes a plan from one before.

    Attributes:
        runs: plans and what came of them.
        brains: who would do the subtasks.
        make: makes a plan of subtasks.
        by_rules: what rules make of a run's results.
        where: stands for the roots.
    """

    runs: Runs
    brains: Brains
    make: Make
    by_rules: Callable[[Plan, Mapping[str, Result]], Awaitable[Report]]
    where: str

    async def revised(self, before: Plan, changes: Iterable[Change], edited: Plan | None) -> Plan:
        """See Orchestrator.revise."""
        drafts = replaced(before, edited) if edited else changed(before, changes)
        if drafts == tuple(map(draft_of, before.subtasks)):
            return before
        going = await self.runs.state(before) is RunState.running
        told = (f"{run_of(before.id)} is going on: cancel it first, or both do the same work.",) if going else ()
        return await self._version(before, drafts, {"revises": before.id}, told=told)

    async def following(self, before: Plan) -> Plan:
        """See Orchestrator.follow_up."""
        run = run_of(before.id)
        state = await self.runs.state(before)
        if state in (RunState.running, RunState.waiting):
            msg = f"{run} is {state}."
            raise CannotDoError(msg, field="follow_up", remedy="Wait for its end, or cancel it first.")
        results = await self._results(before)
        conflicts = await self._open_conflicts(before, results)
        minds = self.brains.takes_any or any(result.engine != "rules" for result in results.values())
        to_do = follow_up(before, results, conflicts, minds=minds)
        if to_do.nothing:
            msg = f"{run} left nothing open that could be done. {' '.join(to_do.told)}".rstrip()
            raise CannotDoError(msg, field="follow_up", remedy=f"Call synthesize with run_id {run}.")
        more = {"follows": run, "rests": dict(to_do.rests), "reason": to_do.reason, "engine": "rules"}
        return await self._version(before, to_do.drafts, more, to_do.kept, to_do.told)

    async def _results(self, plan: Plan) -> Mapping[str, Result]:
        return await self.runs.gathered(await self.runs.attempts(plan))

    async def _open_conflicts(self, plan: Plan, results: Mapping[str, Result]) -> list[Conflict]:
        """The conflicts that no report of the run settled; as rules see them where there is no report."""
        journal = self.runs.journal
        entries = await journal.entries(f"{run_of(plan.id)}/reports/", keys_only=True)
        values = [await journal.recall(f"reports/{entry.key.rpartition('/')[2]}") for entry in entries]
        reports = [Report.model_validate_json(value) for value in values if value]
        if not reports and results:
            reports = [await self.by_rules(plan, results)]
        return open_conflicts(reports)

    async def _version(
        self,
        before: Plan,
        drafts: tuple[Draft, ...],
        more: Mapping[str, Any],
        kept: tuple[str, ...] | None = None,
        told: tuple[str, ...] = (),
    ) -> Plan:
        """The next version of a plan. `kept`: subtasks that are not done again; those that stay the same if None."""
        task = before.task.model_copy(update={"subtasks": drafts})
        same = await self._unchanged(before, drafts) if kept is None else frozenset(kept)
        written = (draft.model_dump_json() for draft in drafts)
        plan_id = "p-" + digest(before.id, *sorted(more), *sorted(same), *written, self.where)
        make = partial(self._make, before, task, plan_id, same, more, told)
        return Plan.model_validate_json(await once(self.runs.journal, f"plans/{plan_id}", make))

    async def _unchanged(self, before: Plan, drafts: tuple[Draft, ...]) -> frozenset[str]:
        """Subtasks that stay as they were, and whose Result can be used."""
        after = [s for s in before.subtasks if draft_of(s) in drafts]
        same = unchanged(before.subtasks, after)
        results = await self._results(before)
        return frozenset(name for name in same if name in results and results[name].usable)

    async def _make(
        self,
        before: Plan,
        task: Task,
        plan_id: str,
        kept: frozenset[str],
        more: Mapping[str, Any],
        told: tuple[str, ...],
    ) -> str:
        plan = await self.make(task, plan_id, kept)
        number = before.version + 1
        first = f"Version {number}; {before.id} is the one before."
        standing = (f"{len(kept)} of the subtasks keep what they found.",) if kept else ()
        fields = {
            "version": number,
            "kept": tuple(subtask.id for subtask in plan.subtasks if subtask.id in kept),
            "engine": before.engine,
            "assumptions": (first, *standing, *told, *plan.assumptions),
        }
        return plan.model_copy(update=fields | dict(more)).model_dump_json()
