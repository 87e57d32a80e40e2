"""What belongs to a run, how old it is, and how it goes: whole or not at all.

A run is all that bears its id: `runs/r-1f…`, its plan `plans/p-1f…` (dispatched or not), `roots/r-1f…`, that its
plan was approved, `approved/p-1f…` (another plan, or the same one made anew, is approved by nobody),
`lowered/r-1f…/…`, `lifted/r-1f…/…`, every key and account below `r-1f…/`, and the reports made of it, which are
those that `r-1f…/reports/s-…` or the lead's calls `r-1f…/calls/s-…` name. Reports that nobody names go by their own
age, and so do the accounts of days. All other keys (`pins/…` among them) stay.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .rows import Rows, within

Fate = Literal["removed", "at work", "in use", "unknown"]
"""at work: somebody living holds a claim or money of it. in use: something of it is too new. unknown: nothing."""

_NAMED = """
SELECT substr(key, 3, instr(key, '/') - 3) AS name, seq FROM entries
    WHERE key >= 'r-' AND key < 'r.' AND instr(key, '/') > 3
UNION ALL SELECT substr(key, 8), seq FROM entries WHERE key > 'runs/r-' AND key < 'runs/r.'
UNION ALL SELECT substr(key, 9), seq FROM entries WHERE key > 'plans/p-' AND key < 'plans/p.'
UNION ALL SELECT substr(key, 9), seq FROM entries WHERE key > 'roots/r-' AND key < 'roots/r.'
UNION ALL SELECT substr(key, 12), seq FROM entries WHERE key > 'approved/p-' AND key < 'approved/p.'
UNION ALL SELECT substr(key, 11, instr(substr(key, 11), '/') - 1), seq FROM entries
    WHERE key > 'lowered/r-' AND key < 'lowered/r.' AND instr(substr(key, 11), '/') > 1
UNION ALL SELECT substr(key, 10, instr(substr(key, 10), '/') - 1), seq FROM entries
    WHERE key > 'lifted/r-' AND key < 'lifted/r.' AND instr(substr(key, 10), '/') > 1
"""
# The index on keys answers this alone; of the rows themselves only the last of each run is fetched.
_RUNS = f"""
SELECT name, (SELECT at FROM entries WHERE seq = last), count
FROM (SELECT name, max(seq) AS last, count(*) AS count FROM ({_NAMED}) GROUP BY name)
ORDER BY 2, 1
"""  # noqa: S608
_REPORTS_OF_RUNS = """
SELECT substr(key, instr(key, '/') + 9) FROM entries
    WHERE key >= 'r-' AND key < 'r.' AND substr(key, instr(key, '/'), 11) = '/reports/s-'
UNION SELECT substr(key, instr(key, '/') + 7) FROM entries
    WHERE key >= 'r-' AND key < 'r.' AND substr(key, instr(key, '/'), 9) = '/calls/s-'
"""
_REPORTS = "SELECT key FROM entries WHERE key >= 'reports/' AND key < 'reports0' AND owner IS NULL AND at < ?"
_DAY = "day/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A run as it lies on disk.

    Attributes:
        run: its id, `r-…`; its plan may never have been dispatched.
        at: when something of it was last written, in seconds since the epoch.
        entries: how many there are of it.
    """

    run: str
    at: float
    entries: int


@dataclass(frozen=True, slots=True)
class Weight:
    """What a run takes up: bytes, and whether somebody living is at it."""

    bytes: int
    held: bool


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed: runs by id, and how many reports that no run names, and accounts of days."""

    runs: tuple[str, ...] = ()
    reports: int = 0
    days: int = 0


def kept(rows: Rows) -> list[Kept]:
    """Every run, the one that was left alone longest first."""
    return [Kept(f"r-{name}", at, count) for name, at, count in rows.connection.execute(_RUNS)]


def weighed(rows: Rows, run: str) -> Weight:
    """What all that belongs to a run takes up. Reads it all."""
    where, given = _all_of(rows, run)
    bytes_of = "total(length(CAST(key AS BLOB)) + ifnull(length(CAST(value AS BLOB)), 0))"
    query = f"SELECT {bytes_of} FROM entries WHERE {where}"  # noqa: S608
    total = int(rows.connection.execute(query, given).fetchone()[0])
    return Weight(total, _is_held(rows, run, where, given))


def remove_run(rows: Rows, run: str, before: float | None) -> Fate:
    """Remove all of a run, unless somebody living is at it or something of it is from after `before`."""
    where, given = _all_of(rows, run)
    if _is_held(rows, run, where, given):
        return "at work"
    last = rows.connection.execute(f"SELECT max(at) FROM entries WHERE {where}", given).fetchone()[0]  # noqa: S608
    if last is None:
        return "unknown"
    if before is not None and last >= before:
        return "in use"
    rows.connection.execute(f"DELETE FROM entries WHERE {where}", given)  # noqa: S608
    account, names = within(f"{run}/", "name")
    rows.connection.execute(f"DELETE FROM accounts WHERE name = ? OR {account}", [run, *names])  # noqa: S608
    return "removed"


def _is_held(rows: Rows, run: str, where: str, given: Sequence[str | int]) -> bool:
    claims = f"SELECT DISTINCT owner FROM entries WHERE owner IS NOT NULL AND ({where})"  # noqa: S608
    account, names = within(f"{run}/", "name")
    money = f"SELECT DISTINCT owner FROM accounts WHERE owner != '' AND (name = ? OR {account})"  # noqa: S608
    owners = [*rows.connection.execute(claims, given), *rows.connection.execute(money, [run, *names])]
    return any(rows.is_living(owner) for (owner,) in owners)


def _all_of(rows: Rows, run: str) -> tuple[str, list[str | int]]:
    """A condition for all keys of a run, and its values."""
    plan = f"p-{run.removeprefix('r-')}"
    exact: list[str | int] = [f"runs/{run}", f"plans/{plan}", f"approved/{plan}", f"roots/{run}"]
    exact += [f"reports/{report}" for report in _reports_of(rows, run)]
    ranges = [within(prefix) for prefix in (f"{run}/", f"lowered/{run}/", f"lifted/{run}/")]
    marks = ", ".join("?" * len(exact))
    where = " OR ".join([f"key IN ({marks})", *(f"({below})" for below, _ in ranges)])
    return f"({where})", exact + [bound for _, bounds in ranges for bound in bounds]


def _reports_of(rows: Rows, run: str) -> Iterator[str]:
    found = set[str]()
    for kind in ("reports", "calls"):
        where, given = within(f"{run}/{kind}/s-")
        for (key,) in rows.connection.execute(f"SELECT key FROM entries WHERE {where}", given):  # noqa: S608
            found.add(key.split("/")[2])
    return iter(sorted(found))


def loose_reports(rows: Rows, before: float) -> list[str]:
    """Keys of the reports from before that time that no run names."""
    named = {name.partition("/")[0] for (name,) in rows.connection.execute(_REPORTS_OF_RUNS)}
    old = [key for (key,) in rows.connection.execute(_REPORTS, (before,))]
    return [key for key in old if key.removeprefix("reports/") not in named]


def remove_reports(rows: Rows, keys: Iterable[str]) -> int:
    """Remove what is recorded under these keys; how many there were."""
    query = "DELETE FROM entries WHERE key = ? AND owner IS NULL"
    return sum(rows.connection.execute(query, (key,)).rowcount for key in keys)


def remove_days(rows: Rows, before: float) -> int:
    """Remove the accounts of days before the one of that time, unless somebody living holds money in them."""
    day = (
        datetime.fromtimestamp(max(before, 2 * DAY_SECONDS)).astimezone().date()
    )  # Windows knows no time before 1970
    first = f"day/{day.isoformat()}"
    query = "SELECT DISTINCT name, owner FROM accounts WHERE name >= 'day/' AND name < ? AND name GLOB ?"
    found = rows.connection.execute(query, (first, _DAY)).fetchall()
    held = {name for name, owner in found if owner and rows.is_living(owner)}
    gone = {name for name, _ in found} - held
    for name in gone:
        rows.connection.execute("DELETE FROM accounts WHERE name = ?", (name,))
    return len(gone)
