"""Cuts prose at its structure into the stretches a finding may be drawn from: sentences, list items, table rows."""

import re
from collections.abc import Iterator
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
        if match.end() <= at or _SHORT.search(text, max(at - 1, match.start() - 8, 0), match.start() + 1):
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
