"""How one process knows whether another lives: by the lock each holds on a file of its own.

The operating system drops the lock when its holder dies, however it dies, and a process id that is used again
means nothing. The lock is SQLite's own, which unlike a bare one keeps account inside a process too: two journals
opened by one process are two owners. A file is born and buried within a write transaction of the journal, so that
nobody takes it for dead between its creation and its lock.
"""

import contextlib
import os
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from .home import connect, primary_code, private_file

_OWNER = re.compile(r"[0-9]+-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Life:
    """One opening of a journal: an owner of claims, living until `end` or the death of its process.

    Attributes:
        owner: `<process id>-<random>`; the process id is only for people to read.
        folder: where the files of all owners are.
    """

    owner: str
    folder: Path
    _lock: sqlite3.Connection

    def end(self) -> None:
        """Let go of the lock and remove its file."""
        self._lock.close()
        bury(self.folder, self.owner)


def begin(folder: Path) -> Life:
    """A new owner, living from now on. Call it within a write transaction of the journal.

    Raises:
        OSError: if its file cannot be made.
        sqlite3.Error: if it cannot be locked.
    """
    owner = f"{os.getpid()}-{uuid4().hex}"
    path = _file(folder, owner)
    private_file(path)
    lock = connect(path, wait=1)
    try:
        _take(lock)
    except BaseException:
        lock.close()
        raise
    return Life(owner, folder, lock)


def is_living(folder: Path, owner: str) -> bool:
    """Whether the owner holds its lock. Whenever that cannot be told, it does."""
    path = _file(folder, owner)
    try:
        lock = connect(path, wait=0)
    except sqlite3.OperationalError:
        return path.exists()
    try:
        _take(lock)
    except sqlite3.OperationalError as error:
        return primary_code(error) != sqlite3.SQLITE_CANTOPEN or path.exists()
    except sqlite3.DatabaseError:
        return False
    else:
        return False
    finally:
        lock.close()


def owners(folder: Path) -> set[str]:
    """Everybody who has a file, living or dead."""
    return {path.stem for path in folder.glob("*.db") if _OWNER.fullmatch(path.stem)}


def bury(folder: Path, owner: str) -> None:
    """Remove a dead owner's file; one that Windows holds open is left for the next sweep."""
    with contextlib.suppress(OSError):
        _file(folder, owner).unlink()


def _take(lock: sqlite3.Connection) -> None:
    lock.execute("PRAGMA journal_mode = MEMORY")  # Or it would leave a rollback journal behind when killed.
    lock.execute("BEGIN EXCLUSIVE")


def _file(folder: Path, owner: str) -> Path:
    return folder / f"{owner}.db"
