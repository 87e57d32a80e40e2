"""The journal between real processes: who lives, who died, and what a kill leaves behind."""

import os
import signal
import sys
import textwrap
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
import pytest
from anyio.streams.text import TextReceiveStream

from fanfold_server.store import open_journal
from fanfold_workers.journal import Busy, Done, Mine, once

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and fork are POSIX's")

START = """
import os, sys, time, random, signal
from pathlib import Path
import anyio
from fanfold_server.store import open_journal
from fanfold_workers.errors import JournalError
from fanfold_workers.journal import Mine, once

home, backend = Path(sys.argv[1]), sys.argv[2]

def fork(main):
    child = os.fork()
    if not child:
        try:
            anyio.run(main, backend=backend)
            os._exit(0)
        finally:
            os._exit(1)
    return child
"""


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@asynccontextmanager
async def process(home: Path, script: str, backend: str = "asyncio") -> AsyncGenerator[anyio.abc.Process, None]:
    """A Python process at work on the journal; killed if the block ends before it does."""
    command = [sys.executable, "-c", START + textwrap.dedent(script), str(home), backend]
    child = await anyio.open_process(command, stderr=None)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        assert child.stdout
        async for _ in child.stdout:
            pass
        await child.aclose()


async def told(child: anyio.abc.Process, text: str) -> str:
    """All it has printed, up to and with this text."""
    assert child.stdout
    heard = ""
    with anyio.fail_after(30):
        while text not in heard:
            heard += await TextReceiveStream(child.stdout).receive()
    return heard


async def all_of(child: anyio.abc.Process) -> list[str]:
    """The lines it prints until it ends well."""
    assert child.stdout
    with anyio.fail_after(60):
        text = "".join([part async for part in TextReceiveStream(child.stdout)])
        assert await child.wait() == 0
    return text.split("\n")[:-1]


HOLD = """
    async def main():
        async with open_journal(home) as journal:
            for key in ("r/1", "r/2"):
                assert isinstance(await journal.claim(key), Mine)
            print("held", flush=True)
            await anyio.sleep_forever()

    anyio.run(main, backend=backend)
"""


async def test_what_a_killed_process_held_falls_to_whoever_waits_for_it(tmp_path: Path) -> None:
    async def work() -> str:
        return f"after {time.perf_counter() - killed:.3f} s"

    async with open_journal(tmp_path) as journal, process(tmp_path, HOLD) as child:
        await told(child, "held")
        claim = await journal.claim("r/1")
        assert isinstance(claim, Busy)
        assert claim.owner.startswith(f"{child.pid}-")
        assert [entry.key for entry in await journal.entries("r/")] == ["r/1", "r/2"]

        async with anyio.create_task_group() as group:
            waiter = group.start_soon(once, journal, "r/1", work)
            await anyio.sleep(0.4)
            killed = time.perf_counter()
            os.kill(child.pid, signal.SIGKILL)
            with anyio.fail_after(5):
                await waiter.wait()

        assert [(entry.key, entry.value) for entry in await journal.entries("r/")] == [("r/1", waiter.return_value)]
        assert isinstance(await journal.claim("r/2"), Mine)


async def test_a_stopped_process_still_holds_what_it_claimed(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal, process(tmp_path, HOLD) as child:
        await told(child, "held")
        os.kill(child.pid, signal.SIGSTOP)
        assert isinstance(await journal.claim("r/1"), Busy)
        assert isinstance(await journal.claim("new"), Mine)


async def test_a_lock_outlives_neither_its_process_nor_falls_to_a_child_of_it(tmp_path: Path) -> None:
    forked_then_hold = """
        import subprocess
        async def main():
            async with open_journal(home) as journal:
                await journal.claim("r/1")
                subprocess.Popen(["sleep", "5"], stdout=subprocess.DEVNULL, close_fds=False)
                print("held", flush=True)
                await anyio.sleep_forever()
        anyio.run(main, backend=backend)
    """
    async with open_journal(tmp_path) as journal, process(tmp_path, forked_then_hold) as child:
        await told(child, "held")
        assert isinstance(await journal.claim("r/1"), Busy)
        child.kill()
        await child.wait()
        assert isinstance(await journal.claim("r/1"), Mine)


RACE = """
    async def main():
        few, answers = anyio.CapacityLimiter(4), {}
        async with open_journal(home) as journal:
            async def one(number):
                async def work():
                    with open(home / "done", "a") as file:
                        file.write(f"{number}\\n")
                    await anyio.sleep(random.random() / 100)
                    return f"by {os.getpid()}"
                async with few:
                    answers[number] = await once(journal, f"r/{number}", work)

            print("ready", flush=True)
            await anyio.to_thread.run_sync(sys.stdin.readline)
            await anyio.amap(one, random.sample(range(200), 200))
        print(*[answers[number] for number in range(200)], sep="\\n")

    anyio.run(main, backend=backend)
"""


async def test_two_processes_after_the_same_work_do_it_once_and_agree(tmp_path: Path) -> None:
    async with process(tmp_path, RACE) as one, process(tmp_path, RACE, "trio") as two:
        for child in (one, two):
            await told(child, "ready\n")
        for child in (one, two):
            assert child.stdin
            await child.stdin.send(b"\n")
        first, second = await anyio.amap(all_of, (one, two))

    assert first == second
    assert len(first) == 200
    assert set(first) == {f"by {one.pid}", f"by {two.pid}"}
    assert sorted(map(int, (tmp_path / "done").read_text().split())) == list(range(200))


FIRST_OPENING = """
    async def main():
        os.read(gate, 1)
        async with open_journal(home) as journal:
            assert await journal.record(f"k/{os.getpid()}", "v")

    for _ in range(5):
        import shutil
        shutil.rmtree(home, ignore_errors=True)
        gate, opener = os.pipe()
        children = [fork(main) for _ in range(8)]
        os.write(opener, b"x" * 8)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8

        async def count():
            async with open_journal(home) as journal:
                print(len(await journal.entries("k/")))
        anyio.run(count)
"""


async def test_any_number_of_processes_may_open_a_new_journal_at_the_same_moment(tmp_path: Path) -> None:
    async with process(tmp_path / "home", FIRST_OPENING) as child:
        assert await all_of(child) == ["8"] * 5


KILLED_WRITERS = """
    async def main():
        async with open_journal(home) as journal:
            async def write(writer):
                for number in range(10_000):
                    key = f"{os.getpid()}/{writer}/{number}"
                    await journal.claim(key)
                    await journal.record(key, key * random.randrange(2000))
                    os.write(1, f"{key}\\n".encode())
            os.write(opened, b"x")
            await anyio.amap(write, range(4))

    opening, opened = os.pipe()
    for number in range(10):
        child = fork(main)
        if number % 3:
            os.read(opening, 1)
        time.sleep(random.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
async def test_a_record_that_was_acknowledged_survives_any_kill(tmp_path: Path, backend: str) -> None:
    async with process(tmp_path, KILLED_WRITERS, backend) as child:
        acknowledged = await all_of(child)

    assert acknowledged
    async with open_journal(tmp_path) as journal:
        entries = {entry.key: entry.value for entry in await journal.entries("")}
        assert set(acknowledged) <= set(entries)
        assert all(value is not None and not value.replace(key, "") for key, value in entries.items())
        assert len(entries) - len(acknowledged) <= 10 * 4
        assert len([path.name for path in (tmp_path / "owners").iterdir()]) == 1


FORKED = """
    async def main():
        async with open_journal(home) as journal:
            await journal.claim("k")
            if os.fork():
                assert os.wait()[1] == 0
                print(type(await journal.claim("k")).__name__)
                return
            for call in (journal.record("k", "v"), journal.recall("k"), journal.claim("k")):
                try:
                    await call
                except JournalError as error:
                    os.write(1, f"{error}\\n".encode())
            os._exit(0)

    anyio.run(main, backend=backend)
"""


async def test_a_fork_is_told_to_open_a_journal_of_its_own(tmp_path: Path) -> None:
    async with process(tmp_path, FORKED) as child:
        lines = await all_of(child)
    refusal = (
        "journal: This journal was opened by the process that this one was forked from. "
        "Open a journal after the fork."
    )
    assert lines == [refusal, refusal, refusal, "Busy"]


async def test_what_was_recorded_before_a_kill_is_done_for_the_next_process(tmp_path: Path) -> None:
    record_then_die = """
        async def main():
            async with open_journal(home) as journal:
                await journal.record("k", "v")
                os.kill(os.getpid(), signal.SIGKILL)
        anyio.run(main, backend=backend)
    """
    async with process(tmp_path, record_then_die) as child:
        assert await child.wait() == -signal.SIGKILL
    async with open_journal(tmp_path) as journal:
        assert await journal.claim("k") == Done("v")
