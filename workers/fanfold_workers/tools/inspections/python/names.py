"""What can be read off a syntax tree without running it: dotted names, texts and tables of names."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
Lines = tuple[int, int]

MAX_CHARS = 1_000
MAX_DEPTH = 50
_COLLECTORS = frozenset({"frozenset", "set", "tuple", "list", "dict", "sorted"})


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or a chain of attributes that starts with one; "" of anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join((node.id, *reversed(parts)))


def last(name: str) -> str:
    """The part of a dotted name after its last dot."""
    return name.rpartition(".")[2]


def is_private(name: str) -> bool:
    """Whether a name says that it is not for others; names like `__init__` do not."""
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def lines(node: ast.stmt | ast.expr) -> Lines:
    """The first and the last line of a node."""
    return node.lineno, node.end_lineno or node.lineno


def absolute(node: ast.ImportFrom, parent: str) -> str:
    """The module an import names, its leading dots counted from the package `parent`; "" if they lead nowhere."""
    if not node.level:
        return node.module or ""
    parts = parent.split(".") if parent else []
    kept = len(parts) - node.level + 1
    if kept < 0 or not parts:
        return ""
    return ".".join(filter(None, (*parts[:kept], node.module)))


@dataclass(frozen=True)
class Names:
    """What a module's own names stand for, as far as it is written out.

    Attributes:
        module: its dotted name.
        imported: what an imported name stands for, wherever in the file it is imported.
        texts: strings assigned at the top, with their lines.
        tables: collections of strings assigned at the top.
        defined: every name the top level binds.
    """

    module: str
    imported: dict[str, str] = field(default_factory=dict[str, str])
    texts: dict[str, tuple[str, Lines]] = field(default_factory=dict[str, tuple[str, Lines]])
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    defined: set[str] = field(default_factory=set[str])

    def resolved(self, node: ast.expr) -> str:
        """The dotted name of a node with the import behind its first part put in."""
        head, dot, rest = dotted(node).partition(".")
        return self.imported.get(head, head) + dot + rest

    def text(self, node: ast.expr | None, local: Mapping[str, ast.expr] | None = None) -> str:
        """The string a node comes to, in one line; what is only known at run time stands as `{source}`."""
        return " ".join(self._text(node, local or {}, 0).split())[:MAX_CHARS]

    def _text(self, node: ast.expr | None, local: Mapping[str, ast.expr], depth: int) -> str:
        if depth > MAX_DEPTH:
            return ""
        match node:
            case ast.Constant(value=str(value)):
                return value
            case ast.JoinedStr(values=parts) | ast.FormattedValue(value=ast.JoinedStr(values=parts)):
                return "".join(self._text(part, local, depth + 1) for part in parts)
            case ast.FormattedValue(value=value):
                return self._text(value, local, depth + 1) or f"{{{ast.unparse(value)[:60]}}}"
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._text(left, local, depth + 1) + self._text(right, local, depth + 1)
            case ast.BinOp(left=left, op=ast.Mod()):
                return self._text(left, local, depth + 1)
            case ast.Call():
                return self._called(node, local, depth + 1)
            case ast.Name(id=name):
                return self._named(name, local, depth)
            case _:
                return ""

    def _called(self, node: ast.Call, local: Mapping[str, ast.expr], depth: int) -> str:
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr="format" | "strip" | "lstrip")):
                return self._text(value, local, depth)
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *rest]) if last(dotted(func)) == "Version":
                return f"{name} {'.'.join(str(part.value) for part in rest if isinstance(part, ast.Constant))}"
            case ast.Call(args=[first, *_]) if not isinstance(first, ast.Starred):
                return self._text(first, local, depth)
            case _:
                return ""

    def _named(self, name: str, local: Mapping[str, ast.expr], depth: int) -> str:
        if name == "__name__":
            return self.module
        if name in local:
            return self._text(local[name], {k: v for k, v in local.items() if k != name}, depth + 1)
        return self.texts[name][0] if name in self.texts else ""

    def table(self, node: ast.expr, depth: int = 0) -> tuple[str, ...]:
        """The strings a collection holds (a mapping's keys), as far as they are written out."""
        match node:
            case ast.Constant(value=str(value)):
                return (value,)
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
                return _strings(parts)
            case ast.Dict(keys=keys):
                return _strings(keys)
            case ast.DictComp(generators=[only]) | ast.SetComp(generators=[only]) if depth < MAX_DEPTH:
                return self.table(only.iter, depth + 1)
            case ast.Call(func=func, args=[first, *_]) if depth < MAX_DEPTH and last(dotted(func)) in _COLLECTORS:
                return self.table(first, depth + 1)
            case ast.Name(id=name):
                return self.tables.get(name, ())
            case _:
                return ()


def _strings(nodes: "list[ast.expr] | list[ast.expr | None]") -> tuple[str, ...]:
    return tuple(n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))


def names(tree: ast.Module, module: str, parent: str) -> Names:
    """The names of a module; `parent` is the package its relative imports count from."""
    found = Names(module)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                target = alias.name if alias.asname else alias.name.partition(".")[0]
                found.imported[alias.asname or target] = target
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, parent)
            found.imported.update({a.asname or a.name: f"{source}.{a.name}" for a in node.names if source})
    for node in top_level(tree):
        _bind(node, found)
    return found


def top_level(tree: ast.Module) -> list[ast.stmt]:
    """The statements that run when a module is imported, whatever its conditions; none inside definitions."""
    found: list[ast.stmt] = []
    waiting = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        found.append(node)
        if isinstance(node, ast.If | ast.Try | ast.With):
            inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
            handlers = node.handlers if isinstance(node, ast.Try) else []
            waiting += reversed(inner + [s for h in handlers for s in h.body])
    return found


def _bind(node: ast.stmt, found: Names) -> None:
    if isinstance(node, Definition):
        found.defined.add(node.name)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                found.defined.add(target.id)
                if table := found.table(node.value):
                    found.tables[target.id] = table
                if text := found.text(node.value):
                    found.texts[target.id] = (text, lines(node))
