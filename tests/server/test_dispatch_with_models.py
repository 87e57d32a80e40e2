"""Runs of models, whatever happens: faults, refusals, stragglers, deadlines, cancels. In virtual time."""

import random
from collections import Counter
from dataclasses import dataclass, field

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from fanfold_server.dispatch.policy import Policy
from fanfold_server.minds import Minds, Seat
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Draft, RunState, Task
from fanfold_workers.aside import inline
from fanfold_workers.contract import Status
from fanfold_workers.errors import FaultError, RejectedError
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, FunctionModel, Reply, Tokens, calling, saying

CARD = Card("simulated", 200_000, 4_000, Price(1, 5, 0.1, 1.25))
USED = Tokens(input=1_000, output=100)
FINDING = {"subject": "it", "claim": "It was seen.", "evidence": [{"source": "https://example.com", "quote": "seen"}]}


@dataclass
class Weather:
    """A model that is slow now and then, and fails in many ways, by a seed.

    Attributes:
        chance: where all that comes from.
        trouble: how often a call goes wrong.
        asked: keys of the calls, as they came; at: when the last one came.
        out: calls being answered now.
    """

    chance: random.Random
    trouble: float
    asked: Counter[str] = field(default_factory=Counter)
    at: float = 0.0
    out: int = 0

    async def answer(self, ask: Ask) -> Reply:
        self.asked[ask.key] += 1
        self.at = anyio.current_time()
        self.out += 1
        try:
            await anyio.sleep(self.chance.choice([1, 1, 1, 2, 30]))
        finally:
            self.out -= 1
        if self.chance.random() < self.trouble:
            return self._wrong()
        if len(ask.turns) == 1:
            return calling(("note_findings", {"findings": [FINDING]}), usage=USED)
        return calling(("report", {"summary": "Seen.", "gaps": []}), usage=USED)

    def _wrong(self) -> Reply:
        kind = self.chance.randrange(5)
        if kind == 0:
            raise FaultError("The connection was lost.", charged=True)
        if kind == 1:
            raise RejectedError("It will not take that.")
        wrong = [saying("No.", stop="refusal"), saying(""), saying("half", stop="max_tokens")]
        return wrong[kind - 2]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 14),
    trouble=st.sampled_from([0.0, 0.1, 0.5]),
    policy=st.builds(
        Policy,
        width=st.sampled_from([1, 3, 14]),
        run_seconds=st.none() | st.integers(1, 120),
        worker_seconds=st.none() | st.integers(1, 60),
        enough=st.sampled_from([0.5, 0.9, 1.0]),
        grace_seconds=st.sampled_from([0, 5]),
        hedge=st.booleans(),
    ),
    cancel_at=st.none() | st.integers(0, 40),
)
def test_a_run_leaves_nothing_behind_and_each_subtask_ends_in_one_status_with_its_reason(
    seed, count, trouble, policy, cancel_at
):
    weather, journal = Weather(random.Random(seed), trouble), MemoryJournal()
    drafts = tuple(
        Draft(id=f"s{n}", title=f"Look at {n}", depends_on=(f"s{n - 1}",) if n % 4 == 3 else (), if_unmet="run")
        for n in range(count)
    )

    async def play() -> None:
        seat = Seat(FunctionModel(weather.answer), CARD)
        async with Orchestrator(
            journal=journal, aside=inline, minds=Minds(seat, seat, 50, 50), policy=policy
        ) as fanfold:
            plan = await fanfold.plan(Task(task="Look", subtasks=drafts))
            async with anyio.create_task_group() as group:
                if cancel_at is not None:
                    group.start_soon(cancelled, fanfold, plan.id)
                run = await fanfold.dispatch(plan.id)
                ended = anyio.current_time()
                group.cancel_scope.cancel()
            assert (weather.out, run.state) == (0, RunState.done)
            asked = weather.asked.total()
            await anyio.sleep(1_000)
            assert weather.asked.total() == asked
            assert weather.at <= ended
            results = await fanfold.runs.results(await fanfold.runs.attempts(plan))
            standing = await journal.standing(run.id)
        assert len(results) == count
        assert all(r.reason for r in results.values() if r.status is not Status.ok)
        assert standing.held.micros == 0
        assert not await journal.entries(f"{run.id}/at/", keys_only=True)

    async def cancelled(fanfold: Orchestrator, plan_id: str) -> None:
        await anyio.sleep(cancel_at or 0)
        await fanfold.cancel(plan_id.replace("p-", "r-"))

    anyio.run(play, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})


async def hedged_run(hedge: bool) -> tuple[float, int]:
    """Seconds and calls of eight workers of one call each, of which one takes ten times as long."""
    slow = iter([30.0])

    async def answer(ask: Ask) -> Reply:
        seconds = next(slow, 3.0) if "Look at 5" in ask.turns[0].text else 3.0  # type: ignore[union-attr]
        calls.append(seconds)
        await anyio.sleep(seconds)
        return calling(("report", {"summary": "Seen.", "findings": [FINDING], "gaps": []}), usage=USED)

    calls: list[float] = []
    seat = Seat(FunctionModel(answer), CARD)
    # Nothing to cache, so that nobody goes first.
    uncached = Seat(seat.model, Card("simulated", 200_000, 4_000, Price(1, 5, 0.1, 1.25), cache_minimum=1_000_000))
    async with Orchestrator(journal=MemoryJournal(), aside=inline, minds=Minds(seat, uncached, 50, 50)) as fanfold:
        drafts = tuple(Draft(title=f"Look at {n}") for n in range(8))
        plan = await fanfold.plan(Task(task="Look", subtasks=drafts))
        begun = anyio.current_time()
        run = await fanfold.dispatch(plan.id, policy=Policy(hedge=hedge))
        assert run.counts == {Status.ok: 8}
        return anyio.current_time() - begun, len(calls)


def test_one_straggler_of_eight_does_not_hold_the_run_up():
    def play(hedge: bool) -> tuple[float, int]:
        clock = MockClock(autojump_threshold=0)
        return anyio.run(hedged_run, hedge, backend="trio", backend_options={"clock": clock})

    seconds, calls = play(hedge=True)
    assert (round(seconds, 1), calls) == (6.9, 9)
    assert play(hedge=False) == (30.0, 8)
