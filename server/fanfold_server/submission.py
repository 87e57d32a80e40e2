"""What a host's own sub-agent hands in."""

from collections.abc import Sequence
from dataclasses import dataclass

from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.records import Estimate, Handed, Mode, Plan, Task
from fanfold_server.runs import digest
from fanfold_workers.contract import MAX_TEXT_CHARS, Finding, Result, Status, Subtask
from fanfold_workers.errors import InputError
from fanfold_workers.lenient import Refused


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
