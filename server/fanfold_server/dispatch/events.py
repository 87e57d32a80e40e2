"""What a run tells those who watch it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from fanfold_workers.contract import Finding, Status

Kind = Literal["started", "turn", "tool", "found", "spent", "ended"]
STEPS = frozenset[Kind]({"turn", "tool"})
"""What only says that somebody is still at it."""
LINE_CHARS = 180


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a subtask.

    Attributes:
        kind: started; turn (its worker asks its model); tool (it calls a tool); found (findings were noted); spent
            (what its worker cost); ended.
        subtask: its id.
        title: its title.
        note: which turn or tool, the latest finding's claim, or the reason for the end.
        status: how it ended, for `ended`.
        ended, total: subtasks of the run that have ended, and all of them.
        usd: what the subtasks that have ended have cost, in US dollars.
        findings: those just noted, for `found`; all of its Result, for `ended`.
    """

    kind: Kind
    subtask: str
    title: str
    note: str
    status: Status | None
    ended: int
    total: int
    usd: float = 0.0
    findings: tuple[Finding, ...] = field(default=(), compare=False, repr=False)

    def line(self) -> str:
        """One line of at most 180 characters: done/total, what it has cost so far, who, what."""
        what = self.status if self.status else self.kind
        cost = f", ${self.usd:.2f}" if self.usd else ""
        note = f" - {self.note}" if self.note else ""
        return " ".join(f"{self.ended}/{self.total}{cost} {self.title[:60]}: {what}{note}".split())[:LINE_CHARS]


Told = Callable[[Event], None]
