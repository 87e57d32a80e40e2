"""The tools that every worker has: to note findings, to see an earlier answer again, to report."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fanfold_workers.errors import InputError
from fanfold_workers.lenient import FINDING_SCHEMA
from fanfold_workers.models.model import ToolSpec
from fanfold_workers.tools.legible import in_line

NOTE, AGAIN, REPORT = "note_findings", "read_again", "report"


class _Given(BaseModel):
    """What a model hands over: read leniently, since refusing a whole report for one odd field would lose it."""

    model_config = ConfigDict(extra="ignore")


class Adopted(_Given):
    """Findings of an inspection to be taken over."""

    ref: Annotated[str, Field(description="The call, as its answer names it: `t2.0`.")]
    only: Annotated[list[int], Field(description="Which lines of its list, from 1; all if left out.")] = []


class NoteArguments(_Given):
    """What `note_findings` takes."""

    findings: list[Any] = []
    adopt: list[Adopted] = []


class AgainArguments(_Given):
    """What `read_again` takes."""

    ref: Annotated[str, Field(description="The call whose answer you want: `t2.0`.")]
    offset: Annotated[int, Field(ge=0, description="Begin at this character.")] = 0


class ReportArguments(_Given):
    """What `report` takes."""

    summary: str = ""
    findings: list[Any] = []
    adopt: list[Adopted] = []
    gaps: list[Any] = []


_ADOPT = {
    "type": "array",
    "description": "Findings of an inspection to take over as they are.",
    "items": {
        "type": "object",
        "properties": {
            "ref": {"type": "string", "description": "The call, as its answer names it: `t2.0`."},
            "only": {
                "type": "array",
                "items": {"type": "integer"},
                "description": "Lines of its list; all if empty.",
            },
        },
        "required": ["ref"],
    },
}
_FINDINGS = {"type": "array", "items": FINDING_SCHEMA}


def _spec(name: str, description: str, properties: Mapping[str, object], required: list[str]) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "required": required}
    return ToolSpec(name, description, json.dumps(schema))


SPECS = (
    _spec(
        NOTE,
        "Write findings down, several at a time. They are kept at once.",
        {"findings": _FINDINGS, "adopt": _ADOPT},
        [],
    ),
    _spec(
        AGAIN,
        "See the answer of an earlier tool call again, from any character of it.",
        {"ref": {"type": "string"}, "offset": {"type": "integer"}},
        ["ref"],
    ),
    _spec(
        REPORT,
        "End the subtask: the answer in short, findings not noted yet, what stays open.",
        {
            "summary": {"type": "string"},
            "findings": _FINDINGS,
            "adopt": _ADOPT,
            "gaps": {"type": "array", "items": {"type": "string"}, "description": "What stays open, and why."},
        },
        ["summary", "gaps"],
    ),
)
NAMES = frozenset(spec.name for spec in SPECS)


def read_arguments(kind: type[BaseModel], name: str, given: Mapping[str, object]) -> Any:
    """The arguments of a built-in tool.

    Raises:
        InputError: naming the first that cannot be.
    """
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        known = ", ".join(kind.model_fields)
        problem = in_line(f"{first['msg']}.", 500)
        raise InputError(problem, field=f"{name}.{in_line(where)}", remedy=f"It takes: {known}.") from error
