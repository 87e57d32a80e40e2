"""Plans that wait for a person's approval, without any face."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from fanfold_server.approving import Thresholds, agents_in
from fanfold_server.minds import Minds, Seat
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Draft, Estimate, Mode, Plan, RunState, Task
from fanfold_workers.aside import inline
from fanfold_workers.contract import Result, Scope, Status, Subtask
from fanfold_workers.errors import ApprovalNeededError, UnknownNameError
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, FunctionModel, Reply, Tokens, calling

DRAFTS = (Draft(title="Look at a"), Draft(title="Look at b"), Draft(title="Look at c"))
TASK = Task(task="Look", subtasks=DRAFTS)


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def a_plan(usd_high: float, agents: int, ruled: int = 0) -> Plan:
    subtasks = [Subtask(id=f"s{n}", title="Look", objective="Look", scope=Scope()) for n in range(agents)]
    subtasks += [
        Subtask(id=f"c{n}", title="Look", objective="Look", scope=Scope(), checks=("secrets",)) for n in range(ruled)
    ]
    estimate = Estimate(workers=len(subtasks), usd_high=usd_high)
    return Plan(id="p-1", task=TASK, mode=Mode.parallel, reason="", subtasks=tuple(subtasks), estimate=estimate)


@pytest.mark.parametrize(
    ("usd", "workers", "plan", "waits_for"),
    [
        (None, None, a_plan(9_000, 5_000), []),
        (2.0, None, a_plan(2.0, 9), []),
        (2.0, None, a_plan(2.0001, 9), ["approve_above_usd"]),
        (0.0, None, a_plan(0.0, 9), []),
        (0.0, None, a_plan(0.0001, 9), ["approve_above_usd"]),
        (None, 9, a_plan(2.0, 9, ruled=50), []),
        (None, 9, a_plan(2.0, 10), ["approve_above_workers"]),
        (None, 0, a_plan(0.0, 0, ruled=50), []),
        (None, 0, a_plan(0.0, 1), ["approve_above_workers"]),
        (2.0, 9, a_plan(3.0, 10), ["approve_above_usd", "approve_above_workers"]),
    ],
)
def test_a_plan_waits_only_above_what_a_person_set(
    usd: float | None, workers: int | None, plan: Plan, waits_for: list[str]
) -> None:
    why = Thresholds(usd, workers).passed_by(plan)

    assert [name for name in ("approve_above_usd", "approve_above_workers") if name in why] == waits_for
    assert bool(why) == bool(waits_for)


def test_what_is_done_already_needs_no_approval() -> None:
    plan = a_plan(0, 5).model_copy(update={"kept": ("s0", "s4")})

    assert agents_in(plan) == 3
    assert Thresholds(workers=3).passed_by(plan) == ""


# -- dispatch --------------------------------------------------------------------------------------------------------

worked: list[str] = []


async def worker(subtask: Subtask) -> Result:
    worked.append(subtask.id)
    if subtask.id == "s2" and worked.count("s2") == 1:
        return Result(subtask=subtask.id, status=Status.failed, reason="out of luck")
    return Result.ended(subtask.id, text="Seen.")


def opened(journal: MemoryJournal | None = None, **parts: Any) -> Orchestrator:
    worked.clear()
    given: dict[str, Any] = {"worker": worker, "thresholds": Thresholds(workers=2), **parts}
    return Orchestrator(journal=journal or MemoryJournal(), aside=inline, **given)


@pytest.mark.parametrize("how", [{}, {"retry": True}, {"detach": True}, {"wait": 0}, {"max_usd": 0.01}])
async def test_nothing_is_started_before_a_person_has_approved_however_it_is_asked_for(how: dict[str, Any]) -> None:
    async with opened() as fanfold:
        plan = await fanfold.plan(TASK)
        with pytest.raises(ApprovalNeededError) as refused:
            await fanfold.dispatch(plan.id, **how)

        assert [entry.key for entry in await fanfold.journal.entries("")] == [f"plans/{plan.id}"]
    assert worked == []
    assert (refused.value.field, refused.value.plan_id) == ("plan_id", plan.id)
    assert "3 of its subtasks take an agent, more than approve_above_workers lets pass (2)." in refused.value.problem
    assert "Estimated: " in refused.value.problem
    assert f"fanfold approve {plan.id}" in refused.value.remedy


async def test_an_approved_plan_runs_and_goes_on_and_is_tried_again_without_another_word() -> None:
    journal = MemoryJournal()
    async with opened(journal) as fanfold:
        plan = await fanfold.plan(TASK)
        given = await fanfold.approve(plan.id, by="somebody")
        again = await fanfold.approve(plan.id.replace("p-", "r-"), by="somebody else")
        first = await fanfold.dispatch(plan.id)
    worked_on = list(worked)
    async with opened(journal) as fanfold:
        worked.append("s2")
        second = await fanfold.dispatch(plan.id, retry=True)

    assert (given.by, given.workers, again) == ("somebody", 3, given)
    assert (sorted(worked_on), first.counts) == (["s1", "s2", "s3"], {Status.ok: 2, Status.failed: 1})
    assert second.counts == {Status.ok: 3}


async def test_an_approval_is_for_that_plan_alone() -> None:
    async with opened() as fanfold:
        plan = await fanfold.plan(TASK)
        await fanfold.approve(plan.id, by="somebody")
        other = await fanfold.plan(Task(task="Look", subtasks=(*DRAFTS, Draft(title="Look at d"))))
        with pytest.raises(ApprovalNeededError):
            await fanfold.dispatch(other.id)
        with pytest.raises(UnknownNameError):
            await fanfold.approve("p-none", by="somebody")


async def test_a_run_that_is_done_is_looked_at_unasked_but_not_done_again() -> None:
    journal = MemoryJournal()
    async with opened(journal, thresholds=None) as fanfold:
        plan = await fanfold.plan(TASK)
        await fanfold.dispatch(plan.id)
    async with opened(journal) as fanfold:
        assert (await fanfold.dispatch(plan.id)).state is RunState.done
        assert await fanfold.approval_needed(plan.id) is None
        with pytest.raises(ApprovalNeededError):
            await fanfold.dispatch(plan.id, retry=True)
        assert await fanfold.approval_needed(plan.id, retry=True)
    assert worked == []


async def test_what_a_plan_is_and_who_approved_it_can_be_read() -> None:
    async with opened() as fanfold:
        plan = await fanfold.plan(TASK)
        before = (await fanfold.refs.text(plan.id)).splitlines()
        await fanfold.approve(plan.id, by="somebody")
        after = (await fanfold.refs.text(plan.id)).splitlines()

    assert before[1].startswith("Waits for a person's approval. 3 of its subtasks take an agent, more than ")
    assert after[1].startswith("Approved by somebody, 20")
    assert (after[0], after[2:]) == (before[0], before[2:])


@pytest.mark.parametrize("home", [Path("/tmp/a b"), None])
async def test_the_remedy_names_the_journal_where_it_is_not_in_its_usual_place(
    home: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FANFOLD_HOME", raising=False)
    async with opened(home=home) as fanfold:
        plan = await fanfold.plan(TASK)
        needed = await fanfold.approval_needed(plan.id)

    assert needed
    named = f" --home {shlex.quote(str(home))}" if home else ""
    assert needed.remedy.endswith(f"fanfold approve {plan.id}{named}")


# -- money -----------------------------------------------------------------------------------------------------------


async def report(ask: Ask) -> Reply:
    return calling(("report", {"summary": "Seen.", "gaps": []}), usage=Tokens(input=1_000, output=100))


def minds(price: Price) -> Minds:
    seat = Seat(FunctionModel(report), Card("simulated", 200_000, 4_000, price))
    return Minds(seat, seat, 50, 50)


async def test_money_is_compared_with_the_estimates_high_end() -> None:
    journal = MemoryJournal()
    thinking = {"worker": None, "minds": minds(Price(1, 5, 0.1, 1.25))}
    async with opened(journal, thresholds=None, **thinking) as fanfold:
        high = (await fanfold.plan(TASK)).estimate.usd_high
    async with opened(journal, thresholds=Thresholds(usd=high), **thinking) as fanfold:
        assert await fanfold.approval_needed((await fanfold.plan(TASK)).id) is None
    async with opened(journal, thresholds=Thresholds(usd=high - 0.0001), **thinking) as fanfold:
        plan = await fanfold.plan(TASK)
        with pytest.raises(ApprovalNeededError, match="approve_above_usd"):
            await fanfold.dispatch(plan.id)
        await fanfold.approve(plan.id, by="somebody")
        assert (await fanfold.dispatch(plan.id)).state is RunState.done


@pytest.mark.parametrize(("price", "waits"), [(Price(1, 5, 0.1, 1.25), True), (Price(0, 0, 0, 0), False)])
async def test_a_plan_priced_without_models_waits_where_models_that_cost_would_do_it(
    price: Price, waits: bool
) -> None:
    journal = MemoryJournal()
    async with opened(journal, thresholds=None, worker=None) as fanfold:
        plan = await fanfold.plan(TASK)
    async with opened(journal, thresholds=Thresholds(usd=1_000), worker=None, minds=minds(price)) as fanfold:
        needed = await fanfold.approval_needed(plan.id)

    assert plan.estimate.usd_high == 0
    assert bool(needed) == waits
