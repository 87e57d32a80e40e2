"""The files a scope allows, over any number of roots: every tool reads through this and nothing else."""

import codecs
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fanfold_workers.errors import ScopeError, UnknownNameError

from .ignoring import glob as matcher
from .legible import in_line
from .roots import MAX_READ_BYTES, Root

PIECE_BYTES = 1024 * 1024
MAX_PAGED_BYTES = 256 * 1024 * 1024
"""How far into a file `pieces` goes."""


def split_place(place: str) -> tuple[str, str]:
    """Root name and relative path of a place, the path without empty and `.` parts."""
    root, _, path = place.partition(":")
    return root, "/".join(part for part in path.split("/") if part not in {"", "."})


def join_place(root: str, path: str) -> str:
    """The place of a path under a root."""
    return f"{root}:{path}" if path else root


@dataclass(frozen=True, slots=True)
class Document:
    """A file within a scope: its place (`root:path`) and its size in bytes."""

    place: str
    size: int

    @property
    def path(self) -> str:
        """The path below its root."""
        return split_place(self.place)[1]


@dataclass(frozen=True, slots=True)
class Files:
    """What a scope's places allow to be read. Calls block; see Toolbox.

    Attributes:
        roots: every configured root by its name.
        places: what this scope holds of them.
    """

    roots: Mapping[str, Root]
    places: tuple[str, ...]
    _tops: frozenset[tuple[str, str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tops", frozenset(map(split_place, self.places)))

    def walk(self, under: str = "", glob: str = "") -> Iterator[Document]:
        """Every file in scope (or at or below one place of it), each once, in sorted order per place.

        With a `glob` (`*.py`, `/docs/**/*.md`, `*.{js,ts}`) only those it matches, counted from the place that
        holds them; folders that could not be looked into (see roots.File) always come along.

        Raises:
            ScopeError: if `under` is outside the scope.
            UnknownNameError: if a place does not exist.
            InputError: if the glob is malformed.
        """
        wanted = matcher(glob) if glob else None
        for place in (under,) if under else self._disjoint():
            root, path = self._within(place)
            for file in root.walk(path):
                if wanted is None or file.path.endswith("/") or wanted(_below(path, file.path)):
                    yield Document(join_place(root.name, file.path), file.size)

    def read(self, place: str, limit: int = MAX_READ_BYTES, offset: int = 0) -> bytes:
        """At most `limit` bytes of a file in scope, from the byte at `offset`.

        Raises:
            ScopeError: if it is outside the scope.
            UnknownNameError: if it is not a regular file that exists and may be read.
        """
        root, path = self._within(place)
        return root.read(path, limit, offset)

    def text(self, place: str, limit: int = MAX_READ_BYTES) -> str | None:
        """The file as text, or None if it is binary (a NUL among its first 8,192 characters).

        UTF-8, or UTF-16 with its mark; bad bytes become U+FFFD, the mark goes, and every line ends in one
        newline, so that line n is the n-th of `text.split("\\n")`, as Python, editors and grep count them. At
        most `limit` bytes are read; a character cut by that is left out.

        Raises:
            ScopeError, UnknownNameError: as `read`.
        """
        data = self.read(place, limit)
        return _decoded(data, _decoder(data), last=len(data) < limit)

    def pieces(self, place: str, size: int = PIECE_BYTES) -> Iterator[str | None]:
        """The file as `text` gives it, in pieces of `size` bytes, up to 256 MB; a lone None if it is binary.

        Raises:
            ScopeError, UnknownNameError: as `read`.
        """
        data = self.read(place, size)
        decoder = _decoder(data)
        for offset in range(size, MAX_PAGED_BYTES + 1, size):
            ended = len(data) < size
            piece = _decoded(data, decoder, last=ended, first=offset == size)
            yield piece
            if ended or piece is None:
                return
            data = self.read(place, size, offset)

    def _disjoint(self) -> Iterator[str]:
        """The places in order, less those that lie below another."""
        for name, path in dict.fromkeys(map(split_place, self.places)):
            if not any((name, above) in self._tops for above in _above(path)):
                yield join_place(name, path)

    def _within(self, place: str) -> tuple[Root, str]:
        name, path = split_place(place)
        held = (name, path) in self._tops or any((name, above) in self._tops for above in _above(path))
        if not held or ".." in path.split("/"):
            msg = f"{in_line(place)} is outside this scope."
            allowed = ", ".join(in_line(each) for each in self.places[:5])
            raise ScopeError(msg, field="place", remedy=f"Stay within {allowed}." if allowed else _NO_PLACES)
        if name not in self.roots:
            msg = f"There is no root called {name}."
            raise UnknownNameError(msg, field="place", remedy=_known(self.roots))
        return self.roots[name], path


def _above(path: str) -> Iterator[str]:
    """The folders above a path, the root's "" first."""
    if path:
        yield ""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def _below(top: str, path: str) -> str:
    """The path counted from `top`; a file that is its own top keeps its name."""
    return path.rpartition("/")[2] if path == top else path[len(top) + 1 :] if top else path


def _decoder(head: bytes) -> io.IncrementalNewlineDecoder:
    name = "utf-16" if head[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} else "utf-8-sig"
    return io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(name)("replace"), translate=True)


def _decoded(data: bytes, decoder: io.IncrementalNewlineDecoder, *, last: bool, first: bool = True) -> str | None:
    text = decoder.decode(data, last)
    return None if first and "\0" in text[:8192] else text


def _known(roots: Mapping[str, Root]) -> str:
    return f"Use one of: {', '.join(sorted(roots))}." if roots else "Configure one with --root NAME=DIR."


_NO_PLACES = "Ask for a scope with places: this one has none."
