"""What the journal knows of plans and runs, read back as records."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.dispatch.notes import noted
from fanfold_server.records import Estimate, Plan, Run, RunState
from fanfold_server.revising import unchanged
from fanfold_workers.contract import MAX_REASON_CHARS, MAX_TEXT_CHARS, Prior, Result, Status, Subtask, Usage
from fanfold_workers.errors import NothingUsableError, UnknownNameError
from fanfold_workers.journal import Journal
from fanfold_workers.work import Worker, doer

RETRIED = frozenset(Status) - {Status.ok, Status.partial}
"""Statuses that a retry does again. Partial work is as done as its scope allows."""

CUT = frozenset({Status.cancelled, Status.timed_out, Status.over_budget})
"""Of those, how a worker ends that could have gone on: a retry goes on with its conversation."""

_IDS = TypeAdapter(list[str])
_AGAIN = TypeAdapter(dict[str, bool])
"""What a retry does again: by subtask, whether it goes on with the conversation of the try before."""
_DIRECTORIES = TypeAdapter(dict[str, Path])
_ORIGINS = TypeAdapter(dict[str, str])


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

    async def take_over(self, plan: Plan) -> None:
        """Record what stands of the run that a plan follows, or of the plan that it revises, as Results of its own.

        Once, when the plan is first dispatched or submitted to, or a worker asks what others found before. Of a
        revised plan that is whatever is the same in both and has a usable Result by then.
        """
        run = run_of(plan.id)
        before = plan.follows or plan.revises
        if not before or await self.journal.recall(f"{run}/kept"):
            return
        try:
            other = await self.plan(before)
        except UnknownNameError:  # pruned meanwhile: all of it is done
            return
        results = await self.gathered(await self.attempts(other))
        wanted = set(plan.kept)
        if plan.revises:
            wanted |= unchanged(other.subtasks, plan.subtasks)
        whence = await self._origins(run_of(other.id))
        kept: dict[str, str] = {}
        for subtask in plan.subtasks:
            result = results.get(subtask.id)
            if subtask.id in wanted and result and result.usable:
                # It has cost this run nothing.
                mine = result.model_copy(update={"usage": Usage(), "seconds": 0.0, "attempt": 1})
                await self.journal.record(Attempt(run, subtask).key, mine.model_dump_json())
                kept[subtask.id] = whence.get(subtask.id, run_of(other.id))
        await self.journal.record(f"{run}/kept", _ORIGINS.dump_json(kept).decode())

    async def _origins(self, run: str) -> dict[str, str]:
        """In which run the Results that it took over were found, by subtask."""
        value = await self.journal.recall(f"{run}/kept")
        return _ORIGINS.validate_json(value) if value else {}

    async def found_in(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """The attempts as of the runs in which they were made: one may have taken over what another found."""
        whence = await self._origins(attempts[0].run) if attempts else {}
        return [replace(a, run=whence.get(a.subtask.id, a.run)) for a in attempts]

    async def keep_directories(self, run: str, directories: Mapping[str, Path]) -> None:
        """Record where the run's roots are, for a later process to go on over the same. Never shown to a host."""
        absolute = {name: path.absolute() for name, path in directories.items()}
        if absolute:
            await self.journal.record(f"roots/{run}", _DIRECTORIES.dump_json(absolute).decode())

    async def attempts(self, plan: Plan) -> tuple[Attempt, ...]:
        """The try that counts of each subtask, in plan order."""
        run = run_of(plan.id)
        last = {subtask.id: Attempt(run, subtask) for subtask in plan.subtasks}
        for entry in await self.journal.entries(f"{run}/retries/"):
            for name, goes_on in _again(entry.value or "{}").items():
                before = last[name]
                origin = (before.origin or before.number) if goes_on else 0
                last[name] = replace(before, number=before.number + 1, origin=origin)
        return tuple(last.values())

    async def retry(self, plan: Plan) -> None:
        """Raise the attempt of every subtask that failed, once, however many ask at the same time.

        Whoever was cut off goes on where he was: nothing that was paid for is asked again. Whoever failed begins
        anew.
        """
        attempts = await self.attempts(plan)
        results = await self.results(attempts)
        again = {
            a.subtask.id: await self._can_go_on(a, results[a.subtask.id])
            for a in attempts
            if _status(results, a) in RETRIED
        }
        if again:
            number = await self.round(plan)
            await self.journal.record(f"{run_of(plan.id)}/retries/{number:03}", _AGAIN.dump_json(again).decode())

    async def _can_go_on(self, attempt: Attempt, result: Result) -> bool:
        if result.status not in CUT:
            return False
        return bool(await self.journal.entries(attempt.place("turns") + "/", keys_only=True))

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
        """The Results so far, in plan order, with what unfinished workers noted as partial ones.

        Where a try gave nothing usable, an earlier one that did stands in for it.
        """
        results = await self.results(attempts)
        for attempt in attempts:
            name = attempt.subtask.id
            if name not in results and (partial := await self._unfinished(attempt)):
                results[name] = partial
            latest = results.get(name)
            if attempt.number > 1 and not (latest and latest.usable) and (earlier := await self._earlier(attempt)):
                results[name] = _standing_in(earlier, latest)
        return {a.subtask.id: results[a.subtask.id] for a in attempts if a.subtask.id in results}

    async def _earlier(self, attempt: Attempt) -> Result | None:
        """The latest usable Result of a try before this one."""
        for number in range(attempt.number - 1, 0, -1):
            value = await self.journal.recall(replace(attempt, number=number).key)
            if value and (result := Result.model_validate_json(value)).usable:
                return result
        return None

    async def prior(self, plan: Plan, subtask: Subtask) -> tuple[tuple[Prior, ...], list[str]]:
        """What the subtask's prerequisites came to, and the ids of those that have not ended."""
        if not subtask.depends_on:
            return (), []
        await self.take_over(plan)
        attempts = {a.subtask.id: a for a in await self.attempts(plan)}
        results = await self.results(tuple(attempts[name] for name in subtask.depends_on if name in attempts))
        prior = tuple(Prior(title=attempts[name].subtask.title, result=result) for name, result in results.items())
        return prior, [name for name in subtask.depends_on if name not in results]

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
        running = await self.attended(plan)
        seen = self.seen(plan, results, taken=await self._taken(plan), running=running)
        return await self.priced(plan, seen)

    async def priced(self, plan: Plan, run: Run) -> Run:
        """The run with all that was spent on it: planning, workers however they ended, the report."""
        spent = (await self.journal.standing(run.id)).spent
        if not spent.tokens:
            return run
        multiple = spent.tokens / agent if (agent := one_agent(plan.estimate)) else 0.0
        return run.model_copy(update={"usd": spent.usd, "tokens": spent.tokens, "multiple": round(multiple, 1)})

    async def state(self, plan: Plan) -> RunState:
        """The state of the plan's run, without reading any Result."""
        entries = await self.journal.entries(f"{run_of(plan.id)}/results/", keys_only=True)
        recorded = {entry.key for entry in entries if entry.value is not None}
        waiting = [a.subtask for a in await self.attempts(plan) if a.key not in recorded]
        running = await self.attended(plan)
        taken = () if running or not waiting else await self._taken(plan)
        return self._state(waiting, taken, running=running)

    async def attended(self, plan: Plan) -> bool:
        """Whether somebody living is at it."""
        return bool(await self.journal.entries(f"{run_of(plan.id)}/at/", keys_only=True))

    async def take(self, plan: Plan, worker: Worker) -> None:
        """Record which subtasks a worker here takes, for whoever looks at the run without that worker."""
        taken = [subtask.id for subtask in plan.subtasks if worker.accepts(subtask)]
        await self.journal.record(f"{run_of(plan.id)}/taken/{digest(*taken)}", _IDS.dump_json(taken).decode())

    async def _taken(self, plan: Plan) -> frozenset[str]:
        entries = await self.journal.entries(f"{run_of(plan.id)}/taken/")
        return frozenset(name for entry in entries if entry.value for name in _IDS.validate_json(entry.value))

    def _state(self, waiting: Sequence[Subtask], taken: Collection[str], *, running: bool) -> RunState:
        if not waiting:
            return RunState.done
        if running:
            return RunState.running
        ours = any(subtask.id in taken or self.worker.accepts(subtask) for subtask in waiting)
        return RunState.interrupted if ours else RunState.waiting

    def seen(self, plan: Plan, results: Mapping[str, Result], *, running: bool, taken: Collection[str] = ()) -> Run:
        """The run as these Results make it. `taken`: subtasks that somebody's own workers do."""
        waiting = [subtask for subtask in plan.subtasks if subtask.id not in results]
        return Run(
            id=run_of(plan.id),
            plan=plan.id,
            state=self._state(waiting, taken, running=running),
            total=len(plan.subtasks),
            counts=dict(Counter(result.status for result in results.values())),
            waiting_for=tuple(subtask.id for subtask in waiting),
            usable=sum(result.usable for result in results.values()),
            usd=sum(result.usage.usd for result in results.values()),
        )


def one_agent(estimate: Estimate) -> float:
    """Tokens that one agent would have taken for the whole task, as the plan's estimate takes it; 0 for none."""
    middle = estimate.tokens_mid or (estimate.tokens_low + estimate.tokens_high) / 2
    return middle / max(1.0, estimate.multiple)


def unusable(run: Run, results: Mapping[str, Result]) -> NothingUsableError:
    """The error that says of a run that nothing in it can be built on, and why."""
    counts = ", ".join(f"{count} {status}" for status, count in run.counts.items())
    reasons = Counter(result.reason for result in results.values()).most_common(2)
    why = "; ".join(f"{count} x {reason[:300]}" for reason, count in reasons)
    msg = f"None of the {run.total} subtasks of {run.id} gave anything usable: {counts} ({why})."
    remedy = f"Put that right, then dispatch {run.plan} with retry (fanfold resume {run.id} --retry)."
    return NothingUsableError(msg, field="run_id", remedy=remedy)


def _standing_in(earlier: Result, latest: Result | None) -> Result:
    """What an earlier try found, in place of a later one that gave nothing."""
    later = f"{latest.status}: {latest.reason}" if latest else "not ended"
    reason = f"{earlier.reason}; tried again: {later}"[:MAX_REASON_CHARS]
    return earlier.model_copy(update={"reason": reason})


def _again(value: str) -> dict[str, bool]:
    """What a retry did again; before tries could go on, only ids were recorded."""
    return dict.fromkeys(_IDS.validate_json(value), False) if value.startswith("[") else _AGAIN.validate_json(value)


def _status(results: Mapping[str, Result], attempt: Attempt) -> Status | None:
    result = results.get(attempt.subtask.id)
    return result.status if result else None
