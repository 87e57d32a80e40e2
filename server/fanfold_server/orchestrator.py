"""The three verbs, without any host: what MCP, the command line and scripts all call.

```python
async with Orchestrator(roots={"repos": Path("repos")}) as fanfold:
    plan = await fanfold.plan(Task(task="Audit these repositories for secrets"))
    run = await fanfold.dispatch(plan.id)
    report = await fanfold.synthesize(run.id)
```

Each verb starts its work or joins it where it is going on already, in this process or another, and with `wait` leaves
it going on in the background after so many seconds.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast, overload
from uuid import uuid4

import anyio

from fanfold_server.ahead import Ahead
from fanfold_server.approving import Approval, Thresholds, approval_of, approve, wanting
from fanfold_server.brains import Brains, Compose
from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.dispatch.events import Told
from fanfold_server.dispatch.notes import JournalNotes, noted
from fanfold_server.dispatch.policy import Policy
from fanfold_server.history import earlier_runs
from fanfold_server.jobs import Jobs, until
from fanfold_server.minds import Mind, Minds
from fanfold_server.planning import Planner, Survey, make_plan
from fanfold_server.records import Handed, Plan, Report, Run, RunState, Task
from fanfold_server.refs import Refs
from fanfold_server.revising import Change
from fanfold_server.running import Launch, Running
from fanfold_server.runs import Runs, digest, run_of, unusable
from fanfold_server.seen import seen_by
from fanfold_server.settings import default_home
from fanfold_server.store import WithoutText, open_journal
from fanfold_server.submission import Receipt, Submission, handed_plan, joined_prose
from fanfold_server.synthesis import synthesize, verified
from fanfold_server.versions import Versions
from fanfold_workers.aside import Aside, in_thread
from fanfold_workers.contract import Finding, Result, Status, Subtask, Value
from fanfold_workers.errors import ApprovalNeededError, CannotDoError, InputError, SettledError, UnknownNameError
from fanfold_workers.journal import POLL_SECONDS, Busy, Done, Journal, Mine, once
from fanfold_workers.lenient import read_findings
from fanfold_workers.tools.audit import Audit
from fanfold_workers.tools.catalog import shipped
from fanfold_workers.tools.disk import DiskRoot
from fanfold_workers.tools.processes import Processes, divisible
from fanfold_workers.tools.roots import Root
from fanfold_workers.tools.servers import Declared, Servers
from fanfold_workers.work import FunctionWorker, Worker, WorkFunction

V = TypeVar("V", bound=Value)

DEFAULT_REPORT_CHARS = 8_000
MIN_REPORT_CHARS, MAX_REPORT_CHARS = 500, 1_000_000


class Orchestrator:
    """Plans, dispatches and synthesizes. Use it as an async context manager; everything it does ends with it.

    Args:
        roots: directories that workers may read, by name.
        worker: `async def worker(subtask) -> Result`, or a Worker; the rules engine if left out.
        planner: the rules planner if left out.
        journal: where everything is recorded; `home`'s on disk if left out.
        keep_text: whether text of files is recorded: quotes, answers of tools, replies of models.
        home: folder of that journal; FANFOLD_HOME or the user's state folder if left out.
        policy: how runs are dispatched: workers at once, deadlines, how much is enough.
        aside: where blocking work runs.
        minds: models of fanfold's own, for planning, for subtasks that take a mind, and for the report.
        servers: MCP servers whose tools workers may be allowed, by name.
        sources: how good sources are held to be, by domain, before fanfold's own list; see `synthesis.quality`.
        thresholds: above what a plan waits for a person's approval; never if left out.
        launch: starts a process for a run that is to outlive this one.
        audit: hears of each call of a tool that fanfold's own workers make.
        upkeep: begun with the orchestrator, in the background; see `store.upkeep`.
    """

    def __init__(
        self,
        *,
        roots: Mapping[str, Path | Root] | None = None,
        worker: Worker | WorkFunction | None = None,
        planner: Planner | None = None,
        journal: Journal | None = None,
        keep_text: bool = True,
        home: Path | None = None,
        policy: Policy | None = None,
        aside: Aside = in_thread,
        minds: Minds | None = None,
        servers: Mapping[str, Declared] | None = None,
        sources: Mapping[str, str] | None = None,
        thresholds: Thresholds | None = None,
        launch: Launch | None = None,
        audit: Audit | None = None,
        upkeep: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self.roots = {name: _root(name, root) for name, root in (roots or {}).items()}
        self.tools = shipped()
        self._directories = {name: root for name, root in sorted((roots or {}).items()) if isinstance(root, Path)}
        self._where = digest(*(f"{name}={root}" for name, root in self._directories.items()))
        self._processes = (
            Processes(disk_roots) if (disk_roots := divisible(self.roots)) and aside is in_thread else None
        )
        self._own = _worker(worker) if worker else None
        self._minds, self._declared = minds, servers or {}
        self._planner, self._aside = planner, aside
        self.policy, self._launch, self._audit = policy or Policy(), launch, audit
        self._given, self._home, self._keep_text = journal, home or default_home(), keep_text
        self._upkeep, self._sources = upkeep, sources or {}
        self._thresholds = thresholds or Thresholds()
        self._stack = AsyncExitStack()
        self._untold: set[str] = set()
        self._anew: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        disk = None if self._given else await self._stack.enter_async_context(open_journal(self._home))
        kept = cast("Journal", self._given or disk)
        self.journal = kept if self._keep_text else WithoutText(kept)
        if self._minds and self._minds.close:
            self._stack.push_async_callback(self._minds.close)
        self.mind = Mind(self._minds, self.journal) if self._minds else None
        self.servers = await self._stack.enter_async_context(Servers(self._declared, self.journal))
        self._brains = Brains(
            roots=self.roots,
            tools=self.tools,
            aside=self._aside,
            runner=self._processes,
            servers=self.servers,
            mind=self.mind,
            own=self._own,
            planner=self._planner,
            audit=self._audit,
        )
        self.runs = Runs(self.journal, self._brains.worker)
        self.refs = Refs(self.runs, self._thresholds, self._aside)
        if self._processes:
            await self._stack.enter_async_context(self._processes)
        self._jobs = Jobs(await self._stack.enter_async_context(anyio.create_task_group()))
        if self._upkeep:
            self._jobs.group.start_soon(self._upkeep)
        limiter = anyio.CapacityLimiter(self.policy.width)
        check = None if self._keep_text else self._looked_up
        self.running = Running(self.runs, self._jobs, self._brains, limiter, check, self._launch)
        self._versions = Versions(self.runs, self._brains, self._made_plan, self._by_rules, self._where)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._jobs.group.cancel_scope.cancel()
        if isinstance(error, Exception):  # a caller's error is raised as it is, not in the task group's wrapping
            await self._stack.aclose()
            return None
        return await self._stack.__aexit__(kind, error, trace)

    # -- plan ---------------------------------------------------------------------------------------------------

    @overload
    async def plan(self, task: Task, *, fresh: bool = False, wait: None = None) -> Plan: ...
    @overload
    async def plan(self, task: Task, *, fresh: bool = False, wait: float | None) -> Plan | None: ...
    async def plan(self, task: Task, *, fresh: bool = False, wait: float | None = None) -> Plan | None:
        """Split a task into independent subtasks and price it, or say why it should not be split.

        The same task over the same roots gives the plan drawn up before, unless `fresh`. None if `wait` seconds
        were not enough; call again (with `fresh`, that joins the fresh plan on its way).

        Raises:
            CannotDoError: if no engine at hand can do such a task.
            UnknownNameError: if a root, item or check does not exist.
        """
        same = digest(task.model_dump_json(), self._where, "")
        plan_id = self._anew.setdefault(same, _anew(task, self._where)) if fresh else f"p-{same}"
        try:
            made = await self._result(f"plans/{plan_id}", partial(self._make_plan, task, plan_id), Plan, wait)
        except Exception:
            self._anew.pop(same, None)
            raise
        if fresh and made:
            self._anew.pop(same, None)
        return await self._with_roots(made) if made else None

    async def _with_roots(self, plan: Plan) -> Plan:
        """The plan, once it is recorded over which roots it was made."""
        await self.runs.keep_directories(run_of(plan.id), self._directories)
        return plan

    async def revise(self, plan_id: str, changes: Iterable[Change] = (), *, edited: Plan | None = None) -> Plan:
        """A changed version of a plan, checked and priced as any; the plan itself stays.

        Say what to change, or hand in the whole plan as somebody `edited` it. Subtasks that stay the same keep what
        they found, if the plan was dispatched. The plan itself if nothing is changed.

        Raises:
            UnknownNameError: if there is no such plan, or no such subtask to remove.
            InputError: if a subtask is changed twice, none would be left, or the task was edited too.
        """
        before = await self.runs.plan(plan_id)
        return await self._with_roots(await self._versions.revised(before, changes, edited))

    async def follow_up(self, run_id: str) -> Plan:
        """A plan of what a run left open: what failed, what was not examined or answered, conflicts nobody settled.

        What was found is kept and goes into its report; no worker is asked for it again.

        Raises:
            UnknownNameError: if there is no such run.
            CannotDoError: if it is still going on, or left nothing open.
        """
        return await self._with_roots(await self._versions.following(await self.runs.plan(run_id)))

    async def _make_plan(self, task: Task, plan_id: str) -> str:
        return (await self._made_plan(task, plan_id)).model_dump_json()

    async def _made_plan(self, task: Task, plan_id: str, kept: frozenset[str] = frozenset()) -> Plan:
        brains, survey = self._brains, Survey(self.roots)
        remote = await brains.remote(task)
        return await make_plan(
            task,
            plan_id,
            roots=self.roots,
            tools=self.tools,
            aside=self._aside,
            planner=await brains.lead(task, plan_id, survey, remote),
            takes_any=brains.takes_any,
            survey=survey,
            remote={tool.name: tool.server for tool in remote.values()},
            card=brains.paid.worker if brains.paid else None,
            lead=brains.paid.lead if brains.paid else None,
            trouble=self.servers.failed,
            kept=kept,
            history=await earlier_runs(self.journal, self._aside),
            width=self.policy.width,
        )

    # -- dispatch -----------------------------------------------------------------------------------------------

    async def dispatch(
        self,
        plan_id: str,
        *,
        retry: bool = False,
        wait: float | None = None,
        told: Told | None = None,
        submissions: bool = True,
        max_usd: float | None = None,
        policy: Policy | None = None,
        detach: bool = False,
        question: str | None = None,
    ) -> Run:
        """Start the plan's workers or go on waiting for them; the run as it then stands.

        Subtasks that take a mind wait for `submit`. With `retry` those that failed are done again; the call may be
        repeated until the run is done. `told` hears of what happens while this call waits. Without `submissions` it
        does not wait for those once all other work has ended. `max_usd` holds the run to less than the ceiling, and
        `policy` to less than the orchestrator's own. With `detach` the work is done in a process of its own, which
        goes on when this one ends. With a `question` that a report will be asked for ("" for the task's own), prose
        is read for it as it comes in. A run that is done answers at once.

        Raises:
            UnknownNameError: if there is no such plan.
            InputError: if the plan has errors, or the run is going on here under another policy.
            ApprovalNeededError: if a person has to approve the plan first; nothing was started.
            KeyRefusedError: if it takes a model and the key is missing or refused; nothing was started.
            CannotDoError: if no process can be started for it.
        """
        plan = await self.runs.plan(plan_id)
        _refuse_faulty(plan)
        policy = self._checked_policy(plan, policy)
        run = run_of(plan.id)
        if not retry and await self.runs.state(plan) is RunState.done:
            return await self.view(plan)
        await self._refuse_unapproved(plan)
        await self._brains.ready(plan, max_usd)
        await self.runs.open(plan)
        await self.runs.take_over(plan)
        if retry and run not in self._untold and not self._jobs.going(run):
            await self.runs.retry(plan)
            self._untold.add(run)
        if question is not None:
            self._read_ahead(plan, question or plan.task.task, self._brains.writer(""))
        going = (RunState.running, RunState.waiting) if submissions else (RunState.running,)
        with self.running.heard(run, told):
            go_on = self.running.go_on_apart if detach else self.running.go_on
            seen = await go_on(plan, policy, wait, going)
        if seen.state is RunState.done:
            self._untold.discard(run)
        return seen

    # -- approval -----------------------------------------------------------------------------------------------

    async def approve(self, plan_id: str, *, by: str) -> Approval:
        """Let a plan be dispatched that waits for a person's approval; the approval that stands.

        For whoever heard a person say so; no tool does, but by asking the person. `by` says who it was, or how the
        person was heard.

        Raises:
            UnknownNameError: if there is no such plan.
        """
        return await approve(self.journal, await self.runs.plan(plan_id), by)

    async def approval_needed(self, plan_id: str, *, retry: bool = False) -> ApprovalNeededError | None:
        """What a dispatch of the plan would raise because no person has approved it; None if it would not.

        Raises:
            UnknownNameError: if there is no such plan.
        """
        plan = await self.runs.plan(plan_id)
        needed = await self._wanting(plan)
        return None if needed and not retry and await self.runs.state(plan) is RunState.done else needed

    async def _refuse_unapproved(self, plan: Plan) -> None:
        if needed := await self._wanting(plan):
            raise needed

    async def _wanting(self, plan: Plan) -> ApprovalNeededError | None:
        why = self._thresholds.passed_by(plan, unpriced=self._brains.unpriced(plan))
        return wanting(plan, why, self._home) if why and not await approval_of(self.journal, plan.id) else None

    def _checked_policy(self, plan: Plan, asked: Policy | None) -> Policy:
        """The policy of a dispatch; one that was asked for must be that of a run that is going on."""
        if not asked:
            return self.policy
        policy = self.policy.tightened(asked)
        known = [subtask.id for subtask in plan.subtasks]
        if missing := [name for name in policy.enough_of if name not in known]:
            raise _no_subtask(known, missing[0], "enough_of")
        self.running.refuse_another(plan, policy)
        return policy

    def listen(self, run_id: str, told: Told) -> None:
        """From now on `told` hears of what happens in that run in this process."""
        self.running.listen(run_id, told)

    async def view(self, plan: Plan) -> Run:
        """The plan's run as it stands, from memory where it is going on in this process."""
        return await self.running.view(plan)

    async def ended_with(self, plan: Plan) -> Run:
        """The plan's run as it stands once all that goes on here has been cut off, as leaving does it."""
        self._jobs.group.cancel_scope.cancel()
        seen: list[Run] = []
        with anyio.CancelScope(shield=True):
            await self._jobs.ended()
            seen.append(await self.runs.view(plan))
        return seen[0]

    async def cancel(self, run_id: str) -> Run:
        """Stop a run wherever it is going on. What has ended stays; the rest is cancelled or skipped.

        Raises:
            UnknownNameError: if there is no such run.
        """
        return await self.running.cancel(await self.runs.plan(run_id))

    async def allow(self, run_id: str) -> None:
        """From now on the run may spend all that the ceilings allow, whatever less a caller asked for before.

        For a person to call; no tool does.

        Raises:
            UnknownNameError: if there is no such run.
        """
        plan = await self.runs.plan(run_id)
        if self.mind:
            await self.mind.lift(run_of(plan.id))

    # -- submit -------------------------------------------------------------------------------------------------

    async def submit(self, plan_id: str, subtask_id: str, given: Submission) -> Receipt:
        """Take in what somebody else's worker found; its evidence is checked on arrival where it can be.

        If some findings cannot be read, the others are kept and the subtask stays open for the rest.

        Raises:
            UnknownNameError: if there is no such plan or subtask.
            SettledError: if the subtask has its result already, or a worker is at it.
        """
        plan = await self.runs.plan(plan_id)
        attempt = _attempt(await self.runs.attempts(plan), subtask_id)
        read, refused = read_findings(given.findings)
        checked = await self._looked_up(attempt.subtask, read, given.text)
        await self.runs.open(plan)
        await self.runs.take_over(plan)
        mine = await self.journal.claim(attempt.key)
        if not isinstance(mine, Mine):
            raise _taken(attempt, mine)
        result: Result | None = None
        try:
            earlier = await noted(self.journal, attempt.notes)
            notes = JournalNotes(self.journal, attempt, findings=list(earlier))
            accepted = await notes.found(*checked)
            texts = await self.runs.texts(attempt)
            if not refused:
                result = given.result(attempt, tuple(notes.findings), joined_prose(*texts))
                await self.journal.record(attempt.key, result.model_dump_json())
            elif given.text.strip():
                await self.journal.record(f"{attempt.texts}{len(texts):03}", given.text)
        finally:
            with anyio.CancelScope(shield=True):
                await self.journal.release(mine)
        return Receipt(accepted, refused, result)

    async def _looked_up(self, subtask: Subtask, findings: Sequence[Finding], text: str = "") -> tuple[Finding, ...]:
        """The findings, each quote compared with its source where that is within reach."""
        unchecked = Result(
            subtask=subtask.id, status=Status.partial, reason="arriving", findings=tuple(findings), text=text
        )
        places = {subtask.id: subtask.scope.places} if subtask.scope.places else {}
        (result,) = await self._aside(lambda: verified((unchecked,), self.roots, places))
        return result.findings

    # -- synthesize ---------------------------------------------------------------------------------------------

    @overload
    async def synthesize(
        self, run_id: str, *, question: str = "", max_chars: int = ..., compose: Compose = "", wait: None = None
    ) -> Report: ...
    @overload
    async def synthesize(
        self, run_id: str, *, question: str = "", max_chars: int = ..., compose: Compose = "", wait: float | None
    ) -> Report | None: ...
    async def synthesize(
        self,
        run_id: str,
        *,
        question: str = "",
        max_chars: int = DEFAULT_REPORT_CHARS,
        compose: Compose = "",
        wait: float | None = None,
    ) -> Report | None:
        """One cited report of what a run found, within `max_chars` characters; waits for the run to end.

        Takes a plan's id as well. `compose` says who writes: the lead `model`, the `rules`, or the `host`, who then
        gets a digest to write from; a model if there is one and nobody says. None if `wait` seconds were not enough;
        call again.

        Raises:
            UnknownNameError: if there is no such run.
            InputError: if `max_chars` is out of bounds.
            CannotDoError: if nothing has come in yet, or there is no model to write.
            NothingUsableError: if what has come in holds nothing that can be built on.
        """
        writer = self._brains.writer(compose)
        if not MIN_REPORT_CHARS <= max_chars <= MAX_REPORT_CHARS:
            msg = f"{max_chars} is not from {MIN_REPORT_CHARS} to {MAX_REPORT_CHARS:,}."
            raise InputError(msg, field="max_chars", remedy="Leave it out for a report of 8,000 characters.")
        plan = await self.runs.plan(run_id)
        deadline = anyio.current_time() + wait if wait is not None else None
        asked = question or plan.task.task
        with anyio.move_on_after(wait) as waiting:
            if not await self.running.at_rest(plan, RunState.running):
                self._read_ahead(plan, asked, writer)
                await until(partial(self.running.at_rest, plan, RunState.running), POLL_SECONDS)
        if waiting.cancelled_caught:
            return None
        attempts = await self.runs.attempts(plan)
        results = await self.runs.gathered(attempts)
        if not results:
            msg = f"Nothing has come in for {run_of(plan.id)} yet."
            raise CannotDoError(msg, field="run_id", remedy=f"Call dispatch with plan_id {plan.id}, or submit first.")
        if not any(result.usable for result in results.values()):
            raise unusable(await self.view(plan), results)
        report_id = "s-" + digest(run_of(plan.id), asked, str((max_chars, writer)), self._where, _stand(results))
        work = partial(
            self._report,
            report_id,
            asked,
            plan.subtasks,
            attempts,
            tuple(results.values()),
            max_chars,
            writer,
            plan.rests,
        )
        left = max(0.0, deadline - anyio.current_time()) if deadline is not None else None
        return await self._result(f"reports/{report_id}", work, Report, left)

    def _read_ahead(self, plan: Plan, question: str, writer: Compose) -> None:
        """Read what is written before all of it is, in the background."""

        async def reading() -> None:
            run = run_of(plan.id)
            desk = await self._brains.desk(writer, run, _account(run, question))
            if desk and desk.journal:
                await Ahead(self.runs, desk, self._aside).keep_reading(plan, question)

        self._jobs.start(f"{run_of(plan.id)}/ahead/{digest(question, writer)}", reading)

    async def _report(
        self,
        report_id: str,
        question: str,
        subtasks: tuple[Subtask, ...],
        attempts: tuple[Attempt, ...],
        results: tuple[Result, ...],
        max_chars: int,
        writer: Compose,
        rests: Mapping[str, str],
    ) -> str:
        run = attempts[0].run
        account = _account(run, question)
        desk = await self._brains.desk(writer, run, account)
        report = await synthesize(
            question,
            subtasks,
            results,
            self.roots,
            max_chars=max_chars,
            host=writer == "host",
            aside=self._aside,
            composer=self._brains.composer(writer, desk),
            desk=desk,
            look=partial(seen_by, self.journal, await self.runs.found_in(attempts), aside=self._aside),
            sources=self._sources,
            rests=rests,
        )
        usd = (await self.journal.standing(account)).spent.usd
        # What a run's reports are, when it is pruned.
        await self.journal.record(f"{run}/reports/{report_id}", "{}")
        return report.model_copy(update={"id": report_id, "usd": usd}).model_dump_json()

    async def _by_rules(self, plan: Plan, results: Mapping[str, Result]) -> Report:
        """What rules make of results, for nothing."""
        found = tuple(results.values())
        return await synthesize(
            plan.task.task, plan.subtasks, found, self.roots, host=True, aside=self._aside, sources=self._sources
        )

    async def hand_in(self, question: str, handed: Sequence[Handed]) -> str:
        """Take in results from anywhere, without any run before; the id to synthesize them by.

        Raises:
            InputError: if there are none, or two share an id.
        """
        plan = handed_plan(question, handed)
        await self.journal.record(f"plans/{plan.id}", plan.model_dump_json())
        run = await self.runs.open(plan)

        async def keep(one: Handed) -> None:
            result = one.result
            if not self._keep_text:
                (result,) = await self._aside(lambda: verified((one.result,), self.roots, {}))
            await self.journal.record(f"{run}/results/{result.subtask}/001", result.model_dump_json())

        await anyio.amap(keep, handed)
        return run

    # -- what they share ----------------------------------------------------------------------------------------

    async def _result(
        self, key: str, work: Callable[[], Awaitable[str]], kind: type[V], wait: float | None
    ) -> V | None:
        """The record of that key, made once by `work` in the background; None if it takes longer than `wait`."""
        job = self._jobs.start(key, partial(once, self.journal, key, work))
        return kind.model_validate_json(job.value) if await job.outcome(wait) else None


def _anew(task: Task, where: str) -> str:
    return "p-" + digest(task.model_dump_json(), where, uuid4().hex)


def _refuse_faulty(plan: Plan) -> None:
    if errors := [p for p in plan.problems if p.level == "error"]:
        others = f" And {len(errors) - 1} more: read {plan.id}." if len(errors) > 1 else ""
        msg = f"The plan {plan.id} cannot run: {errors[0].field}: {errors[0].problem}{others}"
        way = "Change it (revise), or have it planned anew (fresh)."
        raise InputError(msg, field="plan_id", remedy=f"{errors[0].remedy} {way}".strip())


def _attempt(attempts: Iterable[Attempt], subtask_id: str) -> Attempt:
    known = {attempt.subtask.id: attempt for attempt in attempts}
    if subtask_id in known:
        return known[subtask_id]
    raise _no_subtask(known, subtask_id, "subtask_id")


def _no_subtask(known: Iterable[str], name: str, field: str) -> UnknownNameError:
    msg = f"The plan has no subtask {name[:80]}."
    return UnknownNameError(msg, field=field, remedy=f"Use one of: {', '.join(list(known)[:20])}.")


def _taken(attempt: Attempt, claim: Done | Busy) -> SettledError:
    if isinstance(claim, Done):
        status = Result.model_validate_json(claim.value).status
        msg = f"The subtask {attempt.subtask.id} has its result already ({status}); nothing was changed."
        return SettledError(msg, field="subtask_id", remedy="Submit to another subtask, or dispatch with retry.")
    msg = f"A worker is at the subtask {attempt.subtask.id}."
    return SettledError(msg, field="subtask_id", remedy="Leave it to that worker, or try again in a moment.")


def _account(run: str, question: str) -> str:
    """What is spent on answering a question from a run."""
    return f"{run}/answers/{digest(question)}"


def _stand(results: Mapping[str, Result]) -> str:
    return ";".join(f"{r.subtask}/{r.attempt}/{r.status}/{len(r.findings)}" for r in results.values())


def _root(name: str, root: Path | Root) -> Root:
    return DiskRoot(name, root) if isinstance(root, Path) else root


def _worker(worker: Worker | WorkFunction) -> Worker:
    return FunctionWorker(cast("WorkFunction", worker)) if inspect.isroutine(worker) else cast("Worker", worker)
