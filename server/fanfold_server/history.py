"""What earlier runs took, read back from the journal: estimates rest on it, and are held against it.

Read are the latest runs that are done, at most MOST_RUNS of them and MOST_SUBTASKS subtasks: of each its plan, its
Results without their findings, and its accounts.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import anyio
from pydantic import BaseModel, ConfigDict

from fanfold_server.planning.observed import Observed, Past
from fanfold_server.records import Estimate
from fanfold_server.runs import plan_of, run_of
from fanfold_workers.accounts import Amount
from fanfold_workers.aside import Aside
from fanfold_workers.contract import EffortClass, Status, Usage
from fanfold_workers.journal import Entry, Journal

MOST_RUNS, MOST_SUBTASKS = 50, 2_000
LISTED = 4 * MOST_RUNS
"""Runs looked at to find so many that are done."""
AT_ONCE = 10
MOST_PRICED = 20
"""Of so many of them the accounts are read too, for what planning and reports took."""

WHOLE = frozenset({Status.ok, Status.partial})
CUT = frozenset({Status.cancelled, Status.timed_out, Status.over_budget, Status.truncated})
"""How a worker ends that would have taken more."""
UNFIT = CUT | {Status.skipped}
"""With one of these, a run says nothing of what was estimated for it."""

Fit = Literal["under", "in", "over"]
What = Literal["usd", "tokens", "seconds"]
WHAT: tuple[What, ...] = ("usd", "tokens", "seconds")


class _Read(BaseModel):
    """What is read of a record; the rest is passed over. Built when first used: most processes never do."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class _Subtask(_Read):
    id: str
    checks: tuple[str, ...] = ()
    effort: EffortClass = EffortClass.normal
    depends_on: tuple[str, ...] = ()


class _Plan(_Read):
    subtasks: tuple[_Subtask, ...]
    engine: str
    reach: tuple[tuple[int, int], ...] = ()


class _Result(_Read):
    subtask: str
    status: Status
    engine: str
    usage: Usage
    seconds: float
    attempt: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the journal holds of a run: its plan, its Results, how many reports, and what was spent.

    `all_read` says that there are no more Results; `spent` has all, then what workers spent, None if nobody asked.
    """

    run: str
    plan: str
    results: tuple[Entry, ...]
    all_read: bool
    reports: int
    spent: tuple[Amount, Amount] | None


async def earlier_runs(journal: Journal, aside: Aside) -> tuple[Past, ...]:
    """The latest runs that are done, newest first. Of those after the first MOST_PRICED only workers are known."""
    entries = await journal.entries("runs/", newest=LISTED, keys_only=True)
    names = [entry.key.removeprefix("runs/") for entry in entries]
    found: list[Past] = []
    for at in range(0, len(names), AT_ONCE):
        priced = len(found) < MOST_PRICED
        few = await anyio.amap(lambda run: _stored(journal, run, priced=priced), names[at : at + AT_ONCE])  # noqa: B023
        found += await aside(lambda: [past for one in few if one and (past := _past(one)) and past.subtasks])  # noqa: B023
        if len(found) >= MOST_RUNS or sum(len(past.subtasks) for past in found) >= MOST_SUBTASKS:
            break
    return _bounded(found[:MOST_RUNS])


async def past_of(journal: Journal, run_id: str, aside: Aside) -> Past | None:
    """What a run took; None while it is not done, or if it is gone."""
    stored = await _stored(journal, run_of(run_id), priced=True)
    return await aside(lambda: _past(stored)) if stored else None


async def _stored(journal: Journal, run: str, *, priced: bool) -> _Stored | None:
    plan = await journal.recall(f"plans/{plan_of(run)}")
    # Reports, results, and what was tried again: one look for all that begins so.
    entries = await journal.entries(f"{run}/re", newest=MOST_SUBTASKS)
    results = tuple(entry for entry in entries if entry.key.startswith(f"{run}/results/"))
    if not plan or not results or any(entry.value is None for entry in results):
        return None
    reports = sum(entry.key.startswith(f"{run}/reports/") for entry in entries)
    all_read = len(entries) < MOST_SUBTASKS
    if not priced:
        return _Stored(run, plan, results, all_read, 0, None)
    whole, workers = await journal.standing(run), await journal.standing(f"{run}/workers")
    return _Stored(run, plan, results, all_read, reports, (whole.spent, workers.spent))


def _past(stored: _Stored) -> Past | None:
    plan = _Plan.model_validate_json(stored.plan)
    every = [(entry.at, _result(entry.value or "")) for entry in stored.results]
    results: dict[str, _Result] = {}
    for _, result in sorted(every, key=lambda one: one[1].attempt):
        results[result.subtask] = result
    # Of a run with more subtasks than are read, the latest stand for all.
    if len(results) < len(plan.subtasks) and stored.all_read:
        return None
    statuses = {result.status for result in results.values()}
    whole, workers = stored.spent or (Amount(), Amount())
    joining = whole - workers
    return Past(
        run=stored.run,
        subtasks=tuple(_observed(plan, results)),
        ended=len(plan.subtasks),
        planned=plan.engine.startswith("model:"),
        reports=stored.reports,
        tokens=whole.tokens,
        usd=whole.usd,
        joining_tokens=max(0, joining.tokens),
        joining_usd=max(0.0, joining.usd),
        seconds=_at_work((at - result.seconds, at) for at, result in every if result.seconds),
        comparable=not statuses & UNFIT and len(results) == len(plan.subtasks),
    )


def _result(value: str) -> _Result:
    """A Result without what was found, which stands between what is wanted and is most of it."""
    start, end = value.find(',"summary":'), value.rfind(',"examined":')
    # Within a text either would have a backslash before its quotes.
    return _Result.model_validate_json(value[:start] + value[end:] if 0 < start < end else value)


def _observed(plan: _Plan, results: dict[str, _Result]) -> Iterable[Observed]:
    reaches = plan.reach if len(plan.reach) == len(plan.subtasks) else ((0, 0),) * len(plan.subtasks)
    at: dict[str, int] = {}
    for subtask, (files, size) in zip(plan.subtasks, reaches, strict=True):
        result = results.get(subtask.id)
        # One that was taken over from another run took no time.
        if not result or not result.seconds or result.status not in WHOLE | CUT:
            continue
        waits = tuple(at[other] for other in subtask.depends_on if other in at)
        at[subtask.id] = len(at)
        yield Observed(
            engine=result.engine,
            effort=subtask.effort,
            checks=subtask.checks,
            files=files,
            bytes=size,
            tokens=result.usage.input_tokens + result.usage.output_tokens,
            usd=result.usage.usd,
            seconds=result.seconds,
            whole=result.status in WHOLE,
            waits=waits,
        )


def _at_work(spans: Iterable[tuple[float, float]]) -> float:
    """For how long at least one was at it, whatever lay between."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


def _bounded(found: Sequence[Past]) -> tuple[Past, ...]:
    """The runs with MOST_SUBTASKS subtasks in all; of the last what there is room for."""
    kept: list[Past] = []
    room = MOST_SUBTASKS
    for past in found:
        if room <= 0:
            break
        kept.append(replace(past, subtasks=past.subtasks[:room]))
        room -= len(past.subtasks)
    return tuple(kept)


# -- estimates held against it ------------------------------------------------------------------------------------


def took(past: Past, what: What) -> float:
    """What a run took of what an estimate speaks of: of several reports, one."""
    if what == "seconds":
        return past.seconds
    joining = past.joining_usd if what == "usd" else past.joining_tokens
    whole = past.usd if what == "usd" else past.tokens
    return whole - joining + joining / max(1, past.reports)


def fit(estimate: Estimate, past: Past | None, what: What) -> Fit | None:
    """Whether what came is within p10 and p90; None where the two cannot be compared.

    They can where every subtask was begun, none was cut off, and a report was made; see Past.
    """
    low, mid, high = (getattr(estimate, f"{what}_{part}") for part in ("low", "mid", "high"))
    if not (past and past.comparable and past.reports and past.tokens and mid):
        return None
    came = took(past, what)
    return "under" if came < low else "over" if came > high else "in"


@dataclass(frozen=True, slots=True)
class Calibration:
    """How many estimates were right.

    Attributes:
        runs: how many could be held against what came.
        within: of those, where it was within p10 and p90, by what was estimated.
    """

    runs: int
    within: dict[What, int]

    def line(self) -> str:
        """In words, "" if there is none."""
        if not self.runs:
            return ""
        last = "the last run" if self.runs == 1 else f"the last {self.runs} runs"
        return (
            f"Of {last} with a cost, within p10 and p90 of the estimate: dollars {self.within['usd']}, "
            f"tokens {self.within['tokens']}, seconds {self.within['seconds']}."
        )


def calibration(pairs: Iterable[tuple[Estimate, Past | None]]) -> Calibration:
    """How well these estimates did."""
    fits = [{what: fit(estimate, past, what) for what in WHAT} for estimate, past in pairs]
    known = [one for one in fits if one["usd"]]
    counts = Counter(what for one in known for what in WHAT if one[what] == "in")
    return Calibration(len(known), {what: counts[what] for what in WHAT})
