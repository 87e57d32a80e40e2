"""Findings as a model writes them, read one by one, so that one slip does not cost the rest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from .contract import MAX_FINDINGS, Evidence, Finding, Severity

_TEXT = {"type": "string"}
FINDING_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "One claim about one subject.",
    "properties": {
        "subject": {**_TEXT, "description": "What it is about, spelled as the source spells it."},
        "claim": {**_TEXT, "description": "One or two sentences."},
        "severity": {"enum": ["critical", "high", "medium", "low", "info"]},
        "confidence": {"type": "number", "description": "0 to 1."},
        "evidence": {
            "type": "array",
            "description": "Where it can be checked.",
            "items": {
                "type": "object",
                "properties": {
                    "source": {**_TEXT, "description": "root:path/to/file, or a URL."},
                    "locator": {**_TEXT, "description": "L12 or L12-L14; left out if unknown."},
                    "quote": {**_TEXT, "description": "Copied verbatim; it is compared with the source."},
                },
                "required": ["source"],
            },
        },
        "attribute": {**_TEXT, "description": "The property claimed, if it has a value: license, version."},
        "value": {**_TEXT, "description": "That value."},
        "kind": {**_TEXT, "description": "Dotted, lower case: security.key. Default claim."},
        "count": {"type": "integer", "description": "Occurrences it stands for."},
    },
    "required": ["subject", "claim"],
}
"""A finding as a caller writes it. It is read leniently, one by one, so that one slip does not cost the rest."""

OURS = frozenset({"id", "verdict", "actual"})
"""Fields that only fanfold fills in."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A finding that could not be read.

    Attributes:
        field: `findings[3].severity`.
        problem: what is wrong with it.
    """

    field: str
    problem: str


def read_findings(given: Sequence[object]) -> tuple[tuple[Finding, ...], tuple[Refused, ...]]:
    """The findings that fit the contract, and why the others do not.

    Severity and confidence may be left out (info, 0.5); ids and verdicts are ours to give and are ignored, so that
    nobody outside can give evidence a verdict that no look at its source has earned.
    """
    read: list[Finding] = []
    refused: list[Refused] = []
    for index, item in enumerate(given[: 2 * MAX_FINDINGS]):
        try:
            read.append(Finding.model_validate_json(_json(item)))
        except ValidationError as error:
            refused.extend(_problems(f"findings[{index}]", error))
        except ValueError as error:
            refused.append(Refused(f"findings[{index}]", str(error)))
    if len(read) > MAX_FINDINGS:
        refused.append(Refused("findings", f"only the first {MAX_FINDINGS:,} are kept"))
    return tuple(read[:MAX_FINDINGS]), tuple(refused)


def _json(item: object) -> str:
    if not isinstance(item, Mapping):
        msg = f"is a {type(item).__name__}, not an object with subject, claim and evidence"
        raise ValueError(msg)
    fields = {str(key): value for key, value in cast("Mapping[str, object]", item).items() if key != "id"}
    evidence = fields.get("evidence")
    if isinstance(evidence, list | tuple):
        fields["evidence"] = [_without_verdict(part) for part in cast("Sequence[object]", evidence)]
    return json.dumps(fields)


def _without_verdict(part: object) -> object:
    if not isinstance(part, Mapping):
        return part
    return {key: value for key, value in cast("Mapping[str, object]", part).items() if key not in OURS}


def _problems(where: str, error: ValidationError) -> list[Refused]:
    found: list[Refused] = []
    for problem in error.errors(include_url=False)[:3]:
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in problem["loc"])
        text = problem["msg"]
        if problem["type"] == "extra_forbidden":
            known = Evidence if ".evidence[" in path else Finding
            text = f"is not a field; use {', '.join(n for n in known.model_fields if n not in OURS)}"
        elif path.endswith(".severity"):
            text = f"must be one of {', '.join(Severity)}"
        found.append(Refused(where + path, text))
    return found
