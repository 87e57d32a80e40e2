"""A word index over passages, in memory, and the passages that answer a question best."""

import math
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .words import Term, indexed, parts

HEADING_WEIGHT = 3.0
"""A word in a heading counts as three in the text."""
CANDIDATES = 300
LEAST_COVERAGE = 0.5
"""Share of a question's words, weighed by how telling they are, that a passage must hold to be an answer at all."""
_RARE = 3.0
"""Weight of a word is capped here, so that one rare word never outweighs all others."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage's number, its score (more is better), and the terms of the question it holds."""

    number: int
    score: float
    coverage: float
    terms: tuple[Term, ...]


class Index:
    """Passages by number. Close it when done."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(
            "CREATE VIRTUAL TABLE passage USING fts5"
            "(heading, body, content='', tokenize='porter unicode61 remove_diacritics 2')"
        )
        self.count = 0

    def close(self) -> None:
        """Let the index go."""
        self._db.close()

    def add(self, passages: Iterable[tuple[str, str]]) -> None:
        """Number and take in passages, each with its headings."""
        rows = [(self.count + n, indexed(heading), indexed(body)) for n, (heading, body) in enumerate(passages, 1)]
        self._db.executemany("INSERT INTO passage(rowid, heading, body) VALUES (?, ?, ?)", rows)
        self.count += len(rows)

    def holding(self, term: Term) -> set[int]:
        """The numbers of the passages that hold a term, as it is written."""
        return {row[0] for row in self._db.execute("SELECT rowid FROM passage WHERE passage MATCH ?", (term.query,))}

    def ranked(self, terms: list[Term], holding: Mapping[Term, set[int]]) -> list[Ranked]:
        """The passages that hold enough of the terms, best first."""
        weights = {term: self._weight(len(holding[term])) for term in terms}
        whole = sum(weights.values())
        anything = " OR ".join(query for term in terms for query in (term.query, *parts(term)))
        rows = self._db.execute(
            "SELECT rowid, -bm25(passage, ?, 1.0) AS score FROM passage WHERE passage MATCH ? "
            "ORDER BY score DESC, rowid LIMIT ?",
            (HEADING_WEIGHT, anything, CANDIDATES),
        )
        found: list[Ranked] = []
        for number, score in rows:
            held = tuple(term for term in terms if number in holding[term])
            coverage = sum(weights[term] for term in held) / whole
            if coverage >= LEAST_COVERAGE and len(held) >= min(2, len(terms)):
                found.append(Ranked(number, score * coverage, coverage, held))
        return sorted(found, key=lambda one: (-one.score, one.number))

    def _weight(self, holders: int) -> float:
        rarity = math.log(1 + (self.count - holders + 0.5) / (holders + 0.5))
        return min(max(rarity, 0.3), _RARE)
