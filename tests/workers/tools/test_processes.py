"""Inspections on several cores: real children over real files."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import anyio
import pytest

from fanfold_workers.aside import in_thread
from fanfold_workers.errors import UnknownNameError
from fanfold_workers.tools.catalog import shipped
from fanfold_workers.tools.disk import DiskRoot
from fanfold_workers.tools.files import Files
from fanfold_workers.tools.processes import ChildDied, Processes, divisible
from fanfold_workers.tools.roots import MemoryRoot
from fanfold_workers.tools.toolbox import Inspect

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="descriptors are not handed on to children on Windows"
)

SECRETS = shipped()["secrets"]
KEY = "ghp_" + "x7Kq2mVw9RtY4bNc8LsD1fGh5JzP0aE3uTiO"


@pytest.fixture
def repos(tmp_path: Path) -> Path:
    """Three repositories with a password each, and one that takes long to read."""
    for name in "abc":
        (tmp_path / "repos" / name).mkdir(parents=True)
        (tmp_path / "repos" / name / "settings.py").write_text(f'PASSWORD = "{name}9fQ2xW7mK4vT8zR1"\n', "utf-8")
    return tmp_path / "repos"


def slow(repos: Path, files: int = 30) -> None:
    (repos / "slow").mkdir()
    for n in range(files):
        (repos / "slow" / f"f{n}.py").write_text('token = "abcdefghij0123456789"\n' * 4_000, "utf-8")


def scope(root: DiskRoot, *places: str) -> Files:
    return Files({"repos": root}, places)


async def started(processes: Processes) -> int:
    """The first child, once there is one."""
    with anyio.fail_after(5):
        while not processes.pids:  # noqa: ASYNC110  it is started by another task, which tells nobody
            await anyio.sleep(0.01)
    return min(processes.pids)


def ended(pid: int, seconds: float = 5) -> bool:
    """Whether a process ends in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def replaced(folder: Path) -> None:
    """Another folder stands where this one was."""
    folder.rename(folder.parent / "elsewhere")
    (folder / "a").mkdir(parents=True)


async def test_inspections_at_once_find_what_each_finds_alone(repos: Path) -> None:
    root = DiskRoot("repos", repos)
    scopes = [scope(root, f"repos:{name}") for name in "abc"]
    alone = [await in_thread(partial(SECRETS.run, files, Inspect())) for files in scopes]
    async with Processes({"repos": root}, cores=2) as processes:
        together = await anyio.amap(lambda files: processes(SECRETS, files, Inspect()), scopes)
        first = processes.pids
        await anyio.amap(lambda files: processes(SECRETS, files, Inspect()), scopes)
        assert processes.pids == first
        assert len(first) == 1
    assert together == alone
    assert all(answer.findings for answer in alone)
    assert processes.pids == frozenset()


@pytest.mark.parametrize("command", [("/nowhere/python",), (sys.executable, "-c", "raise SystemExit(1)")])
async def test_where_no_child_can_be_started_inspections_run_in_threads(
    repos: Path, command: tuple[str, ...]
) -> None:
    root = DiskRoot("repos", repos)
    async with Processes({"repos": root}, cores=2, command=command) as processes:
        answers = await anyio.amap(
            lambda name: processes(SECRETS, scope(root, f"repos:{name}"), Inspect()), ["a", "b", "c"]
        )
        assert processes.pids == frozenset()
    assert [len(answer.findings) for answer in answers] == [1, 1, 1]


async def test_one_inspection_at_a_time_starts_no_process(repos: Path) -> None:
    root = DiskRoot("repos", repos)
    async with Processes({"repos": root}, cores=4) as processes:
        for name in "abc":
            await processes(SECRETS, scope(root, f"repos:{name}"), Inspect())
        assert processes.pids == frozenset()


async def elsewhere(processes: Processes, root: DiskRoot, place: str = "repos:a") -> object:
    """What a child answers: the thread is kept busy by another inspection meanwhile."""
    answers: list[object] = []

    async def second() -> None:
        answers.append(await processes(SECRETS, scope(root, place), Inspect()))

    async with anyio.create_task_group() as group:
        group.start_soon(processes, SECRETS, scope(root, "repos:slow"), Inspect())
        await anyio.sleep(0.05)
        await second()
        group.cancel_scope.cancel()
    return answers[0]


async def test_an_error_of_a_child_is_the_error_itself(repos: Path) -> None:
    slow(repos)
    root = DiskRoot("repos", repos)
    async with Processes({"repos": root}, cores=2) as processes:
        with pytest.raises(ExceptionGroup) as caught:
            await elsewhere(processes, root, "repos:nowhere")
    (error,) = caught.value.exceptions
    assert isinstance(error, UnknownNameError)
    with pytest.raises(UnknownNameError) as here:
        SECRETS.run(scope(root, "repos:nowhere"), Inspect())
    assert (error.field, error.problem, error.remedy) == (here.value.field, here.value.problem, here.value.remedy)


async def test_a_child_that_dies_fails_its_inspection_and_no_other(repos: Path) -> None:
    slow(repos)
    root = DiskRoot("repos", repos)
    failed: list[BaseException] = []

    async def doomed(processes: Processes) -> None:
        try:
            await processes(SECRETS, scope(root, "repos:slow"), Inspect())
        except ChildDied as error:
            failed.append(error)

    async with Processes({"repos": root}, cores=2) as processes:
        assert await elsewhere(processes, root)
        async with anyio.create_task_group() as group:
            group.start_soon(processes, SECRETS, scope(root, "repos:slow"), Inspect())
            await anyio.sleep(0.05)
            group.start_soon(doomed, processes)
            await anyio.sleep(0.2)
            os.kill(await started(processes), signal.SIGKILL)
        assert [str(error) for error in failed] == ["the process that ran secrets died"]
        assert await elsewhere(processes, root)


async def test_a_cancelled_inspection_ends_its_child_at_once(repos: Path) -> None:
    slow(repos)
    root = DiskRoot("repos", repos)
    async with Processes({"repos": root}, cores=2) as processes:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(processes, SECRETS, scope(root, "repos:slow"), Inspect())
            pid = await started(processes)
            group.cancel_scope.cancel()
        assert ended(pid)


async def test_a_child_reads_the_folder_that_was_opened_whatever_its_path_names_now(repos: Path) -> None:
    slow(repos)
    root = DiskRoot("repos", repos)
    replaced(repos)
    async with Processes({"repos": root}, cores=2) as processes:
        answer = await elsewhere(processes, root)
    assert answer == SECRETS.run(scope(root, "repos:a"), Inspect())
    assert answer.findings


async def test_a_child_takes_no_module_from_the_current_folder_and_no_ctrl_c(
    repos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(repos)
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger was here')", "utf-8")
    (tmp_path / "fanfold_workers").mkdir()
    (tmp_path / "fanfold_workers" / "__init__.py").write_text("raise SystemExit(1)", "utf-8")
    monkeypatch.chdir(tmp_path)
    root = DiskRoot("repos", repos)
    async with Processes({"repos": root}, cores=2) as processes:
        assert await elsewhere(processes, root)
        (pid,) = processes.pids
        assert os.getsid(pid) == pid


def test_a_killed_parent_leaves_no_child_behind(repos: Path) -> None:
    slow(repos, files=300)
    script = f"""
        import anyio
        from fanfold_workers.tools.catalog import shipped
        from fanfold_workers.tools.disk import DiskRoot
        from fanfold_workers.tools.files import Files
        from fanfold_workers.tools.processes import Processes
        from fanfold_workers.tools.toolbox import Inspect

        async def main():
            root = DiskRoot("repos", {str(repos)!r})
            files = Files({{"repos": root}}, ("repos:slow",))
            async with Processes({{"repos": root}}, cores=2) as processes, anyio.create_task_group() as group:
                for _ in range(2):
                    group.start_soon(processes, shipped()["secrets"], files, Inspect())
                while not processes.pids:
                    await anyio.sleep(0.01)
                print(*processes.pids, flush=True)

        anyio.run(main)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        time.sleep(0.5)
        parent.kill()
    assert ended(pid)


def test_only_folders_on_disk_are_handed_to_children(repos: Path) -> None:
    root = DiskRoot("repos", repos)
    assert divisible({"repos": root}) == {"repos": root}
    assert divisible({"repos": root, "notes": MemoryRoot("notes", {"a": "b"})}) == {}
    assert divisible({}) == {}
