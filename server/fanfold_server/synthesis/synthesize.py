"""The verb itself: Results -> Report, the same whatever the order in which they came."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from fanfold_server.records import Report
from fanfold_workers.aside import Aside, in_thread
from fanfold_workers.contract import Result, Subtask
from fanfold_workers.errors import InputError
from fanfold_workers.tools.roots import Root

from .attempts import compared
from .compose import Brief, Composed, Composer
from .conflicts import Disputes
from .desk import Desk
from .drawing import drawn_by_model
from .draws import Reading
from .folding import Folded, folded
from .join import kinds_of
from .lead import digest_tokens
from .ledger import covered
from .material import Material, Weighed, checked, gathered, places_of, proses, weighed
from .report import RulesComposer
from .settling import settled
from .sight import Seen
from .texts import drawn
from .verify import as_seen

Look = Callable[[Sequence[Result]], Awaitable[Mapping[str, Seen]]]
"""What the workers of verified results were told, by subtask, as far as a quote is in doubt."""

MIN_CHARS = 500


async def synthesize(
    question: str,
    subtasks: Sequence[Subtask],
    results: Sequence[Result],
    roots: Mapping[str, Root],
    *,
    max_chars: int = 8_000,
    host: bool = False,
    aside: Aside = in_thread,
    composer: Composer | None = None,
    desk: Desk | None = None,
    look: Look | None = None,
    sources: Mapping[str, str] = MappingProxyType({}),
    rests: Mapping[str, str] = MappingProxyType({}),
) -> Report:
    """Join what the workers found into one cited report of at most `max_chars` characters.

    Args:
        question: what the report answers.
        subtasks: the plan's, in plan order; empty when the results were handed in from anywhere.
        results: at most one per subtask, in any order.
        roots: every configured root, by name, to look quotes up in.
        max_chars: characters of markdown, at least 500.
        host: a digest for a host to write from, in place of a report.
        aside: where blocking work runs.
        composer: who writes; the rules engine if None.
        desk: models that draw findings from prose, settle what is open and fold what is too much; None for rules.
        look: finds what workers' tools and pages told them, for quotes that no root holds; None for nothing.
        sources: a person's own classes of sources, by domain; see `quality`.
        rests: of each subtask that finishes what another left, the other's id.

    Raises:
        InputError: if there is nothing to synthesize, two results share an id, or max_chars is below 500.
    """
    _check(subtasks, results, max_chars)
    writer = composer or RulesComposer(host=host, aside=aside)
    verified = await _verified(subtasks, results, roots, look, aside)
    reading = await _read(question, verified, max_chars, desk, aside)
    known = await aside(lambda: weighed(subtasks, verified, reading.drawn, sources))
    disputed, remarks = await _settled(question, known, desk, aside)
    material = await aside(lambda: gathered(question, known, disputed, max_chars, rests))
    brief = await aside(material.brief)
    fold = await _folded(question, brief, material, desk, aside)
    remarks = (*reading.remarks, *remarks, *fold.remarks)
    attempts = await aside(lambda: compared(subtasks, verified, known.trust, known.noted))
    told = replace(brief, entries=fold.entries, notes=fold.notes, remarks=remarks, attempts=attempts)
    composed = await writer.compose(told)
    _check_composed(composed, told)
    return await aside(lambda: _report(material, told, composed, composed.engine or writer.engine, fold))


async def _verified(
    subtasks: Sequence[Subtask],
    results: Sequence[Result],
    roots: Mapping[str, Root],
    look: Look | None,
    aside: Aside,
) -> tuple[Result, ...]:
    """The results with each quote looked up: in its source, and in what the worker was told."""
    verified = await aside(lambda: checked(subtasks, results, roots))
    seen: Mapping[str, Seen] = await look(verified) if look else {}
    return await aside(lambda: as_seen(verified, roots, places_of(subtasks), seen)) if seen else verified


async def _read(question: str, results: Sequence[Result], max_chars: int, desk: Desk | None, aside: Aside) -> Reading:
    """What prose says: drawn by a model where there is one, else by how much each sentence says."""
    texts, beside = proses(results)
    if desk and texts:
        return await drawn_by_model(desk, question, texts, max_chars=max_chars, beside=beside, aside=aside)
    found = await aside(lambda: drawn(question, texts, max_chars=max_chars, beside=beside))
    return Reading(found, ())


async def _settled(
    question: str, known: Weighed, desk: Desk | None, aside: Aside
) -> tuple[Disputes, tuple[str, ...]]:
    """The conflicts: what a stated rule leaves open is put to the lead, where there is one."""
    if not (desk and known.disputed.open):
        return known.disputed, ()
    told = await settled(desk, question, known.disputed, aside=aside)
    return told.disputes, told.remarks


async def _folded(question: str, brief: Brief, material: Material, desk: Desk | None, aside: Aside) -> Folded:
    """The entries, as many as the lead can be shown; all of them where no model is asked."""
    if not desk:
        return Folded(brief.entries)
    return await folded(desk, question, brief.entries, material.order, room=digest_tokens(desk), aside=aside)


def _check(subtasks: Sequence[Subtask], results: Sequence[Result], max_chars: int) -> None:
    if max_chars < MIN_CHARS:
        msg = f"{max_chars} characters are too few for a report."
        raise InputError(msg, field="max_chars", remedy=f"Ask for {MIN_CHARS} or more.")
    if not subtasks and not results:
        msg = "There is nothing to synthesize."
        raise InputError(msg, field="results", remedy="Hand in at least one result, or name a run.")
    seen: set[str] = set()
    for result in results:
        if result.subtask in seen:
            msg = f"Two results are called {result.subtask}."
            raise InputError(msg, field="results", remedy="Give each a subtask id of its own.")
        seen.add(result.subtask)


def _check_composed(composed: Composed, brief: Brief) -> None:
    if strange := sorted(composed.shown.difference(line.finding for line in brief.ledger)):
        msg = f"The composer cites findings that do not exist: {', '.join(strange[:5])}."
        raise ValueError(msg)
    if len(composed.markdown) > brief.max_chars:
        msg = f"The composer wrote {len(composed.markdown)} characters of {brief.max_chars}."
        raise ValueError(msg)


def _report(material: Material, brief: Brief, composed: Composed, engine: str, fold: Folded) -> Report:
    ledger = material.ledger(composed.shown, fold.merged)
    spans = material.known.spans
    coverage = covered(ledger, material.known.noted, material.known.results).model_copy(
        update={"spans": len(spans), "spans_drawn": sum(bool(span.finding) for span in spans)}
    )
    return Report(
        id=material.id(brief.max_chars, engine),
        question=brief.question,
        engine=engine,
        headline=composed.headline,
        markdown=composed.markdown,
        entries=tuple(entry for entry in brief.entries if entry.findings[0] in composed.shown),
        conflicts=brief.conflicts,
        gaps=brief.gaps,
        coverage=coverage,
        reliability=brief.reliability,
        kinds=kinds_of(material.known.noted),
        ledger=ledger,
        spans=spans,
        attempts=brief.attempts,
        remarks=(*brief.remarks, *composed.remarks),
        max_chars=brief.max_chars,
    )
