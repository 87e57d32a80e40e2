"""What a host's sub-agent hands in, read leniently finding by finding so that one slip does not cost the rest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import ValidationError

from fanfold_server.dispatch.dispatcher import Attempt
from fanfold_server.records import Estimate, Handed, Mode, Plan, Task
from fanfold_server.runs import digest
from fanfold_workers.contract import (
    MAX_FINDINGS,
    MAX_TEXT_CHARS,
    Evidence,
    Finding,
    Result,
    Severity,
    Status,
    Subtask,
)
from fanfold_workers.errors import InputError


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

    Severity and confidence may be left out (info, 0.5); ids and verdicts are ours to give and are ignored.
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
    if isinstance(evidence, list):
        fields["evidence"] = [_without_verdict(part) for part in cast("list[object]", evidence)]
    return json.dumps(fields)


def _without_verdict(part: object) -> object:
    if not isinstance(part, Mapping):
        return part
    return {key: value for key, value in cast("Mapping[str, object]", part).items() if key != "verdict"}


def _problems(where: str, error: ValidationError) -> list[Refused]:
    found: list[Refused] = []
    for problem in error.errors(include_url=False)[:3]:
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in problem["loc"])
        text = problem["msg"]
        if problem["type"] == "extra_forbidden":
            known = Evidence if ".evidence[" in path else Finding
            text = f"is not a field; use {', '.join(n for n in known.model_fields if n not in ('id', 'verdict'))}"
        elif path.endswith(".severity"):
            text = f"must be one of {', '.join(Severity)}"
        found.append(Refused(where + path, text))
    return found


@dataclass(frozen=True, slots=True)
class Submission:
    """What was handed in for one subtask.

    Attributes:
        findings: as they came, unread.
        text: prose, at most 2,000,000 characters.
        status: how its worker says it ended; ok if left out.
        reason: why it is not ok.
    """

    findings: Sequence[object] = ()
    text: str = ""
    status: Status | None = None
    reason: str = ""

    def result(self, attempt: Attempt, findings: tuple[Finding, ...], earlier: str) -> Result:
        """The Result of these findings and all prose. A claim of `ok` with nothing in it becomes `failed`."""
        text = joined_prose(earlier, self.text)
        status, reason = self.status or Status.ok, self.reason.strip()
        if status is Status.ok and not (findings or text.strip()):
            status, reason = Status.failed, "its submission came back empty"
        if status is not Status.ok and not reason:
            reason = f"its sub-agent called it {status}"
        return Result(
            subtask=attempt.subtask.id,
            status=status,
            reason="" if status is Status.ok else reason,
            engine="host",
            findings=findings,
            text=text,
            attempt=attempt.number,
        )


def joined_prose(*parts: str) -> str:
    """The parts that say something, a blank line between them, as much as a Result holds."""
    return "\n\n".join(part for part in parts if part.strip())[:MAX_TEXT_CHARS]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a submission.

    Attributes:
        accepted: findings kept, with ids and the verdicts on their quotes.
        refused: findings that could not be read; the subtask stays open for them.
        result: the Result recorded; None while the subtask is open.
    """

    accepted: tuple[Finding, ...]
    refused: tuple[Refused, ...]
    result: Result | None


def handed_plan(question: str, handed: Sequence[Handed]) -> Plan:
    """A plan whose subtasks were all done elsewhere.

    Raises:
        InputError: if there are no results, or two share an id.
    """
    if not handed:
        msg = "There is nothing to join."
        raise InputError(msg, field="results", remedy="Hand in at least one result, or name a run_id.")
    ids = [one.result.subtask for one in handed]
    if twice := next((name for name in ids if ids.count(name) > 1), None):
        msg = f"Two results are called {twice}."
        raise InputError(msg, field="results", remedy="Give each its own id, or leave the ids out.")
    task = question.strip() or "What do these results say?"
    return Plan(
        id="p-" + digest(task, *(one.model_dump_json() for one in handed)),
        task=Task(task=task),
        mode=Mode.parallel,
        reason="The results were handed in.",
        subtasks=tuple(Subtask(id=one.result.subtask, title=one.title, objective=task[:8_000]) for one in handed),
        estimate=Estimate(workers=len(handed), basis="done elsewhere"),
        engine="host",
    )
