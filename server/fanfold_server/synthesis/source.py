"""One source opened for looking quotes up in it: exactly, by a masked quote, or by what comes close.

What `plain` and `readings` do is all that a quote may differ in and still be verbatim.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from itertools import accumulate
from typing import Any

from rapidfuzz import fuzz

ALTERED_AT = 80.0
"""Similarity (rapidfuzz ratio, 0 to 100) from which something close counts as the quote, altered: at 80 a sentence
with a word or a figure changed passes, another sentence about the same thing does not."""
ALIGNED_AT = 50.0
"""Similarity of a stretch as long as the quote from which a longer or shorter one is tried."""
MIN_CHARS = 4
"""A shorter quote proves nothing by standing somewhere else than it says."""
MAX_PARTS, MAX_LEFT_OUT = 5, 400
"""Parts of a quote that leaves something out, and characters left out between two of them."""
MAX_MASKS = 16
"""Masked runs in one quote; more than that is not a quote."""
MAX_SCANNED = 20_000_000_000
"""Characters one source is scanned for all its quotes, about two seconds; what remains is left unchecked."""
PROBES, HITS, STARTS = 8, 12, 4
"""What is tried to find something close: pairs of words of the quote, places of each, beginnings they vote for."""
COST_OF_ALIGNING = 1_000_000
"""Characters of scanning that one alignment counts as: both take a tenth of a millisecond or so."""

_UNSHOWN = [*range(9), *range(0x0E, 0x1C), *range(0x7F, 0x85), *range(0x86, 0xA0), 0xFFFD]
_UNSEEN = [
    *(0xAD, 0x34F, 0x61C, 0x180E, 0xFE0E, 0xFE0F, 0xFEFF),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2065),
    *range(0x2066, 0x2070),
]
_PLAIN: dict[int, str | None] = {
    **dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u2032\u2039\u203a\u02bc\u00b4"), "'"),
    **dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033"), '"'),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"), "-"),
    **{0xFF01 + n: chr(0x21 + n) for n in range(94)},
    **{0xFB00 + n: letters for n, letters in enumerate(("ff", "fi", "fl", "ffi", "ffl", "st", "st"))},
    0x2026: "...",
    **dict.fromkeys(_UNSHOWN, " "),
    **dict.fromkeys(_UNSEEN, None),
}
_RE2: Any = import_module("re2")
"""It has no types. It counts in characters, as `re` does, and its time is linear whatever the pattern."""
_LINE = re.compile(r"\r\n|\r|\n")
_MASK = re.compile(r"\*{3,}")
_CUT = re.compile(r"^(?:\[\.\.\.\]|\.\.\.)\s*|\s*(?:\[\.\.\.\]|\.\.\.)$")
_LEFT_OUT = re.compile(r"\s*(?:\[\.\.\.\]|\(\.\.\.\)|(?<!\.)\.\.\.(?!\.))\s*")
_NUMBERED = re.compile(r"^[ \t]*(\d{1,7})(?:\t|[:-] ?|[ \t]*[|\u2502] ?)", re.MULTILINE)
_WRAPPED = re.compile(r"([\"'`]{1,3})(.+)\1")
_SHUT, _APART = (re.escape("".join(map(chr, those))) for those in (_UNSEEN, _UNSHOWN))
_WORDS = re.compile(rf"[{_SHUT}]*[^\s{_APART}{_SHUT}][^\s{_APART}]*")
"""Words of a text as its plain form has them."""


def plain(text: str) -> str:
    """The text as both sides are read, so that only what somebody reads makes a difference.

    - Runs of white space are one space. So are control codes and U+FFFD, which tools show in their place.
    - Typographic quotation marks and dashes, the ellipsis, full-width Latin and the ligatures ff to st are as they
      are typed plainly. Accents are composed (NFC).
    - Soft hyphens, zero-width characters, turns of direction and the choice between text and emoji are left out.

    All else is kept: case, digits, punctuation, signs. Not NFKC, since that makes 10\u00b2 read 102. Characters that
    carry text which nobody sees (tags, supplementary variation selectors) are kept too: a quote with words hidden in
    it is not what its source says.
    """
    text = " ".join(text.split())
    if text.isascii() and text.isprintable():
        return text
    return " ".join(unicodedata.normalize("NFC", text.translate(_PLAIN)).split())


@dataclass(frozen=True, slots=True)
class Found:
    """Where a quote stands: characters of the plain text, end excluded, and how like it is (100 is exact)."""

    start: int
    end: int
    likeness: float = 100.0


@dataclass
class Source:
    """The text of one source.

    Attributes:
        text: as it was read.
        whole: whether that is all of it.
        scanned: characters looked through so far.
    """

    text: str
    whole: bool = True
    scanned: int = 0
    _words: frozenset[str] | None = field(default=None, repr=False)

    @cached_property
    def starts(self) -> list[int]:
        """Where each line begins in the text; line n is the n-1st."""
        if "\r" in self.text:
            return [0, *(m.end() for m in _LINE.finditer(self.text))]
        lengths = map(len, self.text.split("\n")[:-1])
        return list(accumulate(lengths, lambda at, length: at + length + 1, initial=0))

    @cached_property
    def _lines(self) -> tuple[str, list[int]]:
        """All lines in one plain text, and where each begins in it."""
        begins: list[int] = []
        parts: list[str] = []
        at = 0
        for line in _LINE.split(self.text) if "\r" in self.text else self.text.split("\n"):
            begins.append(at)
            if text := plain(line):
                parts.append(text)
                at += len(text) + 1
        return " ".join(parts), begins

    @property
    def plain(self) -> str:
        """The whole text as quotes are compared with it."""
        return self._lines[0]

    @cached_property
    def _backwards(self) -> str:
        return self.plain[::-1]

    @property
    def tired(self) -> bool:
        """Whether it has been scanned as much as one source may be."""
        return self.scanned > MAX_SCANNED

    def window(self, locator: str, length: int) -> tuple[str, int]:
        """Plain text from the locator on, enough for a quote of that length, and how much of it is the locator's."""
        span = self.span(locator)
        if span is None:
            return "", 0
        start, end = span
        own = plain(self.text[start:end])
        return plain(self.text[start : max(end, min(end, start + 4 * length) + 2 * length + 200)]), len(own)

    def span(self, locator: str) -> tuple[int, int] | None:
        """Characters of the text that a locator names, or None if there are none such."""
        first, _, last = locator.replace("L", "").replace("c", "").partition("-")
        start, end = int(first[:12]), int((last or first)[:12])
        if locator.startswith("c"):
            return (start, min(end, len(self.text))) if start < min(end, len(self.text)) else None
        if not 1 <= start <= len(self.starts) or end < start:
            return None
        after = self.starts[end] if end < len(self.starts) else len(self.text)
        return self.starts[start - 1], after

    def lines(self, found: Found) -> str:
        """The locator, in lines, of what was found."""
        begins = self._lines[1]
        first, last = bisect_right(begins, found.start), bisect_right(begins, max(found.start, found.end - 1))
        return f"L{first}" if first == last else f"L{first}-L{last}"

    def characters(self, found: Found) -> str:
        """The locator, in characters of the text, of what was found: whole words, since white space may differ."""
        text, begins = self._lines
        line = bisect_right(begins, found.start) - 1
        before = text.count(" ", begins[line], found.start)
        words = text.count(" ", found.start, found.end)
        spans = list(_words_from(self.text, self.starts[line], before, words + 1))
        return f"c{spans[0][0]}-{spans[-1][1]}" if spans else ""

    def find(self, quote: str, near: int | None = None) -> Found | None:
        """The quote in full, at the place nearest to `near` (a character of the plain text), else the first."""
        if _MASK.search(quote):
            self.scanned += len(self.plain) * 3
            if found := masked(quote, self.plain):
                return found
        if not self._has_words_of(quote):
            return None
        self.scanned += len(self.plain)
        after = self.plain.find(quote, near or 0)
        before = self._before(quote, near + len(quote) - 1) if near else -1
        options = [at for at in (after, before) if at >= 0]
        if not options:
            return None
        at = min(options, key=lambda a: abs(a - (near or 0)))
        return Found(at, at + len(quote))

    def _before(self, quote: str, end: int) -> int:
        """Where the quote stands last before `end`, or -1. `rfind` may compare all of a quote at every character."""
        size = len(self.plain)
        at = self._backwards.find(quote[::-1], max(0, size - end))
        return size - at - len(quote) if at >= 0 else -1

    def elided(self, quote: str, near: int | None = None) -> Found | None:
        """Where a quote stands that leaves something out in the middle: its parts, in order and near each other."""
        parts = _LEFT_OUT.split(quote)
        if not 1 < len(parts) <= MAX_PARTS or min(map(len, parts)) < 2 * MIN_CHARS:
            return None
        first = self.find(parts[0], near)
        end = first.end if first else 0
        for part in parts[1:] if first else ():
            at = self.plain.find(part, end, end + MAX_LEFT_OUT + len(part))
            if at < 0:
                return None
            end = at + len(part)
        return Found(first.start, end, ALTERED_AT) if first else None

    def near(self, locator: str) -> int | None:
        """Where a locator begins in the plain text, or None if it names nothing there."""
        span = self.span(locator) if locator else None
        if span is None:
            return None
        return self._lines[1][bisect_right(self.starts, span[0]) - 1]

    def close(self, quote: str, near: int | None = None) -> Found | None:
        """What comes closest to the quote, if close enough: where the locator says, or where its words meet."""
        found = self._close(quote, near)
        if found or self.scanned > MAX_SCANNED or not self._folded:
            return found
        return self._folded._close(quote.lower(), near)

    @cached_property
    def _folded(self) -> "Source | None":
        """The plain text in lower case, unless that is longer: headings are quoted in another case than theirs."""
        low = self.plain.lower()
        words = frozenset(word.lower() for word in self.words)
        return Source(low, _words=words) if len(low) == len(self.plain) else None

    def _close(self, quote: str, near: int | None) -> Found | None:
        best: Found | None = None
        for start in [*([] if near is None else [near]), *self._likely(quote)]:
            self.scanned += COST_OF_ALIGNING
            found = _aligned(quote, self.plain, start)
            if found and (best is None or found.likeness > best.likeness):
                best = found
        return best

    @property
    def words(self) -> frozenset[str]:
        """Every word of the plain text."""
        if self._words is None:
            self._words = frozenset(self.plain.split(" "))
        return self._words

    def _has_words_of(self, quote: str) -> bool:
        """Whether each word within the quote (its ends may be cut) is there at all: quicker than a scan."""
        return all(word in self.words for word in quote.split(" ")[1:-1])

    def _likely(self, quote: str) -> list[int]:
        """Where the quote might begin: what the places of its longest words agree on."""
        votes: dict[int, int] = {}
        for word, offset in _probes(quote, self.words):
            for at in self._places(word):
                bucket = max(0, at - offset) // 32
                votes[bucket] = votes.get(bucket, 0) + len(word)
        best = sorted(votes, key=lambda b: (-votes[b] - votes.get(b + 1, 0), b))
        return [bucket * 32 for bucket in best[:STARTS]]

    def _places(self, word: str) -> Iterator[int]:
        at = -1
        for _ in range(HITS):
            last = at
            at = self.plain.find(word, at + 1)
            self.scanned += (len(self.plain) if at < 0 else at) - max(last, 0)
            if at < 0:
                return
            yield at


def trimmed(quote: str) -> str:
    """A quote as it is looked up: plain, less an ellipsis where it was cut."""
    return _CUT.sub("", _CUT.sub("", plain(quote)))


def readings(quote: str) -> list[str]:
    """The quote as it is looked up, first as it stands, then without what those who copy put around it.

    That is a pair of quotation marks or backticks around all of it, and `&lt;` where the source has `<`, as workers
    are shown strangers' tags.
    """
    first = plain(quote)
    wrapped = _WRAPPED.fullmatch(first)
    found = [first, wrapped[2]] if wrapped else [first]
    found += [text.replace("&lt;", "<") for text in found if "&lt;" in text]
    return [text for text in dict.fromkeys(map(trimmed, found)) if text]


def numbered(quote: str) -> tuple[str, str]:
    """A quote copied with a number before each line: the quote without them, and the locator that they make.

    ("", "") if it is not one. It counts only where it stands at just these lines: `404: none` is no quote of
    `403: none`.
    """
    numbers = [int(number) for number in _NUMBERED.findall(quote)]
    lines = sum(bool(line.strip()) for line in quote.split("\n"))
    if not numbers or len(numbers) != lines or numbers != sorted(set(numbers)):
        return "", ""
    return trimmed(_NUMBERED.sub("", quote)), f"L{numbers[0]}-L{numbers[-1]}"


def masked(quote: str, text: str) -> Found | None:
    """Where a masked quote stands in a plain text; None also where too little is left of it or it is not a quote."""
    parts = _MASK.split(quote)
    if not 1 < len(parts) <= MAX_MASKS + 1 or len("".join(parts).replace(" ", "")) < MIN_CHARS:
        return None
    options = _RE2.Options()
    options.log_errors = False
    match = _RE2.compile(r"\S+".join(_RE2.escape(part) for part in parts), options).search(text)
    return Found(match.start(), match.end()) if match else None


def _probes(quote: str, words: frozenset[str]) -> list[tuple[str, int]]:
    """The longest pairs of neighbouring words that the source has, with where they stand in the quote."""
    found: dict[str, int] = {}
    at = 0
    parts = quote.split(" ")
    for word, after in zip(parts, parts[1:] or [""], strict=False):
        if word in words and (not after or after in words):
            found.setdefault(f"{word} {after}".strip(), at)
        at += len(word) + 1
    return sorted(found.items(), key=lambda item: (-len(item[0]), item[1]))[:PROBES]


def _aligned(quote: str, text: str, start: int) -> Found | None:
    """The stretch around a likely beginning that is most like the quote."""
    low, high = max(0, start - 48), min(len(text), start + len(quote) + 96)
    window = text[low:high]
    if len(quote) <= 64:
        found = fuzz.partial_ratio_alignment(quote, window, score_cutoff=ALIGNED_AT)
        return _fitted(quote, text, low + found.dest_start, low + found.dest_end) if found else None
    if len(_words_of(quote) & _words_of(window)) < len(_words_of(quote)) / 2:
        return None
    options = range(0, max(1, len(window) - len(quote) + 1), 8)
    scored = [(fuzz.ratio(quote, window[o : o + len(quote)], score_cutoff=ALTERED_AT), -o) for o in options]
    score, offset = max(scored)
    if score < ALTERED_AT:
        return None
    return _snapped(text, low - offset, min(len(text), low - offset + len(quote)), score)


def _fitted(quote: str, text: str, start: int, end: int) -> Found | None:
    """The stretch of any length that is most like a short quote: words may have been left out of it, or put in."""
    spare, least = len(quote) // 3, len(quote) * 17 // 20  # less is a part of it, and the rest may be invented
    starts = range(max(0, start - spare), max(start, end - least) + 1)
    first = max(starts, key=lambda s: (fuzz.ratio(quote, text[s:end]), -abs(s - start)))
    ends = range(first + least, min(len(text), end + spare) + 1)
    last = max(ends, default=end, key=lambda e: (fuzz.ratio(quote, text[first:e]), -abs(e - end)))
    score = fuzz.ratio(quote, text[first:last], score_cutoff=ALTERED_AT)
    return _snapped(text, first, last, score) if score else None


def _words_of(text: str) -> set[str]:
    return set(text.split(" "))


def _snapped(text: str, start: int, end: int, likeness: float) -> Found:
    """The stretch, widened to whole words."""
    while start < end and text[start] == " ":
        start += 1
    while end > start and text[end - 1] == " ":
        end -= 1
    start = text.rfind(" ", max(0, start - 40), start + 1) + 1 or start if start else 0
    after = text.find(" ", end - 1, end + 40)
    return Found(start, after if after >= end else end if end < len(text) - 40 else len(text), likeness)


def _words_from(text: str, start: int, skip: int, count: int) -> Iterator[tuple[int, int]]:
    for n, match in enumerate(_WORDS.finditer(text, start)):
        if n >= skip + count:
            return
        if n >= skip:
            yield match.span()
