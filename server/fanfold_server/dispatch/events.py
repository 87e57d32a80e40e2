"""What a run tells those who watch it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from fanfold_workers.contract import Finding, Status

Kind = Literal["started", "found", "ended"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a subtask.

    Attributes:
        kind: started; found (findings were noted); ended.
        subtask: its id.
        title: its title.
        note: the latest finding's claim, or the reason for the end.
        status: how it ended, for `ended`.
        ended, total: subtasks of the run that have ended, and all of them.
        findings: those just noted, for `found`; all of its Result, for `ended`.
    """

    kind: Kind
    subtask: str
    title: str
    note: str
    status: Status | None
    ended: int
    total: int
    findings: tuple[Finding, ...] = field(default=(), compare=False, repr=False)

    def line(self) -> str:
        """One line of at most 180 characters: done/total, who, what."""
        what = self.status if self.status else "started" if self.kind == "started" else "found"
        text = f"{self.ended}/{self.total} {self.title[:60]}: {what}" + (f" - {self.note}" if self.note else "")
        return " ".join(text.split())[:180]


Told = Callable[[Event], None]
