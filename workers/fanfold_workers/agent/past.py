"""What the journal knows of one try at a subtask, read once: a worker that goes on does as it did."""

from dataclasses import dataclass, field
from typing import Self

from fanfold_workers.journal import Journal
from fanfold_workers.work import Notes


@dataclass(slots=True)
class Past:
    """The journal's account of one try: replies, tool answers, and what was decided for lack of time or room.

    Attributes:
        journal: where it is kept.
        prefix: of the conversation's keys: `r-1f…/turns/s1/001/`. A later try may go on with it.
        own: of what is this try's alone: `r-1f…/closing/s1/002/`.
        known: what stood there when it was read, by the rest of the key; see `keep`.
    """

    journal: Journal
    prefix: str
    own: str
    known: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    async def read(cls, journal: Journal, notes: Notes) -> Self:
        """What is known of the try that these notes belong to; nothing for a first one."""
        past = cls(journal, f"{notes.key('turns')}/", f"{notes.key('closing')}/")
        if notes.begun:
            for prefix in (past.prefix, past.own):
                entries = await journal.entries(prefix)
                past.known |= {entry.key.removeprefix(prefix): entry.value or "" for entry in entries}
        return past

    def holds(self, name: str) -> bool:
        """Whether there is anything of that name, or below it."""
        return any(known.startswith(name) for known in self.known)

    async def keep(self, name: str, value: str, *, own: bool = False) -> None:
        """Record it, unless it is known; `own` if it binds this try alone."""
        if name not in self.known:
            await self.journal.record((self.own if own else self.prefix) + name, value)
