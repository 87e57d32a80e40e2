"""What the journal knows of one try at a subtask, read once: a worker that goes on does as it did."""

from dataclasses import dataclass, field
from typing import Self

from fanfold_workers.journal import Journal


@dataclass(slots=True)
class Past:
    """The journal's account of one try: replies, tool answers, and what was decided for lack of time or room.

    Attributes:
        journal: where it is kept.
        prefix: of its keys: `r-1f…/turns/s1/001/`.
        known: what stood there when it was read, by the rest of the key; see `keep`.
    """

    journal: Journal
    prefix: str
    known: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    async def read(cls, journal: Journal, key: str) -> Self:
        """Read it: nothing for a first try."""
        prefix = f"{key}/"
        entries = await journal.entries(prefix)
        return cls(journal, prefix, {entry.key.removeprefix(prefix): entry.value or "" for entry in entries})

    def holds(self, name: str) -> bool:
        """Whether there is anything of that name, or below it."""
        return any(known.startswith(name) for known in self.known)

    async def keep(self, name: str, value: str) -> None:
        """Record it, unless it is known."""
        if name not in self.known:
            await self.journal.record(self.prefix + name, value)
