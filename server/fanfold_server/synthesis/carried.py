"""An entry on its way up the fold, with all that was merged into it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fanfold_server.records import Cited, Entry
from fanfold_workers.aside import stop_if_abandoned
from fanfold_workers.models.tokens import count

from .ledger import MAX_ALSO, MAX_EVIDENCE, OWN_EVIDENCE
from .sheets import SHARE, shown
from .weigh import SEVERITY
from .wording import words_of

APART = frozenset({"disputed", "contradicted"})
"""What is so marked is merged with nothing: its other side must be seen."""

_FIGURES = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Item:
    """An entry on its way up.

    Attributes:
        entry: with all that was merged into it.
        order: the place of its leading finding.
        tokens: shown whole.
        away: findings of the entries that were merged into it.
        note: what was said of the group that it came first in.
    """

    entry: Entry
    order: int
    tokens: int
    away: tuple[str, ...] = ()
    note: str = ""

    @property
    def lead(self) -> str:
        """The finding that speaks for it."""
        return self.entry.findings[0]

    @property
    def standing(self) -> tuple[float, float, int]:
        """Its place by score, severity first, the best first."""
        return -SEVERITY[self.entry.severity], -self.entry.score, self.order

    def with_(self, others: Sequence["Item"]) -> "Item":
        """With others merged into it."""
        if not others:
            return self
        entry = _joined(self.entry, [other.entry for other in others])
        away = (one for other in others for one in other.entry.findings)
        return Item(entry, self.order, _tokens(entry), tuple(dict.fromkeys((*self.away, *away))))


def items_of(entries: Sequence[Entry], order: Mapping[str, int]) -> list[Item]:
    """In plan order. Blocking."""
    placed = ((entry, order.get(entry.findings[0], len(order))) for entry in entries)
    return sorted((Item(entry, place, _tokens(entry)) for entry, place in placed), key=lambda item: item.order)


def _tokens(entry: Entry) -> int:
    """Of an entry shown whole. Under an alias it takes no more: `[s.1]` is longer than `f200`."""
    stop_if_abandoned()
    return count(shown(entry) + "\n")


def tokens_of(items: Iterable[Item], room: int) -> int:
    """Tokens that the items take in the lead's request."""
    return sum(min(item.tokens, room // SHARE) for item in items)


def fitting(ranked: Iterable[Item], most: int, room: int) -> list[Item]:
    """Those that fit, in their order; a shorter one may follow one that is too long."""
    kept: list[Item] = []
    for item in ranked:
        size = tokens_of((item,), room)
        if size <= most:
            kept.append(item)
            most -= size
    return kept


def _joined(lead: Entry, others: Sequence[Entry]) -> Entry:
    """The leading entry with the findings, claims and quotes of the others, so far as an entry has room for them."""
    findings = tuple(dict.fromkeys(one for entry in (lead, *others) for one in entry.findings))
    also = (*lead.also, *(line for entry in others for line in (f"{entry.claim} [{entry.findings[0]}]", *entry.also)))
    workers = {one.rpartition(".")[0] for one in findings}
    return lead.model_copy(
        update={
            "also": tuple(dict.fromkeys(also))[:MAX_ALSO],
            "severity": max((e.severity for e in (lead, *others)), key=SEVERITY.__getitem__),
            "score": max(entry.score for entry in (lead, *others)),
            "support": max(len(workers), *(entry.support for entry in (lead, *others))),
            "findings": findings,
            "evidence": _evidence(lead, others),
            "occurrences": sum(entry.occurrences for entry in (lead, *others)),
            "marks": tuple(mark for mark in lead.marks if all(mark in entry.marks for entry in others)),
        }
    )


def _evidence(lead: Entry, others: Sequence[Entry]) -> tuple[Cited, ...]:
    """The leading entry's best quotes, then the best of each other, then what there is room for."""
    chosen = [*lead.evidence[:OWN_EVIDENCE], *(entry.evidence[0] for entry in others if entry.evidence)]
    rest = [*lead.evidence[OWN_EVIDENCE:], *(quote for entry in others for quote in entry.evidence[1:])]
    kept: dict[tuple[str, str, str], Cited] = {}
    for quote in (*chosen, *rest):
        kept.setdefault((quote.source, quote.locator, quote.quote), quote)
    return tuple(kept.values())[:MAX_EVIDENCE]


def alike(one: Entry, other: Entry) -> bool:
    """Whether two entries may say the same: figures of neither at odds, both or neither denied, a word in common.

    A model that is wrong, or that a text has talked into it, must not make different findings count as one.
    """
    if not APART.isdisjoint((*one.marks, *other.marks)):
        return False
    mine, theirs = set(_FIGURES.findall(one.claim)), set(_FIGURES.findall(other.claim))
    words, others = words_of(one.claim), words_of(other.claim)
    if words.no != others.no or not (mine <= theirs or theirs <= mine):
        return False
    about = words_of(one.subject).words | words.words
    return not about.isdisjoint(words_of(other.subject).words | others.words)
