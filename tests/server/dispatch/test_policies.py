"""What a run does when time, patience or money ends before the work does. In virtual time."""

import math

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from fanfold_server.dispatch.dispatcher import Dispatch
from fanfold_server.dispatch.ending import CANCELLED
from fanfold_server.dispatch.policy import Policy
from fanfold_workers.contract import Examined, Result, Status, Subtask, Usage
from fanfold_workers.errors import InputError

from .dispatch_cases import House, Timed, subtask


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def standing(results: dict[str, Result]) -> dict[str, tuple[str, str]]:
    return {name: (result.status.value, result.reason) for name, result in sorted(results.items())}


# -- deadlines -------------------------------------------------------------------------------------------------------
async def test_a_run_ends_at_its_deadline_with_all_that_was_done_and_true_statuses():
    worker = Timed(seconds={"b": 100, "c": 100})
    dispatch = House().dispatch(worker, *map(subtask, "abc"), policy=Policy(run_seconds=10))
    begun = anyio.current_time()
    await dispatch.run()
    assert anyio.current_time() - begun == 10
    assert standing(dispatch.results) == {
        "a": ("ok", ""),
        "b": ("timed_out", "the run's 10 s were over, at search"),
        "c": ("timed_out", "the run's 10 s were over, at search"),
    }
    assert [f.claim for f in dispatch.results["b"].findings] == ["b was seen"]
    assert worker.working == set()


async def test_what_a_runs_deadline_finds_unstarted_is_skipped_with_the_reason():
    worker = Timed(seconds=dict.fromkeys("abc", 100))
    dispatch = House().dispatch(worker, *map(subtask, "abc"), policy=Policy(width=1, run_seconds=10))
    await dispatch.run()
    assert sorted(standing(dispatch.results).values()) == [
        ("skipped", "the run's 10 s were over before it started"),
        ("skipped", "the run's 10 s were over before it started"),
        ("timed_out", "the run's 10 s were over, at search"),
    ]
    assert len(worker.told) == 1


async def test_a_worker_is_told_how_long_it_has_so_that_it_can_report_in_time():
    worker = Timed(seconds={"a": 25})
    policy = Policy(worker_seconds=30, run_seconds=40)
    await House().dispatch(worker, subtask("a"), subtask("b", seconds=20), subtask("c", "a"), policy=policy).run()
    assert {name: told.limits.seconds for name, told in worker.told.items()} == {"a": 30, "b": 20, "c": 15}


async def test_a_worker_that_is_cut_says_what_it_was_at_what_it_had_examined_and_used():
    dispatch = House().dispatch(Timed(seconds={"a": 100}), subtask("a"), policy=Policy(worker_seconds=5))
    await dispatch.run()
    result = dispatch.results["a"]
    assert (result.examined, result.usage) == (Examined(done=3, in_scope=9), Usage(tool_calls=1))
    assert (result.seconds, result.attempt, result.engine) == (5, 1, "timed")


# -- enough ----------------------------------------------------------------------------------------------------------
async def test_when_enough_have_ended_the_others_get_a_grace_and_no_more():
    names = "abcdefgh"
    worker = Timed(seconds={**dict.fromkeys(names, 3), "h": 30})
    policy = Policy(enough=7 / 8, grace_seconds=2)
    begun = anyio.current_time()
    dispatch = House().dispatch(worker, *map(subtask, names), policy=policy)
    await dispatch.run()
    assert anyio.current_time() - begun == 5
    cut = dispatch.results.pop("h")
    assert {result.status for result in dispatch.results.values()} == {Status.ok}
    assert (cut.status, cut.reason) == (
        Status.cancelled,
        "enough had ended (7 of 8) and 2 s of grace were over, at search",
    )
    assert [f.claim for f in cut.findings] == ["h was seen"]


async def test_whoever_ends_within_the_grace_is_kept_and_the_run_does_not_wait_it_out():
    worker = Timed(seconds={"a": 3, "b": 4})
    begun = anyio.current_time()
    dispatch = House().dispatch(worker, *map(subtask, "ab"), policy=Policy(enough=0.5, grace_seconds=600))
    await dispatch.run()
    assert anyio.current_time() - begun == 4
    assert standing(dispatch.results) == {"a": ("ok", ""), "b": ("ok", "")}


async def test_nothing_new_starts_once_there_is_enough():
    worker = Timed(seconds={"a": 1, "b": 5})
    policy = Policy(enough=0.3, grace_seconds=10)
    dispatch = House().dispatch(worker, subtask("a"), subtask("b"), subtask("c", "b"), policy=policy)
    await dispatch.run()
    assert standing(dispatch.results) == {
        "a": ("ok", ""),
        "b": ("ok", ""),
        "c": ("skipped", "enough had ended (1 of 3) before it started"),
    }


async def test_named_subtasks_can_be_what_is_enough():
    worker = Timed(seconds={"a": 9, "b": 1, "c": 100})
    begun = anyio.current_time()
    dispatch = House().dispatch(
        worker, *map(subtask, "abc"), policy=Policy(enough_of=("a",), enough=0.1, grace_seconds=1)
    )
    await dispatch.run()
    assert anyio.current_time() - begun == 10
    assert (
        dispatch.results["c"].reason == "all that was asked for (a) had ended and 1 s of grace were over, at search"
    )


async def test_what_came_to_nothing_does_not_count_as_enough():
    worker = Timed(seconds={"b": 20}, ends={"a": Status.refused})
    worker_without_findings = Silent(worker)
    begun = anyio.current_time()
    dispatch = House().dispatch(
        worker_without_findings, *map(subtask, "ab"), policy=Policy(enough=0.5, grace_seconds=0)
    )
    await dispatch.run()
    assert anyio.current_time() - begun == 20
    assert standing(dispatch.results) == {"a": ("refused", "it was refused"), "b": ("ok", "")}


class Silent:
    """Somebody else's work, without a finding noted on the way."""

    engine = "silent"

    def __init__(self, worker: Timed) -> None:
        self.worker = worker

    async def work(self, subtask: Subtask, notes: object) -> Result:
        await anyio.sleep(self.worker.seconds.get(subtask.id, 1))
        end = self.worker.ends.get(subtask.id, Status.ok)
        if end is Status.ok:
            return Result.ended(subtask.id, summary="done")
        return Result(subtask=subtask.id, status=Status(str(end)), reason=f"it was {end}")

    def accepts(self, subtask: Subtask) -> bool:
        return True


# -- money -----------------------------------------------------------------------------------------------------------
async def test_at_the_edge_of_the_budget_what_runs_finishes_and_nothing_new_starts():
    async def hold(subtask: Subtask) -> str:
        return "$4.20 of the $4.25 that workers may spend were spent before it started; raise max_usd_per_run"

    worker = Timed(seconds={"a": 1, "b": 5}, ends={"a": Status.over_budget})
    dispatch = House().dispatch(worker, subtask("a"), subtask("b"), subtask("c", "a"), subtask("d", "b"), hold=hold)
    await dispatch.run()
    ends = {name: status for name, (status, _) in standing(dispatch.results).items()}
    assert ends == {"a": "over_budget", "b": "ok", "c": "skipped", "d": "skipped"}
    assert dispatch.results["d"].reason.endswith("before it started; raise max_usd_per_run")


async def test_while_money_lasts_nobody_is_asked_whether_a_subtask_may_start():
    async def hold(subtask: Subtask) -> str:
        raise AssertionError

    dispatch = House().dispatch(Timed(), *map(subtask, "abcd"), policy=Policy(width=1), hold=hold)
    await dispatch.run()
    assert {result.status for result in dispatch.results.values()} == {Status.ok}


# -- what cannot be --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("field", ["worker_seconds", "run_seconds", "grace_seconds", "enough", "width"])
@pytest.mark.parametrize("value", [-1, math.nan, math.inf, 1e12, 0])
def test_limits_that_cannot_be_are_refused_by_name(field: str, value: float):
    if (field, value) == ("grace_seconds", 0):
        assert Policy(grace_seconds=0).grace_seconds == 0
        return
    with pytest.raises(InputError, match=f"^{field}: "):
        Policy(**{field: value})


def test_a_caller_can_tighten_a_policy_and_not_loosen_it():
    mine = Policy(width=4, worker_seconds=60, hedge=False)
    asked = Policy(width=8, worker_seconds=90, run_seconds=30, enough=0.5, hedge=True)
    assert mine.tightened(asked) == Policy(
        width=4, worker_seconds=60, run_seconds=30, enough=0.5, grace_seconds=30, hedge=False
    )


# -- whatever happens ------------------------------------------------------------------------------------------------
Fate = st.sampled_from(["ok", "crash", "refused", "over_budget", "truncated", "slow", "empty"])


@settings(max_examples=150, deadline=None)
@given(
    fates=st.lists(Fate, min_size=1, max_size=14),
    width=st.integers(1, 6),
    run_seconds=st.none() | st.integers(1, 60),
    enough=st.sampled_from([0.2, 0.5, 0.9, 1.0]),
    stop_at=st.none() | st.integers(0, 50),
    if_unmet=st.sampled_from(["skip", "run"]),
)
def test_every_subtask_ends_in_one_status_with_a_reason_and_no_task_is_left(
    fates, width, run_seconds, enough, stop_at, if_unmet
):
    ends: dict[str, Status | Exception] = {}
    for n, fate in enumerate(fates):
        ends[str(n)] = ValueError("crashed") if fate == "crash" else Status.ok
        if fate in set(Status):
            ends[str(n)] = Status(fate)
    worker = Timed({str(n): 1000 if fate == "slow" else 7 for n, fate in enumerate(fates)}, ends)
    subtasks = [
        subtask(str(n), *([str(n - 2)] if n % 3 == 2 else []), seconds=50, if_unmet=if_unmet)
        for n in range(len(fates))
    ]
    policy = Policy(width=width, run_seconds=run_seconds, enough=enough, grace_seconds=5)

    async def stopped(dispatch: Dispatch) -> None:
        await anyio.sleep(stop_at or 0)
        dispatch.stop(CANCELLED)

    async def play() -> None:
        house = House()
        dispatch = house.dispatch(worker, *subtasks, policy=policy)
        begun = anyio.current_time()
        async with anyio.create_task_group() as group:
            if stop_at is not None:
                group.start_soon(stopped, dispatch)
            await dispatch.run()
            took = anyio.current_time() - begun
        recorded = await house.journal.entries("r-1/results/")
        assert sorted(e.key for e in recorded) == sorted(f"r-1/results/{s.id}/001" for s in subtasks)
        assert set(dispatch.results) == {s.id for s in subtasks}
        assert all(r.reason for r in dispatch.results.values() if r.status is not Status.ok)
        ends_told = [event.subtask for event in house.events if event.kind == "ended"]
        assert sorted(ends_told) == sorted(s.id for s in subtasks)
        assert worker.working == set()
        assert took <= min(run_seconds or math.inf, math.inf if stop_at is None else stop_at, 50 * len(fates))

    clock = MockClock(autojump_threshold=0)
    anyio.run(play, backend="trio", backend_options={"clock": clock})


FAILURES = [Status.failed, Status.refused, Status.timed_out, Status.over_budget, Status.truncated, KeyError("bug")]


@pytest.mark.parametrize("failure", FAILURES, ids=str)
@pytest.mark.parametrize("k", range(1, 8))
async def test_any_k_of_n_failing_leaves_the_others_intact(k: int, failure: Status | Exception):
    names = [f"s{n}" for n in range(8)]
    failing = set(names[::-1][:k])
    worker = Timed(ends=dict.fromkeys(failing, failure), seconds={name: n % 3 for n, name in enumerate(names)})
    dispatch = House().dispatch(worker, *map(subtask, names))
    await dispatch.run()
    ok = {name for name, result in dispatch.results.items() if result.status is Status.ok}
    assert ok == set(names) - failing
    assert all(dispatch.results[name].summary == f"{name} is done" for name in ok)
    assert all(dispatch.results[name].reason for name in failing)
