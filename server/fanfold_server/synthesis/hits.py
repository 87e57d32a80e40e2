"""From what a model drew to findings: each stands where its quote stands, and what stands nowhere is left out."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from fanfold_server.records import Span
from fanfold_workers.aside import stop_if_abandoned
from fanfold_workers.contract import Evidence, Finding, Severity, Verdict
from fanfold_workers.tools.legible import in_line

from .desk import reason_of
from .draws import Draw, Heard, Reading
from .shelf import MAX_QUOTE_CHARS, Place, Shelf
from .texts import BESIDE, KIND, MAX_SPANS, Drawn, drawn

MAX_CLAIM_CHARS = 2_000
MAX_REASONS = 3

_SOMETHING = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Hit:
    """A finding, and which characters of its text it quotes.

    Attributes:
        start, end: of the quote.
        finding: what is said.
        broken: the number, from 1, of the answer that it is from, if that one broke off; else 0.
    """

    start: int
    end: int
    finding: Finding
    broken: int = 0


@dataclass
class Gathering:
    """Makes one reading of all answers, whatever the order in which they came.

    Attributes:
        question, texts, max_chars, beside: see drawn_by_model.
        hits: by text.
        quotes, altered, nowhere: quotes of the model, those put right, those that were left out.
    """

    question: str
    texts: Mapping[str, str]
    max_chars: int
    beside: frozenset[str]
    hits: dict[str, list[Hit]] = field(default_factory=dict[str, list[Hit]])
    quotes: int = 0
    altered: int = 0
    nowhere: int = 0

    def reading(self, heard: Sequence[Heard]) -> Reading:
        """The reading. Blocking: about a second for each 3 MB that rules draw from, or 5,000 quotes."""
        self.hits = {name: [] for name in self.texts}
        for number, one in enumerate(heard, 1):
            self._look_up(one, number if one.broken else 0)
        unread = [one for one in heard if one.draws is None]
        self._draw_unread(unread)
        silent = self._draw_silent({piece.name for one in unread for piece in one.pieces})
        found = {name: _distinct(hits) for name, hits in self.hits.items()}
        return Reading(
            Drawn(
                {name: tuple(hit.finding for hit in hits) for name, hits in found.items()},
                {name: tuple(_spans(name, len(self.texts[name]), hits)) for name, hits in found.items()},
            ),
            tuple(self._remarks(unread, silent)),
        )

    def _look_up(self, heard: Heard, broken: int) -> None:
        shelf = Shelf(heard.pieces)
        for draw in heard.draws or ():
            stop_if_abandoned()
            self.quotes += 1
            place = shelf.place(draw)
            hit = place and self._hit(draw, place, shelf)
            if not (place and hit):
                self.nowhere += 1
                continue
            self.altered += place.altered
            self.hits[shelf.pieces[place.number].name].append(replace(hit, broken=broken))

    def _hit(self, draw: Draw, place: Place, shelf: Shelf) -> Hit | None:
        """The finding; its claim gives way to the quote where the text does not bear it out."""
        piece = shelf.pieces[place.number]
        start, end = _trimmed(piece.text, place.start, place.end)
        if not _SOMETHING.search(piece.text, start, end):
            return None
        start, end = piece.start + start, piece.start + end
        quote = self.texts[piece.name][start:end]
        told = "" if place.altered else _line(draw.claim, MAX_CLAIM_CHARS)
        claim = told if told and shelf.bears_out(told, place.number) else " ".join(quote.split())
        attribute, value = _line(draw.attribute, 100), _line(draw.value, 300)
        stands = value.casefold() in quote.casefold() if place.altered else shelf.bears_out(value, place.number)
        kept = bool(attribute and value and stands)
        finding = Finding(
            kind=KIND,
            subject=_line(draw.subject, 300) or claim[:60],
            claim=claim,
            attribute=attribute if kept else "",
            value=value if kept else "",
            severity=Severity(draw.severity),
            confidence=round(draw.confidence * (BESIDE if piece.name in self.beside else 1.0), 4),
        )
        return _quoting(finding, piece.name, start, end, quote)

    def _draw_unread(self, unread: Iterable[Heard]) -> None:
        """Draw by rules from what the model could not read, neighbouring pieces together."""
        stretches: list[tuple[str, int, int]] = []
        order = {name: n for n, name in enumerate(self.texts)}
        pieces = chain.from_iterable(one.pieces for one in unread)
        for piece in sorted(pieces, key=lambda piece: (order[piece.name], piece.start)):
            name, start, end = stretches[-1] if stretches else ("", 0, -1)
            if (name, end) == (piece.name, piece.start):
                stretches[-1] = (name, start, piece.end)
            else:
                stretches.append((piece.name, piece.start, piece.end))
        if stretches:
            self._draw(stretches)

    def _draw_silent(self, unread: set[str]) -> int:
        """Draw one sentence by rules of each text in which the model saw nothing; how many those are."""
        spoken = {name for name, hits in self.hits.items() if hits} | self.beside | unread
        names = [name for name, text in self.texts.items() if name not in spoken and _SOMETHING.search(text)]
        silent = [(name, 0, len(self.texts[name])) for name in names]
        if silent:
            self._draw(silent, most=1, beside=frozenset(names))
        return len(silent)

    def _draw(
        self, stretches: Sequence[tuple[str, int, int]], most: int = MAX_SPANS, beside: frozenset[str] = frozenset()
    ) -> None:
        texts = {str(n): self.texts[name][start:end] for n, (name, start, end) in enumerate(stretches)}
        less = frozenset(str(n) for n, (name, _, _) in enumerate(stretches) if name in beside | self.beside)
        came = drawn(self.question, texts, max_chars=self.max_chars, beside=less)
        for n, (name, start, stop) in enumerate(stretches):
            quoted = [hit for hit in self.hits[name] if hit.start < stop and start < hit.end]
            for span in came.spans[str(n)]:
                at, end = start + span.start, start + span.end
                told = any(hit.start < end and at < hit.end for hit in quoted)
                if span.finding and int(span.finding) <= most and not told:
                    finding = came.findings[str(n)][int(span.finding) - 1]
                    self.hits[name].append(_quoting(finding, name, at, end, self.texts[name][at:end]))

    def _remarks(self, unread: Sequence[Heard], silent: int) -> Iterator[str]:
        if self.nowhere:
            yield f"{self.nowhere:,} of {self.quotes:,} quotes stand in no text and were left out."
        if self.altered:
            yield f"{self.altered:,} of {self.quotes:,} quotes were put right by what the text says."
        chars: dict[str, int] = {}
        for one in unread:
            told = reason_of(one.why)
            told = told if told in chars or len(chars) < MAX_REASONS else "of other failures"
            chars[told] = chars.get(told, 0) + sum(len(piece.text) for piece in one.pieces)
        for told, length in chars.items():
            yield f"{length:,} characters were drawn from by rules: {told.rstrip('.')}."
        if silent:
            which, whose = ("a text", "it") if silent == 1 else (f"{silent:,} texts", "each")
            yield f"The model drew nothing from {which}; rules drew one sentence of {whose}."


def _line(text: str, most: int) -> str:
    return in_line(" ".join(text.split()), most).strip()


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends, and no longer than a quote may be."""
    if end - start > MAX_QUOTE_CHARS:
        cut = text.rfind(" ", start + 1, start + MAX_QUOTE_CHARS)
        end = cut if cut > 0 else start + MAX_QUOTE_CHARS
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def _quoting(finding: Finding, name: str, start: int, end: int, quote: str) -> Hit:
    evidence = Evidence(source=f"text:{name}", locator=f"c{start}-{end}", quote=quote, verdict=Verdict.verified)
    return Hit(start, end, finding.model_copy(update={"evidence": (evidence,)}))


def _distinct(hits: Iterable[Hit]) -> list[Hit]:
    """In the order of the text, the surest first of those with the same quote; each fact of a quote once.

    What is from an answer that broke off comes after what is from a whole one.
    """
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start, h.end, h.broken, -h.finding.confidence)):
        beside = [one for one in kept[-20:] if (one.start, one.end) == (hit.start, hit.end)]
        if not any(_same(one, hit) for one in beside):
            kept.append(hit)
    return kept


def _same(kept: Hit, hit: Hit) -> bool:
    """Whether a fact of a quote is there already; asked again, a model says the same in other words."""
    one, other = kept.finding, hit.finding
    if (one.attribute.casefold(), one.value.casefold()) != (other.attribute.casefold(), other.value.casefold()):
        return False
    again = kept.broken != hit.broken
    return (
        again or one.subject.casefold() == other.subject.casefold() or one.claim.casefold() == other.claim.casefold()
    )


def _spans(name: str, length: int, hits: Sequence[Hit]) -> Iterator[Span]:
    """The text as spans that tile it. Where quotes overlap the shortest has it, of the same one the first."""
    edges = sorted({0, length, *(hit.start for hit in hits), *(hit.end for hit in hits)})
    place = {edge: n for n, edge in enumerate(edges)}
    owners = [""] * (len(edges) - 1)
    for number, hit in sorted(enumerate(hits, 1), key=lambda item: (item[1].start - item[1].end, -item[0])):
        low, high = place[hit.start], place[hit.end]
        owners[low:high] = [str(number)] * (high - low)
    at = 0
    for n, end in enumerate(edges[1:]):
        if n + 1 == len(owners) or owners[n + 1] != owners[n]:
            yield Span(text=f"text:{name}", start=edges[at], end=end, finding=owners[n])
            at = n + 1
