"""One module read for all that may state a deprecation: definitions, calls, assignments, and where they stand."""

import ast
from dataclasses import dataclass, field

from .names import Definition, Function, Names


@dataclass(frozen=True, slots=True)
class Site:
    """Where a call or an assignment stands.

    Attributes:
        owners: the definitions around it, outermost first.
        tests: the conditions it stands under within the innermost of them.
        loose: whether it may be passed by when that one runs.
    """

    owners: tuple[Definition, ...] = ()
    tests: tuple[ast.expr, ...] = ()
    loose: bool = False

    @property
    def function(self) -> Function | None:
        """The outermost function around it."""
        return next((o for o in self.owners if isinstance(o, Function)), None)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes around that function, or around the site itself if there is none."""
        found: list[str] = []
        for owner in self.owners:
            if isinstance(owner, Function):
                break
            found.append(owner.name)
        return tuple(found)

    @property
    def nested(self) -> bool:
        """Whether it stands in a definition inside a function."""
        return self.function is not None and self.owners[-1] is not self.function

    def local(self) -> dict[str, ast.expr]:
        """What the functions around it assign to plain names before it, the latest last."""
        found: dict[str, ast.expr] = {}
        for owner in self.owners:
            if isinstance(owner, Function):
                for node in ast.walk(owner):
                    if (
                        isinstance(node, ast.Assign)
                        and len(node.targets) == 1
                        and isinstance(node.targets[0], ast.Name)
                    ):
                        found[node.targets[0].id] = node.value
        return found


@dataclass(frozen=True)
class Reading:
    """What one module holds, with each thing's site."""

    tree: ast.Module
    names: Names
    definitions: list[tuple[Site, Definition]] = field(default_factory=list[tuple[Site, Definition]])
    calls: list[tuple[Site, ast.Call]] = field(default_factory=list[tuple[Site, ast.Call]])
    statements: list[tuple[Site, ast.Call]] = field(default_factory=list[tuple[Site, ast.Call]])
    assigned: list[tuple[Site, ast.Assign]] = field(default_factory=list[tuple[Site, ast.Assign]])


def reading(tree: ast.Module, names: Names) -> Reading:
    """Read a module. Deep nesting of statements is bounded by the parser, so this may recurse."""
    found = Reading(tree, names)
    _block(tree.body, Site(), found)
    return found


def _block(body: list[ast.stmt], site: Site, found: Reading) -> None:
    for node in body:
        _statement(node, site, found)
        if not site.loose and _may_leave(node):
            site = Site(site.owners, site.tests, loose=True)


def _statement(node: ast.stmt, site: Site, found: Reading) -> None:
    if isinstance(node, Definition):
        found.definitions.append((site, node))
        _block(node.body, Site((*site.owners, node)), found)
        return
    parts = _parts(node)
    for body, tests, loose in parts:
        around = Site(site.owners, site.tests + tests, site.loose or loose)
        _block(body, around, found)
    if not parts:
        _simple(node, site, found)


def _parts(node: ast.stmt) -> list[tuple[list[ast.stmt], tuple[ast.expr, ...], bool]]:
    match node:
        case ast.If(test=test, body=body, orelse=orelse) | ast.While(test=test, body=body, orelse=orelse):
            return [(body, (test,), True), (orelse, (test,), True)]
        case ast.For(body=body, orelse=orelse) | ast.AsyncFor(body=body, orelse=orelse):
            return [(body, (), True), (orelse, (), True)]
        case ast.With(body=body) | ast.AsyncWith(body=body):
            return [(body, (), False)]
        case ast.Try() | ast.TryStar():
            return [
                (node.body, (), False),
                *((handler.body, (), True) for handler in node.handlers),
                (node.orelse, (), True),
                (node.finalbody, (), False),
            ]
        case ast.Match(subject=subject, cases=cases):
            return [(case.body, (_as_test(subject, case),), True) for case in cases]
        case _:
            return []


def _as_test(subject: ast.expr, case: ast.match_case) -> ast.expr:
    values = [n.value for n in ast.walk(case.pattern) if isinstance(n, ast.MatchValue)]
    return ast.Compare(left=subject, ops=[ast.In()], comparators=[ast.Tuple(elts=values, ctx=ast.Load())])


def _may_leave(node: ast.stmt) -> bool:
    if isinstance(node, Definition) or not _parts(node):
        return False
    return any(isinstance(n, ast.Return | ast.Continue | ast.Break) for n in ast.walk(node))


def _simple(node: ast.stmt, site: Site, found: Reading) -> None:
    if isinstance(node, ast.Assign):
        found.assigned.append((site, node))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        found.statements.append((site, node.value))
    found.calls.extend((site, child) for child in ast.walk(node) if isinstance(child, ast.Call))
