"""The one seam to whoever writes the report: what it is given, and what it must give back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fanfold_server.records import Comparison, Conflict, Coverage, Entry, Gap, LedgerLine, Reliability


@dataclass(frozen=True, slots=True)
class Brief:
    """All that synthesis knows when the report is to be written: joined, weighed and ranked.

    Attributes:
        question: what to answer.
        entries: every entry, ranked; those a composer leaves out go to the ledger as below the cut.
        conflicts, gaps, reliability: see their types.
        coverage: with nothing cited yet: all that is ranked stands under `below_cut`.
        ledger: one line for each finding, as if none were cited yet.
        titles: what people call each subtask or handed-in result, by id.
        attempts: comparisons, where several workers did the same subtask.
        notes: what a fold made of the findings on its way, each citing them as `[id]`.
        remarks: what to know of how the findings came about, a sentence each.
        max_chars: the most characters of markdown, at least 500.
    """

    question: str
    entries: tuple[Entry, ...]
    conflicts: tuple[Conflict, ...]
    gaps: tuple[Gap, ...]
    reliability: tuple[Reliability, ...]
    coverage: Coverage
    ledger: tuple[LedgerLine, ...]
    titles: Mapping[str, str]
    max_chars: int
    attempts: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Composed:
    """A written report.

    Attributes:
        markdown: at most `max_chars` characters.
        shown: ids of the findings whose claim stands in it; an id nobody knows is refused.
        headline: the answer in a sentence or two, as far as the engine can give one.
        engine: who wrote it, where that is not the composer's own engine.
        remarks: what to know of how it holds to what was found, a sentence each; they stand in the markdown too.
    """

    markdown: str
    shown: frozenset[str]
    headline: str = ""
    engine: str = ""
    remarks: tuple[str, ...] = ()


class Composer(Protocol):
    """Writes the report from what was joined: rules, a model, or a function of the user's own."""

    @property
    def engine(self) -> str:
        """Who wrote it: `rules`, `host` or `model:<id>`."""
        ...

    async def compose(self, brief: Brief, /) -> Composed:
        """The report. Cites findings by id as `[id]`."""
        ...
