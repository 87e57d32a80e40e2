"""`fanfold runs` and `fanfold show`: what the journal holds."""

import json
import shutil
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

from fanfold_server.approving import Thresholds
from fanfold_server.history import calibration, fit
from fanfold_server.planning.observed import Past
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
STATE, ENDED = 2, 3
"""Of the columns, where those two stand."""
GAP = 2
LEAST_TASK_COLUMNS, LEAST_ENDED_COLUMNS = 12, 7

Recent = Sequence[tuple[float, Plan, Run]]
"""When each began, its plan, and how it stands."""

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
        thresholds = Thresholds(settings.approve_above_usd, settings.approve_above_workers)
        yield Refs(Runs(journal, RulesWorker(shipped(), {})), thresholds)


async def runs(settings: Settings, limit: int) -> int:
    """Print the table of the latest runs."""
    async with stored(settings) as refs:
        recent = await refs.recent(limit)
        pasts = await refs.measured(recent)
    if recent:
        put_styled(_table(recent, pasts))
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


def _table(recent: Recent, pasts: Mapping[str, Past]) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    on_terminal = sys.stdout.isatty()
    columns = shutil.get_terminal_size().columns if on_terminal else PIPED_COLUMNS
    names, rows = _cells(recent, pasts)
    widths = _widths(names, rows, columns)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold" if on_terminal else "")
    for name, width in zip(names, widths, strict=True):
        table.add_column(name, no_wrap=True, width=width)
    for row, (_, _, run) in zip(rows, recent, strict=True):
        cells = [Text(cell) for cell in row]
        cells[STATE].stylize(COLORS[run.state])
        for cell, width in zip(cells, widths, strict=True):
            cell.truncate(width, overflow="ellipsis")
        table.add_row(*cells)
    console = Console(width=sum(widths) + GAP * len(widths), highlight=False)
    with console.capture() as captured:
        console.print(table)
    told = calibration((plan.estimate, pasts.get(run.id)) for _, plan, run in recent).line()
    return "\n".join([*(line.rstrip() for line in captured.get().splitlines()), *([told] if told else [])])


def _cells(recent: Recent, pasts: Mapping[str, Past]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The names of the columns and the rows; what runs cost only where one has cost something."""
    paid = any(run.usd for _, _, run in recent)
    names = ("when", "run", "state", "ended", *(("cost (p50-p90)",) if paid else ()), "task")
    rows = [
        (
            _when(at),
            run.id,
            str(run.state),
            _progress(run),
            *((_cost(plan, run, pasts.get(run.id)),) if paid else ()),
            one_line(plan.task.task),
        )
        for at, plan, run in recent
    ]
    return names, rows


def _widths(names: Sequence[str], rows: Sequence[Sequence[str]], columns: int) -> list[int]:
    """How wide each column is: the task gets what is left, and what has ended gives way to it."""
    *widths, task = [max(len(name), *(len(row[n]) for row in rows)) for n, name in enumerate(names)]
    left = columns - sum(widths) - GAP * len(names)
    short = max(0, LEAST_TASK_COLUMNS - left)
    given = min(short, max(0, widths[ENDED] - LEAST_ENDED_COLUMNS))
    widths[ENDED] -= given
    return [*widths, min(task, max(LEAST_TASK_COLUMNS, left + given))]


def _progress(run: Run) -> str:
    others = [f"{count} {status}" for status, count in run.counts.items() if status is not Status.ok]
    return ", ".join([f"{run.ended}/{run.total}", *others])


def _cost(plan: Plan, run: Run, past: Past | None) -> str:
    """What a run has cost, p50 and p90 of its estimate, and how the two agree: `$0.42 ($0.35-0.90) in`."""
    if not run.usd:
        return ""
    e = plan.estimate
    estimated = f" (${_dollars(e.usd_mid)}-{_dollars(e.usd_high)})" if e.usd_mid else ""
    return f"${_dollars(run.usd)}{estimated} {fit(e, past, 'usd') or ''}".rstrip()


def _dollars(usd: float) -> str:
    return f"{usd:.2f}" if usd >= 0.1 else f"{usd:.3f}"


def _when(at: float) -> str:
    then, now = datetime.fromtimestamp(at).astimezone(), datetime.now().astimezone()
    if then.date() == now.date():
        return then.strftime("%H:%M")
    return then.strftime("%m-%d %H:%M" if then.year == now.year else "%Y-%m-%d")
