"""`fanfold eval`: how good plans are, and whether a fan-out is worth its price."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from fanfold_server.evaluation.answers import read_answers
from fanfold_server.evaluation.case import Case, cases, chosen
from fanfold_server.evaluation.evaluating import Engine, Judged, evaluated
from fanfold_server.evaluation.kept import Change, Kept, Suite, differences, read_suite
from fanfold_server.evaluation.minding import ASKED_AT_MOST, LIKELY_OUTPUT, Asking, Price, priced, replayed
from fanfold_server.evaluation.scoring import NAMES
from fanfold_server.evaluation.summing import ALL, Sum, summed
from fanfold_server.minds import Minds
from fanfold_server.opening import minds_of
from fanfold_server.settings import Settings
from fanfold_server.store import open_journal
from fanfold_workers.errors import InputError
from fanfold_workers.models.catalog import card_of

from .outcome import Exit
from .terminal import one_line, put, put_styled, say

PIPED_COLUMNS = 200
SHOWN = 20
"""Lines of changes, and of cases that went wrong, that are shown; JSON has all."""
STEPS = 10


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be evaluated.

    Attributes:
        cases: classes, ids or patterns of ids, parted by commas; "" for all.
        engine: `rules` or `model`.
        model: whose answers are to be replayed; "" for those of the only one there is.
        answers: file of recorded answers to plan with.
        record: file to which a model's answers are appended.
        against: file of results to compare with, in place of the last ones.
        as_json: all of it as JSON.
    """

    cases: str = ""
    engine: str = "rules"
    model: str = ""
    answers: Path | None = None
    record: Path | None = None
    against: Path | None = None
    as_json: bool = False


async def plan(settings: Settings, wish: Wish) -> int:
    """Plan cases, score the plans, and show what differs from the last time."""
    wanted = chosen(cases(), wish.cases)
    against = read_suite(wish.against) if wish.against else None
    if wish.answers:
        answers = read_answers(wish.answers, wish.model)
        engine = replayed(answers, card_of(answers.model, settings.models.get(answers.model)))
        return _shown(settings, wish, await _suite(engine, wanted), against)
    if wish.engine == "rules":
        return _shown(settings, wish, await _suite(Engine("rules"), wanted), against)
    return _shown(settings, wish, await _asked(settings, wish, wanted), against)


async def _asked(settings: Settings, wish: Wish, wanted: Sequence[Case]) -> Suite:
    """Have a model plan, after its price was said."""
    minds = needed_minds(settings)
    _check_record(wish.record)
    _say_price(await priced(wanted, minds), minds)
    async with open_journal(settings.home) as journal:
        asking = Asking(minds, journal, wish.record, settings.width)
        async with asking.engine() as engine:
            suite = await _suite(engine, wanted, _Counted(len(wanted)))
        return suite.model_copy(update={"usd": await asking.spent()})


def needed_minds(settings: Settings) -> Minds:
    """The models of the settings.

    Raises:
        InputError: if there are none.
    """
    minds = minds_of(settings)
    if minds is None:
        msg = "There is no model to evaluate: ANTHROPIC_API_KEY is not set."
        remedy = "Set it (or base_url for a server of your own), or replay recorded answers with --answers FILE."
        raise InputError(msg, field="--engine", remedy=remedy)
    return minds


def _check_record(record: Path | None) -> None:
    """Refuse a file that cannot be written before anything is paid for."""
    if record is None:
        return
    try:
        record.open("a", encoding="utf-8").close()
    except OSError as error:
        msg = f"{record} cannot be written: {error.strerror or error}."
        raise InputError(msg, field="--record", remedy="Name a file in a directory that you can write to.") from error


def _say_price(price: Price, minds: Minds) -> None:
    card, ceiling = minds.lead.card, minds.max_usd_per_run
    short = " That may not be enough for all of them: raise it with --max-usd." if ceiling < price.likely else ""
    say(
        f"{price.cases} cases, planned by {card.model}: {price.tokens:,} tokens to read. About ${price.likely:.2f} "
        f"if each plan has {LIKELY_OUTPUT:,} tokens (assumed); ${price.most:.2f} at most, if each is asked for "
        f"{ASKED_AT_MOST} times and as long as it may be. It stops at ${ceiling:g} (max_usd_per_run).{short}"
    )


async def _suite(engine: Engine, wanted: Sequence[Case], told: "_Counted | None" = None) -> Suite:
    results = await evaluated(wanted, engine, told or (lambda _: None))
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return Suite(engine=engine.name, at=now, version=version("fanfold"), results=results, classes=summed(results))


@dataclass(slots=True)
class _Counted:
    """Says a line at each tenth of the way."""

    total: int
    ended: int = 0

    def __call__(self, judged: Judged) -> None:
        before = STEPS * self.ended // self.total
        self.ended += 1
        if STEPS * self.ended // self.total > before:
            say(f"{self.ended}/{self.total}")


# -- what is shown -------------------------------------------------------------------------------------------------


def _shown(settings: Settings, wish: Wish, suite: Suite, against: Suite | None) -> int:
    kept = Kept(settings.home)
    before = against or kept.last(suite.engine)
    if before:
        changes = differences(before.results, suite.results)
        suite = suite.model_copy(update={"against": before.at or "an earlier run", "changes": changes})
    kept.keep(suite)
    if wish.as_json:
        put(suite.model_dump_json(indent=1))
    else:
        how = ", recorded answers" if wish.answers else f", ${suite.usd:.4f}" if suite.usd else ""
        put(f"engine: {suite.engine}{how}")
        put_styled(_table(suite.classes))
        _tell("went wrong", [_wrong(one) for one in suite.results if _is_wrong(one)])
        _tell_changes(suite, bool(before))
    return Exit.partial if any(one.state == "failed" for one in suite.results) else Exit.complete


def _is_wrong(one: Judged) -> bool:
    unexpected = one.state == "cannot" and not one.expected
    return one.state == "failed" or unexpected or (one.state == "scored" and one.total == 0)


def _wrong(one: Judged) -> str:
    state = "0.00" if one.state == "scored" else one.state
    return f"{state:<7} {one.id}: {one_line(one.why)[:160]}"


def _tell_changes(suite: Suite, compared: bool) -> None:
    if not compared:
        put(f"No earlier results of {suite.engine} to compare with; these are kept for the next time.")
        return
    worse, better = (sum(change.by * sign > 0 for change in suite.changes) for sign in (-1, 1))
    if not suite.changes:
        put(f"No case differs from {suite.against}.")
        return
    _tell(f"against {suite.against}: {worse} worse, {better} better", [_changed(one) for one in suite.changes])


def _changed(change: Change) -> str:
    way = "worse" if change.by < 0 else "better" if change.by > 0 else "other"
    pairs = [f"{name} {_figure(was)} -> {_figure(now)}" for name, (was, now) in change.scores.items()]
    told = ", ".join([*pairs, *([change.note] if change.note else [])])
    return f"{way:<7} {change.id}: {_figure(change.before)} -> {_figure(change.after)} ({told})"


def _tell(what: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    put(f"\n{what}:")
    for line in lines[:SHOWN]:
        put(f"  {line}")
    if len(lines) > SHOWN:
        put(f"  and {len(lines) - SHOWN} more; --json has all")


def _table(classes: Sequence[Sum]) -> str:
    header = ("class", "cases", "score", *NAMES, "cannot", "failed")
    return drawn(header, [_row(line) for line in classes])


def _row(line: Sum) -> tuple[str, ...]:
    cannot = f"{line.cannot} ({line.expected} expected)" if line.cannot else ""
    scores = (_figure(line.scores.get(name)) for name in NAMES)
    failed = str(line.failed or "")
    return (line.kind, str(line.cases), _figure(line.total), *scores, cannot, failed)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def drawn(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as text: the last row is set off if it is about all."""
    from rich.console import Console
    from rich.table import Table

    on_terminal = sys.stdout.isatty()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold" if on_terminal else "")
    for n, name in enumerate(header):
        table.add_column(name, no_wrap=True, justify="right" if 0 < n < len(header) - 2 else "left")
    for row in rows:
        table.add_row(*row, style="bold" if on_terminal and row[0] == ALL else "")
    columns = max(shutil.get_terminal_size().columns, 120) if on_terminal else PIPED_COLUMNS
    console = Console(width=columns, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
