"""What passes between the three verbs: Task -> Plan -> Run -> Report. All frozen, strict and capped."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, ValidationInfo

from fanfold_workers.contract import (
    Count,
    EffortClass,
    Evidence,
    Id,
    Line,
    Place,
    Prose,
    Result,
    Severity,
    Share,
    Status,
    Subtask,
    Value,
    Verdict,
)
from fanfold_workers.errors import InputError

MAX_SUBTASKS = 10_000
MAX_TASK_CHARS = 100_000


def _not_too_long(text: object, info: ValidationInfo) -> object:
    """The text, if it is short enough: whoever hands in a document learns where documents go."""
    if isinstance(text, str) and len(text) > MAX_TASK_CHARS:
        field = info.field_name or "task"
        msg = f"It has {len(text):,} characters, and may have {MAX_TASK_CHARS:,}."
        remedy = "Say what you want to know; put material into files, make their folder a root, and name it in roots."
        raise InputError(msg, field=field, remedy=remedy)
    return text


NotTooLong = BeforeValidator(_not_too_long)
"""Refuses a text of more than MAX_TASK_CHARS with an InputError that names the field and the way out."""

Seconds = Annotated[float, Field(ge=0)]
Dollars = Annotated[float, Field(ge=0)]


class Draft(Value):
    """A subtask as a host or user writes it; planning turns it into a Subtask.

    Attributes:
        id: kept if given, else `s1`, `s2`, … by position.
        title, objective: one of the two may be left out.
        done_when: what would make it done.
        effort: `light` (one look, 1 to 3 tool calls), `normal` (3 to 10) or `deep` (more).
        places: `root` or `root:path`; defaults to the task's roots.
        tools: defaults to what its checks need, or to all file tools.
        checks: inspections that answer it without a model.
        web: whether it may search and fetch pages.
        depends_on: ids of drafts that must end first; it is told what they came to.
        if_unmet: if one of those gives nothing usable: `skip` it, or `run` it with the gap stated.
    """

    id: Id | None = None
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)] = ""
    objective: Annotated[str, StringConstraints(strip_whitespace=True, max_length=8_000)] = ""
    boundaries: Prose = ""
    expected: Prose = ""
    done_when: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] = ""
    effort: Annotated[EffortClass, Field(strict=False)] = EffortClass.normal
    item: Annotated[str, StringConstraints(max_length=1_000)] = ""
    places: Annotated[tuple[Place, ...], Field(max_length=500)] = ()
    tools: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    checks: Annotated[tuple[Id, ...], Field(max_length=50)] = ()
    web: bool = False
    depends_on: Annotated[tuple[Id, ...], Field(max_length=200)] = ()
    if_unmet: Literal["skip", "run"] = "skip"


class Task(Value):
    """What somebody wants to know.

    Attributes:
        task: the question or order, 1 to 100,000 characters that are not all blank; a longer one is an InputError.
        context: what a planner should know besides.
        items: the things to be looked at, one worker each (or a group).
        subtasks: the caller's own split; it is checked, priced and kept.
        roots: places the workers may read, `root` or `root:path`; all configured roots if empty.
        checks: inspections by name; matched from the task's words if empty.
        max_workers: at most this many subtasks.
    """

    task: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TASK_CHARS), NotTooLong
    ]
    context: Annotated[str, StringConstraints(max_length=MAX_TASK_CHARS), NotTooLong] = ""
    items: Annotated[tuple[Line, ...], Field(max_length=MAX_SUBTASKS)] = ()
    subtasks: Annotated[tuple[Draft, ...], Field(max_length=MAX_SUBTASKS)] = ()
    roots: Annotated[tuple[Place, ...], Field(max_length=500)] = ()
    checks: Annotated[tuple[Id, ...], Field(max_length=50)] = ()
    max_workers: Annotated[int, Field(ge=1, le=MAX_SUBTASKS)] | None = None


class Mode(StrEnum):
    """single: do it yourself. parallel: independent subtasks. staged: some wait for others."""

    single = "single"
    parallel = "parallel"
    staged = "staged"


class Problem(Value):
    """Something wrong with a plan. An error keeps it from being dispatched; a warning does not.

    Attributes:
        level: see above.
        field: where, as the caller spells it (`subtasks[0].places`).
        problem: what is wrong; remedy: what to do about it.
        code: which kind of problem it is, the same for as long as fanfold knows the kind; `planning.check` has a
            table of them. "" in plans that were made before there were any.
    """

    level: Literal["error", "warning"]
    field: Line
    problem: Annotated[str, StringConstraints(max_length=1_000)]
    remedy: Annotated[str, StringConstraints(max_length=1_000)] = ""
    code: Annotated[str, StringConstraints(max_length=40)] = ""


class Estimate(Value):
    """What a run of the plan will cost, as ranges, and what that rests on.

    Attributes:
        workers: subtasks.
        seconds_low, seconds_mid, seconds_high: wall time, from the first start to the last result; a report comes
            on top. In each three `low` is p10, `mid` p50 and `high` p90: one run in ten comes out below `low`, and
            one above `high`. `mid` is 0 in estimates that were made before there was one.
        tokens_low, tokens_mid, tokens_high: of whoever does the work, planning and one report included where models
            of fanfold's own do them; 0 for the rules engine.
        usd_low, usd_mid, usd_high: what fanfold itself will spend; 0 without a model of its own.
        multiple: tokens_mid over what one agent would use who did all of it; 1 for the rules engine.
        basis: what the figures rest on: earlier runs here, assumptions, or both.
    """

    workers: Count
    seconds_low: Seconds = 0.0
    seconds_mid: Seconds = 0.0
    seconds_high: Seconds = 0.0
    tokens_low: Count = 0
    tokens_mid: Count = 0
    tokens_high: Count = 0
    usd_low: Dollars = 0.0
    usd_mid: Dollars = 0.0
    usd_high: Dollars = 0.0
    multiple: Annotated[float, Field(ge=0)] = 1.0
    basis: Annotated[str, StringConstraints(max_length=1_000)] = ""


class Plan(Value):
    """A task split into bounded, independent subtasks, or the reason why it should not be.

    Attributes:
        id: `p-` and a hash of the task.
        task: what was asked.
        mode: whether and how it splits.
        reason: why this mode.
        subtasks: in plan order; empty only with an error among the problems.
        assumptions: what was taken for granted, with what was matched and how.
        problems: what the check found; the plan can be dispatched if none is an error.
        estimate: the price of what is left to do.
        engine: who drew it up: `rules`, `host`, or `model:<id>`.
        version: 1 for a plan of a task; a plan that was changed, or that follows a run up, is one more than it.
        revises: the plan that it is a changed version of.
        follows: the run of which it does what was left open.
        kept: ids of subtasks whose Results of that run, or of that plan's, stand; they are not done again.
        rests: of each subtask that finishes what another one left, the other's id.
        reach: files and bytes that each subtask's worker may read, in plan order, as counted when it was planned;
            later estimates rest on it. Empty in plans of old.
    """

    id: Id
    task: Task
    mode: Mode
    reason: Prose
    subtasks: Annotated[tuple[Subtask, ...], Field(max_length=MAX_SUBTASKS)] = ()
    assumptions: tuple[Prose, ...] = ()
    problems: tuple[Problem, ...] = ()
    estimate: Estimate
    engine: Annotated[str, StringConstraints(max_length=100)] = "rules"
    version: Annotated[int, Field(ge=1)] = 1
    revises: Id | None = None
    follows: Id | None = None
    kept: Annotated[tuple[Id, ...], Field(max_length=MAX_SUBTASKS)] = ()
    rests: dict[Id, Id] = Field(default_factory=dict[str, str])
    reach: Annotated[tuple[tuple[Count, Count], ...], Field(max_length=MAX_SUBTASKS)] = ()

    @property
    def ready(self) -> bool:
        """Whether it can be dispatched: no problem is an error."""
        return all(problem.level != "error" for problem in self.problems)


class RunState(StrEnum):
    """running: somebody living is at it. waiting: for submissions. interrupted: its owner died. done."""

    running = "running"
    waiting = "waiting"
    interrupted = "interrupted"
    done = "done"


class Run(Value):
    """One dispatch of a plan, as it stands.

    Attributes:
        id: `r-` and the plan's hash.
        plan: the plan's id.
        state: see RunState.
        total: subtasks in the plan.
        counts: ended subtasks by status.
        waiting_for: ids of subtasks that have no result yet.
        usable: of the ended ones, how many gave something that can be built on.
        usd: what it has cost so far; tokens: what fanfold's own models have read and written for it.
        multiple: those tokens over what one agent would have taken for the whole task, as the estimate takes it; 0
            where no model of fanfold's own was asked.
    """

    id: Id
    plan: Id
    state: RunState
    total: Count
    counts: dict[Status, Count]
    waiting_for: tuple[Id, ...] = ()
    usable: Count = 0
    usd: Dollars = 0.0
    tokens: Count = 0
    multiple: Annotated[float, Field(ge=0)] = 0.0

    @property
    def ended(self) -> int:
        """How many subtasks have a result."""
        return sum(self.counts.values())


class Handed(Value):
    """A result handed to `synthesize` from anywhere: prose, findings, or both come in as a Result.

    Attributes:
        title: what people call it.
        result: its `subtask` is the name by which it is cited; no two handed in together share one.
    """

    title: Line
    result: Result


class Disposition(StrEnum):
    """What became of a finding. cited: its claim stands in the report. merged: into one that stands there.

    below_cut: ranked, but the report was full (with the one it was merged into, if any).
    unsupported: its quotes are nowhere in their sources, so it was not ranked.
    context: only of use to others (a use of something that nobody says anything about).
    """

    cited = "cited"
    merged = "merged"
    below_cut = "below_cut"
    unsupported = "unsupported"
    context = "context"


class LedgerLine(Value):
    """The fate of one finding: exactly one line for each that any worker returned or that was drawn from a text.

    Attributes:
        finding: its id.
        subtask: whose it is.
        kind, subject, claim: as found; the claim cut to 300 characters.
        place: source and locator of its best evidence, "" if it has none.
        verdict: the best of its evidence; `unchecked` if it has none.
        disposition: see Disposition.
        into: id of the finding that leads the entry it was merged into or joined to, "" if none.
    """

    finding: Line
    subtask: Id
    kind: Line
    subject: Line
    claim: Annotated[str, StringConstraints(max_length=300)] = ""
    place: Annotated[str, StringConstraints(max_length=4_200)] = ""
    verdict: Verdict
    disposition: Disposition
    into: str = ""


class Span(Value):
    """A stretch of a handed-in text, and whether a finding was drawn from it. The spans of a text tile it.

    Attributes:
        text: `text:` and the id of the subtask or handed-in result whose text it is.
        start, end: characters, end excluded.
        finding: id of the finding drawn from it, "" if none was.
    """

    text: Line
    start: Count
    end: Count
    finding: str = ""


class Side(Value):
    """One side of a conflict: what is claimed, by which findings, with how much support.

    Attributes:
        value: what this side says.
        findings: ids, the weightiest first, at most 50.
        support: distinct workers that say so.
        weight: their summed weights (reliability x confidence x what their quotes proved), one per worker.
        evidence: the best quote, if there is one.
    """

    value: Annotated[str, StringConstraints(max_length=2_000)]
    findings: tuple[Line, ...]
    support: Count
    weight: Annotated[float, Field(ge=0)]
    evidence: Evidence | None = None


class Conflict(Value):
    """Findings about the same thing that cannot all be true.

    Attributes:
        subject, attribute: what they disagree on; the attribute is "" where claims contradict each other.
        sides: strongest first.
        settled: why the first side is believed, or how all sides hold; "" if it stays open.
        compatible: whether all sides hold, as they speak of different versions, times or scopes.
    """

    subject: Line
    attribute: Annotated[str, StringConstraints(max_length=100)] = ""
    sides: tuple[Side, ...]
    settled: Prose = ""
    compatible: bool = False


class GapKind(StrEnum):
    """never_came: no result. not_done: it ended without success. not_examined: part of the scope. unanswered."""

    never_came = "never_came"
    not_done = "not_done"
    not_examined = "not_examined"
    unanswered = "unanswered"


class Gap(Value):
    """Something the run did not answer: a subtask that failed or never came, or scope not examined.

    Attributes:
        kind: see GapKind.
        subtask: the first one it concerns; `others` are the rest with the very same gap.
        gap: what is missing and why.
    """

    kind: GapKind
    subtask: str = ""
    others: tuple[str, ...] = ()
    gap: Annotated[str, StringConstraints(max_length=2_500)]


class Cited(Evidence):
    """Evidence, and the id of the finding it belongs to."""

    finding: Line


class Entry(Value):
    """A ranked group of findings about one subject, as the report shows it.

    Attributes:
        rank: its place by score among all that was found, 1 for the first, also where only some of them stand in the
            report: a number that is skipped is an entry that was left out, or folded into another.
        subject: what it is about.
        kind: of the leading finding.
        claim: the leading claim; `also` has those joined to it and who uses it, each ending in a `[finding id]`.
        severity: the worst of the group, raised where a join makes it matter more.
        score: severity x confidence x support x reliability x what the quotes proved; comparable in one report.
        support: independent workers that found it.
        findings: ids of all that stand behind it, the leading one first.
        evidence: quotes with verdicts, best first, a few of them.
        occurrences: how often it was seen in all.
        marks: what to know before relying on it: `disputed`, `contradicted`, `no evidence`, `quote altered`,
            `not checked`, `no use found`, `drawn`.
    """

    rank: Annotated[int, Field(ge=1)]
    subject: Line
    kind: Line
    claim: Prose
    also: tuple[Prose, ...] = ()
    severity: Severity
    score: Annotated[float, Field(ge=0)]
    support: Count
    findings: tuple[Line, ...]
    evidence: tuple[Cited, ...] = ()
    occurrences: Count = 1
    marks: tuple[Line, ...] = ()


class Coverage(Value):
    """How much of what was found reached the report.

    Attributes:
        findings: all that were returned or drawn; the next five sum to it.
        quotes: evidence by verdict.
        spans, spans_drawn: stretches of handed-in text, and how many a finding was drawn from.
        examined, in_scope: files (or other units) over all workers.
        share: (cited + merged) / findings, 1.0 when there were none.
    """

    findings: Count
    cited: Count
    merged: Count
    below_cut: Count
    unsupported: Count
    context: Count
    quotes: dict[Verdict, Count]
    spans: Count = 0
    spans_drawn: Count = 0
    examined: Count = 0
    in_scope: Count = 0
    share: Share = 1.0


class Reliability(Value):
    """What can be known of one worker.

    Attributes:
        subtask: whose result.
        status: how it ended.
        findings: how many it returned (drawn ones left out).
        verified: share of its checkable quotes that stand in their sources; None if none could be checked.
        examined: share of its scope that it looked at; None if it does not say.
        primary: share of its quotes of web pages that are from primary sources; None if it quotes no page.
        weight: what its findings' scores are multiplied with.
    """

    subtask: Id
    status: Status
    findings: Count = 0
    verified: Share | None = None
    examined: Share | None = None
    primary: Share | None = None
    weight: Share


class Attempted(Value):
    """One worker's attempt at a subtask, measured.

    Attributes:
        subtask: whose.
        title: what people call it.
        engine: who did it.
        status: how it ended.
        verified: share of its checkable quotes that stand; None if none could be checked.
        examined: share of its scope that it looked at; None if it does not say.
        findings: how many it returned; `unsupported` of them have quotes that are nowhere.
        confirmed: findings that another worker of the run found too.
        own: findings that nobody else has and whose quote stands.
        taken: claims for which its finding is the strongest.
        leads: the criteria on which no other attempt did better and some did worse.
    """

    subtask: Id
    title: Line
    engine: Line
    status: Status
    verified: Share | None = None
    examined: Share | None = None
    findings: Count = 0
    unsupported: Count = 0
    confirmed: Count = 0
    own: Count = 0
    taken: Count = 0
    leads: tuple[Line, ...] = ()


class Element(Value):
    """A claim, and the strongest finding that makes it.

    Attributes:
        finding: its id.
        subtask: whose attempt it is from.
        claim: as found, cut to 300 characters.
        others: ids of findings of other attempts that say the same, at most 50.
    """

    finding: Line
    subtask: Id
    claim: Annotated[str, StringConstraints(max_length=300)]
    others: Annotated[tuple[Line, ...], Field(max_length=50)] = ()


class Comparison(Value):
    """Attempts at one subtask, the strongest first, and what is taken from them.

    Attributes:
        objective: what they were to find out, cut to 300 characters.
        item: which item of the task, "" if none.
        attempts: by how many criteria they lead on, then by how much is taken from them, then in plan order.
        elements: what is taken, the strongest first; `more` did not fit.
    """

    objective: Line
    item: str = ""
    attempts: tuple[Attempted, ...]
    elements: tuple[Element, ...] = ()
    more: Count = 0


class Report(Value):
    """What `synthesize` returns.

    Attributes:
        id: `s-` and a hash of what went in, whatever the order in which results arrived.
        question: what it answers.
        engine: `rules` or `model:<id>`; `host` for a digest that a host is to write from.
        headline: the answer in a sentence or two, as far as the engine can give one.
        markdown: what a person reads first, within the size asked for.
        entries: those whose claim stands in the markdown, ranked.
        conflicts, gaps, coverage: see their types.
        reliability: per worker, in plan order.
        usd: what fanfold's own models have cost to answer this question from this run, in US dollars: this report's
            calls, and those of others about the same.
        attempts: comparisons, where several workers did the same subtask.
        remarks: what to know of how it came about: what a model could not do, and rules did instead.
        kinds: findings by kind, most first.
        ledger: one line for each finding; spans: stretches of raw text, drawn from or not.
        max_chars: the size asked for, in characters of markdown.
    """

    id: Id
    question: Prose
    engine: Line
    headline: Prose = ""
    markdown: str
    entries: tuple[Entry, ...]
    conflicts: tuple[Conflict, ...]
    gaps: tuple[Gap, ...]
    coverage: Coverage
    reliability: tuple[Reliability, ...]
    attempts: tuple[Comparison, ...] = ()
    remarks: tuple[Prose, ...] = ()
    usd: Dollars = 0.0
    kinds: dict[str, Count] = Field(default_factory=dict[str, Count])
    ledger: tuple[LedgerLine, ...]
    spans: tuple[Span, ...] = ()
    max_chars: Count
