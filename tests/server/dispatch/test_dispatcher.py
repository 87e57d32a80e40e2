"""Dispatch as its callers see it: every subtask ends once, in one true status. In virtual time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.dispatch.dispatcher import Dispatch, held_by_nothing
from fanfold_server.dispatch.events import Event
from fanfold_server.dispatch.notes import noted
from fanfold_server.dispatch.policy import Policy
from fanfold_workers.contract import Finding, Limits, Result, Status, Subtask
from fanfold_workers.journal import MemoryJournal, Mine
from fanfold_workers.work import FunctionWorker, Notes


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def subtask(name: str, *depends_on: str, seconds: float = 600.0) -> Subtask:
    return Subtask(id=name, title=name, objective=name, depends_on=depends_on, limits=Limits(seconds=seconds))


def finding(claim: str) -> Finding:
    return Finding(subject="thing", claim=claim)


@dataclass
class Noting:
    """A worker that notes one finding, then works on for so long, then perhaps crashes."""

    seconds: float = 0
    crash: bool = False
    engine: str = "noting"

    async def work(self, subtask: Subtask, notes: Notes) -> Result:
        await notes.found(finding("seen early"))
        await anyio.sleep(self.seconds)
        if self.crash:
            raise KeyError("lost")
        return Result.ended(subtask.id, findings=(finding("seen late"),))

    def accepts(self, subtask: Subtask) -> bool:
        return not subtask.id.startswith("host")


@dataclass
class House:
    """One journal, and as many dispatches over it as a test wants."""

    journal: MemoryJournal = field(default_factory=MemoryJournal)
    events: list[Event] = field(default_factory=list)

    def dispatch(self, worker, *subtasks: Subtask, width: int = 8, hold=held_by_nothing, **policy) -> Dispatch:
        attempts = [Attempt("r-1", s) for s in subtasks]
        limiter = anyio.CapacityLimiter(256)
        rules = Policy(width=width, **policy)
        return Dispatch(worker, self.journal, attempts, limiter, self.events.append, policy=rules, hold=hold)


def function(body: Callable[[Subtask], Awaitable[Result]]) -> FunctionWorker:
    return FunctionWorker(body)


async def answer(subtask: Subtask, seconds: float = 0) -> Result:
    await anyio.sleep(seconds)
    return Result.ended(subtask.id, summary=f"did {subtask.id}")


async def test_workers_run_side_by_side_and_no_more_at_once_than_the_width():
    house, started = House(), anyio.current_time()
    dispatch = house.dispatch(function(partial(answer, seconds=10)), *map(subtask, "abcdef"), width=3)
    await dispatch.run()
    assert anyio.current_time() - started == 20
    assert {name: r.status for name, r in dispatch.results.items()} == dict.fromkeys("abcdef", Status.ok)


async def test_a_failing_worker_leaves_its_siblings_alone():
    async def work(subtask: Subtask) -> Result:
        if subtask.id == "b":
            raise RuntimeError("out of luck")
        return await answer(subtask)

    dispatch = House().dispatch(function(work), *map(subtask, "abc"))
    await dispatch.run()
    assert {name: (r.status, r.reason) for name, r in dispatch.results.items()} == {
        "a": (Status.ok, ""),
        "b": (Status.failed, "the worker crashed: RuntimeError: out of luck"),
        "c": (Status.ok, ""),
    }


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (None, "the worker returned NoneType, not a Result"),
        ("all good", "the worker returned str, not a Result"),
        (Result.ended("other", summary="x"), "the worker answered for other"),
    ],
)
async def test_a_worker_that_returns_no_result_of_its_own_has_failed(returned, reason):
    async def work(_: Subtask) -> Result:
        return returned

    dispatch = House().dispatch(function(work), subtask("a"))
    await dispatch.run()
    assert (dispatch.results["a"].status, dispatch.results["a"].reason) == (Status.failed, reason)


async def test_a_worker_cut_by_its_deadline_keeps_what_it_noted():
    started = anyio.current_time()
    dispatch = House().dispatch(Noting(seconds=3600), subtask("a", seconds=120))
    await dispatch.run()
    result = dispatch.results["a"]
    assert anyio.current_time() - started == 120
    assert (result.status, result.reason, result.engine) == (Status.timed_out, "no answer within 120 s", "noting")
    assert [(f.id, f.claim) for f in result.findings] == [("a.1", "seen early")]


async def test_a_worker_that_crashes_keeps_what_it_noted():
    dispatch = House().dispatch(Noting(crash=True), subtask("a"))
    await dispatch.run()
    assert dispatch.results["a"].status is Status.failed
    assert [f.claim for f in dispatch.results["a"].findings] == ["seen early"]


async def test_findings_noted_and_findings_returned_are_counted_once_each():
    house = House()
    await house.dispatch(Noting(), subtask("a")).run()
    recorded = Result.model_validate_json(await house.journal.recall("r-1/results/a/001") or "")
    assert [(f.id, f.claim) for f in recorded.findings] == [("a.1", "seen early"), ("a.2", "seen late")]
    assert [f.id for f in await noted(house.journal, "r-1/notes/a/001/")] == ["a.1"]


async def test_more_findings_than_a_result_holds_are_called_truncated():
    async def work(subtask: Subtask) -> Result:
        return Result.ended(subtask.id, findings=tuple(finding(str(n)) for n in range(5_000)))

    @dataclass
    class Flooding(Noting):
        async def work(self, subtask: Subtask, notes: Notes) -> Result:
            await notes.found(*(finding(f"early {n}") for n in range(3)))
            return await work(subtask)

    dispatch = House().dispatch(Flooding(), subtask("a"))
    await dispatch.run()
    result = dispatch.results["a"]
    assert (result.status, result.reason) == (Status.truncated, "3 findings past 5,000 were left out")
    assert len(result.findings) == 5_000


async def test_a_dependent_starts_when_its_prerequisites_have_ended_and_not_later():
    starts: dict[str, float] = {}
    begun = anyio.current_time()

    async def work(subtask: Subtask) -> Result:
        starts[subtask.id] = anyio.current_time() - begun
        return await answer(subtask, seconds=len(subtask.id))

    dispatch = House().dispatch(
        function(work), subtask("last", "a", "bb"), subtask("a"), subtask("bb"), subtask("ccc")
    )
    await dispatch.run()
    assert starts == {"a": 0, "bb": 0, "ccc": 0, "last": 2}


async def test_a_dependent_of_a_failed_subtask_is_skipped_and_says_why():
    async def work(subtask: Subtask) -> Result:
        if subtask.id == "a":
            raise RuntimeError("no")
        return await answer(subtask)

    dispatch = House().dispatch(function(work), subtask("a"), subtask("b", "a"), subtask("c", "b"))
    await dispatch.run()
    assert [(r.status, r.reason) for r in (dispatch.results["b"], dispatch.results["c"])] == [
        (Status.skipped, "it depends on a, which gave no usable result"),
        (Status.skipped, "it depends on b, which gave no usable result"),
    ]


async def test_a_subtask_that_takes_a_mind_is_left_for_a_submission():
    dispatch = House().dispatch(Noting(), subtask("a"), subtask("host1"))
    await dispatch.run()
    assert set(dispatch.results) == {"a"}


async def test_a_worker_that_leans_on_a_submission_waits_for_it():
    house, begun = House(), anyio.current_time()
    dispatch = house.dispatch(Noting(), subtask("a", "host1"), subtask("host1"))
    async with anyio.create_task_group() as group:
        group.start_soon(dispatch.run)
        await anyio.sleep(30)
        result = Result.ended("host1", summary="by hand", engine="host")
        await house.journal.record("r-1/results/host1/001", result.model_dump_json())
    assert 30 <= anyio.current_time() - begun <= 31
    assert dispatch.results["a"].status is Status.ok


async def test_stopping_cancels_what_runs_keeps_its_notes_and_skips_the_rest():
    dispatch = House().dispatch(Noting(seconds=100), *map(subtask, "ab"), subtask("c", "a"), width=1)
    begun = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(dispatch.run)
        await anyio.sleep(10)
        dispatch.stop()
    assert anyio.current_time() - begun == 10
    ended = sorted((r.status, len(r.findings)) for r in dispatch.results.values())
    assert ended == [(Status.cancelled, 1), (Status.skipped, 0), (Status.skipped, 0)]


async def test_two_dispatches_of_one_run_do_the_work_once():
    house, done = House(), []

    async def work(subtask: Subtask) -> Result:
        done.append(subtask.id)
        return await answer(subtask, seconds=5)

    first, second = (house.dispatch(function(work), *map(subtask, "abcd"), width=2) for _ in range(2))
    async with anyio.create_task_group() as group:
        group.start_soon(first.run)
        group.start_soon(second.run)
    assert sorted(done) == ["a", "b", "c", "d"]
    assert first.results == second.results


async def test_what_is_recorded_is_not_done_again_and_a_killed_owners_claim_is_redone():
    house = House()
    kept = Result.ended("a", summary="from before")
    await house.journal.record("r-1/results/a/001", kept.model_dump_json())
    dispatch = house.dispatch(function(answer), *map(subtask, "ab"))
    await dispatch.run()
    assert dispatch.results["a"] == kept
    assert dispatch.results["b"].summary == "did b"


async def test_a_dispatch_that_is_killed_records_nothing_and_gives_its_claims_up():
    house = House()
    with anyio.move_on_after(10):
        await house.dispatch(Noting(seconds=100), subtask("a")).run()
    assert await house.journal.recall("r-1/results/a/001") is None
    assert isinstance(await house.journal.claim("r-1/results/a/001"), Mine)


async def test_watchers_hear_of_starts_findings_and_ends_in_lines_of_at_most_180_characters():
    house = House()
    await house.dispatch(Noting(), subtask("a")).run()
    assert [event.line() for event in house.events] == [
        "0/1 a: started",
        "0/1 a: found - seen early",
        "1/1 a: ok",
    ]
    longest = Event("ended", "x", "t" * 500, "n" * 500, Status.failed, 1, 2)
    assert len(longest.line()) == 180


Fate = st.sampled_from(["ok", "crash", "none", "slow", "empty"])


@settings(max_examples=60, deadline=None)
@given(fates=st.lists(Fate, min_size=1, max_size=12), width=st.integers(1, 5), stop_at=st.none() | st.integers(0, 40))
def test_every_subtask_ends_in_exactly_one_status_whatever_happens(fates, width, stop_at):
    async def work(subtask: Subtask) -> Result:
        fate = fates[int(subtask.id)]
        await anyio.sleep(1000 if fate == "slow" else 7)
        if fate == "crash":
            raise ValueError("crashed")
        if fate == "empty":
            return Result.ended(subtask.id)
        return Result.ended(subtask.id, summary="fine") if fate == "ok" else None  # type: ignore[return-value]

    async def play() -> Dispatch:
        house = House()
        subtasks = [subtask(str(n), *([str(n - 2)] if n % 3 == 2 else []), seconds=50) for n in range(len(fates))]
        dispatch = house.dispatch(function(work), *subtasks, width=width)
        async with anyio.create_task_group() as group:
            group.start_soon(dispatch.run)
            if stop_at is not None:
                await anyio.sleep(stop_at)
                dispatch.stop()
        recorded = await house.journal.entries("r-1/results/")
        assert sorted(e.key for e in recorded) == sorted(f"r-1/results/{n}/001" for n in range(len(fates)))
        return dispatch

    clock = MockClock(autojump_threshold=0)
    results = anyio.run(play, backend="trio", backend_options={"clock": clock}).results
    assert set(results) == {str(n) for n in range(len(fates))}
    assert all(r.reason for r in results.values() if r.status is not Status.ok)
    if stop_at is None:
        expected = {"ok": {Status.ok}, "slow": {Status.timed_out}}
        for n, fate in enumerate(fates):
            allowed = expected.get(fate, {Status.failed}) | ({Status.skipped} if n % 3 == 2 else set())
            assert results[str(n)].status in allowed
