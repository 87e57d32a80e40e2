"""What a person sees of a run while it goes on: quiet lines, or a live view where stderr is a terminal."""

import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fanfold_server.dispatch.events import Event
from fanfold_server.records import Run

from .terminal import is_lively, one_line, say

HEADLINE_CHARS = 120
STEPS = 10
"""How many lines a run may say on its way where there is no terminal."""


@dataclass(slots=True)
class Watched:
    """A run as its events tell of it.

    Attributes:
        run: its id.
        headline: what it is about.
        ended, total: subtasks.
        kept: of those, how many had ended before.
        started: how many were begun here; somebody else may be at the same run.
        working: title and start of each subtask that somebody here is at, by id.
        latest: the latest finding's claim, and who has it.
        found: findings noted by those who are at it here.
        troubled: how many ended otherwise than ok.
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
    began: float = field(default_factory=time.monotonic)

    def told(self, event: Event) -> None:
        """Take an event in."""
        self.ended = event.ended
        if event.kind == "started":
            self.started += 1
            self.working[event.subtask] = (one_line(event.title), time.monotonic())
        elif event.kind == "found":
            self.latest = (one_line(event.title), one_line(event.note))
            self.found += len(event.findings)
        else:
            self.working.pop(event.subtask, None)
            self.troubled += event.status != "ok"

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


@dataclass(slots=True)
class QuietlyWatched(Watched):
    """Says a line on stderr at each tenth of the way."""

    def __post_init__(self) -> None:
        kept = f" {self.ended} of them done before." if self.ended else ""
        say(f"run {self.run}: {self.total} subtasks.{kept} {self.headline[:HEADLINE_CHARS]}")

    def told(self, event: Event) -> None:
        """Take an event in."""
        before = self._step()
        Watched.told(self, event)
        if self._step() > before:
            say(f"{self.ended}/{self.total} after {self.seconds:.0f} s")

    def _step(self) -> int:
        return STEPS * self.ended // max(1, self.total)


@asynccontextmanager
async def watching(run: Run, headline: str) -> AsyncGenerator[Watched, None]:
    """Watch a run from now until the end of the block: hand the events to what it gives."""
    kind = Watched if is_lively(sys.stderr) else QuietlyWatched
    watched = kind(run.id, one_line(headline), run.ended, run.total, kept=run.ended)
    if isinstance(watched, QuietlyWatched):
        yield watched
        return
    from .live import shown

    async with shown(watched):
        yield watched


def clock(seconds: float) -> str:
    """`0:07`, `12:34`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
