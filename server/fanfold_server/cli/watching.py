"""What a person sees of a run while it goes on: quiet lines, or a live view where stderr is a terminal."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fanfold_server.dispatch.events import Event
from fanfold_server.records import Run

from .terminal import is_lively, one_line, say
from .watched import Watched

HEADLINE_CHARS = 120
STEPS = 10
"""How many lines a run may say on its way where there is no terminal."""


@dataclass(slots=True)
class QuietlyWatched(Watched):
    """Says a line on stderr at each tenth of the way."""

    def __post_init__(self) -> None:
        kept = f" {self.ended} of them done before." if self.ended else ""
        many = "subtask" if self.total == 1 else "subtasks"
        say(f"run {self.run}: {self.total} {many}.{kept} {self.headline[:HEADLINE_CHARS]}")

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
