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
from dataclasses import dataclass
from datetime import UTC, datetime

from fanfold_server.dispatch.events import Event
from fanfold_server.dispatch.trail import recorded
from fanfold_server.planning import worker_prompt
from fanfold_server.records import Plan, Report, Run
from fanfold_server.runs import Runs, run_of
from fanfold_workers.contract import Evidence, Finding, Result, Usage
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
    """What the journal holds, as text."""

    runs: Runs

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

    async def _recent(self) -> str:
        lines = [
            f"{_when(at)}  {run.id}  {standing(run)}  {plan.task.task[:100]}" for at, plan, run in await self.recent()
        ]
        return "\n".join(lines) or "No runs yet."

    async def _plan(self, plan_id: str, subtask_id: str) -> str:
        plan = await self.runs.plan(plan_id)
        if not subtask_id:
            return "\n".join(_plan_lines(plan))
        for subtask in plan.subtasks:
            if subtask.id == subtask_id:
                prior, absent = await self.runs.prior(plan, subtask)
                return worker_prompt(subtask.model_copy(update={"prior": prior}), plan.id, absent)
        missing = f"{plan_id}/{subtask_id}"
        raise _nothing(missing)

    async def _run(self, run_id: str, rest: str) -> str:
        plan = await self.runs.plan(run_id)
        if rest == "events":
            return "\n".join(_event_lines(await recorded(self.runs.journal, run_of(plan.id)))) or "Nothing yet."
        results = await self.runs.gathered(await self.runs.attempts(plan))
        subtask_id, _, part = rest.partition("/")
        if not rest:
            return "\n".join(_run_lines(plan, await self.runs.view(plan), results))
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
    """What a run has cost, against what was estimated: `$0.4213 (estimated $0.10 to $0.80; 3.1 x one agent)`."""
    e = plan.estimate
    return f"${run.usd:.4f} (estimated ${e.usd_low:.2f} to ${e.usd_high:.2f}; {run.multiple:g} x one agent)"


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
    yield f"{plan.id}: {plan.mode}, {len(plan.subtasks)} subtasks. {plan.reason}"
    yield f"Task: {plan.task.task}"
    yield from (f"Assumed: {text}" for text in plan.assumptions)
    yield from (f"{p.level} in {p.field}: {p.problem} {p.remedy}" for p in plan.problems)
    for subtask in plan.subtasks:
        places, checks = ", ".join(subtask.scope.places), ", ".join(subtask.checks)
        after = f" after {', '.join(subtask.depends_on)}" if subtask.depends_on else ""
        yield f"- {subtask.id}: {subtask.title} [{places}] {checks}{after}"


def _run_lines(plan: Plan, run: Run, results: dict[str, Result]) -> Iterator[str]:
    yield f"{run.id}: {standing(run)}. Plan {plan.id}: {plan.task.task[:500]}"
    if run.tokens:
        yield f"Spent {spending(plan, run)}, {run.tokens:,} tokens. What happened when: {run.id}/events."
    for subtask in plan.subtasks:
        result = results.get(subtask.id)
        if not result:
            yield f"- {subtask.id}: {subtask.title}: no result yet"
            continue
        what = f"{result.status}, {len(result.findings)} findings, {result.seconds:.1f} s{_in_short(result)}"
        yield f"- {subtask.id}: {subtask.title}: {what}" + (f" ({result.reason})" if result.reason else "")


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
