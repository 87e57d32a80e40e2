"""`fanfold eval report`: one agent against the fan-out on the same tasks, quality beside cost."""

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.metadata import version
from statistics import fmean

from fanfold_server.evaluation.case import Case, cases, chosen
from fanfold_server.evaluation.contest import REPORT_CHARS, SIDES, Arena, Contest, Contests, Side, contested, forecast
from fanfold_server.evaluation.summing import ALL
from fanfold_server.minds import Minds
from fanfold_server.settings import Settings
from fanfold_server.store import open_journal
from fanfold_workers.errors import UnknownNameError
from fanfold_workers.journal import MemoryJournal

from .evaluating import drawn, needed_minds
from .outcome import Exit
from .terminal import one_line, put, put_styled, say

HEADER = ("case", "workers", "quality", "facts", "quotes", "marks", "$", "tokens", "seconds", "who", "")
TIMES = 5
"""What a fan-out with its report is taken to cost, in costs of one agent, before anybody knows; an assumption."""


async def report(settings: Settings, wanted: str, *, as_json: bool) -> int:
    """Hold the contests and print them."""
    minds, those = needed_minds(settings), _those(wanted)
    await _say_price(those, minds)
    async with open_journal(settings.home) as journal:
        arena = Arena(minds, journal)
        held = await arena.held(those, _told(len(those)))
        usd = await arena.spent()
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    lead, worker = minds.lead.card.model, minds.worker.card.model
    all_of_it = Contests(lead=lead, worker=worker, at=now, version=version("fanfold"), usd=usd, contests=tuple(held))
    if as_json:
        put(all_of_it.model_dump_json(indent=1))
    else:
        _show(all_of_it)
    whole = all(side.marks is not None for contest in held for side in contest.sides)
    return Exit.complete if whole else Exit.partial


def _those(wanted: str) -> tuple[Case, ...]:
    """The cases wanted that have facts to hold a report to."""
    known = contested(cases())
    those = contested(chosen(cases(), wanted))
    if not those:
        msg = f"None of those has facts to hold a report to: {wanted[:80]}."
        raise UnknownNameError(msg, field="--cases", remedy=f"Use some of: {', '.join(case.id for case in known)}.")
    return those


async def _say_price(those: Sequence[Case], minds: Minds) -> None:
    one, ceiling = await forecast(those, minds, MemoryJournal()), minds.max_usd_per_run
    say(
        f"{len(those)} task{'s' * (len(those) != 1)}, done by one agent of {minds.worker.card.model} and by a "
        f"fan-out, each pair judged twice by {minds.lead.card.model}. One agent for all: up to ${one:.2f}, as its "
        f"plans are priced; a fan-out is taken for {TIMES} times that (assumed). All of it stops at ${ceiling:g} "
        "(max_usd_per_run)."
    )


def _told(total: int) -> Callable[[Contest], None]:
    ended = iter(range(1, total + 1))
    return lambda contest: say(f"{next(ended)}/{total} {contest.id}")


def _show(held: Contests) -> None:
    put(f"lead: {held.lead}, workers: {held.worker}, ${held.usd:.4f} in all; reports of {REPORT_CHARS:,} characters")
    rows = [_row(contest.id, side, contest) for contest in held.contests for side in contest.sides]
    put_styled(drawn(HEADER, [*rows, *_totals(held)]))
    for contest in held.contests:
        put(f"  {contest.id}: {_verdict(contest)}")
    if line := _in_short(held):
        put(line)


def _row(name: str, side: Side, contest: Contest) -> tuple[str, ...]:
    if side.failed:
        return (name, "-", "-", "-", "-", "-", f"{side.usd:.4f}", f"{side.tokens:,}", "-", side.who, "no answer")
    shares = [_share(value) for value in (side.quality, side.facts, side.quotes, side.marks)]
    spent = (f"{side.usd:.4f}", f"{side.tokens:,}", f"{side.seconds:.1f}")
    return (name, str(side.workers), *shares, *spent, side.who, "better" if contest.better == side.who else "")


def _totals(held: Contests) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for who in SIDES:
        if sides := held.side(who):
            columns = [[s.quality for s in sides], *([getattr(s, name) for s in sides] for name in SHARES)]
            shares = [_mean(values) for values in columns]
            spent = (f"{sum(s.usd for s in sides):.4f}", f"{sum(s.tokens for s in sides):,}")
            seconds, workers = f"{sum(s.seconds for s in sides):.1f}", str(sum(s.workers for s in sides))
            better = sum(contest.better == who for contest in held.contests)
            rows.append((ALL, workers, *shares, *spent, seconds, who, f"better in {better} of {len(held.contests)}"))
    return rows


SHARES = ("facts", "quotes", "marks")


def _mean(values: Sequence[float | None]) -> str:
    told = [value for value in values if value is not None]
    return _share(fmean(told)) if told else "-"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _verdict(contest: Contest) -> str:
    missing = next((f"{side.who}: {side.failed}" for side in contest.sides if side.failed), "")
    if missing or any(side.marks is None for side in contest.sides):
        return one_line(missing or contest.why)[:300]
    which = contest.better or ("neither" if contest.steady else "neither: it hung on the order")
    return f"{which}. {one_line(contest.why)[:300]}"


def _in_short(held: Contests) -> str:
    """The fan-out against one agent in one line; "" where there is nothing to compare."""
    one, many = held.side("one agent"), held.side("fan-out")
    spent = sum(side.usd for side in one)
    if not one or not many or not spent:
        return ""
    better = fmean(side.quality for side in many) - fmean(side.quality for side in one)
    times = sum(side.usd for side in many) / spent
    return f"The fan-out cost {times:.1f} x what one agent cost, for {better:+.2f} in quality (0 to 1)."
