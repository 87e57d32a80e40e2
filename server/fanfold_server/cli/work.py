"""`fanfold run` and `fanfold resume`: from a task, or a run, to its report."""

import os
import shlex
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import anyio
from pydantic import ValidationError

from fanfold_server.dispatch.policy import Policy
from fanfold_server.opening import orchestrator_of
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import GapKind, Mode, Plan, Report, Run, RunState, Task
from fanfold_server.refs import priced, spending, standing
from fanfold_server.settings import Settings
from fanfold_server.store import open_journal
from fanfold_workers.contract import Status
from fanfold_workers.errors import InputError

from .approving import may_start
from .outcome import Exit
from .output import Output
from .plans import taken, with_roots_of
from .terminal import put, say
from .watched import Watched
from .watching import watching

MISSING = frozenset({GapKind.never_came, GapKind.not_done, GapKind.not_examined})
"""Gaps that make a run partial; what a check says of its own limits does not."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report should be.

    Attributes:
        question: what it answers; the task if "".
        max_chars: characters of markdown.
        output: its form and place.
        again: options that a hint must repeat to find the same journal, shell-quoted with a space before.
    """

    question: str
    max_chars: int
    output: Output
    again: str = ""


def task_of(fields: Mapping[str, object]) -> Task:
    """The Task of these fields, those that are None left out.

    Raises:
        InputError: if one of them cannot be, naming it.
    """
    try:
        return Task.model_validate({name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        msg = f"{first['msg']}."
        raise InputError(msg, field=str(first["loc"][0]), remedy="Correct it, or leave it out.") from error


def repeated(home: str | None) -> str:
    """The `--home` option as a hint repeats it."""
    return f" --home {shlex.quote(home)}" if home else ""


async def run(settings: Settings, task: Task | Plan | str, wanted: Wanted, *, detach: bool = False) -> int:
    """Plan the task anew, dispatch it, report; with `detach` leave it to a process of its own.

    In place of a task, a plan: by its id, or as a file had it.
    """
    wanted.output.check()
    async with open_journal(settings.home) as journal, AsyncExitStack() as stack:
        if not isinstance(task, Task):
            settings = await with_roots_of(task if isinstance(task, str) else task.id, settings, journal)
        fanfold = await stack.enter_async_context(orchestrator_of(settings, os.environ, journal=journal))
        try:
            plan = await (fanfold.plan(task, fresh=True) if isinstance(task, Task) else taken(fanfold, task))
        except anyio.get_cancelled_exc_class():
            say("Stopped while planning; nothing was started.")
            raise
        _refuse_faulty(plan)
        for note in _notes(plan):
            say(note)
        if not await may_start(fanfold, plan):
            return Exit.error
        if detach:
            return await _left_alone(fanfold, plan, wanted.again)
        return await _reported(fanfold, plan, wanted, retry=False)


@dataclass(frozen=True, slots=True)
class Going:
    """How a run goes on.

    Attributes:
        retry: whether what failed is done again.
        allow: whether it may spend all that the settings allow, whatever less was asked for before.
        enough_of: ids of subtasks that are enough.
        report: whether a report is made of it.
        detach: whether it goes on in a process of its own.
    """

    retry: bool = False
    allow: bool = False
    enough_of: tuple[str, ...] = ()
    report: bool = True
    detach: bool = False


async def resume(settings: Settings, run_id: str, wanted: Wanted, going: Going) -> int:
    """Go on with a run where it stands, over the roots it began with and those in the settings; report."""
    wanted.output.check()
    async with open_journal(settings.home) as journal:
        settings = await with_roots_of(run_id, settings, journal)
        async with orchestrator_of(settings, os.environ, journal=journal) as fanfold:
            plan = await fanfold.runs.plan(run_id)
            if going.allow:
                await fanfold.allow(run_id)
            if not await may_start(fanfold, plan, retry=going.retry):
                return Exit.error
            policy = replace(fanfold.policy, enough_of=going.enough_of) if going.enough_of else None
            if going.detach:
                return await _left_alone(fanfold, plan, wanted.again, retry=going.retry, policy=policy)
            if not going.report:
                seen = await fanfold.dispatch(plan.id, retry=going.retry, submissions=False, policy=policy)
                return Exit.complete if seen.counts.get(Status.ok) == seen.total else Exit.partial
            return await _reported(fanfold, plan, wanted, retry=going.retry, policy=policy)


async def cancel(settings: Settings, run_id: str, again: str) -> int:
    """Stop a run, wherever it is going on."""
    async with open_journal(settings.home) as journal, Orchestrator(journal=journal) as fanfold:
        seen = await fanfold.cancel(run_id)
    say(f"Stopped {seen.id}: {seen.ended} of {seen.total} subtasks have ended and are kept.")
    say(f"Take it up again with: fanfold resume {seen.id} --retry{again}")
    return Exit.complete


async def _left_alone(fanfold: Orchestrator, plan: Plan, again: str, **how: Any) -> int:
    """Start the run in a process of its own, and say how to come back to it."""
    seen = await fanfold.dispatch(plan.id, wait=0, detach=True, **how)
    put(seen.id)
    if seen.state is RunState.running:
        say(f"Run {seen.id} goes on by itself. Join it and get its report: fanfold resume {seen.id}{again}")
        say(f"Stop it: fanfold cancel {seen.id}{again}")
    else:
        say(f"Run {seen.id} is {seen.state}. Get its report: fanfold resume {seen.id}{again}")
    return Exit.complete


async def _reported(
    fanfold: Orchestrator, plan: Plan, wanted: Wanted, *, retry: bool, policy: Policy | None = None
) -> int:
    before = await fanfold.view(plan)
    async with watching(before, plan.task.task) as watched:
        try:
            seen = await fanfold.dispatch(
                plan.id, retry=retry, told=watched.told, policy=policy, question=wanted.question
            )
            report = await fanfold.synthesize(seen.id, question=wanted.question, max_chars=wanted.max_chars)
        except anyio.get_cancelled_exc_class():
            _stopped(await fanfold.ended_with(plan), wanted)
            raise
    wanted.output.write(report)
    seen = await fanfold.view(plan)
    say(_closing(plan, seen, report, watched, wanted.again))
    return Exit.complete if is_complete(seen, report) else Exit.partial


def is_complete(run: Run, report: Report) -> bool:
    """Whether every subtask ended ok, or was finished by another, and all that was in scope was examined."""
    return run.state is RunState.done and not any(gap.kind in MISSING for gap in report.gaps)


def _refuse_faulty(plan: Plan) -> None:
    errors = [problem for problem in plan.problems if problem.level == "error"]
    if errors:
        more = f" (And {len(errors) - 1} more: fanfold show {plan.id}.)" if len(errors) > 1 else ""
        raise InputError(errors[0].problem, field=errors[0].field, remedy=errors[0].remedy + more)


def _notes(plan: Plan) -> list[str]:
    split = f"plan {plan.id}: {plan.mode}. {plan.reason}"
    insisted = ["This takes one look; it is run as one all the same."] if plan.mode is Mode.single else []
    warnings = [f"warning: {p.field}: {p.problem} {p.remedy}" for p in plan.problems if p.level == "warning"]
    price = [f"estimate: {priced(plan.estimate)}, for fanfold's own models"] if plan.estimate.usd_high else []
    return [split, *insisted, *price, *(f"assumed: {text}" for text in plan.assumptions[:5]), *warnings[:10]]


def _stopped(run: Run, wanted: Wanted) -> None:
    say(f"Stopped; {run.ended} of {run.total} subtasks are done and kept.")
    say(f"Go on with: fanfold resume {run.id}{wanted.again}")


def _closing(plan: Plan, run: Run, report: Report, watched: Watched, again: str) -> str:
    counts = [f"{run.counts.get(Status.ok, 0)}/{run.total} ok"]
    spent = f", {spending(plan, run)}" if run.usd else ""
    counts += [f"{count} {status}" for status, count in run.counts.items() if status is not Status.ok]
    if run.state is not RunState.done:
        counts.append(standing(run))
    if watched.started < run.total:
        counts.append(f"{watched.started} of them run here")
    ledger = f"ledger: fanfold show {report.id}/ledger{again}"
    return f"run {run.id}: {', '.join(counts)} in {watched.seconds:.1f} s{spent}; report {report.id}; {ledger}"
