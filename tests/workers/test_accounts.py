"""What every Journal promises of money: amounts add up exactly, and no account passes its limit. Tried on each."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.workers.test_journal import Cancel, every_cancel

from fanfold_workers.accounts import Account, Amount, Full, Limit, MemoryAccounts, Standing, micros
from fanfold_workers.errors import InputError
from fanfold_workers.journal import Journal


def account(name: str, micros: int | None = None, tokens: int | None = None, calls: int | None = None) -> Account:
    return Account(name, Limit(micros, tokens, calls))


WORST, COST = Amount(100, 2_000, 1), Amount(60, 1_500, 1)


async def test_what_is_reserved_is_held_until_it_is_settled_at_what_it_cost(journal: Journal):
    run, day = account("r-1"), account("day")
    assert await journal.standing("r-1") == Standing()
    assert await journal.reserve((run, day), WORST) is None
    assert [await journal.standing(name) for name in ("r-1", "day")] == [Standing(held=WORST)] * 2
    await journal.settle((run, day), WORST, COST, {})
    assert [await journal.standing(name) for name in ("r-1", "day")] == [Standing(COST)] * 2


async def test_settling_tells_what_the_first_account_has_spent_by_then(journal: Journal):
    run, day = account("r-1"), account("day")
    told = []
    for purse in ((run, day), (day,), (run, day), ()):
        await journal.reserve(purse, WORST)
        told.append(await journal.settle(purse, WORST, COST, {}))
    assert told == [COST, COST + COST, COST + COST, Amount()]


async def test_amounts_in_flight_and_spent_add_up(journal: Journal):
    run = account("r-1")
    for _ in range(3):
        await journal.reserve((run,), WORST)
    await journal.settle((run,), WORST, COST, {})
    await journal.settle((run,), WORST, Amount(), {})
    assert await journal.standing("r-1") == Standing(COST, WORST)


@pytest.mark.parametrize(
    ("limit", "unit"),
    [
        (Limit(micros=199), "usd"),
        (Limit(tokens=3_999), "tokens"),
        (Limit(calls=1), "calls"),
        (Limit(199, 3_999, 1), "usd"),
        (Limit(200, 3_999, 1), "tokens"),
    ],
)
async def test_a_reservation_that_would_pass_a_limit_is_refused_and_says_which(
    journal: Journal, limit: Limit, unit: str
):
    run = Account("r-1", limit, "max_usd_per_run")
    assert await journal.reserve((run,), WORST) is None
    assert await journal.reserve((run,), WORST) == Full(run, unit, Standing(held=WORST))
    await journal.settle((run,), WORST, WORST, {})
    full = await journal.reserve((run,), WORST)
    assert full == Full(run, unit, Standing(WORST))
    assert full.account.setting == "max_usd_per_run"


async def test_a_limit_may_be_reached_to_the_last_unit(journal: Journal):
    run = account("r-1", 200, 4_000, 2)
    assert [await journal.reserve((run,), WORST) for _ in range(2)] == [None, None]
    assert await journal.reserve((run,), Amount(1)) == Full(run, "usd", Standing(held=WORST + WORST))
    assert await journal.reserve((run,), Amount()) is None


async def test_one_account_that_is_too_small_keeps_all_of_them_untouched_and_the_first_such_speaks(journal: Journal):
    worker, run, day = account("r-1/s1"), account("r-1", 50), account("day", 10)
    full = await journal.reserve((worker, run, day), WORST)
    assert full == Full(run, "usd", Standing())
    assert [await journal.standing(name) for name in ("r-1/s1", "r-1", "day")] == [Standing()] * 3


async def test_who_asks_says_what_the_limit_is(journal: Journal):
    assert await journal.reserve((account("day", 100),), WORST) is None
    assert await journal.reserve((account("day", 150),), WORST) is not None
    assert await journal.reserve((account("day", 200),), WORST) is None
    assert await journal.reserve((account("day"),), WORST) is None


async def test_accounts_have_nothing_to_do_with_keys_of_the_same_name(journal: Journal):
    await journal.record("r-1", '"a record"')
    for name in ("r-1", "r-2"):
        await journal.reserve((account(name),), WORST)
    assert await journal.recall("r-1") == '"a record"'
    assert [entry.key for entry in await journal.entries("")] == ["r-1"]


async def test_what_is_recorded_with_a_settlement_stands_as_any_record(journal: Journal):
    run = account("r-1")
    await journal.record("k/1", "first")
    await journal.claim("k/2")
    await journal.reserve((run,), WORST)
    await journal.settle((run,), WORST, COST, {"k/1": "second", "k/2": "paid"})
    assert [(entry.key, entry.value) for entry in await journal.entries("k/")] == [("k/1", "first"), ("k/2", "paid")]


async def test_a_settlement_with_a_value_that_no_disk_can_hold_records_nothing(journal: Journal):
    with pytest.raises(InputError, match="value: It has half a surrogate pair"):
        await journal.settle((), Amount(), Amount(), {"k": "\ud800"})
    assert await journal.entries("") == []


async def test_a_cancelled_caller_still_settles(journal: Journal):
    run = account("r-1")
    await journal.reserve((run,), WORST)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await journal.settle((run,), WORST, COST, {"k": "paid"})
    assert (await journal.standing("r-1"), await journal.recall("k")) == (Standing(COST), "paid")


@every_cancel
async def test_a_reservation_is_heard_of_or_was_never_made_whenever_its_caller_is_cancelled(
    journal: Journal, cancel: Cancel
):
    for step in itertools.count(1):
        run, heard = account(f"r-{step}"), []

        async def work(run: Account = run, heard: list[Full | None] = heard) -> str:
            heard.append(await journal.reserve((run,), WORST))
            return ""

        cancelled = await cancel(step, work())
        assert await journal.standing(run.name) == Standing(held=WORST if heard else Amount())
        if not cancelled:
            break


@every_cancel
async def test_a_settlement_is_made_whole_whenever_its_caller_is_cancelled(journal: Journal, cancel: Cancel):
    for step in itertools.count(1):
        run, key = account(f"r-{step}"), f"k{step}"
        await journal.reserve((run,), WORST)

        async def work(run: Account = run, key: str = key) -> str:
            await journal.settle((run,), WORST, COST, {key: "paid"})
            return ""

        cancelled = await cancel(step, work())
        assert (await journal.standing(run.name), await journal.recall(key)) == (Standing(COST), "paid")
        if not cancelled:
            break


async def test_of_many_who_reserve_at_once_as_many_get_through_as_the_limit_bears(journal: Journal):
    run, day = account("r-1", 1_050), account("day")

    async def reserve(_: int) -> Full | None:
        return await journal.reserve((run, day), WORST)

    refused = [full for full in await anyio.amap(reserve, range(30)) if full]
    assert len(refused) == 20
    assert {full.account.name for full in refused} == {"r-1"}
    assert (await journal.standing("day")).held == Amount(1_000, 20_000, 10)


class Arithmetic(RuleBasedStateMachine):
    """MemoryAccounts beside plain sums over all that was reserved and settled."""

    LIMITS: Mapping[str, int] = {"w": 120, "r": 200, "day": 300}

    @dataclass
    class Sums:
        spent: int = 0
        held: list[int] = field(default_factory=list)

    def __init__(self) -> None:
        super().__init__()
        self.accounts, self.out = MemoryAccounts(), list[tuple[tuple[str, ...], int]]()
        self.sums = {name: self.Sums() for name in self.LIMITS}

    def purse(self, names: tuple[str, ...]) -> list[Account]:
        return [account(name, self.LIMITS[name]) for name in names]

    @rule(names=st.sampled_from([("w", "r", "day"), ("r", "day"), ("day",)]), worst=st.integers(0, 150))
    def reserve(self, names: tuple[str, ...], worst: int) -> None:
        bears = [self.sums[n].spent + sum(self.sums[n].held) + worst <= self.LIMITS[n] for n in names]
        full = self.accounts.reserve(self.purse(names), Amount(worst))
        assert (full is None) == all(bears)
        if full:
            assert full.account.name == names[bears.index(False)]
            return
        self.out.append((names, worst))
        for name in names:
            self.sums[name].held.append(worst)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), cost=st.integers(0, 150))
    def settle(self, data: st.DataObject, cost: int) -> None:
        names, worst = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        spent = self.accounts.settle(self.purse(names), Amount(worst), Amount(cost))
        for name in names:
            self.sums[name].held.remove(worst)
            self.sums[name].spent += cost
        assert spent.micros == self.sums[names[0]].spent

    @invariant()
    def stands_as_the_sums_say(self) -> None:
        for name, sums in self.sums.items():
            assert self.accounts.standing(name) == Standing(Amount(sums.spent), Amount(sum(sums.held)))


TestArithmetic = Arithmetic.TestCase


@pytest.mark.parametrize(
    ("usd", "whole"),
    [(0, 0), (1, 1_000_000), (0.07, 70_000), (0.29, 290_000), (1.1, 1_100_000), (0.0000001, 1), (2.5, 2_500_000)],
)
def test_dollars_become_whole_millionths_rounded_up(usd: float, whole: int):
    assert micros(usd) == whole


@pytest.mark.parametrize("cents", [35, 41, 57, 70, 82])
def test_what_floats_add_is_no_part_of_a_millionth(cents: int):
    assert micros(cents * 0.01) == cents * 10_000


def test_amounts_say_how_many_dollars_they_are():
    assert (Amount(1_234_567).usd, (Amount(3, 2, 1) - Amount(1, 1, 1)).usd) == (1.234567, 0.000002)
