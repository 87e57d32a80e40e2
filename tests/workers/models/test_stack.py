"""All that stands around a back end, at once."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workers.models.doubles import CARD, Backend, account, answer, asking, virtual_time
from tests.workers.test_journal import Cancel, every_cancel

from fanfold_workers.accounts import Amount
from fanfold_workers.errors import (
    BusyError,
    FanfoldError,
    FaultError,
    ModelError,
    OverBudgetError,
    RejectedError,
)
from fanfold_workers.journal import Journal, MemoryJournal
from fanfold_workers.models.budget import Till
from fanfold_workers.models.model import Ask, ByRole, Model, Reply, Said
from fanfold_workers.models.stack import Known, stacked


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return virtual_time()


def layers(model: Model) -> list[str]:
    """What stands around what, from the outside in."""
    inner = getattr(model, "model", None)
    return [type(model).__name__, *(layers(inner) if inner and not isinstance(inner, str) else [])]


def test_from_the_outside_in_stand_memo_warm_hedge_retry_budget_gate_and_record():
    model = stacked(Backend(), CARD, MemoryJournal())
    assert layers(model) == ["Memo", "Warm", "Hedge", "Retry", "Budget", "Gate", "Record", "Backend"]


class Halfway(Random):
    def random(self) -> float:
        return 0.5


@dataclass
class Scripted:
    """Does with each request what its script says: replies, errors, or a reply after so many seconds.

    Attributes:
        script: by the text of the request, what comes of each try.
        asked: which texts were asked, in order.
        delivered: those that were answered with a reply.
    """

    script: Mapping[str, list[Reply | FanfoldError | float]]
    asked: list[str] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)

    async def ask(self, ask: Ask, /) -> Reply:
        (said,) = ask.turns
        assert isinstance(said, Said)
        self.asked.append(said.text)
        steps = self.script[said.text]
        step = steps.pop(0) if steps else answer()
        await anyio.sleep(step if isinstance(step, float) else 1)
        if isinstance(step, FanfoldError):
            raise step
        self.delivered.append(said.text)
        return step if isinstance(step, Reply) else answer()


def fault(*, charged: bool = False) -> FaultError:
    return FaultError("It broke.", charged=charged)


MIXED: dict[str, list[Reply | FanfoldError | float]] = {
    "fine": [answer(10)],
    "broken twice": [fault(), fault(), answer(20)],
    "broken for good": [fault(), fault(), fault()],
    "cut": [fault(charged=True), answer(30)],
    "refused": [RejectedError("It will not.")],
    "throttled": [BusyError("later", seconds=3, overloaded=True), answer(40)],
    "given up": [60.0],
    "on its way": [30.2],
}


async def test_faults_refusals_and_cancellations_end_as_they_should_and_cost_what_they_should():
    backend = Scripted({text: list(steps) for text, steps in MIXED.items()})
    journal, known, ends = MemoryJournal(), Known(chance=Halfway()), dict.fromkeys(MIXED, "cancelled")
    model = stacked(backend, CARD, journal, known=known)

    async def call(text: str) -> None:
        purse = [account(f"r-1/{text}"), account("r-1", 1_000)]
        with anyio.move_on_after(30):
            try:
                ends[text] = (await model.ask(asking(text, most=100, purse=purse, key=f"r-1/calls/{text}"))).text
            except ModelError as error:
                ends[text] = type(error).__name__

    await anyio.amap(call, MIXED)
    assert ends == {
        "fine": "ok",
        "broken twice": "ok",
        "broken for good": "FaultError",
        "cut": "ok",
        "refused": "RejectedError",
        "throttled": "ok",
        "given up": "cancelled",
        "on its way": "cancelled",
    }
    assert {text: (await journal.standing(f"r-1/{text}")).spent.micros for text in MIXED} == {
        "fine": 10,
        "broken twice": 20,
        "broken for good": 0,
        "cut": 100 + 30,
        "refused": 0,
        "throttled": 40,
        "given up": 100,
        "on its way": 10,
    }
    total = await journal.standing("r-1")
    assert (total.spent.micros, total.held) == (310, Amount())
    assert (known.throttle.flying, known.throttle.fresh) == (0, 0)
    assert Counter(backend.asked) == {text: max(1, len(steps)) for text, steps in MIXED.items()}

    again = Scripted({text: [] for text in MIXED})
    model = stacked(again, CARD, journal)
    await anyio.amap(call, MIXED)
    assert sorted(again.asked) == ["broken for good", "given up", "refused"]


async def test_lead_and_worker_that_are_one_model_share_its_pauses_and_its_prefixes():
    long = replace(asking(shared=True), system="instructions " * 400)
    backend, journal, known, till = Backend([BusyError("later", seconds=5)]), MemoryJournal(), Known(), Till()
    lead, worker = (stacked(backend, CARD, journal, known=known, till=till) for _ in range(2))
    model = ByRole(lead, worker)
    async with anyio.create_task_group() as group:
        group.start_soon(model.ask, replace(long, role="lead"))
        await anyio.sleep(1)
        group.start_soon(model.ask, long)
    assert backend.at == [0, 5, 5]
    assert [ask.begun is not None for ask in backend.asked] == [True, True, False]


async def test_money_that_comes_back_to_the_lead_lets_a_worker_of_another_model_go_at_once():
    slow, quick, journal, till = Backend(seconds=5), Backend(), MemoryJournal(), Till()
    lead, worker = (stacked(backend, CARD, journal, till=till) for backend in (slow, quick))
    purse = [account("r-1", 150)]
    async with anyio.create_task_group() as group:
        group.start_soon(lead.ask, asking(most=100, purse=purse))
        await anyio.sleep(1)
        group.start_soon(worker.ask, asking(most=100, purse=purse))
    assert quick.at == [5]


# -- a cancellation at every await -----------------------------------------------------------------------------------


class Steps:
    """A back end that begins to answer and waits a few times more; every other call breaks first."""

    def __init__(self) -> None:
        self.asked, self.delivered = 0, 0

    async def ask(self, ask: Ask, /) -> Reply:
        self.asked += 1
        await anyio.lowlevel.checkpoint()
        if ask.begun:
            ask.begun()
        await anyio.lowlevel.checkpoint()
        self.delivered += 1
        return answer(10)


@every_cancel
async def test_a_cancellation_at_any_await_loses_no_paid_reply_no_money_and_no_place(
    journal: Journal, cancel: Cancel
):
    outcomes, day = set[tuple[int, int]](), account("day")
    known = Known()
    for step in itertools.count(1):
        backend, run = Steps(), account(f"r-{step}", 100)
        model = stacked(backend, CARD, journal, known=known)
        ask = asking(most=100, purse=[run, day], key=f"r-{step}/calls/1", shared=True)
        ask = replace(ask, system=f"{step} " + "instructions " * 400)

        async def call(model: Model = model, ask: Ask = ask) -> str:
            return (await model.ask(ask)).text

        cancelled = await cancel(step, call())
        standing = await journal.standing(run.name)
        cost = 10 if backend.delivered else 100 if backend.asked else 0
        assert (standing.spent.micros, standing.held) == (cost, Amount()), f"step {step}"
        assert len(await journal.entries(f"r-{step}/")) == backend.delivered, f"step {step}"
        assert (known.throttle.flying, known.throttle.fresh) == (0, 0), f"step {step}"
        outcomes.add((backend.asked, backend.delivered))

        # Whoever comes next gets the same reply for nothing, or an answer of their own.
        before = backend.asked
        reply = await model.ask(replace(ask, purse=(day,)))
        assert (reply.text, backend.asked - before) == ("ok", 0 if cost == 10 else 1), f"step {step}"
        if not cancelled:
            break
    assert {(0, 0), (1, 1)} <= outcomes


# -- any mix ---------------------------------------------------------------------------------------------------------

kinds = st.sampled_from(["ok", "ok", "ok", "fault", "charged", "busy", "rejected"])
scripts = st.lists(st.tuples(kinds, st.integers(0, 100), st.integers(0, 20)), min_size=1, max_size=4)
mixes = st.lists(st.tuples(scripts, st.integers(0, 30), st.none() | st.integers(0, 60)), min_size=1, max_size=8)


@dataclass
class Mix:
    """A back end that does for each request what its script says."""

    scripts: Mapping[str, list[tuple[str, int, int]]]
    delivered: list[int] = field(default_factory=list)

    async def ask(self, ask: Ask, /) -> Reply:
        steps = self.scripts[ask.key.split("/")[2]]
        kind, cost, seconds = steps.pop(0) if len(steps) > 1 else steps[0]
        await anyio.sleep(seconds)
        if kind == "busy":
            steps[:] = [("ok", cost, seconds)]
            raise BusyError("later", seconds=seconds, overloaded=bool(cost % 2))
        if kind == "rejected":
            raise RejectedError("no")
        if kind != "ok":
            raise fault(charged=kind == "charged")
        self.delivered.append(cost)
        return answer(cost)


@given(mixes, st.integers(0, 500))
@settings(deadline=None, max_examples=150)
def test_no_mix_of_replies_faults_refusals_and_cancellations_loses_a_reply_or_passes_a_limit(
    mix: Sequence[tuple[list[tuple[str, int, int]], int, int | None]], limit: int
):
    backend, journal, known = (
        Mix({str(n): list(script) for n, (script, _, _) in enumerate(mix)}),
        MemoryJournal(),
        Known(),
    )
    ends: list[str] = []

    async def call(model: Model, number: int) -> None:
        _, start, patience = mix[number]
        await anyio.sleep(start)
        ask = asking(str(number), most=100, purse=[account("r-1", limit)], key=f"r-1/calls/{number}")
        with anyio.move_on_after(patience) as scope:
            try:
                await model.ask(ask)
                ends.append("answered")
            except (ModelError, OverBudgetError):
                ends.append("failed")
        if scope.cancelled_caught:
            ends.append("cancelled")

    async def play() -> None:
        model = stacked(backend, CARD, journal, known=known)
        with anyio.fail_after(36_000):
            async with anyio.create_task_group() as group:
                for number in range(len(mix)):
                    group.start_soon(call, model, number)
        entries = await journal.entries("r-1/calls/")
        standing = await journal.standing("r-1")
        assert len(entries) == len(backend.delivered)
        assert sum(backend.delivered) <= standing.spent.micros <= limit
        assert standing.held == Amount()

    name, options = virtual_time()
    anyio.run(play, backend=name, backend_options=options)
    assert len(ends) == len(mix)
    assert (known.throttle.flying, known.throttle.fresh, known.throttle._waiting) == (0, 0, {})
