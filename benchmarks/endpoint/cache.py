"""Prompt cache accounting: which part of the input a request reads, which it writes, and which is neither."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from benchmarks.endpoint.tokens import HOUR, Piece

LOOK_BACK = 20
"""Pieces before a breakpoint in which an earlier entry is still found."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A prefix that may be cached: its hash, its tokens, and for how many seconds."""

    key: str
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Split:
    """Where the input tokens of a request come from.

    Attributes:
        plain: neither read from the cache nor written to it.
        read, written: from and to it.
        entries: what the cache holds once this request's answer has begun.
    """

    plain: int
    read: int = 0
    written: int = 0
    entries: tuple[Entry, ...] = ()

    @property
    def hour(self) -> int:
        """How much of what is written lives an hour."""
        return self.written if self.entries and self.entries[-1].seconds >= HOUR else 0


@dataclass(slots=True)
class Cache:
    """The prompt cache of one endpoint: what it holds, by hash, and until when."""

    seconds: float
    _until: dict[str, float] = field(default_factory=dict[str, float])

    def split(self, parts: Sequence[Piece], minimum: int, now: float) -> Split:
        """How a request's input is billed that is looked up now. What it reads lives on from now."""
        whole = sum(part.tokens for part in parts)
        if not any(part.mark for part in parts):
            return Split(whole)
        prefixes = _prefixes(parts, self.seconds)
        marked = [n for n, part in enumerate(parts) if part.mark and prefixes[n].tokens >= minimum]
        if not marked:
            return Split(whole)
        found = max((n for n in _near(marked) if self._until.get(prefixes[n].key, 0) > now), default=None)
        read, last = 0, prefixes[marked[-1]].tokens
        if found is not None:
            self._keep(prefixes[found], now)
            read = prefixes[found].tokens
        return Split(whole - last, read, last - read, tuple(prefixes[n] for n in marked))

    def begin(self, split: Split, now: float) -> None:
        """The answer has begun: from now on others can read what its request wrote."""
        for entry in split.entries:
            self._keep(entry, now)

    def _keep(self, entry: Entry, now: float) -> None:
        self._until[entry.key] = max(self._until.get(entry.key, 0), now + entry.seconds)


def _prefixes(parts: Sequence[Piece], seconds: float) -> list[Entry]:
    """For each piece, everything up to it."""
    found: list[Entry] = []
    hashed, tokens = blake2b(digest_size=16), 0
    for part in parts:
        hashed.update(json.dumps(part.content, separators=(",", ":")).encode() + b"\0")
        tokens += part.tokens
        lives = HOUR if part.mark and part.mark.get("ttl") == "1h" else seconds
        found.append(Entry(hashed.hexdigest(), tokens, lives))
    return found


def _near(marked: Sequence[int]) -> set[int]:
    """The pieces at which an entry is looked for."""
    return {n for mark in marked for n in range(max(0, mark - LOOK_BACK), mark + 1)}
