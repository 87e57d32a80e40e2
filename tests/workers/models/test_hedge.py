"""A model's slow call is made a second time, and what it answers is what stands in the journal. In virtual time."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workers.models.doubles import CARD, account, answer, asking, virtual_time
from tests.workers.test_journal import Cancel, every_cancel

from fanfold_server.store import open_journal
from fanfold_workers.accounts import Account, Amount
from fanfold_workers.errors import BusyError, FanfoldError, FaultError, ModelError, OverBudgetError, RejectedError
from fanfold_workers.hedging import LOOK_SECONDS
from fanfold_workers.journal import Journal, MemoryJournal
from fanfold_workers.models.gate import Throttle
from fanfold_workers.models.model import Ask, Model, Rate, Reply, Said
from fanfold_workers.models.record import GRACE_SECONDS, loaded
from fanfold_workers.models.stack import Known, stacked

RUN = account("r-1")
SLOW = "slow"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return virtual_time()


Step = float | tuple[float, FanfoldError]


@dataclass
class Server:
    """Takes for each try of a request as long as its script says, then answers `<request>#<try>` or fails.

    Attributes:
        script: by the text of the request, seconds or what it fails with after so many; 3 s where it says nothing.
        tries: when each try began, by the text of its request.
        asked: all requests.
        flying: those under way.
        normal: seconds of a call that the script does not name.
    """

    script: Mapping[str, Sequence[Step]] = field(default_factory=dict)
    normal: float = 3.0
    tries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    asked: list[Ask] = field(default_factory=list)
    flying: int = 0

    async def ask(self, ask: Ask, /) -> Reply:
        text = said(ask)
        tries, script = self.tries[text], self.script.get(text, ())
        step = script[len(tries)] if len(tries) < len(script) else self.normal
        tries.append(anyio.current_time())
        self.asked.append(ask)
        number = len(tries)
        seconds, error = step if isinstance(step, tuple) else (step, None)
        self.flying += 1
        try:
            await anyio.sleep(seconds)
        finally:
            self.flying -= 1
        if error:
            raise error
        return answer(10, f"{text}#{number}")


def said(ask: Ask) -> str:
    (turn,) = ask.turns
    assert isinstance(turn, Said)
    return turn.text


def wanted(text: str, purse: Iterable[Account] = (RUN,)) -> Ask:
    """A worker's request; it costs 100 at worst and 10 if it goes well."""
    return replace(asking(text, purse=purse, key=f"r-1/calls/{text}"), hedge=True)


@dataclass
class House:
    """A journal, a server and all that stands around it."""

    server: Server
    journal: Journal = field(default_factory=MemoryJournal)
    known: Known = field(default_factory=Known)
    ends: dict[str, tuple[float, str]] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        return stacked(self.server, CARD, self.journal, known=self.known)

    async def ask(self, ask: Ask) -> None:
        try:
            self.replies[said(ask)] = reply = await self.model.ask(ask)
            end = reply.text
        except (ModelError, OverBudgetError) as error:
            end = type(error).__name__
        self.ends[said(ask)] = anyio.current_time(), end

    async def together(self, *asks: Ask) -> None:
        """Seven that take 3 s, and these."""
        async with anyio.create_task_group() as group:
            for ask in (*(wanted(f"s{n}") for n in range(7)), *asks):
                group.start_soon(self.ask, ask)
        assert (self.server.flying, self.known.throttle.flying) == (0, 0)

    async def stands(self, text: str) -> str:
        (entry,) = await self.journal.entries(f"r-1/calls/{text}/")
        return loaded(entry.value or "").text


# -- when ------------------------------------------------------------------------------------------------------------


async def test_the_straggler_of_eight_is_asked_again_and_its_first_try_is_cut_and_costs_the_worst():
    house = House(Server({SLOW: [60.0]}))
    await house.together(wanted(SLOW))
    assert house.server.tries[SLOW] == [0, pytest.approx(3.9)]
    assert house.ends[SLOW] == (pytest.approx(6.9), "slow#2")
    assert {len(tries) for text, tries in house.server.tries.items() if text != SLOW} == {1}
    assert await house.stands(SLOW) == "slow#2"
    standing = await house.journal.standing("r-1")
    assert (standing.spent.micros, standing.spent.calls, standing.held) == (8 * 10 + 100, 9, Amount())
    assert house.replies[SLOW].spent == standing.spent


async def test_a_caller_that_is_cancelled_gives_both_tries_the_moment_that_every_call_is_given():
    house = House(Server({SLOW: [60.0, 60.0]}))
    with anyio.move_on_after(5):
        await house.together(wanted(SLOW))
    assert house.server.tries[SLOW] == [0, pytest.approx(3.9)]
    assert anyio.current_time() == 5 + GRACE_SECONDS


async def test_two_slow_ones_of_fifty_are_asked_again():
    house = House(Server({"slow": [60.0], "slower": [90.0]}))
    await house.together(wanted("slow"), wanted("slower"), *(wanted(f"t{n}") for n in range(41)))
    again = {text: tries[1] - tries[0] for text, tries in house.server.tries.items() if len(tries) > 1}
    assert again == {"slow": pytest.approx(3.9), "slower": pytest.approx(3.9)}


async def test_of_fewer_than_five_nobody_is_asked_again():
    house = House(Server({SLOW: [60.0]}))
    async with anyio.create_task_group() as group:
        for text in ("a", "b", "c", SLOW):
            group.start_soon(house.ask, wanted(text))
    assert house.ends[SLOW] == (60, "slow#1")


async def test_who_does_not_ask_for_it_is_not_asked_again_and_is_nobodys_sibling():
    house = House(Server({SLOW: [60.0]}))
    async with anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(house.ask, replace(wanted(f"s{number}"), hedge=False))
        group.start_soon(house.ask, wanted(SLOW))
    assert house.ends[SLOW] == (60, "slow#1")


async def test_the_lead_is_not_asked_again():
    house = House(Server({SLOW: [60.0]}))
    await house.together(replace(wanted(SLOW), hedge=False, role="lead"))
    assert house.ends[SLOW] == (60, "slow#1")


async def test_calls_with_other_instructions_are_no_siblings():
    house = House(Server({SLOW: [60.0]}))
    await house.together(replace(wanted(SLOW), system="Be thorough."))
    assert house.ends[SLOW] == (60, "slow#1")


async def test_nothing_is_asked_again_while_the_gate_pauses():
    house = House(Server({SLOW: [60.0], "busy": [(2.5, BusyError("later", seconds=10))]}))
    await house.together(wanted(SLOW), wanted("busy"), *(wanted(f"t{n}") for n in range(7)))
    # After the pause the one that was refused goes first, and a second later there is room for a duplicate.
    assert house.server.tries["busy"][1] == 12.5
    assert house.server.tries[SLOW][1] == pytest.approx(13.5, abs=2 * LOOK_SECONDS)


async def test_nothing_is_asked_again_while_calls_wait_at_the_gate():
    house = House(Server({SLOW: [60.0]}))
    house.known.throttle.target = 8
    house.known.throttle._raised = 1e9  # it stays so

    async def queue() -> None:
        await anyio.sleep(2.5)
        async with anyio.create_task_group() as group:
            for number in range(16):
                group.start_soon(house.ask, wanted(f"q{number}"))

    async with anyio.create_task_group() as group:
        group.start_soon(queue)
        await house.together(wanted(SLOW))
    assert max(house.server.tries[f"q{n}"][0] for n in range(16)) == 6
    assert house.server.tries[SLOW] == [0, pytest.approx(6, abs=2 * LOOK_SECONDS)]


async def test_the_time_between_two_tries_does_not_count():
    house = House(Server({SLOW: [(2.0, FaultError("It broke.")), 60.0]}))
    await house.together(wanted(SLOW))
    _, second, duplicate = house.server.tries[SLOW]
    assert duplicate - second == pytest.approx(3.9)
    assert second > 2.5


async def test_the_first_caller_of_a_prefix_still_lets_the_others_go_when_its_answer_begins():
    house = House(Server({SLOW: [60.0]}))
    long = "instructions " * 400
    asks = [replace(wanted(f"s{n}"), system=long, shared=True) for n in range(10)]
    for ask in asks:
        await house.ask(ask)
    await anyio.sleep(1_000)  # the cache has forgotten the prefix
    async with anyio.create_task_group() as group:
        group.start_soon(house.ask, replace(wanted(SLOW), system=long, shared=True))
        await anyio.sleep(10)
    first, second = [ask for ask in house.server.asked if said(ask) == SLOW]
    assert first.begun == second.begun
    assert first.begun is not None
    assert house.ends[SLOW][1] == "slow#2"


# -- what comes of it ------------------------------------------------------------------------------------------------


async def test_a_first_try_that_answers_first_wins_and_its_duplicate_costs_the_worst():
    house = House(Server({SLOW: [5.0, 60.0]}))
    await house.together(wanted(SLOW))
    assert house.ends[SLOW] == (5, "slow#1")
    assert await house.stands(SLOW) == "slow#1"
    standing = await house.journal.standing("r-1")
    assert (standing.spent.micros, standing.held) == (8 * 10 + 100, Amount())
    assert house.replies[SLOW].spent == standing.spent


async def test_a_duplicate_that_the_budget_cannot_bear_is_not_made_and_waits_for_no_money():
    house = House(Server({SLOW: [60.0], "other": [10.0]}))
    own = account("own", 250)
    # When the other is answered, at 10 s, there would be money for a duplicate.
    other = replace(wanted("other", [own]), hedge=False)
    await house.together(wanted(SLOW, [own, RUN]), other)
    assert house.ends[SLOW] == (60, "slow#1")
    standing = await house.journal.standing("own")
    assert (standing.spent.micros, standing.held) == (2 * 10, Amount())


async def test_no_duplicate_overtakes_a_call_that_waits_at_the_gate():
    throttle = Throttle()
    throttle.answered(0.0, [Rate("input", limit=60, remaining=0, reset=60)])
    async with anyio.create_task_group() as group:
        assert throttle.has_room({"requests": 1.0})
        group.start_soon(throttle.enter, {"input": 10.0})
        await anyio.sleep(1)
        assert throttle.busy
        assert not throttle.has_room({"requests": 1.0})
    assert throttle.has_room({"requests": 1.0})


async def test_a_duplicate_answers_for_a_first_try_that_fails_for_good():
    house = House(Server({SLOW: [(5.0, RejectedError("no"))]}))
    await house.together(wanted(SLOW))
    assert house.ends[SLOW] == (pytest.approx(6.9), "slow#2")


@pytest.mark.parametrize("error", [FaultError("It broke."), BusyError("later", seconds=1), RejectedError("no")])
async def test_a_duplicate_that_fails_is_not_made_again_and_the_first_try_goes_on(error: ModelError):
    house = House(Server({SLOW: [60.0, (1.0, error)]}))
    await house.together(wanted(SLOW))
    assert house.ends[SLOW] == (60, "slow#1")
    assert len(house.server.tries[SLOW]) == 2
    assert (await house.journal.standing("r-1")).spent.micros == 8 * 10


async def test_if_both_fail_the_error_is_the_first_ones():
    house = House(Server({SLOW: [(5.0, RejectedError("no")), (0.5, FaultError("It broke."))]}))
    await house.together(wanted(SLOW))
    assert house.ends[SLOW] == (5, "RejectedError")


async def test_whoever_goes_on_later_gets_the_same_answers_and_asks_nothing():
    house = House(Server({SLOW: [60.0]}))
    await house.together(wanted(SLOW))
    before = house.ends
    again = House(Server(), house.journal)
    await again.together(wanted(SLOW))
    assert again.server.asked == []
    assert {text: end for text, (_, end) in again.ends.items()} == {text: end for text, (_, end) in before.items()}


async def test_a_call_that_is_journaled_nowhere_is_asked_again_all_the_same():
    house = House(Server({SLOW: [60.0]}))
    await house.together(replace(wanted(SLOW), key=""))
    assert house.ends[SLOW][1] == "slow#2"


class Late(MemoryJournal):
    """Whoever records a reply first hears of it last: both go into one commit, and callers resume in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.replies, self.second = list[str](), anyio.Event()

    async def settle(
        self, purse: Sequence[Account], worst: Amount, cost: Amount, records: Mapping[str, str], /
    ) -> Amount:
        spent = await super().settle(purse, worst, cost, records)
        if any(SLOW in key for key in records):
            self.replies += records.values()
            if len(self.replies) == 1:
                with anyio.CancelScope(shield=True):
                    await self.second.wait()
            else:
                self.second.set()
        return spent


@pytest.mark.parametrize(("first", "stands"), [(6.95, "slow#2"), (6.85, "slow#1")])
async def test_the_reply_that_stands_in_the_journal_is_returned_whichever_was_heard_of_first(
    first: float, stands: str
):
    journal = Late()
    house = House(Server({SLOW: [first, 3.0]}), journal)
    await house.together(wanted(SLOW))
    assert len(journal.replies) == 2
    assert (house.ends[SLOW][1], await house.stands(SLOW)) == (stands, stands)
    assert (await journal.standing("r-1")).spent.micros == 9 * 10


@dataclass
class Meeting:
    """Answers its siblings at once, and both tries of the slow request in the same moment, either one first."""

    latest_first: bool
    tries: int = 0
    met: anyio.Event = field(default_factory=anyio.Event)

    async def ask(self, ask: Ask, /) -> Reply:
        if said(ask) != SLOW:
            await anyio.sleep(0.01)
            return answer(10)
        self.tries += 1
        number = self.tries
        if number == 2:
            if self.latest_first:
                self.met.set()
                return answer(10, "slow#2")
            self.met.set()
            await anyio.lowlevel.checkpoint()
        await self.met.wait()
        return answer(10, f"slow#{number}")


@pytest.mark.parametrize("latest_first", [True, False])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_two_replies_in_one_commit_on_disk_are_one_answer(tmp_path: Path, latest_first: bool):
    async with open_journal(tmp_path) as journal:
        for n in range(5):
            server, key = Meeting(latest_first), f"r-{n}/calls"
            model = stacked(server, CARD, journal, known=Known())
            ask = replace(wanted(SLOW), key=f"{key}/slow")
            with anyio.fail_after(10):
                async with anyio.create_task_group() as group:
                    for number in range(7):
                        group.start_soon(model.ask, replace(wanted(f"s{number}"), key=f"{key}/s{number}"))
                    reply = await model.ask(ask)
            (entry,) = await journal.entries(f"{key}/slow/")
            assert server.tries == 2
            assert reply.text == loaded(entry.value or "").text
        standing = await journal.standing("r-1")
        assert (standing.spent.micros, standing.held) == (5 * 9 * 10, Amount())


# -- a cancellation at every await -----------------------------------------------------------------------------------


class Steps:
    """Answers siblings at once; of the slow request the first try takes until soon after the second was made."""

    def __init__(self, second: float) -> None:
        self.second, self.asked, self.delivered, self.flying = second, 0, 0, 0
        self.again = anyio.Event()

    async def ask(self, ask: Ask, /) -> Reply:
        if said(ask) != SLOW:
            return answer(0)
        self.asked += 1
        self.flying += 1
        try:
            await (self._first() if self.asked == 1 else self._again())
        finally:
            self.flying -= 1
        self.delivered += 1
        return answer(10)

    async def _first(self) -> None:
        await anyio.sleep(0.06)
        with anyio.move_on_after(2):  # a sibling that the machine held up may have had the duplicate
            await self.again.wait()
        await anyio.sleep(0.06)

    async def _again(self) -> None:
        self.again.set()
        await anyio.sleep(self.second)


@every_cancel
@pytest.mark.parametrize("second", [0.01, 60.0])
async def test_a_cancellation_at_any_await_loses_no_reply_no_money_and_no_place(
    journal: Journal, cancel: Cancel, second: float, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fanfold_workers.models.record.GRACE_SECONDS", 0.02)
    asked = set[int]()
    for step in itertools.count(1):
        server, run, known = Steps(second), account(f"r-{step}"), Known()
        model = stacked(server, CARD, journal, known=known)
        for number in range(8):
            await model.ask(replace(wanted(f"s{number}", []), key=""))
        ask = replace(wanted(SLOW, [run]), key=f"r-{step}/calls/slow")

        async def call(model: Model = model, ask: Ask = ask) -> str:
            return (await model.ask(ask)).text

        cancelled = await cancel(step, call())
        standing = await journal.standing(run.name)
        assert standing.held == Amount(), f"step {step}"
        cost = 10 * server.delivered + 100 * (server.asked - server.delivered)
        assert (standing.spent.micros, standing.spent.calls) == (cost, server.asked), f"step {step}"
        assert len(await journal.entries(f"r-{step}/")) == bool(server.delivered), f"step {step}"
        assert (server.flying, known.throttle.flying, known.throttle.fresh) == (0, 0, 0), f"step {step}"
        assert known.hedges.of(ask.prefix).flying == 0, f"step {step}"
        asked.add(server.asked)
        if not cancelled:
            break
    assert asked == {0, 1, 2}


# -- any mix ---------------------------------------------------------------------------------------------------------

kinds = st.sampled_from(["ok"] * 6 + ["fault", "charged", "busy", "rejected"])
tries = st.tuples(kinds, st.sampled_from([1, 1, 1, 1, 2, 3, 5, 30, 90]))
mixes = st.lists(
    st.tuples(st.lists(tries, min_size=1, max_size=3), st.integers(0, 10), st.none() | st.integers(0, 60)),
    max_size=30,
)


def broken(kind: str) -> FanfoldError | None:
    if kind == "busy":
        return BusyError("later", seconds=2)
    if kind == "rejected":
        return RejectedError("no")
    return None if kind == "ok" else FaultError("It broke.", charged=kind == "charged")


@given(mixes, st.integers(0, 3_000))
@settings(deadline=None, max_examples=150)
def test_no_mix_of_times_faults_and_cancellations_loses_a_reply_or_passes_a_limit(
    mix: list[tuple[list[tuple[str, int]], int, int | None]], limit: int
):
    scripts: dict[str, list[Step]] = {}
    for number, (steps, _, _) in enumerate(mix):
        scripts[f"c{number}"] = [
            (float(seconds), error) if (error := broken(kind)) else float(seconds) for kind, seconds in steps
        ]
    house = House(Server(scripts, normal=1.0))
    ends: dict[str, str] = {}

    async def call(number: int) -> None:
        _, start, patience = mix[number]
        text = f"c{number}"
        await anyio.sleep(start)
        ends[text] = "cancelled"
        with anyio.move_on_after(patience):
            await house.ask(wanted(text, [account("r-1", limit)]))
            ends[text] = house.ends[text][1]

    async def play() -> None:
        with anyio.fail_after(36_000):
            async with anyio.create_task_group() as group:
                for number in range(len(mix)):
                    group.start_soon(call, number)
        standing = await house.journal.standing("r-1")
        assert standing.held == Amount()
        assert standing.spent.micros <= limit
        for text, end in ends.items():
            if "#" in end:
                assert end == await house.stands(text)

    name, options = virtual_time()
    anyio.run(play, backend=name, backend_options=options)
    assert len(ends) == len(mix)
    siblings = house.known.hedges.of(wanted("").prefix)
    spares = [ask for ask in house.server.asked if ask.spare]
    assert len(spares) == len({said(ask) for ask in spares}) <= siblings.duplicates
    assert siblings.duplicates <= max(1, siblings.calls // 20)
    throttle = house.known.throttle
    assert (house.server.flying, siblings.flying) == (0, 0)
    assert (throttle.flying, throttle.fresh, throttle._waiting) == (0, 0, {})
