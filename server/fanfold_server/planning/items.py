"""What a task is to be split by: the natural units of a folder, and the places that names mean."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .distributions import distributions, is_site
from .survey import Survey, below
from .trouble import some

LARGE_FILES, LARGE_BYTES = 2_000, 20_000_000
"""A folder over either is split by its top-level folders."""

_PROJECT = frozenset(
    {"pyproject.toml", "setup.py", "setup.cfg", "package.json", "cargo.toml", "go.mod", "pom.xml", "composer.json"}
    | {"build.gradle", "build.gradle.kts", "gemfile", "cmakelists.txt", "mix.exs", "pubspec.yaml", "build.sbt"}
    | {"pkg-info", "meson.build", "configure.ac", "dockerfile"}
)
_PROJECT_SUFFIXES = (".csproj", ".sln", ".gemspec", ".cabal", ".xcodeproj/")
_SEVERAL = re.compile(
    r"\b(repositories|repos|projects|packages|folders|directories|modules|libraries|services|apps|applications|"
    r"distributions|components|plugins|crates)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be looked at.

    Attributes:
        name: as people call it.
        places: where it is; empty for a topic that is no file.
        title: its name and what more is known, for people.
    """

    name: str
    places: tuple[str, ...] = ()
    title: str = ""

    @property
    def key(self) -> str:
        """Its name as compared: without case, and with runs of `-`, `_`, `.` and blanks alike."""
        return re.sub(r"[-_.\s]+", "-", self.name.strip()).casefold()


@dataclass(frozen=True, slots=True)
class Layout:
    """The natural units of a place: what they are called in one sentence, and what stays out of them and why."""

    items: tuple[Item, ...]
    told: str
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a task wants a place divided.

    Attributes:
        whole: never divided: the question is put to all of it.
        projects_whole: divided into projects, but those not further: the checks judge a project by all of it.
        several: its words speak of repositories, packages, folders … in the plural.
        without: names of units to leave out, with the reason for each.
    """

    whole: bool = False
    projects_whole: bool = False
    several: bool = False
    without: tuple[tuple[str, str], ...] = ()


def speaks_of_several(text: str) -> bool:
    """Whether a text speaks of repositories, packages, folders and the like in the plural."""
    return bool(_SEVERAL.search(text))


def layout(place: str, survey: Survey, wish: Wish) -> Layout:
    """The natural units of a place: distributions, projects, packages and modules, folders, or all of it."""
    children = survey.children(place)
    if wish.whole or not children:
        return _whole(place, "one for all of it")
    if is_site(children):
        return _site(place, survey)
    projects = [c for c in children if c.endswith("/") and is_project(survey.children(below(place, c)))]
    folders = [c for c in children if c.endswith("/") and c != "__pycache__/"]
    own = is_project(children)
    if len(projects) > 1 and 2 * len(projects) >= len(folders) and (not own or wish.several):
        return _each(place, folders, children, "one per project folder")
    if own:
        return _folder(place, survey, children, split=not wish.projects_whole, kind="repository")
    units = _importable(place, survey, children)
    if (
        "__init__.py" not in children
        and len(units) > 1
        and 2 * len(units) >= len(children)
        and not wish.projects_whole
    ):
        return _library(place, children, units, wish)
    if wish.several and len(folders) > 1:
        return _each(place, folders, children, "one per folder")
    return _folder(place, survey, children, split=True, kind="folder")


def is_project(children: Iterable[str]) -> bool:
    """Whether a folder with these children is a project of its own."""
    names = [child.casefold() for child in children]
    if any(name in _PROJECT or name.endswith(_PROJECT_SUFFIXES) for name in names):
        return True
    return any(n.startswith("readme") for n in names) and any(n.startswith(("license", "copying")) for n in names)


def _whole(place: str, told: str) -> Layout:
    return Layout((Item(place, (place,)),), f"{place}: {told}")


def _site(place: str, survey: Survey) -> Layout:
    found, rest = distributions(place, survey)
    items = [
        Item(d.name, tuple(below(place, path) for path in d.paths), f"{d.name} {d.version}".strip())
        for d in found
        if d.code
    ]
    items += [Item(name, (below(place, name),)) for name in rest]
    bare = [d.name for d in found if not d.code]
    left = f"{some(bare)}: nothing of theirs but metadata is here" if bare else ""
    return Layout(tuple(items), f"{place}: one per installed distribution, with the files its RECORD names", left)


def _each(place: str, folders: Sequence[str], children: Sequence[str], told: str) -> Layout:
    loose = [child for child in children if child not in folders]
    left = f"{some(loose)}: in none of the folders" if loose else ""
    return Layout(tuple(_child(place, folder) for folder in folders), f"{place}: {told}", left)


def _library(place: str, children: Sequence[str], units: Sequence[str], wish: Wish) -> Layout:
    without = [(name, why) for name, why in wish.without if f"{name}/" in units]
    kept = [unit for unit in units if unit.rstrip("/") not in {name for name, _ in without}]
    rest = [child for child in children if child not in units and child != "__pycache__/"]
    left = [f"{name}: {why}" for name, why in without]
    left += [f"{some(rest)}: not importable from here"] if rest else []
    items = tuple(_child(place, unit, unit.removesuffix(".py").rstrip("/")) for unit in kept)
    return Layout(items, f"{place}: one per package or top-level module", "; ".join(left))


def _folder(place: str, survey: Survey, children: Sequence[str], *, split: bool, kind: str) -> Layout:
    folders = [child for child in children if child.endswith("/") and child != "__pycache__/"]
    if not split or len(folders) < 2 or survey.reach([place]).within(LARGE_FILES, LARGE_BYTES):
        return _whole(place, f"one for the whole {kind}")
    tops = survey.tops(place)
    loose = tuple(below(place, top) for top in tops if f"{top}/" not in folders)
    items = [_child(place, folder) for folder in folders]
    if loose:
        items.append(Item(f"{place} (top-level and hidden files)", loose[:500]))
    return Layout(tuple(items), f"{place}: a large {kind}, one per top-level folder")


def _importable(place: str, survey: Survey, children: Sequence[str]) -> list[str]:
    return [
        child
        for child in children
        if (child.endswith(".py") and child[:-3].isidentifier() and child != "__init__.py")
        or (
            child[:-1].isidentifier()
            and child.endswith("/")
            and "__init__.py" in survey.children(below(place, child))
        )
    ]


def _child(place: str, child: str, name: str = "") -> Item:
    return Item(name or child.rstrip("/"), (below(place, child),))
