"""The types that cross the border between the orchestrator and its workers, and go to disk.

All are frozen and strict: an unknown field, a bool for an int, a NaN, or a text over its cap is refused.
From JSON use `Type.model_validate_json`, which reads arrays as tuples and strings as enums.

A *place* names a file or folder a worker may read, never by host path: `root` or `root:relative/path`,
always with forward slashes. A *locator* says where in it: `L12`, `L12-L14` (lines, from 1) or `c120-260`
(characters, from 0, end excluded).
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MAX_FINDINGS = 5_000
MAX_TEXT_CHARS = 2_000_000
MAX_REASON_CHARS = 2_000

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
"""One line of text, 1 to 300 characters, trimmed."""
Prose = Annotated[str, StringConstraints(max_length=20_000)]
# The length is capped apart from the pattern: compiling `{0,4000}` costs 3 ms in every model with a place in it.
Place = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(:[^\x00]*)?$", max_length=4_065)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Value(BaseModel):
    """A frozen, strict value."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Itself: pydantic copies each default that is no plain value, and a frozen one needs no copy."""
        return self


class Status(StrEnum):
    """How a subtask ended. Only `ok` needs no reason."""

    ok = "ok"
    partial = "partial"
    failed = "failed"
    timed_out = "timed_out"
    cancelled = "cancelled"
    over_budget = "over_budget"
    truncated = "truncated"
    refused = "refused"
    skipped = "skipped"


class EffortClass(StrEnum):
    """How much work a subtask is taken to be, which may lower where its worker must stop, and never raises it.

    light: one look, 1 to 3 tool calls. normal: 3 to 10. deep: more than 10.
    """

    light = "light"
    normal = "normal"
    deep = "deep"

    @property
    def meant(self) -> str:
        """What a worker is told of it."""
        looks = {"light": "one look, 1 to 3 tool calls", "normal": "3 to 10 tool calls, more if it takes them"}
        return looks.get(self.value, "a thorough look, 10 tool calls and more")


class Severity(StrEnum):
    """How much a finding matters, worst first."""

    critical = "critical"
    high = "high"
    medium = "medium"
    low = "low"
    info = "info"


class Verdict(StrEnum):
    """What a look at the source says of a quote.

    verified: it stands where the locator says. moved: elsewhere in the same source. altered: something
    close to it does. missing: nothing like it. unchecked: the source is not within reach.
    """

    verified = "verified"
    moved = "moved"
    altered = "altered"
    missing = "missing"
    unchecked = "unchecked"


class Scope(Value):
    """What a worker may touch. Deny by default: an empty field allows nothing of its kind.

    Attributes:
        places: roots, folders or files it may read (`repos`, `repos:django`, `stdlib:cgi.py`), at most 500.
        tools: exact names of the tools it may call.
        servers: names of MCP servers whose tools may be named in `tools`.
        web: whether the provider may search and fetch pages for it.
    """

    places: Annotated[tuple[Place, ...], Field(max_length=500)] = ()
    tools: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    servers: Annotated[tuple[Id, ...], Field(max_length=50)] = ()
    web: bool = False


class Limits(Value):
    """Where a worker must stop.

    Attributes:
        seconds: wall time from the start of its work, 0.001 to 86,400.
        tool_calls: how many tool calls it may make.
        turns: how often it may ask its model, if it has one.
        tokens: how many its model may read and write in all turns together.
    """

    seconds: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    tool_calls: Annotated[int, Field(ge=1, le=10_000)] = 200
    turns: Annotated[int, Field(ge=1, le=1_000)] = 40
    tokens: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = 2_000_000


UNKEPT = "(not kept)"
"""Stands for a quote that was looked up and is not on disk: evidence with it keeps the verdict it has."""


class Evidence(Value):
    """Where a claim can be checked.

    Attributes:
        source: a place (`repos:django/setup.py`), a URL, or `text:<ref>` for a stored text.
        locator: `L12`, `L12-L14`, `c120-260`, or "" if unknown.
        quote: verbatim, at most 2,000 characters. A masked secret is quoted as masked.
        verdict: what the verifier saw; `unchecked` until it looked.
        actual: where the verdict is `altered`, what the source says instead (long tokens masked).
    """

    source: Annotated[str, StringConstraints(min_length=1, max_length=4_100)]
    locator: Annotated[str, StringConstraints(pattern=r"^(L\d+(-L\d+)?|c\d+-\d+)?$")] = ""
    quote: Annotated[str, StringConstraints(max_length=2_000)] = ""
    verdict: Verdict = Verdict.unchecked
    actual: Annotated[str, StringConstraints(max_length=2_000)] = ""


class Finding(Value):
    """One claim about one subject.

    Attributes:
        id: unique in its run once recorded (`<subtask>.<n>`); "" before.
        kind: what sort of finding, dotted (`secrets.key`, `upgrades.deprecates`, `upgrades.uses`).
        subject: what it is about, spelled so that others about the same thing spell it alike.
        claim: one or two sentences.
        attribute, value: the property claimed and its value, where there is one, so that two findings with the
            same subject and attribute but different values are known to conflict.
        severity: how much it matters.
        confidence: 0 to 1, how sure the worker is.
        evidence: where it can be checked, at most 20 places.
        count: occurrences this finding stands for (its evidence may show only the first few).
    """

    id: Annotated[str, StringConstraints(max_length=100)] = ""
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$", max_length=64)] = "claim"
    subject: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
    claim: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
    attribute: Annotated[str, StringConstraints(max_length=100)] = ""
    value: Annotated[str, StringConstraints(max_length=300)] = ""
    severity: Severity = Severity.info
    confidence: Share = 0.5
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=20)] = ()
    count: Annotated[int, Field(ge=1)] = 1


class Examined(Value):
    """How much of what was in scope a worker looked at.

    Attributes:
        done, in_scope: counts of `unit`.
        unit: what is counted.
        left_out: why the rest was not, one line a reason ("3 over 256 kB").
    """

    done: Count = 0
    in_scope: Count = 0
    unit: Annotated[str, StringConstraints(max_length=40)] = "files"
    left_out: Annotated[tuple[Line, ...], Field(max_length=50)] = ()

    def __add__(self, other: "Examined", /) -> "Examined":
        left_out = tuple(dict.fromkeys(self.left_out + other.left_out))[:50]
        return Examined(
            done=self.done + other.done, in_scope=self.in_scope + other.in_scope, unit=self.unit, left_out=left_out
        )


class Usage(Value):
    """What the work cost: tool calls made, model calls made, tokens in and out, US dollars.

    `input_tokens` are all that were read; those a cache served or stored are counted again in `cached_tokens`.
    """

    tool_calls: Count = 0
    model_calls: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    cached_tokens: Count = 0
    usd: Annotated[float, Field(ge=0)] = 0.0


class Result(Value):
    """What a worker returns. Build it with `Result.ended`, which picks a status that is true.

    Attributes:
        subtask: the id of the subtask it answers.
        status: how it ended; a constructor call that claims `ok` falsely raises.
        reason: why it is not ok, for a person; "" only for ok.
        engine: who did it: `rules`, `host`, `function`, or `model:<id>`.
        summary: a short account.
        findings: at most 5,000.
        text: raw prose of the worker, if it gave any, at most 2,000,000 characters.
        gaps: what stays unanswered, one line each.
        examined: how much of the scope was looked at.
        usage: what it cost.
        seconds: wall time.
        attempt: 1 for the first try.
    """

    subtask: Id
    status: Status
    reason: Annotated[str, StringConstraints(max_length=MAX_REASON_CHARS)] = ""
    engine: Annotated[str, StringConstraints(min_length=1, max_length=100)] = "function"
    summary: Prose = ""
    findings: Annotated[tuple[Finding, ...], Field(max_length=MAX_FINDINGS)] = ()
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS)] = ""
    gaps: Annotated[tuple[Line, ...], Field(max_length=200)] = ()
    examined: Examined = Examined()
    usage: Usage = Usage()
    seconds: Annotated[float, Field(ge=0)] = 0.0
    attempt: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _is_true(self) -> Self:
        if self.status is not Status.ok and not self.reason.strip():
            msg = f"reason: a result that is {self.status} needs one"
            raise ValueError(msg)
        if self.status is Status.ok and (untrue := self._doubt()):
            msg = f"status: cannot be ok, {untrue}"
            raise ValueError(msg)
        return self

    @property
    def usable(self) -> bool:
        """Whether there is anything in it to build on: it ended ok, or it found or said something."""
        return self.status is Status.ok or bool(self.findings or self.text.strip() or self.summary.strip())

    def _doubt(self) -> str:
        return doubt(self.examined, nothing=not (self.findings or self.text.strip() or self.summary.strip()))

    @classmethod
    def ended(cls, subtask: str, /, **fields: Any) -> Self:
        """The result with the best status that is true: `ok`, or else `partial` with the reason.

        Takes the fields of a Result but for `status` and `reason`. Work that came back empty is `failed`.

        Raises:
            pydantic.ValidationError: when a field is malformed.
        """
        given: object = fields.get("examined")
        examined = given if isinstance(given, Examined) else Examined()
        nothing = not (fields.get("findings") or any(str(fields.get(n, "")).strip() for n in ("text", "summary")))
        reason = doubt(examined, nothing=nothing)
        empty = nothing and not examined.done
        status = Status.failed if empty and reason else Status.partial if reason else Status.ok
        return cls(subtask=subtask, status=status, reason=reason, **fields)


class Prior(Value):
    """What a prerequisite came to, as a subtask that leans on it is told.

    Attributes:
        title: of the prerequisite.
        result: its Result.
    """

    title: Line
    result: Result


class Subtask(Value):
    """One bounded, independent piece of a task: all that a worker is told.

    Attributes:
        id: unique in its plan.
        title: one line for people.
        objective: what to find out; the question a worker answers.
        boundaries: what others cover, or what to leave alone.
        expected: the form of a good answer.
        done_when: what would make it done, "" if that is not said.
        effort: how much work it is taken to be.
        item: the item of the task it stands for, "" if none.
        checks: inspections by name that answer it without a model; empty if it takes a mind.
        scope: what the worker may touch.
        depends_on: ids of subtasks that must end first; what they came to is handed on in `prior`.
        if_unmet: what becomes of it if one of those gave nothing usable: `skip`, or `run` with the gap stated.
        prior: what those came to, in the order of `depends_on`. The orchestrator fills it in when a worker starts.
        limits: where it must stop.
    """

    id: Id
    title: Line
    objective: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8_000)]
    boundaries: Prose = ""
    expected: Prose = ""
    done_when: Annotated[str, StringConstraints(max_length=2_000)] = ""
    effort: Annotated[EffortClass, Field(strict=False)] = EffortClass.normal
    item: Annotated[str, StringConstraints(max_length=1_000)] = ""
    checks: Annotated[tuple[Id, ...], Field(max_length=50)] = ()
    scope: Scope = Scope()
    depends_on: Annotated[tuple[Id, ...], Field(max_length=200)] = ()
    if_unmet: Literal["skip", "run"] = "skip"
    prior: Annotated[tuple[Prior, ...], Field(max_length=200)] = ()
    limits: Limits = Limits()


def doubt(examined: Examined, *, nothing: bool) -> str:
    """Why work that looked at this much cannot be called ok, or "" if it can."""
    if examined.done < examined.in_scope:
        why = f" ({'; '.join(examined.left_out)})" if examined.left_out else ""
        return f"examined {examined.done} of {examined.in_scope} {examined.unit}{why}"[:MAX_REASON_CHARS]
    if nothing and not examined.done:
        return "it came back empty"
    return ""


def numbered(subtask: str, findings: Iterable[Finding], start: int = 1) -> tuple[Finding, ...]:
    """The findings with ids `<subtask>.<n>`, counted from `start`."""
    return tuple(f.model_copy(update={"id": f"{subtask}.{n}"}) for n, f in enumerate(findings, start))


Engine = Literal["rules", "host", "function", "model"]
