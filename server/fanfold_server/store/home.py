"""Where the journal lives, and what a disk's refusals mean to a person."""

import errno
import os
import sqlite3
from pathlib import Path

from fanfold_workers.errors import JournalError

ELSEWHERE = "Set FANFOLD_HOME to a folder on a local disk that you can write to."
FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def private_file(path: Path) -> None:
    """Make an empty file that only its owner can read, unless something of that name exists.

    Closing a descriptor drops every lock this process has on the file, so nobody may have it open yet.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return


def on_disk(home: Path) -> int:
    """Bytes that the journal takes up on disk, with the log beside it; 0 if there is none."""
    files = (home / f"journal.db{end}" for end in ("", "-wal", "-shm"))
    return sum(file.stat().st_size for file in files if file.exists())


def connect(path: Path, *, wait: float, mode: str = "rw") -> sqlite3.Connection:
    """A connection to an existing file, in autocommit, usable from any thread; `wait` seconds for a lock."""
    uri = f"{path.as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=wait, isolation_level=None, check_same_thread=False)


def refusal(error: Exception, home: Path) -> Exception:
    """The JournalError for what a disk or SQLite refused; any other exception as it is."""
    if isinstance(error, sqlite3.Error):
        return _sqlite_refusal(error, home)
    return _system_refusal(error, home) if isinstance(error, OSError) else error


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for errors of the Python module itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _sqlite_refusal(error: sqlite3.Error, home: Path) -> JournalError:
    code = primary_code(error)
    if code == sqlite3.SQLITE_FULL:
        return _full(home)
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        msg = f"Another process has kept the journal in {home} locked for too long."
        return JournalError(msg, field="home", remedy="End that process if it hangs, then try again.")
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        msg = f"journal.db in {home} is no journal, or is damaged."
        return JournalError(msg, field="home", remedy="Move that file aside, or set FANFOLD_HOME to another folder.")
    if code == sqlite3.SQLITE_TOOBIG:
        return JournalError("The text is over 1 GB.", field="value", remedy="Record it in parts.")
    msg = f"The journal in {home} cannot be read or written: {error}."
    return JournalError(msg, field="home", remedy=ELSEWHERE)


def _system_refusal(error: OSError, home: Path) -> JournalError:
    if error.errno in FULL_DISK:
        return _full(home)
    msg = f"{home} cannot hold a journal: {error.strerror or error}."
    return JournalError(msg, field="home", remedy=ELSEWHERE)


def _full(home: Path) -> JournalError:
    msg = f"The disk that holds {home} is full."
    return JournalError(msg, field="home", remedy="Free some space and try again; what was recorded is safe.")
