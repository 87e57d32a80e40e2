"""The Journal on SQLite: one file that any number of processes share."""

from .home import default_home
from .sqlite import SqliteJournal, open_journal

__all__ = ["SqliteJournal", "default_home", "open_journal"]
