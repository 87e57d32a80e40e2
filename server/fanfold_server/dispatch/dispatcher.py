"""Runs the subtasks of a plan: in parallel, each done once over all processes, each ending in one true status."""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import anyio

from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.dispatch.ending import CANCELLED, End, out_of_grace, overdue, plenty
from fanfold_server.dispatch.events import Event, Kind, Told
from fanfold_server.dispatch.notes import JournalNotes, noted
from fanfold_server.dispatch.policy import Policy
from fanfold_server.dispatch.prior import Prerequisites
from fanfold_server.dispatch.truth import attempted, cut_off, lacking, settled, skipped
from fanfold_workers.contract import Finding, Prior, Result, Status, Subtask
from fanfold_workers.journal import MAX_POLL_SECONDS, POLL_SECONDS, Done, Journal, Mine, made
from fanfold_workers.work import Step, Worker, doer

Hold = Callable[[Subtask], Awaitable[str]]
"""Why a subtask may not start although it is its turn, "" if it may."""
Check = Callable[[Subtask, Sequence[Finding]], Awaitable[Sequence[Finding]]]


async def held_by_nothing(_: Subtask) -> str:
    """The Hold of a run that costs nothing."""
    return ""


@dataclass(slots=True)
class Dispatch:
    """One process's part in a run. `run` returns when every attempt that the worker accepts has a Result.

    Attributes:
        worker: who does the subtasks.
        journal: where Results go; it also says who is at what.
        attempts: what to do, in plan order.
        limiter: how many at once, over all runs of the process.
        told: hears of every start, step, finding and end.
        policy: for how long, and how much of it is enough.
        hold: asked before each start once money has run short.
        check: looks quotes up before findings are recorded, where the journal keeps none. It keeps no conversations
            either then, so a try that goes on begins with what was noted before. None where it keeps all.
        results: what has ended so far, by subtask id.
        ending: why the run is being wound up; None while it is not.
    """

    worker: Worker
    journal: Journal
    attempts: Sequence[Attempt]
    limiter: anyio.CapacityLimiter
    told: Told
    policy: Policy = field(default_factory=Policy)
    hold: Hold = held_by_nothing
    check: Check | None = None
    results: dict[str, Result] = field(default_factory=dict[str, Result])
    ending: End | None = None
    _ended: Mapping[str, anyio.Event] = field(init=False)
    _prerequisites: Prerequisites = field(init=False)
    _usable: set[str] = field(init=False)
    _places: anyio.CapacityLimiter = field(init=False)
    _enough: anyio.Event = field(default_factory=anyio.Event)
    _working: set[anyio.CancelScope] = field(default_factory=set[anyio.CancelScope])
    _short: bool = False
    _until: float | None = None
    _usd: float = 0.0

    def __post_init__(self) -> None:
        self._ended = {a.subtask.id: anyio.Event() for a in self.attempts}
        self._places = anyio.CapacityLimiter(self.policy.width)
        self._usd = sum(result.usage.usd for result in self.results.values())
        self._usable = {name for name, result in self.results.items() if result.usable}
        self._prerequisites = Prerequisites(self.journal, {a.subtask.id: a for a in self.attempts}, self.results)

    async def run(self) -> None:
        """Do all that the worker accepts, and await what those lean on."""
        mine = [a for a in self.attempts if self.worker.accepts(a.subtask)]
        leaned_on = {d for a in mine for d in a.subtask.depends_on} - {a.subtask.id for a in mine}
        theirs = [a for a in self.attempts if a.subtask.id in leaned_on]
        if self.policy.run_seconds:
            self._until = anyio.current_time() + self.policy.run_seconds
        async with anyio.create_task_group() as group:
            group.start_soon(self._cut_in_time)
            await anyio.amap(self._one, [*mine, *theirs])
            group.cancel_scope.cancel()

    def stop(self, end: End = CANCELLED) -> None:
        """Cut what runs and skip the rest; `run` then returns at once, with a Result for each."""
        self.ending = end
        if end.at_once:
            for scope in self._working:
                scope.cancel()

    # -- when it is over before it is done ------------------------------------------------------------------------

    async def _cut_in_time(self) -> None:
        """Stop the run at its deadline, or when there is enough and the grace is over."""
        with anyio.CancelScope(deadline=self._until or float("inf")) as in_time:
            await self._enough.wait()
            await anyio.sleep(self.policy.grace_seconds)
        before = self.ending
        if before and before.at_once:
            return
        over = in_time.cancelled_caught or before is None
        self.stop(overdue(self.policy) if over else out_of_grace(before or CANCELLED, self.policy))

    def _see_whether_enough(self) -> None:
        policy, total = self.policy, len(self.attempts)
        if self.ending or policy.waits_for_all:
            return
        wanted = policy.enough_of
        reached = self._usable.issuperset(wanted) if wanted else len(self._usable) >= policy.needed(total)
        if reached:
            self.ending = plenty(policy, len(self._usable), total)
            self._enough.set()

    # -- one subtask ----------------------------------------------------------------------------------------------

    async def _one(self, attempt: Attempt) -> None:
        if not self.worker.accepts(attempt.subtask):
            result = await self._arrival(attempt)
        else:
            for prerequisite in attempt.subtask.depends_on:
                with anyio.CancelScope() as scope, self._stoppable(scope):
                    await self._ended[prerequisite].wait()
            result = await self._once(attempt)
        if result:
            self._take(attempt.subtask, result)

    def _take(self, subtask: Subtask, result: Result) -> None:
        new = subtask.id not in self.results
        self.results[subtask.id] = result
        self._usd += result.usage.usd if new else 0.0
        if result.usable:
            self._usable.add(subtask.id)
        self._short = self._short or result.status is Status.over_budget
        self._ended[subtask.id].set()
        if result.usage.usd:
            self._tell("spent", subtask, f"${result.usage.usd:.4f} in {result.usage.model_calls} model calls")
        self._tell("ended", subtask, result.reason or result.summary, result.status, result.findings)
        self._see_whether_enough()

    async def _once(self, attempt: Attempt) -> Result:
        """The attempt's Result: recorded before, awaited from another process, or made here."""
        pause = POLL_SECONDS
        while True:
            async with self._places, self.limiter:
                claim = await self.journal.claim(attempt.key, past=attempt.place("turns") + "/")
                if isinstance(claim, Done):
                    return Result.model_validate_json(claim.value)
                if isinstance(claim, Mine):
                    work = partial(self._made, attempt, begun=claim.past)
                    return Result.model_validate_json(await made(self.journal, claim, work))
            await anyio.sleep(pause)
            pause = min(pause * 2, MAX_POLL_SECONDS)

    async def _arrival(self, attempt: Attempt) -> Result | None:
        while not self.ending:
            if value := await self.journal.recall(attempt.key):
                return Result.model_validate_json(value)
            await anyio.sleep(MAX_POLL_SECONDS)
        return None

    async def _made(self, attempt: Attempt, *, begun: bool) -> str:
        engine = doer(self.worker, attempt.subtask).engine
        prior = await self._prerequisites.of(attempt)
        missed = [one for one in prior if not one.result.usable]
        if why := await self._why_not(attempt.subtask, missed):
            return skipped(attempt, engine, why).model_dump_json()
        subtask = attempt.subtask.model_copy(update={"prior": prior}) if prior else attempt.subtask
        result = await self._worked(attempt, subtask, engine, begun=begun)
        return lacking(result, missed).model_dump_json()

    async def _why_not(self, subtask: Subtask, missed: Sequence[Prior]) -> str:
        """Why the subtask is not started at all, "" if it is."""
        if self._is_overdue and not self.ending:
            self.stop(overdue(self.policy))
        if self.ending:
            return self.ending.unstarted
        if missed and subtask.if_unmet == "skip":
            return f"it depends on {', '.join(one.result.subtask for one in missed)}, which gave no usable result"
        return await self.hold(subtask) if self._short else ""

    async def _worked(self, attempt: Attempt, subtask: Subtask, engine: str, *, begun: bool) -> Result:
        seconds = self._seconds(subtask)
        if seconds != subtask.limits.seconds:
            subtask = subtask.model_copy(update={"limits": subtask.limits.model_copy(update={"seconds": seconds})})
        notes = await self._notes(attempt, begun=begun)
        self._tell("started", subtask)
        started = anyio.current_time()
        result: Result | None = None
        with anyio.move_on_after(seconds) as scope, self._stoppable(scope):
            result = await attempted(self.worker, subtask, notes)
            result = await self._looked_up(subtask, result, notes)
        if result is None:
            end = self.ending if self.ending and self.ending.at_once else None
            end = end or (overdue(self.policy) if self._is_overdue else None)
            why = end.why if end else f"no answer within {seconds:g} s"
            spent = (await self.journal.standing(attempt.place("spent"))).spent
            result = cut_off(attempt, engine, end.cut if end else Status.timed_out, why, notes.last, spent)
        return settled(result, notes, attempt.number, anyio.current_time() - started)

    @property
    def _is_overdue(self) -> bool:
        return self._until is not None and anyio.current_time() >= self._until

    async def _looked_up(self, subtask: Subtask, result: Result, notes: JournalNotes) -> Result:
        """The Result with its own findings looked up, where the journal keeps no quotes; noted ones were before."""
        known = {finding.id for finding in notes.findings}
        own = [finding for finding in result.findings if finding.id not in known]
        if not (self.check and own):
            return result
        return result.model_copy(update={"findings": tuple(await self.check(subtask, own))})

    def _seconds(self, subtask: Subtask) -> float:
        """How long a worker may take that starts now: it is told, so that it can report in time."""
        limits = [subtask.limits.seconds]
        if self.policy.worker_seconds:
            limits.append(self.policy.worker_seconds)
        if self._until:
            limits.append(max(0.001, self._until - anyio.current_time()))
        return min(limits)

    async def _notes(self, attempt: Attempt, *, begun: bool) -> JournalNotes:
        subtask, check = attempt.subtask, self.check
        notes = JournalNotes(
            self.journal,
            attempt,
            told=lambda found: self._found(subtask, found),
            stepped=lambda step: self._stepped(subtask, step),
            check=partial(check, subtask) if check else None,
            begun=begun,
        )
        if check and begun:
            notes.findings.extend(await noted(self.journal, attempt.notes))
        return notes

    @contextmanager
    def _stoppable(self, scope: anyio.CancelScope) -> Generator[None]:
        self._working.add(scope)
        if self.ending and self.ending.at_once:
            scope.cancel()
        try:
            yield
        finally:
            self._working.discard(scope)

    # -- telling --------------------------------------------------------------------------------------------------

    def _found(self, subtask: Subtask, found: Sequence[Finding]) -> None:
        self._tell("found", subtask, found[-1].claim, findings=tuple(found))

    def _stepped(self, subtask: Subtask, step: Step) -> None:
        self._tell(step.kind, subtask, step.note)

    def _tell(
        self,
        kind: Kind,
        subtask: Subtask,
        note: str = "",
        status: Status | None = None,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        ended, total = len(self.results), len(self.attempts)
        self.told(Event(kind, subtask.id, subtask.title, note, status, ended, total, self._usd, findings))
