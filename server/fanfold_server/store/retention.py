"""Old runs go by themselves, once a day, beside whatever else a process is doing."""

import logging
from pathlib import Path
from time import time

import anyio
import anyio.to_thread

from fanfold_workers.journal import Mine

from .pruning import DAY_SECONDS
from .sqlite import open_journal

KEY = "upkeep/pruning"
"""Claimed while somebody prunes by himself; never recorded."""
STAMP = "pruned"
"""The file whose time says when that was last done."""
SETTLING_SECONDS = 30.0
"""Whoever goes on with an old run has claimed it by then."""


async def upkeep(home: Path, days: float, *, after: float | None = None) -> None:
    """Remove what was left alone for so many days, unless that was done within the last day or somebody is at it.

    It begins `after` so many seconds, SETTLING_SECONDS if nobody says. It has an opening of the journal of its own,
    and never fails: what does not go today goes tomorrow.
    """
    await anyio.sleep(SETTLING_SECONDS if after is None else after)
    try:
        if await anyio.to_thread.run_sync(_is_due, home):
            await _pruned(home, days)
    except Exception as error:  # whoever works here has nothing to do with it
        logging.getLogger(__name__).info("old runs were not removed: %s", error)


async def _pruned(home: Path, days: float) -> None:
    async with open_journal(home) as journal:
        mine = await journal.claim(KEY)
        if not isinstance(mine, Mine):
            return
        try:
            if await anyio.to_thread.run_sync(_is_due, home):
                await journal.prune(time() - days * DAY_SECONDS)
                await anyio.to_thread.run_sync(_stamp, home)
        finally:
            await journal.release(mine)


def _is_due(home: Path) -> bool:
    try:
        return not 0 <= time() - (home / STAMP).stat().st_mtime < DAY_SECONDS
    except FileNotFoundError:
        return True


def _stamp(home: Path) -> None:
    (home / STAMP).touch(mode=0o600)
