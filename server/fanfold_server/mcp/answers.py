"""What each tool answers: one model whose text and structured form carry the same facts, for hosts show only one.

Every answer is short by construction: what stands in it is clipped or counted, with a ref to read the rest by.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeVar

from fanfold_server.records import Coverage, Estimate
from fanfold_workers.contract import Count, Value

A = TypeVar("A", bound="Answer")

ROOM = 9_800
"""Characters of an answer at most, as text and as JSON each; Codex shows about 12 kB."""
MAX_ROOM = 200_000
"""And where the caller asked for more in so many words."""
NEXT_CHARS = 250
_UNSHOWN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")
"""Control characters, those that turn the direction of writing, and halves of surrogate pairs."""


class Next(Value):
    """The call that goes on from here.

    Attributes:
        tool: its name.
        arguments: what to give it; null for the very same as in this call.
        why: one sentence.
    """

    tool: str
    arguments: dict[str, Any] | None
    why: str

    def line(self) -> str:
        """As a call to read."""
        given = "the same arguments" if self.arguments is None else _call(self.arguments)
        return f"Next: {self.tool}({given}): {self.why}"


def following(tool: str, why: str, **arguments: Any) -> Next:
    """The next call, without the arguments that are left out (None, "", 0, False)."""
    return Next(tool=tool, arguments={name: value for name, value in arguments.items() if value}, why=why)


def again(tool: str, given: dict[str, Any]) -> Next:
    """The very same call once more."""
    short = len(json.dumps(given, ensure_ascii=False, default=str)) <= NEXT_CHARS
    return Next(tool=tool, arguments=given if short else None, why="Goes on waiting; nothing is started twice.")


class Answer(Value):
    """What every answer has.

    Attributes:
        summary: what happened, in a sentence or two.
        engine: who did it: rules, host, function, model:<id>, or none where nothing was worked out.
        warnings: what to know before relying on it.
        refs: what the tool read takes to show more.
        next: the call that goes on from here; null if there is nothing to do.
    """

    summary: str
    engine: str
    warnings: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    next: Next | None = None

    def body(self) -> Iterator[str]:
        """The lines between the summary and the refs."""
        yield from ()

    def as_text(self) -> str:
        """Everything in it, for a model or a person to read."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.summary
        yield from (f"Warning: {warning}" for warning in self.warnings)
        yield from self.body()
        yield f"Engine: {self.engine}." + (f" More: read {', '.join(self.refs)}." if self.refs else "")
        if self.next:
            yield self.next.line()

    def size(self) -> int:
        """Characters as text or as JSON, whichever is more."""
        return max(len(self.as_text()), len(self.model_dump_json()))


class Piece(Value):
    """A subtask of a plan.

    Attributes:
        id, title: its own.
        scope: what its worker may read, and the checks that do it.
        worker_prompt: what to tell a sub-agent: the call that gives it its instructions. Short, since whoever starts
            sub-agents has to write the prompt of each, and would carry all of them in its context. "" where a
            worker of fanfold's own does it.
    """

    id: str
    title: str
    scope: str
    worker_prompt: str


class Planned(Answer):
    """What `plan` answers.

    Attributes:
        plan_id: for dispatch and submit; null while the plan is being made.
        mode: single (do it yourself), parallel, or staged (some wait for others).
        reason: why this mode.
        subtasks: those to do, as many as fit, in order, of subtasks_total.
        assumptions: what was taken for granted.
        problems: what is wrong with the plan; an error keeps it from being dispatched.
        estimate: the price: p10 (low), p50 (mid) and p90 (high).
    """

    plan_id: str | None = None
    mode: Literal["single", "parallel", "staged"] | None = None
    reason: str = ""
    subtasks: tuple[Piece, ...] = ()
    subtasks_total: Count = 0
    assumptions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    estimate: Estimate | None = None

    def body(self) -> Iterator[str]:
        """See Answer."""
        if self.plan_id:
            yield f"Plan {self.plan_id}: {self.mode}, subtasks: {self.subtasks_total}. {self.reason}"
        yield from (f"Assumed: {text}" for text in self.assumptions)
        yield from (f"Problem: {text}" for text in self.problems)
        if self.estimate:
            yield f"Estimate: {_price(self.estimate)}"
        for piece in self.subtasks:
            yield f"- {piece.id}: {piece.title} [{piece.scope}] {piece.worker_prompt}".rstrip()


class Claim(Value):
    """A finding in short."""

    id: str
    severity: str
    subject: str
    claim: str

    def line(self) -> str:
        """On one line."""
        return f"- {self.severity} {self.subject}: {self.claim} [{self.id}]"


class Dispatched(Answer):
    """What `dispatch` and `cancel` answer.

    Attributes:
        run_id: for synthesize and cancel.
        state: running, waiting (for submissions), interrupted, done.
        done: whether every subtask has ended.
        counts: ended subtasks by status; total: all of them.
        waiting_for: subtasks that a sub-agent must still submit, the first few of waiting_total.
        findings: the weightiest that are new since this call began, at most five.
        eta_seconds: until the end, by the pace so far; null while unknown.
        usd: what fanfold's own models have cost so far, in US dollars; usd_low, usd_high: as estimated before.
        multiple: tokens so far over what one agent would have taken for the whole task; 0 if no model was asked.
    """

    run_id: str
    state: str
    done: bool
    counts: dict[str, int]
    total: Count
    waiting_for: tuple[str, ...] = ()
    waiting_total: Count = 0
    findings: tuple[Claim, ...] = ()
    eta_seconds: Count | None = None
    usd: float = 0.0
    usd_low: float = 0.0
    usd_high: float = 0.0
    multiple: float = 0.0

    def body(self) -> Iterator[str]:
        """See Answer."""
        counts = ", ".join(f"{status} {count}" for status, count in self.counts.items()) or "none ended"
        done = "done" if self.done else "not done"
        eta = f" About {self.eta_seconds} s to go." if self.eta_seconds is not None else ""
        cost = f" Spent: {self.usd} USD ({self._against()})." if self.usd else ""
        yield f"Run {self.run_id}: {self.state}, {done}; of {self.total}: {counts}.{eta}{cost}"
        if self.waiting_for:
            yield f"Not submitted, {self.waiting_total}: {', '.join(self.waiting_for)}"
        yield from (claim.line() for claim in self.findings)

    def _against(self) -> str:
        """What was spent against what was estimated."""
        return f"estimated: {self.usd_low} to {self.usd_high}; {self.multiple} x one agent"


class Doubt(Value):
    """A quote that does not stand where it was said to, and what the source says instead, if anything like it."""

    finding: str
    verdict: str
    source: str
    actual: str


class Unread(Value):
    """A finding that could not be read: which field, and what is wrong with it."""

    field: str
    problem: str


class Submitted(Answer):
    """What `submit` answers.

    Attributes:
        subtask_id: whose it is.
        done: whether the subtask has its result now; if not, submit the refused findings again, corrected.
        status: how it ended; null while it is open.
        accepted: findings kept.
        quotes: their quotes by verdict: verified, moved, altered, missing, unchecked.
        doubts: quotes that do not stand where they were said to, the first few.
        refused: what could not be read, the first few of refused_total slips.
    """

    subtask_id: str
    done: bool
    status: str | None
    accepted: Count
    quotes: dict[str, int]
    doubts: tuple[Doubt, ...] = ()
    refused: tuple[Unread, ...] = ()
    refused_total: Count = 0

    def body(self) -> Iterator[str]:
        """See Answer."""
        quotes = ", ".join(f"{verdict} {count}" for verdict, count in self.quotes.items()) or "none"
        end = f"ended {self.status}" if self.status else "open"
        done = "done" if self.done else "not done"
        kept = f"accepted {self.accepted}; quotes: {quotes}; refused {self.refused_total}"
        yield f"{self.subtask_id}: {end}, {done}; {kept}."
        for doubt in self.doubts:
            yield f"- {doubt.finding}: quote {doubt.verdict} in {doubt.source}" + (
                f"; it says: {doubt.actual}" if doubt.actual else ""
            )
        yield from (f"- {one.field}: {one.problem}" for one in self.refused)


class Disagreement(Value):
    """A conflict: what about, who says what, and why one side is believed or all hold ("": open)."""

    about: str
    sides: tuple[str, ...]
    settled: str


class Missing(Value):
    """A gap: of what kind, whose (and of how many others besides), and what is missing."""

    kind: str
    subtask: str
    others: Count
    gap: str


class Synthesized(Answer):
    """What `synthesize` answers.

    Attributes:
        report_id: by which it can be read again; null while the run goes on.
        run_id: whose results it joins.
        report: the digest or report, in Markdown, citing findings as [id].
        conflicts: findings that cannot all be true, the first few of conflicts_total.
        gaps: what was not answered, the first few of gaps_total.
        coverage: how much of what was found stands in the report.
        ledger_ref: one line for each finding, saying what became of it.
    """

    report_id: str | None = None
    run_id: str
    report: str = ""
    conflicts: tuple[Disagreement, ...] = ()
    conflicts_total: Count = 0
    gaps: tuple[Missing, ...] = ()
    gaps_total: Count = 0
    coverage: Coverage | None = None
    ledger_ref: str | None = None

    def body(self) -> Iterator[str]:
        """See Answer."""
        if self.coverage is None:
            return
        yield self.report
        yield ""
        yield f"Report {self.report_id} of {self.run_id}; ledger: {self.ledger_ref}."
        yield f"Coverage: {_coverage(self.coverage)}"
        yield f"Conflicts: {self.conflicts_total}. Gaps: {self.gaps_total}."
        for conflict in self.conflicts:
            yield f"- {conflict.about}: {' / '.join(conflict.sides)} ({conflict.settled or 'open'})"
        for gap in self.gaps:
            others = f" and {gap.others} more" if gap.others else ""
            yield f"- {gap.kind} {gap.subtask}{others}: {gap.gap}"


class PageRead(Answer):
    """What `read` answers.

    Attributes:
        ref: what was read.
        text: the stretch; with find, each match with its offset and what is around it.
        offset: where it begins; total: length of the whole, in characters.
        next_offset: where to go on; null at the end.
        matches: how often the words looked for occur; null if none were.
    """

    ref: str
    text: str
    offset: Count
    total: Count
    next_offset: int | None = None
    matches: int | None = None

    def body(self) -> Iterator[str]:
        """See Answer."""
        yield self.text


def room_for(asked: int) -> int:
    """Characters of an answer at most whose caller asked for so many of text; as JSON they weigh up to half more."""
    return min(MAX_ROOM, ROOM + max(0, asked - 8_000) * 3 // 2)


def fullest(most: int, build: Callable[[int], A], room: int = ROOM) -> A:
    """The answer with as many of `most` things in it as there is room for; with none if even that is too much."""
    if (whole := build(most)).size() <= room:
        return whole
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if build(middle).size() <= room else (low, middle)
    return build(low)


def clip(text: str, most: int) -> str:
    """The text on one line of at most so many characters as JSON, with an ellipsis where it was cut."""
    line = " ".join(_UNSHOWN.sub(" ", text[: 4 * most]).split())
    if len(text) <= 4 * most and _weight(line) <= most:
        return line
    kept = line[: most - 1]
    while (over := _weight(kept) - most + 1) > 0:
        kept = kept[: -max(1, over // 2)]
    return kept.rstrip() + "…"


def _weight(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False)) - 2


def clipped(texts: Sequence[str], count: int, most: int) -> tuple[str, ...]:
    """The first few, each cut to one short line, and how many were left out."""
    left = len(texts) - count
    more = (f"and {left:,} more",) if left > 0 else ()
    return tuple(clip(text, most) for text in texts[:count]) + more


def _call(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())


def _price(estimate: Estimate) -> str:
    e = estimate
    tokens = f"{e.tokens_low} to {e.tokens_high} tokens (p50 {e.tokens_mid}; {e.multiple} x one agent)"
    time = f"{e.seconds_low} to {e.seconds_high} s (p50 {e.seconds_mid})"
    usd = f"{e.usd_low} to {e.usd_high} USD (p50 {e.usd_mid})"
    return f"p10 to p90: {e.workers} workers, {time}, {tokens}, {usd}. {e.basis}".rstrip()


def _coverage(c: Coverage) -> str:
    quotes = ", ".join(f"{verdict} {count}" for verdict, count in c.quotes.items()) or "none"
    fates = f"cited {c.cited}, merged {c.merged}, below the cut {c.below_cut}, unsupported {c.unsupported}"
    return (
        f"{c.findings} findings ({fates}, context {c.context}; share {c.share}); quotes: {quotes};"
        f" spans {c.spans} (drawn from: {c.spans_drawn}); examined {c.examined} of {c.in_scope}."
    )
