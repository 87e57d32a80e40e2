"""What one Python module uses of others: imports, and attributes reached through them, by dotted name.

Only what is certain counts: names are resolved through their scopes, so a parameter or variable that happens to be
called like a module is none. Attributes of an object count where its class is certain: `self` in a class whose only
unknown base is the imported one, or a variable assigned once, from a call of a class.
A call that names an argument also uses `function()[argument]`.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .names import dotted, is_private
from .scopes import Class, Guard, Imported, Itself, Made, Other, Scope, guard_of, provides_for_absence

MAX_DEPTH = 5
"""Attributes followed beyond an imported name: further ones are of objects, not of modules or classes."""
_LEAVES = (ast.Constant, ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.Pass)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_INHERITED = {
    "unittest.IsolatedAsyncioTestCase": "unittest.TestCase",
    "unittest.async_case.IsolatedAsyncioTestCase": "unittest.TestCase",
    "unittest.case.TestCase": "unittest.TestCase",
    "threading.Timer": "threading.Thread",
    "multiprocessing.dummy.Process": "threading.Thread",
    "configparser.ConfigParser": "configparser.RawConfigParser",
    "configparser.SafeConfigParser": "configparser.RawConfigParser",
    "pathlib.PosixPath": "pathlib.Path",
    "pathlib.WindowsPath": "pathlib.Path",
}
"""Classes of the standard library whose inherited methods are known by another's name."""


_DYNAMIC = frozenset(
    {f"unittest.mock.{name}" for name in ("Mock", "MagicMock", "AsyncMock", "NonCallableMock", "PropertyMock")}
    | {"types.SimpleNamespace", "types.ModuleType", "argparse.Namespace", "threading.local"}
)
"""Classes whose objects have any attribute."""
_FORWARDS = frozenset({"functools.partial", "types.SimpleNamespace", "collections.ChainMap", "logging.LoggerAdapter"})
"""What hands the arguments it is given to something else, or keeps them."""
_Meaning = tuple[str, "Guard", int | None]
"""What the root of a chain stands for, and how many of its attributes belong to that; None for all."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a dotted name, on the lines `first` to `last`."""

    name: str
    first: int
    last: int
    guard: Guard


@dataclass(frozen=True, slots=True)
class _Read:
    """A chain of attributes read in a scope; `arguments` are the names a call of it gives."""

    root: ast.expr
    attributes: tuple[str, ...]
    node: ast.expr
    scope: Scope
    guard: Guard
    arguments: tuple[str, ...] = ()


def uses(tree: ast.Module, parent: str, wanted: Callable[[str], bool]) -> list[Use]:
    """Every use of a module for whose top-level name `wanted` is true, in the order of the text.

    `parent` is the package that relative imports count from: they are never of a wanted module.
    """
    walk = _Walk(wanted)
    walk.run(tree)
    found = walk.imports + [use for read in walk.reads for use in walk.resolved(read)]
    return sorted(found, key=lambda use: (use.first, use.last, use.name))


class _Walk:
    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self.wanted = wanted
        self.imports: list[Use] = []
        self.reads: list[_Read] = []
        self.waiting: list[tuple[ast.AST, Scope, Guard]] = []
        self.handlers: dict[type[ast.AST], Callable[..., None]] = {
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.Lambda: self._function,
            ast.ClassDef: self._class,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Call: self._call,
            ast.Assign: self._assign,
            ast.If: self._if,
            ast.IfExp: self._if,
            ast.Try: self._try,
            ast.TryStar: self._try,
            ast.With: self._with,
            ast.Global: self._outward,
            ast.Nonlocal: self._outward,
            **dict.fromkeys(_COMPREHENSIONS, self._comprehension),
        }

    def run(self, tree: ast.Module) -> None:
        """Visit every node; the order is that of the text within a body, so that bindings are seen in theirs."""
        self._push(tree.body, Scope(), Guard.none)
        while self.waiting:
            node, scope, guard = self.waiting.pop()
            handler = self.handlers.get(type(node))
            if handler:
                handler(node, scope, guard)
            elif not isinstance(node, _LEAVES):
                self._children(node, scope, guard)

    def _push(self, nodes: Sequence[ast.AST], scope: Scope, guard: Guard) -> None:
        self.waiting.extend((node, scope, guard) for node in reversed(nodes))

    def _children(self, node: ast.AST, scope: Scope, guard: Guard) -> None:
        if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            scope.bind(node.name, Other())
        self._push(list(ast.iter_child_nodes(node)), scope, guard)

    # Imports.

    def _import(self, node: ast.Import, scope: Scope, guard: Guard) -> None:
        for alias in node.names:
            own = alias.asname or alias.name.partition(".")[0]
            scope.bind(own, Imported(alias.name if alias.asname else own, guard))
            self._use_prefixes(alias.name, 1, node, guard)

    def _import_from(self, node: ast.ImportFrom, scope: Scope, guard: Guard) -> None:
        module = node.module if not node.level else None
        for alias in node.names:
            if module is None:
                scope.bind(alias.asname or alias.name, Other())
            elif alias.name == "*":
                self._use_prefixes(module, 1, node, guard)
            else:
                scope.bind(alias.asname or alias.name, Imported(f"{module}.{alias.name}", guard))
                self._use_prefixes(f"{module}.{alias.name}", 1, node, guard)

    def _use_prefixes(self, name: str, start: int, node: ast.stmt | ast.expr, guard: Guard) -> None:
        self.imports.extend(self._uses(name, start, node, guard))

    def _uses(self, name: str, start: int, node: ast.stmt | ast.expr, guard: Guard) -> Iterator[Use]:
        """A use of each leading part of a dotted name that has at least `start` parts."""
        parts = name.split(".")
        if self.wanted(parts[0]):
            for n in range(start, len(parts) + 1):
                yield Use(".".join(parts[:n]), node.lineno, node.end_lineno or node.lineno, guard)

    # Scopes.

    def _function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope, guard: Guard
    ) -> None:
        inner = Scope(scope)
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        others = [a for a in (arguments.vararg, arguments.kwarg) if a]
        for argument in (*positional, *arguments.kwonlyargs, *others):
            inner.bind(argument.arg, Other())
        outside: list[ast.expr] = [*arguments.defaults, *(d for d in arguments.kw_defaults if d)]
        outside += [a.annotation for a in (*positional, *arguments.kwonlyargs, *others) if a.annotation]
        if isinstance(node, ast.Lambda):
            self._push([node.body], inner, guard)
        else:
            scope.bind(node.name, Other())
            if scope.inside and positional and not any(dotted(d) == "staticmethod" for d in node.decorator_list):
                inner.bound[positional[0].arg] = [Itself(scope.inside)]
            outside += [*node.decorator_list, *([node.returns] if node.returns else [])]
            self._push(node.body, inner, guard)
        self._push(outside, scope, guard)

    def _class(self, node: ast.ClassDef, scope: Scope, guard: Guard) -> None:
        made = Class(node.bases, scope)
        scope.bind(node.name, made)
        self._push(node.body, Scope(scope, inside=made), guard)
        self._push([*node.decorator_list, *node.bases, *(k.value for k in node.keywords)], scope, guard)

    def _comprehension(self, node: ast.AST, scope: Scope, guard: Guard) -> None:
        self._children(node, Scope(scope), guard)

    def _outward(self, node: ast.Global | ast.Nonlocal, scope: Scope, guard: Guard) -> None:
        scope.elsewhere.update(node.names)

    # Conditions.

    def _if(self, node: ast.If | ast.IfExp, scope: Scope, guard: Guard) -> None:
        own = guard if guard else guard_of(node.test)
        other = Guard.version if own is Guard.version else guard
        body = node.body if isinstance(node.body, list) else [node.body]
        orelse = node.orelse if isinstance(node.orelse, list) else [node.orelse]
        self._push(orelse, scope, other)
        self._push(body, scope, own)
        self._push([node.test], scope, guard)

    def _try(self, node: ast.Try | ast.TryStar, scope: Scope, guard: Guard) -> None:
        own = guard if guard or not provides_for_absence(node) else Guard.absence
        self._push(node.finalbody, scope, guard)
        for handler in reversed(node.handlers):
            self._push([handler], scope, own)
        self._push(node.orelse, scope, own)
        self._push(node.body, scope, own)

    def _with(self, node: ast.With, scope: Scope, guard: Guard) -> None:
        caught = {dotted(a) for i in node.items if isinstance(i.context_expr, ast.Call) for a in i.context_expr.args}
        missing = not caught.isdisjoint({"ImportError", "ModuleNotFoundError", "AttributeError"})
        self._push(node.body, scope, Guard.absence if missing and not guard else guard)
        self._push(node.items, scope, guard)

    # Names.

    def _name(self, node: ast.Name, scope: Scope, guard: Guard) -> None:
        if isinstance(node.ctx, ast.Load):
            self.reads.append(_Read(node, (), node, scope, guard))
        else:
            scope.bind(node.id, Other())

    def _assign(self, node: ast.Assign, scope: Scope, guard: Guard) -> None:
        target = node.targets[0]
        if len(node.targets) == 1 and isinstance(target, ast.Name):
            spare = isinstance(node.value, ast.Constant) and bool(guard)
            scope.bind(target.id, Made(node.value) if isinstance(node.value, ast.Call) else Other(spare))
        else:
            self._push(node.targets, scope, guard)
        self._push([node.value], scope, guard)

    def _attribute(self, node: ast.Attribute, scope: Scope, guard: Guard, arguments: tuple[str, ...] = ()) -> None:
        names: list[str] = []
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            names.append(root.attr)
            root = root.value
        if isinstance(root, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                self._defined(root.id, names[-1], scope)
                names.pop(0)
            if names:
                self.reads.append(_Read(root, tuple(reversed(names)), node, scope, guard, arguments))
            return
        if isinstance(root, ast.Call):
            self.reads.append(_Read(root, tuple(reversed(names)), node, scope, guard, arguments))
        self._push([root], scope, guard)

    def _defined(self, name: str, attribute: str, scope: Scope) -> None:
        for binding in scope.meanings(name):
            if isinstance(binding, Itself):
                binding.of.defines.add(attribute)

    def _call(self, node: ast.Call, scope: Scope, guard: Guard) -> None:
        arguments = tuple(k.arg for k in node.keywords if k.arg)
        if isinstance(node.func, ast.Attribute):
            self._attribute(node.func, scope, guard, arguments)
        elif isinstance(node.func, ast.Name):
            self.reads.append(_Read(node.func, (), node.func, scope, guard, arguments))
        else:
            self._push([node.func], scope, guard)
        self._imported_by_call(node, scope, guard)
        self._push([*node.args, *(k.value for k in node.keywords)], scope, guard)

    def _imported_by_call(self, node: ast.Call, scope: Scope, guard: Guard) -> None:
        match node:
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if name and not name.startswith("."):
                callee = dotted(node.func)
                known = callee == "__import__" or any(
                    n == "importlib.import_module" for n, _ in self._meant(node.func, scope)
                )
                if known and name.replace(".", "").isidentifier():
                    self._use_prefixes(name, 1, node, guard)
            case _:
                return

    # What a read comes to, once all names are bound.

    def resolved(self, read: _Read) -> Iterator[Use]:
        """The uses that a chain of attributes stands for."""
        for name, guard, depth in self._stands_for(read):
            followed = read.attributes[:MAX_DEPTH] if depth is None else read.attributes[:depth]
            whole = ".".join((name, *followed))
            either = read.guard or guard
            first = name.count(".") + 1 + (1 if read.attributes else 0)
            yield from self._uses(whole, min(first, whole.count(".") + 1), read.node, either)
            complete = len(followed) == len(read.attributes) and whole not in _FORWARDS
            if read.arguments and complete and self.wanted(whole.partition(".")[0]):
                last = read.node.end_lineno or read.node.lineno
                yield from (Use(f"{whole}()[{a}]", read.node.lineno, last, either) for a in read.arguments)

    def _stands_for(self, read: _Read) -> Iterator[_Meaning]:
        attribute = read.attributes[0] if read.attributes else ""
        if isinstance(read.root, ast.Call):
            if isinstance(read.root.func, ast.Name) and read.root.func.id == "super":
                yield from self._of_self(read.scope, attribute)
            else:
                yield from self._of_made(read.root, read.scope, attribute)
            return
        name = read.root.id if isinstance(read.root, ast.Name) else ""
        for binding in read.scope.meanings(name):
            if isinstance(binding, Imported):
                yield binding.name, binding.guard, None
            elif isinstance(binding, Made) and attribute:
                yield from self._of_made(binding.call, read.scope, attribute)
            elif isinstance(binding, Itself) and attribute:
                yield from self._of_class(binding.of, attribute)

    def _of_self(self, scope: Scope, attribute: str) -> Iterator[_Meaning]:
        inner: Scope | None = scope
        while inner is not None and inner.inside is None:
            inner = inner.outer
        if inner is not None and inner.inside is not None:
            yield from self._of_class(inner.inside, attribute, but_own=True)

    def _of_made(self, call: ast.Call, scope: Scope, attribute: str) -> Iterator[_Meaning]:
        """`threading.Thread` for what `threading.Thread(…)` returned; only classes are written with capitals."""
        for name, guard in self._meant(call.func, scope):
            head, _, tail = name.rpartition(".")
            if (
                head
                and tail[:1].isupper()
                and name not in _DYNAMIC
                and not head.startswith("ctypes")
                and self.wanted(name.partition(".")[0])
            ):
                yield _owner(name, attribute), guard, 1

    def _of_class(self, made: Class, attribute: str, *, but_own: bool = False) -> Iterator[_Meaning]:
        bases = self._bases(made, set(), attribute, but_own=but_own)
        if bases is not None and len(bases) == 1 and not is_private(attribute):
            name, guard = bases[0]
            if self.wanted(name.partition(".")[0]) and name not in _DYNAMIC:
                yield _owner(name, attribute), guard, 1

    def _bases(
        self, made: Class, seen: set[int], attribute: str, *, but_own: bool = False
    ) -> list[tuple[str, Guard]] | None:
        """The imported classes a class comes from; None if one of its bases is unknown or it has the attribute."""
        if id(made) in seen or len(seen) > 20 or (attribute in made.defines and not but_own):
            return None
        seen.add(id(made))
        found: list[tuple[str, Guard]] = []
        for base in made.bases:
            local = [b for b in made.scope.meanings(dotted(base)) if isinstance(b, Class)]
            more = self._bases(local[0], seen, attribute) if local else self._meant(base, made.scope)
            if more is None or not (more or local or dotted(base) == "object"):
                return None
            found += more
        return found

    def _meant(self, node: ast.expr, scope: Scope) -> list[tuple[str, Guard]]:
        """The dotted names an expression stands for by imports alone."""
        head, dot, rest = dotted(node).partition(".")
        imported = [b for b in scope.meanings(head) if isinstance(b, Imported)] if head else []
        return [(b.name + dot + rest, b.guard) for b in imported]


def _owner(name: str, attribute: str) -> str:
    """The class that others know a method by."""
    own = name in {"unittest.IsolatedAsyncioTestCase"} and attribute.startswith(
        ("asyncSetUp", "asyncTearDown", "addAsync", "enterAsync")
    )
    return name if own else _INHERITED.get(name, name)
