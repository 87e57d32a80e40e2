"""No budget is passed, and nothing is refused while money may come back. In virtual time."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot
from tests.workers.models.doubles import CARD, Backend, account, answer, asking, virtual_time

from fanfold_server.store import open_journal
from fanfold_workers.accounts import Account, Amount, Full, Limit, Standing
from fanfold_workers.errors import FaultError, OverBudgetError, TooLongError
from fanfold_workers.journal import MAX_POLL_SECONDS, Journal, MemoryJournal
from fanfold_workers.models.budget import Budget, Counter, Till
from fanfold_workers.models.catalog import FETCH_TOKENS, SEARCH_TOKENS, Card, Price
from fanfold_workers.models.model import Ask, FunctionModel, Model, Reply, Tokens, Web, saying
from fanfold_workers.models.record import Record
from fanfold_workers.models.tokens import Meter, ask_tokens


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return virtual_time()


def budget(backend: Model, journal: Journal | None = None, card: Card = CARD, count: Counter | None = None) -> Budget:
    journal = journal or MemoryJournal()
    return Budget(Record(backend, journal, card), card, journal, Meter(), Till(), count)


async def at(seconds: float, model: Model, ask: Ask) -> float:
    """Ask so many seconds from now; the time when that came to an end."""
    await anyio.sleep(seconds)
    with suppress(OverBudgetError):
        await model.ask(ask)
    return anyio.current_time()


async def together(*calls: tuple[float, Model, Ask]) -> list[float]:
    return await anyio.amap(lambda call: at(*call), calls)


async def test_calls_pass_side_by_side_while_the_purse_can_bear_their_worst():
    model = budget(backend := Backend(seconds=5))
    purse = [account("r-1", 300), account("day", 300)]
    assert await together(*[(0, model, asking(most=100, purse=purse))] * 3) == [5, 5, 5]
    assert backend.at == [0, 0, 0]


@pytest.mark.parametrize("start", [1.03, 4.9])
async def test_a_call_waits_while_money_is_in_flight_and_goes_the_moment_it_is_back(start: float):
    model = budget(backend := Backend(seconds=5))
    purse = [account("r-1", 150)]
    await together((0, model, asking(most=100, purse=purse)), (start, model, asking(most=100, purse=purse)))
    assert backend.at == [0, 5]


async def test_a_call_that_no_money_in_flight_could_help_is_refused_at_once():
    model = budget(backend := Backend([answer(100)], seconds=5))
    purse = [account("r-1", 150)]
    await model.ask(asking(most=100, purse=purse))
    ends = await together((0, model, asking(most=40, purse=purse)), (1, model, asking(most=60, purse=purse)))
    assert (ends, len(backend.asked)) == ([10, 6], 2)


async def test_a_waiting_call_is_refused_when_too_little_came_back():
    model = budget(backend := Backend([answer(100)], seconds=5))
    purse = [account("r-1", 150)]
    ends = await together((0, model, asking(most=100, purse=purse)), (1, model, asking(most=100, purse=purse)))
    assert (ends, len(backend.asked)) == ([5, 5], 1)


async def test_those_who_wait_for_the_same_account_go_one_by_one_as_its_money_comes_back():
    model = budget(backend := Backend(seconds=5))
    asks = [asking(f"{number}", most=100, purse=[account("r-1", 150)]) for number in range(4)]
    await together(*[(number / 10, model, ask) for number, ask in enumerate(asks)])
    assert backend.at == [0, 5, 10, 15]
    assert {ask.turns for ask in backend.asked} == {ask.turns for ask in asks}


async def test_nobody_waits_behind_another_accounts_money():
    fast, slow = Backend(seconds=2), Backend(seconds=60)
    journal, till = MemoryJournal(), Till()
    quick, long = (replace(budget(backend, journal), till=till) for backend in (fast, slow))
    one, other = [account("r-1", 150)], [account("r-2", 150)]
    ends = await together(
        (0, long, asking(most=100, purse=one)),
        (0, quick, asking(most=100, purse=other)),
        (1, long, asking(most=100, purse=one)),
        (1.5, quick, asking(most=100, purse=other)),
        (1.6, quick, asking(most=151, purse=other)),
    )
    assert ends == [60, 2, 120, 4, 1.6]


async def test_a_waiting_call_that_is_cancelled_leaves_the_line_to_the_next():
    model = budget(backend := Backend(seconds=5))
    purse = [account("r-1", 150)]

    async def impatient() -> None:
        await anyio.sleep(1)
        with anyio.move_on_after(2):
            await model.ask(asking("impatient", most=100, purse=purse))

    async with anyio.create_task_group() as group:
        group.start_soon(impatient)
        await together((0, model, asking("first", most=100, purse=purse)), (2, model, asking("next", purse=purse)))
    assert [ask.turns[0].text for ask in backend.asked] == ["first", "next"]
    assert backend.at == [0, 5]


async def test_an_error_gives_the_money_to_those_who_wait():
    model = budget(backend := Backend([FaultError("no route")], seconds=5))
    purse = [account("r-1", 150)]

    async def failing() -> None:
        with pytest.raises(FaultError):
            await model.ask(asking(most=100, purse=purse))

    async with anyio.create_task_group() as group:
        group.start_soon(failing)
        await at(1, model, asking(most=100, purse=purse))
    assert backend.at == [0, 5]


async def refusal(model: Model, ask: Ask) -> OverBudgetError:
    with pytest.raises(OverBudgetError) as refused:
        await model.ask(ask)
    return refused.value


async def test_a_refusal_names_the_account_the_setting_and_the_remedy():
    model = budget(Backend([answer(400_000)]), card=replace(CARD, window=1_000_000))
    purse = [account("r-1"), account("day/2026-11-26", 500_000, "max_usd_per_day")]
    await model.ask(asking(most=400_000, purse=purse))
    error = await refusal(model, asking(most=200_000, purse=purse))
    assert (error.field, error.remedy) == ("max_usd_per_day", "Raise max_usd_per_day, or ask for less.")
    assert error.problem == snapshot(
        "The next call may cost $0.2000, and day/2026-11-26 has spent $0.4000 of $0.5000."
    )


async def test_a_refusal_for_tokens_or_calls_says_so_and_needs_no_setting():
    model = budget(Backend())
    tokens = await refusal(model, asking(most=100, purse=[Account("r-1/s1", Limit(tokens=50))]))
    assert str(tokens) == snapshot(
        "r-1/s1: The next call may take 117 tokens, and r-1/s1 has used 0 of 50. Ask for less."
    )
    calls = [Account("r-2/s1", Limit(calls=1), "calls")]
    await model.ask(asking(purse=calls))
    assert str(await refusal(model, asking(purse=calls))) == snapshot(
        "calls: The next call may take 1 calls, and r-2/s1 has used 1 of 1. Raise calls, or ask for less."
    )


async def test_of_several_accounts_that_are_too_small_the_narrowest_speaks():
    purse = [account("r-1/s1", 500), account("r-1", 90), account("day", 80)]
    assert (await refusal(budget(Backend()), asking(most=100, purse=purse))).full.account.name == "r-1"


async def test_an_account_without_hope_refuses_at_once_though_a_narrower_one_only_waits_for_its_money():
    model = budget(Backend([answer(100), answer(10)], seconds=5))
    worker, run = account("r-1/s1", 150), account("r-1", 250)
    await model.ask(asking(most=100, purse=[account("r-1/s0"), run]))
    ends = await together(
        (0, model, asking(most=100, purse=[worker, run])), (1, model, asking(most=151, purse=[worker, run]))
    )
    assert ends == [10, 6]


@dataclass
class Counting:
    """A server that counts: what it was asked, and how many tokens it says there are."""

    tokens: int | None
    asked: int = 0

    async def __call__(self, _: Ask) -> int | None:
        self.asked += 1
        return self.tokens


READING = Card("a-model", window=10_000, max_output=1_000, price=Price(1, 0, 1, 1))
"""Reading a token costs a millionth of a dollar, writing nothing."""


FREE = saying("ok")
"""A reply that teaches nothing of tokens."""


def long(counted: int, *, most: int = 100, purse: Sequence[Account] = ()) -> Ask:
    """A request of exactly so many counted tokens."""
    bare = asking("", most=most, purse=purse)
    ask = asking("," * (counted - ask_tokens(bare)), most=most, purse=purse)
    assert ask_tokens(ask) == counted
    return ask


@pytest.mark.parametrize(
    ("counted", "seen", "asked"),
    [
        (3_300, None, 0),
        (3_301, None, 1),
        (7_542, 1.0, 0),
        (7_543, 1.0, 1),
    ],
    ids=["a third of the window", "more, of text unknown", "four fifths of it", "more, of text that is known"],
)
async def test_the_servers_count_is_asked_only_where_the_estimate_may_miss_the_window(
    counted: int, seen: float | None, asked: int
):
    model = budget(backend := Backend(), card=READING, count=(count := Counting(3_000)))
    if seen:
        model.meter.learn(1_000, int(1_000 * seen))
    await model.ask(long(counted))
    assert (count.asked, len(backend.asked)) == (asked, 1)


async def test_a_request_that_does_not_fit_the_window_is_never_made():
    model = budget(backend := Backend(), card=READING, count=Counting(9_901))
    with pytest.raises(TooLongError) as refused:
        await model.ask(long(9_000, most=100))
    assert backend.asked == []
    assert str(refused.value) == snapshot(
        "request: The request has 9,901 tokens, and a-model takes 10,000 with the answer. "
        "Ask about less, or choose a model with a larger window."
    )


async def test_a_request_that_the_server_counts_smaller_than_it_seemed_is_made_at_that_price():
    model = budget(backend := Backend(), card=READING, count=Counting(9_900))
    await model.ask(long(15_000, most=100))
    assert [ask.worst for ask in backend.asked] == [Amount(9_900, 10_000, 1)]


@pytest.mark.parametrize("count", [None, Counting(None)], ids=["no counter", "a counter that cannot tell"])
async def test_where_no_server_counts_the_estimate_decides(count: Counter | None):
    model = budget(backend := Backend([FREE]), card=READING, count=count)
    await model.ask(long(9_899, most=100))
    with pytest.raises(TooLongError, match="about 9,901 tokens"):
        await model.ask(long(9_900, most=100))
    assert len(backend.asked) == 1


async def test_the_servers_count_is_asked_before_an_account_refuses():
    model = budget(backend := Backend([FREE] * 2), card=READING, count=(count := Counting(800)))
    await model.ask(long(1_000, purse=[account("r-1", 1_000_000)]))
    assert count.asked == 0
    await model.ask(long(1_000, purse=[account("r-2", 900)]))
    assert (count.asked, backend.asked[-1].worst) == (1, Amount(800, 900, 1))
    error = await refusal(model, long(1_000, purse=[account("r-3", 700)]))
    assert (count.asked, error.full) == (2, Full(account("r-3"), "usd", Standing()))


async def test_a_call_is_counted_once_however_often_others_are_quicker():
    overtaken = OverBudgetError(Full(account("r-1", 900), "usd", Standing(held=Amount(200))), Amount(800))
    model = budget(Backend(), card=READING, count=(count := Counting(800)))
    model = replace(model, model=(backend := Backend([overtaken, overtaken, FREE])))
    await model.ask(long(1_000, purse=[account("r-1", 900)]))
    assert (len(backend.asked), count.asked) == (3, 1)


async def test_what_calls_used_and_what_servers_counted_corrects_the_next_estimate():
    used = replace(answer(), usage=Tokens(input=2_000))
    model = budget(backend := Backend([used]), card=READING)
    await model.ask(long(1_000))
    await model.ask(long(1_000))
    assert [ask.worst.micros for ask in backend.asked] == [1_001, 2_101]

    model = budget(Backend(), card=READING, count=Counting(6_000))
    await model.ask(long(4_000))
    assert model.meter.corrected(1_000) == 1_576


async def test_pages_that_the_provider_looked_up_teach_nothing_about_the_text_of_requests():
    used = replace(answer(), usage=Tokens(input=50_000, searches=3))
    model = budget(Backend([used]), card=READING)
    await model.ask(replace(long(1_000), web=Web()))
    assert model.meter.corrected(1_000) == Meter().corrected(1_000)


async def test_searches_are_in_the_worst_and_writing_to_the_cache_where_the_conversation_is_cached():
    card = replace(CARD, price=Price(100, 1, 10, 125))
    model = budget(backend := Backend(), card=card)
    ask = asking(most=100)
    tokens = Meter().corrected(ask_tokens(ask))
    for each in (ask, replace(ask, ongoing=True), replace(ask, shared=True)):
        await model.ask(each)
    await model.ask(replace(ask, web=Web(uses=5)))
    plain, *cached, web = [asked.worst.micros for asked in backend.asked]
    assert (plain, cached) == (100 * tokens + 100, [125 * tokens + 100] * 2)
    read = Meter().corrected(ask_tokens(replace(ask, web=Web()))) + 5 * (SEARCH_TOKENS + FETCH_TOKENS)
    assert web == 100 * read + 100 + 5 * 10_000


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_money_that_another_process_has_in_flight_is_waited_for(tmp_path: Path):
    purse = [account("day", 150)]
    async with open_journal(tmp_path) as one, open_journal(tmp_path) as two:
        here, there = budget(backend := Backend(), one), budget(Backend(seconds=0.5), two)
        async with anyio.create_task_group() as group:
            group.start_soon(at, 0, there, asking(most=100, purse=purse))
            await anyio.sleep(0.2)
            assert (await one.standing("day")).held == Amount(100, 117, 1)
            await here.ask(asking(most=100, purse=purse))
            waited = backend.at[0] - there.model.model.at[0]
        assert 0.5 <= waited < 0.5 + MAX_POLL_SECONDS + 0.5
        assert await one.standing("day") == Standing(Amount(20, 120, 2))


# -- any schedule -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """One call of a schedule: what it costs at worst and in truth, or how it fails, and when its caller gives up."""

    start: int
    worker: int
    worst: int
    cost: int
    seconds: int
    fault: str
    patience: int | None


calls = st.builds(
    Call,
    start=st.integers(0, 10),
    worker=st.integers(0, 2),
    worst=st.integers(1, 100),
    cost=st.integers(0, 100),
    seconds=st.integers(0, 8),
    fault=st.sampled_from(["", "", "", "free", "charged"]),
    patience=st.none() | st.integers(0, 12),
)


class Watched(MemoryJournal):
    """Accounts that are looked at whenever they change."""

    limits: Mapping[str, int]
    overrun: dict[str, int]

    def total(self, name: str) -> int:
        standing = self._accounts.standing(name)
        return (standing.spent + standing.held).micros

    async def reserve(self, purse: Sequence[Account], worst: Amount, /) -> Full | None:
        full = await super().reserve(purse, worst)
        for each in () if full else purse:
            assert self.total(each.name) <= self.limits[each.name]
            self.overrun[each.name] = 0
        return full

    async def settle(
        self, purse: Sequence[Account], worst: Amount, cost: Amount, records: Mapping[str, str], /
    ) -> Amount:
        for each in purse:
            self.overrun[each.name] += max(0, cost.micros - worst.micros)
        spent = await super().settle(purse, worst, cost, records)
        for each in purse:
            assert self.total(each.name) <= self.limits[each.name] + self.overrun[each.name]
        return spent


@dataclass
class Schedule:
    """Calls of three workers in two runs on one day, each account with its limit."""

    calls: Sequence[Call]
    limits: Sequence[int]
    journal: Watched = field(default_factory=Watched)
    ends: list[str] = field(default_factory=list)
    paid: int = 0

    def purse(self, worker: int) -> tuple[Account, ...]:
        return tuple(account(name, self.journal.limits[name]) for name in (f"w{worker}", f"r{worker // 2}", "day"))

    async def play(self) -> None:
        self.journal.limits = dict(zip(("w0", "w1", "w2", "r0", "r1", "day"), self.limits, strict=True))
        self.journal.overrun = dict.fromkeys(self.journal.limits, 0)
        till = Till()
        async with anyio.create_task_group() as group:
            for number, call in enumerate(self.calls):
                model = budget(FunctionModel(partial(self.answer, call)), self.journal)
                group.start_soon(self.call, replace(model, till=till), call, number)

    async def answer(self, call: Call, _: Ask) -> Reply:
        await anyio.sleep(call.seconds)
        if call.fault:
            raise FaultError("broke", charged=call.fault == "charged")
        self.paid += call.cost
        return answer(call.cost)

    async def call(self, model: Budget, call: Call, number: int) -> None:
        await anyio.sleep(call.start)
        ask = asking(most=call.worst, purse=self.purse(call.worker), key=f"calls/{number}")
        with anyio.move_on_after(call.patience) as scope:
            try:
                await model.ask(ask)
                self.ends.append("ok")
            except FaultError:
                self.ends.append("fault")
            except OverBudgetError as error:
                self.ends.append("refused")
                name = error.full.account.name
                standing = self.journal._accounts.standing(name)
                assert standing.spent.micros + call.worst > self.journal.limits[name]
        if scope.cancelled_caught:
            self.ends.append("cancelled")


def played(calls: Sequence[Call], limits: Sequence[int]) -> Schedule:
    schedule = Schedule(calls, limits)
    backend, options = virtual_time()
    anyio.run(schedule.play, backend=backend, backend_options=options)
    return schedule


limits = st.tuples(*[st.integers(0, 200)] * 3, *[st.integers(0, 300)] * 2, st.integers(0, 400))


@given(st.lists(calls, max_size=12), limits, st.booleans())
@settings(deadline=None, max_examples=200)
def test_no_schedule_of_replies_faults_and_cancellations_passes_a_limit_or_refuses_while_money_is_free(
    calls: list[Call], limits: tuple[int, ...], honest: bool
):
    """A call that costs more than its worst may pass a limit, by that much, with those in flight beside it."""
    if honest:
        calls = [replace(call, cost=min(call.cost, call.worst)) for call in calls]
    schedule = played(calls, limits)
    assert len(schedule.ends) == len(calls)
    standings = {name: schedule.journal._accounts.standing(name) for name in schedule.journal.limits}
    assert {name: each.held for name, each in standings.items()} == dict.fromkeys(standings, Amount())
    if honest:
        assert all(each.spent.micros <= schedule.journal.limits[name] for name, each in standings.items())
    assert standings["day"].spent.micros >= schedule.paid


async def test_duplicates_take_no_more_than_a_tenth_of_what_an_account_may_spend():
    model = budget(backend := Backend())
    purse = [account("r-1/s1", None), account("r-1", 1_000), account("day", 100_000)]
    spare = replace(asking(most=60, purse=purse), spare=True)
    await model.ask(spare)
    with pytest.raises(OverBudgetError):
        await model.ask(spare)
    await model.ask(asking(most=60, purse=purse))
    await model.ask(replace(spare, purse=(account("r-2", 1_000),)))
    assert len(backend.asked) == 3
