"""`fanfold prune`: removing runs, and giving back to the disk what they took."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from time import time

import anyio.to_thread

from fanfold_server.runs import plan_of, run_of
from fanfold_server.store import DAY_SECONDS, Kept, Pruned, SqliteJournal, compact, open_journal
from fanfold_workers.errors import InputError, UnknownNameError

from .outcome import Exit
from .terminal import one_line, put, say

TASK_CHARS = 60


@dataclass(frozen=True, slots=True)
class Doomed:
    """A run that is to go: which, the bytes that it takes up, and how its task begins."""

    kept: Kept
    bytes: int
    task: str

    def line(self) -> str:
        """What a person reads of it before it is gone."""
        return f"{self.kept.run}  {day_of(self.kept.at)}  {sized(self.bytes):>9}  {self.task}".rstrip()


async def prune_old(home: Path, days: float, *, dry_run: bool) -> int:
    """Remove what was left alone for so many days."""
    before = time() - days * DAY_SECONDS
    async with open_journal(home) as journal:
        old = [kept for kept in await journal.kept() if kept.at < before]
        doomed = [one for kept in old if (one := await _doomed(journal, kept))]
        if held := len(old) - len(doomed):
            say(f"{counted(held, 'run')} of that age stay: somebody is at work on them.")
        pruned = Pruned() if dry_run else await journal.prune(before)
    if dry_run:
        return _shown(doomed, "Would remove")
    others = [("report", pruned.reports), ("day's account", pruned.days)]
    _shown([one for one in doomed if one.kept.run in pruned.runs], "Removed", others)
    return await _compact(home)


async def prune_named(home: Path, named: Sequence[str], *, dry_run: bool) -> int:
    """Remove these runs, however old they are; none of them if one cannot be.

    Raises:
        UnknownNameError: if there is no such run.
        InputError: if somebody is at one of them.
    """
    async with open_journal(home) as journal:
        there = {kept.run: kept for kept in await journal.kept()}
        doomed = [await _named(journal, there, name) for name in dict.fromkeys(named)]
        if dry_run:
            return _shown(doomed, "Would remove")
        for one in doomed:
            if await journal.remove(one.kept) == "at work":
                raise _at_work(one.kept.run)
    _shown(doomed, "Removed")
    return await _compact(home)


async def _named(journal: SqliteJournal, there: dict[str, Kept], name: str) -> Doomed:
    run = run_of(name)
    if run not in there:
        msg = f"There is no run {one_line(name)[:80]}."
        raise UnknownNameError(msg, field="run_id")
    if not (one := await _doomed(journal, there[run])):
        raise _at_work(run)
    return one


def _at_work(run: str) -> InputError:
    msg = f"Somebody is at work on {run}."
    return InputError(msg, field="run_id", remedy="Let it end, or stop the process that is at it, then prune again.")


async def _doomed(journal: SqliteJournal, kept: Kept) -> Doomed | None:
    """The run as it is told of; None if somebody is at it."""
    weight = await journal.weighed(kept.run)
    plan = await journal.recall(f"plans/{plan_of(kept.run)}")
    task = str(json.loads(plan)["task"]["task"]) if plan else ""
    return None if weight.held else Doomed(kept, weight.bytes, one_line(task)[:TASK_CHARS])


def _shown(doomed: Sequence[Doomed], what: str, others: Sequence[tuple[str, int]] = ()) -> int:
    for one in doomed:
        put(one.line())
    more = "".join(f", {counted(count, name)}" for name, count in others if count)
    say(f"{what} {counted(len(doomed), 'run')}{more}: {sized(sum(one.bytes for one in doomed))}.")
    return Exit.complete


async def _compact(home: Path) -> int:
    done = await anyio.to_thread.run_sync(partial(compact, home))
    if done.why_not:
        say(f"{done.why_not} So journal.db keeps its {sized(done.after)}; new runs fill what is free in it.")
    else:
        say(f"journal.db takes {sized(done.after)}, before it took {sized(done.before)}.")
    return Exit.complete


def counted(count: int, what: str) -> str:
    """`1 run`, `1,200 runs`."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def sized(size: int) -> str:
    """`12 kB`, `3.4 MB`, `1.2 GB`."""
    for unit, worth in (("GB", 1e9), ("MB", 1e6)):
        if size >= worth:
            return f"{size / worth:,.1f} {unit}"
    return f"{(size + 999) // 1_000} kB"


def day_of(at: float) -> str:
    """The day of a time since the epoch, by the local calendar."""
    return datetime.fromtimestamp(at).astimezone().date().isoformat()
