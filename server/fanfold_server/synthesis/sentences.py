"""Cuts prose at its structure: into the stretches a finding may be drawn from, and into pieces to be read whole.

A stretch is a sentence, a list item or a table row. Pieces are as long as a reader takes at once, and tile the text.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

MAX_SENTENCE_CHARS = 600
"""A longer stretch without an end is cut at a space."""

_HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+\S")
_STARTER = re.compile(r"[ \t]*(?:[-*+\u2022]|\d{1,3}[.)])[ \t]+|[ \t]*[|>]")
_MARKER = re.compile(r"[\s>|*+\u2022-]+|\d{1,3}[.)]\s+")
_FENCE = re.compile(r"[ \t]{0,3}(?:```|~~~)")
_END = re.compile(r"[.!?\u2026][)\"'\u201d\u2019\]]*(?=\s+[^\sa-z])|[\u3002\uff01\uff1f]+[\u300d\u300f\u201d]*")
_SHORT = re.compile(
    r"(?:^|[\s(\"'\u201c])(?:[A-Z]|e\.g|i\.e|cf|vs|etc|approx|ca|Dr|Mr|Mrs|Ms|Prof|St|No|Nos|Fig|Figs|Vol|Jr|Sr|pp?|al)\.$"
)
_SOMETHING = re.compile(r"\w")
_FENCES = re.compile(r"^[ \t]{0,3}(?:```|~~~).*$", re.MULTILINE)
_BREAKS = (
    re.compile(r"\n(?=[ \t]{0,3}#{1,6}[ \t]+\S)"),
    re.compile(r"\n[ \t]*\n"),
    re.compile(r"\n"),
    _END,
    re.compile(r"\s"),
)
"""Where a piece may end, the best first: before a heading, at a blank line, a line's end, a sentence's, a space."""
LETTERS_A_TOKEN = 3
"""No text has more characters than this for each token, as tokens are counted."""


class Stretch(NamedTuple):
    """Characters of a text, end excluded; `heading` if it only names what follows, `code` if it is fenced."""

    start: int
    end: int
    heading: bool = False
    code: bool = False


def stretches(text: str) -> Iterator[Stretch]:
    """The stretches of a text in order, without the white space between them; each has a letter or a digit."""
    for block in _blocks(text):
        if block.heading or block.code:
            yield block
        else:
            yield from _sentences(text, block.start, block.end)


def _blocks(text: str) -> Iterator[Stretch]:
    """Paragraphs, list items, table rows, headings and fenced code: whole lines."""
    start, at, fenced = 0, 0, False
    while at <= len(text):
        newline = text.find("\n", at)
        after = len(text) + 1 if newline < 0 else newline + 1
        fence = _FENCE.match(text, at) is not None
        heading = not fenced and _HEADING.match(text, at) is not None
        blank = newline == at or not text[at : after - 1].strip()
        if fence or heading or (not fenced and (blank or _STARTER.match(text, at))):
            yield from _block(text, start, at, code=fenced)
            start = at
        if heading:
            yield from _block(text, at, after - 1, heading=True)
            start = after
        if fence:
            fenced, start = not fenced, after
        at = after
    yield from _block(text, start, len(text), code=fenced)


def _block(text: str, start: int, end: int, *, heading: bool = False, code: bool = False) -> Iterator[Stretch]:
    if marker := None if code else _MARKER.match(text, start, max(start, end)):
        start = marker.end()
    if heading:
        start += len(text[start:end]) - len(text[start:end].lstrip("# \t"))
    end = start + len(text[start:end].rstrip())
    if end > start and _SOMETHING.search(text, start, end):
        yield Stretch(start, end, heading, code)


def _sentences(text: str, start: int, end: int) -> Iterator[Stretch]:
    at = start
    for match in _END.finditer(text, start, end):
        if match.end() <= at:
            continue
        if text[match.start()] == "." and _SHORT.search(text, max(at - 1, match.start() - 8, 0), match.start() + 1):
            continue
        yield from _bounded(text, at, match.end())
        at = match.end()
    yield from _bounded(text, at, end)


def _bounded(text: str, start: int, end: int) -> Iterator[Stretch]:
    """The stretch without white space at its ends, cut at spaces into pieces that are not too long."""
    while end - start > MAX_SENTENCE_CHARS:
        cut = text.rfind(" ", start + MAX_SENTENCE_CHARS // 2, start + MAX_SENTENCE_CHARS)
        cut = cut if cut > 0 else start + MAX_SENTENCE_CHARS
        yield from _trimmed(text, start, cut)
        start = cut
    yield from _trimmed(text, start, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[Stretch]:
    part = text[start:end]
    start += len(part) - len(part.lstrip())
    end = start + len(part.strip())
    if end > start and _SOMETHING.search(text, start, end):
        yield Stretch(start, end)


def pieces(text: str, most: int, weigh: Callable[[str], int]) -> Iterator[tuple[int, int]]:
    """The text in pieces that tile it, as start and end, none heavier than `most` tokens (or one character).

    `weigh` counts tokens. A piece ends where the structure breaks in its second half, and never inside a word or a
    fenced block that a piece could hold.
    """
    fences = _fenced(text)
    at = 0
    while at < len(text):
        high = _reach(text, at, most, weigh)
        end = high if high == len(text) else _break(text, at, high, fences)
        yield at, end
        at = end


def halves(text: str) -> tuple[str, str]:
    """The text cut in two near its middle, where its structure breaks; the second is empty for one character."""
    at = _break(text, 0, max(1, len(text) * 2 // 3), _fenced(text))
    return text[:at], text[at:]


def _fenced(text: str) -> list[tuple[int, int]]:
    """Where fenced blocks begin and end; one that is never closed is none."""
    marks = list(_FENCES.finditer(text))
    return [(a.start(), b.end()) for a, b in zip(marks[::2], marks[1::2], strict=False)]


def _reach(text: str, at: int, most: int, weigh: Callable[[str], int]) -> int:
    """How far a piece may go."""
    length = min(len(text) - at, max(1, most) * LETTERS_A_TOKEN)
    while length > 1 and (weight := weigh(text[at : at + length])) > most:
        length = max(1, min(length * most // weight, length - length // 50 - 1))
    return at + length


def _break(text: str, at: int, high: int, fences: Sequence[tuple[int, int]]) -> int:
    """The best place to end a piece that begins at `at` and reaches to `high`."""
    fence = _around(high, fences)
    for pattern in _BREAKS:
        ends = [m.end() for m in pattern.finditer(text, at + (high - at) // 2, high)]
        if outside := [end for end in ends if not _around(end, fences)]:
            return outside[-1]
    if fence and fence[0] > at:
        return fence[0]
    for low, pattern in ((at + (high - at) // 2, _BREAKS[2]), (at + 1, _BREAKS[-1])):
        if ends := [m.end() for m in pattern.finditer(text, low, high)]:
            return ends[-1]
    return _between(text, at, high)


def _around(place: int, fences: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """The fenced block that a cut at the place would go through."""
    n = bisect_right(fences, (place, -1)) - 1
    return fences[n] if n >= 0 and fences[n][0] < place < fences[n][1] else None


def _between(text: str, at: int, high: int) -> int:
    """A cut through a word that no piece could hold: not before a mark that belongs to the character before."""
    for cut in range(high, max(at + 1, high - 16), -1):
        if cut == len(text) or not (unicodedata.combining(text[cut]) or text[cut] in "\u200d\ufe0f"):
            return cut
    return high
