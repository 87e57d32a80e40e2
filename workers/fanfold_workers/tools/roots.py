"""Named directories that workers may read: the one seam to files.

All calls are blocking; a Toolbox runs them aside. Paths are relative, with forward slashes, `""` for the root.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from fanfold_workers.errors import ScopeError, UnknownNameError

from .legible import in_line

MAX_READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """A regular file under a root: its relative path and its size in bytes.

    A folder that could not be looked into stands in a walk as one File too: its path ends in `/`, and reading
    it says why. So whoever counts what he walks and what he could read counts it among what he could not.
    """

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
            ScopeError: if the path tries to leave the root.
        """
        ...

    def children(self, under: str = "", /) -> list[str]:
        """Names directly below a folder, sorted, folders with a trailing `/`, hidden ones left out.

        Raises:
            UnknownNameError: if it is not a folder.
            ScopeError: if the path tries to leave the root.
        """
        ...

    def read(self, path: str, /, limit: int = MAX_READ_BYTES, offset: int = 0) -> bytes:
        """At most `limit` bytes of a regular file, from the byte at `offset`.

        Raises:
            UnknownNameError: if it is not there, not a regular file, or may not be read.
            ScopeError: if the path tries to leave the root.
        """
        ...


def inner_path(root: str, path: str) -> str:
    """The path below a root without empty and `.` parts; `""` for the root itself.

    Raises:
        ScopeError: if it is absolute or holds a `..`.
        UnknownNameError: if no file can have such a name.
    """
    parts = path.split("/")
    if path.startswith("/") or ".." in parts:
        msg = f"{in_line(path)} leaves the root {root}."
        raise ScopeError(msg, field="place", remedy="Name a path below the root, without `..`.")
    if "\0" in path or not _is_text(path):
        raise not_there(root, path, "is no name a file can have.")
    return "/".join(part for part in parts if part not in {"", "."})


def not_there(root: str, path: str, why: str = "is not there.") -> UnknownNameError:
    """The error for a path that names nothing readable."""
    msg = f"{root}:{in_line(path)} {why}"
    return UnknownNameError(msg, field="place", remedy="List the folder for what is.")


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class MemoryRoot:
    """A Root made of a dict of texts: for scripts, and for tests in virtual time."""

    name: str
    files: Mapping[str, str]

    def walk(self, under: str = "", /) -> Iterator[File]:
        """See Root."""
        top = inner_path(self.name, under)
        inside = f"{top}/" if top else ""
        found = sorted(p for p in self.files if p == top or p.startswith(inside))
        if not found:
            raise not_there(self.name, under)
        for path in found:
            yield File(path, len(self.files[path].encode()))

    def children(self, under: str = "", /) -> list[str]:
        """See Root."""
        top = inner_path(self.name, under)
        inside = f"{top}/" if top else ""
        rest = [p.removeprefix(inside) for p in self.files if p.startswith(inside)]
        if not rest:
            raise not_there(self.name, under, "is not a folder.")
        return sorted({head + slash for head, slash, _ in (p.partition("/") for p in rest) if head[:1] != "."})

    def read(self, path: str, /, limit: int = MAX_READ_BYTES, offset: int = 0) -> bytes:
        """See Root."""
        inner = inner_path(self.name, path)
        if inner not in self.files:
            raise not_there(self.name, path)
        return self.files[inner].encode()[offset:][: max(limit, 0)]
