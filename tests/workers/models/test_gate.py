"""Nobody asks faster than the provider allows, and everybody gets an answer. In virtual time."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import anyio
import pytest
from tests.workers.models.doubles import Backend, account, answer, asking, priced, virtual_time

from fanfold_workers.accounts import Amount, Full, Standing
from fanfold_workers.errors import BusyError, FanfoldError, FaultError, ModelError, OverBudgetError
from fanfold_workers.models.gate import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    MOST_PAUSE_SECONDS,
    START_WIDTH,
    STEP_SECONDS,
    Gate,
    Throttle,
)
from fanfold_workers.models.model import Ask, Model, Rate, Reply, Tokens, saying
from fanfold_workers.models.retry import START, Allowance, Retry


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return virtual_time()


def gate(backend: Model) -> Gate:
    return Gate(backend, Throttle())


ASK = priced(asking())


def starts(backend: Backend) -> dict[float, int]:
    """How many calls were made at each instant."""
    return dict(Counter(round(at, 6) for at in backend.at))


async def at(seconds: float, model: Model) -> None:
    await anyio.sleep(seconds)
    await model.ask(ASK)


async def together(model: Model, number: int, *, after: float = 0.0) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(number):
            group.start_soon(at, after, model)


# -- width -----------------------------------------------------------------------------------------------------------


async def test_sixteen_calls_go_at_once_and_their_number_doubles_each_step_until_the_server_objects():
    backend = Backend(seconds=10)
    await together(gate(backend), 1_000)
    assert (START_WIDTH, STEP_SECONDS) == (16, 0.04)
    assert starts(backend) == {0: 16, 0.04: 16, 0.08: 32, 0.12: 64, 0.16: 128, 0.2: 256, 0.24: 488}


async def test_a_width_that_the_server_bore_is_kept_and_steps_count_from_when_calls_come():
    backend = Backend(seconds=10)
    model = gate(backend)
    await together(model, 30)
    await together(model, 100, after=3_600)
    assert list(starts(backend).values()) == [16, 14, 32, 32, 36]


async def test_a_call_that_ends_makes_room_for_the_next():
    backend = Backend(seconds=0.01)
    await together(gate(backend), 40)
    assert starts(backend) == {0: 16, 0.01: 16, 0.02: 8}


async def test_calls_go_in_the_order_they_came():
    backend = Backend(seconds=1)
    model = gate(backend)
    asks = [priced(asking(str(number))) for number in range(100)]
    async with anyio.create_task_group() as group:
        for ask in asks:
            group.start_soon(model.ask, ask)
            await anyio.sleep(0.0001)
    assert backend.asked == asks


# -- pauses ----------------------------------------------------------------------------------------------------------


@dataclass
class Refusing:
    """Refuses the first calls, each in a tenth of a second, and answers the others in a hundred."""

    refusals: list[BusyError]
    at: list[float] = field(default_factory=list)

    async def ask(self, _: Ask, /) -> Reply:
        self.at.append(anyio.current_time())
        if self.refusals:
            error = self.refusals.pop(0)
            await anyio.sleep(0.1)
            raise error
        await anyio.sleep(100)
        return answer()


def busy(seconds: float = 0.0, *, overloaded: bool = False, rates: Sequence[Rate] = ()) -> BusyError:
    return BusyError("later", seconds=seconds, overloaded=overloaded, rates=tuple(rates))


@pytest.mark.parametrize("overloaded", [False, True], ids=["429", "529"])
async def test_a_refusal_pauses_everybody_to_the_longest_word_and_then_one_goes_first_then_two_then_four(
    overloaded: bool,
):
    backend = Refusing([busy(seconds, overloaded=overloaded) for seconds in (5, *[1] * 31, 8, *[2] * 31)])
    model = gate(backend)
    await together(model, 80)
    # The waves at 0, 0.04 and 0.08 s are refused a tenth of a second later.
    asked = Counter(round(at, 6) for at in backend.at)
    assert [asked[at] for at in (0, 0.04, 0.08)] == [16, 16, 32]
    # The pause ends 8 s after the 33rd was refused; each step takes two of the trips that refusals took.
    pause = 0.08 + 0.1 + 8
    later = {round(at - pause, 6): number for at, number in asked.items() if at > 1}
    assert list(later.items())[:6] == [(0, 1), (0.2, 1), (0.4, 2), (0.6, 4), (0.8, 8), (1.0, 16)]


async def test_calls_that_come_in_a_pause_wait_for_its_end():
    backend = Refusing([busy(5)])
    model = gate(backend)
    async with anyio.create_task_group() as group:
        group.start_soon(together, model, 1)
        await anyio.sleep(3)
        group.start_soon(together, model, 1)
    assert backend.at[:2] == [0, 5.1]


async def test_a_late_refusal_of_an_older_call_never_shortens_the_pause_and_halves_nothing_again():
    model = gate(Backend())
    throttle = model.throttle
    entered = [await throttle.enter({}) for _ in range(8)]
    throttle.refused(busy(20), entered[0], {})
    assert (throttle.until, throttle.target, throttle.refusals) == (20, 4, 1)
    await anyio.sleep(1)
    throttle.refused(busy(5), entered[1], {})
    assert (throttle.until, throttle.target, throttle.refusals) == (20, 4, 1)
    throttle.refused(busy(30), entered[2], {})
    assert (throttle.until, throttle.target, throttle.refusals) == (31, 4, 1)


async def test_without_a_word_of_how_long_the_pause_doubles_until_an_answer_comes():
    backend = Backend([busy() for _ in range(9)])
    model = gate(backend)
    await model.ask(ASK)
    waits = [round(later - earlier, 6) for earlier, later in zip(backend.at, backend.at[1:], strict=False)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert (FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS) == (1, 60)

    backend.script = [busy(), answer()]
    began = anyio.current_time()
    await model.ask(ASK)
    assert anyio.current_time() - began == 1


@dataclass
class Always:
    """Refuses whatever it is asked."""

    seconds: float
    asked: int = 0

    async def ask(self, _: Ask, /) -> Reply:
        self.asked += 1
        raise busy(self.seconds)


async def test_a_server_that_is_always_busy_costs_no_try_and_is_asked_until_the_callers_deadline():
    allowance, server = Allowance(), Always(1)
    model = Retry(gate(server), allowance)
    with pytest.raises(BusyError) as raised, anyio.fail_after(29.5):
        await model.ask(ASK)
    assert (anyio.current_time(), server.asked) == (29, 30)
    assert allowance.left == START + 0.1
    assert str(raised.value) == (
        "The server asks to wait 1 s, which is longer than this call may take. "
        "Try again later, or raise your rate limit with the provider."
    )


async def ends(model: Model, *, seconds: float = 0.0, deadline: float = math.inf) -> tuple[str, float]:
    """How a call ends that is made so many seconds from now, and when."""
    await anyio.sleep(seconds)
    try:
        with anyio.fail_after(deadline):
            await model.ask(ASK)
        how = "answered"
    except (ModelError, TimeoutError) as error:
        how = type(error).__name__
    return how, round(anyio.current_time(), 6)


async def test_a_pause_that_outlasts_a_deadline_fails_at_once_wherever_the_call_is():
    """The one that is refused, the first in the line, others in it, and those who come later; nobody else."""
    backend = Refusing([busy(60)] * 16)
    model = gate(backend)
    cases = [(0.0, 1_000.0)] * 15 + [(0.0, 30.0)] + [(0.05, 30.0), (0.05, 1_000.0), (0.05, 30.0), (2.0, 50.0)]
    model.throttle.step = 10
    found = await anyio.amap(lambda case: ends(model, seconds=case[0], deadline=case[1]), cases)
    # Sixteen are refused, so after the pause eight are in flight at once, for 100 s.
    assert {how for how, _ in found[:15]} == {"answered"}
    assert found[15] == ("BusyError", 0.1)
    assert [found[16], found[18], found[19]] == [("BusyError", 0.1), ("BusyError", 0.1), ("BusyError", 2)]
    assert found[17][0] == "answered"


async def test_nobody_waits_longer_than_ten_minutes():
    assert LONGEST_PAUSE_SECONDS == 600
    assert await ends(gate(Backend([busy(601)]))) == ("BusyError", 0)
    assert await ends(gate(Backend([busy(600)]))) == ("answered", 600)


async def test_a_caller_who_gives_up_leaves_the_line_in_order():
    backend = Refusing([busy(5)])
    model = gate(backend)
    order, given_up = [], {name: anyio.CancelScope() for name in "abcde"}

    async def one(name: str) -> None:
        with given_up[name]:
            await model.ask(priced(asking(name)))
            order.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(together, model, 1)
        await anyio.sleep(0.2)
        for name in given_up:
            group.start_soon(one, name)
            await anyio.sleep(0.01)
        for name, seconds in (("a", 1), ("c", 1), ("e", 50)):
            await anyio.sleep(seconds)
            given_up[name].cancel()
    assert order == ["b", "d"]
    # The first, twice; two after it; and one that was given up while in flight.
    assert (len(backend.at), model.throttle.flying) == (2 + 2 + 1, 0)
    assert model.throttle._waiting == {}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_those_a_pause_turns_away_or_who_give_up_hold_up_nobody_on_asyncio_either():
    backend = Backend([busy(1)])
    model = gate(backend)
    ended: dict[str, str] = {}

    async def one(name: str, deadline: float) -> None:
        try:
            with anyio.fail_after(deadline):
                await model.ask(priced(asking(name)))
            ended[name] = "answered"
        except (BusyError, TimeoutError) as error:
            ended[name] = type(error).__name__

    async with anyio.create_task_group() as group:
        group.start_soon(one, "refused", 10)
        await anyio.sleep(0.01)
        for number in range(3):
            group.start_soon(one, f"hurried {number}", 0.3)
            group.start_soon(one, f"patient {number}", 10)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as others:
                others.start_soon(one, "given up", 10)
                await anyio.sleep(0.05)
                scope.cancel()
    assert ended == {
        "refused": "answered",
        **{f"hurried {number}": "BusyError" for number in range(3)},
        **{f"patient {number}": "answered" for number in range(3)},
    }
    assert (model.throttle.flying, model.throttle._waiting) == (0, {})


async def test_lead_and_worker_of_one_model_share_what_is_known_of_it():
    throttle, backend = Throttle(), Refusing([busy(5)])
    lead, worker = Gate(backend, throttle), Gate(backend, throttle)
    async with anyio.create_task_group() as group:
        group.start_soon(lead.ask, ASK)
        await anyio.sleep(1)
        group.start_soon(worker.ask, ASK)
    assert backend.at[:2] == [0, 5.1]


@pytest.mark.parametrize(
    "error", [FaultError("broke"), OverBudgetError(Full(account("r-1", 1), "usd", Standing()), Amount(2))]
)
async def test_other_failures_pass_through_and_leave_the_place_free(error: FanfoldError):
    model = gate(Backend([error]))
    with pytest.raises(type(error)):
        await model.ask(ASK)
    assert (model.throttle.flying, model.throttle.fresh, model.throttle.until) == (0, 0, 0)


# -- how many at once ------------------------------------------------------------------------------------------------


async def refused_at(flying: int, error: BusyError) -> Throttle:
    """A throttle where the first of so many calls in flight was refused a moment ago."""
    throttle = Throttle()
    entered = [await throttle.enter({}) for _ in range(flying)]
    throttle.refused(error, entered[0], {"requests": 1})
    throttle.leave(entered[0])
    return throttle


SPENT, LEFT = Rate("requests", 60, 0, 60), Rate("requests", 60, 40, 20)


@pytest.mark.parametrize(
    ("error", "target"),
    [
        (busy(1), 20),
        (busy(1, overloaded=True), 20),
        (busy(1, rates=[LEFT]), 20),
        (busy(1, rates=[SPENT]), math.inf),
        (busy(1, rates=[SPENT], overloaded=True), 20),
    ],
    ids=["429", "529", "429 though no rate is spent", "429 as a rate is spent", "529 while a rate is spent"],
)
async def test_a_refusal_that_no_stated_rate_explains_halves_how_many_may_be_in_flight(
    error: BusyError, target: float
):
    assert (await refused_at(40, error)).target == target


async def test_each_round_of_answers_lets_in_a_few_more_and_ever_more():
    throttle, sizes = await refused_at(40, busy(1)), []
    await anyio.sleep(2)
    for _ in range(4):
        for _ in range(round(throttle.target)):
            throttle.answered(anyio.current_time(), ())
        sizes.append(throttle.target - 20)
    first, second, third, fourth = sizes
    assert 1 <= first <= 2
    assert 1.7 <= (second - first) / first <= 2.3
    assert 1.7 <= (fourth - third) / (third - second) <= 2.3


async def test_answers_to_calls_from_before_the_pause_say_nothing_of_how_many_the_server_bears_now():
    throttle = await refused_at(40, busy(1))
    throttle.answered(0, ())
    assert (throttle.target, throttle.refusals) == (20, 1)


async def test_a_refusal_of_the_first_call_after_a_pause_is_weather_and_says_nothing_of_how_many_would_do():
    throttle = await refused_at(40, busy(1))
    for _ in range(39):
        throttle.leave(0)
    entered = await throttle.enter({})
    throttle.refused(busy(1), entered, {})
    assert (throttle.target, throttle.refusals) == (math.inf, 2)


async def test_no_more_are_in_flight_than_the_target():
    throttle = await refused_at(8, busy(1))
    flying = []

    async def call() -> None:
        entered = await throttle.enter({})
        flying.append(throttle.flying)
        await anyio.sleep(1)
        throttle.leave(entered)

    async with anyio.create_task_group() as group:
        for _ in range(7):
            group.start_soon(call)
        await anyio.sleep(0.5)
        assert flying == []
        for _ in range(7):
            throttle.leave(0)
    assert max(flying) == 4


async def test_calls_are_not_kept_waiting_for_long_ones_to_leave():
    throttle, went = await refused_at(8, busy(1)), []
    throttle.width = START_WIDTH

    async def call() -> None:
        await throttle.enter({})
        went.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        for _ in range(7):
            group.start_soon(call)
    # Seven are in flight and four allowed, from 1 s on: one more after 5 s, two after another 5, then four.
    assert went == [6, 11, 11, 16, 16, 16, 16]


# -- stated rates ----------------------------------------------------------------------------------------------------


async def test_stated_rates_are_kept_at_nearly_their_pace():
    rates = (Rate("requests", 600, 5, 59.5),)
    backend = Backend([replace(answer(), rates=rates)] + [answer()] * 105)
    model = gate(backend)
    await model.ask(ASK)
    await together(model, 105)
    # Five are left, and ten a second come in, of which 97 % are used.
    assert backend.at[1:6] == [0] * 5
    assert backend.at[6] == pytest.approx(1 / 9.7)
    assert backend.at[-1] == pytest.approx(100 / 9.7)


@pytest.mark.parametrize(
    ("unit", "usage"),
    [
        ("input", Tokens(input=1_000, output=4_000)),
        ("input", Tokens(input=600, cache_write=400, cache_read=2_000)),
        ("output", Tokens(input=3_000, output=1_000)),
    ],
)
async def test_tokens_that_a_call_did_not_need_come_back(unit: str, usage: Tokens):
    """Input that a cache served counts for no rate."""
    told = replace(saying("ok", usage=usage), rates=(Rate(unit, 10_000, 6_000, 24),))
    backend = Backend([told, *[saying("ok", usage=usage)] * 8], seconds=1)
    model = gate(backend)
    ask = replace(asking(most=4_000), worst=Amount(0, 8_000, 1))
    await model.ask(ask)
    assert model.throttle._buckets[unit].level == 6_000

    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(model.ask, ask)
    # One takes 4,000 of 6,000 and gives 3,000 back after a second; in that time 161 come in.
    assert backend.at[1:] == [1, 2]
    assert model.throttle._buckets[unit].level == pytest.approx(6_000 - 2 * 1_000 + 10_000 / 60 * 0.97)


async def test_a_call_that_no_account_could_pay_takes_nothing_from_the_rates():
    refused = OverBudgetError(Full(account("r-1", 1), "usd", Standing()), Amount(2))
    backend = Backend([replace(answer(), rates=(Rate("requests", 60, 30, 30),)), refused])
    model = gate(backend)
    await model.ask(ASK)
    with pytest.raises(OverBudgetError):
        await model.ask(ASK)
    assert model.throttle._buckets["requests"].level == 30


async def test_a_call_that_needs_more_than_a_rate_holds_waits_until_it_is_full_and_goes():
    told = replace(answer(), rates=(Rate("output", 6_000, 0, 60),))
    backend = Backend([told])
    model = gate(backend)
    await model.ask(ASK)
    await model.ask(replace(asking(most=8_000), worst=Amount(0, 8_100, 1)))
    assert backend.at[1] == pytest.approx(60 / 0.97)
    await model.ask(ASK)
    assert backend.at[2] == pytest.approx(backend.at[1], abs=90 / 97)


async def test_what_others_took_of_a_rate_is_learnt_from_the_next_reply():
    def left(remaining: int) -> Reply:
        return replace(answer(), rates=(Rate("requests", 60, remaining, 60 - remaining),))

    backend = Backend([left(60), left(2)])
    model = gate(backend)
    for _ in range(4):
        await model.ask(ASK)
    assert backend.at[:4] == [0, 0, 0, 0]
    await model.ask(ASK)
    assert backend.at[4] == pytest.approx(1 / 0.97)


async def test_a_limit_that_was_raised_counts_at_once():
    poor, rich = (replace(answer(), rates=(Rate("requests", limit, limit // 10, 54),)) for limit in (10, 1_000))
    backend = Backend([poor, rich])
    model = gate(backend)
    for _ in range(50):
        await model.ask(ASK)
    assert backend.at == [0] * 50


# -- servers, simulated ----------------------------------------------------------------------------------------------


@dataclass
class Provider:
    """A server that is honest about its limit and refuses everybody while a storm lasts.

    Attributes:
        second: requests that a second allows.
        burst: how many its bucket holds.
        trip: seconds to it and back.
        latency: seconds that an answer takes.
        storm: from when to when it refuses all with 529 and `retry-after: 1`.
        sent, refused: when calls were made, and when those were made that it refused.
        admitted: when it let calls in.
        heard: when its first refusal arrived.
    """

    second: float = math.inf
    burst: float = math.inf
    trip: float = 0.05
    latency: Callable[[Random], float] = lambda chance: chance.uniform(1, 3)
    storm: tuple[float, float] = (0, 0)
    sent: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    admitted: list[float] = field(default_factory=list)
    heard: float = math.inf
    chance: Random = field(default_factory=lambda: Random(1))
    _level: float = math.inf
    _at: float = 0.0

    def __post_init__(self) -> None:
        self._level = self.burst

    async def ask(self, _: Ask, /) -> Reply:
        sent = anyio.current_time()
        self.sent.append(sent)
        await anyio.sleep(self.trip / 2)
        error = self._refusal()
        if not error:
            self._level -= 1
            self.admitted.append(anyio.current_time())
        rates = self._rates()
        await anyio.sleep(max(self.trip / 2, 0 if error else self.latency(self.chance)))
        if error:
            self.heard = min(self.heard, anyio.current_time())
            self.refused.append(sent)
            raise error
        return replace(answer(), rates=rates)

    def _refusal(self) -> BusyError | None:
        now = anyio.current_time()
        if self.second < math.inf:
            self._level = min(self.burst, self._level + (now - self._at) * self.second)
        self._at = now
        if self.storm[0] <= now < self.storm[1]:
            return busy(1, overloaded=True, rates=self._rates())
        if self._level < 1 - 1e-9:
            return busy(math.ceil((1 - self._level) / self.second), rates=self._rates())
        return None

    def _rates(self) -> tuple[Rate, ...]:
        """As the API states them: whole requests, and whole seconds rounded up."""
        if self.second == math.inf:
            return ()
        whole = math.ceil((self.burst - self._level) / self.second)
        return (Rate("requests", int(self.second * 60), int(self._level), whole),)

    def again(self) -> int:
        """Calls it refused that were made after its first refusal had arrived."""
        return sum(sent > self.heard for sent in self.refused)

    def used(self, since: float = 0.0) -> float:
        """The part of what it allowed, from then to the last call it let in, that was made use of."""
        seconds = max(self.admitted) - since
        return len(self.admitted) / (self.burst + seconds * self.second)


trips = pytest.mark.parametrize("trip", [0.05, 0.2])


@trips
async def test_five_hundred_calls_under_sixty_a_second_are_hardly_refused_and_use_what_is_allowed(trip: float):
    server = Provider(second=60, burst=60, trip=trip)
    await together(gate(server), 500)
    assert len(server.admitted) == 500
    assert server.again() < 0.02 * 500
    assert server.used() >= 0.9


@trips
@pytest.mark.parametrize("since", [0, 0.1, 0.3, 3])
async def test_a_thousand_calls_come_through_a_storm_of_six_seconds(trip: float, since: float):
    server = Provider(trip=trip, storm=(since, since + 6))
    model = gate(server)
    async with anyio.create_task_group() as group:
        group.start_soon(together, model, 500)
        for number in range(500):
            group.start_soon(at, 2 + number / 100, model)
    assert len(server.admitted) == 1_000
    assert server.again() < 0.02 * 1_000
    # It is over six seconds later; a pause of one may have begun in its last moment, and then they go in steps.
    assert max(server.admitted) <= since + 6 + 1 + 12 * 2 * trip + trip


@trips
async def test_a_storm_under_a_rate_costs_hardly_more_than_the_storm(trip: float):
    server = Provider(second=60, burst=60, trip=trip, storm=(0, 6))
    await together(gate(server), 1_000)
    assert len(server.admitted) == 1_000
    assert server.again() < 0.02 * 1_000
    # Its last refusal says to wait a second, so that much of what it allows nobody who obeys can use.
    assert server.used(since=6 + 1) >= 0.9


@trips
async def test_a_bucket_that_is_smaller_than_a_pause_could_fill_is_found_out(trip: float):
    server = Provider(second=60, burst=10, trip=trip)
    await together(gate(server), 500)
    assert len(server.admitted) == 500
    assert server.again() < 0.2 * 500
    assert server.used() >= 0.6


async def test_a_server_that_bears_ten_at_once_and_says_nothing_of_it_is_not_stormed():
    @dataclass
    class Small:
        inside: int = 0
        refused: int = 0
        answered: int = 0

        async def ask(self, _: Ask, /) -> Reply:
            await anyio.sleep(0.025)
            if self.inside >= 10:
                self.refused += 1
                await anyio.sleep(0.025)
                raise busy()
            self.inside += 1
            await anyio.sleep(2)
            self.inside -= 1
            self.answered += 1
            return answer()

    server = Small()
    began = anyio.current_time()
    await together(gate(server), 200)
    assert server.answered == 200
    assert server.refused < 0.25 * 200
    # Ten at once would take 40 s.
    assert anyio.current_time() - began < 2 * 40


async def test_a_run_after_an_hours_rest_is_refused_no_more_than_the_first():
    server = Provider(second=60, burst=60)
    model = gate(server)
    await together(model, 200)
    first = len(server.refused)
    await together(model, 200, after=3_600)
    assert len(server.refused) - first <= 2
