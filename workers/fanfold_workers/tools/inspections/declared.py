"""What one manifest declares, and how its entries are read and found."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .quoting import Page

Table = dict[str, object]
MAX_DECLARED = 5_000
"""Entries of one manifest that are looked at."""
DEVELOPMENT = re.compile(
    r"(?:^|[/_.-])(?:dev\w*|develop\w*|build\w*|wheels?|tests?\d*|testing|docs?|documentation|lint\w*|style|format\w*|typ(?:ing|es?)|mypy|ci|cov\w*"
    r"|coverage|bench\w*|tools?|pre-?commit|release|rtd|readthedocs|sphinx|quality|check\w*|nox|tox|mobile|contrib\w*)"
    r"(?:[/_.\d-]|$)",
    re.IGNORECASE,
)
"""A path or a group whose dependencies are for working on the project, not for using it."""
_GIT_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
_OPTION = re.compile(r"\s--[a-z].*$")


class Role(StrEnum):
    """What a declaration is for."""

    runtime = "runtime"
    extra = "extra"
    development = "development"
    build = "build"
    constraint = "constraint"


@dataclass(frozen=True, slots=True)
class Declared:
    """One dependency as one manifest declares it.

    Attributes:
        name: as its index spells it, in one canonical form.
        specifier: the versions it allows; "" for any. PEP 440 for Python, else as written.
        place, line: where; line 0 if unknown.
        role: what it is for; `group` names the extra or group, "" if none.
        marker: the environments it is for, "" for all.
        address: a URL, repository or path it comes from instead of an index.
        system: "" for Python, else `npm`, `cargo`, `ruby`.
        clear: whether the specifier was understood.
    """

    name: str
    specifier: str
    place: str
    line: int
    role: Role = Role.runtime
    group: str = ""
    marker: str = ""
    address: str = ""
    system: str = ""
    clear: bool = True


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest or lock file.

    Attributes:
        page: its text.
        declared: what it depends on, in order.
        locked: versions by name, of a lock file.
        name: the project's own name, if it gives one.
        packaged: whether it makes its folder a package that others install.
        private: whether it says that it is an application nobody installs from an index.
        unclear: how many entries were not read: computed, malformed, or beyond the first 5,000.
        prose: whether it only has the name of a manifest.
    """

    page: Page
    declared: tuple[Declared, ...] = ()
    locked: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    name: str = ""
    packaged: bool = False
    private: bool = False
    unclear: int = 0
    prose: bool = False


class Lines:
    """Finds the lines of entries: onward from the one before in its section, then anywhere.

    It gives up, with line 0, after looking through a hundred million characters, so that no manifest takes long.
    """

    def __init__(self, page: Page) -> None:
        self._lines = page.lines
        self._next: dict[str, int] = {}
        self._left = 100_000_000

    def find(self, wanted: str, section: str = "") -> int:
        """The line, from 1, that has this text, quoted if need be, comments excepted; 0 if there is none."""
        if section not in self._next:
            self._next[section] = next((n for n, line in enumerate(self._lines) if section in line), 0)
        start = self._next[section]
        for form in (f'"{wanted}"', f"'{wanted}'", wanted):
            for n in chain(range(start, len(self._lines)), range(start)):
                if self._left <= 0:
                    return 0
                line = self._lines[n]
                self._left -= len(line) + 10
                if form in line and not line.lstrip().startswith(("#", "//")):
                    self._next[section] = n
                    return n + 1
        return 0


def requirement(text: str, page: Page, line: int, role: Role, group: str = "") -> Declared | None:
    """One requirement as pip reads it; None if it is malformed, or a path."""
    text = _OPTION.sub("", text).strip()
    if re.match(r"(?:[a-z+]+://|git@)", text):
        egg = _GIT_EGG.search(text)
        name = canonicalize_name(egg[1]) if egg else _named_by(text)
        return Declared(name, "", page.place, line, role, group, address=text) if name else None
    try:
        read = Requirement(text)
    except InvalidRequirement:
        return None
    name, marker, address = canonicalize_name(read.name), str(read.marker or ""), read.url or ""
    return Declared(name, str(read.specifier), page.place, line, role, group, marker, address)


def _named_by(url: str) -> str:
    if archive := re.search(r"://[^/]+/[^/]+/([^/]+)/(?:archive|zipball|tarball)/", url):
        return canonicalize_name(archive[1])
    last = re.split(r"[@#?]", url.rstrip("/").rpartition("/")[2])[0].removesuffix(".git")
    return canonicalize_name(last) if re.fullmatch(r"[A-Za-z0-9._-]+", last) else ""


def table(given: object, key: str = "") -> Table:
    """A table, or the one under a key of it; empty if it is none."""
    if not isinstance(given, dict):
        return {}
    found = cast("Table", given)
    return table(found.get(key)) if key else found


def strings(given: object) -> list[str]:
    """The strings in a list; none if it is no list."""
    return [text for text in cast("list[object]", given) if isinstance(text, str)] if isinstance(given, list) else []
