"""What earlier runs on this machine do to an estimate."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from tests.server.planning.planning_cases import TOOLS, planned, roots

from fanfold_server.planning import make_plan
from fanfold_server.planning.learning import Sample, fit
from fanfold_server.planning.observed import Observed, Past
from fanfold_server.planning.schedule import makespans
from fanfold_server.records import Draft, Estimate, Task
from fanfold_workers.aside import inline
from fanfold_workers.contract import EffortClass
from fanfold_workers.models.catalog import Card, Price

LEAD = Card("strong", 200_000, 8_000, Price(4, 20, 0.2, 5))
WORKER = Card("cheap", 200_000, 4_000, Price(1, 5, 0.1, 1.25))
TREE = {f"p{n}/all.txt": "x" * 20_000 for n in range(10)}
ONE = Observed("model:cheap", files=1, bytes=20_000, tokens=400_000, usd=1.0, seconds=12.0)


def runs(count: int, *, each: Observed = ONE, workers: int = 5, spread: float = 0.0) -> list[Past]:
    """Runs that took what `each` did, give or take."""
    luck = Random(1)
    return [
        Past(f"r-{n}", tuple(_times(each, luck.lognormvariate(0, spread)) for _ in range(workers)), workers)
        for n in range(count)
    ]


def _times(one: Observed, times: float) -> Observed:
    return replace(one, tokens=int(one.tokens * times), usd=one.usd * times, seconds=one.seconds * times)


async def estimated(history: Sequence[Past], workers: int = 5, effort: EffortClass = EffortClass.normal) -> Estimate:
    drafts = tuple(Draft(objective=f"look at p{n}", places=(f"code:p{n}",), effort=effort) for n in range(workers))
    plan = await make_plan(
        Task(task="Look at these", subtasks=drafts),
        "p-1",
        roots=roots(code=TREE),
        tools=TOOLS,
        aside=inline,
        takes_any=True,
        card=WORKER,
        lead=LEAD,
        history=history,
    )
    return plan.estimate


async def test_the_more_runs_there_are_the_nearer_the_estimate_comes_to_what_they_took_and_the_surer_it_is() -> None:
    found = [await estimated(runs(count)) for count in (0, 1, 5, 40)]
    away = [abs(one.tokens_mid / 2_000_000 - 1) for one in found]
    wide = [one.tokens_high / one.tokens_low for one in found]
    assert away[0] > 0.8 > 0.2 > away[1] > 0.02 > max(away[2:])
    assert wide == sorted(wide, reverse=True)
    assert abs(found[-1].usd_mid / 5 - 1) < 0.1


async def test_a_run_is_taken_to_last_as_long_as_those_before_it_did_with_all_that_lies_between() -> None:
    slow = [replace(past, seconds=30.0) for past in runs(20)]
    found = await estimated(slow)
    assert 24 < found.seconds_mid < 36
    assert (await estimated(runs(20))).seconds_mid < 24


async def test_runs_that_differ_make_wide_estimates() -> None:
    alike, unlike = runs(20), runs(20)
    unlike = [
        replace(past, subtasks=tuple(_times(one, 3.0 if n % 2 else 1 / 3) for one in past.subtasks))
        for n, past in enumerate(unlike)
    ]
    narrow, wide = await estimated(alike), await estimated(unlike)
    assert wide.tokens_high / wide.tokens_low > 2 * narrow.tokens_high / narrow.tokens_low


async def test_what_it_rests_on_is_said_in_words() -> None:
    assert (await estimated(runs(12))).basis.startswith("12 runs here with cheap: 60 subtasks; the more there are")
    assert (await estimated(runs(1, workers=1))).basis.startswith("1 run here with cheap: 1 subtask;")
    assert (await estimated(())).basis.startswith("No run here with cheap yet: all assumed.")


async def test_another_model_s_runs_say_nothing() -> None:
    others = runs(12, each=replace(ONE, engine="model:other"))
    assert await estimated(others) == await estimated(())


async def test_an_effort_that_was_seldom_seen_leans_on_the_model_s_others() -> None:
    history = runs(12)
    unseen, known = await estimated(history, effort=EffortClass.deep), await estimated(history)
    before = await estimated((), effort=EffortClass.deep)
    assert unseen.tokens_mid > known.tokens_mid
    assert unseen.tokens_mid > before.tokens_mid


async def test_whoever_was_cut_off_counts_only_where_that_says_something() -> None:
    history = runs(12)
    little, much = replace(ONE, tokens=1_000, whole=False), replace(ONE, tokens=4_000_000, whole=False)

    def with_(one: Observed) -> list[Past]:
        return [replace(past, subtasks=(*past.subtasks, one)) for past in history]

    plain = (await estimated(history)).tokens_mid
    assert (await estimated(with_(little))).tokens_mid == plain
    assert (await estimated(with_(much))).tokens_mid > 1.3 * plain


async def test_reports_of_earlier_runs_price_the_next_one() -> None:
    history = [replace(past, reports=1, joining_tokens=900_000, joining_usd=9.0) for past in runs(12)]
    twice = [replace(past, reports=2, joining_tokens=1_800_000, joining_usd=18.0) for past in history]
    plain, reported = await estimated(runs(12)), await estimated(history)
    assert reported.usd_mid - plain.usd_mid > 6
    assert await estimated(twice) == reported
    assert "Planning and one report, by strong: 12 here." in reported.basis


async def test_rules_are_as_fast_as_they_were_here() -> None:
    tree = {f"p{n}/setup.py": "x" * 100_000 for n in range(6)}
    one = Observed("rules", checks=("secrets",), files=1, bytes=100_000, seconds=3.0)
    past = [Past(f"r-{n}", (one,) * 6, 6) for n in range(10)]

    async def seconds(history: Sequence[Past]) -> float:
        plan = await make_plan(
            Task(task="Find secrets"),
            "p-1",
            roots=roots(repos=tree),
            tools=TOOLS,
            aside=inline,
            history=history,
            width=2,
        )
        return plan.estimate.seconds_mid

    assert await seconds(()) < 1
    assert 6 < await seconds(past) < 14


async def test_a_function_of_the_caller_s_own_takes_as_long_as_it_did() -> None:
    own = (Draft(objective="red"), Draft(objective="green"))
    before = (await planned("Compare these", subtasks=own, takes_any=True)).estimate
    past = [Past(f"r-{n}", (Observed("function", seconds=40.0),) * 3, 3) for n in range(10)]
    plan = await make_plan(
        Task(task="Compare these", subtasks=own),
        "p-1",
        roots={},
        tools=TOOLS,
        aside=inline,
        takes_any=True,
        history=past,
    )
    assert (before.seconds_high, plan.estimate.tokens_high) == (0.0, 0)
    assert 30 < plan.estimate.seconds_mid < 90
    assert "10 runs here with the caller's own worker: 30 subtasks" in plan.estimate.basis


# -- the rule -----------------------------------------------------------------------------------------------------


def test_more_in_reach_takes_more_by_as_much_as_it_did_here() -> None:
    steep = [[Sample(("m", "normal"), size, 1_000, 1_000 * 2.718**size) for size in (-2, -1, 0, 1, 2)]] * 10
    flat = [[Sample(("m", "normal"), size, 1_000, 1_000) for size in (-2, -1, 0, 1, 2)]] * 10
    assert 0.8 < fit(steep, 0.5).power <= 1
    assert fit(flat, 0.5).power == 0


def test_an_assumption_that_is_far_off_gives_way() -> None:
    far = fit([[Sample(("m", "normal"), 0, 1, 50)] * 5] * 5, 0.5)
    assert 40 < far.expected(("m", "normal"), 0, 1) < 60


@given(
    st.lists(
        st.lists(
            st.builds(
                Sample,
                st.sampled_from([("m", "light"), ("m", "deep")]),
                st.floats(-5, 10),
                st.floats(0, 1e9),
                st.floats(0, 1e9),
                st.booleans(),
            ),
            max_size=6,
        ),
        max_size=6,
    ),
    st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=5),
)
def test_whatever_runs_took_a_range_has_its_ends_in_order(history: list[list[Sample]], expected: list[float]) -> None:
    found = fit(history, 0.5).total(expected)
    assert 0 < found.low < found.middle < found.high < float("inf")


def test_workers_of_equal_length_take_as_many_rounds_as_there_are() -> None:
    assert makespans([10.0] * 6, [()] * 6, 2, 0.0)[0] == 30
    assert makespans([10.0] * 6, [()] * 6, 100, 0.0)[0] == 10
    assert makespans([10.0, 10.0, 5.0], [(), (0,), ()], 8, 0.0)[0] == 20
    assert makespans([10.0] * 5, [(), (), (), (), (0,)], 2, 0.0)[0] == 30
    assert makespans([10.0, 10.0], [(1,), (0,)], 1, 0.0)[0] == 20
