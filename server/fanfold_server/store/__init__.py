"""The Journal on SQLite: one file that any number of processes share."""

from .sqlite import SqliteJournal, open_journal

__all__ = ["SqliteJournal", "open_journal"]
