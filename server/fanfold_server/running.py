"""Runs on their way: begun or joined, watched, cancelled, here or in another process."""

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol
from uuid import uuid4

import anyio

from fanfold_server.brains import Brains
from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.dispatch.dispatcher import Check, Dispatch
from fanfold_server.dispatch.ending import CANCELLED
from fanfold_server.dispatch.events import Event, Told
from fanfold_server.dispatch.policy import Policy
from fanfold_server.dispatch.trail import Follower, Trail
from fanfold_server.jobs import Jobs, until
from fanfold_server.records import Plan, Run, RunState
from fanfold_server.runs import Runs, run_of
from fanfold_workers.contract import Result, Status
from fanfold_workers.errors import CannotDoError, InputError
from fanfold_workers.journal import POLL_SECONDS, Mine, once

STOP_SECONDS = 0.25
"""How often a run looks whether another process cancelled it."""
LAST_WORDS_SECONDS = 1.0
CANCEL_SECONDS = 5.0
"""How long `cancel` waits for another process to wind up."""


class Started(Protocol):
    """A process that was started to do a run by itself."""

    def failure(self) -> str | None:
        """What it said last if it has ended without success; None while it runs, or if it went well."""
        ...


Launch = Callable[[str, Policy], Awaitable[Started]]
"""Starts a process of its own for a run."""


@dataclass(slots=True, eq=False)
class Running:
    """The runs going on in this process.

    Attributes:
        runs: what the journal knows.
        jobs: what goes on in the background.
        brains: who works.
        limiter: workers at once, over all runs.
        check: looks quotes up before findings are recorded, where the journal keeps none.
        launch: starts a process for a run that is to outlive this one; None if nobody can.
        live: those going on, by run id.
    """

    runs: Runs
    jobs: Jobs
    brains: Brains
    limiter: anyio.CapacityLimiter
    check: Check | None = None
    launch: Launch | None = None
    live: dict[str, Dispatch] = field(default_factory=dict[str, Dispatch])
    _listeners: dict[str, list[Told]] = field(default_factory=dict[str, list[Told]])

    # -- watching -------------------------------------------------------------------------------------------------

    def listen(self, run: str, told: Told) -> None:
        """From now on `told` hears of what happens in that run."""
        self._listeners.setdefault(run, []).append(told)

    @contextmanager
    def heard(self, run: str, told: Told | None) -> Generator[None]:
        """While it is entered, `told` hears of what happens in that run."""
        if told:
            self.listen(run, told)
        try:
            yield
        finally:
            if told:
                self._listeners[run].remove(told)

    def _tell(self, run: str, trail: Trail | None, event: Event) -> None:
        if trail:
            trail.hear(event)
        for told in self._listeners.get(run, ()):
            told(event)

    async def view(self, plan: Plan) -> Run:
        """The plan's run as it stands, from memory where it is going on in this process."""
        run = run_of(plan.id)
        if live := self.live.get(run):
            return await self.runs.priced(plan, self.runs.seen(plan, live.results, running=True))
        seen = await self.runs.view(plan)
        starting = seen.state is RunState.interrupted and self.jobs.going(run)
        return seen.model_copy(update={"state": RunState.running}) if starting else seen

    async def at_rest(self, plan: Plan, *going: RunState) -> bool:
        """Whether the run is in none of these states."""
        live = self.live.get(run_of(plan.id))
        state = self.runs.seen(plan, live.results, running=True).state if live else await self.runs.state(plan)
        return state not in going

    # -- going on -------------------------------------------------------------------------------------------------

    async def go_on(self, plan: Plan, policy: Policy, wait: float | None, going: Sequence[RunState]) -> Run:
        """Do what is left, or join it, and answer when the run is at rest, or after so many seconds."""
        job = self.jobs.start(run_of(plan.id), partial(self._run, plan, policy))
        with anyio.move_on_after(wait):
            await job.outcome()
            await until(partial(self.at_rest, plan, *going))
        return await self.view(plan)

    async def go_on_apart(self, plan: Plan, policy: Policy, wait: float | None, going: Sequence[RunState]) -> Run:
        """The same in a process of its own, which this one follows; one that is at it already is left to it.

        Raises:
            CannotDoError: if there is nobody to start one, or it ended at once.
        """
        run = run_of(plan.id)
        follower = Follower(self.runs.journal, run, partial(self._tell, run, None))
        await follower.begin()
        if not (run in self.live or await self.runs.attended(plan)):
            await self.jobs.start(f"{run}/launch", partial(self._launch, plan, policy)).outcome()
        with anyio.move_on_after(wait):
            async with anyio.create_task_group() as group:
                group.start_soon(follower.keep_looking)
                await until(partial(self.at_rest, plan, *going))
                # Its last words come after its last result.
                with anyio.move_on_after(LAST_WORDS_SECONDS):
                    await until(partial(self._is_left, plan))
                group.cancel_scope.cancel()
        await follower.look()
        return await self.view(plan)

    async def _is_left(self, plan: Plan) -> bool:
        return not await self.runs.attended(plan)

    async def _launch(self, plan: Plan, policy: Policy) -> None:
        if not self.launch:
            msg = "Nobody here can start a process of its own for a run."
            raise CannotDoError(msg, field="detach", remedy="Leave it out, or start fanfold by its command.")
        started = await self.launch(run_of(plan.id), policy)
        while not await self._is_taken_up(plan):
            if (why := started.failure()) is not None:
                msg = f"The process for {run_of(plan.id)} ended at once: {why or 'it said nothing'}"
                raise CannotDoError(msg, field="detach", remedy="Put that right, or leave detach out.")
            await anyio.sleep(POLL_SECONDS)

    async def _is_taken_up(self, plan: Plan) -> bool:
        return await self.runs.attended(plan) or await self.runs.state(plan) is not RunState.interrupted

    def refuse_another(self, plan: Plan, policy: Policy) -> None:
        """Raise InputError if the run goes on here under another policy."""
        live = self.live.get(run_of(plan.id))
        if live and (field := live.policy.unlike(policy)):
            msg = f"The run {run_of(plan.id)} is going on already, with {getattr(live.policy, field)}."
            raise InputError(msg, field=field, remedy="Leave it out to wait for that, or cancel the run first.")

    async def _run(self, plan: Plan, policy: Policy) -> None:
        run, journal = run_of(plan.id), self.runs.journal
        attempts = await self.runs.attempts(plan)
        worker = await self.brains.workers(plan, hedge=policy.hedge)
        await self.runs.take(plan, worker)
        who = uuid4().hex
        trail = Trail(journal, f"{run}/events/{who}/")
        dispatch = Dispatch(
            worker,
            journal,
            attempts,
            self.limiter,
            partial(self._tell, run, trail),
            policy=policy,
            hold=self.brains.hold(run),
            check=self.check,
            results=await self.runs.results(attempts),
        )
        self.live[run] = dispatch
        presence = await journal.claim(f"{run}/at/{who}")
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._stop_when_told, plan, dispatch)
                group.start_soon(trail.keep)
                await dispatch.run()
                group.cancel_scope.cancel()
        finally:
            del self.live[run]
            if isinstance(presence, Mine):
                with anyio.CancelScope(shield=True):
                    await journal.release(presence)

    async def _stop_when_told(self, plan: Plan, dispatch: Dispatch) -> None:
        key = await self._cancel_key(plan)
        await until(partial(self.runs.journal.recall, key), STOP_SECONDS)
        dispatch.stop()

    # -- cancelling -----------------------------------------------------------------------------------------------

    async def cancel(self, plan: Plan) -> Run:
        """Stop a run wherever it is going on. What has ended stays; the rest is cancelled or skipped."""
        await self.runs.journal.record(await self._cancel_key(plan), "true")
        if live := self.live.get(run_of(plan.id)):
            live.stop()
        with anyio.move_on_after(CANCEL_SECONDS):
            await anyio.amap(self._skip, await self.runs.attempts(plan))
        return await self.runs.view(plan)

    async def _skip(self, attempt: Attempt) -> None:
        reason = CANCELLED.unstarted
        skipped = Result(subtask=attempt.subtask.id, status=Status.skipped, reason=reason, attempt=attempt.number)
        await once(self.runs.journal, attempt.key, partial(_given, skipped.model_dump_json()))

    async def _cancel_key(self, plan: Plan) -> str:
        return f"{run_of(plan.id)}/cancelled/{await self.runs.round(plan)}"


async def _given(value: str) -> str:
    return value
