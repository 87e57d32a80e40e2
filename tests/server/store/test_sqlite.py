"""The journal on disk: shared, durable, never in the way of the event loop, and polite to what it does not know."""

import os
import sqlite3
import stat
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import anyio
import anyio.lowlevel
import pytest
from anyio import to_thread
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold_server.store import SqliteJournal, open_journal
from fanfold_server.store.owner import begin
from fanfold_server.store.rows import Rows
from fanfold_server.store.schema import VERSION, migrate
from fanfold_workers.errors import JournalError, NewerJournalError
from fanfold_workers.journal import Busy, Claim, Done, Mine, once

posix = pytest.mark.skipif(sys.platform == "win32", reason="permission bits and resource limits are POSIX's")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "state" / "fanfold"


@pytest.fixture
async def journal(home: Path) -> AsyncGenerator[SqliteJournal, None]:
    async with open_journal(home) as journal:
        yield journal


def files(home: Path) -> dict[str, bytes]:
    return {str(p.relative_to(home)): p.read_bytes() for p in sorted(home.rglob("*")) if p.is_file()}


def modes(home: Path) -> dict[str, int]:
    return {str(p.relative_to(home)): stat.S_IMODE(p.stat().st_mode) for p in [home, *home.rglob("*")]}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def put(path: Path, data: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def stranger(home: Path) -> "closing[sqlite3.Connection]":
    """A connection such as another program would make."""
    return closing(sqlite3.connect(home / "journal.db", isolation_level=None, timeout=0, check_same_thread=False))


# -- sharing -------------------------------------------------------------------------------------------------


async def test_what_one_opening_records_the_next_one_reads(home: Path) -> None:
    async with open_journal(home) as journal:
        await journal.record("k", "v")
    async with open_journal(home) as journal:
        assert await journal.claim("k") == Done("v")


async def test_two_openings_in_one_process_are_two_owners(home: Path) -> None:
    async with open_journal(home) as one:
        async with open_journal(home) as two:
            for _ in range(3):
                assert isinstance(await one.claim("k"), Mine | Busy)
                busy = await two.claim("k")
                assert isinstance(busy, Busy)
                assert busy.owner.startswith(f"{os.getpid()}-")
            assert [entry.key for entry in await two.entries("")] == ["k"]
            assert isinstance(await two.claim("other"), Mine)
        assert isinstance(await one.claim("other"), Mine)


async def test_closing_gives_up_claims_and_leaves_the_database_alone_in_its_folder(home: Path) -> None:
    async with open_journal(home) as journal:
        await journal.claim("k")
    assert sorted(files(home)) == ["journal.db"]
    with stranger(home) as other:
        assert other.execute("SELECT count(*) FROM entries").fetchone() == (0,)


async def test_an_error_in_the_block_comes_out_as_it_is(home: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_journal(home):
            raise ZeroDivisionError


async def test_claims_of_somebody_dead_are_neither_shown_nor_respected(home: Path, journal: SqliteJournal) -> None:
    with stranger(home) as other:
        other.execute("INSERT INTO entries (key, at, owner, token) VALUES ('k/1', 1, '1-dead', 't')")
        other.execute("INSERT INTO entries (key, at, owner, token) VALUES ('k/2', 1, '1-dead', 't')")
    await journal.record("k/3", "v")

    assert [entry.key for entry in await journal.entries("k/")] == ["k/3"]
    assert [entry.key for entry in await journal.entries("k/", newest=1)] == ["k/3"]
    assert isinstance(await journal.claim("k/1"), Mine)
    assert [(entry.key, entry.value) for entry in await journal.entries("k/")] == [("k/1", None), ("k/3", "v")]


async def test_opening_sweeps_away_the_dead_and_nothing_else(home: Path) -> None:
    async with open_journal(home):
        pass
    owners = home / "owners"
    dead = begin(owners)
    living = begin(owners)
    dead._lock.close()
    (owners / "holiday.db").write_bytes(b"a stranger's")
    with stranger(home) as other:
        for owner in (dead.owner, living.owner):
            other.execute("INSERT INTO entries (key, at, owner, token) VALUES (?, 1, ?, 't')", (owner, owner))

    async with open_journal(home) as journal:
        assert [entry.key for entry in await journal.entries("")] == [living.owner]
        left = names(owners)
        assert len(left) == 3
        assert left > {"holiday.db", f"{living.owner}.db"}
        assert f"{dead.owner}.db" not in left
    living.end()


# -- speed ---------------------------------------------------------------------------------------------------


async def test_a_thousand_callers_share_a_few_commits(journal: SqliteJournal) -> None:
    async def ask(number: int) -> str:
        return await once(journal, f"r/{number:04}", work)

    async def work() -> str:
        await anyio.lowlevel.checkpoint()
        return "done"

    assert await anyio.amap(ask, range(1000)) == ["done"] * 1000
    assert journal.commits < 100
    assert len(await journal.entries("r/")) == 1000


async def test_one_commit_takes_no_more_than_a_few_large_texts(journal: SqliteJournal) -> None:
    await anyio.amap(lambda n: journal.record(f"k{n}", str(n) * 2_000_000), range(10))
    assert 3 <= journal.commits <= 10
    assert [len(entry.value or "") for entry in await journal.entries("k")] == [2_000_000] * 10


async def test_the_log_beside_the_database_is_folded_into_it_as_it_grows(home: Path, journal: SqliteJournal) -> None:
    for number in range(40):
        await journal.record(f"large/{number}", "x" * 1_000_000)
    for number in range(500):
        await journal.record(f"small/{number}", "x" * 10_000)
    sizes = {name: len(data) for name, data in files(home).items()}
    assert sizes["journal.db"] > 35_000_000
    assert sizes["journal.db-wal"] < 20_000_000


async def test_only_what_must_outlive_a_power_cut_waits_for_the_disk(journal: SqliteJournal) -> None:
    def synchronous() -> int:
        assert journal._disk._writer
        return journal._disk._writer.execute("PRAGMA synchronous").fetchone()[0]

    await journal.claim("k")
    assert synchronous() == 1
    await journal.record("k", "v")
    assert synchronous() == 2
    await anyio.amap(lambda write: write(), [lambda: journal.claim("a"), lambda: journal.record("b", "v")])
    assert synchronous() == 2


async def test_a_full_pool_of_threads_does_not_hold_up_the_journal(journal: SqliteJournal) -> None:
    pool = to_thread.current_default_thread_limiter()
    holders = [object() for _ in range(int(pool.total_tokens))]
    for holder in holders:
        pool.acquire_on_behalf_of_nowait(holder)
    try:
        with anyio.fail_after(10):
            assert await journal.record("k", "v")
            assert await journal.recall("k") == "v"
    finally:
        for holder in holders:
            pool.release_on_behalf_of(holder)


# -- the event loop ------------------------------------------------------------------------------------------


@asynccontextmanager
async def locked_until_the_loop_has_turned(home: Path, how: str = "IMMEDIATE") -> AsyncGenerator[None, None]:
    """Somebody else is writing, and stops only because the event loop goes on."""
    with stranger(home) as other:
        other.execute(f"BEGIN {how}")
        other.execute("SELECT * FROM sqlite_master").fetchall()

        async def unlock() -> None:
            await anyio.sleep(0.05)
            other.execute("COMMIT")

        async with anyio.create_task_group() as group:
            group.start_soon(unlock)
            yield


async def test_the_loop_goes_on_while_a_write_waits_for_another_process(home: Path, journal: SqliteJournal) -> None:
    async with locked_until_the_loop_has_turned(home):
        assert await journal.record("k", "v")


async def test_the_loop_goes_on_while_a_journal_is_opened_and_closed(home: Path, journal: SqliteJournal) -> None:
    async with AsyncExitStack() as stack:
        async with locked_until_the_loop_has_turned(home):
            other = await stack.enter_async_context(open_journal(home))
        await other.claim("k")
        async with locked_until_the_loop_has_turned(home):
            await stack.aclose()
    with stranger(home) as third:
        assert third.execute("SELECT count(*) FROM entries").fetchone() == (0,)


@pytest.mark.parametrize("how", ["EXCLUSIVE", "IMMEDIATE", "DEFERRED"])
async def test_opening_waits_for_whoever_is_making_the_journal_just_now(home: Path, how: str) -> None:
    put(home / "journal.db")
    async with locked_until_the_loop_has_turned(home, how), open_journal(home) as journal:
        assert await journal.record("k", "v")


async def test_reads_do_not_wait_for_a_writer(home: Path, journal: SqliteJournal) -> None:
    await journal.record("k", "v")
    with stranger(home) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await journal.recall("k") == "v"
        assert len(await journal.entries("k")) == 1


# -- the folder ----------------------------------------------------------------------------------------------


@posix
async def test_only_its_owner_can_read_the_folder_and_what_is_in_it(home: Path, journal: SqliteJournal) -> None:
    await journal.claim("k")
    (owner,) = names(home / "owners")
    assert modes(home) == {
        ".": 0o700,
        "owners": 0o700,
        f"owners/{owner}": 0o600,
        "journal.db": 0o600,
        "journal.db-wal": 0o600,
        "journal.db-shm": 0o600,
    }


@pytest.mark.parametrize("name", ["a b", "50%?x=1#y", "ä😀", "'; --"])
async def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    if sys.platform == "win32" and "?" in name:
        pytest.skip("Windows does not allow it")
    async with open_journal(tmp_path / name) as one, open_journal(tmp_path / name) as two:
        await one.claim("k")
        assert isinstance(await two.claim("k"), Busy)
    assert sorted(files(tmp_path)) == [f"{name}{os.sep}journal.db"]


async def test_a_home_that_is_a_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    put(tmp_path / "file", b"mine")
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(JournalError) as caught:
            async with open_journal(home):
                raise AssertionError
        assert caught.value.field == "home"
        assert str(home) in caught.value.problem
        assert "FANFOLD_HOME" in caught.value.remedy
    assert files(tmp_path) == {"file": b"mine"}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place that nobody can write")
async def test_a_home_that_cannot_be_written_is_refused_with_the_remedy() -> None:
    with pytest.raises(JournalError, match=r"^home: /proc/fanfold cannot hold a journal: .* Set FANFOLD_HOME"):
        async with open_journal(Path("/proc/fanfold")):
            raise AssertionError


async def test_a_file_that_is_no_database_is_refused_untouched(home: Path) -> None:
    put(home / "journal.db", b"Dear diary,\n" * 500)
    before = files(home)
    with pytest.raises(JournalError, match=r"is no journal, or is damaged\. Move that file aside"):
        async with open_journal(home):
            raise AssertionError
    assert files(home) == before


async def test_another_programs_database_is_refused_untouched(home: Path) -> None:
    put(home / "journal.db")
    with stranger(home) as other:
        other.execute("CREATE TABLE entries (secret)")
    before = files(home)
    with pytest.raises(JournalError, match="is the database of another program"):
        async with open_journal(home):
            raise AssertionError
    assert files(home) == before


async def make_newer(home: Path) -> None:
    async with open_journal(home) as journal:
        await journal.record("k", "v")
    with stranger(home) as other:
        other.execute(f"PRAGMA user_version = {VERSION + 7}")


async def test_a_newer_journal_is_refused_untouched(home: Path) -> None:
    await make_newer(home)
    before = files(home)
    with pytest.raises(NewerJournalError) as caught:
        async with open_journal(home):
            raise AssertionError
    assert f"has version {VERSION + 7}; this fanfold knows versions up to {VERSION}." in str(caught.value)
    assert "Upgrade fanfold" in caught.value.remedy
    assert files(home) == before


@posix
async def test_a_newer_journal_that_was_killed_while_writing_is_refused_untouched(home: Path, tmp_path: Path) -> None:
    await make_newer(home)
    with stranger(home) as other:
        other.execute("INSERT INTO entries (key, at, value) VALUES ('late', 1, 'v')")
        left = {name: data for name, data in files(home).items() if not name.endswith("-shm")}
    killed = tmp_path / "killed"
    for name, data in left.items():
        put(killed / name, data)
    assert left["journal.db-wal"]

    with pytest.raises(NewerJournalError):
        async with open_journal(killed):
            raise AssertionError
    assert {name: data for name, data in files(killed).items() if not name.endswith("-shm")} == left


async def test_a_journal_that_is_upgraded_while_in_use_takes_nothing_more_from_the_older_version(home: Path) -> None:
    async with open_journal(home) as journal:
        with stranger(home) as other:
            other.execute(f"PRAGMA user_version = {VERSION + 1}")
        with pytest.raises(NewerJournalError):
            await journal.record("k", "v")


async def test_a_journal_whose_file_was_deleted_says_so_instead_of_writing_into_the_void(home: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows does not let go of an open file")
    async with open_journal(home) as journal:
        await journal.record("k", "v")
        for name in files(home):
            (home / name).unlink()
        with pytest.raises(JournalError, match=r"was removed or replaced while it was in use\. Start fanfold again"):
            await journal.record("k2", "v")


async def test_a_closed_journal_says_so(home: Path) -> None:
    async with open_journal(home) as journal:
        pass
    for call in (journal.claim("k"), journal.record("k", "v"), journal.recall("k"), journal.entries("")):
        with pytest.raises(JournalError, match="The journal is not open"):
            await call


# -- a full disk ---------------------------------------------------------------------------------------------


@contextmanager
def no_file_over(size: int) -> Generator[None, None, None]:
    """Every write past so many bytes of a file fails, as on a full disk."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@posix
async def test_a_full_disk_refuses_what_does_not_fit_and_nothing_else(home: Path, journal: SqliteJournal) -> None:
    async def record(value: str) -> bool | str:
        try:
            return await journal.record(value[:1], value)
        except JournalError as error:
            return error.remedy

    held = await journal.claim("held")
    assert isinstance(held, Mine)
    with no_file_over(400_000):
        outcomes = await anyio.amap(record, ["a", "b" * 300_000, "c" * 2_000_000, "d"])
        assert outcomes[2] != True  # noqa: E712
        assert "FANFOLD_HOME" in str(outcomes[2]) or "Free some space" in str(outcomes[2])
        assert await journal.recall("c") is None
        with pytest.raises(JournalError):
            await once(journal, "paid", lambda: anyio.to_thread.run_sync(lambda: "p" * 2_000_000))
    assert outcomes[0] is outcomes[3] is True

    assert await journal.record("c", "c" * 2_000_000)
    assert isinstance(await journal.claim("paid"), Mine)
    with stranger(home) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@posix
async def test_a_release_that_the_disk_refuses_is_made_up_for(journal: SqliteJournal) -> None:
    held = await journal.claim("k")
    assert isinstance(held, Mine)
    with no_file_over(1):
        await journal.release(held)
        assert isinstance(await journal.claim("k"), Busy)
    await journal.record("other", "v")
    assert isinstance(await journal.claim("k"), Mine)


# -- home ----------------------------------------------------------------------------------------------------


# -- the range of a prefix -----------------------------------------------------------------------------------


letters = st.text(st.sampled_from("a_%\0\ud7ff\ue000\U0001f600\U0010ffff"), max_size=4)


@given(st.sets(letters, max_size=20), letters)
def test_a_range_of_keys_is_exactly_the_keys_with_the_prefix(keys: set[str], prefix: str) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        rows = Rows(connection, Path(), "me")
        for key in keys:
            rows.record(key, key)
        found = [entry.key for entry in rows.entries(prefix, None, keys_only=False)]
    assert found == sorted(key for key in keys if key.startswith(prefix))


# -- against a model --------------------------------------------------------------------------------------------


@dataclass
class Model:
    """What two owners should see: recorded values and held claims, each with when it was written."""

    values: dict[str, tuple[str, int]] = field(default_factory=dict)
    claims: dict[str, tuple[Mine, int]] = field(default_factory=dict)
    clock: int = 0

    def entries(self, prefix: str) -> list[tuple[str, str | None, int]]:
        held = [(key, None, at) for key, (_, at) in self.claims.items()]
        return [e for e in [*held, *((k, v, at) for k, (v, at) in self.values.items())] if e[0].startswith(prefix)]

    def claimed(self, claim: Claim, key: str) -> None:
        self.clock += 1
        if key in self.values:
            assert claim == Done(self.values[key][0])
        elif key in self.claims:
            assert isinstance(claim, Busy)
        else:
            assert isinstance(claim, Mine)
            self.claims[key] = (claim, self.clock)

    def recorded(self, first: bool, key: str, value: str) -> None:
        self.clock += 1
        assert first is (key not in self.values)
        self.claims.pop(key, None)
        self.values.setdefault(key, (value, self.clock))

    def released(self, mine: Mine) -> None:
        if self.claims.get(mine.key, (None,))[0] == mine:
            del self.claims[mine.key]


some_key = st.sampled_from(["a", "a/1", "a/2", "b_", "bx"])
steps = st.one_of(
    st.tuples(st.just("claim"), st.integers(0, 1), some_key),
    st.tuples(st.just("record"), st.integers(0, 1), some_key),
    st.tuples(st.just("release"), st.integers(0, 1), st.integers(0, 3)),
    st.tuples(st.just("entries"), st.integers(0, 1), st.sampled_from(["", "a", "a/", "b_"])),
    st.tuples(st.just("reopen"), st.integers(0, 1), st.none()),
)


async def follow(schedule: list[tuple[str, int, Any]], homes: Path) -> None:
    """Two openings of one journal go through the schedule; each answer must be the model's."""
    home, model, held = homes / uuid4().hex, Model(), list[tuple[int, Mine]]()
    async with AsyncExitStack() as one, AsyncExitStack() as two:
        stacks = (one, two)
        owners = [await stack.enter_async_context(open_journal(home)) for stack in stacks]
        for number, (what, who, which) in enumerate(schedule):
            owner = owners[who]
            if what == "claim":
                claim = await owner.claim(which)
                model.claimed(claim, which)
                held += [(who, claim)] if isinstance(claim, Mine) else []
            elif what == "record":
                model.recorded(await owner.record(which, f"v{number}"), which, f"v{number}")
            elif what == "release" and which < len(held):
                await owner.release(held[which][1])
                model.released(held[which][1])
            elif what == "entries":
                expected = model.entries(which)
                assert [(e.key, e.value) for e in await owner.entries(which)] == sorted(e[:2] for e in expected)
                newest = [e[0] for e in sorted(expected, key=lambda e: -e[2])][:2]
                assert [e.key for e in await owner.entries(which, newest=2)] == newest
            elif what == "reopen":
                await stacks[who].aclose()
                for _, mine in (one for one in held if one[0] == who):
                    model.released(mine)
                owners[who] = await stacks[who].enter_async_context(open_journal(home))


@settings(deadline=None, max_examples=20)
@given(st.lists(steps, max_size=25))
def test_any_schedule_of_two_owners_goes_as_a_plain_dict_would(schedule: list[tuple[str, int, Any]]) -> None:
    with TemporaryDirectory() as homes:
        anyio.run(follow, schedule, Path(homes))
