"""Finds test functions in which nothing is asserted, as far as the file alone can tell; in doubt it keeps silent."""

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from .python.parsing import parsed

_ASSERTS = re.compile(
    r"assert|check|expect|verif|valid|compar|match|should|ensure|raise|warn|fail|deprecat|snapshot|approv|benchmark|must"
    r"|equal|same|diff|test|require|skip|xfail|abort|exit|exec|eval|run|spawn|script|subprocess|conform|roundtrip|round_trip"
    r"|doctest|lint|typecheck|golden|is_true|is_false|that$|^eq_?$|^ok_?$|^ne_?$|^is_$|^in_$|^eq_|eqtype|wait|timeout",
    re.IGNORECASE,
)
"""Names of calls that may well assert; a test with any of them is left alone."""
_NEUTRAL = re.compile(
    r"^(?:pytest\.mark\.(?:parametrize|usefixtures|slow|asyncio|anyio|trio|filterwarnings|network|django_db|single_cpu|\w*thread\w*)"
    r"|pytest\.fixture|parametrize|parameterized\.expand|given|example|settings|mock\.patch(?:\.\w+)*|patch(?:\.\w+)*"
    r"|mock_aws|mock_\w+|staticmethod|classmethod|override_settings|asyncio\.coroutine|gen_test|gen\.coroutine|defer\.inlineCallbacks"
    r"|inlineCallbacks|tm\.network|td\.\w+|async_test|unittest_run_loop|aws_verified|\w+_aws_verified|freeze_time)$"
)
"""Decorators that assert nothing; a test with any other is left alone."""
_MEANT = re.compile(
    r"smoke|crash|rais|except|error|fail|warn|leak|segfault|hang|dead|recurs|regress|import|compil|no_?op|n.t\b|_not?_"
    r"|\bnot?\b|work|\bok\b|succe|can_|can\b|allow|accept|valid|thread|gc|memory|pickl|repr|plot|just|only|simply"
    r"|make sure|should|must|ensure|check|verif|cover|does|doesnt|dont|issue|bug|gh.?\d|#\d|ticket|empty|none|idempot"
    r"|twice|safe|support|handle|stress|perf|pass(?:es|ing)|trivial|nothing|dummy",
    re.IGNORECASE,
)
"""What a test's name, docstring or comments say where running through is the point of it."""
_LOOSE = re.compile(r"assert|raises|warns|check|expect|verif|equal|fail|compar|match|should|ensure", re.IGNORECASE)
_BLOCK = re.compile(r"^([ \t]*)(?:async[ \t]+)?def[ \t]+test(\w*)", re.MULTILINE)
_MAX_DEPTH = 6
_ASSERTING = (ast.Assert, ast.Raise, ast.Yield, ast.YieldFrom, ast.Return, ast.Try)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Bare:
    """A test that asserts nothing: its name with its class, its line, and whether it has no code at all."""

    name: str
    line: int
    empty: bool


def bare_tests(text: str) -> list[Bare] | str:
    """The tests in a module that assert nothing, or why the module could not be read."""
    if not _worth_parsing(text):
        return []
    tree = parsed(text)
    return tree if isinstance(tree, str) else list(_Reader(tree, text).found())


def _worth_parsing(text: str) -> bool:
    """Whether any test's text lacks every word of assertion: a cheap look that spares most files the parser."""
    starts = [match.start() for match in _BLOCK.finditer(text) if not _MEANT.search(match[2])]
    ends = sorted({*(match.start() for match in _BLOCK.finditer(text)), len(text)})
    return any(not _LOOSE.search(text, start, ends[bisect_right(ends, start)]) for start in starts)


class _Reader:
    """One module: its functions, its classes, and where each name comes from."""

    def __init__(self, tree: ast.Module, text: str) -> None:
        self.tree = tree
        self.lines = text.split("\n")
        self.functions = {n.name: n for n in tree.body if isinstance(n, _Function)}
        self.classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}

    @cached_property
    def foreign(self) -> frozenset[str]:
        """Names imported from tests' own support, in which an assertion could hide."""
        return frozenset(_foreign(self.tree))

    def found(self) -> Iterator[Bare]:
        """Every test that asserts nothing."""
        for function in self.functions.values():
            if self._is_bare(function, None):
                yield Bare(function.name, function.lineno, _is_empty(function))
        for owner in self.classes.values():
            if not _is_test_class(owner):
                continue
            for function in (n for n in owner.body if isinstance(n, _Function)):
                if self._is_bare(function, owner):
                    yield Bare(f"{owner.name}.{function.name}", function.lineno, _is_empty(function))

    def _is_bare(self, function: _Function, owner: ast.ClassDef | None) -> bool:
        if not function.name.startswith("test") or not all(
            _NEUTRAL.match(_dotted(d)) for d in function.decorator_list
        ):
            return False
        if owner and owner.decorator_list and not all(_NEUTRAL.match(_dotted(d)) for d in owner.decorator_list):
            return False
        if owner and self._torn_down(owner):
            return False
        if _is_empty(function):
            return not self._meant(function, own_words=False) and not (owner and _has_foreign_base(owner))
        return not self._meant(function, own_words=True) and not self._may_assert(function, owner, 0)

    def _torn_down(self, owner: ast.ClassDef) -> bool:
        """Whether what runs after each test of a class, or of its bases in the module, may assert."""
        chain, seen = [owner], set[str]()
        while chain:
            one = chain.pop()
            seen.add(one.name)
            after = (n for n in one.body if isinstance(n, _Function) and "down" in n.name.lower())
            if any(self._may_assert(function, one, 0) for function in after):
                return True
            bases = {_dotted(base) for base in one.bases} - seen
            chain += [self.classes[name] for name in bases if name in self.classes]
        return False

    def _meant(self, function: _Function, *, own_words: bool) -> bool:
        """Whether its name, docstring or comments say that running through is its point."""
        end = function.end_lineno or function.lineno
        after = takewhile(lambda line: not line.strip() or line.lstrip().startswith("#"), self.lines[end : end + 8])
        lines = [*self.lines[function.lineno - 1 : end], *(line for line in after if line[:1].isspace())]
        comments = " ".join(line.partition("#")[2] for line in lines)
        said = f"{ast.get_docstring(function) or ''} {comments}"
        return bool(_MEANT.search(said)) or (own_words and bool(_MEANT.search(function.name.removeprefix("test"))))

    def _may_assert(self, function: _Function, owner: ast.ClassDef | None, depth: int) -> bool:
        given = {a.arg for a in (*function.args.args, *function.args.kwonlyargs)} - {"self", "cls"}
        if any(_ASSERTS.search(name) for name in given):
            return True
        nodes = [n for statement in function.body for n in ast.walk(statement)]
        held = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        return any(
            isinstance(node, _ASSERTING)
            or (isinstance(node, ast.Attribute) and _LOOSE.search(node.attr))
            or (isinstance(node, ast.Name) and _LOOSE.search(node.id))
            or (isinstance(node, ast.Call) and self._call_may_assert(node, owner, (given, held), depth))
            for node in nodes
        )

    def _call_may_assert(
        self, call: ast.Call, owner: ast.ClassDef | None, names: tuple[set[str], set[str]], depth: int
    ) -> bool:
        """Whether a call may assert: `names` are the function's parameters, and what it assigns."""
        name = _dotted(call.func)
        head, _, rest = name.partition(".")
        if not name or any(_ASSERTS.search(part) for part in name.split(".")) or depth > _MAX_DEPTH:
            return True
        if head in {"self", "cls", "super"}:
            method = _method(owner, rest) if owner else None
            return method is None or self._may_assert(method, owner, depth + 1)
        if head in names[0] or name in names[1] or head in self.foreign:
            return True
        if name in self.functions:
            return self._may_assert(self.functions[name], owner, depth + 1)
        return name in self.classes


def _foreign(tree: ast.Module) -> Iterator[str]:
    """Names imported from tests' own support, where an assertion could hide: relative, or with `test` in the path."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level or re.search(
                r"test|conftest|util|helper|support|common|mock|fixture|case", node.module or ""
            ):
                yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if re.search(r"test|util|helper|support|common", alias.name):
                    yield alias.asname or alias.name.partition(".")[0]


def _method(owner: ast.ClassDef, name: str) -> _Function | None:
    return next((n for n in owner.body if isinstance(n, _Function) and n.name == name), None)


def _is_test_class(owner: ast.ClassDef) -> bool:
    """Whether a runner would collect it: called Test…, or a subclass of something called …TestCase or …Test."""
    bases = [_dotted(base).rpartition(".")[2] for base in owner.bases]
    return owner.name.startswith("Test") or any(base.endswith(("TestCase", "Test", "Tests")) for base in bases)


def _has_foreign_base(owner: ast.ClassDef) -> bool:
    return any(
        _dotted(base).rpartition(".")[2] not in {"object", "TestCase", "SimpleTestCase"} for base in owner.bases
    )


def _is_empty(function: _Function) -> bool:
    return all(
        isinstance(n, ast.Pass) or (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
        for n in function.body
    )


def _dotted(node: ast.expr) -> str:
    """The name a call, decorator or base goes by, as `a.b.c`; `?` parts where it is computed."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            parts.append(node.id if isinstance(node, ast.Name) else "?")
            return ".".join(reversed(parts))
