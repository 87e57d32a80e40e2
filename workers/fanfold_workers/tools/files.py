"""The files a scope allows, over any number of roots: every tool reads through this and nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fanfold_workers.errors import ScopeError, UnknownNameError

from .roots import MAX_READ_BYTES, Root


def split_place(place: str) -> tuple[str, str]:
    """Root name and relative path of a place, the path without slashes at its ends."""
    root, _, path = place.partition(":")
    return root, path.strip("/")


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

    def walk(self, under: str = "") -> Iterator[Document]:
        """Every file in scope (or at or below one place of it), each once, in sorted order per place.

        Raises:
            ScopeError: if `under` is outside the scope.
            UnknownNameError: if a place does not exist.
        """
        seen: set[str] = set()
        for place in (under,) if under else self.places:
            root, path = self._within(place)
            for file in root.walk(path):
                found = join_place(root.name, file.path)
                if found not in seen:
                    seen.add(found)
                    yield Document(found, file.size)

    def read(self, place: str, limit: int = MAX_READ_BYTES) -> bytes:
        """At most `limit` bytes from the start of a file in scope.

        Raises:
            ScopeError: if it is outside the scope.
            UnknownNameError: if it is not a regular file that exists.
        """
        root, path = self._within(place)
        return root.read(path, limit)

    def text(self, place: str, limit: int = MAX_READ_BYTES) -> str | None:
        """The file as text (UTF-8, bad bytes replaced), or None if it is binary (a NUL in its first 8 kB)."""
        data = self.read(place, limit)
        return None if b"\0" in data[:8192] else data.decode("utf-8", "replace")

    def _within(self, place: str) -> tuple[Root, str]:
        name, path = split_place(place)
        if not any(_covers(allowed, name, path) for allowed in self.places):
            msg = f"{place} is outside this scope."
            raise ScopeError(msg, remedy=f"Stay within {', '.join(self.places[:5])}.")
        if name not in self.roots:
            msg = f"There is no root called {name}."
            raise UnknownNameError(msg, field="place", remedy=_known(self.roots))
        return self.roots[name], path


def _covers(allowed: str, name: str, path: str) -> bool:
    root, top = split_place(allowed)
    return root == name and (not top or path == top or path.startswith(f"{top}/"))


def _known(roots: Mapping[str, Root]) -> str:
    return f"Use one of: {', '.join(sorted(roots))}." if roots else "Configure one with --root NAME=DIR."
