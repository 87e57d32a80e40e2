"""Which files of a site-packages folder belong to which installed distribution, by its RECORD."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .survey import Survey, below

RECORD_BYTES = 16 * 1024 * 1024
MAX_PLACES = 500
"""As many as a scope holds."""

_INFO = re.compile(r"^(?P<name>.+?)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info/$")
_UNOWNED = re.compile(r"^(__pycache__|.*\.(dist-info|egg-info|pth|pyc|egg-link|virtualenv))$")


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installed distribution.

    Attributes:
        name, version: as its metadata folder spells them.
        info: that folder's name.
        paths: what it alone owns, relative to the site folder: folders and files, its metadata last.
        code: whether any of that is more than metadata.
    """

    name: str
    version: str
    info: str
    paths: tuple[str, ...]
    code: bool


@dataclass(slots=True)
class _Node:
    """A folder or file, and which distributions put something at or below it."""

    owners: set[str] = field(default_factory=set[str])
    below: dict[str, "_Node"] = field(default_factory=dict[str, "_Node"])


def is_site(children: Iterable[str]) -> bool:
    """Whether a folder with these children is a site-packages folder."""
    return any(_INFO.match(child) for child in children)


def distributions(place: str, survey: Survey) -> tuple[list[Distribution], list[str]]:
    """The distributions installed there, sorted by name, and the top-level names that none of them owns.

    A folder shared by several (a namespace package) is divided among them by what each recorded in it.
    """
    children = survey.children(place)
    infos = [child.rstrip("/") for child in children if _INFO.match(child)]
    tree = _Node()
    for info in infos:
        for path in _recorded(info, place, survey, children):
            _plant(tree, path, info)
    owned: dict[str, list[str]] = {info: [] for info in infos}
    for path, owner in _exclusive(tree, ""):
        owned[owner].append(path)
    rest = [c.rstrip("/") for c in children if c.rstrip("/") not in tree.below and not _UNOWNED.match(c.rstrip("/"))]
    found = [_distribution(info, paths) for info, paths in owned.items()]
    return sorted(found, key=lambda d: (d.name.casefold(), d.version)), rest


def _distribution(info: str, paths: list[str]) -> Distribution:
    match = _INFO.match(f"{info}/")
    code = sorted(path for path in paths if path != info and not path.endswith(".pth"))
    if len(code) >= MAX_PLACES:
        code = sorted({path.partition("/")[0] for path in code})[: MAX_PLACES - 1]
    name, version = (match["name"], match["version"]) if match else (info, "")
    return Distribution(name, version, info, (*code, info), bool(code))


def _recorded(info: str, place: str, survey: Survey, children: tuple[str, ...]) -> Iterator[str]:
    """Relative paths of what a distribution put into the folder; scripts and other things outside it left out."""
    yield info
    record = survey.read(below(place, f"{info}/RECORD"), RECORD_BYTES)
    paths = [row[0] for row in csv.reader(record.splitlines()) if row and row[0]]
    if not paths:
        paths = list(_stated(info, place, survey, children))
    for path in paths:
        parts = path.split("/")
        if parts[0] not in {"..", "", info} and not path.endswith(".pyc"):
            yield path


def _stated(info: str, place: str, survey: Survey, children: tuple[str, ...]) -> Iterator[str]:
    """Without a RECORD: what top_level.txt names, else what is called like the distribution."""
    names = survey.read(below(place, f"{info}/top_level.txt"), 64 * 1024).split()
    if not names:
        match = _INFO.match(f"{info}/")
        names = [re.sub(r"[-.]+", "_", match["name"])] if match else []
    for name in names:
        yield from (child.rstrip("/") for child in children if child in {f"{name}/", f"{name}.py"})


def _plant(tree: _Node, path: str, owner: str) -> None:
    node = tree
    for part in path.split("/"):
        node = node.below.setdefault(part, _Node())
        node.owners.add(owner)


def _exclusive(node: _Node, path: str) -> Iterator[tuple[str, str]]:
    """The highest paths that one distribution owns alone; a file recorded by several is the first one's."""
    for name, child in sorted(node.below.items()):
        here = f"{path}/{name}" if path else name
        if len(child.owners) == 1 or not child.below:
            yield here, min(child.owners)
        else:
            yield from _exclusive(child, here)
