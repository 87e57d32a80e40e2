"""The three verbs with models of fanfold's own: scripted ones, over a journal in memory and in virtual time."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from fanfold_server.dispatch.policy import Policy
from fanfold_server.minds import Minds, Seat, today
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Draft, RunState, Task
from fanfold_workers.accounts import Amount
from fanfold_workers.aside import inline
from fanfold_workers.contract import Status
from fanfold_workers.errors import CannotDoError, InputError, KeyRefusedError, OverBudgetError
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, FunctionModel, Reply, Tokens, calling, saying
from fanfold_workers.tools.roots import MemoryRoot

LEAD = Card("strong", 200_000, 8_000, Price(4, 20, 0.2, 5))
WORKER = Card("cheap", 200_000, 4_000, Price(1, 5, 0.1, 1.25))
FILES = {f"{name}/settings.py": f"TIMEOUT = {n}\n" for n, name in enumerate(("ash", "beech", "cedar"), 1)}
USED = Tokens(input=1_000, output=100)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@dataclass
class House:
    """Models that plan a worker for each folder, look, and write; each call takes a second."""

    journal: MemoryJournal = field(default_factory=MemoryJournal)
    asked: list[Ask] = field(default_factory=list)
    worker: Callable[[Ask], Reply] | None = None

    async def answer(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        await anyio.sleep(1)
        if ask.role == "worker":
            return (self.worker or look)(ask)
        shown = ask.turns[0].text  # type: ignore[union-attr]
        return plan() if "<task>" in shown else write(shown)

    def fanfold(self, **changes: Any) -> Orchestrator:
        model = FunctionModel(self.answer)
        given = {"lead": Seat(model, LEAD), "worker": Seat(model, WORKER)} | changes
        return Orchestrator(
            roots={"code": MemoryRoot("code", FILES)}, journal=self.journal, aside=inline, minds=Minds(**given)
        )

    def roles(self) -> list[str]:
        return [ask.role for ask in self.asked]


def plan() -> Reply:
    blank = {"boundaries": "", "expected": "", "item": "", "checks": [], "web": False, "depends_on": []}
    drafts = [
        {"title": name, "objective": f"How long does {name} wait?", "places": [f"code:{name}"], "tools": ["search"]}
        for name in ("ash", "beech", "cedar")
    ]
    answer = {"mode": "parallel", "reason": "Three folders.", "assumptions": []}
    return saying(json.dumps(answer | {"subtasks": [d | blank for d in drafts]}), usage=USED)


def look(ask: Ask) -> Reply:
    place = re.search(r"code:(\w+)", ask.turns[0].text)[0]  # type: ignore[union-attr,index]
    if len(ask.turns) == 1:
        return calling(("search", {"pattern": "TIMEOUT"}), usage=USED)
    quote = re.search(r"TIMEOUT = \d", ask.turns[2].answers[0].text)[0]  # type: ignore[union-attr,index]
    evidence = [{"source": f"{place}/settings.py", "locator": "L1", "quote": quote}]
    finding = {"subject": place, "claim": f"{quote}.", "severity": "low", "confidence": 0.9, "evidence": evidence}
    return calling(("report", {"summary": quote, "gaps": [], "findings": [finding]}), usage=USED)


def write(shown: str) -> Reply:
    ids = sorted(set(re.findall(r"\[(s\d\.\d)", shown)))
    answer = " ".join(f"It waits [{name}]." for name in ids)
    return saying(json.dumps({"headline": f"{len(ids)} wait.", "answer": answer}), usage=USED)


TASK = Task(task="How long does each service wait?")
OWN = Task(task="How long?", subtasks=(Draft(title="ash", objective="How long?", places=("code:ash",)),))
CALL = {"strong": 1_000 * 4 + 100 * 20, "cheap": 1_000 + 100 * 5}


async def test_the_lead_plans_workers_look_and_the_lead_writes():
    house = House()
    async with house.fanfold() as it:
        plan = await it.plan(TASK)
        run = await it.dispatch(plan.id)
        report = await it.synthesize(run.id)
        spent = (await it.journal.standing(run.id)).spent
    assert (plan.engine, len(plan.subtasks)) == ("model:strong", 3)
    assert (run.state, run.counts) == (RunState.done, {Status.ok: 3})
    assert (report.engine, report.headline, report.coverage.share) == ("model:strong", "3 wait.", 1.0)
    assert {line.verdict for line in report.ledger} == {"verified"}
    assert house.roles() == ["lead", *["worker"] * 6, "lead"]
    assert spent == Amount(2 * CALL["strong"] + 6 * CALL["cheap"], 8 * 1_100, 8)


async def test_what_a_run_costs_is_told_and_counted_towards_the_day():
    house = House()
    async with house.fanfold() as it:
        plan = await it.plan(TASK)
        run = await it.dispatch(plan.id)
        results = await it.runs.results(await it.runs.attempts(plan))
        day = (await it.journal.standing(today())).spent
        shown = await it.refs.text(f"{run.id}/s1")
    assert run.usd == pytest.approx((CALL["strong"] + 6 * CALL["cheap"]) / 1e6)
    assert [result.usage.usd for result in results.values()] == [pytest.approx(2 * CALL["cheap"] / 1e6)] * 3
    assert day.usd == run.usd
    assert "Cost $0.0030: 2 model calls, 1 tool calls; 2,000 tokens read, 200 written" in shown


async def test_what_rules_can_do_takes_no_model():
    house = House()
    async with house.fanfold() as it:
        plan = await it.plan(Task(task="Audit these", checks=("secrets",)))
        run = await it.dispatch(plan.id)
    assert run.counts == {Status.ok: run.total}
    assert house.asked == []


async def test_a_plan_is_paid_for_once_and_a_run_that_was_stopped_goes_on_where_it_was():
    house = House()
    async with house.fanfold() as it:
        plan = await it.plan(TASK)
        await it.dispatch(plan.id, wait=1.5)
    stopped_at = len(house.asked)
    async with house.fanfold() as it:
        assert await it.plan(TASK) == plan
        run = await it.dispatch(plan.id)
    assert run.counts == {Status.ok: 3}
    again = house.asked[stopped_at:]
    # One had its first reply in the journal; the first calls of the two that follow it were in flight.
    assert sorted(len(ask.turns) for ask in again) == [1, 1, 3, 3, 3]


async def test_a_caller_can_hold_a_run_to_less_than_the_ceiling_and_never_to_more():
    house = House()
    async with house.fanfold(max_usd_per_run=5.0) as it:
        plan = await it.plan(TASK)
        run = await it.dispatch(plan.id, max_usd=0.03)
        results = await it.runs.results(await it.runs.attempts(plan))
    assert run.counts == {Status.over_budget: 3}
    assert "max_usd: The next call may cost" in results["s1"].reason
    assert [ask.role for ask in house.asked] == ["lead"]
    async with house.fanfold(max_usd_per_run=5.0) as it:
        await it.dispatch(plan.id, retry=True, max_usd=100.0)
        results = await it.runs.results(await it.runs.attempts(plan))
    assert {result.status for result in results.values()} == {Status.over_budget}


async def test_a_run_keeps_a_share_for_its_report():
    def spend(ask: Ask) -> Reply:
        return calling(("search", {"pattern": f"x{len(ask.turns)}"}), usage=Tokens(input=20_000, output=4_000))

    house = House(worker=spend)
    async with house.fanfold(max_usd_per_run=0.5) as it:
        plan = await it.plan(TASK)
        run = await it.dispatch(plan.id)
        workers, whole = [(await it.journal.standing(name)).spent for name in (f"{run.id}/workers", run.id)]
    assert run.counts == {Status.over_budget: 3}
    assert workers.usd <= 0.5 * 0.85
    assert whole.usd <= 0.5


async def test_the_days_ceiling_holds_over_runs():
    house = House()
    async with house.fanfold(max_usd_per_day=0.178) as it:
        await it.plan(TASK)
        await it.plan(Task(task="Why do they wait?"))
        with pytest.raises(OverBudgetError, match="max_usd_per_day: The next call may cost"):
            await it.plan(Task(task="And how often do they try again?"))


async def test_a_refused_key_is_told_before_anything_is_started():
    async def refused() -> None:
        msg = "The key is refused."
        raise KeyRefusedError(msg, field="ANTHROPIC_API_KEY", remedy="Set another.")

    house = House()
    model = FunctionModel(house.answer)
    async with house.fanfold(worker=Seat(model, WORKER, sizes=refused)) as it:
        plan = await it.plan(OWN)
        with pytest.raises(KeyRefusedError):
            await it.dispatch(plan.id)
        assert (await it.view(plan)).counts == {}
    assert house.asked == []


async def test_windows_are_the_servers_own_where_it_states_them():
    async def sizes() -> tuple[int, int]:
        return 50_000, 2_000

    house = House()
    model = FunctionModel(house.answer)
    async with house.fanfold(worker=Seat(model, WORKER, sizes=sizes)) as it:
        await it.dispatch((await it.plan(OWN)).id)
    assert {ask.max_tokens for ask in house.asked if ask.role == "worker"} == {2_000}


@pytest.mark.parametrize("usd", [0.0, -1.0, float("nan"), float("inf")])
async def test_a_limit_that_is_no_money_is_refused(usd: float):
    async with House().fanfold() as it:
        plan = await it.plan(OWN)
        with pytest.raises(InputError, match="max_usd"):
            await it.dispatch(plan.id, max_usd=usd)


async def test_a_digest_for_a_host_and_a_report_by_rules_can_still_be_had():
    house = House()
    async with house.fanfold() as it:
        run = await it.dispatch((await it.plan(TASK)).id)
        engines = [(await it.synthesize(run.id, compose=who)).engine for who in ("host", "rules", "model", "")]
    assert engines == ["host", "rules", "model:strong", "model:strong"]
    assert house.roles().count("lead") == 2  # the plan, and one report for both of the last


async def test_without_a_model_nobody_can_ask_for_its_report():
    async with Orchestrator(journal=MemoryJournal(), aside=inline) as it:
        with pytest.raises(CannotDoError, match="compose: There is no model here to write"):
            await it.synthesize("r-1", compose="model")


async def test_the_estimate_is_in_dollars_of_the_workers_model():
    async with House().fanfold() as it:
        estimate = (await it.plan(TASK)).estimate
    assert 0 < estimate.usd_low < estimate.usd_high
    assert "3 workers on cheap" in estimate.basis


# -- cut off, retried, allowed more ---------------------------------------------------------------------------------


async def test_a_retry_goes_on_where_a_worker_was_cut_off_and_asks_nothing_again():
    house = House()
    async with house.fanfold() as it:
        plan = await it.plan(TASK)
        cut = await it.dispatch(plan.id, policy=Policy(run_seconds=2.5))
        asked = len(house.asked)
        run = await it.dispatch(plan.id, retry=True)
        results = await it.runs.results(await it.runs.attempts(plan))
    # One worker goes first, for the cache's sake, and is done; of the others the second call was in flight.
    assert cut.counts == {Status.ok: 1, Status.timed_out: 2}
    assert run.counts == {Status.ok: 3}
    assert len(house.asked) - asked == 2
    assert sorted((result.attempt, result.usage.model_calls) for result in results.values()) == [
        (1, 2),
        (2, 2),
        (2, 2),
    ]


async def test_a_retry_of_what_failed_begins_anew_and_replays_nothing():
    refusals = [saying("No.", stop="refusal", usage=USED)] * 3
    house = House(worker=lambda ask: refusals.pop() if refusals else look(ask))
    async with house.fanfold() as it:
        plan = await it.plan(TASK)
        refused = await it.dispatch(plan.id)
        run = await it.dispatch(plan.id, retry=True)
    assert refused.counts == {Status.refused: 3}
    assert run.counts == {Status.ok: 3}
    assert house.roles() == ["lead", *["worker"] * 9]


async def test_at_the_edge_of_its_money_a_run_starts_nothing_new_and_goes_on_once_it_may_spend_more():
    house = House()
    drafts = tuple(Draft(title=name, objective="How long?", places=(f"code:{name}",)) for name in ("ash", "beech"))
    # A worker's call may cost 0.029 at worst, and costs 0.0015; workers may spend 85 %.
    async with house.fanfold(max_usd_per_run=0.037) as it:
        plan = await it.plan(Task(task="How long?", subtasks=drafts * 2))
        run = await it.dispatch(plan.id, policy=Policy(width=1))
        reasons = {r.status: r.reason for r in (await it.runs.results(await it.runs.attempts(plan))).values()}
    assert run.counts == {Status.ok: 2, Status.over_budget: 1, Status.skipped: 1}
    why = r"\$0\.00\d\d of the \$0\.031\d that workers may spend were spent before it started; raise max_usd_per_run"
    assert re.fullmatch(why, reasons[Status.skipped])
    asked = len(house.asked)
    async with house.fanfold(max_usd_per_run=1) as it:
        again = await it.dispatch(plan.id, retry=True)
    assert again.counts == {Status.ok: 4}
    assert len(house.asked) - asked <= 4


async def test_what_a_caller_lowered_stays_low_until_a_person_allows_more():
    house = House()
    async with house.fanfold() as it:
        plan = await it.plan(TASK)
        low = await it.dispatch(plan.id, max_usd=0.001)
        still = await it.dispatch(plan.id, retry=True, max_usd=50)
        await it.allow(low.id)
        run = await it.dispatch(plan.id, retry=True)
        await it.allow(low.id)
        assert it.mind is not None
        await it.mind.lower(low.id, 0.001)
        (limit, _) = it.mind.purse(low.id)
    assert low.counts == still.counts == {Status.over_budget: 3}
    assert run.counts == {Status.ok: 3}
    assert limit.limit.micros == 1_000


async def test_a_worker_that_leans_on_another_is_told_what_it_found_and_can_read_the_rest():
    def answer(ask: Ask) -> Reply:
        return read_more(ask) if "<given>" in ask.turns[0].text else look(ask)  # type: ignore[union-attr]

    def read_more(ask: Ask) -> Reply:
        if len(ask.turns) == 1:
            return calling(("read_again", {"ref": "given", "offset": 4}), usage=USED)
        seen = ask.turns[2].answers[0].text  # type: ignore[union-attr]
        return calling(("report", {"summary": seen.splitlines()[1], "gaps": []}), usage=USED)

    house = House(worker=answer)
    drafts = (
        Draft(id="s1", title="ash", objective="How long?", places=("code:ash",)),
        Draft(id="s2", title="both", objective="How long in all?", places=("code:ash",), depends_on=("s1",)),
    )
    async with house.fanfold() as it:
        plan = await it.plan(Task(task="How long?", subtasks=drafts))
        run = await it.dispatch(plan.id)
        results = await it.runs.results(await it.runs.attempts(plan))
    told = house.asked[2].turns[0].text  # type: ignore[union-attr]
    assert "s1, ash: ok\nTIMEOUT = 1\n- code:ash: TIMEOUT = 1.\n    code:ash/settings.py L1: TIMEOUT = 1" in told
    assert run.counts[Status.ok] >= 1
    assert "TIMEOUT" in results["s2"].summary or "ash" in results["s2"].summary


async def test_who_looks_without_the_models_sees_that_a_killed_run_of_models_was_interrupted():
    house = House()
    async with house.fanfold() as it:
        plan = await it.plan(TASK)
        await it.dispatch(plan.id, wait=0.5)
    async with Orchestrator(journal=house.journal, aside=inline) as looker:
        seen = await looker.view(plan)
    assert seen.state is RunState.interrupted


async def test_a_run_that_is_done_answers_without_asking_for_a_key():
    house = House()
    async with house.fanfold() as it:
        plan = await it.plan(OWN)
        await it.dispatch(plan.id)

    async def refused() -> None:
        raise KeyRefusedError("The key is refused.", field="ANTHROPIC_API_KEY", remedy="Copy it again.")

    async with house.fanfold(worker=Seat(FunctionModel(house.answer), WORKER, sizes=refused)) as it:
        assert (await it.dispatch(plan.id)).counts == {Status.ok: 1}


async def test_what_a_run_has_cost_is_set_against_the_estimate_and_one_agent():
    house = House()
    async with house.fanfold() as it:
        plan = await it.plan(TASK)
        run = await it.dispatch(plan.id)
        shown = await it.refs.text(run.id)
    one = plan.estimate.tokens_mid / plan.estimate.multiple
    assert (run.tokens, run.multiple) == (7 * 1_100, round(7 * 1_100 / one, 1))
    assert f"Spent ${run.usd:.4f} (estimated $" in shown
    assert f"{run.multiple:g} x one agent), 7,700 tokens" in shown
    assert re.search(r"s1: ash: ok, 1 findings, \d\.0 s, 1 of 1 files, \$0\.0030", shown)
