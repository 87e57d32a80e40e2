"""No paid reply is lost, and no money: next to the call, whatever becomes of the caller."""

import itertools
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workers.models.doubles import CARD, Backend, account, answer, asking, priced, virtual_time
from tests.workers.test_journal import Cancel, every_cancel

from fanfold_server.store import open_journal
from fanfold_workers.accounts import Account, Amount, Full, Standing
from fanfold_workers.errors import (
    BusyError,
    FaultError,
    KeyRefusedError,
    ModelError,
    OverBudgetError,
    RejectedError,
    TooLongError,
)
from fanfold_workers.journal import Journal, MemoryJournal
from fanfold_workers.models.model import Ask, FunctionModel, Reply, Source, Tokens, ToolCall, saying
from fanfold_workers.models.record import GRACE_SECONDS, Record, dumped, loaded

RUN, DAY = account("r-1"), account("day")
ASK = priced(asking(key="r-1/calls/1", purse=(RUN, DAY)))
"""It costs 100 at worst, and 10 if it goes well."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return virtual_time()


async def spent(journal: Journal) -> list[Standing]:
    return [await journal.standing(each.name) for each in (RUN, DAY)]


COST, WORST = Standing(Amount(10, 60, 1)), Standing(ASK.worst)


async def test_what_a_call_may_cost_is_held_while_it_is_out_and_then_costs_what_it_cost():
    journal, held = MemoryJournal(), []

    async def call(_: Ask) -> Reply:
        held.append(await spent(journal))
        return answer(10)

    reply = await Record(FunctionModel(call), journal, CARD).ask(ASK)
    assert held == [[Standing(held=ASK.worst)] * 2]
    assert (reply, await spent(journal)) == (answer(10), [COST, COST])
    assert reply.spent == COST.spent


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_reply_and_its_cost_are_on_disk_before_the_caller_hears_of_it(tmp_path: Path):
    async with open_journal(tmp_path) as journal:
        await Record(Backend(), journal, CARD).ask(ASK)
        # No await in between: what stands there now stood there before.
        with sqlite3.connect(tmp_path / "journal.db") as beside:
            values = beside.execute("SELECT value FROM entries WHERE key = 'r-1/calls/1'").fetchall()
            costs = beside.execute("SELECT name, owner, micros FROM accounts ORDER BY name").fetchall()
        beside.close()
    assert [loaded(value) for (value,) in values] == [answer(10)]
    assert costs == [("day", "", 10), ("r-1", "", 10)]


async def test_a_call_that_an_account_cannot_bear_is_not_made():
    journal, backend = MemoryJournal(), Backend()
    with pytest.raises(OverBudgetError) as refused:
        await Record(backend, journal, CARD).ask(priced(asking(most=100, purse=(RUN, account("day", 99)))))
    assert refused.value.full.account.name == "day"
    assert (backend.asked, await spent(journal)) == ([], [Standing(), Standing()])


async def test_a_call_without_a_key_is_charged_but_not_journaled():
    journal = MemoryJournal()
    await Record(Backend(), journal, CARD).ask(priced(asking(purse=(RUN, DAY))))
    assert (await spent(journal), await journal.entries("")) == ([COST, COST], [])


async def cut(journal: Journal, after: float) -> tuple[Backend, float]:
    """A call of a second whose caller is cancelled so soon; when the caller came to know."""
    started, backend = anyio.current_time(), Backend(seconds=1.0)
    with anyio.move_on_after(after):
        await Record(backend, journal, CARD).ask(ASK)
    return backend, anyio.current_time() - started


async def test_a_reply_that_is_on_its_way_when_its_caller_is_cancelled_is_journaled_at_its_true_cost():
    journal = MemoryJournal()
    _, seconds = await cut(journal, after=0.75)
    assert seconds == 1.0
    assert loaded(await journal.recall(ASK.key) or "") == answer(10)
    assert await spent(journal) == [COST, COST]


async def test_a_cancelled_call_that_does_not_come_in_within_the_grace_costs_its_worst():
    journal = MemoryJournal()
    backend, seconds = await cut(journal, after=0.5)
    assert (seconds, backend.delivered) == (0.5 + GRACE_SECONDS, [])
    assert await journal.recall(ASK.key) is None
    assert await spent(journal) == [WORST, WORST]


@pytest.mark.parametrize(
    "error",
    [FaultError("no route"), BusyError("later"), RejectedError("no"), TooLongError("no"), KeyRefusedError("no")],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_that_cost_nothing_gives_the_money_back(error: ModelError):
    journal = MemoryJournal()
    with pytest.raises(type(error)) as raised:
        await Record(Backend([error]), journal, CARD).ask(ASK)
    assert raised.value is error
    assert (await spent(journal), await journal.entries("")) == ([Standing(), Standing()], [])


async def test_an_error_that_may_have_cost_something_costs_the_worst():
    journal = MemoryJournal()
    with pytest.raises(FaultError):
        await Record(Backend([FaultError("the stream was cut", charged=True)]), journal, CARD).ask(ASK)
    assert await spent(journal) == [WORST, WORST]


async def test_a_crash_of_the_back_end_costs_the_worst_and_is_not_hidden():
    async def crash(_: Ask) -> Reply:
        raise ZeroDivisionError

    journal = MemoryJournal()
    with pytest.raises(ZeroDivisionError):
        await Record(FunctionModel(crash), journal, CARD).ask(ASK)
    assert await spent(journal) == [WORST, WORST]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_half_a_surrogate_pair_in_a_reply_survives_the_disk(journal: Journal):
    said = saying("half \ud83d of it", usage=Tokens(output=1))
    await Record(Backend([said]), journal, CARD).ask(ASK)
    assert loaded(await journal.recall(ASK.key) or "") == said


texts = st.text(st.characters(exclude_categories=[]) | st.sampled_from('\ud83d\udfff\0"\\'))
whole = texts.filter(lambda text: not any("\ud800" <= c < "\udc00" and "\udc00" <= d <= "\udfff" for c, d in
                                          itertools.pairwise(text)))  # fmt: skip
"""Any text but those in which two lone halves meet: JSON makes one character of them."""


@given(
    st.builds(
        Reply,
        text=whole,
        calls=st.tuples(st.builds(ToolCall, id=whole, name=whole, arguments=st.dictionaries(whole, whole))),
        stop=st.sampled_from(["end_turn", "tool_use", "refusal"]),
        usage=st.builds(Tokens, *[st.integers(0)] * 5),
        content=whole,
        sources=st.lists(st.builds(Source, whole, whole, whole)).map(tuple),
        model=whole,
    )
)
def test_every_reply_comes_back_from_the_journal_as_it_was(reply: Reply):
    assert loaded(dumped(reply)) == reply
    assert dumped(reply).isascii()


class Steps:
    """A back end that waits so many times, and may be cancelled each time."""

    def __init__(self, waits: int) -> None:
        self.waits, self.asked, self.delivered = waits, 0, 0

    async def ask(self, _: Ask, /) -> Reply:
        self.asked += 1
        for _ in range(self.waits):
            await anyio.lowlevel.checkpoint()
        self.delivered += 1
        return answer(10)


async def text_of(record: Record, ask: Ask) -> str:
    return (await record.ask(ask)).text


@every_cancel
@pytest.mark.parametrize("waits", [0, 1, 3])
async def test_a_cancellation_at_any_await_of_a_call_loses_no_paid_reply(
    journal: Journal, cancel: Cancel, waits: int
):
    outcomes = set[tuple[int, int]]()
    for step in itertools.count(1):
        run, backend = account(f"r-{step}"), Steps(waits)
        ask = priced(asking(key=f"r-{step}/calls/1", purse=(run, DAY)))
        cancelled = await cancel(step, text_of(Record(backend, journal, CARD), ask))
        standing = await journal.standing(run.name)
        assert (await journal.recall(ask.key) is not None) == bool(backend.delivered), f"step {step}"
        cost = 10 if backend.delivered else 100 if backend.asked else 0
        assert (standing.spent.micros, standing.held) == (cost, Amount()), f"step {step}"
        outcomes.add((backend.asked, backend.delivered))
        if not cancelled:
            break
    assert {(0, 0), (1, 1)} <= outcomes


async def test_a_deadline_at_any_instant_of_a_call_loses_no_paid_reply():
    outcomes = []
    for hundredths in range(1, 200, 5):
        journal = MemoryJournal()
        backend, seconds = await cut(journal, after=hundredths / 100)
        kept = await journal.recall(ASK.key)
        assert (kept is not None) == bool(backend.delivered)
        cost = COST if backend.delivered else WORST if backend.asked else Standing()
        assert await spent(journal) == [cost, cost]
        outcomes.append(bool(kept))
        assert seconds <= hundredths / 100 + GRACE_SECONDS + 1e-9
    assert outcomes == [False] * 14 + [True] * 26


class Slow(MemoryJournal):
    """Its caller is cancelled while it takes the money."""

    scope: anyio.CancelScope

    async def reserve(self, purse: Sequence[Account], worst: Amount, /) -> Full | None:
        full = await super().reserve(purse, worst)
        self.scope.cancel()
        return full


async def test_a_caller_that_was_cancelled_while_its_money_was_taken_asks_nothing_and_gets_it_back():
    journal, backend = Slow(), Backend()
    with anyio.CancelScope() as journal.scope:
        await Record(backend, journal, CARD).ask(ASK)
    assert (backend.asked, await spent(journal)) == ([], [Standing(), Standing()])
