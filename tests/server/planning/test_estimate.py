"""What a plan is said to cost before anything is known of this machine."""

from inline_snapshot import snapshot
from tests.server.planning.planning_cases import TOOLS, planned, roots

from fanfold_server.planning import make_plan
from fanfold_server.planning.survey import PLACE_FILES
from fanfold_server.records import Draft, Estimate, Plan, Task
from fanfold_workers.aside import inline
from fanfold_workers.contract import EffortClass
from fanfold_workers.models.catalog import Card, Price

LEAD = Card("strong", 200_000, 8_000, Price(4, 20, 0.2, 5))
WORKER = Card("cheap", 200_000, 4_000, Price(1, 5, 0.1, 1.25))
TREE = {f"p{n}/all.txt": "x" * 100_000 for n in range(40)}


async def by_models(*drafts: Draft, width: int = 8, card: Card = WORKER) -> Plan:
    return await make_plan(
        Task(task="Look at these", subtasks=drafts, max_workers=1_000),
        "p-1",
        roots=roots(code=TREE),
        tools=TOOLS,
        aside=inline,
        takes_any=True,
        card=card,
        lead=LEAD,
        width=width,
    )


def looks(count: int, effort: EffortClass = EffortClass.normal) -> list[Draft]:
    return [Draft(objective=f"look at p{n}", places=(f"code:p{n}",), effort=effort) for n in range(count)]


async def test_the_rules_engine_costs_time_and_nothing_else() -> None:
    tree = {f"p{n}/setup.py": "x" * 100_000 for n in range(20)}
    found = (await planned("Find secrets and missing tests", {"repos": tree})).estimate
    assert (found.tokens_low, found.tokens_high, found.usd_high, found.multiple) == (0, 0, 0.0, 1.0)
    assert 0 < found.seconds_low < found.seconds_mid < found.seconds_high
    assert found.basis == (
        "No run here with the rules engine yet: all assumed. "
        "Rules engine: 20 files, 2,000,000 bytes of them to read; no model, no tokens."
    )


async def test_many_small_files_take_longer_than_one_of_their_size() -> None:
    many = await planned("Find secrets", {"data": {f"{n}.txt": "x" for n in range(1_000)}})
    one = await planned("Find secrets", {"data": {"all.txt": "x" * 1_000}})
    assert many.estimate.seconds_low > 10 * one.estimate.seconds_low


async def test_a_host_s_agents_are_priced_by_a_stated_rule_and_paid_by_the_host() -> None:
    own = tuple(Draft(objective=objective) for objective in ("red", "green", "blue"))
    plan = await planned("Compare these", subtasks=own)
    assert plan.estimate == snapshot(
        Estimate(
            workers=3,
            seconds_low=27.49,
            seconds_mid=125.03,
            seconds_high=568.56,
            tokens_low=14407,
            tokens_mid=47361,
            tokens_high=155695,
            multiple=2.6,
            basis="3 sub-agents of the host, each counted as one agent: 4 x a chat of 4,500 tokens and 80 s, half of "
            "it for a light one and more for a deep one, 10 at a time (all assumed). The published figure for "
            "multi-agent research systems: about 15 x a chat in all, 4 x for one agent. The host pays; fanfold "
            "spends nothing.",
        )
    )


async def test_stages_are_estimated_one_after_another() -> None:
    both = (Draft(id="a", objective="red"), Draft(objective="green"))
    stages = (both[0], both[1].model_copy(update={"depends_on": ("a",)}))
    at_once = (await planned("Compare these", subtasks=both)).estimate
    found = (await planned("Compare these", subtasks=stages)).estimate
    assert 1.3 < found.seconds_mid / at_once.seconds_mid < 2
    assert (found.tokens_low, found.tokens_high) == (at_once.tokens_low, at_once.tokens_high)


async def test_a_function_of_the_caller_s_own_is_not_priced() -> None:
    plan = await planned("Compare these", subtasks=(Draft(objective="red"), Draft(objective="green")), takes_any=True)
    assert plan.estimate == snapshot(
        Estimate(
            workers=2,
            basis="2 subtasks go to a worker of the caller's own, whose tokens and cost are not known here.",
        )
    )


async def test_a_tree_too_large_to_count_is_said_to_hold_at_least_so_much() -> None:
    tree = {f"{n}.txt": "xy" for n in range(PLACE_FILES + 5)}
    plan = await planned("Find secrets", {"data": tree})
    assert "at least 20,000 files, at least 40,000 bytes" in plan.estimate.basis


async def test_a_file_counts_only_as_far_as_a_worker_reads_it() -> None:
    plan = await planned("Find secrets", {"data": {"a.bin": "x" * 1_000_000, "b.pyc": "x"}})
    assert "1 files, 262,144 bytes" in plan.estimate.basis
    assert plan.reach == ((1, 262_144),)


async def test_what_models_take_is_a_range_with_its_middle() -> None:
    found = (await by_models(*looks(3))).estimate
    for what in ("tokens", "usd", "seconds"):
        low, middle, high = (getattr(found, f"{what}_{part}") for part in ("low", "mid", "high"))
        assert 0 < low < middle < high
    assert "3 workers on cheap, 8 at once" in found.basis
    assert "No run here with cheap yet: all assumed." in found.basis


async def test_more_effort_more_in_reach_and_more_workers_cost_more() -> None:
    normal = (await by_models(*looks(2))).estimate
    deep = (await by_models(*looks(2, EffortClass.deep))).estimate
    light = (await by_models(*looks(2, EffortClass.light))).estimate
    wide = (await by_models(*(d.model_copy(update={"places": ("code",)}) for d in looks(2)))).estimate
    many = (await by_models(*looks(20))).estimate
    assert light.usd_mid < normal.usd_mid < deep.usd_mid
    assert light.seconds_mid < normal.seconds_mid < deep.seconds_mid
    assert normal.tokens_mid < wide.tokens_mid
    assert 5 * normal.tokens_mid < many.tokens_mid


async def test_the_price_of_the_model_is_the_price_of_the_run() -> None:
    dear = Card("dear", 200_000, 4_000, Price(10, 50, 1, 12.5))
    cheap = (await by_models(*looks(30))).estimate
    assert (await by_models(*looks(30), card=dear)).estimate.usd_mid > 5 * cheap.usd_mid


async def test_the_sum_of_many_is_surer_than_one() -> None:
    few, many = (await by_models(*looks(1))).estimate, (await by_models(*looks(40))).estimate
    assert many.tokens_high / many.tokens_low < few.tokens_high / few.tokens_low


async def test_fewer_places_at_once_take_longer_and_cost_the_same() -> None:
    wide, narrow = (await by_models(*looks(24), width=24)).estimate, (await by_models(*looks(24), width=2)).estimate
    assert narrow.seconds_mid > 3 * wide.seconds_mid
    assert narrow.usd_mid == wide.usd_mid


async def test_one_agent_would_read_all_that_is_in_reach() -> None:
    apart = (await by_models(*looks(20))).estimate
    same = (await by_models(*(d.model_copy(update={"places": ("code",)}) for d in looks(20)))).estimate
    assert 1 < apart.multiple < same.multiple


async def test_the_same_plan_is_estimated_the_same() -> None:
    assert (await by_models(*looks(7))).estimate == (await by_models(*looks(7))).estimate
