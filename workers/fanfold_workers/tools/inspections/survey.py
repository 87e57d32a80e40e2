"""Reads the files of a scope for an inspection and keeps true account of which it looked at."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fanfold_workers.aside import stop_if_abandoned
from fanfold_workers.contract import Examined, Line
from fanfold_workers.errors import FanfoldError
from fanfold_workers.tools.files import Document, Files, split_place

from .quoting import Page

MAX_FILE_BYTES = 5 * 2**20
_CODES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")

MANIFESTS = frozenset(
    {
        "pyproject.toml",
        "setup.py",
        "setup.cfg",
        "requirements.txt",
        "pipfile",
        "environment.yml",
        "environment.yaml",
        "package.json",
        "cargo.toml",
        "go.mod",
        "gemfile",
        "pom.xml",
        "pkg-info",
        "uv.lock",
        "poetry.lock",
        "package-lock.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "cargo.lock",
        "go.work",
    }
)
"""Names, in small letters, of files that stand at the top of a project."""

_SETTINGS = (
    (
        "in a test fixture",
        re.compile(
            r"(?:^|/)t/|(?:^|[/_.-])(?:tests?|testing|testdata|unit|fixtures?|mocks?|dummy[a-z]*|cassettes?|specs?|conftest)(?:[/_.-]|$)"
        ),
    ),
    (
        "in an example",
        re.compile(r"(?:^|[/_.-])(?:examples?|samples?|demos?|tutorials?|gallery|stubs?)(?:[/_.\d-]|$)"),
    ),
    (
        "in documentation",
        re.compile(
            r"(?:^|/)(?:docs?|docs_src|documentation|man)/|\.(?:rst|md|adoc|1)$|(?:^|/)(?:readme|changelog|changes|history|news|pkg-info|metadata$)"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Project:
    """One repository within a scope.

    Attributes:
        place: its top folder.
        documents: every file in it, in the order of the walk.
    """

    place: str
    documents: tuple[Document, ...]

    def inside(self, place: str) -> str:
        """The path of one of its files below its top folder."""
        top, path = split_place(self.place)[1], split_place(place)[1]
        return path.removeprefix(f"{top}/") if path != top else path.rsplit("/", 1)[-1]


@dataclass(slots=True)
class Survey:
    """Reads files and counts.

    Attributes:
        files: what the scope allows.
        unit: what one file is called in the account.
        limit: bytes that are read of a file at most; of a longer one only the start is looked at.
    """

    files: Files
    unit: str = "text files"
    limit: int = MAX_FILE_BYTES
    _done: int = 0
    _in_scope: int = 0
    _left_out: Counter[str] = field(default_factory=Counter[str])

    def pages(self, documents: Iterable[Document]) -> Iterator[Page]:
        """Each document that holds text, as far as it is read. Binary ones are not in the account's scope."""
        for document in documents:
            stop_if_abandoned()
            text = self._text(document)
            if text is None:
                continue
            self._in_scope += 1
            if document.size > self.limit:
                self._left_out[f"over {self.limit / 2**20:g} MB, only the start of each searched"] += 1
            else:
                self._done += 1
            yield Page(document.place, text)

    def _text(self, document: Document) -> str | None:
        """The text of a file; None, and counted as left out, if it has none or cannot be read."""
        unread = document.place.endswith("/")
        try:
            text = None if unread else self.files.text(document.place, self.limit)
        except (FanfoldError, OSError):
            unread, text = True, None
        if text is None:
            self._in_scope += unread
            self._left_out["could not be read" if unread else "binary, not searched"] += 1
        return text

    def unread(self, reason: str) -> None:
        """Take back that the last page was looked at: it could not be understood."""
        self._done = max(0, self._done - 1)
        self._left_out[reason] += 1

    def dismiss(self) -> None:
        """Take back that the last page was in scope at all: it is not what its name says."""
        self._done, self._in_scope = max(0, self._done - 1), max(0, self._in_scope - 1)

    def examined(self) -> Examined:
        """How many of the text files in reach were looked at in full, and what was left out."""
        return Examined(done=self._done, in_scope=self._in_scope, unit=self.unit, left_out=self._reasons())

    def gaps(self) -> tuple[str, ...]:
        """What was left out, as sentences."""
        return tuple(f"Files left out: {reason}." for reason in self._reasons())

    def _reasons(self) -> tuple[Line, ...]:
        return tuple(f"{count} {reason}"[:300] for reason, count in sorted(self._left_out.items()))[:50]


def projects(files: Files, under: str = "") -> list[Project]:
    """The repositories in scope: a place with a manifest at its top is one, else each folder in it that has one.

    Raises:
        ScopeError: if `under` is outside the scope.
        UnknownNameError: if a place does not exist.
    """
    found: list[Project] = []
    seen: set[str] = set()
    for place in (under,) if under else files.places:
        documents = [d for d in files.walk(place) if d.place not in seen]
        seen.update(d.place for d in documents)
        found.extend(_split(place, documents))
    return [project for project in found if project.documents]


def _split(place: str, documents: list[Document]) -> Iterator[Project]:
    root, top = split_place(place)
    start = len(top) + 1 if top else 0
    folders: dict[str, list[Document]] = {}
    tops: set[str] = set()
    for document in documents:
        head, slash, rest = document.path[start:].partition("/")
        folders.setdefault(head if slash else "", []).append(document)
        if rest.lower() in MANIFESTS:
            tops.add(head)
    loose = {d.path[start:].lower() for d in folders.get("", ())}
    if loose & MANIFESTS or not tops:
        yield Project(place, tuple(documents))
        return
    for head, inside in folders.items():
        yield Project(f"{root}:{top}/{head}" if top and head else f"{root}:{head}" if head else place, tuple(inside))


def excerpt(line: str, at: int = 0, most: int = 400) -> str:
    """At most `most` characters of a line around one of them, without control codes: what may stand in a quote."""
    start, end = max(0, at - most // 3), min(len(line), at + 2 * most // 3)
    codes = [m.start() for m in _CODES.finditer(line, start, end)]
    start = max([code + 1 for code in codes if code < at], default=start)
    end = min([code for code in codes if code >= at], default=end)
    return line[start:end].strip()


def setting_of(path: str) -> str:
    """Where a file stands by its path below its project, if not among what is shipped; "" otherwise."""
    path = path.lower()
    return next((setting for setting, form in _SETTINGS if form.search(path)), "")
