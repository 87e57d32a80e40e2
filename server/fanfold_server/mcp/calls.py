"""The six tools' work: from checked arguments through the orchestrator to an answer.

Imported at the first call, not before: it brings in the orchestrator and with it all that a host which only lists
tools need not pay for.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from time import time
from typing import Any

import anyio
from mcp.server.mcpserver import Context
from mcp.types import InputRequiredResult

from fanfold_server.dispatch.events import Event, Told
from fanfold_server.dispatch.policy import Policy
from fanfold_server.handed_files import handed_text
from fanfold_server.mcp.answers import (
    Answer,
    Dispatched,
    Next,
    PageRead,
    Planned,
    Submitted,
    Synthesized,
    again,
    following,
    room_for,
)
from fanfold_server.mcp.arguments import (
    CancelArguments,
    DispatchArguments,
    HandedArgument,
    PlanArguments,
    ReadArguments,
    SubmitArguments,
    SynthesizeArguments,
    ref_of,
)
from fanfold_server.mcp.asking import Person, not_approved, question_about
from fanfold_server.mcp.hosts import host_name, patience
from fanfold_server.mcp.progress import telling
from fanfold_server.mcp.shown import (
    dispatched,
    planned,
    shown_page,
    shrunk,
    submitted,
    synthesized,
    weightier,
)
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Handed, Plan, Run, RunState, Task
from fanfold_server.runs import RETRIED, run_of, unusable
from fanfold_server.submission import Submission
from fanfold_workers.aside import in_thread
from fanfold_workers.contract import Finding, Result, Subtask
from fanfold_workers.errors import ApprovalNeededError, InputError
from fanfold_workers.lenient import read_findings
from fanfold_workers.tools.legible import in_line

Host = Context[Any, Any]

POLICY = ("worker_seconds", "run_seconds", "enough", "enough_of", "grace_seconds")
"""Arguments of dispatch that make up its policy."""
OLD_SECONDS = 300.0
"""A plan recorded longer ago than this may no longer fit the files it was made from."""
SHORTEST_PACE_SECONDS = 2.0
"""No estimate of the end is given from less."""


@dataclass(slots=True)
class Calls:
    """What the tools do.

    Attributes:
        fanfold: the orchestrator, entered.
        wait: seconds a call may take, in place of what its host is known to bear.
    """

    fanfold: Orchestrator
    wait: float | None = None
    _news: dict[str, list[Finding]] = field(default_factory=dict[str, list[Finding]])
    _paces: dict[str, tuple[float, int]] = field(default_factory=dict[str, tuple[float, int]])
    _person: Person = field(default_factory=Person)

    async def plan(self, given: PlanArguments, host: Host) -> Planned:
        """See the tool."""
        called = time()
        plan = await self._plan(given, self._patience(host, given.wait_seconds))
        if not plan:
            same = again("plan", given.model_dump(mode="json", exclude_unset=True))
            return Planned(summary="Still planning. Repeat the identical call.", engine="rules", next=same)
        return planned(plan, self._ours, (*await self._age(plan, called), *await self._waits(plan)))

    async def _waits(self, plan: Plan) -> tuple[str, ...]:
        needed = await self.fanfold.approval_needed(plan.id) if plan.ready else None
        return (f"A person has to approve it before dispatch starts anything. {needed.why}",) if needed else ()

    async def _plan(self, given: PlanArguments, wait: float) -> Plan | None:
        """A plan of a task, a changed version of one, or what a run left open."""
        if sum(map(bool, (given.task, given.revise, given.follow_up))) != 1:
            msg = "It takes one of task, revise and follow_up."
            raise InputError(
                msg, field="task", remedy="Give the task in full; or a plan to revise, or a run to follow up."
            )
        if given.changes and not given.revise:
            msg = "There are changes, and no plan to change."
            raise InputError(msg, field="changes", remedy="Name the plan in revise.")
        if given.revise:
            return await self.fanfold.revise(given.revise, given.changes)
        if given.follow_up:
            return await self.fanfold.follow_up(given.follow_up)
        task = Task(**{name: getattr(given, name) for name in Task.model_fields})
        return await self.fanfold.plan(task, fresh=given.fresh, wait=wait)

    async def _age(self, plan: Plan, called: float) -> tuple[str, ...]:
        entries = await self.fanfold.journal.entries(f"plans/{plan.id}")
        minutes = (called - entries[0].at) / 60 if entries else 0.0
        if minutes * 60 < OLD_SECONDS:
            return ()
        return (f"Planned {minutes:,.0f} minutes ago; files may have changed since. fresh=true plans anew.",)

    async def dispatch(self, given: DispatchArguments, host: Host) -> Dispatched | InputRequiredResult:
        """See the tool. Where a person has to approve the plan, the person is asked first."""
        until = anyio.current_time() + self._patience(host, None)
        wait = self._patience(host, given.wait_seconds)
        try:
            return await self._dispatched(given, host, wait)
        except ApprovalNeededError as needed:
            question = await self._approval(needed, host, until - anyio.current_time())
        return question or await self._dispatched(given, host, min(wait, max(0.0, until - anyio.current_time())))

    async def _approval(self, needed: ApprovalNeededError, host: Host, seconds: float) -> InputRequiredResult | None:
        """Have the plan approved by the person behind the host; the question, if the host has to put it first."""
        plan = await self.fanfold.runs.plan(needed.plan_id)
        minds = self.fanfold.mind.minds if self.fanfold.mind else None
        heard = await self._person.asked(plan.id, question_about(plan, minds), host, seconds)
        if isinstance(heard, InputRequiredResult):
            return heard
        if not heard.yes:
            raise not_approved(needed, heard) from needed
        await self.fanfold.approve(plan.id, by=f"elicitation: {in_line(host_name(host), 80) or 'a nameless host'}")
        return None

    async def _dispatched(self, given: DispatchArguments, host: Host, wait: float) -> Dispatched:
        plan = await self.fanfold.runs.plan(given.plan_id)
        news = self._news_of(run_of(plan.id))
        begun = anyio.current_time()
        work = partial(self._dispatch, given, wait, given.wait_seconds is not None)
        run = await telling(host, work)
        if run.state is RunState.done and not run.usable:
            attempts = await self.fanfold.runs.attempts(plan)
            raise unusable(run, await self.fanfold.runs.results(attempts))
        same = again("dispatch", given.model_dump(mode="json", exclude_unset=True))
        found = list(news)
        news.clear()
        return self._standing(plan, run, same, found, self._eta(run, begun))

    def _news_of(self, run_id: str) -> list[Finding]:
        """The weightiest findings since the last answer about that run, kept up from now on."""
        if run_id not in self._news:
            news = self._news[run_id] = []

            def note(event: Event) -> None:
                news[:] = weightier(news, event.findings)

            self.fanfold.listen(run_id, note)
        return self._news[run_id]

    async def _dispatch(self, given: DispatchArguments, wait: float, asked: bool, told: Told) -> Run:
        # A host whose own sub-agents are to do the rest cannot start them while it waits for this very call:
        # only one that asks to wait, since they run in its background, is kept waiting for submissions.
        return await self.fanfold.dispatch(
            given.plan_id,
            retry=given.retry,
            wait=wait,
            told=told,
            submissions=asked,
            max_usd=given.max_usd,
            policy=self._policy(given),
            detach=given.detach,
        )

    def _policy(self, given: DispatchArguments) -> Policy | None:
        """The policy asked for, over that of the orchestrator; None if nothing of one was."""
        asked = {name: getattr(given, name) for name in POLICY if name in given.model_fields_set}
        return replace(self.fanfold.policy, **asked) if asked else None

    def _eta(self, run: Run, begun: float) -> int | None:
        now = anyio.current_time()
        since, before = self._paces.setdefault(run.id, (begun, 0))
        if run.state is not RunState.running or run.ended <= before or now - since < SHORTEST_PACE_SECONDS:
            return None
        return round((run.total - run.ended) * (now - since) / (run.ended - before))

    def _standing(
        self, plan: Plan, run: Run, same: Next, found: list[Finding] | None = None, eta: int | None = None
    ) -> Dispatched:
        ours = any(self._ours(subtask) for subtask in plan.subtasks)
        engine = self.fanfold.runs.worker.engine if ours else "host"
        return dispatched(plan, run, self._ours, engine=engine, found=found or (), eta=eta, again=same)

    async def submit(self, given: SubmitArguments, host: Host) -> Submitted:
        """See the tool."""
        if not (given.findings or given.text.strip() or given.status):
            msg = "Nothing was handed in."
            remedy = "Give findings, or say in text what you looked at; or give a status that says how it ended."
            raise InputError(msg, field="findings", remedy=remedy)
        submission = Submission(given.findings, given.text, given.status)
        receipt = await self.fanfold.submit(given.plan_id, given.subtask_id, submission)
        return submitted(given.plan_id, given.subtask_id, receipt)

    async def synthesize(self, given: SynthesizeArguments, host: Host) -> Synthesized:
        """See the tool."""
        run_id = await self._run_meant(given)
        plan = await self.fanfold.runs.plan(run_id)
        question = "" if given.results is not None else given.question
        wait = self._patience(host, None)
        compose = given.compose or ("model" if self.fanfold.mind else "host")

        async def work(told: Told) -> Any:
            with self.fanfold.running.heard(run_of(plan.id), told):
                return await self.fanfold.synthesize(
                    run_id, question=question, max_chars=given.max_chars, compose=compose, wait=wait
                )

        report = await telling(host, work)
        run = await self.fanfold.view(plan)
        if not report:
            return _unfinished(run, given, question)
        warnings, after = _loose_ends(run)
        return synthesized(report, run, max_chars=given.max_chars, warnings=warnings, after=after)

    async def _run_meant(self, given: SynthesizeArguments) -> str:
        named = [name for name in ("run_id", "plan_id", "results") if getattr(given, name) is not None]
        if len(named) != 1:
            msg = f"Give exactly one of run_id, plan_id and results, not {', '.join(named) or 'none'}."
            remedy = "Give run_id from dispatch, plan_id from plan, or results from anywhere else."
            raise InputError(msg, field=named[1] if named else "run_id", remedy=remedy)
        if given.results is None:
            return str(given.run_id or given.plan_id)
        handed = [_handed(await self._read_in(one, n), n) for n, one in enumerate(given.results)]
        return await self.fanfold.hand_in(given.question, handed)

    async def _read_in(self, one: HandedArgument, index: int) -> HandedArgument:
        """The result with the text of the file that it names, if it names one."""
        if one.place is None:
            return one
        if one.text:
            msg = "It has text and names a file."
            raise InputError(msg, field=f"results[{index}].place", remedy="Give one of the two.")
        place, field = one.place, f"results[{index}].place"
        text = await in_thread(lambda: handed_text(place, self.fanfold.roots, field=field))
        return one.model_copy(update={"text": text, "title": one.title or place[:300]})

    async def read(self, given: ReadArguments, host: Host) -> PageRead:
        """See the tool."""
        ref, limit = ref_of(given.ref), given.limit
        asked = limit if "limit" in given.model_fields_set else None
        room = room_for(limit)
        while True:
            page = await self.fanfold.refs.read(ref, given.offset, limit, given.find)
            answer = shown_page(page, asked, given.find)
            if answer.size() <= room or limit == 1:
                return answer
            limit = shrunk(limit, answer, room)

    async def cancel(self, given: CancelArguments, host: Host) -> Dispatched:
        """See the tool."""
        run = await self.fanfold.cancel(given.run_id)
        plan = await self.fanfold.runs.plan(given.run_id)
        after = following("synthesize", "Joins what was found before.", run_id=run.id)
        answer = self._standing(plan, run, after)
        summary = f"Stopped: {run.ended} of {run.total} subtasks have ended. dispatch with retry takes it up again."
        return answer.model_copy(update={"summary": summary, "next": after})

    def _ours(self, subtask: Subtask) -> bool:
        return self.fanfold.runs.worker.accepts(subtask)

    def _patience(self, host: Host, asked: float | None) -> float:
        return patience(host_name(host), asked, self.wait)


def _handed(one: HandedArgument, index: int) -> Handed:
    name = one.id or f"t{index + 1}"
    findings, refused = read_findings(one.findings)
    if refused:
        also = "".join(f" Also {r.field}: {r.problem}." for r in refused[1:4])
        msg = f"{refused[0].problem}.{also}"
        remedy = "Put it right, or hand the text in instead. Nothing was taken in."
        raise InputError(msg, field=f"results[{index}].{refused[0].field}", remedy=remedy)
    result = Result.ended(name, engine="host", findings=findings, text=one.text)
    return Handed(title=one.title or name, result=result)


def _unfinished(run: Run, given: SynthesizeArguments, question: str) -> Synthesized:
    told = {
        "run_id": run.id,
        "question": question,
        "max_chars": given.max_chars if given.max_chars != 8_000 else None,
        "compose": given.compose,
    }
    same = again("synthesize", {name: value for name, value in told.items() if value})
    summary = f"Still running: {run.ended} of {run.total} subtasks have ended. Repeat the call in next."
    return Synthesized(summary=summary, engine="rules", run_id=run.id, next=same)


def _loose_ends(run: Run) -> tuple[tuple[str, ...], Next | None]:
    """What a report on such a run leaves open, and the call that would settle it."""
    if run.state is RunState.interrupted:
        after = following("dispatch", "Does what is left; then synthesize again.", plan_id=run.plan)
        return (f"The run was interrupted: {run.ended} of {run.total} subtasks have ended.",), after
    if run.state is RunState.waiting:
        few = ", ".join(run.waiting_for[:5]) + (", …" if len(run.waiting_for) > 5 else "")
        return (
            f"{len(run.waiting_for)} subtasks have not been submitted: {few}. They are gaps in the report.",
        ), None
    failed = ", ".join(f"{count} {status.value}" for status, count in run.counts.items() if status in RETRIED)
    # Named, but not as the next call: a model would make that one again and again.
    return ((f"Not done: {failed}. dispatch with retry does them again.",) if failed else ()), None


Handler = Callable[[Any, Host], Awaitable[Answer | InputRequiredResult]]
