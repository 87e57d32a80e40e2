"""The Journal on SQLite: one file that any number of processes share."""

from .compacting import Compacted, compact
from .home import on_disk
from .pruning import DAY_SECONDS, Fate, Kept, Pruned, Weight
from .retention import upkeep
from .sqlite import SqliteJournal, open_journal
from .without_text import WithoutText

__all__ = [
    "DAY_SECONDS",
    "Compacted",
    "Fate",
    "Kept",
    "Pruned",
    "SqliteJournal",
    "Weight",
    "WithoutText",
    "compact",
    "on_disk",
    "open_journal",
    "upkeep",
]
