"""Runs the subtasks of a plan: in parallel, each done once over all processes, each ending in one true status."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import anyio

from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.dispatch.events import Event, Kind, Told
from fanfold_server.dispatch.notes import JournalNotes
from fanfold_workers.contract import MAX_FINDINGS, Finding, Result, Status, Subtask, Usage, numbered
from fanfold_workers.journal import MAX_POLL_SECONDS, POLL_SECONDS, Done, Journal, Mine, made
from fanfold_workers.work import Worker, doer

USABLE = frozenset({Status.ok, Status.partial, Status.timed_out, Status.truncated, Status.over_budget})
"""Statuses whose findings a dependent subtask can build on."""


@dataclass(slots=True)
class Dispatch:
    """One process's part in a run. `run` returns when every attempt that the worker accepts has a Result.

    Attributes:
        worker: who does the subtasks.
        journal: where Results go; it also says who is at what.
        attempts: what to do, in plan order.
        limiter: how many at once.
        told: hears of every start, finding and end.
        results: what has ended so far, by subtask id.
        stopping: set it to wind the run up: what runs is cancelled, what did not start is skipped.
    """

    worker: Worker
    journal: Journal
    attempts: Sequence[Attempt]
    limiter: anyio.CapacityLimiter
    told: Told
    results: dict[str, Result] = field(default_factory=dict[str, Result])
    stopping: bool = False
    _ended: Mapping[str, anyio.Event] = field(init=False)
    _working: set[anyio.CancelScope] = field(default_factory=set[anyio.CancelScope])

    def __post_init__(self) -> None:
        self._ended = {a.subtask.id: anyio.Event() for a in self.attempts}

    async def run(self) -> None:
        """Do all that the worker accepts, and await what those lean on."""
        mine = [a for a in self.attempts if self.worker.accepts(a.subtask)]
        leaned_on = {d for a in mine for d in a.subtask.depends_on}
        theirs = [a for a in self.attempts if a.subtask.id in leaned_on and a not in mine]
        await anyio.amap(self._one, [*mine, *theirs])

    def stop(self) -> None:
        """Cancel what runs and skip the rest; `run` then returns at once, with a Result for each."""
        self.stopping = True
        for scope in self._working:
            scope.cancel()

    async def _one(self, attempt: Attempt) -> None:
        if not self.worker.accepts(attempt.subtask):
            result = await self._arrival(attempt)
        else:
            for prerequisite in attempt.subtask.depends_on:
                with anyio.CancelScope() as scope, self._stoppable(scope):
                    await self._ended[prerequisite].wait()
            result = await self._once(attempt)
        if result:
            self.results[attempt.subtask.id] = result
            self._ended[attempt.subtask.id].set()
            self._tell("ended", attempt.subtask, result.reason or result.summary, result.status, result.findings)

    async def _once(self, attempt: Attempt) -> Result:
        """The attempt's Result: recorded before, awaited from another process, or made here."""
        pause = POLL_SECONDS
        while True:
            async with self.limiter:
                claim = await self.journal.claim(attempt.key, past=attempt.place("turns") + "/")
                if isinstance(claim, Done):
                    return Result.model_validate_json(claim.value)
                if isinstance(claim, Mine):
                    work = partial(self._made, attempt, begun=claim.past)
                    return Result.model_validate_json(await made(self.journal, claim, work))
            await anyio.sleep(pause)
            pause = min(pause * 2, MAX_POLL_SECONDS)

    async def _arrival(self, attempt: Attempt) -> Result | None:
        while not self.stopping:
            if value := await self.journal.recall(attempt.key):
                return Result.model_validate_json(value)
            await anyio.sleep(MAX_POLL_SECONDS)
        return None

    async def _made(self, attempt: Attempt, *, begun: bool) -> str:
        subtask = attempt.subtask
        if why := self._why_not(subtask):
            return self._ended_by(subtask, Status.skipped, why, attempt.number).model_dump_json()
        notes = JournalNotes(self.journal, attempt, lambda found: self._found(subtask, found), begun=begun)
        self._tell("started", subtask)
        started = anyio.current_time()
        result: Result | None = None
        with anyio.move_on_after(subtask.limits.seconds) as scope, self._stoppable(scope):
            result = await attempted(self.worker, subtask, notes)
        result = result or await self._priced(self._cut(subtask), attempt)
        return settled(result, notes, attempt.number, anyio.current_time() - started).model_dump_json()

    async def _priced(self, result: Result, attempt: Attempt) -> Result:
        """The Result of a worker that was cut off, with what its calls had cost."""
        spent = (await self.journal.standing(attempt.place("spent"))).spent
        usage = Usage(usd=spent.usd, model_calls=spent.calls)
        return result.model_copy(update={"usage": usage})

    def _why_not(self, subtask: Subtask) -> str:
        if self.stopping:
            return "the run was cancelled before it started"
        missed = [d for d in subtask.depends_on if d not in self.results or self.results[d].status not in USABLE]
        return f"it depends on {', '.join(missed)}, which gave no usable result" if missed else ""

    def _cut(self, subtask: Subtask) -> Result:
        if self.stopping:
            return self._ended_by(subtask, Status.cancelled, "the run was cancelled")
        return self._ended_by(subtask, Status.timed_out, f"no answer within {subtask.limits.seconds:g} s")

    def _ended_by(self, subtask: Subtask, status: Status, reason: str, attempt: int = 1) -> Result:
        engine = doer(self.worker, subtask).engine
        return Result(subtask=subtask.id, status=status, reason=reason, engine=engine, attempt=attempt)

    @contextmanager
    def _stoppable(self, scope: anyio.CancelScope) -> Generator[None]:
        self._working.add(scope)
        if self.stopping:
            scope.cancel()
        try:
            yield
        finally:
            self._working.discard(scope)

    def _found(self, subtask: Subtask, found: Sequence[Finding]) -> None:
        self._tell("found", subtask, found[-1].claim, findings=tuple(found))

    def _tell(
        self,
        kind: Kind,
        subtask: Subtask,
        note: str = "",
        status: Status | None = None,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        ended, total = len(self.results), len(self.attempts)
        self.told(Event(kind, subtask.id, subtask.title, note, status, ended, total, findings))


async def attempted(worker: Worker, subtask: Subtask, notes: JournalNotes) -> Result:
    """What the worker returns, or a failed Result if it raises or returns something else."""
    try:
        result = cast("object", await worker.work(subtask, notes))
    except Exception as error:
        return _failed(worker, subtask, f"the worker crashed: {type(error).__name__}: {error}")
    if not isinstance(result, Result):
        return _failed(worker, subtask, f"the worker returned {type(result).__name__}, not a Result")
    if result.subtask != subtask.id:
        return _failed(worker, subtask, f"the worker answered for {result.subtask}")
    return result


def settled(result: Result, notes: JournalNotes, attempt: int, seconds: float) -> Result:
    """The Result as it is recorded: with all that was noted, numbered, timed, and ok only if nothing was lost."""
    known = {finding.id for finding in notes.findings}
    own = [finding for finding in result.findings if finding.id not in known]
    every = (*notes.findings, *numbered(result.subtask, own, start=len(notes.findings) + 1))
    changes: dict[str, object] = {
        "findings": every[:MAX_FINDINGS],
        "attempt": attempt,
        "seconds": result.seconds or seconds,
    }
    if (lost := notes.dropped + len(every[MAX_FINDINGS:])) and result.status is Status.ok:
        changes |= {"status": Status.truncated, "reason": f"{lost} findings past {MAX_FINDINGS:,} were left out"}
    return Result.model_validate({**dict(result), **changes})


def _failed(worker: Worker, subtask: Subtask, reason: str) -> Result:
    reason = " ".join(reason.split())[:2_000]
    return Result(subtask=subtask.id, status=Status.failed, reason=reason, engine=doer(worker, subtask).engine)
