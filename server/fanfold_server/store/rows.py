"""What the journal's methods are in SQL. All of it blocks, and the writing runs inside somebody's transaction."""

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from time import time

from fanfold_workers.journal import Busy, Claim, Done, Entry, Mine

from .owner import is_living

_SELECT = "SELECT key, {value}, at FROM entries"
_VALUE = "value"
_NO_VALUE = "CASE WHEN owner IS NULL THEN '' END"


@dataclass(slots=True)
class Rows:
    """The entries, as the owner `me` sees them; valid for one transaction or one look.

    Attributes:
        connection: to the journal.
        folder: where the owners' files are.
        me: who is asking.
    """

    connection: sqlite3.Connection
    folder: Path
    me: str
    _living: dict[str, bool] = field(default_factory=dict[str, bool])

    def claim(self, key: str, token: str, past: str = "") -> Claim:
        """Done, Busy, or the key taken for the token; see Journal.claim."""
        row = self.connection.execute("SELECT value, owner FROM entries WHERE key = ?", (key,)).fetchone()
        if row and row[0] is not None:
            return Done(row[0])
        if row and self.is_living(row[1]):
            return Busy(row[1])
        if row:
            self.forget(row[1])
        self.connection.execute(
            "INSERT INTO entries (key, at, owner, token) VALUES (?, ?, ?, ?)", (key, time(), self.me, token)
        )
        return Mine(key, token, not past or self._any(past))

    def _any(self, prefix: str) -> bool:
        where, given = within(prefix)
        return bool(self.connection.execute(f"SELECT 1 FROM entries WHERE {where} LIMIT 1", given).fetchone())  # noqa: S608

    def release(self, mine: Mine) -> None:
        """Drop the claim if it is still held."""
        self.connection.execute("DELETE FROM entries WHERE key = ? AND token = ?", (mine.key, mine.token))

    def record(self, key: str, value: str) -> bool:
        """Put the value in place of any claim; False if there was one before."""
        self.connection.execute("DELETE FROM entries WHERE key = ? AND owner IS NOT NULL", (key,))
        written = self.connection.execute(
            "INSERT OR IGNORE INTO entries (key, at, value) VALUES (?, ?, ?)", (key, time(), value)
        )
        return written.rowcount == 1

    def recall(self, key: str) -> str | None:
        """The recorded value."""
        row = self.connection.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def entries(self, prefix: str, newest: int | None, *, keys_only: bool) -> list[Entry]:
        """See Journal.entries."""
        select = _SELECT.format(value=_NO_VALUE if keys_only else _VALUE)
        dead = sorted(owner for owner in self.owners() if not self.is_living(owner))
        where, given = within(prefix)
        where += f" AND (owner IS NULL OR owner NOT IN ({', '.join('?' * len(dead))}))"
        given += dead
        if newest is None:
            query = f"{select} WHERE {where} ORDER BY key"
        else:
            chosen = f"SELECT seq FROM entries WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608
            query = f"{select} WHERE seq IN ({chosen}) ORDER BY seq DESC"
            given.append(max(newest, 0))
        return [Entry(*row) for row in self.connection.execute(query, given)]

    def owners(self) -> set[str]:
        """Everybody who holds a claim."""
        return {
            row[0] for row in self.connection.execute("SELECT DISTINCT owner FROM entries WHERE owner IS NOT NULL")
        }

    def holders(self) -> set[str]:
        """Everybody who holds money."""
        return {row[0] for row in self.connection.execute("SELECT DISTINCT owner FROM accounts WHERE owner != ''")}

    def is_living(self, owner: str) -> bool:
        """Whether the owner lives, looked up once."""
        if owner not in self._living:
            self._living[owner] = owner == self.me or is_living(self.folder, owner)
        return self._living[owner]

    def forget(self, owner: str) -> None:
        """Drop all claims of an owner."""
        self.connection.execute("DELETE FROM entries WHERE owner = ?", (owner,))


def within(prefix: str, column: str = "key") -> tuple[str, list[str | int]]:
    """A condition for the keys (or another column) that begin with the prefix, and its values.

    A range of keys, unlike LIKE and GLOB, has no wildcards and is found by the index.
    """
    end = _after(prefix)
    return (f"{column} >= ? AND {column} < ?", [prefix, end]) if end else (f"{column} >= ?", [prefix])


def _after(prefix: str) -> str:
    """The least text above every text with the prefix, in the order of code points; "" if there is none."""
    head = prefix.rstrip("\U0010ffff")
    if not head:
        return ""
    follower = ord(head[-1]) + 1
    return head[:-1] + chr(0xE000 if follower == 0xD800 else follower)
