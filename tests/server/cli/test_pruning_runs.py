"""`fanfold prune`, what `doctor` says of the journal, and old runs that go by themselves."""

import re
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from tests.server.cli.process import Fanfold, in_process

from fanfold_server.cli import doctoring
from fanfold_server.opening import orchestrator_of
from fanfold_server.settings import Settings
from fanfold_server.store import open_journal, retention

DAY = 86_400


def age(fanfold: Fanfold, days: float) -> None:
    """Make all that is recorded so many days old, as a journal that was left alone is."""
    with closing(sqlite3.connect(fanfold.home / "journal.db", timeout=10)) as journal, journal:
        journal.execute("UPDATE entries SET at = at - ?", (days * DAY,))


def make_run(fanfold: Fanfold, code: Path) -> str:
    done = fanfold("run", "Old?", "--check", "upgrades", "--root", f"code={code}")
    assert done.code in {0, 3}, done.err
    return re.findall(r"\br-[0-9a-f]{12}", done.err)[-1]


def all_keys(fanfold: Fanfold) -> list[str]:
    return sorted(fanfold.records(""))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home, and the run that was made in it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "code").mkdir()
    (folder / "code" / "app.py").write_text(
        "import warnings\n\n\ndef old():\n    warnings.warn('old is deprecated', DeprecationWarning)\n"
    )
    fanfold = Fanfold(folder / "home")
    return fanfold.home, make_run(fanfold, folder / "code")


@pytest.fixture
def run(fanfold: Fanfold, made: tuple[Path, str]) -> str:
    """A run, made once: each test has a copy of its home."""
    home, run = made
    shutil.copytree(home, fanfold.home)
    return run


def test_a_run_that_was_named_goes_with_its_plan_and_its_reports_however_new_it_is(
    fanfold: Fanfold, small_code: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(fanfold, small_code)
    done = in_process(capsys, "prune", run)

    assert done.code == 0
    assert done.out.startswith(f"{run}  {time.strftime('%Y-%m-%d')} ")
    assert done.out.rstrip().endswith("Old?")
    assert re.match(r"Removed 1 run: \d+ kB\.\njournal\.db takes \d+ kB, before it took \d+ kB\.\n", done.err)
    assert all_keys(fanfold) == []
    assert "No runs yet" in in_process(capsys, "runs").err


def test_the_id_of_its_plan_names_a_run_too_and_twice_is_once(
    fanfold: Fanfold, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = in_process(capsys, "prune", f"p{run[1:]}", f"p{run[1:]}")

    assert (done.code, len(done.out.splitlines())) == (0, 1)
    assert all_keys(fanfold) == []


def test_a_dry_run_removes_nothing(fanfold: Fanfold, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = all_keys(fanfold)

    named, old = (
        in_process(capsys, "prune", run, "--dry-run"),
        in_process(capsys, "prune", "--days", "0", "--dry-run"),
    )

    assert named.out == old.out
    assert re.fullmatch(r"Would remove 1 run: \d+ kB\.\n", named.err)
    assert all_keys(fanfold) == before


def test_without_a_run_what_is_older_goes(
    fanfold: Fanfold, run: str, small_code: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    age(fanfold, 10)
    (fanfold.home / "pruned").touch()
    new = make_run(fanfold, small_code)

    thirty = in_process(capsys, "prune")
    monkeypatch.setenv("FANFOLD_KEEP_DAYS", "9")
    nine = in_process(capsys, "prune")

    assert (thirty.out, thirty.err.splitlines()[0]) == ("", "Removed 0 runs: 0 kB.")
    assert nine.out.startswith(run)
    assert [key for key in all_keys(fanfold) if run[2:] in key] == []
    assert [key for key in all_keys(fanfold) if key == f"runs/{new}"]
    assert len([key for key in all_keys(fanfold) if key.startswith("reports/")]) == 1


def test_a_setting_that_is_wrong_stands_in_nobodys_way_who_says_the_days(
    fanfold: Fanfold, run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_KEEP_DAYS", "-1")

    assert in_process(capsys, "prune", "--days", "1").code == 0
    wrong = in_process(capsys, "prune")
    assert (wrong.code, wrong.err[:24]) == (2, "error: FANFOLD_KEEP_DAYS")


@pytest.mark.parametrize("arguments", [["r-none"], ["s-1"], ["x" * 500]])
def test_a_run_that_does_not_exist_is_named_and_nothing_goes(
    fanfold: Fanfold, run: str, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    before = all_keys(fanfold)
    done = in_process(capsys, "prune", run, *arguments)

    assert done.code == 1
    assert done.err.startswith(f"error: RUN: There is no run {arguments[0][:80]}. `fanfold runs` lists")
    assert all_keys(fanfold) == before


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["r-1", "--days", "3"], "not both"),
        (["--days", "nan"], "--days"),
        (["--days", "-1"], "--days"),
        (["--days", "soon"], "--days"),
    ],
)
def test_what_cannot_be_asked_for_is_wrong_usage(
    fanfold: Fanfold, run: str, capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    done = in_process(capsys, "prune", *arguments)
    assert done.code == 2
    assert error in done.err
    assert fanfold.records(f"runs/{run}")


def test_where_there_is_no_journal_yet_nothing_goes(fanfold: Fanfold, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "prune")
    assert (done.code, done.err.splitlines()[0]) == (0, "Removed 0 runs: 0 kB.")


async def test_a_run_that_somebody_is_at_stays_and_the_file_keeps_its_size(
    fanfold: Fanfold, small_code: Path
) -> None:
    run = await anyio.to_thread.run_sync(make_run, fanfold, small_code)
    other = await anyio.to_thread.run_sync(make_run, fanfold, small_code)
    age(fanfold, 40)
    async with open_journal(fanfold.home) as journal:
        await journal.claim(f"{run}/at/x")
        age(fanfold, 40)
        named = await anyio.to_thread.run_sync(fanfold, "prune", other, run)
        kept = fanfold.records(f"runs/{other}")
        old = await anyio.to_thread.run_sync(fanfold, "prune")

    assert (named.code, len(kept)) == (2, 1)
    assert named.err == (
        f"error: RUN: Somebody is at work on {run}. "
        "Let it end, or stop the process that is at it, then prune again.\n"
    )
    assert old.code == 0
    assert old.out.startswith(other)
    assert "1 run of that age stay: somebody is at work on them." in old.err
    assert "Another process has the journal open. So journal.db keeps its " in old.err
    assert fanfold.records(f"runs/{run}")
    assert not fanfold.records(f"runs/{other}")


# -- by themselves ------------------------------------------------------------------------------------------------


def test_an_old_run_goes_by_itself_when_another_has_ended(fanfold: Fanfold, run: str, small_code: Path) -> None:
    age(fanfold, 31)
    (fanfold.home / "pruned").unlink()

    new = make_run(fanfold, small_code)

    assert [key for key in all_keys(fanfold) if run[2:] in key] == []
    assert len([key for key in all_keys(fanfold) if key.startswith("reports/")]) == 1
    assert fanfold.records(f"runs/{new}")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_server_removes_old_runs_in_the_background_once_its_first_calls_have_settled(
    fanfold: Fanfold, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SETTLING_SECONDS", 0.3)
    age(fanfold, 31)
    (fanfold.home / "pruned").unlink()

    async with orchestrator_of(Settings(home=fanfold.home), {}) as server:
        assert (await server.runs.plan(run)).task.task == "Old?"
        for _ in range(400):
            if not all_keys(fanfold):
                break
            await anyio.sleep(0.05)

    assert all_keys(fanfold) == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_old_run_that_is_taken_up_does_not_go(
    fanfold: Fanfold, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SETTLING_SECONDS", 0.3)
    age(fanfold, 31)
    (fanfold.home / "pruned").unlink()

    async with orchestrator_of(Settings(home=fanfold.home), {}) as server:
        report = await server.synthesize(run, question="Is anything old?")
        for _ in range(400):
            if (fanfold.home / "pruned").exists():
                break
            await anyio.sleep(0.05)

    assert fanfold.records(f"runs/{run}")
    assert len(fanfold.records("reports/")) == 2
    assert fanfold.records(f"{run}/reports/{report.id}")


def test_it_is_done_once_a_day(fanfold: Fanfold, run: str, small_code: Path) -> None:
    stamp = (fanfold.home / "pruned").stat().st_mtime
    age(fanfold, 31)

    make_run(fanfold, small_code)

    assert fanfold.records(f"runs/{run}")
    assert (fanfold.home / "pruned").stat().st_mtime == stamp


# -- doctor -------------------------------------------------------------------------------------------------------


def test_doctor_says_how_large_the_journal_is_and_how_old(
    fanfold: Fanfold, small_code: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(fanfold, small_code)
    age(fanfold, 10)
    oldest = time.strftime("%Y-%m-%d", time.localtime(time.time() - 10 * DAY))
    assert re.search(rf"^ok +journal +\d+ kB, 1 run, the oldest of {oldest}$", in_process(capsys, "doctor").out, re.M)


def test_doctor_warns_of_a_journal_over_a_gigabyte(
    fanfold: Fanfold, run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctoring, "MANY_BYTES", 10_000)
    out = in_process(capsys, "doctor").out
    assert re.search(r"^warn +journal .*\n +-> Remove old runs: fanfold prune \(", out, re.MULTILINE)
