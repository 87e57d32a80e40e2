"""Prose is read for the report while other workers are still at work, and nothing of it twice. In virtual time."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio
import pytest
from trio.testing import MockClock

from fanfold_server.minds import Minds, Seat
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Draft, Report, Task
from fanfold_server.store import WithoutText
from fanfold_workers.aside import inline
from fanfold_workers.contract import Result, Status, Subtask
from fanfold_workers.errors import RejectedError
from fanfold_workers.journal import Journal, MemoryJournal
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, FunctionModel, Model, Reply, Tokens, saying

CARD = Card("simulated", 200_000, 8_000, Price(1, 5, 0.1, 1.25))
WORKERS, WORDS = 8, 20_000
"""Two texts of so many words fill a request and more."""
TASK = Task(task="What do the logs say?", subtasks=tuple(Draft(id=f"s{n}", title=f"Log {n}") for n in range(WORKERS)))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@dataclass
class Reader:
    """A lead and worker in one that takes five seconds over each request, and notes when it was asked.

    Attributes:
        draws: when each request for findings came, in seconds from the beginning, with the logs that it shows.
        began: when that was.
    """

    draws: list[tuple[int, frozenset[str]]] = field(default_factory=list[tuple[int, frozenset[str]]])
    began: float = 0.0

    async def answer(self, ask: Ask) -> Reply:
        said = getattr(ask.turns[0], "text", "")
        logs = re.findall(r"<(p\d+)>[^<]*?log(\d+) fact", said)
        if "/draw" in ask.key:
            self.draws.append((round(anyio.current_time() - self.began), frozenset(n for _, n in logs)))
            await anyio.sleep(5)
            found = [{"piece": piece, "quote": f"the log{n} fact", "subject": f"log{n}"} for piece, n in logs]
            return saying(json.dumps({"findings": found}), usage=Tokens(input=1_000, output=100))
        cited = re.search(r"\[(s\d+\.\d+)\]", said)
        written = {"headline": "Facts.", "answer": f"There is a log fact [{cited[1] if cited else ''}]."}
        return saying(json.dumps(written), usage=Tokens(input=1_000, output=100))


@dataclass
class Work:
    """Workers that write long prose, each after so many seconds of its own."""

    seconds: Mapping[str, float]

    async def do(self, subtask: Subtask) -> Result:
        await anyio.sleep(self.seconds[subtask.id])
        number = subtask.id.removeprefix("s")
        text = f"In the beginning there is the log{number} fact. " + f"w{number} " * WORDS
        return Result(subtask=subtask.id, status=Status.ok, text=text)


def orchestrator(model: Model, seconds: Mapping[str, float], journal: Journal | None = None) -> Orchestrator:
    seat = Seat(model, CARD)
    minds = Minds(seat, seat, 50, 50)
    return Orchestrator(journal=journal or MemoryJournal(), aside=inline, minds=minds, worker=Work(seconds).do)


async def reported(
    reader: Reader, seconds: Mapping[str, float], *, ahead: bool = True, journal: Journal | None = None
) -> Report:
    reader.began = anyio.current_time()
    async with orchestrator(FunctionModel(reader.answer), seconds, journal) as fanfold:
        plan = await fanfold.plan(TASK)
        run = await fanfold.dispatch(plan.id, question="" if ahead else None)
        return await fanfold.synthesize(run.id)


ONE_AFTER_ANOTHER = {f"s{n}": 10.0 * (n + 1) for n in range(WORKERS)}


async def test_while_the_last_worker_is_at_work_the_others_texts_are_read_and_none_twice() -> None:
    early, late = Reader(), Reader()
    report = await reported(early, ONE_AFTER_ANOTHER)
    plain = await reported(late, ONE_AFTER_ANOTHER, ahead=False)
    assert sorted(sorted(logs) for _, logs in early.draws) == sorted(sorted(logs) for _, logs in late.draws)
    assert [at for at, logs in early.draws if "7" not in logs] == [20, 30, 50, 60, 80]
    assert {at for at, _ in late.draws} == {80}
    assert (report.ledger, report.entries) == (plain.ledger, plain.entries)
    assert report.usd == pytest.approx(plain.usd)
    assert report.usd > 0


async def test_whoever_comes_first_in_the_plan_and_last_in_time_keeps_the_rest_waiting() -> None:
    reader = Reader()
    await reported(reader, ONE_AFTER_ANOTHER | {"s0": 100.0})
    assert min(at for at, _ in reader.draws) >= 100


async def test_whoever_waits_for_a_report_has_it_read_ahead_too() -> None:
    reader = Reader()
    async with orchestrator(FunctionModel(reader.answer), ONE_AFTER_ANOTHER) as fanfold:
        plan = await fanfold.plan(TASK)
        await fanfold.dispatch(plan.id, wait=1)
        report = await fanfold.synthesize(plan.id, question="What went wrong?")
    assert report.coverage.findings >= WORKERS
    assert sorted(at for at, _ in reader.draws)[:4] == [20, 30, 50, 60]


async def test_where_no_answer_may_be_kept_nothing_is_read_ahead() -> None:
    reader = Reader()
    await reported(reader, ONE_AFTER_ANOTHER, journal=WithoutText(MemoryJournal()))
    assert min(at for at, _ in reader.draws) >= 80


async def test_a_model_that_cannot_be_had_while_reading_ahead_costs_the_report_nothing() -> None:
    refused = Reader()

    async def answer(ask: Ask) -> Reply:
        if "/draw" in ask.key and anyio.current_time() < 79:
            raise RejectedError("It will not take that.")
        return await refused.answer(ask)

    async with orchestrator(FunctionModel(answer), ONE_AFTER_ANOTHER) as fanfold:
        plan = await fanfold.plan(TASK)
        run = await fanfold.dispatch(plan.id, question="")
        report = await fanfold.synthesize(run.id)
    assert {log for _, logs in refused.draws for log in logs} == {str(n) for n in range(WORKERS)}
    assert not report.remarks
