"""The scopes of a module: what each name in it is bound to, as far as that is certain."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Guard(StrEnum):
    """Why a use need not matter where the thing used is gone; `none` if nothing says so."""

    none = ""
    absence = "where its absence is provided for"
    version = "under a check of the Python version"
    typing = "for type checkers only"


@dataclass(frozen=True, slots=True)
class Imported:
    """A name bound by an import: the dotted name it stands for."""

    name: str
    guard: Guard


@dataclass(frozen=True, slots=True)
class Made:
    """A name bound to what a call returned."""

    call: ast.Call


@dataclass(frozen=True, slots=True)
class Itself:
    """The first parameter of a method: an instance of the class, or the class."""

    of: "Class"


@dataclass(frozen=True, slots=True)
class Other:
    """A name bound to something unknown. `spare` if only so that the name exists where an import failed."""

    spare: bool = False


@dataclass(eq=False, slots=True)
class Class:
    """A class of the module: its bases, the scope they are looked up in, and the attributes it defines."""

    bases: list[ast.expr]
    scope: "Scope"
    defines: set[str] = field(default_factory=set[str])


Binding = Imported | Made | Itself | Other | Class


@dataclass(eq=False, slots=True)
class Scope:
    """A module, class, function or comprehension.

    Attributes:
        outer: the scope around it, None for a module.
        inside: the class it is the body of, if it is one.
        bound: what its names are bound to.
        elsewhere: names it declares to be bound further out.
    """

    outer: "Scope | None" = None
    inside: Class | None = None
    bound: dict[str, list[Binding]] = field(default_factory=dict[str, list[Binding]])
    elsewhere: set[str] = field(default_factory=set[str])

    def bind(self, name: str, binding: Binding) -> None:
        """Bind a name here, or where a `global` or `nonlocal` says."""
        scope: Scope = self
        if name in self.elsewhere:
            while scope.outer is not None:
                scope = scope.outer
        scope.bound.setdefault(name, []).append(binding)
        if scope.inside is not None:
            scope.inside.defines.add(name)

    def meanings(self, name: str) -> list[Binding]:
        """What a name read here can mean; empty if that is not certain or it is bound nowhere."""
        scope: Scope | None = self
        while scope is not None:
            if found := scope.bound.get(name):
                known = [b for b in found if not (isinstance(b, Other) and b.spare)]
                alike = len(known) == 1 or all(isinstance(b, Imported) for b in known)
                return known if alike else []
            scope = scope.outer
            while scope is not None and scope.inside is not None:
                scope = scope.outer
        return []


_PER_VERSION = frozenset({"version_info", "hexversion", "PY2", "PY3", "PY_VERSION", "PYTHON_VERSION"})
_MISSING = frozenset({"ImportError", "ModuleNotFoundError", "AttributeError"})


def guard_of(test: ast.expr) -> Guard:
    """What a condition guards against."""
    for node in ast.walk(test):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name == "TYPE_CHECKING":
            return Guard.typing
        if name in _PER_VERSION or name.startswith(("PY3", "PY_3", "IS_PY", "PYTHON_3")):
            return Guard.version
        if name == "hasattr":
            return Guard.absence
    return Guard.none


def provides_for_absence(node: ast.Try | ast.TryStar) -> bool:
    """Whether the body of a `try` may fail for a missing module or attribute without harm."""
    caught = {name for handler in node.handlers for name in _caught(handler)}
    imports = any(isinstance(statement, ast.Import | ast.ImportFrom) for statement in node.body)
    return bool(caught & _MISSING) or (imports and bool(caught & {"", "Exception"}))


def _caught(handler: ast.ExceptHandler) -> Iterator[str]:
    if handler.type is None:
        yield ""
        return
    for node in handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]:
        yield node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else "?"
