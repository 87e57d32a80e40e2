"""The Journal on SQLite: what is awaited waits in a thread, and writers share their commits."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import anyio
import anyio.lowlevel
import anyio.to_thread

from fanfold_workers.accounts import Account, Amount, Full, Standing
from fanfold_workers.journal import Claim, Entry, Mine, check_text

from . import pruning, spending
from .disk import PAGE_CHARS, Disk, Order
from .pruning import Fate, Kept, Pruned, Weight
from .rows import Rows

T = TypeVar("T")

READERS = 4
"""Looks at once, each on a connection of its own."""
REPORTS_AT_ONCE = 50
"""How many reports of nobody's go in one transaction."""


@asynccontextmanager
async def open_journal(home: Path) -> AsyncGenerator["SqliteJournal", None]:
    """The journal in a folder, made if need be, until the end of the block; every claim of it ends there too.

    Any number of processes, and of openings in one process, may share a folder.

    Raises:
        NewerJournalError: if a later version of fanfold wrote it; nothing is changed.
        JournalError: if the folder cannot be used, naming `home` and the remedy.
    """
    disk = Disk(home)
    threads = anyio.CapacityLimiter(1)
    try:
        await anyio.to_thread.run_sync(disk.open, limiter=threads)
        yield SqliteJournal(disk, threads)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(disk.close, limiter=threads)


@dataclass(frozen=True, slots=True, eq=False)
class SqliteJournal:
    """A Journal that several processes share and that outlives them. Get one from `open_journal`.

    Its threads are its own: however busy the others are, it is never kept waiting for one.
    """

    _disk: Disk
    _writers: anyio.CapacityLimiter
    _readers: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(READERS))
    _turn: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def commits(self) -> int:
        """Transactions committed so far: far fewer than calls, where many wait at once."""
        return self._disk.commits

    async def claim(self, key: str, /, *, past: str = "") -> Claim:
        """See Journal. Decided in the transaction that takes the claim."""
        check_text("key", key)
        self._disk.check_process()
        await anyio.lowlevel.checkpoint_if_cancelled()
        token = uuid4().hex
        try:
            return await self._written(Order(lambda rows: rows.claim(key, token, past), chars=len(key)))
        except (anyio.get_cancelled_exc_class(), KeyboardInterrupt):
            # Only asyncio's own cancel() pierces the shield. Nobody will hear of this claim.
            await self.release(Mine(key, token))
            raise

    async def release(self, mine: Mine, /) -> None:
        """See Journal. If the disk refuses, it is made up for with the next commit."""
        await self._settled(Order(lambda rows: rows.release(mine), owed=True))

    async def record(self, key: str, value: str, /) -> bool:
        """See Journal."""
        check_text("key", key)
        check_text("value", value)
        order = Order(lambda rows: rows.record(key, value), chars=len(key) + len(value), lasting=True)
        return await self._written(order)

    async def record_all(self, records: Mapping[str, str], /) -> None:
        """See Journal."""
        await self.settle((), Amount(), Amount(), records)

    async def reserve(self, purse: Sequence[Account], worst: Amount, /) -> Full | None:
        """See Accounts. Decided in the transaction that takes the money, for all processes."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        taken = Order(lambda rows: spending.reserve(rows, purse, worst))
        try:
            return await self._written(taken)
        except (anyio.get_cancelled_exc_class(), KeyboardInterrupt):
            # Only asyncio's own cancel() pierces the shield. Nobody will hear of this reservation.
            if taken.outcome() is None:
                await self.settle(purse, worst, Amount(), {})
            raise

    async def settle(
        self, purse: Sequence[Account], worst: Amount, cost: Amount, records: Mapping[str, str], /
    ) -> Amount:
        """See Accounts. If the disk refuses, it is made up for with the next commit."""
        for key, value in records.items():
            check_text("key", key)
            check_text("value", value)

        def act(rows: Rows) -> Amount:
            for key, value in records.items():
                rows.record(key, value)
            return spending.settle(rows, purse, worst, cost)

        chars = sum(len(key) + len(value) for key, value in records.items())
        return await self._written(Order(act, chars=chars, lasting=True, owed=bool(purse)))

    async def standing(self, name: str, /) -> Standing:
        """See Accounts."""
        return await self._read(lambda rows: spending.standing(rows, name))

    async def recall(self, key: str, /) -> str | None:
        """See Journal."""
        check_text("key", key)
        return await self._read(lambda rows: rows.recall(key))

    async def entries(self, prefix: str, /, *, newest: int | None = None, keys_only: bool = False) -> list[Entry]:
        """See Journal."""
        check_text("prefix", prefix)
        return await self._read(lambda rows: rows.entries(prefix, newest, keys_only=keys_only))

    # -- pruning --------------------------------------------------------------------------------------------------

    async def kept(self) -> list[Kept]:
        """Every run on disk, the one that was left alone longest first. Reads no value."""
        return await self._read(pruning.kept)

    async def weighed(self, run: str) -> Weight:
        """What a run takes up, and whether somebody living is at it. Reads all of it."""
        return await self._read(lambda rows: pruning.weighed(rows, run))

    async def remove(self, kept: Kept, *, before: float | None = None) -> Fate:
        """Remove a run in one transaction, unless somebody is at it or something of it is from after `before`."""
        chars = PAGE_CHARS * kept.entries
        return await self._paced(
            Order(lambda rows: pruning.remove_run(rows, kept.run, before), chars=chars, lasting=True)
        )

    async def prune(self, before: float) -> Pruned:
        """Remove what was left alone since `before` (seconds since the epoch), a transaction for each run.

        Between two of them other processes get as long to write as the last one took.
        """
        old = [kept for kept in await self.kept() if kept.at < before]
        gone = [kept.run for kept in old if await self.remove(kept, before=before) == "removed"]
        loose = await self._read(lambda rows: pruning.loose_reports(rows, before))
        reports = 0
        for start in range(0, len(loose), REPORTS_AT_ONCE):
            few = loose[start : start + REPORTS_AT_ONCE]
            reports += await self._paced(
                Order(partial(pruning.remove_reports, keys=few), chars=PAGE_CHARS * len(few))
            )
        days = await self._paced(Order(lambda rows: pruning.remove_days(rows, before)))
        return Pruned(tuple(gone), reports, days)

    async def _paced(self, order: Order[T]) -> T:
        started = anyio.current_time()
        answer = await self._written(order)
        await anyio.sleep(anyio.current_time() - started)
        return answer

    async def _written(self, order: Order[T]) -> T:
        await self._settled(order)
        return order.outcome()

    async def _settled(self, order: Order[T]) -> None:
        """Wait until the order is committed or refused, whatever is cancelled meanwhile."""
        self._disk.check_process()
        self._disk.queue.append(order)
        with anyio.CancelScope(shield=True):
            try:
                await self._commit(order)
            except (anyio.get_cancelled_exc_class(), KeyboardInterrupt):
                await self._commit(order)
                raise

    async def _commit(self, order: Order[T]) -> None:
        """Whoever gets the turn while its order is undone commits all that is queued by then."""
        async with self._turn:
            while not order.done:
                await anyio.to_thread.run_sync(self._disk.commit, limiter=self._writers)

    async def _read(self, look: Callable[[Rows], T]) -> T:
        self._disk.check_process()
        return await anyio.to_thread.run_sync(partial(self._disk.read, look), limiter=self._readers)
