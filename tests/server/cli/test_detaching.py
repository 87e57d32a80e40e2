"""Runs in a process of their own: they outlive whoever asked, can be joined, followed and stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest
from tests.server.cli.process import ITEMS, Done, Fanfold, closing

from fanfold_server.dispatch.events import Event
from fanfold_server.opening import orchestrator_of
from fanfold_server.records import RunState, Task
from fanfold_server.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX sends them")


def until(fanfold: Fanfold, count: int) -> None:
    """Wait until so many results are on disk."""
    for _ in range(3_000):
        if len(fanfold.results()) >= count:
            return
        time.sleep(0.01)
    pytest.fail(f"only {len(fanfold.results())} results came; {logs(fanfold)}")


def logs(fanfold: Fanfold) -> str:
    return "".join(log.read_text() for log in (fanfold.home / "logs").glob("*.log"))


def detached(fanfold: Fanfold, slow_run: list[str]) -> str:
    done = fanfold(*slow_run, "--detach", FANFOLD_WIDTH="1")
    assert done.code == 0, done.err
    run = done.out.strip()
    assert f"Join it and get its report: fanfold resume {run}" in done.err
    return run


def test_a_detached_run_says_its_id_and_ends_by_itself(fanfold: Fanfold, slow_run: list[str]) -> None:
    run = detached(fanfold, slow_run)
    before = len(fanfold.results())
    until(fanfold, ITEMS)
    resumed = fanfold("resume", run)

    assert before < ITEMS
    assert resumed.code == 0
    assert f"run r-…: {ITEMS}/{ITEMS} ok" in closing(resumed)
    assert logs(fanfold) == ""


def test_a_detached_run_is_joined_and_its_work_is_done_once(fanfold: Fanfold, slow_run: list[str]) -> None:
    run = detached(fanfold, slow_run)
    joined = fanfold("resume", run)

    assert joined.code == 0
    assert len(fanfold.results()) == ITEMS
    assert f"run r-…: {ITEMS}/{ITEMS} ok" in closing(joined)


def test_a_detached_run_is_stopped_by_its_id(fanfold: Fanfold, tmp_path: Path) -> None:
    root = tmp_path / "code"
    lines = "\n".join(f"def f{n}(a, b):\n    return a + b * {n}" for n in range(30_000))
    for n in range(ITEMS):  # each takes some seconds
        (root / f"part{n}").mkdir(parents=True)
        (root / f"part{n}" / "mod.py").write_text(lines)
    items = [part for n in range(ITEMS) for part in ("--item", f"code:part{n}")]
    run = detached(fanfold, ["run", "Old?", "--check", "upgrades", "--root", f"code={root}", *items])
    stopped: Done = fanfold("cancel", run)

    assert stopped.code == 0
    assert stopped.err.splitlines() == [
        f"Stopped {run}: {ITEMS} of {ITEMS} subtasks have ended and are kept.",
        f"Take it up again with: fanfold resume {run} --retry",
    ]
    assert sum('"status":"skipped"' in value for _, value in fanfold.results().values()) >= 1


HOST = """
import sys
import anyio
from pathlib import Path
from fanfold_server.opening import orchestrator_of
from fanfold_server.records import Task
from fanfold_server.settings import Settings

async def main():
    settings = Settings.read(dict(__import__("os").environ), [f"code={sys.argv[1]}"])
    async with orchestrator_of(settings, {}) as fanfold:
        items = tuple(f"code:{folder.name}" for folder in sorted(Path(sys.argv[1]).iterdir()))
        plan = await fanfold.plan(Task(task="What is deprecated?", checks=("upgrades",), items=items))
        await fanfold.dispatch(plan.id, detach=True, wait=0)
        print(plan.id, flush=True)
        await anyio.sleep(60)

anyio.run(main)
"""


def test_a_run_outlives_its_host_however_that_dies(fanfold: Fanfold, slow_code: Path) -> None:
    environ = {**os.environ, "FANFOLD_HOME": str(fanfold.home), "FANFOLD_WIDTH": "1"}
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(slow_code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        start_new_session=True,
    )
    try:
        assert host.stdout
        host.stdout.readline()
        kept = len(fanfold.results())
        os.killpg(host.pid, signal.SIGKILL)
    finally:
        host.kill()
        host.communicate()
    until(fanfold, ITEMS)
    assert kept < ITEMS


def task_over(code: Path) -> Task:
    items = tuple(f"code:{folder.name}" for folder in sorted(code.iterdir()))
    return Task(task="What is deprecated?", checks=("upgrades",), items=items)


async def test_events_of_a_detached_run_are_followed_from_the_host(fanfold: Fanfold, slow_code: Path) -> None:
    heard: list[Event] = []
    settings = Settings.read({**os.environ, "FANFOLD_WIDTH": "1"}, [f"code={slow_code}"])
    async with orchestrator_of(settings, {}) as it:
        plan = await it.plan(task_over(slow_code))
        with anyio.fail_after(60):
            run = await it.dispatch(plan.id, detach=True, told=heard.append)
    assert run.state is RunState.done
    for kind in ("started", "tool", "found", "ended"):
        assert len({event.subtask for event in heard if event.kind == kind}) == ITEMS
