"""The blocking side of the journal: one connection that writes, some that read, and a queue.

Everything here is called in threads. What is queued when a commit begins goes into one transaction, so that a
thousand callers share a few waits for the disk.
"""

import contextlib
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from fanfold_workers.errors import JournalError

from .home import connect, private_file, refusal
from .owner import Life, begin, bury, owners
from .rows import Rows
from .schema import migrate, refuse_foreign, refuse_newer, tune
from .spending import charge

T = TypeVar("T")

CHECKPOINT_CHARS = 4_000_000
"""How much to write before what stands in the WAL goes into the database, a commit counting as at least a page."""
PAGE_CHARS = 4_096
LOCK_SECONDS = 30.0
"""How long to wait for another process to finish writing."""
CLOSING_LOCK_SECONDS = 1.0
BATCH_CHARS = 8_000_000
"""A commit takes no more than this much text at once, so that other processes get their turn."""


@dataclass(slots=True, eq=False)
class Order(Generic[T]):
    """Something to do in the next transaction, and what came of it.

    Attributes:
        act: what to do; it may be tried twice, the first try undone.
        chars: how much text it writes.
        lasting: whether it must outlive a failure of power; a claim need not, its owner doesn't either.
        owed: whether to try it again with the next commit if the disk refuses.
        done: whether it was tried.
    """

    act: Callable[[Rows], T]
    chars: int = 0
    lasting: bool = False
    owed: bool = False
    done: bool = False
    _answers: list[T] = field(default_factory=list[T])
    _error: Exception | None = None

    def fulfil(self, answer: T) -> None:
        """Its transaction is committed."""
        self._answers, self.done = [answer], True

    def refuse(self, error: Exception, cause: Exception) -> None:
        """Nothing of it was written."""
        if error is not cause:
            error.__cause__ = cause
        self._error, self.done = error, True

    def outcome(self) -> T:
        """The answer.

        Raises:
            JournalError: if the disk refused.
        """
        if not self._answers:
            raise self._error or RuntimeError("asked before it was done")
        return self._answers[0]


@dataclass(slots=True, eq=False)
class Disk:
    """The journal of one folder, as one owner sees it.

    Attributes:
        home: the folder; an absolute path once it is open.
        queue: what is to be written next.
        commits: transactions committed so far.
    """

    home: Path
    queue: deque[Order[Any]] = field(default_factory=deque[Order[Any]])
    commits: int = 0
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _readers: deque[sqlite3.Connection] = field(default_factory=deque[sqlite3.Connection])
    _writer: sqlite3.Connection | None = None
    _checkpointer: sqlite3.Connection | None = None
    _unfolded: int = 0
    _life: Life | None = None
    _file: os.stat_result | None = None
    _process: int = 0
    _synchronous: str = "FULL"

    @property
    def path(self) -> Path:
        """The database."""
        return self.home / "journal.db"

    @property
    def _owners(self) -> Path:
        return self.home / "owners"

    def open(self) -> None:
        """Open the journal, made or migrated if need be, and begin to live as an owner.

        Raises:
            NewerJournalError: if a later version wrote it; nothing is changed.
            JournalError: if the folder or the file cannot be used.
        """
        with self._turn:
            self.home = self.home.absolute()
            try:
                self._open()
            except (OSError, sqlite3.Error) as error:
                raise refusal(error, self.home) from error

    def _open(self) -> None:
        self._process = os.getpid()
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _FIRST:
            refuse_foreign(self.path)
            self._owners.mkdir(mode=0o700, exist_ok=True)
            private_file(self.path)
            self._writer = connect(self.path, wait=LOCK_SECONDS)
            tune(self._writer, self.path)
        self._checkpointer = connect(self.path, wait=0)
        tune(self._checkpointer, self.path)
        self._writer.execute("BEGIN IMMEDIATE")
        refuse_newer(self._writer, self.path)
        migrate(self._writer)
        self._sweep(Rows(self._writer, self._owners, ""))
        self._life = begin(self._owners)
        self._writer.execute("COMMIT")
        self._file = self.path.stat()

    def _sweep(self, rows: Rows) -> None:
        for owner in owners(self._owners) | rows.owners() | rows.holders():
            if not rows.is_living(owner):
                rows.forget(owner)
                charge(rows, owner)
                bury(self._owners, owner)

    def close(self) -> None:
        """Give up every claim and end. A journal that was never quite opened may be closed too."""
        with self._turn:
            if self._process != os.getpid():
                return
            if self._writer and self._life:
                self._part(self._writer, self._life)
            while self._readers:
                self._readers.popleft().close()
            for connection in (self._checkpointer, self._writer):
                if connection:
                    connection.close()
            if self._life:
                self._life.end()
            self._writer = self._checkpointer = self._life = None

    def _part(self, writer: sqlite3.Connection, life: Life) -> None:
        """Write what is left, if the disk lets us: claims fall to others without it, a moment later."""
        writer.execute(f"PRAGMA busy_timeout = {CLOSING_LOCK_SECONDS * 1000:.0f}")
        me = life.owner
        self.queue.append(Order(lambda rows: rows.forget(me)))
        self._transact(list(self.queue))

    def commit(self) -> None:
        """Do what is queued, in one transaction. If that fails each order gets one of its own."""
        with self._turn:
            self._transact(self._batch())

    def _batch(self) -> list[Order[Any]]:
        batch: list[Order[Any]] = []
        chars = 0
        with contextlib.suppress(IndexError):
            while chars < BATCH_CHARS:
                batch.append(self.queue.popleft())
                chars += batch[-1].chars
        return batch

    def _transact(self, batch: list[Order[Any]]) -> None:
        if not batch:
            return
        try:
            rows = self._begin(lasting=any(order.lasting for order in batch))
        except Exception as error:
            self._refuse(batch, error)
            return
        try:
            answers = [order.act(rows) for order in batch]
            rows.connection.execute("COMMIT")
        except Exception as error:
            self._undo(rows.connection)
            self._retry(batch, error)
            return
        self.commits += 1
        for order, answer in zip(batch, answers, strict=True):
            order.fulfil(answer)
        self._unfolded += max(PAGE_CHARS, sum(order.chars for order in batch))
        self._checkpoint(rows.connection)

    def _begin(self, *, lasting: bool) -> Rows:
        writer, life = self._writer, self._life
        if not writer or not life:
            raise _closed()
        self._still_there()
        if self._synchronous != (wanted := "FULL" if lasting else "NORMAL"):
            writer.execute(f"PRAGMA synchronous = {wanted}")
            self._synchronous = wanted
        writer.execute("BEGIN IMMEDIATE")
        try:
            refuse_newer(writer, self.path)
        except BaseException:
            self._undo(writer)
            raise
        return Rows(writer, self._owners, life.owner)

    def _checkpoint(self, writer: sqlite3.Connection) -> None:
        """Fold the WAL into the database, while the lock for writing keeps every other commit away.

        SQLite before 3.51.3 can lose commits if one of them starts the WAL anew while a checkpoint is at it
        (https://sqlite.org/wal.html#walresetbug), and its automatic checkpoints run without that lock.
        """
        if not self._checkpointer or self._unfolded < CHECKPOINT_CHARS:
            return
        with contextlib.suppress(sqlite3.Error):
            writer.execute("BEGIN IMMEDIATE")
            self._checkpointer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._unfolded = 0
        self._undo(writer)

    def _still_there(self) -> None:
        """Writing to a file that was deleted succeeds, and is lost."""
        try:
            now = os.stat(self.path)  # noqa: PTH116  asked with every commit: half the price of a Path's
        except FileNotFoundError:
            now = None
        if not self._file or not now or not os.path.samestat(self._file, now):
            msg = f"{self.path} was removed or replaced while it was in use."
            raise JournalError(msg, field="home", remedy="Start fanfold again.")

    def _undo(self, writer: sqlite3.Connection) -> None:
        with contextlib.suppress(sqlite3.Error):
            if writer.in_transaction:
                writer.execute("ROLLBACK")

    def _retry(self, batch: list[Order[Any]], error: Exception) -> None:
        if len(batch) == 1:
            self._refuse(batch, error)
            return
        for order in batch:
            self._transact([order])

    def _refuse(self, batch: list[Order[Any]], error: Exception) -> None:
        for order in batch:
            order.refuse(refusal(error, self.home), error)
            if order.owed:
                self.queue.append(order)

    def read(self, look: Callable[[Rows], T]) -> T:
        """What a look at the journal shows, beside the writing.

        Raises:
            JournalError: if the disk refuses.
        """
        life = self._life
        if not life:
            raise _closed()
        try:
            reader = self._reader()
            try:
                return look(Rows(reader, self._owners, life.owner))
            finally:
                self._put_back(reader)
        except (OSError, sqlite3.Error) as error:
            raise refusal(error, self.home) from error

    def _reader(self) -> sqlite3.Connection:
        with contextlib.suppress(IndexError):
            return self._readers.popleft()
        reader = connect(self.path, wait=LOCK_SECONDS)
        reader.execute("PRAGMA query_only = ON")
        return reader

    def _put_back(self, reader: sqlite3.Connection) -> None:
        if self._life:
            self._readers.append(reader)
        else:
            reader.close()

    def check_process(self) -> None:
        """Raise JournalError in a fork, which shares the file's state but none of its locks."""
        if self._process not in {0, os.getpid()}:
            msg = "This journal was opened by the process that this one was forked from."
            raise JournalError(msg, field="journal", remedy="Open a journal after the fork.")


_FIRST = threading.Lock()
"""Held while a file may be created: closing its descriptor drops every lock of this process on it."""


def _closed() -> JournalError:
    return JournalError(
        "The journal is not open.", field="journal", remedy="Use it within `async with open_journal`."
    )
