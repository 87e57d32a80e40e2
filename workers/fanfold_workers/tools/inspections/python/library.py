"""The modules of a scope, opened and parsed when they are asked for, and the shortest name of what they define."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from fanfold_workers.tools.files import Files
from fanfold_workers.tools.inspections.quoting import Page

from .modules import Module
from .names import Names, absolute, is_private, names, top_level
from .parsing import parsed

MAX_SOURCE_BYTES = 2 * 1024 * 1024
"""A larger file is data, not code; its tree would take a gigabyte."""
_KEPT = 8
"""Parsed modules kept at hand. More would slow the garbage collector down, which visits every node of theirs."""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A module with its text and its syntax."""

    module: Module
    page: Page
    tree: ast.Module


class Library:
    """Modules by the names their importers use. Raises what Files raises for what cannot be read."""

    def __init__(self, files: Files, modules: Iterable[Module]) -> None:
        self.files = files
        self.by_name = {(m.base, m.name): m for m in modules}
        self._at_hand = lru_cache(maxsize=_KEPT)(self.opened)
        self.names = lru_cache(maxsize=_KEPT)(self._names)
        self.exports = lru_cache(maxsize=None)(self._exports)

    def page(self, module: Module) -> Page | str:
        """The text of a module, or in a few words why there is none."""
        if module.size > MAX_SOURCE_BYTES:
            return "over 2 MB"
        text = self.files.text(module.place, MAX_SOURCE_BYTES)
        return "binary" if text is None else Page(module.place, text)

    def opened(self, module: Module, page: Page | str = "") -> Opened | str:
        """A module parsed, or in a few words why it cannot be; its `page` need not be read again if given."""
        page = page or self.page(module)
        if isinstance(page, str):
            return page
        tree = parsed(page.text)
        if isinstance(tree, str):
            return tree
        return Opened(module, page, tree)

    def _names(self, opened: Opened) -> Names:
        return names(opened.tree, opened.module.name, opened.module.parent)

    def table(self, base: str, name: str) -> tuple[str, ...]:
        """The strings in a table of a module, by its dotted name (`sqlite3.dbapi2._names`)."""
        module, _, own = name.rpartition(".")
        opened = self._named(base, module)
        return self.names(opened).tables.get(own, ()) if opened else ()

    def public(self, base: str, module: str, rest: str) -> str:
        """The shortest name under which importers reach `module.rest`, following what packages re-export."""
        top, dot, below = rest.partition(".")
        where, name = module, top
        for _ in range(5):
            better = min(self._reached(base, where, name), key=_by_length, default=None)
            if better is None or _by_length(better) >= _by_length((where, name)):
                break
            where, name = better
        return f"{where}.{name}{dot}{below}"

    def _reached(self, base: str, module: str, name: str) -> Iterator[tuple[str, str]]:
        """Other modules that import a name from this one, with the name they give it."""
        for other in self._around(base, module):
            for source, imported, own in self.exports(base, other):
                if source == module and imported == name:
                    yield other, own
                elif source == module and imported == "*" and self._in_star(base, module, name):
                    yield other, name

    def _around(self, base: str, module: str) -> Iterator[str]:
        above = module.rpartition(".")[0]
        if is_private(module.rpartition(".")[2]):
            yield from (n for b, n in self.by_name if b == base and n.rpartition(".")[0] == above and n != module)
        while above:
            yield above
            above = above.rpartition(".")[0]

    def _exports(self, base: str, name: str) -> tuple[tuple[str, str, str], ...]:
        opened = self._named(base, name)
        if not opened:
            return ()
        imports = [node for node in top_level(opened.tree) if isinstance(node, ast.ImportFrom)]
        return tuple(
            (absolute(node, opened.module.parent), alias.name, alias.asname or alias.name)
            for node in imports
            for alias in node.names
        )

    def _in_star(self, base: str, module: str, name: str) -> bool:
        opened = self._named(base, module)
        shown = self.names(opened).tables.get("__all__") if opened else None
        return name in shown if shown else not name.startswith("_")

    def _named(self, base: str, name: str) -> Opened | None:
        module = self.by_name.get((base, name))
        opened = self._at_hand(module) if module else None
        return None if isinstance(opened, str) else opened


def _by_length(found: tuple[str, str]) -> tuple[bool, int, str]:
    path = ".".join(found).split(".")
    return any(is_private(part) for part in path), len(path), ".".join(path)
