"""Who waits for whom, and what is handed on. In virtual time."""

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.dispatch.policy import Policy
from fanfold_server.dispatch.prior import Prerequisites
from fanfold_workers.contract import Result, Status

from .dispatch_cases import House, Timed, subtask


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


async def test_a_dependent_is_told_what_its_prerequisites_found_and_nothing_of_others():
    worker = Timed()
    await House().dispatch(worker, subtask("c", "b", "a"), subtask("a"), subtask("b"), subtask("d")).run()
    told = [(one.title, one.result.summary, [f.claim for f in one.result.findings]) for one in worker.told["c"].prior]
    assert told == [("b", "b is done", ["b was seen"]), ("a", "a is done", ["a was seen"])]
    assert worker.told["d"].prior == ()


async def test_a_dependent_of_what_failed_is_skipped_unless_the_plan_says_run():
    silent = Timed(ends={"a": KeyError("bug")})
    silent_work = silent.work

    async def without_findings(one, notes):
        if one.id == "a":
            raise KeyError("bug")
        return await silent_work(one, notes)

    silent.work = without_findings  # type: ignore[method-assign]
    house = House()
    dispatch = house.dispatch(silent, subtask("a"), subtask("b", "a"), subtask("c", "a", if_unmet="run"))
    await dispatch.run()
    b, c = dispatch.results["b"], dispatch.results["c"]
    assert (b.status, b.reason) == (Status.skipped, "it depends on a, which gave no usable result")
    assert (c.status, c.reason) == (Status.partial, "it ran without a, which gave no usable result")
    assert c.gaps == ("It ran without a (failed: the worker crashed: KeyError: 'bug')",)
    assert [f.claim for f in c.findings] == ["c was seen"]
    assert silent.told["c"].prior[0].result.status is Status.failed


async def test_a_prerequisite_that_was_cut_off_hands_on_what_it_had_found():
    worker = Timed(seconds={"a": 100})
    dispatch = House().dispatch(worker, subtask("a", seconds=5), subtask("b", "a"))
    await dispatch.run()
    assert [p.result.status for p in worker.told["b"].prior] == [Status.timed_out]
    assert dispatch.results["b"].status is Status.ok


async def test_whoever_goes_on_is_told_what_he_was_told_before_though_a_prerequisite_was_done_again():
    house = House()
    first, second = (Result.ended("a", summary=said, attempt=n) for n, said in ((1, "early"), (2, "late")))
    for result in (first, second):
        await house.journal.record(f"r-1/results/a/{result.attempt:03}", result.model_dump_json())
    a, b = subtask("a"), subtask("b", "a")
    once = {"a": Attempt("r-1", a), "b": Attempt("r-1", b)}
    again = once | {"a": Attempt("r-1", a, 2)}
    before = await Prerequisites(house.journal, once, {"a": first}).of(once["b"])
    after = await Prerequisites(house.journal, again, {"a": second}).of(once["b"])
    anew = await Prerequisites(house.journal, again, {"a": second}).of(Attempt("r-1", b, 2))
    assert [p.result.summary for p in (*before, *after, *anew)] == ["early", "early", "late"]


Graph = st.lists(st.tuples(st.integers(1, 30), st.sets(st.integers(0, 24), max_size=3)), min_size=1, max_size=25)


@settings(max_examples=100, deadline=None)
@given(graph=Graph)
def test_a_run_takes_exactly_as_long_as_its_critical_path(graph):
    names = [f"s{n}" for n in range(len(graph))]
    waits = {names[n]: tuple(names[k] for k in sorted(before) if k < n) for n, (_, before) in enumerate(graph)}
    seconds = {names[n]: float(took) for n, (took, _) in enumerate(graph)}
    ends: dict[str, float] = {}
    for name in names:
        ends[name] = max((ends[other] for other in waits[name]), default=0.0) + seconds[name]

    async def play() -> None:
        worker, begun = Timed(seconds), anyio.current_time()
        subtasks = [subtask(name, *waits[name]) for name in names]
        house = House()
        dispatch = house.dispatch(worker, *subtasks, policy=Policy(width=256))
        await dispatch.run()
        assert anyio.current_time() - begun == max(ends.values())
        assert {name: at - begun for name, at in worker.at.items()} == {
            name: ends[name] - seconds[name] for name in names
        }

    clock = MockClock(autojump_threshold=0)
    anyio.run(play, backend="trio", backend_options={"clock": clock})
