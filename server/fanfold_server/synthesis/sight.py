"""What workers were told, by tools and by pages, and whether a quote stands in it.

A source that is no file is named by whoever quotes it, in words of his own: the address of a page (`https://…`), a
tool (`docs__search`), its server (`docs`), a call (`t2.0`), or one of these and what was asked for (`docs:guide.md`).
What was told counts as that source's if it was told by that name; if it was asked for by it (a string among the
arguments); or, near where it says the name, if it only mentions it, as a list of search results does.

An answer that repeats what it was asked proves nothing by that: `No results for "so it is"`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from fanfold_workers.contract import UNKEPT, Evidence, Result, Verdict
from fanfold_workers.tools.files import join_place, split_place
from fanfold_workers.tools.legible import legible

from .source import MAX_SCANNED, MIN_CHARS, Source, plain, readings

NEAR_MENTION = 2_000
"""Characters between the mention of a source and a quote of it, in an answer that was not asked for that source."""
MAX_MENTIONS = 100
"""Of one name in one answer; a quote beyond the last one is not looked for."""
MIN_NAME_CHARS = 6
"""A shorter name is not looked for in texts: it stands everywhere."""
MAX_ESCAPED_CHARS = 4_000_000
_HEAD = re.compile(r"^(?:(?:mcp|tool|server)(?::/*|\s+))?([\w.-]+)[:(\s#?/@]*(.*?)\)?$", re.DOTALL | re.IGNORECASE)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"|\Z)', re.DOTALL)
"""A string of JSON. One that is never closed ends the search: else each quotation mark in it would begin one."""


@dataclass(frozen=True, slots=True)
class Told:
    """One answer of a tool, one page, or what a tool showed of one file.

    Attributes:
        text: what the worker saw of it.
        by: who told it: a tool's full name and its own, its server, the call (`t2.0`).
        about: what it is of: a place, the page's address, every string among the arguments; see `named`.
        asked: the arguments' words, one after the other.
        whole: whether `text` is all that the worker saw of it.
    """

    text: str
    by: frozenset[str] = frozenset()
    about: frozenset[str] = frozenset()
    asked: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """All that the workers of one subtask were told.

    Attributes:
        told: in the order in which it came.
        whole: whether nothing was left out for lack of room.
    """

    told: tuple[Told, ...] = ()
    whole: bool = True


def named(source: str) -> str:
    """A source as names are compared: an address with its host in lower case, no fragment, no slash at its end."""
    source = source.strip()
    if "://" not in source:
        return join_place(*split_place(source))
    try:
        parts = urlsplit(source)
    except ValueError:
        return source
    scheme = "https" if parts.scheme.lower() == "http" else parts.scheme.lower()
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}{query}"


def doubtful(evidence: Evidence) -> bool:
    """Whether what a worker was told may say more of a quote than a look at its source did."""
    open_ = evidence.verdict in (Verdict.unchecked, Verdict.missing)
    return open_ and evidence.quote not in ("", UNKEPT) and not evidence.source.startswith("text:")


def in_doubt(results: Iterable[Result]) -> frozenset[str]:
    """The subtasks with a quote of that sort."""
    return frozenset(r.subtask for r in results if any(doubtful(e) for f in r.findings for e in f.evidence))


@dataclass
class _Text:
    """One thing told, read for looking quotes up."""

    told: Told

    @cached_property
    def source(self) -> Source:
        """Its text, and once more what stands in it as strings of JSON."""
        text = self.told.text
        return Source("\n".join([text, *_unescaped(text)]), self.told.whole)

    @cached_property
    def asked(self) -> str:
        return plain(self.told.asked)

    def holds(self, quotes: Iterable[str]) -> bool:
        """Whether one of them stands in it."""
        return any(self.source.find(quote) for quote in quotes)

    def proves(self, quotes: Iterable[str]) -> bool:
        """Whether one of them stands in it that it does not merely repeat."""
        return self.holds(quote for quote in quotes if quote not in self.asked)

    def mentions(self, name: str) -> list[int]:
        """Where it says the name, up to a hundred times."""
        text, at, found = self.source.plain, -1, list[int]()
        while len(found) < MAX_MENTIONS and (at := text.find(name, at + 1)) >= 0:
            found.append(at)
        self.source.scanned += len(text)
        return found

    def tells(self, quotes: Iterable[str], near: Sequence[int]) -> bool:
        """Whether one of them stands near one of these characters of it, and is not merely repeated."""
        text = self.source.plain
        return any(
            text.find(quote, max(0, at - NEAR_MENTION), at + NEAR_MENTION) >= 0
            for quote in quotes
            if quote not in self.asked
            for at in near
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """What one source told, and where others mention it."""

    own: Sequence[_Text]
    mentions: Sequence[tuple[_Text, Sequence[int]]]


@dataclass
class Sight:
    """What the workers of one subtask saw, for looking quotes up in it. Blocking."""

    seen: Seen
    _texts: list[_Text] = field(init=False)
    _known: dict[str, _Source] = field(init=False, default_factory=dict[str, _Source])

    def __post_init__(self) -> None:
        self._texts = [_Text(told) for told in self.seen.told]

    @property
    def tired(self) -> bool:
        """Whether it was scanned as much as one source may be."""
        return sum(text.source.scanned for text in self._texts if "source" in text.__dict__) > MAX_SCANNED

    def showed(self, place: str, quote: str) -> bool:
        """Whether a tool showed the quote to the worker as part of that file."""
        wanted, quotes = named(place), readings(quote)
        return not self.tired and any(text.proves(quotes) for text in self._texts if wanted in text.told.about)

    def holds(self, quote: str) -> bool:
        """Whether the quote stands in anything of it, whoever told it."""
        quotes = readings(quote)
        return any(text.holds(quotes) for text in self._texts)

    def told(self, source: str, quote: str) -> tuple[Verdict, str]:
        """The verdict on a quote of that source, and what the source says in its place.

        verified: it stands in what the source told. altered: something close does. missing: nothing like it does,
        nor does it stand in anything else the worker saw, and all that the source told is here. Else unchecked.
        """
        quotes = [one for one in readings(quote) if len(one) >= MIN_CHARS]
        if not quotes or self.tired:
            return Verdict.unchecked, ""
        this = self._source(source)
        if any(text.proves(quotes) for text in this.own) or any(t.tells(quotes, near) for t, near in this.mentions):
            return Verdict.verified, ""
        if not this.own or self.holds(quote):
            return Verdict.unchecked, ""
        for text in this.own:
            if actual := _close(quotes[0], text.source):
                return Verdict.altered, actual
        whole = self.seen.whole and all(text.told.whole for text in this.own) and not self.tired
        return Verdict.missing if whole else Verdict.unchecked, ""

    def _source(self, source: str) -> _Source:
        if source not in self._known:
            self._known[source] = _Source(self._own(source), list(self._mentions(source)))
        return self._known[source]

    def _own(self, source: str) -> Sequence[_Text]:
        """What that source told."""
        name = named(source)
        if own := [text for text in self._texts if name in text.told.by or name in text.told.about]:
            return own
        head, rest = _parted(source)
        own, wanted = [text for text in self._texts if head in text.told.by], named(rest)
        return [text for text in own if rest and wanted in text.told.about] or own

    def _mentions(self, source: str) -> Iterator[tuple[_Text, list[int]]]:
        whole = source.strip()
        head, rest = _parted(source)
        for text in self._texts:
            for name in {whole, rest} if head in text.told.by else {whole}:
                if len(name) >= MIN_NAME_CHARS and (found := text.mentions(plain(name))):
                    yield text, found


def _parted(source: str) -> tuple[str, str]:
    """Who is named first in a source, and what of him: `docs:guide.md`."""
    match = _HEAD.match(source.strip())
    return (match[1], match[2].strip()) if match else ("", "")


def _close(quote: str, source: Source) -> str:
    """What comes close to the quote, or holds the parts of one that leaves something out; "" if nothing does."""
    found = source.close(quote) if len(quote) >= 2 * MIN_CHARS else None
    found = found or source.elided(quote)
    return source.plain[found.start : found.end] if found else ""


def _unescaped(text: str, deep: int = 2) -> Iterator[str]:
    """The strings of JSON in a text that are written otherwise than they read, and those of JSON within them."""
    if not deep or "\\" not in text:
        return
    for match in _STRING.finditer(text[:MAX_ESCAPED_CHARS]):
        if "\\" not in match[1]:
            continue
        with suppress(ValueError):
            value = legible(json.loads(f'"{match[1]}"', strict=False))
            yield value
            yield from _unescaped(value, deep - 1)
