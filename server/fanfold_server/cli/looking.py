"""`fanfold runs` and `fanfold show`: what the journal holds."""

import json
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

from fanfold_server.records import Plan, Run, RunState
from fanfold_server.refs import DEFAULT_PAGE_CHARS, MAX_PAGE_CHARS, Page, Refs
from fanfold_server.runs import Runs
from fanfold_server.settings import Settings
from fanfold_server.store import open_journal
from fanfold_workers.contract import Status
from fanfold_workers.rules import RulesWorker
from fanfold_workers.tools.catalog import shipped

from .terminal import one_line, put, put_paged, put_styled, say

PIPED_COLUMNS = 200
"""Width of a table that no terminal limits."""
COLUMNS = ("when", "run", "state", "ended")
GAP = 2
LEAST_TASK_COLUMNS = 20


COLORS = {RunState.done: "green", RunState.running: "cyan", RunState.waiting: "yellow", RunState.interrupted: "red"}


@dataclass(frozen=True, slots=True)
class Look:
    """What to show.

    Attributes:
        ref: of what.
        find: only where this text occurs, if not "".
        offset: begin at this character.
        limit: at most so many characters; None for all.
        as_json: as JSON.
    """

    ref: str
    find: str = ""
    offset: int = 0
    limit: int | None = None
    as_json: bool = False


@asynccontextmanager
async def stored(settings: Settings) -> AsyncGenerator[Refs, None]:
    """Everything that is stored, for reading."""
    async with open_journal(settings.home) as journal:
        yield Refs(Runs(journal, RulesWorker(shipped(), {})))


async def runs(settings: Settings, limit: int) -> int:
    """Print the table of the latest runs."""
    async with stored(settings) as refs:
        recent = await refs.recent(limit)
    if recent:
        put_styled(_table(recent))
    else:
        say('No runs yet. Begin with: fanfold run "…" --root DIR')
    return 0


async def show(settings: Settings, look: Look) -> int:
    """Print a stored text, or the part of it that is wanted."""
    async with stored(settings) as refs:
        if look.as_json:
            put(await _json(refs, look))
            return 0
        if not (look.find or look.offset or look.limit):
            put_paged(await refs.text(look.ref))
            return 0
        page = await refs.read(look.ref, look.offset, look.limit or _rest(look), look.find)
    put(page.text)
    if page.next_offset is not None:
        found = f"{page.matches} matches; " if page.matches is not None else ""
        say(f"{found}go on with --offset {page.next_offset}")
    return 0


def _rest(look: Look) -> int:
    return DEFAULT_PAGE_CHARS if look.find else MAX_PAGE_CHARS


async def _json(refs: Refs, look: Look) -> str:
    """The record itself for a report, a plan or a run; else a page."""
    whole = not (look.find or look.offset or look.limit or "/" in look.ref)
    if whole and look.ref.startswith("s-"):
        return await refs.text(f"{look.ref}/json")
    if whole and look.ref.startswith(("p-", "r-")):
        plan = await refs.runs.plan(look.ref)
        record = plan if look.ref.startswith("p-") else await refs.runs.view(plan)
        return record.model_dump_json(indent=1)
    if look.find or look.offset or look.limit:
        page = await refs.read(look.ref, look.offset, look.limit or _rest(look), look.find)
    else:
        text = await refs.text(look.ref)
        page = Page(look.ref, text, 0, len(text), None)
    return json.dumps(asdict(page), indent=1)


def _table(recent: list[tuple[float, Plan, Run]]) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    on_terminal = sys.stdout.isatty()
    columns = shutil.get_terminal_size().columns if on_terminal else PIPED_COLUMNS
    rows = [(_when(at), run.id, str(run.state), _progress(run)) for at, _, run in recent]
    widths = [max(len(name), *(len(row[n]) for row in rows)) for n, name in enumerate(COLUMNS)]
    left = max(LEAST_TASK_COLUMNS, columns - sum(widths) - GAP * len(widths))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold" if on_terminal else "")
    for name in (*COLUMNS, "task"):
        table.add_column(name, no_wrap=True)
    for (when, run_id, state, progress), (_, plan, run) in zip(rows, recent, strict=True):
        task = Text(one_line(plan.task.task))
        task.truncate(left, overflow="ellipsis")
        table.add_row(when, run_id, Text(state, style=COLORS[run.state]), progress, task)
    console = Console(width=sum(widths) + GAP * len(widths) + left, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _progress(run: Run) -> str:
    others = [f"{count} {status}" for status, count in run.counts.items() if status is not Status.ok]
    cost = [f"${run.usd:.2f}"] if run.usd else []
    return ", ".join([f"{run.ended}/{run.total}", *others, *cost])


def _when(at: float) -> str:
    then, now = datetime.fromtimestamp(at).astimezone(), datetime.now().astimezone()
    return then.strftime("%H:%M" if then.date() == now.date() else "%Y-%m-%d %H:%M")
