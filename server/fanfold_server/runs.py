"""What the journal knows of plans and runs, read back as records."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.dispatch.notes import noted
from fanfold_server.records import Plan, Run, RunState
from fanfold_workers.contract import MAX_TEXT_CHARS, Result, Status, Subtask
from fanfold_workers.errors import UnknownNameError
from fanfold_workers.journal import Journal
from fanfold_workers.work import Worker, doer

RETRIED = frozenset(Status) - {Status.ok, Status.partial}
"""Statuses that a retry does again. Partial work is as done as its scope allows."""

_IDS = TypeAdapter(list[str])
_DIRECTORIES = TypeAdapter(dict[str, Path])


def digest(*parts: str) -> str:
    """Twelve hex digits that stand for the parts."""
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hashed.update(b"%d:" % len(data) + data)
    return hashed.hexdigest()[:12]


async def directories_of(journal: Journal, run_id: str) -> dict[str, Path]:
    """Where the roots of a run were when it was first dispatched; empty if none is known."""
    value = await journal.recall(f"roots/{run_of(run_id)}")
    return _DIRECTORIES.validate_json(value) if value else {}


def run_of(plan_id: str) -> str:
    """The id of a plan's run."""
    return "r-" + plan_id.removeprefix("p-").removeprefix("r-")


def plan_of(run_id: str) -> str:
    """The id of a run's plan."""
    return "p-" + run_id.removeprefix("r-").removeprefix("p-")


@dataclass(frozen=True, slots=True)
class Runs:
    """Plans and runs in a journal.

    Attributes:
        journal: where they are.
        worker: who does what it accepts; the rest waits for submissions.
    """

    journal: Journal
    worker: Worker

    async def plan(self, plan_id: str) -> Plan:
        """The plan of that id, or of the run of that id.

        Raises:
            UnknownNameError: if there is none.
        """
        if value := await self.journal.recall(f"plans/{plan_of(plan_id)}"):
            return Plan.model_validate_json(value)
        kind = "run_id" if plan_id.startswith("r-") else "plan_id"
        msg = f"There is no {kind.removesuffix('_id')} {plan_id[:80]}."
        raise UnknownNameError(msg, field=kind, remedy='Call plan first, or read("runs") for recent runs.')

    async def open(self, plan: Plan) -> str:
        """The id of the plan's run, listed from now on."""
        run = run_of(plan.id)
        await self.journal.record(f"runs/{run}", plan.id)
        return run

    async def keep_directories(self, run: str, directories: Mapping[str, Path]) -> None:
        """Record where the run's roots are, for a later process to go on over the same. Never shown to a host."""
        absolute = {name: path.absolute() for name, path in directories.items()}
        if absolute:
            await self.journal.record(f"roots/{run}", _DIRECTORIES.dump_json(absolute).decode())

    async def attempts(self, plan: Plan) -> tuple[Attempt, ...]:
        """The try that counts of each subtask, in plan order."""
        run = run_of(plan.id)
        retries = await self.journal.entries(f"{run}/retries/")
        tries = Counter(subtask for entry in retries if entry.value for subtask in _IDS.validate_json(entry.value))
        return tuple(Attempt(run, subtask, 1 + tries[subtask.id]) for subtask in plan.subtasks)

    async def retry(self, plan: Plan) -> None:
        """Raise the attempt of every subtask that failed, once, however many ask at the same time."""
        attempts = await self.attempts(plan)
        results = await self.results(attempts)
        again = [a.subtask.id for a in attempts if _status(results, a) in RETRIED]
        if again:
            number = await self.round(plan)
            await self.journal.record(f"{run_of(plan.id)}/retries/{number:03}", _IDS.dump_json(again).decode())

    async def round(self, plan: Plan) -> int:
        """How often the run was retried."""
        return len(await self.journal.entries(f"{run_of(plan.id)}/retries/", keys_only=True))

    async def results(self, attempts: tuple[Attempt, ...]) -> dict[str, Result]:
        """The Results so far, by subtask id, in plan order."""
        if not attempts:
            return {}
        entries = await self.journal.entries(f"{attempts[0].run}/results/")
        values = {entry.key: entry.value for entry in entries}
        found = ((a.subtask.id, values.get(a.key)) for a in attempts)
        return {subtask: Result.model_validate_json(value) for subtask, value in found if value}

    async def gathered(self, attempts: tuple[Attempt, ...]) -> dict[str, Result]:
        """The Results so far, with what unfinished workers noted as partial ones."""
        results = await self.results(attempts)
        for attempt in attempts:
            if attempt.subtask.id not in results and (partial := await self._unfinished(attempt)):
                results[attempt.subtask.id] = partial
        return results

    async def texts(self, attempt: Attempt) -> list[str]:
        """The prose that came with incomplete submissions, in order."""
        return [entry.value for entry in await self.journal.entries(attempt.texts) if entry.value]

    async def _unfinished(self, attempt: Attempt) -> Result | None:
        findings = await noted(self.journal, attempt.notes)
        text = "\n\n".join(await self.texts(attempt))[:MAX_TEXT_CHARS]
        if not (findings or text):
            return None
        accepted = self.worker.accepts(attempt.subtask)
        engine = doer(self.worker, attempt.subtask).engine if accepted else "host"
        reason = f"it noted {len(findings)} findings but never reported"
        return Result(
            subtask=attempt.subtask.id,
            status=Status.partial,
            reason=reason,
            engine=engine,
            findings=findings,
            text=text,
        )

    async def view(self, plan: Plan) -> Run:
        """The plan's run as it stands."""
        results = await self.results(await self.attempts(plan))
        return await self.priced(self.seen(plan, results, running=await self._attended(plan)))

    async def priced(self, run: Run) -> Run:
        """The run with all that was spent on it: planning, workers however they ended, the report."""
        spent = (await self.journal.standing(run.id)).spent
        return run.model_copy(update={"usd": spent.usd}) if spent.micros else run

    async def state(self, plan: Plan) -> RunState:
        """The state of the plan's run, without reading any Result."""
        entries = await self.journal.entries(f"{run_of(plan.id)}/results/", keys_only=True)
        recorded = {entry.key for entry in entries if entry.value is not None}
        waiting = [a.subtask for a in await self.attempts(plan) if a.key not in recorded]
        return self._state(waiting, running=await self._attended(plan))

    async def _attended(self, plan: Plan) -> bool:
        return bool(await self.journal.entries(f"{run_of(plan.id)}/at/", keys_only=True))

    def _state(self, waiting: Sequence[Subtask], *, running: bool) -> RunState:
        if not waiting:
            return RunState.done
        if running:
            return RunState.running
        accepted = any(self.worker.accepts(subtask) for subtask in waiting)
        return RunState.interrupted if accepted else RunState.waiting

    def seen(self, plan: Plan, results: Mapping[str, Result], *, running: bool) -> Run:
        """The run as these Results make it."""
        waiting = [subtask for subtask in plan.subtasks if subtask.id not in results]
        return Run(
            id=run_of(plan.id),
            plan=plan.id,
            state=self._state(waiting, running=running),
            total=len(plan.subtasks),
            counts=dict(Counter(result.status for result in results.values())),
            waiting_for=tuple(subtask.id for subtask in waiting),
            usd=sum(result.usage.usd for result in results.values()),
        )


def _status(results: Mapping[str, Result], attempt: Attempt) -> Status | None:
    result = results.get(attempt.subtask.id)
    return result.status if result else None
