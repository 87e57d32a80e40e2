"""Pieces of prose opened for looking up in them what a model says it read there."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .draws import Draw, Piece, place_of
from .salience import tokens
from .source import MIN_CHARS, Found, Source, plain, readings
from .wording import STOP

ELSEWHERE_CHARS = 16
"""A quote this long is looked for in the other pieces, too: models mix up tags."""
MAX_QUOTE_CHARS = 2_000
"""A longer quote is looked up, and kept, so far."""
BORNE_OUT = 0.5
"""Of a claim's words so many must stand in its piece."""

_FIGURE = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a quote stands: a piece by number, characters of it, and whether the model had it a little wrong."""

    number: int
    start: int
    end: int
    altered: bool = False


class Shelf:
    """The pieces of one request, opened for looking quotes up in them."""

    def __init__(self, those: Sequence[Piece]) -> None:
        self.pieces = those
        self._sources = [Source(piece.text) for piece in those]
        self._words: dict[int, tuple[frozenset[str], frozenset[str]]] = {}

    def place(self, draw: Draw) -> Place | None:
        """Where its quote stands: in its piece, word for word in another, or closely in its piece."""
        own = place_of(draw.piece, len(self.pieces))
        written = draw.quote[:MAX_QUOTE_CHARS].strip()
        quotes = [quote for quote in (written, *readings(written)) if len(quote) >= MIN_CHARS]
        if own is not None and (place := self._exactly(quotes, own)):
            return place
        if len(written) >= ELSEWHERE_CHARS:
            for other in range(len(self.pieces)):
                if other != own and (place := self._exactly(quotes, other)):
                    return place
        return None if own is None else self._closely(quotes[1:], own)

    def bears_out(self, claim: str, number: int) -> bool:
        """Whether the piece has the claim's figures and at least half of its words."""
        if number not in self._words:
            text = self.pieces[number].text
            self._words[number] = (frozenset(_FIGURE.findall(text)), frozenset(tokens(text)))
        figures, words = self._words[number]
        said = set(tokens(claim)) - STOP
        return figures.issuperset(_FIGURE.findall(claim)) and len(said & words) >= BORNE_OUT * len(said)

    def _exactly(self, quotes: Iterable[str], n: int) -> Place | None:
        """The first of these that stands there: letter for letter, else as it is read."""
        source = self._sources[n]
        for quote in quotes:
            if (at := source.text.find(quote)) >= 0:
                return Place(n, at, at + len(quote))
            if found := source.find(quote) or source.elided(quote):
                return _placed(n, source, found)
        return None

    def _closely(self, quotes: Iterable[str], n: int) -> Place | None:
        for quote in quotes:
            found = self._sources[n].close(quote) if len(quote) >= 2 * MIN_CHARS else None
            if found:
                return _placed(n, self._sources[n], found, altered=True)
        return None


def _placed(n: int, source: Source, found: Found, *, altered: bool = False) -> Place | None:
    """Characters of the text itself: whole words where they are spelled otherwise than they are compared."""
    start, _, stop = source.characters(found)[1:].partition("-")
    words = source.text[int(start) : int(stop)].split() if stop else []
    if not words:
        return None
    before = found.start - (source.plain.rfind(" ", 0, found.start) + 1)
    space = source.plain.find(" ", found.end)
    after = (len(source.plain) if space < 0 else space) - found.end
    start_at = int(start) + (before if len(plain(words[0])) == len(words[0]) else 0)
    return Place(n, start_at, int(stop) - (after if len(plain(words[-1])) == len(words[-1]) else 0), altered)
