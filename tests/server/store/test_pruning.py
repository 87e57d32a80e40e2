"""What goes when a run goes, what stays, and what becomes of the file."""

import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from tests.server.store.test_processes import all_of, process, told

from fanfold_server.store import DAY_SECONDS, Kept, Pruned, SqliteJournal, compact, on_disk, open_journal, upkeep
from fanfold_workers.accounts import Account, Amount, Standing
from fanfold_workers.journal import Mine

posix = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and fork are POSIX's")

COST = Amount(micros=5, tokens=5, calls=1)
OLD = 40


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
async def journal(home: Path) -> AsyncGenerator[SqliteJournal, None]:
    async with open_journal(home) as journal:
        yield journal


def all_keys_of(name: str) -> list[str]:
    """Every kind of key that a run has."""
    run = f"r-{name}"
    return [
        f"runs/{run}",
        f"plans/p-{name}",
        f"roots/{run}",
        f"approved/p-{name}",
        f"lowered/{run}/000000000000123",
        f"lowered/{run}/001/000000000000123",
        f"lifted/{run}/000",
        f"{run}/results/s1/001",
        f"{run}/notes/s1/001/000001",
        f"{run}/turns/s1/001/t000.reply/abc",
        f"{run}/calls/plan/abc",
        f"{run}/calls/s-{name}lead/abc",
        f"{run}/reports/s-{name}",
        f"reports/s-{name}",
        f"reports/s-{name}lead",
    ]


async def make_run(journal: SqliteJournal, name: str) -> list[str]:
    keys = all_keys_of(name)
    await journal.record_all(dict.fromkeys(keys, "{}"))
    for account in (f"r-{name}", f"r-{name}/workers", f"r-{name}/spent/s1/001"):
        await journal.settle([Account(account)], Amount(), COST, {})
    return keys


def age(home: Path, days: float, prefix: str = "") -> None:
    """Make what is recorded under the prefix so many days old."""
    with closing(sqlite3.connect(home / "journal.db", timeout=10)) as other, other:
        other.execute(
            "UPDATE entries SET at = ? WHERE substr(key, 1, ?) = ?",
            (time.time() - days * DAY_SECONDS, len(prefix), prefix),
        )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def before(days: float = 30) -> float:
    return time.time() - days * DAY_SECONDS


async def keys(journal: SqliteJournal, prefix: str = "") -> list[str]:
    return [entry.key for entry in await journal.entries(prefix, keys_only=True)]


def accounts(home: Path) -> set[str]:
    with closing(sqlite3.connect(home / "journal.db", timeout=10)) as other:
        return {name for (name,) in other.execute("SELECT name FROM accounts")}


# -- what goes and what stays -----------------------------------------------------------------------------------


async def test_an_old_run_goes_with_all_that_belongs_to_it_and_a_newer_one_stays(
    home: Path, journal: SqliteJournal
) -> None:
    await make_run(journal, "1a")
    age(home, OLD)
    kept = await make_run(journal, "1ab")  # its id begins like the other's

    pruned = await journal.prune(before())

    assert pruned == Pruned(("r-1a",))
    assert await keys(journal) == sorted(kept)
    assert accounts(home) == {"r-1ab", "r-1ab/workers", "r-1ab/spent/s1/001"}
    assert (await journal.standing("r-1a")) == Standing()


@pytest.mark.parametrize("fresh", all_keys_of("1a"))
async def test_a_run_of_which_anything_is_new_stays_whole(home: Path, journal: SqliteJournal, fresh: str) -> None:
    every = await make_run(journal, "1a")
    age(home, OLD)
    age(home, 1, fresh)

    await journal.prune(before())

    assert await keys(journal) == sorted(every)


async def test_a_plan_that_was_never_dispatched_goes_by_its_own_age(home: Path, journal: SqliteJournal) -> None:
    await journal.record("plans/p-old", "{}")
    age(home, OLD)
    await journal.record("plans/p-new", "{}")

    assert await journal.kept() == [
        Kept("r-old", pytest.approx(before(OLD), abs=60), 1),
        Kept("r-new", pytest.approx(time.time(), abs=60), 1),
    ]
    await journal.prune(before())
    assert await keys(journal) == ["plans/p-new"]


async def test_an_approval_keeps_its_plan_young_and_goes_with_it(home: Path, journal: SqliteJournal) -> None:
    await journal.record("plans/p-1", "{}")
    age(home, OLD)
    await journal.record("approved/p-1", "{}")

    assert await journal.kept() == [Kept("r-1", pytest.approx(time.time(), abs=60), 2)]
    assert await journal.prune(before()) == Pruned()
    age(home, OLD)
    assert await journal.prune(before()) == Pruned(("r-1",))
    assert await keys(journal) == []


async def test_a_report_that_no_run_names_goes_by_its_own_age(home: Path, journal: SqliteJournal) -> None:
    await journal.record_all({f"reports/s-old{n:03}": "{}" for n in range(120)})
    await journal.record("reports/s-mine", "{}")
    age(home, OLD)
    await journal.record_all({"reports/s-new": "{}", "r-1/reports/s-mine": "{}", "runs/r-1": "p-1"})

    assert await journal.prune(before()) == Pruned(reports=120)
    assert await keys(journal, "reports/") == ["reports/s-mine", "reports/s-new"]


async def test_pins_and_what_nobody_knows_are_never_removed(home: Path, journal: SqliteJournal) -> None:
    strange = [
        "pins/git/log/1",
        "r-",
        "r-1",
        "runs/x",
        "plans/r-1",
        "lowered/r-",
        "lowered/r-1",
        "lifted/r-1",
        "s-1",
        "zebra/r-1/x",
    ]
    await journal.record_all(dict.fromkeys(strange, "{}"))
    age(home, 4_000)

    assert await journal.prune(before(0)) == Pruned()
    assert sorted(await keys(journal)) == sorted(strange)


async def test_accounts_of_old_days_go_and_the_others_go_on_counting(home: Path, journal: SqliteJournal) -> None:
    today = time.strftime("%Y-%m-%d")
    for name in ("day/2020-01-01", "day/2020-01-02", f"day/{today}", "day/x", "night/2020-01-01"):
        await journal.settle([Account(name)], Amount(), COST, {})
    await journal.reserve([Account("day/2020-01-02")], COST)

    assert await journal.prune(before(0)) == Pruned(days=1)
    assert accounts(home) == {"day/2020-01-02", f"day/{today}", "day/x", "night/2020-01-01"}


async def test_an_age_from_before_the_clock_began_removes_no_day(home: Path, journal: SqliteJournal) -> None:
    await journal.settle([Account("day/1999-01-01")], Amount(), COST, {})
    assert await journal.prune(before(36_500)) == Pruned()


# -- who is at work -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["r-1a/at/x", "r-1a/results/s2/001", "plans/p-1a", "reports/s-1a"])
async def test_a_run_that_somebody_holds_a_claim_of_is_left_alone(
    home: Path, journal: SqliteJournal, key: str
) -> None:
    every = [one for one in await make_run(journal, "1a") if one != key]
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None, timeout=10)) as other:
        other.execute("DELETE FROM entries WHERE key = ?", (key,))
    async with open_journal(home) as somebody:
        assert isinstance(await somebody.claim(key), Mine)
        age(home, OLD)

        assert await journal.prune(before()) == Pruned()
        (kept,) = await journal.kept()
        assert await journal.remove(kept) == "at work"
        assert (await journal.weighed("r-1a")).held
        assert set(every) <= set(await keys(journal))
    assert await journal.remove(kept) == "removed"
    assert await keys(journal) == []


async def test_a_run_that_a_call_is_being_paid_for_is_left_alone(home: Path, journal: SqliteJournal) -> None:
    await make_run(journal, "1a")
    age(home, OLD)
    async with open_journal(home) as somebody:
        await somebody.reserve([Account("r-1a/workers")], COST)
        assert await journal.prune(before()) == Pruned()
    assert (await journal.prune(before())).runs == ("r-1a",)


async def test_a_claim_of_somebody_dead_holds_nothing(home: Path, journal: SqliteJournal) -> None:
    await make_run(journal, "1a")
    with closing(sqlite3.connect(home / "journal.db", timeout=10)) as other, other:
        other.execute("INSERT INTO entries (key, at, owner, token) VALUES ('r-1a/at/x', 1, '1-dead', 't')")
    age(home, OLD)
    assert (await journal.prune(before())).runs == ("r-1a",)


async def test_a_run_that_is_taken_up_between_look_and_removal_stays(home: Path, journal: SqliteJournal) -> None:
    await make_run(journal, "1a")
    age(home, OLD)
    (kept,) = await journal.kept()
    await journal.record("r-1a/retries/000", "[]")

    assert await journal.remove(kept, before=before()) == "in use"
    assert await journal.remove(Kept("r-none", 0, 0)) == "unknown"


async def test_a_run_weighs_what_is_written_of_it(journal: SqliteJournal) -> None:
    await journal.record_all({"runs/r-1": "ä" * 10, "r-1/results/s1/001": "x" * 100_000, "r-12/results/s1/001": "x"})
    assert (await journal.weighed("r-1")).bytes == len("runs/r-1") + 20 + len("r-1/results/s1/001") + 100_000


# -- beside others ------------------------------------------------------------------------------------------------

PRUNE = """
    async def main():
        async with open_journal(home) as journal:
            print("ready", flush=True)
            await anyio.to_thread.run_sync(sys.stdin.readline)
            pruned = await journal.prune(time.time() - 30 * 86400)
        print(*pruned.runs, sep="\\n")

    anyio.run(main, backend=backend)
"""


@posix
async def test_two_processes_that_prune_at_once_remove_each_run_once(home: Path) -> None:
    async with open_journal(home) as journal:
        for number in range(60):
            await make_run(journal, f"{number:03}")
    age(home, OLD)

    async with process(home, PRUNE) as one, process(home, PRUNE, "trio") as two:
        for child in (one, two):
            await told(child, "ready\n")
        for child in (one, two):
            assert child.stdin
            await child.stdin.send(b"\n")
        first, second = await anyio.amap(all_of, (one, two))

    assert sorted([*first, *second]) == [f"r-{number:03}" for number in range(60)]
    async with open_journal(home) as journal:
        assert await keys(journal) == []
        assert accounts(home) == set()


@posix
async def test_another_process_goes_on_writing_while_a_long_pruning_runs(home: Path) -> None:
    async with open_journal(home) as journal:
        for number in range(60):
            await make_run(journal, f"{number:03}")
        age(home, OLD)
        async with process(home, PRUNE) as child:
            await told(child, "ready\n")
            assert child.stdin
            await child.stdin.send(b"\n")
            written = 0
            with anyio.fail_after(60):
                while await keys(journal, "runs/"):
                    await journal.record(f"zebra/{written}", "v")
                    written += 1
        assert written >= 5


KILLED_WHILE_PRUNING = """
    async def main():
        async with open_journal(home) as journal:
            os.write(opened, b"x")
            await journal.prune(time.time() - 30 * 86400)

    opening, opened = os.pipe()
    for number in range(8):
        child = fork(main)
        os.read(opening, 1)
        time.sleep(random.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
"""


@posix
async def test_a_kill_in_the_middle_leaves_each_run_whole_or_gone(home: Path) -> None:
    names = [f"{number:03}" for number in range(300)]
    async with open_journal(home) as journal:
        for name in names:
            await make_run(journal, name)
    age(home, OLD)

    async with process(home, KILLED_WHILE_PRUNING) as child:
        await all_of(child)

    async with open_journal(home) as journal:
        there, paid = set(await keys(journal)), accounts(home)
    whole = [name for name in names if set(all_keys_of(name)) <= there]
    assert there == {key for name in whole for key in all_keys_of(name)}
    assert paid == {f"r-{name}{part}" for name in whole for part in ("", "/workers", "/spent/s1/001")}
    assert 0 < len(whole) < len(names)


# -- by itself ----------------------------------------------------------------------------------------------------


def stamped(home: Path) -> float:
    return (home / "pruned").stat().st_mtime


async def test_old_runs_go_by_themselves_once_a_day(home: Path) -> None:
    async with open_journal(home) as journal:
        await make_run(journal, "1a")
        age(home, OLD)
        await upkeep(home, 50, after=0)
        assert await keys(journal, "runs/") == ["runs/r-1a"]

        await upkeep(home, 30, after=0)
        assert await keys(journal, "runs/") == ["runs/r-1a"]

        os.utime(home / "pruned", (0, before(1.01)))
        await upkeep(home, 30, after=0)
        assert await keys(journal) == []
        assert stamped(home) == pytest.approx(time.time(), abs=60)


async def test_a_stamp_from_the_future_does_not_put_it_off_for_ever(home: Path) -> None:
    async with open_journal(home) as journal:
        await make_run(journal, "1a")
        age(home, OLD)
        (home / "pruned").touch()
        os.utime(home / "pruned", (0, before(-100)))
        await upkeep(home, 30, after=0)
        assert await keys(journal) == []


async def test_while_one_process_prunes_by_itself_another_leaves_it_to_it(home: Path) -> None:
    async with open_journal(home) as journal:
        await make_run(journal, "1a")
        age(home, OLD)
        held = await journal.claim("upkeep/pruning")
        assert isinstance(held, Mine)
        await upkeep(home, 30, after=0)
        assert await keys(journal, "runs/") == ["runs/r-1a"]
        assert not (home / "pruned").exists()

        await journal.release(held)
        await upkeep(home, 30, after=0)
        assert await keys(journal) == []


async def test_pruning_by_itself_never_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    await upkeep(tmp_path / "file", 30, after=0)
    assert (tmp_path / "file").read_text() == "mine"


# -- the file -----------------------------------------------------------------------------------------------------


async def make_large(home: Path) -> None:
    async with open_journal(home) as journal:
        for number in range(20):
            await journal.record(f"r-1/results/s{number}/001", "secret sentence " * 20_000)
        await journal.record("pins/a/b/1", "kept")
        assert await journal.remove(Kept("r-1", 0, 20)) == "removed"


async def test_compacting_gives_back_what_was_freed_and_leaves_a_shared_journal(home: Path) -> None:
    await make_large(home)

    done = compact(home)

    assert done.why_not == ""
    assert done.before > 6_000_000
    assert done.after == on_disk(home) < 100_000
    assert b"secret sentence" not in (home / "journal.db").read_bytes()
    assert names(home) == ["journal.db", "owners"]
    async with open_journal(home) as one, open_journal(home) as two:
        assert await one.recall("pins/a/b/1") == "kept"
        assert await two.record("k", "v")
    with closing(sqlite3.connect(home / "journal.db")) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_journal_that_somebody_has_open_is_not_compacted(home: Path) -> None:
    await make_large(home)
    async with open_journal(home) as journal:
        done = compact(home)
        assert done.why_not == "Another process has the journal open."
        assert done.after > 6_000_000
        assert await journal.record("k", "v")
    assert compact(home).after < 100_000


async def test_a_stranger_who_has_the_file_open_is_heeded_too(home: Path) -> None:
    await make_large(home)
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as stranger:
        stranger.execute("SELECT count(*) FROM entries").fetchone()
        assert compact(home).why_not == "Another process has the journal open."
        assert stranger.execute("SELECT key FROM entries").fetchone() == ("pins/a/b/1",)


async def test_whoever_opens_the_journal_while_it_is_compacted_waits(home: Path) -> None:
    await make_large(home)
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None, check_same_thread=False)) as compacting:
        compacting.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        assert compacting.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
        compacting.execute("BEGIN EXCLUSIVE")

        async def end() -> None:
            await anyio.sleep(0.3)
            compacting.execute("COMMIT")
            compacting.close()

        async with anyio.create_task_group() as group:
            group.start_soon(end)
            async with open_journal(home) as journal:
                assert await journal.recall("pins/a/b/1") == "kept"


KILLED_WHILE_COMPACTING = """
    from fanfold_server.store import compact

    for number in range(12):
        child = os.fork()
        if not child:
            compact(home)
            os._exit(0)
        time.sleep(random.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
"""


@posix
async def test_a_kill_while_compacting_loses_nothing(home: Path) -> None:
    async with open_journal(home) as journal:
        for number in range(50):
            await journal.record(f"r-1/results/s{number}/001", f"{number} " * 100_000)
        await journal.record("pins/a/b/1", "kept")

    async with process(home, KILLED_WHILE_COMPACTING) as child:
        await all_of(child)

    async with open_journal(home) as journal:
        assert len(await keys(journal, "r-1/")) == 50
        assert await journal.recall("r-1/results/s7/001") == "7 " * 100_000
        assert await journal.recall("pins/a/b/1") == "kept"
    with closing(sqlite3.connect(home / "journal.db")) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@posix
async def test_what_a_kill_left_beside_the_file_is_folded_in_before_it_is_compacted(home: Path) -> None:
    record_then_die = """
        async def main():
            async with open_journal(home) as journal:
                await journal.record("pins/a/b/1", "kept")
                os.kill(os.getpid(), signal.SIGKILL)
        anyio.run(main, backend=backend)
    """
    async with process(home, record_then_die) as child:
        assert await child.wait() == -signal.SIGKILL
    assert (home / "journal.db-wal").exists()

    assert compact(home).why_not == ""

    async with open_journal(home) as journal:
        assert await journal.recall("pins/a/b/1") == "kept"
