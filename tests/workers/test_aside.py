"""Blocking work never outlives the one who waits for it by long."""

import threading

import anyio
import pytest

from fanfold_workers.aside import Abandoned, in_thread, inline, stop_if_abandoned


async def test_a_thread_stops_soon_after_its_caller_is_cancelled() -> None:
    started, ended = threading.Event(), threading.Event()

    def endless() -> None:
        started.set()
        try:
            while True:
                stop_if_abandoned()
        except Abandoned:
            ended.set()
            raise

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(in_thread, endless)
        await anyio.to_thread.run_sync(started.wait, 10)
        tasks.cancel_scope.cancel()
    assert await anyio.to_thread.run_sync(ended.wait, 10)


async def test_work_that_ends_is_not_disturbed() -> None:
    def work() -> str:
        stop_if_abandoned()
        return "done"

    stop_if_abandoned()
    assert [await in_thread(work), await inline(work)] == ["done", "done"]
    stop_if_abandoned()


async def test_an_error_in_a_thread_reaches_the_caller() -> None:
    def fail() -> None:
        msg = "no"
        raise LookupError(msg)

    for aside in (in_thread, inline):
        with pytest.raises(LookupError, match="no"):
            await aside(fail)
