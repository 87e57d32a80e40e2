"""The subtasks of one plan, priced by what is assumed and by what those like them took."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import exp, log

from .learning import Fitted, Sample, Spread, fit, level_of
from .observed import History, Observed
from .prices import FUNCTION, RULES, Piece, Taken, Terms, of_joining
from .schedule import MOST_DRAWS, makespan

VAGUE_TOKENS, VAGUE_SECONDS, VAGUE_RULES, VAGUE_JOINING, VAGUE_WALLS = 0.5, 0.9, 0.7, 0.5, 0.5
"""Variance of the logarithm of how far off the assumptions may be."""

PAST_DRAWS = 12
"""How often an earlier run is simulated."""

_Like = tuple[str, str, int, int]
"""What subtasks of one price have in common: their kind, and files and bytes in reach."""


class Book:
    """The subtasks of one plan, and what is known of those like them."""

    def __init__(self, terms: Terms, history: History, pieces: Sequence[Piece]) -> None:
        self.terms, self.history, self.pieces = terms, history, pieces
        self._sharing = terms.sharing(pieces)
        self._assumed: dict[_Like, Taken] = {}
        self.engines = tuple(dict.fromkeys(piece.engine for piece in pieces))
        self._samples = {engine: _samples(engine, terms, history) for engine in self.engines}
        self._fits: dict[tuple[str, str], Fitted] = {}

    def fitted(self, engine: str, what: str) -> Fitted:
        """What that engine is expected to take of `tokens`, `usd` or `seconds`."""
        if (engine, what) not in self._fits:
            runs = [[_sample(*pair, what) for pair in run] for run in self._samples[engine]]
            vague = VAGUE_RULES if engine == RULES else VAGUE_SECONDS if what == "seconds" else VAGUE_TOKENS
            self._fits[engine, what] = fit(runs, vague)
        return self._fits[engine, what]

    def _expected(self, pieces: Iterable[Piece], what: str) -> list[float]:
        """What each is expected to take in the median run; those that are alike are priced once."""
        likes = [(piece, (*piece.kind, piece.files, piece.bytes)) for piece in pieces]
        known: dict[_Like, float] = {}
        for piece, like in likes:
            if like not in known:
                if like not in self._assumed:
                    self._assumed[like] = self.terms.assumed(piece, self._sharing)
                assumed = getattr(self._assumed[like], what)
                known[like] = self.fitted(piece.engine, what).expected(piece.kind, piece.size, assumed)
        return [known[like] for _, like in likes]

    def tokens(self) -> Spread:
        """Of all workers."""
        return self._total("tokens")

    def usd(self) -> Spread:
        """Of all workers."""
        return self._total("usd")

    def _total(self, what: str) -> Spread:
        found = Spread()
        for engine in self.engines:
            if engine not in {RULES, FUNCTION}:
                mine = (piece for piece in self.pieces if piece.engine == engine)
                found += self.fitted(engine, what).total(self._expected(mine, what))
        return found

    def seconds(self) -> Spread:
        """From the first start to the last end."""
        known = [p for p in self.pieces if p.engine != FUNCTION or self.fitted(FUNCTION, "seconds").runs]
        if not known:
            return Spread()
        at = {piece.id: n for n, piece in enumerate(known)}
        waits = [[at[other] for other in piece.waits if other in at] for piece in known]
        mean, chance = self._makespan(known, self._expected(known, "seconds"), waits)
        levels, by_chance = self._walls({piece.engine for piece in known})
        fits = [self.fitted(engine, "seconds") for engine in dict.fromkeys(piece.engine for piece in known)]
        between, sure, level = max(fit.between for fit in fits), min(fit.sure for fit in fits), 0.0
        if levels:
            level, between = level_of(levels, by_chance, VAGUE_WALLS)
        return Spread(mean * exp(level - chance / 2), between + chance, sure)

    def _walls(self, engines: set[str]) -> tuple[list[float], list[float]]:
        """Logarithms of how long earlier runs took over what their subtasks would make of it, and variances of those.

        That has in it what stands between subtasks, and whatever slows all of them.
        """
        levels: list[float] = []
        by_chance: list[float] = []
        for past in self.history:
            pieces = [_of_past(one) for one in past.subtasks]
            whole = past.comparable and past.seconds and len(pieces) == past.ended
            if not (whole and {piece.engine for piece in pieces} <= engines):
                continue
            sharing = self.terms.sharing(pieces)
            expected = [
                self.fitted(p.engine, "seconds").expected(p.kind, p.size, self.terms.assumed(p, sharing).seconds)
                for p in pieces
            ]
            mean, chance = self._makespan(pieces, expected, [one.waits for one in past.subtasks], PAST_DRAWS)
            levels.append(log(past.seconds / mean) + chance / 2)
            by_chance.append(chance)
        return levels, by_chance

    def _makespan(
        self,
        pieces: Sequence[Piece],
        expected: Sequence[float],
        waits: Sequence[Sequence[int]],
        draws: int = MOST_DRAWS,
    ) -> tuple[float, float]:
        fits = {engine: self.fitted(engine, "seconds").alone for engine in {piece.engine for piece in pieces}}
        weighed = sum(fits[piece.engine] * one for piece, one in zip(pieces, expected, strict=True))
        return makespan(expected, waits, self.terms.places(pieces), weighed / sum(expected), draws)

    # -- planning and reports -------------------------------------------------------------------------------------

    def joining(self) -> tuple[Spread, Spread]:
        """Tokens and dollars of planning and of one report; nothing where no model does either."""
        terms = self.terms
        if not (terms.lead and terms.card and self.pieces):
            return Spread(), Spread()
        mine = of_joining(len(self.pieces), terms.lead, terms.card, planned=terms.planned)
        samples: list[tuple[Taken, Taken]] = []
        for past in self.history:
            if past.reports and past.joining_tokens:
                assumed = of_joining(past.ended, terms.lead, terms.card, planned=past.planned)
                # What a further report asked again was the less of it.
                samples.append((assumed, Taken(past.joining_tokens / past.reports, past.joining_usd / past.reports)))
        return self._joined("tokens", mine, samples), self._joined("usd", mine, samples)

    def _joined(self, what: str, mine: Taken, samples: Iterable[tuple[Taken, Taken]]) -> Spread:
        runs = [[Sample(("", ""), 0.0, getattr(a, what), getattr(took, what))] for a, took in samples]
        fitted = replace(fit(runs, VAGUE_JOINING), alone=0.0)
        return fitted.total([fitted.expected(("", ""), 0.0, getattr(mine, what))])

    # -- what it means --------------------------------------------------------------------------------------------

    def multiple(self, tokens: float, workers: float, whole: Piece | None) -> float:
        """How many times what one agent would take, who would read all there is; it takes no more than all do."""
        if not whole or not tokens or not workers:
            return 1.0
        assumed = self.terms.assumed(whole, 1.0).tokens
        one = self.fitted(whole.engine, "tokens").expected(whole.kind, whole.size, assumed)
        return round(tokens / min(one, workers), 1)


def _samples(engine: str, terms: Terms, history: History) -> list[list[tuple[Observed, Piece, Taken]]]:
    """What subtasks of that engine took, run by run, each with what would have been assumed of it."""
    found: list[list[tuple[Observed, Piece, Taken]]] = []
    for past in history:
        seen = [one for one in past.subtasks if one.engine == engine]
        pieces = [_of_past(one) for one in seen]
        sharing = terms.sharing(pieces)
        if seen:
            found.append([(one, p, terms.assumed(p, sharing)) for one, p in zip(seen, pieces, strict=True)])
    return found


def _of_past(one: Observed) -> Piece:
    return Piece("", one.engine, one.effort, one.checks, one.files, one.bytes)


def _sample(one: Observed, piece: Piece, assumed: Taken, what: str) -> Sample:
    return Sample(piece.kind, piece.size, getattr(assumed, what), float(getattr(one, what)), one.whole)
