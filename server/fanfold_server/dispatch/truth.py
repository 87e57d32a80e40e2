"""A Result for whatever became of an attempt: none says more than is true."""

from collections.abc import Sequence
from typing import cast

from fanfold_workers.accounts import Amount
from fanfold_workers.contract import MAX_FINDINGS, MAX_REASON_CHARS, Prior, Result, Status, Subtask, Usage, numbered
from fanfold_workers.work import Step, Worker, doer

from .attempt import Attempt
from .notes import JournalNotes

MAX_GAPS, MAX_GAP_CHARS = 200, 300


async def attempted(worker: Worker, subtask: Subtask, notes: JournalNotes) -> Result:
    """What the worker returns, or a failed Result if it raises or returns something else."""
    try:
        result = cast("object", await worker.work(subtask, notes))
    except Exception as error:
        return _failed(worker, subtask, f"the worker crashed: {type(error).__name__}: {error}")
    if not isinstance(result, Result):
        return _failed(worker, subtask, f"the worker returned {type(result).__name__}, not a Result")
    if result.subtask != subtask.id:
        return _failed(worker, subtask, f"the worker answered for {result.subtask}")
    return result


def _failed(worker: Worker, subtask: Subtask, reason: str) -> Result:
    reason = " ".join(reason.split())[:MAX_REASON_CHARS]
    return Result(subtask=subtask.id, status=Status.failed, reason=reason, engine=doer(worker, subtask).engine)


def skipped(attempt: Attempt, engine: str, why: str) -> Result:
    """The Result of an attempt that was never started."""
    subtask, reason = attempt.subtask.id, why[:MAX_REASON_CHARS]
    return Result(subtask=subtask, status=Status.skipped, reason=reason, engine=engine[:100], attempt=attempt.number)


def cut_off(attempt: Attempt, engine: str, status: Status, why: str, last: Step | None, spent: Amount) -> Result:
    """The Result of a worker that was cut off: what it had looked at, what its calls had cost, where it was."""
    step = last or Step("turn", "")
    usage = step.usage if last else Usage()
    at = f", at {last.note}" if last and last.note else ""
    return Result(
        subtask=attempt.subtask.id,
        status=status,
        reason=f"{why}{at}"[:MAX_REASON_CHARS],
        engine=engine[:100],
        examined=step.examined,
        usage=usage.model_copy(
            update={"usd": spent.usd, "model_calls": max(usage.model_calls, spent.calls)},
        ),
    )


def settled(result: Result, notes: JournalNotes, attempt: int, seconds: float) -> Result:
    """The Result as it is recorded: with all that was noted, numbered, timed, and ok only if nothing was lost."""
    known = {finding.id for finding in notes.findings}
    own = [finding for finding in result.findings if finding.id not in known]
    every = (*notes.findings, *numbered(result.subtask, own, start=len(notes.findings) + 1))
    changes: dict[str, object] = {
        "findings": every[:MAX_FINDINGS],
        "attempt": attempt,
        "seconds": result.seconds or seconds,
    }
    if (lost := notes.dropped + len(every[MAX_FINDINGS:])) and result.status is Status.ok:
        changes |= {"status": Status.truncated, "reason": f"{lost} findings past {MAX_FINDINGS:,} were left out"}
    return Result.model_validate({**dict(result), **changes})


def lacking(result: Result, missed: Sequence[Prior]) -> Result:
    """The Result of a subtask that ran without what some prerequisites should have found: partial, with the gaps."""
    if not missed:
        return result
    gaps = [f"It ran without {p.result.subtask} ({p.result.status}: {p.result.reason})" for p in missed]
    kept = tuple(dict.fromkeys(" ".join(gap.split())[:MAX_GAP_CHARS] for gap in (*gaps, *result.gaps)))[:MAX_GAPS]
    changes: dict[str, object] = {"gaps": kept}
    if result.status is Status.ok:
        names = ", ".join(prior.result.subtask for prior in missed)
        changes |= {"status": Status.partial, "reason": f"it ran without {names}, which gave no usable result"}
    return Result.model_validate({**dict(result), **changes})
