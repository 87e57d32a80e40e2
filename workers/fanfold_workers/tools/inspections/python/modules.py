"""Python files of a scope and the dotted names an importer would use for them."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fanfold_workers.tools.files import Document, join_place, split_place

LEFT = frozenset(
    {
        "_dummy_thread",
        "_dummy_threading",
        "aifc",
        "asynchat",
        "asyncore",
        "audioop",
        "binhex",
        "cgi",
        "cgitb",
        "chunk",
    }
    | {"crypt", "distutils", "dummy_threading", "formatter", "imghdr", "imp", "lib2to3", "macpath", "mailcap"}
    | {"msilib", "nis", "nntplib", "ossaudiodev", "parser", "pipes", "smtpd", "sndhdr", "spwd", "sunau", "symbol"}
    | {"telnetlib", "uu", "xdrlib"}
)
"""Modules that left the standard library with Python 3.8 to 3.13: they are still its names."""
CAME = frozenset(
    {"_android_support", "_apple_support", "_colorize", "_ios_support", "_opcode_metadata", "_pydatetime", "_pyrepl"}
)
"""Modules newer than 3.11 that a standard library may hold, whatever Python reads it."""
STANDARD = frozenset(sys.stdlib_module_names) | LEFT | CAME

_TESTS = frozenset({"test", "tests"})
_SITES = frozenset({"site-packages", "dist-packages"})
_SHELVES = frozenset({"src", "lib", "Lib", "python"})
"""Folders that hold modules without being packages."""
_METADATA = (".dist-info", ".egg-info")
_ENOUGH = 30
"""So many modules of the standard library side by side, os among them, are it."""
PUBLIC = {
    "_collections_abc": "collections.abc",
    "_opcode_metadata": "opcode",
    "_pydatetime": "datetime",
    "_pydecimal": "decimal",
    "_pyio": "io",
    "_strptime": "time",
    "_threading_local": "threading",
    "_weakrefset": "weakref",
}
"""Modules of the standard library whose names are only used under another module's."""


@dataclass(frozen=True, slots=True)
class Module:
    """A Python file.

    Attributes:
        place: where it is.
        size: in bytes.
        name: dotted, as an importer writes it.
        base: the folder its name counts from, with its root (`root:src`).
        package: whether it is the `__init__.py` of a package.
        standard: whether it is a part of a standard library.
        tests: whether it lies in a folder of tests, or is one by its name.
    """

    place: str
    size: int
    name: str
    base: str
    package: bool
    standard: bool
    tests: bool

    @property
    def parent(self) -> str:
        """The package that relative imports in it count from."""
        return self.name if self.package else self.name.rpartition(".")[0]


def is_python(document: Document) -> bool:
    """Whether a file is Python source by its name."""
    return document.path.endswith((".py", ".pyw"))


def modules(documents: Sequence[Document], places: Iterable[str]) -> list[Module]:
    """The Python files among what is in scope, in the same order, named. `places` is what the scope holds."""
    by_root: dict[str, _Layout] = {}
    held = [split_place(place) for place in places]
    for document in documents:
        root, path = split_place(document.place)
        if root not in by_root:
            by_root[root] = _Layout(root, tuple(p for r, p in held if r == root))
        by_root[root].add(path)
    for layout in by_root.values():
        layout.settle()
    return [by_root[split_place(d.place)[0]].module(d) for d in documents if is_python(d)]


class _Layout:
    """The folders of one root, as far as the scope shows them."""

    def __init__(self, root: str, held: tuple[str, ...]) -> None:
        self.root = root
        self.held = held
        self.packages: set[str] = set()
        self.sites: set[str] = set()
        self.sources: list[str] = []
        self.standard: set[str] = set()
        self._bases: dict[str, str] = {}

    def add(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        if name == "__init__.py":
            self.packages.add(folder)
        if path.endswith((".py", ".pyw")):
            self.sources.append(path)
        parts = path.split("/")
        for n, part in enumerate(parts):
            if part.endswith(_METADATA):
                self.sites.add("/".join(parts[:n]))

    def settle(self) -> None:
        """Find out, once all files are known, which folders hold a standard library."""
        tops: dict[str, set[str]] = {}
        for path in self.sources:
            base = self.base(path)
            tops.setdefault(base, set()).add(_below(path, base).partition("/")[0].partition(".")[0])
        shown = set(self.sources)
        for base, names in tops.items():
            last = base.rpartition("/")[2]
            at_home = not base or last.lower() == "lib" or last.startswith("python")
            if at_home and base not in self.sites and _is_standard(names, base, shown):
                self.standard.add(base)

    def base(self, path: str) -> str:
        """The folder that holds the topmost package of a file."""
        folder = path.rpartition("/")[0]
        if folder not in self._bases:
            self._bases[folder] = self._base(folder)
        return self._bases[folder]

    def _base(self, folder: str) -> str:
        parts = folder.split("/") if folder else []
        for n in range(len(parts), 0, -1):
            if parts[n - 1] in _SITES:
                return "/".join(parts[:n])
        top = self._top(folder)
        for n in range(len(parts), -1, -1):
            if (site := "/".join(parts[:n])) in self.sites and _is_above(site, top):
                shelf = parts[n] if n < len(parts) else ""
                return (
                    "/".join(parts[: n + 1])
                    if shelf in _SHELVES and _is_above(f"{site}/{shelf}".strip("/"), top)
                    else site
                )
        return top

    def _top(self, folder: str) -> str:
        while folder:
            above, _, name = folder.rpartition("/")
            unseen = not self._sees(folder) and name.isidentifier() and name not in _SHELVES
            if folder not in self.packages and not unseen:
                break
            folder = above
        return folder

    def _sees(self, folder: str) -> bool:
        return any(not held or folder == held or folder.startswith(f"{held}/") for held in self.held)

    def module(self, document: Document) -> Module:
        path = document.path
        base = self.base(path)
        below = _below(path, base)
        parts = below.rpartition(".")[0].split("/")
        package = parts[-1] == "__init__"
        if package and len(parts) > 1:
            parts.pop()
        name = ".".join(parts)
        standard = self._is_standard(base)
        if standard and name in PUBLIC:
            name = PUBLIC[name]
        tests = not _TESTS.isdisjoint(path.split("/")[:-1]) or _is_test(parts[-1])
        return Module(
            document.place, document.size, name or "__init__", join_place(self.root, base), package, standard, tests
        )

    def _is_standard(self, base: str) -> bool:
        while base not in self.standard:
            above, _, name = base.rpartition("/")
            if not base or name in _SITES:
                return False
            base = above
        return True


def _below(path: str, base: str) -> str:
    return path.removeprefix(f"{base}/") if base else path


def _is_above(folder: str, other: str) -> bool:
    return not folder or folder == other or other.startswith(f"{folder}/")


def _is_test(name: str) -> bool:
    return name.startswith("test_") or name.endswith("_test") or name == "conftest"


def _is_standard(names: set[str], base: str, shown: set[str]) -> bool:
    if "os" in names and len(names & STANDARD) >= _ENOUGH:
        return True
    telling = {n for n in names if not n.startswith("__") or n == "__future__"} - {"test", "tests"}
    if telling:
        return all(n in STANDARD or n.startswith("_sysconfigdata") for n in telling)
    prefix = f"{base}/" if base else ""
    return "test" in names and f"{prefix}test/support/__init__.py" in shown


def asked_for_tests(question: str, places: Iterable[str]) -> bool:
    """Whether somebody wants the tests of a standard library looked at as well."""
    words = question.lower()
    named = any(not {"test", "tests", "idlelib"}.isdisjoint(split_place(place)[1].split("/")) for place in places)
    return named or "idlelib" in words or "its tests" in words or "test suite" in words


def is_aside(module: Module) -> bool:
    """Whether it belongs to the tests of a standard library, or to its editor, which nobody imports."""
    return module.standard and (module.tests or "idlelib" in split_place(module.place)[1].split("/")[:-1])
