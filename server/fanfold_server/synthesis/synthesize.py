"""The verb itself: Results -> Report, the same whatever the order in which they came."""

from collections.abc import Mapping, Sequence

from fanfold_server.records import Report
from fanfold_workers.aside import Aside, in_thread
from fanfold_workers.contract import Result, Subtask
from fanfold_workers.errors import InputError
from fanfold_workers.tools.roots import Root

from .compose import Brief, Composed, Composer
from .join import kinds_of
from .ledger import covered
from .material import Material, gathered
from .report import RulesComposer

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

    Raises:
        InputError: if there is nothing to synthesize, two results share an id, or max_chars is below 500.
    """
    _check(subtasks, results, max_chars)
    writer = composer or RulesComposer(host=host, aside=aside)
    material = await aside(lambda: gathered(question, subtasks, results, roots, max_chars))
    brief = await aside(material.brief)
    composed = await writer.compose(brief)
    _check_composed(composed, brief)
    return await aside(lambda: _report(material, brief, composed, composed.engine or writer.engine))


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


def _report(material: Material, brief: Brief, composed: Composed, engine: str) -> Report:
    ledger = material.ledger(composed.shown)
    spans = material.spans
    coverage = covered(ledger, material.noted, material.results).model_copy(
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
        kinds=kinds_of(material.noted),
        ledger=ledger,
        spans=spans,
        max_chars=brief.max_chars,
    )
