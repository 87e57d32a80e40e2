"""What a plan is said to cost."""

from inline_snapshot import snapshot
from tests.server.planning.planning_cases import planned

from fanfold_server.planning.survey import PLACE_FILES
from fanfold_server.records import Draft, Estimate


async def test_the_rules_engine_costs_time_and_nothing_else() -> None:
    tree = {f"p{n}/setup.py": "x" * 100_000 for n in range(20)}
    plan = await planned("Find secrets and missing tests", {"repos": tree})
    assert plan.estimate == snapshot(
        Estimate(
            workers=20,
            seconds_low=0.12,
            seconds_high=5.2,
            basis="Rules engine: 20 files, 2,000,000 bytes of them to read, each check at 1 to 50 MB/s on "
            "one core; no model, no tokens.",
        )
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
            seconds_low=20.0,
            seconds_high=300.0,
            tokens_low=24000,
            tokens_high=120000,
            multiple=3.0,
            basis="3 sub-agents of the host, each counted as one agent: 4 x a chat of 2,000 to 10,000 tokens "
            "(assumed) and 20 to 300 s (assumed), 10 at a time (assumed). The published figure for multi-agent "
            "research systems: about 15 x a chat in all, 4 x for one agent. The host pays; fanfold spends nothing.",
        )
    )


async def test_stages_are_estimated_one_after_another() -> None:
    own = (Draft(id="a", objective="red"), Draft(objective="green", depends_on=("a",)))
    found = (await planned("Compare these", subtasks=own)).estimate
    assert (found.seconds_low, found.seconds_high) == (40.0, 600.0)


async def test_a_function_of_the_caller_s_own_is_not_priced() -> None:
    plan = await planned("Compare these", subtasks=(Draft(objective="red"), Draft(objective="green")), takes_any=True)
    assert plan.estimate == Estimate(
        workers=2,
        basis="2 subtasks go to a worker of the caller's own, whose time and cost are not known here.",
    )


async def test_a_tree_too_large_to_count_is_said_to_hold_at_least_so_much() -> None:
    tree = {f"{n}.txt": "xy" for n in range(PLACE_FILES + 5)}
    plan = await planned("Find secrets", {"data": tree})
    assert "at least 20,000 files, at least 40,000 bytes" in plan.estimate.basis


async def test_a_file_counts_only_as_far_as_a_worker_reads_it() -> None:
    plan = await planned("Find secrets", {"data": {"a.bin": "x" * 1_000_000, "b.pyc": "x"}})
    assert "1 files, 262,144 bytes" in plan.estimate.basis
