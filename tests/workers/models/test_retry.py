"""What failed for a reason that may pass is tried again, within reason. In virtual time."""

from random import Random

import anyio
import pytest
from inline_snapshot import snapshot
from tests.workers.models.doubles import CARD, Backend, account, answer, asking, virtual_time

from fanfold_workers.accounts import Amount, Full, Standing
from fanfold_workers.errors import (
    BusyError,
    FanfoldError,
    FaultError,
    KeyRefusedError,
    OverBudgetError,
    RejectedError,
    TooLongError,
)
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.models.budget import Budget, Till
from fanfold_workers.models.gate import Gate, Throttle
from fanfold_workers.models.model import Model
from fanfold_workers.models.record import Record
from fanfold_workers.models.retry import MOST, START, Allowance, Retry
from fanfold_workers.models.tokens import Meter


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return virtual_time()


class Chance(Random):
    """Always the same draw."""

    def __init__(self, drawn: float) -> None:
        super().__init__()
        self.drawn = drawn

    def random(self) -> float:
        return self.drawn


def faults(number: int) -> list[FaultError]:
    return [
        FaultError(f"The connection broke, {n + 1}.", field="base_url", remedy="Look at it.") for n in range(number)
    ]


def retry(backend: Model, drawn: float = 0.0) -> Retry:
    return Retry(backend, Allowance(), Chance(drawn))


@pytest.mark.parametrize(("drawn", "at"), [(0.0, [0, 0.5, 1.5]), (0.5, [0, 0.75, 2.25]), (1.0, [0, 1, 3])])
async def test_a_fault_is_tried_again_twice_half_of_the_wait_certain_and_half_by_chance(
    drawn: float, at: list[float]
):
    backend = Backend([*faults(2), answer()])
    assert await retry(backend, drawn).ask(asking()) == answer()
    assert backend.at == at


async def test_waits_by_chance_lie_within_their_bounds_and_differ():
    waits = []
    for _ in range(50):
        backend, start = Backend([*faults(2), answer()]), anyio.current_time()
        await Retry(backend, Allowance()).ask(asking())
        waits.append((backend.at[1] - start, backend.at[2] - backend.at[1]))
    assert all(0.5 <= first <= 1 and 1 <= second <= 2 for first, second in waits)
    assert len(set(waits)) == 50


async def test_after_three_tries_the_last_fault_stands_and_says_how_many_there_were():
    backend = Backend(faults(3))
    with pytest.raises(FaultError) as raised:
        await retry(backend).ask(asking())
    assert str(raised.value) == snapshot("base_url: The connection broke, 3. (tried 3 times.) Look at it.")
    assert (len(backend.asked), raised.value.field, raised.value.charged) == (3, "base_url", False)
    assert str(raised.value.__cause__).startswith("base_url: The connection broke, 3.")


async def test_a_last_fault_that_may_have_cost_something_still_says_so():
    with pytest.raises(FaultError) as raised:
        await retry(Backend([FaultError("The stream was cut.", charged=True)] * 3)).ask(asking())
    assert raised.value.charged


@pytest.mark.parametrize(
    "error",
    [
        BusyError("later"),
        RejectedError("no"),
        TooLongError("no"),
        KeyRefusedError("no"),
        OverBudgetError(Full(account("r-1", 5), "usd", Standing()), Amount(10)),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_no_second_try_would_mend_is_raised_at_once(error: FanfoldError):
    backend = Backend([error])
    with pytest.raises(type(error)) as raised:
        await retry(backend).ask(asking())
    assert raised.value is error
    assert (backend.at, anyio.current_time()) == ([0], 0)


async def test_when_too_many_calls_fail_they_are_tried_once_only_and_told_so():
    backend = Backend([FaultError("The server is down.")] * 1_000)
    model, told = retry(backend), []
    for _ in range(50):
        with pytest.raises(FaultError) as raised:
            await model.ask(asking())
        told.append(raised.value.problem)
    # Ten retries to begin with, and one for every ten calls, the last of which may not be whole yet.
    assert 50 + START + 4 <= len(backend.asked) <= 50 + START + 5
    assert told[:5] == ["The server is down. (tried 3 times.)"] * 5
    assert told[-1] == snapshot("The server is down. (tried 1 x, and too many other calls fail to try again.)")


async def test_calls_that_go_well_earn_retries_for_those_that_do_not():
    model = retry(Backend([FaultError("down")] * 1_000))
    model.allowance.left = 0
    with pytest.raises(FaultError, match="tried 1 x"):
        await model.ask(asking())
    well = Retry(Backend(), model.allowance)
    for _ in range(9):
        await well.ask(asking())
    with pytest.raises(FaultError, match="tried 2 x"):
        await model.ask(asking())


async def test_no_more_than_a_hundred_retries_are_saved_up():
    model = retry(Backend())
    for _ in range(5_000):
        await model.ask(asking())
    assert model.allowance.left == MOST == 100


async def test_while_it_waits_it_holds_neither_a_place_nor_money():
    journal, throttle, looks = MemoryJournal(), Throttle(), []
    backend = Backend([*faults(1), answer()], seconds=5)
    gate = Gate(Record(backend, journal, CARD), throttle)
    model = retry(Budget(gate, CARD, journal, Meter(), Till()), drawn=1.0)

    async def look(at: float) -> None:
        await anyio.sleep(at)
        standing = await journal.standing("r-1")
        looks.append((at, throttle.flying, standing.held.micros, standing.spent.micros))

    async with anyio.create_task_group() as group:
        group.start_soon(model.ask, asking(most=100, purse=[account("r-1", 100)]))
        for seconds in (4.9, 5.5, 6.1, 11.1):
            group.start_soon(look, seconds)
    assert looks == [(4.9, 1, 100, 0), (5.5, 0, 0, 0), (6.1, 1, 100, 0), (11.1, 0, 0, 10)]


async def test_a_caller_who_gives_up_while_it_waits_is_let_go_at_once():
    backend = Backend(faults(3))
    with anyio.move_on_after(0.4) as scope:
        await retry(backend).ask(asking())
    assert (scope.cancelled_caught, anyio.current_time(), len(backend.asked)) == (True, 0.4, 1)
