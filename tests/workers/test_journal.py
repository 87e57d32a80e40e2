"""What every Journal promises, tried on each."""

import asyncio  # noqa: TID251 - its own cancel(), which ignores shields, is what one test is about
import itertools
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio.testing
from dirty_equals import IsNow

from fanfold_server.store import WithoutText, open_journal
from fanfold_workers.errors import InputError
from fanfold_workers.journal import MAX_POLL_SECONDS, Busy, Done, Entry, Journal, MemoryJournal, Mine, once

VIRTUAL = pytest.param(("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}), id="virtual")
NOW = IsNow(unix_number=True, delta=60)


@pytest.fixture(params=["memory", "sqlite", "without text"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Journal, None]:
    if request.param != "sqlite":
        yield MemoryJournal() if request.param == "memory" else WithoutText(MemoryJournal())
        return
    async with open_journal(tmp_path / "home") as journal:
        yield journal


def saying(value: str) -> Callable[[], Awaitable[str]]:
    async def work() -> str:
        await anyio.lowlevel.checkpoint()
        return value

    return work


async def mine(journal: Journal, key: str) -> Mine:
    claim = await journal.claim(key)
    assert isinstance(claim, Mine)
    return claim


async def keys(journal: Journal, prefix: str, **how: Any) -> list[str]:
    return [entry.key for entry in await journal.entries(prefix, **how)]


async def test_a_claimed_key_is_busy_for_everybody_else_until_it_is_recorded(journal: Journal) -> None:
    first = await journal.claim("r-1/results/s1")
    second = await journal.claim("r-1/results/s1")
    recorded = await journal.record("r-1/results/s1", '"found"')
    third = await journal.claim("r-1/results/s1")

    assert isinstance(first, Mine)
    assert first.key == "r-1/results/s1"
    assert isinstance(second, Busy)
    assert recorded
    assert third == Done('"found"')


async def test_a_released_claim_goes_to_the_next_caller(journal: Journal) -> None:
    await journal.release(await mine(journal, "k"))
    assert isinstance(await journal.claim("k"), Mine)
    assert await journal.recall("k") is None


async def test_releasing_twice_does_not_take_the_claim_from_the_next_holder(journal: Journal) -> None:
    stale = await mine(journal, "k")
    await journal.release(stale)
    await mine(journal, "k")
    await journal.release(stale)
    assert isinstance(await journal.claim("k"), Busy)


async def test_releasing_what_is_recorded_leaves_the_record(journal: Journal) -> None:
    held = await mine(journal, "k")
    await journal.record("k", "v")
    await journal.release(held)
    assert await journal.recall("k") == "v"


async def test_the_first_record_of_a_key_stands(journal: Journal) -> None:
    assert await journal.record("k", "first")
    assert not await journal.record("k", "second")
    assert await journal.recall("k") == "first"


async def test_a_key_that_was_only_claimed_has_no_value(journal: Journal) -> None:
    await mine(journal, "k")
    assert await journal.recall("k") is None
    assert await journal.recall("other") is None


async def test_entries_show_what_is_recorded_and_what_somebody_is_at_in_key_order(journal: Journal) -> None:
    await journal.record("r/2", "two")
    await mine(journal, "r/1")
    await journal.record("r", "root")
    await journal.record("s/1", "elsewhere")

    assert await journal.entries("r") == [
        Entry("r", "root", NOW),
        Entry("r/1", None, NOW),
        Entry("r/2", "two", NOW),
    ]


async def test_the_newest_entries_come_first_counted_from_when_they_were_recorded(journal: Journal) -> None:
    await mine(journal, "r/early")
    for key in ("r/b", "r/a", "x/1"):
        await journal.record(key, key)
    await mine(journal, "r/claimed")
    await journal.record("r/early", "late")

    assert await journal.entries("r/", newest=3) == [
        Entry("r/early", "late", NOW),
        Entry("r/claimed", None, NOW),
        Entry("r/a", "r/a", NOW),
    ]
    assert await keys(journal, "r/", newest=99) == ["r/early", "r/claimed", "r/a", "r/b"]
    assert await keys(journal, "r/", newest=0) == []
    assert await keys(journal, "r/", newest=-1) == []


async def test_keys_without_values_still_tell_claims_from_records(journal: Journal) -> None:
    await journal.record("r/1", "long")
    await mine(journal, "r/2")

    assert await journal.entries("r/", keys_only=True) == [Entry("r/1", "", NOW), Entry("r/2", None, NOW)]
    assert await journal.entries("r/", keys_only=True, newest=1) == [Entry("r/2", None, NOW)]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("a_", ["a_1"]),
        ("a%", ["a%"]),
        ("a*", ["a*"]),
        ("a", ["a%", "a*", "a1", "aX", "a_1"]),
        ("A", []),
        ("ä", ["ä\ud7ff", "ä\U0001f600", "ä\U0010ffff!"]),
        ("ä\ud7ff", ["ä\ud7ff"]),
        ("ä\U0010ffff", ["ä\U0010ffff!"]),
        ("nul", ["nul", "nul\0", "nul\0x"]),
        ("nul\0", ["nul\0", "nul\0x"]),
        ("z", []),
        ("", ["a%", "a*", "a1", "aX", "a_1", "nul", "nul\0", "nul\0x", "ä\ud7ff", "ä\U0001f600", "ä\U0010ffff!"]),
    ],
)
async def test_a_prefix_is_taken_letter_by_letter(journal: Journal, prefix: str, found: list[str]) -> None:
    every = ["a_1", "a1", "aX", "a%", "a*", "ä\ud7ff", "ä\U0010ffff!", "ä\U0001f600", "nul", "nul\0x", "nul\0"]
    for key in every:
        await journal.record(key, key)
    assert await keys(journal, prefix) == found
    assert await keys(journal, prefix, newest=99) == [key for key in reversed(every) if key in found]


async def test_any_text_comes_back_as_it_went_in(journal: Journal) -> None:
    for value in ("", "\0a\0", "\r\n", "'; DROP TABLE entries; --", "\U0001f600", "x" * 3_000_000):
        await journal.record(f"k{len(value)}", value)
        assert await journal.recall(f"k{len(value)}") == value


async def test_half_a_surrogate_pair_is_refused_by_name_and_harms_nobody_else(journal: Journal) -> None:
    with pytest.raises(InputError, match="key: It has half a surrogate pair at character 1"):
        await journal.claim("k\ud800")
    with pytest.raises(InputError, match="prefix: "):
        await journal.entries("\udfff")
    with pytest.raises(InputError, match="key: "):
        await journal.recall("\udfff")

    async def record(value: str) -> bool | str:
        try:
            return await journal.record(value[:1], value)
        except InputError as error:
            return error.field

    assert await anyio.amap(record, ["a", "b\ud800", "c"]) == [True, "value", True]


async def test_work_asked_for_many_times_at_once_is_done_once(journal: Journal) -> None:
    calls = 0
    everybody_asked = anyio.Event()

    async def work() -> str:
        nonlocal calls
        calls += 1
        await everybody_asked.wait()
        return "done"

    async def ask(number: int) -> str:
        if number == 19:
            everybody_asked.set()
        return await once(journal, "k", work)

    assert await anyio.amap(ask, range(20)) == ["done"] * 20
    assert calls == 1


async def test_work_that_fails_is_left_to_the_next_caller(journal: Journal) -> None:
    async def crash() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await once(journal, "k", crash)
    assert await journal.entries("k") == []
    assert await once(journal, "k", saying("second")) == "second"


async def test_a_value_that_came_in_meanwhile_is_the_answer(journal: Journal) -> None:
    async def overtaken() -> str:
        await journal.record("k", "submitted")
        return "mine"

    assert await once(journal, "k", overtaken) == "submitted"


async def test_a_cancelled_caller_still_records_what_was_paid_for(journal: Journal) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await journal.record("k", "paid")
    assert await journal.recall("k") == "paid"


@types.coroutine
def at_step(step: int, act: Callable[[], object], work: Coroutine[Any, Any, str]) -> Generator[Any, Any, str]:
    """Runs the work, and acts as it waits for the `step`th time."""
    resume, given = work.send, None
    for number in itertools.count(1):
        try:
            waiting = resume(given)
        except StopIteration as end:
            return end.value
        if number == step:
            act()
        try:
            resume, given = work.send, (yield waiting)
        except BaseException as error:
            resume, given = work.throw, error
    raise AssertionError


async def cancel_by_scope(step: int, work: Coroutine[Any, Any, str]) -> bool:
    with anyio.CancelScope() as scope:
        await at_step(step, scope.cancel, work)
    return scope.cancel_called


async def cancel_by_asyncio(step: int, work: Coroutine[Any, Any, str]) -> bool:
    acted = False

    def cancel() -> None:
        nonlocal acted
        acted = task.cancel()

    async def run() -> str:
        return await at_step(step, cancel, work)

    task = asyncio.ensure_future(run())
    await asyncio.wait([task])
    return acted  # what task.cancelling() counts, a scope on the way may have taken back


Cancel = Callable[[int, Coroutine[Any, Any, str]], Awaitable[bool]]
every_cancel = pytest.mark.parametrize(
    ("anyio_backend", "cancel"),
    [
        pytest.param("asyncio", cancel_by_scope, id="asyncio"),
        pytest.param("trio", cancel_by_scope, id="trio"),
        pytest.param("asyncio", cancel_by_asyncio, id="asyncio's own cancel"),
    ],
)


@every_cancel
async def test_a_record_is_made_whenever_its_caller_is_cancelled(journal: Journal, cancel: Cancel) -> None:
    async def work() -> str:
        await journal.record(key, "paid")
        return ""

    for step in itertools.count(1):
        key = f"k{step}"
        cancelled = await cancel(step, work())
        assert await journal.recall(key) == "paid"
        if not cancelled:
            break


@every_cancel
async def test_cancelled_at_any_await_work_is_recorded_if_it_was_done_and_free_if_not(
    journal: Journal, cancel: Cancel
) -> None:
    outcomes = set[tuple[bool, bool]]()
    for step in itertools.count(1):
        key, done = f"k{step}", False

        async def work() -> str:
            nonlocal done
            await anyio.lowlevel.checkpoint()
            done = True
            return "paid"

        cancelled = await cancel(step, once(journal, key, work))
        assert await journal.recall(key) == ("paid" if done else None)
        assert isinstance(await journal.claim(key), Done if done else Mine)
        outcomes.add((cancelled, done))
        if not cancelled:
            break

    assert outcomes == {(True, False), (True, True), (False, True)}


@pytest.mark.parametrize("anyio_backend", [VIRTUAL])
async def test_whoever_waits_minutes_for_somebody_elses_work_hears_of_it_within_a_moment() -> None:
    journal = MemoryJournal()

    async def long() -> str:
        await anyio.sleep(600)
        return "done"

    async def ask(_: int) -> tuple[str, float]:
        started = anyio.current_time()
        return await once(journal, "k", long), anyio.current_time() - started

    answers = await anyio.amap(ask, range(2))
    assert [value for value, _ in answers] == ["done", "done"]
    worker, waiter = sorted(seconds for _, seconds in answers)
    assert worker == pytest.approx(600)
    assert 600 <= waiter <= 600 + MAX_POLL_SECONDS


@pytest.mark.parametrize("anyio_backend", [VIRTUAL])
async def test_a_deadline_that_cuts_work_frees_its_key_for_the_one_who_waits() -> None:
    journal = MemoryJournal()

    async def cut() -> None:
        with anyio.move_on_after(120):
            await once(journal, "k", anyio.sleep_forever)

    async with anyio.create_task_group() as group:
        started = anyio.current_time()
        group.start_soon(cut)
        await anyio.sleep(1)
        assert await once(journal, "k", saying("second")) == "second"
    assert 120 <= anyio.current_time() - started <= 120 + MAX_POLL_SECONDS
