"""A run as its events tell of it, for whatever shows it to a person."""

import time
from dataclasses import dataclass, field

from fanfold_server.dispatch.events import STEPS, Event

from .terminal import one_line


@dataclass(slots=True)
class Watched:
    """A run as its events tell of it.

    Attributes:
        run: its id.
        headline: what it is about.
        ended, total: subtasks.
        kept: of those, how many had ended before.
        started: how many were begun here; somebody else may be at the same run.
        working: title with the latest step, and start, of each subtask that somebody here is at, by id.
        latest: the latest finding's claim, and who has it.
        found: findings noted by those who are at it here.
        troubled: how many ended otherwise than ok.
        usd: what those that have ended have cost, in US dollars.
        began: when the watching began, on `time.monotonic`.
    """

    run: str
    headline: str
    ended: int
    total: int
    kept: int = 0
    started: int = 0
    working: dict[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])
    latest: tuple[str, str] | None = None
    found: int = 0
    troubled: int = 0
    usd: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def told(self, event: Event) -> None:
        """Take an event in."""
        self.ended, self.usd = event.ended, event.usd
        if event.kind == "started":
            self.started += 1
            self.working[event.subtask] = (one_line(event.title), time.monotonic())
        elif event.kind == "found":
            self.latest = (one_line(event.title), one_line(event.note))
            self.found += len(event.findings)
        elif event.kind == "ended":
            self.working.pop(event.subtask, None)
            self.troubled += event.status != "ok"
        elif event.kind in STEPS and event.subtask in self.working:
            title, began = one_line(event.title), self.working[event.subtask][1]
            self.working[event.subtask] = (f"{title}: {one_line(event.note)}", began)

    @property
    def seconds(self) -> float:
        """Since the watching began."""
        return time.monotonic() - self.began

    @property
    def left(self) -> float | None:
        """Seconds it will still take at the pace so far; None while that says little."""
        done = self.ended - self.kept
        if done < 3 or self.seconds < 2:
            return None
        return self.seconds / done * (self.total - self.ended)


def clock(seconds: float) -> str:
    """`0:07`, `12:34`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
