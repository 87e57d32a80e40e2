"""Every stored thing as text to page through, by its ref.

```
runs                    recent runs, newest first
p-…                     a plan           p-…/<subtask>         what its worker is told
r-…                     a run            r-…/<subtask>         its result         r-…/<subtask>/text   its prose
r-…/events              what happened when
s-…                     a report         s-…/ledger            one line for each finding
s-…/spans               stretches of raw text, drawn or not    s-…/json           the whole report
```
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fanfold_server.approving import Thresholds, approval_of
from fanfold_server.dispatch.events import Event
from fanfold_server.dispatch.trail import recorded
from fanfold_server.history import WHAT, calibration, fit, past_of
from fanfold_server.planning import worker_prompt
from fanfold_server.planning.observed import Past
from fanfold_server.records import Estimate, Plan, Report, Run, RunState
from fanfold_server.runs import Runs, run_of
from fanfold_workers.aside import Aside, in_thread
from fanfold_workers.contract import EffortClass, Evidence, Finding, Result, Usage
from fanfold_workers.errors import FanfoldError, InputError, UnknownNameError

DEFAULT_PAGE_CHARS = 8_000
MAX_PAGE_CHARS = 100_000
MATCHES = 20
AROUND = 150


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a stored text.

    Attributes:
        ref: what was read.
        text: the stretch; with `find`, the matches with what stands around them.
        offset: where it begins, in characters.
        total: length of the whole text in characters.
        next_offset: where to go on; None at the end.
        matches: how often `find` occurs in all; None without it.
    """

    ref: str
    text: str
    offset: int
    total: int
    next_offset: int | None
    matches: int | None = None


@dataclass(frozen=True, slots=True)
class Refs:
    """What the journal holds, as text.

    Attributes:
        runs: what the journal knows.
        thresholds: above what a plan waits for a person's approval.
        aside: where records are read that blocking code parses.
    """

    runs: Runs
    thresholds: Thresholds = field(default_factory=Thresholds)
    aside: Aside = in_thread

    async def read(self, ref: str, offset: int = 0, limit: int = DEFAULT_PAGE_CHARS, find: str = "") -> Page:
        """One page of a ref's text, or the places where `find` (any case) occurs in it.

        Raises:
            UnknownNameError: if there is nothing of that ref.
            InputError: if offset or limit are out of bounds.
        """
        if not (offset >= 0 and 1 <= limit <= MAX_PAGE_CHARS):
            msg = f"offset {offset} and limit {limit} do not name a page."
            raise InputError(msg, field="limit", remedy=f"Use an offset from 0 and a limit to {MAX_PAGE_CHARS:,}.")
        text = await self.text(ref.strip())
        if find:
            return _matches(ref, text, find, offset, limit)
        end = min(offset + limit, len(text))
        return Page(ref, text[offset:end], offset, len(text), end if end < len(text) else None)

    async def text(self, ref: str) -> str:
        """The whole text of a ref.

        Raises:
            UnknownNameError: if there is nothing of that ref.
        """
        head, _, rest = ref.partition("/")
        if head == "runs":
            return await self._recent()
        try:
            if head.startswith("p-"):
                return await self._plan(head, rest)
            if head.startswith("r-"):
                return await self._run(head, rest)
            if head.startswith("s-"):
                return await self._report(head, rest)
        except UnknownNameError as error:
            raise _nothing(ref) from error
        raise _nothing(ref)

    async def recent(self, count: int = 20) -> list[tuple[float, Plan, Run]]:
        """The latest runs, newest first: when each began, its plan, and how it stands."""
        entries = await self.runs.journal.entries("runs/", newest=count)
        seen: list[tuple[float, Plan, Run]] = []
        for entry in entries:
            with suppress(UnknownNameError):  # pruned just now
                plan = await self.runs.plan(entry.key.removeprefix("runs/"))
                seen.append((entry.at, plan, await self.runs.view(plan)))
        return seen

    async def measured(self, recent: Sequence[tuple[float, Plan, Run]]) -> dict[str, Past]:
        """What those of the runs took that are done and have cost something, by run id."""
        paid = [run.id for _, _, run in recent if run.state is RunState.done and run.usd]
        found = [await past_of(self.runs.journal, run, self.aside) for run in paid]
        return {past.run: past for past in found if past}

    async def _recent(self) -> str:
        recent = await self.recent()
        pasts = await self.measured(recent)
        lines = [
            f"{_when(at)}  {run.id}  {standing(run)}  {_estimated(plan, pasts.get(run.id))}{plan.task.task[:100]}"
            for at, plan, run in recent
        ]
        told = calibration((plan.estimate, pasts.get(run.id)) for _, plan, run in recent).line()
        return "\n".join([*lines, *([told] if told else [])]) or "No runs yet."

    async def _plan(self, plan_id: str, subtask_id: str) -> str:
        plan = await self.runs.plan(plan_id)
        if not subtask_id:
            head, *rest = _plan_lines(plan)
            return "\n".join([head, *await self._approval(plan), *rest])
        for subtask in plan.subtasks:
            if subtask.id == subtask_id:
                prior, absent = await self.runs.prior(plan, subtask)
                return worker_prompt(subtask.model_copy(update={"prior": prior}), plan.id, absent)
        missing = f"{plan_id}/{subtask_id}"
        raise _nothing(missing)

    async def _approval(self, plan: Plan) -> list[str]:
        if given := await approval_of(self.runs.journal, plan.id):
            price = f" at an estimate of ${given.usd_low:.2f} to ${given.usd_high:.2f}" if given.usd_high else ""
            return [f"Approved by {given.by}, {_when(given.at)},{price or ' with no cost estimated'}."]
        why = self.thresholds.passed_by(plan)
        return (
            [f"Waits for a person's approval. {why} The person says so by: fanfold approve {plan.id}"] if why else []
        )

    async def _run(self, run_id: str, rest: str) -> str:
        plan = await self.runs.plan(run_id)
        if rest == "events":
            return "\n".join(_event_lines(await recorded(self.runs.journal, run_of(plan.id)))) or "Nothing yet."
        results = await self.runs.gathered(await self.runs.attempts(plan))
        subtask_id, _, part = rest.partition("/")
        if not rest:
            run = await self.runs.view(plan)
            past = (await self.measured([(0.0, plan, run)])).get(run.id)
            return "\n".join(_run_lines(plan, run, results, past))
        if subtask_id in results and part in ("", "text"):
            result = results[subtask_id]
            return result.text if part else "\n".join(_result_lines(result))
        missing = f"{run_id}/{rest}"
        raise _nothing(missing)

    async def _report(self, report_id: str, part: str) -> str:
        value = await self.runs.journal.recall(f"reports/{report_id}")
        if not value:
            raise _nothing(report_id)
        report = Report.model_validate_json(value)
        if part == "json":
            return report.model_dump_json(indent=1)
        if part == "ledger":
            return "\n".join(_ledger_lines(report))
        if part == "spans":
            return "\n".join(_span_lines(report))
        if not part:
            return report.markdown
        missing = f"{report_id}/{part}"
        raise _nothing(missing)


def standing(run: Run) -> str:
    """How a run stands, in a few words: `done 48/50 (ok 47, failed 1)`."""
    counts = ", ".join(f"{status} {count}" for status, count in run.counts.items())
    return f"{run.state} {run.ended}/{run.total}" + (f" ({counts})" if counts else "")


def spending(plan: Plan, run: Run) -> str:
    """What a run has cost, against p10, p90 and p50 of what was estimated.

    `$0.4213 (estimated $0.10 to $0.80, p50 $0.35; 3.1 x one agent)`
    """
    return f"${run.usd:.4f} (estimated {priced(plan.estimate)}; {run.multiple:g} x one agent)"


def priced(e: Estimate) -> str:
    """Dollars as estimated: `$0.10 to $0.80, p50 $0.35`; no p50 in estimates of old."""
    middle = f", p50 ${e.usd_mid:.2f}" if e.usd_mid else ""
    return f"${e.usd_low:.2f} to ${e.usd_high:.2f}{middle}"


def _estimated(plan: Plan, past: Past | None) -> str:
    """Of a run that is done, what it cost and was estimated at; "" if nothing can be said."""
    if not past:
        return ""
    how = fit(plan.estimate, past, "usd")
    verdict = f", {how}" if how else ""
    return f"${past.usd:.4f}, estimated {priced(plan.estimate)}{verdict}  "


def _nothing(ref: str) -> FanfoldError:
    msg = f"There is nothing stored under {ref[:120]}."
    return UnknownNameError(msg, field="ref", remedy='Use a ref from an earlier answer, or "runs" for recent runs.')


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _matches(ref: str, text: str, find: str, offset: int, limit: int) -> Page:
    every = [match.start() for match in re.finditer(re.escape(find), text, re.IGNORECASE)]
    at = [i for i in every if i >= offset]
    shown: list[str] = []
    size = 0
    next_offset: int | None = None
    for i in at:
        piece = f"[{i}] …{text[max(0, i - AROUND) : i + len(find) + AROUND]}…"
        if len(shown) == MATCHES or (shown and size + len(piece) > limit):
            next_offset = i
            break
        shown.append(piece)
        size += len(piece) + 2
    return Page(ref, "\n\n".join(shown) or "No match.", offset, len(text), next_offset, len(every))


def _plan_lines(plan: Plan) -> Iterator[str]:
    version = f", version {plan.version}" if plan.version > 1 else ""
    yield f"{plan.id}{version}: {plan.mode}, {len(plan.subtasks)} subtasks. {plan.reason}"
    yield f"Task: {plan.task.task}"
    yield f"Estimate: {_price(plan.estimate)}"
    yield from (f"Assumed: {text}" for text in plan.assumptions)
    yield from (
        f"{p.level} in {p.field}: {p.problem} {p.remedy} {f'[{p.code}]' * bool(p.code)}" for p in plan.problems
    )
    for subtask in plan.subtasks:
        told = [f"[{', '.join(subtask.scope.places)}]", ", ".join(subtask.checks)]
        told += [f"after {', '.join(subtask.depends_on)}"] if subtask.depends_on else []
        told += [subtask.effort.value] if subtask.effort is not EffortClass.normal else []
        told += ["kept"] if subtask.id in plan.kept else []
        yield f"- {subtask.id}: {subtask.title} {' '.join(part for part in told if part)}"


def _price(e: Estimate) -> str:
    usd = [priced(e)] if e.usd_high else []
    tokens = [f"{e.tokens_low:,} to {e.tokens_high:,} tokens, p50 {e.tokens_mid:,}"] if e.tokens_high else []
    seconds = f"{e.seconds_low:,.1f} to {e.seconds_high:,.1f} s, p50 {e.seconds_mid:,.1f}"
    return f"p10 to p90: {'; '.join([*usd, *tokens, seconds])}. {e.basis}".rstrip()


def _run_lines(plan: Plan, run: Run, results: dict[str, Result], past: Past | None) -> Iterator[str]:
    yield f"{run.id}: {standing(run)}. Plan {plan.id}: {plan.task.task[:500]}"
    if run.tokens:
        yield f"Spent {spending(plan, run)}, {run.tokens:,} tokens. What happened when: {run.id}/events."
    yield from _came(plan.estimate, past)
    for subtask in plan.subtasks:
        result = results.get(subtask.id)
        if not result:
            yield f"- {subtask.id}: {subtask.title}: no result yet"
            continue
        what = f"{result.status}, {len(result.findings)} findings, {result.seconds:.1f} s{_in_short(result)}"
        yield f"- {subtask.id}: {subtask.title}: {what}" + (f" ({result.reason})" if result.reason else "")


def _came(estimate: Estimate, past: Past | None) -> Iterator[str]:
    """How what a run took stands to p10 and p90 of what was estimated, if that can be said."""
    if past and fit(estimate, past, "usd"):
        usd, tokens, seconds = (fit(estimate, past, what) for what in WHAT)
        yield (
            f"Against p10 to p90 of the estimate: dollars {usd}, tokens {tokens}, seconds {seconds} "
            f"({past.seconds:,.1f} s at work; estimated {estimate.seconds_low:,.1f} to {estimate.seconds_high:,.1f})."
        )


def _in_short(result: Result) -> str:
    seen, usage = result.examined, result.usage
    looked = f", {seen.done} of {seen.in_scope} {seen.unit}" if seen.in_scope else ""
    cost = f", ${usage.usd:.4f}" if usage.usd else ""
    return looked + cost + (f", attempt {result.attempt}" if result.attempt > 1 else "")


def _result_lines(result: Result) -> Iterator[str]:
    seen = result.examined
    yield f"{result.subtask}: {result.status} by {result.engine}, attempt {result.attempt}, {result.seconds:.1f} s"
    if result.reason:
        yield f"Reason: {result.reason}"
    yield f"Examined {seen.done} of {seen.in_scope} {seen.unit}" + "".join(f"; {why}" for why in seen.left_out)
    if result.usage.model_calls:
        yield _cost(result.usage)
    yield from (f"Gap: {gap}" for gap in result.gaps)
    if result.summary:
        yield result.summary
    for finding in result.findings:
        yield from _finding_lines(finding)
    if result.text:
        yield f"It also gave {len(result.text):,} characters of prose: read the ref with /text after it."


def _cost(usage: Usage) -> str:
    cached = f" ({usage.cached_tokens:,} by way of a cache)" if usage.cached_tokens else ""
    calls = f"{usage.model_calls} model calls, {usage.tool_calls} tool calls"
    return (
        f"Cost ${usage.usd:.4f}: {calls}; {usage.input_tokens:,} tokens read{cached}, {usage.output_tokens:,} written"
    )


def _finding_lines(finding: Finding) -> Iterator[str]:
    sure = f"{finding.severity}, {finding.confidence:.0%} sure"
    yield f"- {finding.id} {finding.subject}: {finding.claim} ({finding.kind}, {sure}, seen {finding.count} x)"
    yield from (f"    {_evidence(e)}" for e in finding.evidence)


def _evidence(evidence: Evidence) -> str:
    where = f"{evidence.source} {evidence.locator}".strip()
    return f"{where} [{evidence.verdict}] {' '.join(evidence.quote.split())[:300]}"


def _event_lines(events: Sequence[tuple[float, Event]]) -> Iterator[str]:
    for at, event in events:
        when = datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]
        yield f"{when}  {event.subtask}  {event.line()}"


def _ledger_lines(report: Report) -> Iterator[str]:
    for line in report.ledger:
        into = f" into {line.into}" if line.into else ""
        yield f"{line.finding}  {line.disposition}{into}  {line.verdict}  {line.subject}"


def _span_lines(report: Report) -> Iterator[str]:
    for span in report.spans:
        yield f"{span.text} c{span.start}-{span.end}  {f'drawn: {span.finding}' if span.finding else 'not drawn'}"
