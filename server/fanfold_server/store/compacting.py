"""Giving back to the disk what pruning has freed, while nobody else has the journal open."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from .home import connect, on_disk, primary_code, refusal


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compacting came to.

    Attributes:
        before, after: bytes on disk.
        why_not: why the file was left as it is; "" if it was compacted.
    """

    before: int
    after: int
    why_not: str = ""


def compact(home: Path) -> Compacted:
    """Write the journal anew without its empty pages. Close it first; blocks, and takes as much free disk again.

    Leaving WAL mode takes the file for itself or fails, whoever else has it open, in whatever program: so no WAL is
    started anew beside a checkpoint (see Disk), and who opens the journal meanwhile waits. A kill in the middle
    leaves a rollback journal, which the next opening plays back.
    """
    before = on_disk(home)
    try:
        _rewrite(home / "journal.db")
    except (OSError, sqlite3.Error) as error:
        return Compacted(before, on_disk(home), _why(error, home))
    return Compacted(before, on_disk(home))


def _rewrite(path: Path) -> None:
    connection = connect(path, wait=0)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        connection.execute("VACUUM")
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
    finally:
        connection.close()


def _why(error: Exception, home: Path) -> str:
    if isinstance(error, sqlite3.Error) and primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return "Another process has the journal open."
    return str(refusal(error, home))
