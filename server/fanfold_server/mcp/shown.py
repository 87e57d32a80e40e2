"""From what the orchestrator returns to what a host is shown of it, within its room."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from fanfold_server.mcp.answers import (
    ROOM,
    Claim,
    Disagreement,
    Dispatched,
    Doubt,
    Missing,
    Next,
    PageRead,
    Piece,
    Planned,
    Submitted,
    Synthesized,
    Unread,
    clip,
    clipped,
    following,
    fullest,
    room_for,
)
from fanfold_server.records import Conflict, Gap, Mode, Plan, Problem, Report, Run, RunState
from fanfold_server.refs import Page
from fanfold_server.submission import Receipt
from fanfold_workers.contract import EffortClass, Evidence, Finding, Severity, Subtask, Verdict

PROMPT = "Call the tool read of the MCP server fanfold with ref='{ref}' and do what it says."
LEVELS = ((120, 120, PROMPT), (80, 60, PROMPT), (50, 30, "read(ref='{ref}')"))
"""Characters of title and scope, and the prompt, from generous to tight."""
FEW = 10
FALSE = (Verdict.altered, Verdict.missing)
SEVERITIES = tuple(Severity)

By = Callable[[Subtask], bool]
"""Whether a worker of fanfold's own does this subtask; a host's sub-agent does the others."""


# -- plan ---------------------------------------------------------------------------------------------------------


def planned(plan: Plan, ours: By, warnings: Sequence[str]) -> Planned:
    """A plan with as many of its subtasks as there is room for, in less and less detail."""
    to_do = [subtask for subtask in plan.subtasks if subtask.id not in plan.kept]
    theirs = sum(not ours(subtask) for subtask in to_do)
    few = to_do[: ROOM // 50]
    answer = _planned(plan, (), theirs, warnings)
    for level in LEVELS:
        pieces = [_piece(plan, subtask, ours(subtask), *level) for subtask in few]
        answer = fullest(len(pieces), partial(_first, plan, pieces, theirs, warnings))
        if len(answer.subtasks) == len(to_do):
            break
    return answer


def _first(plan: Plan, pieces: Sequence[Piece], theirs: int, warnings: Sequence[str], count: int) -> Planned:
    return _planned(plan, pieces[:count], theirs, warnings)


def _planned(plan: Plan, pieces: Sequence[Piece], theirs: int, warnings: Sequence[str]) -> Planned:
    total = len(plan.subtasks) - len(plan.kept)
    left = total - len(pieces)
    cut = (f"Only {len(pieces)} of {total} subtasks are shown: read {plan.id} has all.",) if left else ()
    return Planned(
        summary=_plan_summary(plan, theirs),
        engine=plan.engine,
        warnings=(*warnings, *cut),
        refs=(plan.id,),
        next=_after_plan(plan, theirs),
        plan_id=plan.id,
        mode=plan.mode.value,
        reason=clip(plan.reason, 500),
        subtasks=tuple(pieces),
        subtasks_total=total,
        assumptions=clipped(plan.assumptions, 5, 200),
        problems=clipped([_problem(problem) for problem in _worst_first(plan.problems)], 8, 250),
        estimate=plan.estimate.model_copy(update={"basis": clip(plan.estimate.basis, 200)}),
    )


def _piece(plan: Plan, subtask: Subtask, ours: bool, title: int, scope: int, prompt: str) -> Piece:
    places = ", ".join(subtask.scope.places) or "no files"
    checks = f"; {', '.join(subtask.checks)}" if subtask.checks else ""
    after = f"; after {', '.join(subtask.depends_on)}" if subtask.depends_on else ""
    effort = f"; {subtask.effort}" if subtask.effort is not EffortClass.normal else ""
    return Piece(
        id=subtask.id,
        title=clip(subtask.title, title),
        scope=clip(places + checks + after + effort, scope),
        worker_prompt="" if ours else prompt.format(ref=f"{plan.id}/{subtask.id}"),
    )


def _plan_summary(plan: Plan, theirs: int) -> str:
    if not plan.ready:
        return "This plan cannot run: put its problems right and call plan again."
    if plan.mode is Mode.single:
        return "Do it yourself: the task does not gain from being split. Dispatch only if you insist."
    total = len(plan.subtasks) - len(plan.kept)
    if not theirs:
        return f"{_counted(total, 'subtask')}, all for fanfold's own workers. Call dispatch."
    whose, rest = _counted(total, "subtask"), ""
    if theirs < total:
        whose, rest = f"{theirs} of {total} subtasks", " Call dispatch for the others first."
    return (
        f"{whose} for your own sub-agents: start one for each, all in one turn, with its worker_prompt and nothing "
        f"else. Each deposits its findings with submit.{rest}"
    )


def _counted(count: int, one: str) -> str:
    return f"1 {one}" if count == 1 else f"{count:,} {one}s"


def _after_plan(plan: Plan, theirs: int) -> Next | None:
    if not plan.ready or plan.mode is Mode.single:
        return None
    if theirs < len(plan.subtasks):
        return following("dispatch", "Starts the workers.", plan_id=plan.id)
    return following("synthesize", "Once every sub-agent has submitted.", plan_id=plan.id)


def _worst_first(problems: Sequence[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.level != "error")


def _problem(problem: Problem) -> str:
    code = f" [{problem.code}]" if problem.code else ""
    return (
        clip(f"{problem.level} in {problem.field}: {problem.problem} {problem.remedy}".rstrip(), 250 - len(code))
        + code
    )


# -- dispatch, cancel ---------------------------------------------------------------------------------------------


def dispatched(
    plan: Plan, run: Run, ours: By, *, engine: str, found: Sequence[Finding], eta: int | None, again: Next
) -> Dispatched:
    """How a run stands. `again` is the call that goes on waiting for it."""
    missing = {subtask.id for subtask in plan.subtasks if not ours(subtask)} & set(run.waiting_for)
    waiting = tuple(name for name in run.waiting_for if name in missing)
    return Dispatched(
        summary=_run_summary(plan, run, waiting),
        engine=engine,
        refs=(run.id,),
        next=_after_run(run, waiting, again),
        run_id=run.id,
        state=run.state.value,
        done=run.state is RunState.done,
        counts={status.value: count for status, count in run.counts.items()},
        total=run.total,
        waiting_for=waiting[:FEW],
        waiting_total=len(waiting),
        findings=tuple(_claim(finding) for finding in found),
        eta_seconds=eta,
        usd=round(run.usd, 4),
        usd_low=round(plan.estimate.usd_low, 4),
        usd_high=round(plan.estimate.usd_high, 4),
        multiple=run.multiple,
    )


def weightier(known: Sequence[Finding], new: Sequence[Finding], count: int = 5) -> list[Finding]:
    """The few findings of both that matter most, each once."""
    every = {finding.id: finding for finding in (*known, *new)}
    return sorted(every.values(), key=lambda f: (SEVERITIES.index(f.severity), -f.confidence, f.id))[:count]


def _claim(f: Finding) -> Claim:
    return Claim(id=f.id, severity=f.severity.value, subject=clip(f.subject, 60), claim=clip(f.claim, 140))


def _run_summary(plan: Plan, run: Run, waiting: Sequence[str]) -> str:
    ended = f"{run.ended} of {run.total} subtasks have ended"
    if run.state is RunState.done:
        return f"Done: {ended}. Call synthesize."
    if run.state is RunState.waiting:
        return (
            f"{ended}; {len(waiting)} wait for your sub-agents. Start one for each, all in one turn, with its "
            f"worker_prompt: read {plan.id}/{waiting[0]} and so on. Each deposits with submit."
        )
    if run.state is RunState.interrupted:
        return f"Stopped: {ended}. Call dispatch to go on; what has ended is kept."
    return f"Still running: {ended}. Repeat the identical call."


def _after_run(run: Run, waiting: Sequence[str], again: Next) -> Next:
    if run.state is RunState.done:
        return following("synthesize", "Joins what was found.", run_id=run.id)
    if run.state is RunState.waiting:
        return following("synthesize", f"Once all {len(waiting)} have submitted.", run_id=run.id)
    return again


# -- submit -------------------------------------------------------------------------------------------------------


def submitted(plan_id: str, subtask_id: str, receipt: Receipt) -> Submitted:
    """What became of a submission."""
    evidence = [(finding.id, one) for finding in receipt.accepted for one in finding.evidence]
    false = [(name, one) for name, one in evidence if one.verdict in FALSE]
    quotes = Counter(one.verdict.value for _, one in evidence)
    status = receipt.result.status if receipt.result else None
    return Submitted(
        summary=_submit_summary(subtask_id, receipt, len(false)),
        engine="host",
        warnings=(f"Not in their sources as given: {_counted(len(false), 'quote')}.",) if false else (),
        refs=(f"r-{plan_id.removeprefix('p-')}/{subtask_id}",) if receipt.result else (),
        next=None if receipt.result else _resubmit(plan_id, subtask_id),
        subtask_id=subtask_id,
        done=receipt.result is not None,
        status=status.value if status else None,
        accepted=len(receipt.accepted),
        quotes=dict(quotes),
        doubts=tuple(_doubt(name, one) for name, one in false[:FEW]),
        refused=tuple(Unread(field=clip(r.field, 80), problem=clip(r.problem, 200)) for r in receipt.refused[:FEW]),
        refused_total=len(receipt.refused),
    )


def _submit_summary(subtask_id: str, receipt: Receipt, false: int) -> str:
    kept = f"{_counted(len(receipt.accepted), 'finding')} accepted"
    if receipt.result:
        doubted = f" {_counted(false, 'quote')} marked as not in their sources." if false else ""
        return f"{subtask_id} submitted: {kept}, status {receipt.result.status.value}.{doubted} You are done."
    return f"{subtask_id} stays open: {kept} and kept. Submit only what was refused again, corrected."


def _resubmit(plan_id: str, subtask_id: str) -> Next:
    why = "With the refused findings, corrected, or none to leave them out and end."
    return following("submit", why, plan_id=plan_id, subtask_id=subtask_id, status="ok")


def _doubt(finding: str, evidence: Evidence) -> Doubt:
    source = f"{evidence.source} {evidence.locator}".rstrip()
    return Doubt(
        finding=finding, verdict=evidence.verdict.value, source=clip(source, 120), actual=clip(evidence.actual, 200)
    )


# -- synthesize ---------------------------------------------------------------------------------------------------


def synthesized(
    report: Report, run: Run, *, max_chars: int, warnings: Sequence[str], after: Next | None
) -> Synthesized:
    """A report, whole if it fits, with as many of its conflicts and gaps spelled out besides as there is room for."""
    room = room_for(max_chars)
    gaps = [_gap(gap) for gap in report.gaps[:FEW]]
    conflicts = [_conflict(conflict) for conflict in report.conflicts[:FEW]]

    def build(few: int, chars: int = len(report.markdown)) -> Synthesized:
        left = len(report.markdown) - chars
        more = f"\n…\n[{left} more characters: read {report.id} from offset {chars}]" if left else ""
        return Synthesized(
            summary=_report_summary(report),
            engine=report.engine,
            warnings=tuple(warnings),
            refs=(report.id, f"{report.id}/ledger", run.id),
            next=after,
            report_id=report.id,
            run_id=run.id,
            report=report.markdown[:chars] + more,
            conflicts=tuple(conflicts[:few]),
            conflicts_total=len(report.conflicts),
            gaps=tuple(gaps[:few]),
            gaps_total=len(report.gaps),
            coverage=report.coverage.model_copy(update={"share": round(report.coverage.share, 3)}),
            ledger_ref=f"{report.id}/ledger",
        )

    if build(0).size() <= room:
        return fullest(FEW, build, room)
    return fullest(len(report.markdown), lambda chars: build(0, chars), room)


def _report_summary(report: Report) -> str:
    if report.engine == "host":
        return "A digest to write the answer from: cite findings as [id], and say what conflicts and what is missing."
    c = report.coverage
    return clip(report.headline, 300) or f"{c.cited + c.merged} of {c.findings} findings stand in this report."


def _conflict(conflict: Conflict) -> Disagreement:
    about = " ".join(part for part in (conflict.subject, conflict.attribute) if part)
    sides = tuple(f"{clip(side.value, 80)} ({side.support} of the workers)" for side in conflict.sides[:3])
    return Disagreement(about=clip(about, 80), sides=sides, settled=clip(conflict.settled, 120))


def _gap(gap: Gap) -> Missing:
    return Missing(kind=gap.kind.value, subtask=clip(gap.subtask, 64), others=len(gap.others), gap=clip(gap.gap, 160))


# -- read ---------------------------------------------------------------------------------------------------------


def shown_page(page: Page, asked: int | None, find: str) -> PageRead:
    """A page as it came; `asked` is the limit the caller gave, if it gave one."""
    goes_on = following("read", "Goes on.", ref=page.ref, offset=page.next_offset, limit=asked, find=find)
    end = f"{page.matches} matches" if page.matches is not None else f"to {page.offset + len(page.text)}"
    return PageRead(
        summary=f"{clip(page.ref, 200)}: characters from {page.offset} of {page.total}, {end}.",
        engine="none",
        next=goes_on if page.next_offset is not None else None,
        ref=page.ref,
        text=page.text,
        offset=page.offset,
        total=page.total,
        next_offset=page.next_offset,
        matches=page.matches,
    )


def shrunk(limit: int, answer: PageRead, room: int) -> int:
    """A limit at which such a page fits, from how far it missed."""
    over = answer.size() - room
    heavy = len(json.dumps(answer.text, ensure_ascii=False)) / max(1, len(answer.text))
    return max(1, min(limit, len(answer.text)) - int(over / heavy) - 10)
