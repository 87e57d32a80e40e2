"""Runs as things: watched, followed, left to another process, and what cannot be. In virtual time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import pytest
from trio.testing import MockClock

from fanfold_server.dispatch.events import Event
from fanfold_server.dispatch.policy import Policy
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import RunState, Task
from fanfold_workers.aside import inline
from fanfold_workers.contract import Finding, Result, Severity, Status, Subtask
from fanfold_workers.errors import CannotDoError, InputError, NothingUsableError, UnknownNameError
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.work import Notes, Step


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


ITEMS = Task(task="Say whether each is fine", items=("apples", "pears", "plums"))


@dataclass
class Looking:
    """A worker that steps, notes, sleeps and reports.

    Attributes:
        seconds: how long each takes.
        fails: items whose work comes to nothing.
        finds: items in which it notes something before that.
        done: items it was at.
    """

    seconds: float = 5
    fails: tuple[str, ...] = ()
    finds: tuple[str, ...] = ("apples", "pears", "plums")
    done: list[str] = field(default_factory=list)
    engine: str = "looking"

    async def work(self, subtask: Subtask, notes: Notes) -> Result:
        self.done.append(subtask.item)
        notes.step(Step("tool", f"weigh {subtask.item}"))
        if subtask.item in self.finds:
            await notes.found(Finding(subject=subtask.item, claim="It is heavy", severity=Severity.high))
        await anyio.sleep(self.seconds)
        if subtask.item in self.fails:
            raise RuntimeError("out of order")
        return Result.ended(subtask.id, summary=f"{subtask.item} weighed")

    def accepts(self, subtask: Subtask) -> bool:
        return True


def house(worker: Looking, journal: MemoryJournal, launch: Callable[..., Awaitable[object]] | None = None):
    return Orchestrator(worker=worker, journal=journal, aside=inline, launch=launch)  # type: ignore[arg-type]


# -- what cannot be built on -----------------------------------------------------------------------------------------
async def test_a_run_with_nothing_usable_is_an_error_and_no_report():
    worker = Looking(fails=ITEMS.items, finds=())
    async with house(worker, MemoryJournal()) as it:
        run = await it.dispatch((await it.plan(ITEMS)).id)
        with pytest.raises(NothingUsableError) as caught:
            await it.synthesize(run.id)
    assert (run.state, run.usable) == (RunState.done, 0)
    assert str(caught.value) == (
        f"run_id: None of the 3 subtasks of {run.id} gave anything usable: 3 failed "
        "(3 x the worker crashed: RuntimeError: out of order). "
        f"Put that right, then dispatch {run.plan} with retry (fanfold resume {run.id} --retry)."
    )


async def test_what_an_earlier_try_found_stands_in_for_a_later_one_that_found_nothing():
    journal = MemoryJournal()
    async with house(Looking(fails=ITEMS.items), journal) as it:
        plan = await it.plan(ITEMS)
        await it.dispatch(plan.id)
    async with house(Looking(fails=ITEMS.items, finds=()), journal) as it:
        run = await it.dispatch(plan.id, retry=True)
        report = await it.synthesize(run.id)
        shown = await it.refs.text(f"{run.id}/s1")
    assert {line.subject for line in report.ledger} == {"apples", "pears", "plums"}
    again = "the worker crashed: RuntimeError: out of order; tried again: failed: the worker crashed: RuntimeError"
    assert again in shown


# -- policies of a run on its way ------------------------------------------------------------------------------------
async def test_a_run_on_its_way_is_joined_under_its_policy_or_not_at_all():
    async with house(Looking(), MemoryJournal()) as it:
        plan = await it.plan(ITEMS)
        tight = Policy(run_seconds=60)
        await it.dispatch(plan.id, wait=1, policy=tight)
        with pytest.raises(
            InputError, match=r"^run_seconds: The run r-\w+ is going on already, with 60\. Leave it out"
        ):
            await it.dispatch(plan.id, policy=Policy(run_seconds=10))
        joined = [await it.dispatch(plan.id, wait=1, policy=tight), await it.dispatch(plan.id)]
    assert [run.state for run in joined] == [RunState.running, RunState.done]


async def test_enough_of_what_does_not_exist_is_refused_and_nothing_is_started():
    worker = Looking()
    async with house(worker, MemoryJournal()) as it:
        plan = await it.plan(ITEMS)
        with pytest.raises(
            UnknownNameError, match=r"^enough_of: The plan has no subtask s9\. Use one of: s1, s2, s3"
        ):
            await it.dispatch(plan.id, policy=Policy(enough_of=("s9",)))
    assert worker.done == []


# -- events ----------------------------------------------------------------------------------------------------------
async def test_what_happened_can_be_read_afterwards():
    async with house(Looking(), MemoryJournal()) as it:
        run = await it.dispatch((await it.plan(ITEMS)).id)
        shown = await it.refs.text(f"{run.id}/events")
    lines = [line.split("  ", 1)[1] for line in shown.splitlines()]
    assert sorted(lines[:9]) == sorted(
        f"s{n}  0/3 {name}: {what}"
        for n, name in enumerate(ITEMS.items, 1)
        for what in ("started", f"tool - weigh {name}", "found - It is heavy")
    )
    assert [line.split(": ")[1] for line in lines[9:]] == [f"ok - {item} weighed" for item in sorted_as(lines[9:])]


def sorted_as(lines: list[str]) -> list[str]:
    return [line.split(": ")[0].split()[-1] for line in lines]


async def test_a_run_left_to_another_process_is_followed_from_here():
    journal, worker = MemoryJournal(), Looking()
    heard: list[Event] = []

    async with anyio.create_task_group() as group:

        async def launch(run: str, policy: Policy) -> Alive:
            assert policy.run_seconds == 60
            group.start_soon(elsewhere, run)
            return Alive()

        async def elsewhere(run: str) -> None:
            async with house(worker, journal) as other:
                await other.dispatch(run)

        async with house(Looking(), journal, launch) as it:
            plan = await it.plan(ITEMS)
            run = await it.dispatch(plan.id, detach=True, told=heard.append, policy=Policy(run_seconds=60))
            again = await it.dispatch(plan.id, detach=True)
    assert (run.state, run.counts) == (RunState.done, {Status.ok: 3})
    assert again == run
    assert sorted(worker.done) == sorted(ITEMS.items)
    told = [(event.kind, event.ended) for event in heard if event.kind in {"started", "ended"}]
    assert told == [*[("started", 0)] * 3, ("ended", 1), ("ended", 2), ("ended", 3)]
    assert {f.claim for event in heard for f in event.findings} == {"It is heavy"}


class Alive:
    def failure(self) -> str | None:
        return None


class Dead:
    def failure(self) -> str | None:
        return "error: home: The disk is full."


async def test_a_process_that_ends_at_once_is_an_error_with_its_words():
    async def launch(run: str, policy: Policy) -> Dead:
        return Dead()

    async with house(Looking(), MemoryJournal(), launch) as it:
        plan = await it.plan(ITEMS)
        with pytest.raises(CannotDoError, match=r"detach: .* ended at once: error: home: The disk is full"):
            await it.dispatch(plan.id, detach=True)


async def test_without_anybody_to_start_a_process_detach_is_refused():
    async with house(Looking(), MemoryJournal()) as it:
        plan = await it.plan(ITEMS)
        with pytest.raises(CannotDoError, match="detach: Nobody here can start a process"):
            await it.dispatch(plan.id, detach=True)


async def test_two_calls_that_detach_start_one_process():
    journal, started = MemoryJournal(), []

    async with anyio.create_task_group() as group:

        async def launch(run: str, policy: Policy) -> Alive:
            started.append(run)
            await anyio.sleep(1)
            group.start_soon(elsewhere, run)
            return Alive()

        async def elsewhere(run: str) -> None:
            async with house(Looking(), journal) as other:
                await other.dispatch(run)

        async with house(Looking(), journal, launch) as it:
            plan = await it.plan(ITEMS)
            async with anyio.create_task_group() as calls:
                for _ in range(2):
                    calls.start_soon(lambda: it.dispatch(plan.id, detach=True))
    assert len(started) == 1
