"""The journal's tables, and how an older file becomes one of today's."""

import sqlite3
import time
from pathlib import Path

from fanfold_workers.errors import JournalError, NewerJournalError

from .home import connect, primary_code

APPLICATION_ID = 0x66616E66
"""`fanf` in the file's header: what tells a journal from another program's database."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # `seq` is the order of writing; a row without a value is a claim. The value stands last, so that reading
        # the rest of a row never fetches it.
        """CREATE TABLE entries (
            seq INTEGER PRIMARY KEY,
            key TEXT NOT NULL UNIQUE,
            at REAL NOT NULL,
            owner TEXT,
            token TEXT,
            value TEXT
        )""",
        "CREATE INDEX claims ON entries (owner) WHERE owner IS NOT NULL",
    ),
    (
        # What an account has spent stands in its row without an owner, what a process holds in a row of its own.
        """CREATE TABLE accounts (
            name TEXT NOT NULL,
            owner TEXT NOT NULL,
            micros INTEGER NOT NULL,
            tokens INTEGER NOT NULL,
            calls INTEGER NOT NULL,
            PRIMARY KEY (name, owner)
        ) WITHOUT ROWID""",
    ),
)
"""Statements that lead from each version to the next. Never change one that was released: add one."""

VERSION = len(MIGRATIONS)
WAL_SECONDS = 30.0
WAL_KEPT_BYTES = 64 * 1024 * 1024


def refuse_foreign(path: Path) -> None:
    """Look at the file without changing a byte of it or leaving one beside it.

    Raises:
        NewerJournalError: if a later version wrote it.
        JournalError: if it is another program's database.
        sqlite3.DatabaseError: if it is no database.
    """
    if not path.exists() or not path.stat().st_size:
        return
    # The last connection that may write folds the WAL into the file; the last of any kind removes one it made.
    beside = path.with_name(f"{path.name}-wal").exists()
    connection = connect(path, wait=WAL_SECONDS, mode="ro" if beside else "rw")
    try:
        refuse_newer(connection, path)
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    finally:
        connection.close()
    if application != APPLICATION_ID and (application or tables):
        msg = f"{path} is the database of another program."
        raise JournalError(msg, field="home", remedy="Set FANFOLD_HOME to a folder of its own.")


def refuse_newer(connection: sqlite3.Connection, path: Path) -> None:
    """Raise NewerJournalError if a later version wrote the journal."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        msg = f"{path} has version {version}; this fanfold knows versions up to {VERSION}."
        raise NewerJournalError(msg, field="home", remedy="Upgrade fanfold, or set FANFOLD_HOME to another folder.")


def tune(connection: sqlite3.Connection, path: Path) -> None:
    """Make it a journal that several processes can share, durable at each commit; checkpoints are left to the caller.

    Raises:
        JournalError: if the file system cannot hold one.
    """
    if _to_wal(connection) != "wal":
        msg = f"The file system of {path} cannot hold a shared journal."
        raise JournalError(msg, field="home", remedy="Set FANFOLD_HOME to a folder on a local disk.")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")


def _to_wal(connection: sqlite3.Connection) -> str:
    """The journal mode reached. SQLite does not wait for this lock by itself, whatever its timeout."""
    deadline = time.monotonic() + WAL_SECONDS
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to VERSION. Call it within a write transaction."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    if version < VERSION:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
