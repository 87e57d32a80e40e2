"""Holds what the lead writes to what it cites: a sentence must say something of each finding that it names.

The rule, for each sentence, list item or row with citations:

- A cited finding must share a content word, a number or an identifier with the sentence (see `terms`): in its
  subject, its claim, its quotes, the entry it stands in, or its side of a conflict. The sentence is read with what it
  leans on: the one before it in its paragraph, the last heading, what leads in to its list, the first row of its
  table.
- A figure of two digits or more, or with a unit (see `figures`), must stand in some finding, in the question, or in
  what code says of them.

What that cannot tell: whether the sentence is true, or says the opposite of what it cites; one word in common is
enough. A citation in another language than the finding's counts, since translations share no words. Sums and counts
that a lead makes rightly are unknown figures: so a figure is asked about once, and never keeps an answer from being
used.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fanfold_server.records import Conflict, Entry, LedgerLine
from fanfold_workers.aside import stop_if_abandoned

from .compose import Brief
from .figures import Figure, Known, figures
from .markdown import clean, counted, cut
from .sentences import stretches
from .terms import Terms, terms_of

IDLE = 3
"""One citation in so many may say nothing of its finding before the answer is asked for once more."""
NAMED = 5
"""Citations and figures that are named when it is asked for once more, and in remarks."""

CITED = re.compile(r"\[([A-Za-z0-9][\w.-]*(?:[,;]\s*[A-Za-z0-9][\w.-]*)*)\](?!\()")


def cited_in(text: str) -> frozenset[str]:
    """Ids cited as `[id]` or `[id, id]`; words in brackets that have no dot cite nothing."""
    return frozenset(_ids(text))


def _ids(text: str) -> Iterator[str]:
    names = (name.strip() for match in CITED.findall(text) for name in re.split("[,;]", match))
    return (name for name in names if re.search(r"\.\d+$", name))


@dataclass(frozen=True, slots=True)
class Judged:
    """How an answer does.

    Attributes:
        citations: how many it has, a finding counted once in each sentence.
        idle: of them those whose sentence says nothing of the finding: its id, and the sentence.
        counted: ids that are cited where something is said of them.
        figures: that stand nowhere, as they are written.
    """

    citations: int
    idle: tuple[tuple[str, str], ...]
    counted: frozenset[str]
    figures: tuple[str, ...]

    def doubt(self, *, figures: bool) -> str:
        """What is to be put right, "" if nothing; with its figures, or without."""
        if IDLE * len(self.idle) > self.citations:
            named = _named([*dict.fromkeys(one for one, _ in self.idle)])
            return f"it cites findings in sentences that say nothing of them: {named}"
        if figures and self.figures:
            return f"figures stand in no finding, take them out or say how each follows: {_named(self.figures)}"
        return ""

    def remarks(self) -> Iterator[str]:
        """What a reader should know."""
        if self.idle:
            named = _named([*dict.fromkeys(one for one, _ in self.idle)])
            told = f"{len(self.idle):,} of {counted(self.citations, 'citation')} in the answer"
            count = (
                "does not count, its sentence says" if len(self.idle) == 1 else "do not count, their sentences say"
            )
            yield f"{told} {count} nothing of what is cited: {named}."
        if self.figures:
            stand = counted(len(self.figures), "figure in the answer stands", "figures in the answer stand")
            yield f"{stand} in no finding: {_named(self.figures)}."


def _named(those: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(those) - NAMED:,} more" if len(those) > NAMED else ""
    return ", ".join(cut(one, 80) for one in those[:NAMED]) + more


@dataclass(frozen=True, slots=True)
class Held:
    """What was found, ready to hold an answer to.

    Attributes:
        entries: the entry that each finding stands in; lines: of the ledger; both by id.
        sides: what conflicts say of a finding, by id.
        known: every number that was found or asked.
        english: whether most of what was found is in English; see Terms.
        told: terms of each entry, by its leading finding.
    """

    entries: Mapping[str, Entry]
    lines: Mapping[str, LedgerLine]
    sides: Mapping[str, Sequence[str]]
    known: Known
    english: bool | None
    told: Mapping[str, Terms] = field(default_factory=dict[str, Terms])

    @classmethod
    def to(cls, brief: Brief, stated: Sequence[str] = ()) -> "Held":
        """To what is known when a report is to be written; `stated` is what code says besides. Blocking."""
        texts = [_text(entry) for entry in brief.entries]
        return cls(
            entries={one: entry for entry in brief.entries for one in entry.findings},
            lines={line.finding: line for line in brief.ledger},
            sides=_sides(brief.conflicts),
            known=Known.of((*texts, *_besides(brief), *stated)),
            english=terms_of("\n".join(texts)).english,
            told={entry.findings[0]: _terms(text) for entry, text in zip(brief.entries, texts, strict=True)},
        )

    def judged(self, headline: str, answer: str) -> Judged:
        """How an answer does."""
        english = terms_of(CITED.sub("", answer)).english
        cited: dict[tuple[str, str], bool] = {}
        for ids, said, leans in _cited(answer):
            for one in ids:
                cited[one, said] = cited.get((one, said), False) or self._is_said(one, f"{said}\n{leans}", english)
        return Judged(
            citations=len(cited),
            idle=tuple(name for name, is_said in cited.items() if not is_said),
            counted=frozenset(one for (one, _), is_said in cited.items() if is_said),
            figures=tuple(dict.fromkeys(one.written for one in self._unknown(f"{headline}\n\n{answer}"))),
        )

    def _unknown(self, text: str) -> Iterator[Figure]:
        """Figures that stand nowhere. How many findings it cites, a writer may count."""
        cites = str(len(cited_in(text)))
        return (one for one in figures(CITED.sub("", text)) if one.number != cites and not self.known.has(one))

    def _is_said(self, one: str, said: str, english: bool | None) -> bool:
        mine = terms_of(said)
        return any(
            mine.shares(terms) or not mine.comparable(terms, mine=english, theirs=self.english)
            for terms in self._about(one)
        )

    def _about(self, one: str) -> Iterator[Terms]:
        """What is known of a finding: its entry, its line, its side of each conflict."""
        if entry := self.entries.get(one):
            yield self.told[entry.findings[0]]
        if line := self.lines.get(one):
            yield terms_of(f"{line.subject}\n{line.claim}\n{line.place}")
        yield from map(terms_of, self.sides.get(one, ()))


def _terms(text: str) -> Terms:
    stop_if_abandoned()
    return terms_of(text)


def _text(entry: Entry) -> str:
    quotes = (f"{quote.quote}\n{quote.actual}\n{quote.source} {quote.locator}" for quote in entry.evidence)
    return "\n".join((entry.subject, entry.claim, *quotes, *entry.also))


def _sides(conflicts: Sequence[Conflict]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for conflict in conflicts:
        for side in conflict.sides:
            quote = side.evidence.quote if side.evidence else ""
            for one in side.findings:
                found.setdefault(one, []).append(f"{conflict.subject}\n{conflict.attribute}\n{side.value}\n{quote}")
    return found


def _besides(brief: Brief) -> Iterator[str]:
    """All else that a writer may take figures from: the question, the ledger, and what code counts."""
    yield brief.question
    yield from brief.titles.values()
    yield from (f"{line.subject}\n{line.claim}\n{line.place}" for line in brief.ledger)
    yield from (
        f"{conflict.settled}\n{said}" for conflict in brief.conflicts for said in (s.value for s in conflict.sides)
    )
    yield from (gap.gap for gap in brief.gaps)
    counts = (brief.entries, brief.conflicts, brief.gaps, brief.reliability, brief.titles, brief.ledger)
    yield "\n".join((brief.coverage.model_dump_json(), *(str(len(those)) for those in counts)))


def _cited(answer: str) -> Iterator[tuple[Sequence[str], str, str]]:
    """The sentences with citations: the ids, what it says without them, and what it leans on."""
    heading = lead = row = before = ""
    end = 0
    for stretch in stretches(answer):
        text = answer[stretch.start : stretch.end]
        said = clean(CITED.sub("", text)).replace(" .", ".")
        if stretch.heading:
            heading, lead, row, before = said, "", "", ""
            continue
        near = before if _is_near(answer[end : stretch.start]) else ""
        row = "" if "|" not in text else row or said
        if ids := (*dict.fromkeys(_ids(text)),):
            yield ids, said, "\n".join((near, heading, lead, row))
        lead = said if said.rstrip("*_ ").endswith((":", "\uff1a")) else lead
        before, end = said, stretch.end


def _is_near(between: str) -> bool:
    """Whether only spaces, or the end of a line, stand between two sentences."""
    return not between.strip() and between.count("\n") < 2
