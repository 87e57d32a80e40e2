"""What each tool takes: checked against frozen, strict models of our own before anything is started.

The SDK ignores arguments it doesn't know and reads `true` as 1; here both are errors that name the field.
"""

import json
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import Field, StringConstraints, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from fanfold_server.dispatch.policy import GRACE_SECONDS, MAX_RUN_SECONDS, MAX_WORKER_SECONDS
from fanfold_server.records import MAX_SUBTASKS, MAX_TASK_CHARS, Draft, NotTooLong
from fanfold_server.revising import Change
from fanfold_workers.contract import MAX_FINDINGS, MAX_TEXT_CHARS, Id, Line, Place, Status, Value
from fanfold_workers.errors import InputError
from fanfold_workers.lenient import FINDING_SCHEMA

A = TypeVar("A", bound=Value)

MAX_ERRORS_SHOWN = 5
MAX_PAGE = 100_000
MAX_REPORT = 1_000_000
SCHEME = "fanfold://"
"""How the resources' addresses begin."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Wait = Annotated[
    Annotated[float, Field(ge=0, le=3_600)] | None,
    Field(description="Answer after so many seconds at the latest. Left out: as long as this host allows."),
]

Findings = Annotated[
    tuple[Annotated[Any, WithJsonSchema(FINDING_SCHEMA)], ...],
    Field(max_length=2 * MAX_FINDINGS),
]

CHANGE_SCHEMA = {
    "type": "object",
    "description": "Fields as in subtasks; those left out stay. remove: leave the subtask out.",
    "properties": {"id": {"type": "string"}, "remove": {"type": "boolean"}},
    "additionalProperties": True,
}
"""Of a change to a plan, as hosts are shown it: the fields of a subtask stand in the schema once already."""


class PlanArguments(Value):
    """See the tool `plan`."""

    task: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TASK_CHARS),
        NotTooLong,
        Field(description="The whole question or order, in the words of whoever asked."),
    ] = ""
    context: Annotated[
        str, NotTooLong, Field(max_length=MAX_TASK_CHARS, description="What a planner should know besides.")
    ] = ""
    items: Annotated[
        tuple[Line, ...],
        Field(max_length=MAX_SUBTASKS, description="The things to look at, one subtask each."),
    ] = ()
    subtasks: Annotated[
        tuple[Draft, ...],
        Field(max_length=MAX_SUBTASKS, description="Your own split; it is checked, priced and kept."),
    ] = ()
    roots: Annotated[
        tuple[Place, ...],
        Field(
            max_length=500, description="What workers may read: root or root:path. Left out: all configured roots."
        ),
    ] = ()
    checks: Annotated[
        tuple[Id, ...],
        Field(
            max_length=50, description="Inspections by name, which need no model. Left out: matched from the task."
        ),
    ] = ()
    max_workers: Annotated[
        Annotated[int, Field(ge=1, le=MAX_SUBTASKS)] | None, Field(description="At most this many subtasks.")
    ] = None
    revise: Annotated[Name | None, Field(description="In place of a task: a plan to change, p-….")] = None
    changes: Annotated[
        tuple[Annotated[Change, WithJsonSchema(CHANGE_SCHEMA)], ...],
        Field(
            max_length=MAX_SUBTASKS, description="What becomes of its subtasks: by id, or without one to add some."
        ),
    ] = ()
    follow_up: Annotated[
        Name | None, Field(description="In place of a task: a run, r-…, to plan only what it left open.")
    ] = None
    fresh: Annotated[
        bool, Field(description="Plan anew, although the same task was planned before (files have changed).")
    ] = False
    wait_seconds: Wait = None


class DispatchArguments(Value):
    """See the tool `dispatch`."""

    plan_id: Annotated[Name, Field(description="The plan's id, p-…, from plan.")]
    retry: Annotated[bool, Field(description="Do again what failed; what succeeded is kept.")] = False
    max_usd: Annotated[
        Annotated[float, Field(gt=0, le=1_000_000, strict=False)] | None,
        Field(description="Spend at most so many US dollars on this run; it can only lower what the user allows."),
    ] = None
    worker_seconds: Annotated[
        Annotated[float, Field(gt=0, le=MAX_WORKER_SECONDS, strict=False)] | None,
        Field(description="A worker may take so long at most; what it found until then is kept."),
    ] = None
    run_seconds: Annotated[
        Annotated[float, Field(gt=0, le=MAX_RUN_SECONDS, strict=False)] | None,
        Field(description="End after so long with what there is; the rest is timed out or skipped."),
    ] = None
    enough: Annotated[
        float,
        Field(gt=0, le=1, strict=False, description="The share of the subtasks that is enough, such as 0.9."),
    ] = 1.0
    enough_of: Annotated[
        tuple[Id, ...], Field(max_length=1_000, description="Or the ids of the subtasks that are.")
    ] = ()
    grace_seconds: Annotated[
        float,
        Field(ge=0, le=MAX_WORKER_SECONDS, strict=False, description="How long the others still get after that."),
    ] = GRACE_SECONDS
    detach: Annotated[
        bool, Field(description="Work in a process of its own, which goes on when this host exits.")
    ] = False
    wait_seconds: Wait = None


class SubmitArguments(Value):
    """See the tool `submit`."""

    plan_id: Annotated[Name, Field(description="The plan's id, p-…, as told in your instructions.")]
    subtask_id: Annotated[Name, Field(description="Your subtask's id, as told in your instructions.")]
    findings: Annotated[Findings, Field(description="Every claim you found, each with its evidence.")] = ()
    text: Annotated[
        str, Field(max_length=MAX_TEXT_CHARS, description="Prose: what you looked at, what no finding holds.")
    ] = ""
    status: Annotated[
        Status | None,
        Field(description="ok if you covered the whole subtask; else what it is, with what is missing in text."),
    ] = None


class HandedArgument(Value):
    """A result from anywhere: prose, findings, or both.

    Attributes:
        id: by which it is cited; `t1`, `t2`, … by position if left out.
        title: what people call it.
        text: prose, at most 2,000,000 characters.
        place: a file below a root, whose text it is in place of `text`.
        findings: claims with their evidence.
    """

    id: Id | None = None
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)] = ""
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS)] = ""
    place: Place | None = None
    findings: Findings = ()


class SynthesizeArguments(Value):
    """See the tool `synthesize`."""

    run_id: Annotated[Name | None, Field(description="The run, r-…. Give this, plan_id or results; one of them.")] = (
        None
    )
    plan_id: Annotated[Name | None, Field(description="The plan, p-…, whose run is meant.")] = None
    results: Annotated[
        tuple[HandedArgument, ...] | None,
        Field(max_length=MAX_SUBTASKS, description="Results from anywhere else, to join without any run before."),
    ] = None
    question: Annotated[
        str, Field(max_length=20_000, description="What the report answers. Left out: the plan's task.")
    ] = ""
    max_chars: Annotated[
        int, Field(ge=500, le=MAX_REPORT, description="The report's length at most, in characters.")
    ] = 8_000
    compose: Annotated[
        Literal["host", "rules", "model"] | None,
        Field(
            description="host: a digest for you to write the answer from. rules: a report by rules. model: a report "
            "by fanfold's own model. Left out: model if fanfold has one, else host."
        ),
    ] = None


class ReadArguments(Value):
    """See the tool `read`."""

    ref: Annotated[
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)],
        Field(description='A ref from an earlier answer, or "runs" for recent runs.'),
    ]
    offset: Annotated[int, Field(ge=0, description="Where to begin, in characters.")] = 0
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE, description="How many characters.")] = 8_000
    find: Annotated[
        str, Field(max_length=500, description="Show only where these words stand, in any case, with what is around.")
    ] = ""


class CancelArguments(Value):
    """See the tool `cancel`."""

    run_id: Annotated[Name, Field(description="The run, r-…, to stop.")]


ARRAYS = frozenset({"items", "subtasks", "changes", "roots", "checks", "findings", "results", "enough_of"})


def read_arguments(tool: str, kind: type[A], given: dict[str, Any]) -> A:
    """The arguments of a call, checked.

    null reads as left out, and an array spelled out inside a string as that array: hosts send both.

    Raises:
        InputError: naming the field and the remedy.
    """
    told = {name: _array(name, value) for name, value in given.items() if value is not None}
    try:
        text = json.dumps(told, ensure_ascii=False)
        return kind.model_validate_json(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    except ValidationError as error:
        raise _input_error(tool, kind, error.errors(include_url=False)) from None
    except (TypeError, ValueError, RecursionError) as error:
        msg = "They cannot be read as JSON."
        raise InputError(msg, field="arguments", remedy="Send plain JSON values, nested less deeply.") from error


def _array(name: str, value: Any) -> Any:
    if name not in ARRAYS or not isinstance(value, str):
        return value
    try:
        parsed: object = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return cast("object", parsed) if isinstance(parsed, list) else value


def _input_error(tool: str, kind: type[Value], errors: list[ErrorDetails]) -> InputError:
    first = errors[0]
    also = "".join(f" Also {_field(e)}: {_problem(tool, e)}" for e in errors[1:MAX_ERRORS_SHOWN])
    more = f" And {len(errors) - MAX_ERRORS_SHOWN:,} more." if len(errors) > MAX_ERRORS_SHOWN else ""
    return InputError(_problem(tool, first) + also + more, field=_field(first), remedy=_remedy(tool, kind, first))


def _field(error: ErrorDetails) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:80]}" for part in error["loc"])
    return path.removeprefix(".")[:300] or "arguments"


def _problem(tool: str, error: ErrorDetails) -> str:
    given: object = error["input"]
    match error["type"]:
        case "missing":
            return "It is missing."
        case "extra_forbidden":
            return f"There is no such argument of {tool}."
        case "string_too_short":
            return "It is blank."
        case "string_pattern_mismatch" | "json_invalid":
            return f"{json.dumps(given)[:60]} is malformed."
        case _:
            shown = f", not {json.dumps(given)[:60]}" if isinstance(given, bool | int | float | str) else ""
            return f"{error['msg']}{shown}."


def _remedy(tool: str, kind: type[Value], error: ErrorDetails) -> str:
    top = str(error["loc"][0]) if error["loc"] else ""
    field = kind.model_fields.get(top)
    if not field:
        return f"{tool} takes: {', '.join(kind.model_fields)}."
    holder = PARTS.get(top)
    if holder and len(error["loc"]) > 1:
        return f"Each of {top} takes: {', '.join(holder.model_fields)}."
    return f"Give {top}: {field.description}"


PARTS: dict[str, type[Value]] = {"subtasks": Draft, "results": HandedArgument}

KEPT = frozenset({"type", "enum", "minimum", "maximum", "items", "required", "default", "description"})


def input_schema(kind: type[Value]) -> dict[str, Any]:
    """The JSON schema of a tool's arguments as hosts are shown it.

    Without references, null branches, titles and patterns, which some hosts reject and every model pays for.
    """
    schema = kind.model_json_schema()
    plain = _plain(schema, schema.get("$defs", {}), KEPT)
    plain.pop("description", None)
    return {**plain, "additionalProperties": False}


def output_schema(kind: type[Value]) -> dict[str, Any]:
    """The JSON schema of an answer: its shape alone, with what may be null left free."""
    schema = kind.model_json_schema(mode="serialization")
    plain = _plain(schema, schema.get("$defs", {}), KEPT - {"description", "default", "enum"}, nulls=True)
    return {**plain, "description": schema["description"]}


def _plain(
    schema: dict[str, Any], parts: dict[str, Any], kept: frozenset[str], nulls: bool = False
) -> dict[str, Any]:
    own = {key: value for key, value in schema.items() if key in kept and value}
    branches = [branch for branch in schema.get("anyOf", ()) if branch.get("type") != "null"]
    if nulls and branches:
        return own
    if "$ref" in schema:
        branches.append(parts[schema["$ref"].rpartition("/")[2]])
    for branch in branches:
        own = _plain(branch, parts, kept, nulls) | own
    if "properties" in schema:
        own["properties"] = {name: _plain(part, parts, kept, nulls) for name, part in schema["properties"].items()}
    if "items" in schema:
        own["items"] = _plain(schema["items"], parts, kept, nulls)
    return own


def ref_of(text: str) -> str:
    """The ref that a ref or a resource's address means: `fanfold://runs/r-…/s1` is `r-…/s1`."""
    if not text.startswith(SCHEME):
        return text
    head, _, rest = text.removeprefix(SCHEME).partition("/")
    return rest or head
