"""Named directories that workers may read: the one seam to files.

All calls are blocking; a Toolbox runs them aside. Paths are relative, with forward slashes, `""` for the root.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from fanfold_workers.errors import ScopeError, UnknownNameError

MAX_READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """A regular file under a root: its relative path and its size in bytes."""

    path: str
    size: int


class Root(Protocol):
    """A named directory. Nothing outside it can be reached, whatever the path says or links point to."""

    @property
    def name(self) -> str:
        """How tasks and evidence call it."""
        ...

    def walk(self, under: str = "", /) -> Iterator[File]:
        """The regular files at or below a path, in sorted order, less what .gitignore files and VCS folders hide.

        Raises:
            UnknownNameError: if there is nothing of that name.
        """
        ...

    def children(self, under: str = "", /) -> list[str]:
        """Names directly below a folder, sorted, folders with a trailing `/`, hidden ones left out.

        Raises:
            UnknownNameError: if it is not a folder.
        """
        ...

    def read(self, path: str, /, limit: int = MAX_READ_BYTES) -> bytes:
        """At most `limit` bytes from the start of a regular file.

        Raises:
            UnknownNameError: if it is not there, or not a regular file.
            ScopeError: if the path tries to leave the root.
        """
        ...


@dataclass(frozen=True, slots=True)
class MemoryRoot:
    """A Root made of a dict of texts: for scripts, and for tests in virtual time."""

    name: str
    files: Mapping[str, str]

    def walk(self, under: str = "", /) -> Iterator[File]:
        """See Root."""
        inside = f"{under}/" if under else ""
        found = sorted(p for p in self.files if p == under or p.startswith(inside))
        if not found:
            msg = f"{self.name}:{under} is not there."
            raise UnknownNameError(msg, remedy="List the root for what is.")
        for path in found:
            yield File(path, len(self.files[path].encode()))

    def children(self, under: str = "", /) -> list[str]:
        """See Root."""
        inside = f"{under}/" if under else ""
        rest = [p.removeprefix(inside) for p in self.files if p.startswith(inside)]
        if not rest:
            msg = f"{self.name}:{under} is not a folder."
            raise UnknownNameError(msg, remedy="List the root for what is.")
        return sorted({head + slash for head, slash, _ in (p.partition("/") for p in rest) if head[:1] != "."})

    def read(self, path: str, /, limit: int = MAX_READ_BYTES) -> bytes:
        """See Root."""
        if ".." in path.split("/") or path.startswith("/"):
            msg = f"{path} leaves the root {self.name}."
            raise ScopeError(msg, remedy="Name a path below the root.")
        if path not in self.files:
            msg = f"{self.name}:{path} is not there."
            raise UnknownNameError(msg, remedy="List the folder for what is.")
        return self.files[path].encode()[:limit]
