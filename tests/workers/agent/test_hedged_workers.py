"""All workers of a run together know which call is slow, and make it a second time unless they are told not to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import anyio
import pytest
from trio.testing import MockClock

from fanfold_workers.agent import AgentWorker
from fanfold_workers.models.model import Ask, FunctionModel, Reply, calling
from fanfold_workers.tools.toolbox import Answer, RemoteTool

from .agent_cases import REPORT, House, Kept, subtask_of


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@dataclass
class Nth(Kept):
    """Notes of a worker by its number."""

    number: int = 0

    def key(self, kind: str) -> str:
        return f"r-1/{kind}/s{self.number}/001"


async def worked(*, hedge: bool) -> tuple[list[float], list[float]]:
    """Eight workers, one with a slow first turn and one with a slow tool; when each of those was asked for."""
    turns, tools = list[float](), list[float]()

    async def model(ask: Ask) -> Reply:
        if ask.begun:
            ask.begun()
        first = len(ask.turns) == 1
        if slow := first and "/s0/" in ask.key:
            turns.append(anyio.current_time())
        await anyio.sleep(600 if slow and len(turns) == 1 else 3)
        number = int(ask.key.split("/s")[1].split("/")[0])
        return calling(("git__log", {"n": number})) if first else calling(REPORT)

    async def log(arguments: Mapping[str, object]) -> Answer:
        if slow := arguments["n"] == 1:
            tools.append(anyio.current_time())
        await anyio.sleep(600 if slow and len(tools) == 1 else 2)
        return Answer("commits")

    house = House(remote={"git__log": RemoteTool("git__log", "", "{}", "git", log, read_only=True)})
    built = house.worker(FunctionModel(model), hedge=hedge)
    worker = replace(built, offered=("git__log",))
    assert worker.hedges is built.hedges
    subtask = subtask_of("git__log", servers=("git",))

    async def work(worker: AgentWorker, number: int) -> None:
        await worker.work(subtask, Nth(number=number))

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(work, worker, number)
    return turns, tools


async def test_a_slow_turn_and_a_slow_call_of_a_tool_are_made_a_second_time():
    turns, tools = await worked(hedge=True)
    assert turns == [0, pytest.approx(3.9)]
    assert tools == [3, pytest.approx(3 + 2.6)]


async def test_a_worker_that_is_told_not_to_makes_no_call_twice():
    turns, tools = await worked(hedge=False)
    assert (len(turns), len(tools)) == (1, 1)
