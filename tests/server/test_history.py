"""What earlier runs took, as the journal knows it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.server.test_minds import OWN, TASK, House
from trio.testing import MockClock

from fanfold_server import history as module
from fanfold_server.history import WHAT, calibration, earlier_runs, fit, past_of, took
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.planning.observed import Past
from fanfold_server.records import Estimate, Mode, Plan, Task
from fanfold_server.store import open_journal
from fanfold_workers.accounts import Account, Amount
from fanfold_workers.aside import in_thread, inline
from fanfold_workers.contract import EffortClass, Finding, Result, Status, Subtask, Usage
from fanfold_workers.journal import Journal, MemoryJournal
from fanfold_workers.tools.roots import MemoryRoot


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


USED = Usage(tool_calls=3, model_calls=2, input_tokens=9_000, output_tokens=1_000, usd=0.5)


@dataclass
class Shelf:
    """Puts runs into a journal, as if they had been run."""

    journal: Journal = field(default_factory=MemoryJournal)
    count: int = 0

    async def put(
        self,
        *statuses: Status,
        reports: int = 1,
        joining: int = 2_000,
        engine: str = "model:cheap",
        estimate: Estimate | None = None,
        missing: int = 0,
    ) -> str:
        """A run whose subtasks ended so; `missing` more of them have not."""
        self.count += 1
        name = f"{self.count:012x}"
        subtasks = tuple(
            Subtask(id=f"s{n}", title="look", objective="look", effort=EffortClass.deep)
            for n in range(len(statuses) + missing)
        )
        plan = Plan(
            id=f"p-{name}",
            task=Task(task="Look"),
            mode=Mode.parallel,
            reason="Several.",
            subtasks=subtasks,
            estimate=estimate or Estimate(workers=len(subtasks)),
            engine="model:strong",
            reach=((2, 500),) * len(subtasks),
        )
        await self.journal.record(f"plans/{plan.id}", plan.model_dump_json())
        await self.journal.record(f"runs/r-{name}", plan.id)
        for n, status in enumerate(statuses):
            result = _result(f"s{n}", status, engine)
            await self.journal.record(f"r-{name}/results/s{n}/001", result.model_dump_json())
        workers = Amount(500_000 * len(statuses), 10_000 * len(statuses), 2)
        purse = (Account(f"r-{name}/workers"), Account(f"r-{name}"))
        await self.journal.settle(purse, Amount(), workers, {})
        await self.journal.settle((Account(f"r-{name}"),), Amount(), Amount(100_000, joining, 1), {})
        for n in range(reports):
            await self.journal.record(f"r-{name}/reports/s-{n}", "{}")
        return f"r-{name}"


def _result(subtask: str, status: Status, engine: str) -> Result:
    reason = "" if status is Status.ok else "for some reason"
    found = (Finding(subject="a", claim="b"),)
    return Result(
        subtask=subtask, status=status, reason=reason, engine=engine, findings=found, usage=USED, seconds=3.0
    )


async def test_a_run_of_models_is_read_back_with_all_that_it_took():
    house = House()
    async with house.fanfold() as it:
        plan = await it.plan(TASK)
        run = await it.dispatch(plan.id)
        await it.synthesize(run.id)
        past = await past_of(it.journal, run.id, inline)
        (same,) = await earlier_runs(it.journal, inline)
    assert past
    assert [(s.tokens, s.usd, s.files, s.bytes) for s in past.subtasks] == [(2_200, 0.003, 1, 12)] * 3
    assert sorted(s.seconds for s in past.subtasks) == [2, 3, 3], "two waited while the first filled the cache"
    assert (past.planned, past.reports, past.ended, past.comparable) == (True, 1, 3, True)
    assert (past.tokens, past.joining_tokens) == (8 * 1_100, 2 * 1_100)
    assert same == past


async def test_the_next_plan_rests_on_the_runs_before_it():
    house = House()
    async with house.fanfold() as it:
        before = await it.plan(TASK)
        await it.synthesize((await it.dispatch(before.id)).id)
        after = await it.plan(OWN)
    assert before.estimate.basis.startswith("No run here with cheap yet")
    assert after.estimate.basis.startswith("1 run here with cheap: 3 subtasks;")


async def test_only_runs_that_are_done_count():
    shelf = Shelf()
    done = await shelf.put(Status.ok, Status.partial)
    await shelf.put(Status.ok, missing=1)
    busy = await shelf.put(Status.ok, missing=1)
    await shelf.journal.claim(f"{busy}/results/s1/001")
    assert [past.run for past in await earlier_runs(shelf.journal, inline)] == [done]
    assert await past_of(shelf.journal, "r-nothing", inline) is None


async def test_whoever_was_cut_off_is_known_to_have_needed_more_and_failures_tell_nothing():
    shelf = Shelf()
    run = await shelf.put(
        Status.ok, Status.timed_out, Status.failed, Status.refused, Status.skipped, Status.over_budget
    )
    past = await past_of(shelf.journal, run, inline)
    assert past
    assert [one.whole for one in past.subtasks] == [True, False, False]
    assert not past.comparable


async def test_a_try_that_was_made_again_counts_as_it_ended_last():
    shelf = Shelf()
    run = await shelf.put(Status.timed_out)
    again = _result("s0", Status.ok, "model:cheap").model_copy(update={"attempt": 2, "seconds": 9.0})
    await shelf.journal.record(f"{run}/results/s0/002", again.model_dump_json())
    past = await past_of(shelf.journal, run, inline)
    assert past
    assert [(one.whole, one.seconds) for one in past.subtasks] == [(True, 9.0)]


async def test_plans_of_old_that_say_nothing_of_what_was_in_reach_are_read_too():
    shelf = Shelf()
    run = await shelf.put(Status.ok)
    value = json.loads(await shelf.journal.recall(f"plans/{run.replace('r-', 'p-')}") or "")
    del value["reach"], value["subtasks"][0]["effort"]
    other = MemoryJournal()
    await other.record(f"plans/{run.replace('r-', 'p-')}", json.dumps(value))
    await other.record(f"{run}/results/s0/001", _result("s0", Status.ok, "rules").model_dump_json())
    past = await past_of(other, run, inline)
    assert past
    assert [(one.effort, one.bytes) for one in past.subtasks] == [(EffortClass.normal, 0)]


async def test_no_more_is_read_than_estimates_need(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_RUNS", 4)
    shelf = Shelf()
    runs = [await shelf.put(Status.ok, Status.ok) for _ in range(30)]
    assert [past.run for past in await earlier_runs(shelf.journal, inline)] == runs[:-5:-1]
    monkeypatch.setattr(module, "MOST_SUBTASKS", 5)
    found = await earlier_runs(shelf.journal, inline)
    assert [len(past.subtasks) for past in found] == [2, 2, 1]


async def test_a_result_taken_over_from_another_run_took_no_time():
    shelf = Shelf()
    run = await shelf.put(Status.ok, missing=1)
    kept = _result("s1", Status.ok, "model:cheap").model_copy(update={"seconds": 0.0, "usage": Usage()})
    await shelf.journal.record(f"{run}/results/s1/001", kept.model_dump_json())
    past = await past_of(shelf.journal, run, inline)
    assert past
    assert (past.ended, len(past.subtasks)) == (2, 1)


def past(**changes: object) -> Past:
    known = Past("r-1", (), 3, False, 1, 30_000, 1.6, 2_000, 0.1, 40.0)
    return Past(**{name: changes.get(name, getattr(known, name)) for name in known.__slots__})  # type: ignore[arg-type]


def expecting(usd: Sequence[float], tokens: Sequence[int], seconds: Sequence[float]) -> Estimate:
    return Estimate(
        workers=3,
        usd_low=usd[0],
        usd_mid=usd[1],
        usd_high=usd[2],
        tokens_low=tokens[0],
        tokens_mid=tokens[1],
        tokens_high=tokens[2],
        seconds_low=seconds[0],
        seconds_mid=seconds[1],
        seconds_high=seconds[2],
    )


RIGHT = expecting((1, 1.5, 2), (20_000, 30_000, 40_000), (30, 50, 60))
WRONG = expecting((2, 3, 4), (1_000, 2_000, 3_000), (30, 50, 60))


def test_an_estimate_is_held_against_what_came():
    assert [fit(RIGHT, past(), what) for what in WHAT] == ["in", "in", "in"]
    assert [fit(WRONG, past(), what) for what in WHAT] == ["under", "over", "in"]


@pytest.mark.parametrize("changes", [{"comparable": False}, {"reports": 0}, {"tokens": 0}])
def test_a_run_that_was_cut_off_or_has_no_report_is_held_against_nothing(changes: dict[str, object]):
    assert fit(RIGHT, past(**changes), "usd") is None
    assert fit(RIGHT, None, "usd") is None
    assert fit(Estimate(workers=1, usd_high=3), past(), "usd") is None


def test_of_several_reports_one_was_estimated():
    assert took(past(reports=2), "tokens") == 29_000
    assert took(past(reports=2), "usd") == pytest.approx(1.55)


def test_calibration_is_one_line():
    pairs = [(RIGHT, past()), (WRONG, past()), (RIGHT, past(reports=0)), (RIGHT, None)]
    assert calibration(pairs).line() == (
        "Of the last 2 runs with a cost, within p10 and p90 of the estimate: dollars 1, tokens 1, seconds 2."
    )
    assert calibration([]).line() == ""


async def test_what_was_estimated_stands_beside_what_came_in_the_runs_and_the_run():
    shelf = Shelf()
    run = await shelf.put(Status.ok, Status.ok, Status.ok, estimate=RIGHT)
    await shelf.put(Status.ok, Status.ok, Status.ok, estimate=WRONG, reports=0)
    async with Orchestrator(journal=shelf.journal, aside=inline, roots={"code": MemoryRoot("code", {})}) as it:
        listed, shown = await it.refs.text("runs"), await it.refs.text(run)
    unknown, known, last = listed.splitlines()
    assert "$1.6000, estimated $1.00 to $2.00, p50 $1.50, in  Look" in known
    assert "$1.6000, estimated $2.00 to $4.00, p50 $3.00  Look" in unknown
    assert last.startswith("Of the last run with a cost, within p10 and p90 of the estimate: dollars 1, tokens 1,")
    assert "Against p10 to p90 of the estimate: dollars in, tokens in, seconds" in shown


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=False)
async def test_it_is_read_from_a_journal_on_disk(tmp_path: Path, anyio_backend: str):
    async with open_journal(tmp_path) as journal:
        shelf = Shelf(journal)
        runs = [await shelf.put(Status.ok) for _ in range(3)]
        assert [past.run for past in await earlier_runs(journal, in_thread)] == runs[::-1]
