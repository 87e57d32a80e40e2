"""What is under the roots: what exists, how much of it, and what a misspelt place may have meant. Calls block."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from rapidfuzz import fuzz, process

from fanfold_workers.errors import FanfoldError
from fanfold_workers.tools.files import join_place, split_place
from fanfold_workers.tools.roots import MAX_READ_BYTES, Root

PLACE_FILES = 20_000
"""At most this many files of one place are counted; beyond, its reach says so."""
PLAN_FILES = 200_000
"""At most this many files are counted for one plan."""
MAX_COMPARED = 200_000
"""Names compared for one plan to suggest near matches: beyond, a wrong name gets no suggestion."""
NEAR = 60
"""How alike (0 to 100) a name must be to be offered for a misspelt one."""

_VERSION = re.compile(r"[-_ ]v?\d[\w.+!-]*$")
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Reach:
    """How much a worker can read.

    Attributes:
        files: how many.
        bytes: their sizes together.
        read: the same, each file only as far as a worker reads it.
        capped: whether there is more than was counted.
    """

    files: int = 0
    bytes: int = 0
    read: int = 0
    capped: bool = False

    def __add__(self, other: "Reach", /) -> "Reach":
        capped = self.capped or other.capped
        return Reach(self.files + other.files, self.bytes + other.bytes, self.read + other.read, capped)

    def within(self, files: int, size: int) -> bool:
        """Whether it is at most this many files and bytes."""
        return not self.capped and self.files <= files and self.bytes <= size


@dataclass(slots=True)
class Survey:
    """One look at the roots, remembered while a plan is drawn up, so that no place is walked twice."""

    roots: Mapping[str, Root]
    _reach: dict[str, Reach] = field(default_factory=dict[str, Reach])
    _there: dict[str, bool] = field(default_factory=dict[str, bool])
    _children: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    _left: int = PLAN_FILES
    _compared: int = 0
    unspoken: int = 0
    """How many names could not be listed, because they are no valid text."""

    def has(self, place: str) -> bool:
        """Whether there is anything of that name."""
        if place not in self._there:
            self._there[place] = place in self._reach or (not leaves(place) and self._sizes(place, 1) is not None)
        return self._there[place]

    def reach(self, places: Iterable[str]) -> Reach:
        """Files and bytes at or below the places; those that don't exist count nothing, compiled files neither."""
        return sum((self._look(place) for place in places), start=Reach())

    def children(self, place: str) -> tuple[str, ...]:
        """Names directly below a place, folders with a trailing `/`; empty if it is no folder."""
        if place not in self._children:
            name, path = split_place(place)
            listed = _children(self.roots.get(name), path)
            self._children[place] = tuple(child for child in listed if not _UNSPEAKABLE.search(child))
            self.unspoken += len(listed) - len(self._children[place])
        return self._children[place]

    def tops(self, place: str) -> tuple[str, ...]:
        """First names below a folder of all its files, hidden ones too, sorted."""
        name, path = split_place(place)
        try:
            files = islice(self.roots[name].walk(path), PLAN_FILES)
            return tuple(sorted({f.path.removeprefix(path).lstrip("/").partition("/")[0] for f in files}))
        except (FanfoldError, OSError, KeyError):
            return ()

    def read(self, place: str, limit: int) -> str:
        """The start of a text file, "" if it can't be read."""
        name, path = split_place(place)
        try:
            return self.roots[name].read(path, limit).decode("utf-8", "replace")
        except (FanfoldError, OSError, KeyError):
            return ""

    def resolve(self, root: str, path: str) -> str | None:
        """The place a path means: exact, whatever its case, without a version at its end, or a file's bare stem."""
        exact = join_place(root, path.strip("/"))
        if leaves(exact) or root not in self.roots:
            return None
        if self.has(exact):
            return exact
        place = root
        for part in filter(None, path.split("/")):
            found = _pick(part, self.children(place))
            if not found:
                return None
            place = below(place, found)
        return place

    def near(self, place: str) -> list[str]:
        """Places that a wrong one may have meant, best first, at most three."""
        name, path = split_place(place)
        if name not in self.roots:
            return self.like(name, self.roots)
        at = name
        for part in path.split("/"):
            found = _pick(part, self.children(at))
            if not found:
                return [below(at, child) for child in self.like(part, self.children(at))]
            at = below(at, found)
        return [at]

    def like(self, name: str, known: Iterable[str]) -> list[str]:
        """The names most like this one, best first, at most three; versions at their ends don't count."""
        choices = sorted({choice.rstrip("/") for choice in known})
        self._compared += len(choices)
        if self._compared > MAX_COMPARED:
            return []
        found = process.extract(name[:200], choices, scorer=fuzz.ratio, processor=plain, limit=3, score_cutoff=NEAR)
        return [choice for choice, _, _ in found]

    def _look(self, place: str) -> Reach:
        if place not in self._reach and self.has(place):
            self._reach[place] = self._count(place)
        return self._reach.get(place, Reach())

    def _count(self, place: str) -> Reach:
        most = max(1, min(PLACE_FILES, self._left))
        sizes = self._sizes(place, most + 1) or []
        self._left = max(0, self._left - len(sizes))
        counted = sizes[:most]
        read = sum(min(size, MAX_READ_BYTES) for size in counted)
        return Reach(len(counted), sum(counted), read, len(sizes) > most)

    def _sizes(self, place: str, most: int) -> list[int] | None:
        """Sizes of the first files of a place; None if there is no such place."""
        name, path = split_place(place)
        try:
            return [f.size for f in islice(self.roots[name].walk(path), most) if not f.path.endswith(".pyc")]
        except (FanfoldError, OSError, KeyError):
            return None


def leaves(place: str) -> bool:
    """Whether a place is spelt so that it could lead out of its root."""
    path = place.partition(":")[2]
    odd = path.startswith("/") or "\\" in path or _UNSPEAKABLE.search(path)
    return bool(odd) or any(part in {".", ".."} for part in path.split("/"))


def below(place: str, child: str) -> str:
    """The place of a child of a place."""
    name, path = split_place(place)
    child = child.rstrip("/")
    return join_place(name, f"{path}/{child}" if path else child)


def upwards(place: str) -> Iterator[str]:
    """A place and all that it lies below, the nearest first."""
    root, path = split_place(place)
    parts = path.split("/") if path else []
    yield from (join_place(root, "/".join(parts[:n])) for n in range(len(parts), 0, -1))
    yield root


def plain(name: str) -> str:
    """A name as compared: without case, and without a version at its end."""
    return _VERSION.sub("", name.rstrip("/")).casefold()


def _children(root: Root | None, path: str) -> tuple[str, ...]:
    try:
        return tuple(root.children(path)) if root else ()
    except (FanfoldError, OSError):
        return ()


def _pick(part: str, children: Iterable[str]) -> str | None:
    names = {child.rstrip("/"): child for child in children}
    if part in names:
        return names[part]
    folded = [name for name in names if name.casefold() == part.casefold()]
    alike = [[name for name in names if spelt(name) == part.casefold()] for spelt in (plain, _stem)]
    found = next((those for those in (folded[:1], *alike) if len(those) == 1), None)
    return names[found[0]] if found else None


def _stem(name: str) -> str:
    return name.rpartition(".")[0].casefold()
