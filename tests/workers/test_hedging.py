"""A call that takes far longer than those like it is made a second time; the first answer counts. In virtual time."""

import itertools
import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workers.models.doubles import virtual_time
from tests.workers.test_journal import Cancel, every_cancel

from fanfold_workers.hedging import LOOK_SECONDS, MOST_KINDS, WINDOW, Flight, Hedges, Siblings, hedged, never, overdue


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return virtual_time()


@dataclass
class Calls:
    """Calls that take as long as they are told, first tries by their number and duplicates all the same.

    Attributes:
        first: seconds of each first try, or the error it ends with after so many.
        second: the same of every duplicate.
        doubled: when each duplicate went out, by the number of its call.
        ended: when each call was answered, and by which try.
        flying: tries in flight.
    """

    first: Sequence[float | tuple[float, Exception]]
    second: float | tuple[float, Exception] = 3.0
    siblings: Siblings = field(default_factory=Siblings)
    held: Callable[[], bool] = never
    doubled: dict[int, float] = field(default_factory=dict)
    ended: dict[int, tuple[float, str]] = field(default_factory=dict)
    flying: int = 0

    async def call(self, number: int, *, after: float = 0.0) -> None:
        async def work(flight: Flight) -> str:
            if flight.spare:
                self.doubled[number] = anyio.current_time()
            step = self.second if flight.spare else self.first[number]
            seconds, error = step if isinstance(step, tuple) else (step, None)
            with flight:
                self.flying += 1
                try:
                    await anyio.sleep(seconds)
                finally:
                    self.flying -= 1
                if error:
                    raise error
            return "second" if flight.spare else "first"

        await anyio.sleep(after)
        try:
            answer, _ = await hedged(self.siblings, work, self.held)
        except ArithmeticError as error:
            answer = type(error).__name__
        self.ended[number] = anyio.current_time(), answer

    async def together(self) -> None:
        async with anyio.create_task_group() as group:
            for number in range(len(self.first)):
                group.start_soon(self.call, number)
        assert (self.flying, self.siblings.flying) == (0, 0)


# -- which call is slow ----------------------------------------------------------------------------------------------


def limit(completed: Sequence[float], out: Sequence[float] = ()) -> float:
    return overdue(sorted(completed), sorted(out))


def test_the_last_of_five_is_slow_at_thirteen_tenths_of_the_median_and_of_four_nobody_is():
    assert limit([3, 3, 3], [3]) == math.inf
    assert limit([3, 3, 3, 3], [3]) == pytest.approx(3.9)
    assert limit([3, 3, 3], [3, 3]) == math.inf
    assert limit([2, 3, 4, 5], [5]) == pytest.approx(4 * 1.3)
    assert limit([2, 3, 4, 9], [9]) == 9


@pytest.mark.parametrize(
    ("alike", "left"), [(8, 1), (20, 1), (30, 1), (39, 1), (40, 2), (50, 2), (60, 3), (1_000, 50)]
)
def test_of_many_that_began_together_one_in_twenty_may_be_slow_and_of_a_few_the_last(alike: int, left: int):
    assert limit([3] * (alike - left), [3] * left) == pytest.approx(3.9)
    assert limit([3] * (alike - left - 1), [3] * (left + 1)) == math.inf


def test_those_that_end_early_do_not_make_the_others_slow():
    seconds = [float(n) for n in range(1, 51)]
    for now in range(1, 48):
        assert limit(seconds[:now], [now] * (50 - now)) == math.inf
    assert limit(seconds[:48], [48, 48]) == 48


def test_in_a_steady_stream_those_that_went_out_just_now_say_nothing():
    past = [float(n % 20 + 1) for n in range(200)]
    assert limit(past) == limit(past, [0.5] * 200) == 19
    assert limit(past, [30.0] * 20) == math.inf


def test_what_was_cut_off_counts_for_as_long_as_it_lasted():
    # Without the three that were cut off after 10 s, the limit would be 5 s.
    assert limit([*[3.0] * 18, 5.0, 12.0]) == 5
    assert limit([*[3.0] * 18, 5.0, 12.0], [10.0] * 3) == 12


def test_a_moment_is_not_worth_a_second_call():
    assert limit([0.0] * 9, [0.0]) == 0.1


times = st.lists(st.floats(0, 100), max_size=40)


@given(times, times)
def test_the_limit_is_the_first_time_that_few_enough_outlast(completed: list[float], out: list[float]):
    def survival(at: float) -> float:
        left = 1.0
        for seconds in sorted(set(completed)):
            if seconds <= at:
                risk = sum(other >= seconds for other in (*completed, *out))
                left *= 1 - completed.count(seconds) / risk
        return left

    def few(at: float) -> bool:
        alike = len(completed) + sum(seconds >= at for seconds in out)
        return alike >= 5 and survival(at) <= min(0.25, max(0.05, 1.5 / alike)) + 1e-6

    slow = [at for at in sorted(completed) if few(at)]
    expected = max(slow[0], 1.3 * sorted(completed)[len(completed) // 2], 0.1) if slow else math.inf
    assert limit(completed, out) == pytest.approx(expected)


# -- when a duplicate goes out ---------------------------------------------------------------------------------------


async def test_calls_that_began_a_moment_apart_are_judged_together():
    calls = Calls([2.0 + n % 7 / 5 for n in range(48)] + [60.0, 60.0])
    async with anyio.create_task_group() as group:
        for number in range(50):
            await anyio.sleep(0.02)
            group.start_soon(calls.call, number)
    assert set(calls.doubled) == {48, 49}


async def test_the_straggler_of_eight_is_asked_again_and_answered_as_fast_as_the_others():
    calls = Calls([3.0] * 7 + [60.0])
    await calls.together()
    assert calls.doubled == {7: pytest.approx(3.9)}
    assert calls.ended[7] == (pytest.approx(6.9), "second")
    assert {calls.ended[n] for n in range(7)} == {(3.0, "first")}
    assert (calls.siblings.calls, calls.siblings.duplicates) == (8, 1)


async def test_two_slow_ones_of_fifty_are_asked_again_at_once():
    calls = Calls([3.0] * 20 + [60.0] + [3.0] * 28 + [50.0])
    await calls.together()
    assert calls.doubled == {20: pytest.approx(3.9), 49: pytest.approx(3.9)}


async def test_of_fifty_that_end_one_after_another_only_the_last_two_are_asked_again():
    calls = Calls([float(n) for n in range(1, 51)], second=60.0)
    await calls.together()
    assert calls.doubled == {48: 48, 49: 48}
    assert {how for _, how in calls.ended.values()} == {"first"}


@pytest.mark.parametrize(("alike", "asked"), [(2, 0), (4, 0), (5, 1)])
async def test_of_fewer_than_five_nobody_is_slow(alike: int, asked: int):
    calls = Calls([3.0] * (alike - 1) + [60.0])
    await calls.together()
    assert len(calls.doubled) == asked


async def test_a_call_is_known_to_be_slow_by_those_that_went_before():
    calls = Calls([3.0] * 10 + [60.0])
    for number in range(11):
        await calls.call(number)
    assert calls.doubled == {10: pytest.approx(33.9)}


async def test_in_a_stream_each_call_is_judged_by_its_own_time():
    calls = Calls([3.0 if n not in {60, 90} else 60.0 for n in range(120)])
    async with anyio.create_task_group() as group:
        for number in range(120):
            group.start_soon(lambda n=number: calls.call(n, after=n * 0.4))
    assert calls.doubled == {60: pytest.approx(24 + 3.9), 90: pytest.approx(36 + 3.9)}


async def test_no_more_than_one_call_in_twenty_is_asked_again():
    calls = Calls([3.0] * 37 + [60.0, 60.0, 3.0])
    for number in range(38):
        await calls.call(number)
    assert list(calls.doubled) == [37]
    started = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(calls.call, 38)
        await anyio.sleep(10)
        assert (calls.siblings.calls, calls.siblings.duplicates) == (39, 1)
        await calls.call(39)
    assert calls.doubled[38] == pytest.approx(started + 10, abs=LOOK_SECONDS)
    assert (calls.siblings.calls, calls.siblings.duplicates) == (40, 2)


async def test_nothing_is_asked_again_while_something_holds_it_back():
    start = anyio.current_time()
    calls = Calls([3.0] * 7 + [60.0], held=lambda: anyio.current_time() - start < 10)
    await calls.together()
    assert calls.doubled == {7: pytest.approx(start + 10, abs=LOOK_SECONDS)}


async def test_the_clock_starts_again_each_time_that_a_call_goes_out():
    siblings, doubled = Siblings(), list[float]()

    async def work(flight: Flight) -> None:
        if flight.spare:
            doubled.append(anyio.current_time())
            return
        with flight:
            await anyio.sleep(2)
        await anyio.sleep(20)  # it waits for something, and is not in flight
        with flight:
            await anyio.sleep(60)

    calls = Calls([3.0] * 7, siblings=siblings)
    async with anyio.create_task_group() as group:
        group.start_soon(hedged, siblings, work)
        await calls.together()
    assert doubled == [pytest.approx(22 + 3.9)]


async def test_a_duplicate_has_the_context_of_its_own_caller():
    caller, seen = ContextVar[int]("caller"), list[tuple[int, int]]()
    siblings = Siblings()

    async def call(number: int) -> None:
        caller.set(number)

        async def work(flight: Flight) -> None:
            seen.append((number, caller.get()))
            with flight:
                await anyio.sleep(60 if number == 3 and not flight.spare else 3)

        await hedged(siblings, work)

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(call, number)
    assert len(seen) == 9
    assert all(number == context for number, context in seen)


# -- who wins --------------------------------------------------------------------------------------------------------


async def test_a_first_try_that_answers_while_its_duplicate_is_out_wins():
    calls = Calls([3.0] * 7 + [5.0], second=60.0)
    await calls.together()
    assert calls.ended[7] == (5.0, "first")


async def test_a_duplicate_answers_for_a_first_try_that_failed_meanwhile():
    calls = Calls([*[3.0] * 7, (5.0, ZeroDivisionError())])
    await calls.together()
    assert calls.ended[7] == (pytest.approx(6.9), "second")


async def test_a_duplicate_that_fails_leaves_the_first_try_alone():
    calls = Calls([3.0] * 7 + [60.0], second=(1.0, ZeroDivisionError()))
    await calls.together()
    assert calls.ended[7] == (60.0, "first")


@pytest.mark.parametrize("first", [4.0, 5.0])
async def test_if_both_fail_the_error_is_that_of_the_first(first: float):
    calls = Calls([*[3.0] * 7, (first, OverflowError())], second=(0.5, ZeroDivisionError()))
    await calls.together()
    assert calls.ended[7] == (pytest.approx(max(first, 4.4)), "OverflowError")


async def test_a_call_that_fails_before_it_is_slow_fails_at_once_and_as_it_is():
    calls = Calls([*[3.0] * 7, (3.5, ZeroDivisionError())])
    await calls.together()
    assert calls.ended[7] == (3.5, "ZeroDivisionError")
    assert calls.doubled == {}


async def test_a_caller_that_is_cancelled_takes_both_tries_with_it():
    calls = Calls([3.0] * 7 + [60.0], second=60.0)
    with anyio.move_on_after(10):
        await calls.together()
    assert (anyio.current_time(), list(calls.doubled)) == (10, [7])
    assert (calls.flying, calls.siblings.flying) == (0, 0)


async def test_whoever_keeps_watch_hands_over_when_it_ends_or_is_cancelled():
    calls = Calls([3.0] * 7 + [60.0])
    scopes = [anyio.CancelScope() for _ in range(3)]

    async def call(number: int) -> None:
        with scopes[number]:
            await Calls([60.0], siblings=calls.siblings).call(0)

    async with anyio.create_task_group() as group:
        group.start_soon(calls.together)
        for number in range(3):
            group.start_soon(call, number)
        await anyio.sleep(1)
        for scope in reversed(scopes):
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    assert calls.doubled == {7: pytest.approx(3.9)}


# -- what is kept ----------------------------------------------------------------------------------------------------


async def test_the_latest_times_count():
    siblings = Siblings()
    for seconds in (1.0, 5.0):
        calls = Calls([seconds] * WINDOW, siblings=siblings)
        await calls.together()
    slow = Calls([30.0], siblings=siblings)
    started = anyio.current_time()
    await slow.call(0)
    assert slow.doubled == {0: pytest.approx(started + 6.5)}


def test_kinds_that_nobody_asks_for_are_forgotten_and_those_in_flight_are_not():
    hedges = Hedges()
    busy = hedges.of("busy")
    busy.began(Flight(None, spare=True))  # type: ignore[arg-type]
    first = hedges.of("0")
    for number in range(1, MOST_KINDS + 1):
        hedges.of(str(number))
    assert hedges.of("busy") is busy
    assert hedges.of("0") is not first


# -- any mix ---------------------------------------------------------------------------------------------------------


class Steps:
    """A call that is slow: its first try waits three times, and its duplicate goes out before the third."""

    def __init__(self, second: float) -> None:
        self.second, self.flying, self.started = second, 0, 0

    async def __call__(self, flight: Flight) -> str:
        self.started += 1
        with flight:
            self.flying += 1
            try:
                for seconds in [self.second] if flight.spare else [0.06] * 3:
                    await anyio.sleep(seconds)
            finally:
                self.flying -= 1
        return "second" if flight.spare else "first"


@every_cancel
@pytest.mark.parametrize(("second", "winner"), [(0.02, "second"), (60.0, "first")])
async def test_a_cancellation_at_any_await_leaves_no_try_in_flight(cancel: Cancel, second: float, winner: str):
    started = set[int]()
    for step in itertools.count(1):
        siblings, steps, answers = Siblings(), Steps(second), list[str]()
        for _ in range(10):
            await hedged(siblings, _quick)

        async def call(siblings: Siblings = siblings, steps: Steps = steps, answers: list[str] = answers) -> str:
            answers.append((await hedged(siblings, steps))[0])
            return ""

        cancelled = await cancel(step, call())
        assert (steps.flying, siblings.flying) == (0, 0), f"step {step}"
        if not cancelled:
            break
        started.add(steps.started)
    assert answers == [winner]
    assert started == {1, 2}


async def _quick(flight: Flight) -> str:
    with flight:
        await anyio.lowlevel.checkpoint()
    return ""


steps = st.tuples(st.sampled_from(["ok", "ok", "ok", "ok", "fail"]), st.sampled_from([1, 1, 1, 1, 2, 3, 5, 30, 90]))
calls_made = st.lists(st.tuples(steps, steps, st.integers(0, 10), st.none() | st.integers(0, 40)), max_size=40)


@given(calls_made, st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), max_size=3))
@settings(deadline=None, max_examples=150)
def test_whatever_happens_each_call_has_one_end_and_duplicates_stay_within_their_part(
    made: list[tuple[tuple[str, int], tuple[str, int], int, int | None]], pauses: list[tuple[int, int]]
):
    siblings, ends, flying, tries = Siblings(), list[str](), set[Flight](), list[Flight]()

    def held() -> bool:
        return any(start <= anyio.current_time() < start + seconds for start, seconds in pauses)

    async def call(first: tuple[str, int], second: tuple[str, int], start: int, patience: int | None) -> None:
        async def work(flight: Flight) -> int:
            kind, seconds = second if flight.spare else first
            assert not (flight.spare and held())
            tries.append(flight)
            with flight:
                flying.add(flight)
                try:
                    await anyio.sleep(seconds)
                finally:
                    flying.discard(flight)
                if kind == "fail":
                    raise ZeroDivisionError
            return seconds

        await anyio.sleep(start)
        began = anyio.current_time()
        with anyio.move_on_after(patience):
            try:
                await hedged(siblings, work, held)
                ends.append("answered")
            except ZeroDivisionError:
                ends.append("failed")
            assert anyio.current_time() - began <= first[1] + second[1]
            return
        ends.append("cancelled")

    async def play() -> None:
        async with anyio.create_task_group() as group:
            for one in made:
                group.start_soon(call, *one)

    name, options = virtual_time()
    anyio.run(play, backend=name, backend_options=options)
    assert len(ends) == len(made)
    assert (flying, siblings.flying) == (set(), 0)
    spares = [flight for flight in tries if flight.spare]
    assert len(spares) == len({flight.race for flight in spares}) == siblings.duplicates
    assert len(spares) <= max(1, siblings.calls // 20)
    assert siblings._completed == sorted(siblings._completed)
    assert bisect_right(siblings._cut, math.inf) + len(siblings._completed) == len(siblings._ended)
