"""The live view of a run: a few lines on stderr that are drawn anew in place and are gone when it ends."""

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import anyio
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .watched import Watched, clock

DRAW_SECONDS = 0.125
MOST_WORKERS = 8
WHO_CELLS = 24
AROUND = 6
"""Lines of a terminal that the view leaves to other things than workers."""


@asynccontextmanager
async def shown(watched: Watched) -> AsyncGenerator[None, None]:
    """Show the run for the length of the block."""
    console = Console(stderr=True, highlight=False, soft_wrap=False)
    with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as live:
        async with anyio.create_task_group() as group:
            group.start_soon(_draw, live, console, watched)
            yield
            group.cancel_scope.cancel()


async def _draw(live: Live, console: Console, watched: Watched) -> None:
    while True:
        live.update(view(watched, console.height), refresh=True)
        await anyio.sleep(DRAW_SECONDS)


def view(watched: Watched, height: int) -> Group:
    """The view, the same number of lines at every moment of a run, so that nothing jumps."""
    slots = max(1, min(MOST_WORKERS, watched.total, height - AROUND))
    return Group(
        _line(Text(watched.headline, style="bold")),
        _progress(watched),
        *_workers(watched, slots),
        _latest(watched),
    )


def _line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _progress(watched: Watched) -> Table:
    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(ratio=1, min_width=10)
    grid.add_column(no_wrap=True)
    left = f", {clock(watched.left)} left" if watched.left is not None else ""
    trouble = f", {watched.troubled} not ok" if watched.troubled else ""
    cost = f", ${watched.usd:.2f}" if watched.usd else ""
    figures = f"{watched.ended}/{watched.total}{trouble}{cost}  {clock(watched.seconds)}{left}"
    bar = ProgressBar(total=max(1, watched.total), completed=watched.ended, finished_style="green")
    grid.add_row(bar, Text(figures, style="cyan"))
    return grid


def _workers(watched: Watched, slots: int) -> Iterator[Text]:
    now = time.monotonic()
    working = list(watched.working.values())
    shown_ones = working if len(working) <= slots else working[: slots - 1]
    for title, began in shown_ones:
        yield _line(Text.assemble(("  > ", "green"), (f"{clock(now - began):>5}  ", "dim"), title))
    if more := len(working) - len(shown_ones):
        yield _line(Text(f"    and {more} more at work", style="dim"))
    for _ in range(slots - len(shown_ones) - bool(more)):
        yield Text("")


def _latest(watched: Watched) -> Text:
    if watched.ended >= watched.total:
        return Text("joining what was found", style="dim")
    if watched.latest is None:
        return Text("nothing found yet", style="dim")
    who = Text(watched.latest[0], style="yellow")
    who.truncate(WHO_CELLS, overflow="ellipsis")
    return _line(Text.assemble((f"found {watched.found:,}  ", "dim"), who, "  ", watched.latest[1]))
