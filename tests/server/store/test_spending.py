"""Money between real processes: no limit is passed, and what a dead process held stays charged."""

import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import anyio
import anyio.abc
import pytest
from tests.server.store.test_processes import all_of, process, told
from tests.server.store.test_sqlite import no_file_over

from fanfold_server.store import open_journal
from fanfold_server.store.schema import APPLICATION_ID, MIGRATIONS, VERSION
from fanfold_workers.accounts import Account, Amount, Full, Limit, Standing
from fanfold_workers.errors import JournalError, OverBudgetError
from fanfold_workers.journal import MAX_POLL_SECONDS, Done, Entry, Mine
from fanfold_workers.models.budget import Budget, Till
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, FunctionModel, Reply, Said, saying
from fanfold_workers.models.record import Record
from fanfold_workers.models.tokens import Meter

posix = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and resource limits are POSIX's")

WORST, COST = Amount(100, 2_000, 1), Amount(60, 1_500, 1)
RUN = Account("r-1", Limit(150), "max_usd_per_run")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def rows(home: Path) -> Sequence[tuple[str, bool, int]]:
    """Name, whether somebody holds it, and micros of all that stands in the file."""
    with closing(sqlite3.connect(home / "journal.db")) as beside:
        return beside.execute("SELECT name, owner != '', micros FROM accounts ORDER BY 1, 2, 3").fetchall()


async def test_two_openings_share_an_account(tmp_path: Path):
    async with open_journal(tmp_path) as one, open_journal(tmp_path) as two:
        assert await one.reserve((RUN,), WORST) is None
        assert await two.reserve((RUN,), WORST) == Full(RUN, "usd", Standing(held=WORST))
        assert await one.standing("r-1") == await two.standing("r-1") == Standing(held=WORST)

        await one.settle((RUN,), WORST, COST, {})
        assert await two.reserve((RUN,), Amount(90)) is None
        assert await one.standing("r-1") == Standing(COST, Amount(90))
        await two.settle((RUN,), Amount(90), Amount(80), {})
    assert rows(tmp_path) == [("r-1", False, 140)]


async def test_settled_money_leaves_one_row_an_account_however_many_calls_there_were(tmp_path: Path):
    async with open_journal(tmp_path) as journal:
        for _ in range(20):
            await journal.reserve((RUN,), Amount(5))
            await journal.settle((RUN,), Amount(5), Amount(5), {})
        assert rows(tmp_path) == [("r-1", False, 100)]


HOLD = """
    from fanfold_workers.accounts import Account, Amount
    async def main():
        async with open_journal(home) as journal:
            for _ in range(2):
                await journal.reserve((Account("r-1"), Account("day")), Amount(100, 2_000, 1))
            await journal.settle((Account("r-1"), Account("day")), Amount(100, 2_000, 1), Amount(1, 1, 1), {})
            print("held", flush=True)
            await anyio.sleep_forever()

    anyio.run(main, backend=backend)
"""
SPENT = Amount(1, 1, 1)


@posix
async def test_what_a_killed_process_held_stays_charged_and_is_charged_once(tmp_path: Path):
    async with open_journal(tmp_path) as journal:
        async with process(tmp_path, HOLD) as child:
            await told(child, "held")
            assert await journal.standing("r-1") == Standing(SPENT, WORST)
            assert rows(tmp_path) == [("day", False, 1), ("day", True, 100), ("r-1", False, 1), ("r-1", True, 100)]
            os.kill(child.pid, signal.SIGKILL)
            await child.wait()
        assert await journal.standing("r-1") == Standing(SPENT + WORST)
        assert await journal.reserve((RUN,), Amount(50)) == Full(RUN, "usd", Standing(SPENT + WORST))
        assert await journal.reserve((RUN,), Amount(49)) is None
        await journal.settle((RUN,), Amount(49), Amount(), {})
    for _ in range(2):
        async with open_journal(tmp_path) as journal:
            assert await journal.standing("r-1") == Standing(SPENT + WORST)
    assert rows(tmp_path) == [("day", False, 101), ("r-1", False, 101)]


@posix
async def test_a_stopped_process_still_holds_its_money(tmp_path: Path):
    async with open_journal(tmp_path) as journal, process(tmp_path, HOLD) as child:
        await told(child, "held")
        os.kill(child.pid, signal.SIGSTOP)
        assert await journal.standing("r-1") == Standing(SPENT, WORST)
    async with open_journal(tmp_path) as journal:
        assert await journal.standing("r-1") == Standing(SPENT + WORST)


async def test_a_process_that_ends_with_calls_in_flight_is_charged_for_them(tmp_path: Path):
    async with open_journal(tmp_path) as journal:
        await journal.reserve((RUN,), WORST)
    async with open_journal(tmp_path) as journal:
        assert await journal.standing("r-1") == Standing(WORST)


@posix
async def test_who_waits_for_a_processs_money_is_refused_as_soon_as_it_is_killed(tmp_path: Path):
    card = Card("a-model", 100_000, 8_000, Price(0, 1, 0, 0))
    asked = []

    async def answer(ask: Ask) -> Reply:
        asked.append(ask)
        return saying("ok")

    async with open_journal(tmp_path) as journal, process(tmp_path, HOLD) as child:
        await told(child, "held")
        model = Budget(Record(FunctionModel(answer), journal, card), card, journal, Meter(), Till())
        refused: list[float] = []

        async def call() -> None:
            with pytest.raises(OverBudgetError):
                await model.ask(Ask("Be brief.", (Said("hello"),), max_tokens=60, purse=(RUN,)))
            refused.append(anyio.current_time())

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await anyio.sleep(3 * MAX_POLL_SECONDS)
            assert refused == []
            killed = anyio.current_time()
            os.kill(child.pid, signal.SIGKILL)
        assert asked == []
        assert refused[0] - killed < MAX_POLL_SECONDS + 1


HAMMER = """
    from fanfold_workers.accounts import Account, Amount, Limit
    async def main():
        run, few, spent, refused = Account("r-1", Limit(3_000)), anyio.CapacityLimiter(4), 0, 0
        chance = random.Random(os.getpid())
        async with open_journal(home) as journal:
            async def call(_):
                nonlocal spent, refused
                worst = chance.randrange(1, 40)
                async with few:
                    if await journal.reserve((run, Account("day")), Amount(worst)):
                        refused += 1
                        return
                    cost = chance.randrange(worst + 1)
                    await anyio.sleep(chance.random() / 500)
                    await journal.settle((run, Account("day")), Amount(worst), Amount(cost), {})
                    spent += cost

            print("ready", flush=True)
            await anyio.to_thread.run_sync(sys.stdin.readline)
            await anyio.amap(call, range(300))
        print(spent, refused)

    anyio.run(main, backend=backend)
"""


async def test_two_processes_that_hammer_one_account_never_pass_its_limit(tmp_path: Path):
    highest = 0

    async def watch(scope: anyio.CancelScope) -> None:
        """What stands in the file, at any moment that somebody looks."""
        nonlocal highest
        with scope, closing(sqlite3.connect(tmp_path / "journal.db")) as beside:
            while True:
                (total,) = beside.execute("SELECT total(micros) FROM accounts WHERE name = 'r-1'").fetchone()
                highest = max(highest, total)
                await anyio.sleep(0.001)

    async with process(tmp_path, HAMMER) as one, process(tmp_path, HAMMER, "trio") as two:
        for child in (one, two):
            await told(child, "ready\n")
        async with anyio.create_task_group() as group:
            group.start_soon(watch, scope := anyio.CancelScope())
            for child in (one, two):
                assert child.stdin
                await child.stdin.send(b"\n")
            ends = await anyio.amap(all_of, (one, two))
            scope.cancel()

    (spent, refused), (more, also_refused) = [map(int, end[-1].split()) for end in ends]
    async with open_journal(tmp_path) as journal:
        assert await journal.standing("r-1") == Standing(Amount(spent + more))
        assert await journal.standing("day") == Standing(Amount(spent + more))
    assert highest <= 3_000
    # Both had their part, both were refused at the end, and little was left then.
    assert min(spent, more, refused, also_refused) > 0
    assert spent + more > 3_000 - 40


@posix
async def test_a_settlement_that_the_disk_refuses_is_made_up_for(tmp_path: Path):
    async with open_journal(tmp_path) as journal:
        await journal.reserve((RUN,), WORST)
        with no_file_over(1), pytest.raises(JournalError):
            await journal.settle((RUN,), WORST, COST, {"k": "paid"})
        assert await journal.standing("r-1") == Standing(held=WORST)
        await journal.record("other", "v")
        assert (await journal.standing("r-1"), await journal.recall("k")) == (Standing(COST), "paid")
        await journal.record("another", "v")
        assert await journal.standing("r-1") == Standing(COST)


@posix
async def test_a_reservation_that_the_disk_refuses_holds_nothing_then_or_later(tmp_path: Path):
    async with open_journal(tmp_path) as journal:
        with no_file_over(1), pytest.raises(JournalError):
            await journal.reserve((RUN,), WORST)
        await journal.record("other", "v")
        assert await journal.standing("r-1") == Standing()


# -- an older file ---------------------------------------------------------------------------------------------------


def make_first_version(home: Path) -> None:
    """A journal as the first version left it: records, and the claim of somebody who died."""
    home.mkdir()
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode = WAL")
        for statement in MIGRATIONS[0]:
            old.execute(statement)
        old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        old.execute("PRAGMA user_version = 1")
        insert = "INSERT INTO entries (key, at, owner, token, value) VALUES (?, ?, ?, ?, ?)"
        old.execute(insert, ("r-1/results/s1", 12.5, None, None, '"found"'))
        old.execute(insert, ("r-1/results/s2", 13.5, f"1-{'0' * 32}", "t", None))
        old.execute(insert, ("r-1", 11.5, None, None, "{}"))


async def test_a_journal_of_the_first_version_keeps_its_entries_and_can_hold_money(tmp_path: Path):
    make_first_version(home := tmp_path / "home")
    async with open_journal(home) as journal:
        assert await journal.entries("") == [Entry("r-1", "{}", 11.5), Entry("r-1/results/s1", '"found"', 12.5)]
        assert [entry.key for entry in await journal.entries("", newest=9)] == ["r-1", "r-1/results/s1"]
        assert await journal.claim("r-1/results/s1") == Done('"found"')
        assert isinstance(await journal.claim("r-1/results/s2"), Mine)
        assert await journal.reserve((RUN,), WORST) is None
        await journal.settle((RUN,), WORST, COST, {})
    with closing(sqlite3.connect(home / "journal.db")) as beside:
        assert beside.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert beside.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    async with open_journal(home) as journal:
        assert await journal.standing("r-1") == Standing(COST)


OPEN = """
    async def main():
        os.read(gate, 1)
        async with open_journal(home) as journal:
            assert await journal.recall("r-1") == "{}"

    gate, opener = os.pipe()
    children = [fork(main) for _ in range(6)]
    os.write(opener, b"x" * 6)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
"""


@posix
async def test_several_processes_that_open_an_older_journal_at_once_bring_it_up_once(tmp_path: Path):
    make_first_version(home := tmp_path / "home")
    async with process(home, OPEN) as child:
        assert await all_of(child) == []
    async with open_journal(home) as journal:
        assert await journal.reserve((RUN,), WORST) is None
