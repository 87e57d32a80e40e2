"""What one Python module says is deprecated: by warnings, decorators, wrappers, `__getattr__` and docstrings.

A *whole* statement is about a module, class, function, method or attribute as such. Any other is about a way of
using one; its subject says so in brackets (`asyncio.gather()[loop]`, `enum.Enum.__contains__()[usage]`), so that it
is never taken for a statement about every use.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from .names import Definition, Function, Lines, Names, dotted, is_private, last, lines
from .walking import Reading, Site, reading
from .warned import Warned, warned
from .wording import Note, Version, concerns_an_argument, note, removal, since

Elsewhere = Callable[[str], tuple[str, ...]]
_MAKES = frozenset({"__init__", "__new__", "__post_init__", "__init_subclass__", "__call__"})
_LOOKS_UP = frozenset({"__getattr__", "__getattribute__"})
_DEPRECATES = re.compile(r"^_*(?:(?:warn|mark|issue|emit)_?)?deprecat", re.IGNORECASE)
_ABOUT_WARNING = re.compile(r"deprecat|warn", re.IGNORECASE)
_ABOUT_ARGUMENTS = re.compile(r"arg|kw|param|positional|option|default", re.IGNORECASE)
_IN_WORDS = re.compile(r"deprecat|remov", re.IGNORECASE)
_CLASS_NAME = re.compile(r"\{cls\.__(?:qual)?name__\}")
_BLANK = re.compile(
    r"\{(?:0|name|attr|item|attr_name|(?:cls|self\.__class__|type\(self\)|\w*fu?nc?\w*)\.__(?:qual)?name__)\}"
)
_WITHOUT = re.compile(r"\b(?:without|missing|omit\w*|not\s+(?:passing|specifying|providing))\b", re.IGNORECASE)
_NAME = re.compile(r"^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$")
_ARGUMENT = re.compile(
    r"['\"`]?(\w+)['\"`]?\s+(?:keyword\s+)?(?:argument|parameter|keyword|option)\b"
    r".{0,40}?\b(?:deprecated|ignored|removed|renamed|no\s+longer)\b"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a module says is deprecated.

    Attributes:
        subject: dotted, from the module's own name on.
        whole: whether it is deprecated as such, not a way of using it.
        message: what is said of it, in one line; "" where nothing is.
        removal: the version stated for its end.
        since: the version from which it is deprecated, "" if not stated.
        lines: where that is said, first and last line of each place.
        sure: 0 to 1.
    """

    subject: str
    whole: bool
    message: str
    removal: Version | None
    since: str
    lines: tuple[Lines, ...]
    sure: float


def deprecations(own: Names, tree: ast.Module, elsewhere: Elsewhere = lambda _: ()) -> list[Statement]:
    """Every statement of a module, each subject's most certain first.

    Args:
        own: the module's names.
        tree: its syntax.
        elsewhere: the strings in a table of another module, by its dotted name.
    """
    return _Statements(reading(tree, own), own, elsewhere).all()


class _Statements:
    def __init__(self, read: Reading, own: Names, elsewhere: Elsewhere) -> None:
        self.elsewhere = elsewhere
        self.read = read
        self.names = own
        self.warnings = warned(read)
        self.aliases = _aliases(read)
        self.helpers = self._helpers()
        self.factories = {w.site.function.name: w for w in self.warnings if w.site.function and w.site.nested}

    def all(self) -> list[Statement]:
        found = [s for w in self.warnings for s in self._of_warning(w)]
        found += [s for w in self._passed_on() for s in self._of_warning(w)]
        found += [s for site, node in self.read.definitions for s in self._of_decorators(site, node)]
        found += self._of_wrappers()
        found += self._of_factories()
        found += self._of_docstrings()
        return _without_doubles(found)

    # Helpers: functions of the module that warn on behalf of whoever calls them.

    def _helpers(self) -> dict[tuple[str, ...], Warned]:
        called = {name for _, call in self.read.calls if (name := _own_name(call.func))}
        found: dict[tuple[str, ...], Warned] = {}
        for warning in self.warnings:
            name = self._held_as(warning)
            if name and name in called and not warning.site.nested and (is_private(name) or _is_tool(name)):
                found.setdefault((*warning.site.classes, name), warning)
        return {path: w for path, w in found.items() if not w.site.loose or not w.message or _is_tool(path[-1])}

    def _helper(self, site: Site, call: ast.Call) -> Warned | None:
        name = _own_name(call.func)
        return self.helpers.get((*site.classes, name)) or self.helpers.get((name,)) if name else None

    def _held_as(self, warning: Warned) -> str:
        if function := warning.site.function:
            return function.name
        for _, node in self.read.assigned:
            if node.value is warning.call and isinstance(node.targets[0], ast.Name):
                return node.targets[0].id
        return ""

    def _passed_on(self) -> Iterator[Warned]:
        for site, call in self.read.calls:
            helper = self._helper(site, call)
            if helper and site.owners and site.function is not helper.site.function:
                yield self._relayed(helper, site, call)
        direct = {id(w.call) for w in self.warnings}
        for site, call in self.read.statements:
            name = last(dotted(call.func))
            known = id(call) in direct or self._helper(site, call)
            if site.function and not known and _DEPRECATES.match(name) and _is_imported(call, self.names):
                said = self._said(call, site)
                yield Warned(site, call, said, removal(said), sure=0.7)

    def _relayed(self, helper: Warned, site: Site, call: ast.Call) -> Warned:
        said = self._said(call, site) or helper.message
        end = removal(said) or helper.removal
        return Warned(site, call, said, end, sure=0.8, where=(lines(call), *helper.where))

    def _said(self, call: ast.Call, site: Site) -> str:
        texts = [self.names.text(a, site.local()) for a in call.args]
        texts += [f"{k.arg}={t}" for k in call.keywords if (t := self.names.text(k.value, site.local()))]
        return "; ".join(filter(None, texts))

    # Statements, by where they come from.

    def _of_warning(self, warning: Warned) -> Iterator[Statement]:
        site = warning.site
        name = self._held_as(warning)
        is_helper = self.helpers.get((*site.classes, name)) is warning
        if is_helper or site.nested or (_is_tool(name) and not warning.thing):
            return
        if named := self._named(warning):
            yield self._statement(named, warning)
        elif function := site.function:
            yield from self._of_function(warning, function)
        elif site.classes or site.loose or concerns_an_argument(warning.message):
            yield self._statement(f"{self._path(site.classes)}[usage]", warning, whole=False)
        else:
            yield self._statement(self.names.module, warning)

    def _named(self, warning: Warned) -> str:
        """The subject a warning names itself, if that is a name at all."""
        thing = warning.thing.removesuffix("()")
        if not _NAME.match(thing):
            return ""
        head, rest = thing.partition(".")[::2]
        if thing == self.names.module or (head == self.names.module.partition(".")[0] and rest):
            return thing
        if head in self.names.defined and (rest or head != last(self.names.module)):
            return f"{self.names.module}.{thing}"
        return ""

    def _of_function(self, warning: Warned, function: Function) -> Iterator[Statement]:
        classes = warning.site.classes
        if function.name in _LOOKS_UP and (looked_up := self._looked_up(warning.site, function)):
            for name in looked_up:
                yield self._statement(self._path((*classes, name)), _filled(warning, name))
            return
        if classes and _CLASS_NAME.search(warning.message) and (made := self._made_by(classes[-1])):
            for name in made:
                yield self._statement(self._path((name,)), _filled(warning, name), sure=0.85)
            return
        said = note(ast.get_docstring(function, clean=False) or "")
        whole = not warning.site.loose and not concerns_an_argument(warning.message)
        whole = (
            whole and function.name not in _LOOKS_UP and (bool(classes) or function.name not in self.names.imported)
        )
        for path in self._paths(classes, function.name):
            unclear = is_private(path[-1]) and not _IN_WORDS.search(warning.message)
            unclear = unclear or path[-1] in _LOOKS_UP
            if (whole and not unclear) or (said and not said.nested):
                yield self._statement(self._path(path), _filled(warning, classes[-1] if classes else function.name))
            else:
                yield from self._of_usage(self._path(path), warning, function)

    def _looked_up(self, site: Site, function: Function) -> list[str]:
        """The names that a `__getattr__` compares its argument with on the way to a warning."""
        parameters = [a.arg for a in function.args.args]
        tests = site.tests or [node for node in ast.walk(function) if isinstance(node, ast.Compare)]
        found: list[str] = []
        for node in (n for test in tests for n in ast.walk(test)):
            if isinstance(node, ast.Compare) and dotted(node.left) in parameters[-1:]:
                table = node.comparators[0]
                found += self.names.table(table) or self.elsewhere(self.names.resolved(table))
        return [name for name in dict.fromkeys(found) if name.isidentifier() and not name.startswith("__")]

    def _of_usage(self, path: str, warning: Warned, function: Function) -> Iterator[Statement]:
        for argument in _arguments(warning, function) or ["usage"]:
            filled = _filled(warning, last(path))
            yield self._statement(f"{path}()[{argument}]", filled, whole=False, sure=min(warning.sure, 0.6))

    def _of_decorators(self, site: Site, node: Definition) -> Iterator[Statement]:
        if site.function:
            return
        for decorator in node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
            name = last(dotted(call.func))
            factory = self.factories.get(name)
            if not factory and not _DEPRECATES.match(name):
                continue
            said = self._said(call, site)
            where = (decorator.lineno, node.lineno)
            about_arguments = bool(_ABOUT_ARGUMENTS.search(name) or (factory and factory.site.loose))
            for path in self._paths(site.classes, node.name):
                subject = f"{self._path(path)}()[usage]" if about_arguments else self._path(path)
                text = said or _BLANK.sub(node.name, factory.message if factory else "")
                yield self._made(
                    subject, text, [where], sure=0.6 if about_arguments else 0.9, whole=not about_arguments
                )

    def _of_wrappers(self) -> Iterator[Statement]:
        """`assertEquals = _deprecate(assertEqual)`, at the top or in a class."""
        for site, node in self.read.assigned:
            value = node.value
            if site.function or not isinstance(value, ast.Call):
                continue
            name = _callee(value)
            factory = self.factories.get(name)
            if not (factory or _DEPRECATES.match(name)) or (name,) in self.helpers:
                continue
            for target in node.targets:
                if isinstance(target, ast.Name) and not _ABOUT_WARNING.search(target.id):
                    instead = dotted(value.args[0]) if value.args else "it"
                    text = self._said(value, site) or _BLANK.sub(instead, factory.message if factory else "")
                    where = [lines(node), *([lines(factory.call)] if factory else [])]
                    yield self._made(self._path((*site.classes, target.id)), text, where, sure=0.9)

    def _of_factories(self) -> Iterator[Statement]:
        """A decorator that warns whoever uses it is deprecated itself, unless it is a tool to deprecate others."""
        nodes = [node for _, node in self.read.definitions]
        applied = {_callee(decorator) for node in nodes for decorator in node.decorator_list}
        applied |= {_callee(node.value) for _, node in self.read.assigned}
        for name, warning in self.factories.items():
            if name not in applied and not _is_tool(name) and not is_private(name) and not warning.site.loose:
                yield self._statement(self._path((*warning.site.classes, name)), warning)

    def _of_docstrings(self) -> Iterator[Statement]:
        if (found := _docstring(self.read.tree)) and found[0].noun in {"", "module", "package", "api", "library"}:
            yield self._of_note(self.names.module, *found)
        for site, node in self.read.definitions:
            if site.function or _is_tool(node.name) or not (found := _docstring(node)):
                continue
            for path in self._paths(site.classes, node.name):
                if not any(is_private(part) for part in path):
                    yield self._of_note(self._path(path), *found)
        yield from self._of_given_docstrings()

    def _of_note(self, subject: str, said: Note, line: int) -> Statement:
        whole = not said.nested and not concerns_an_argument(said.statement)
        text = subject if whole else f"{subject}()[usage]"
        return self._made(text, said.text, [(line, line)], sure=0.8 if whole else 0.5, whole=whole)

    def _of_given_docstrings(self) -> Iterator[Statement]:
        """`cls.__doc__ = "Deprecated …"` in a metaclass: all its classes are."""
        for site, node in self.read.assigned:
            target = node.targets[0]
            if isinstance(target, ast.Attribute) and target.attr == "__doc__" and site.classes:
                text = self.names.text(node.value)
                if note(text):
                    for name in self._made_by(site.classes[-1]):
                        yield self._made(self._path((name,)), text, [lines(node)], sure=0.8)

    # Subjects.

    def _path(self, parts: Iterable[str]) -> str:
        return ".".join((self.names.module, *parts))

    def _paths(self, classes: tuple[str, ...], name: str) -> list[tuple[str, ...]]:
        """How a definition is reached from outside: a private one by what it is assigned to."""
        if name in _MAKES and classes:
            return [classes]
        own = (*classes, name)
        others = [path[:-1] if path[-1] in _MAKES else path for path in self.aliases.get(own, [])]
        return (others or [own]) if is_private(name) else [own, *others]

    def _made_by(self, metaclass: str) -> list[str]:
        nodes = [node for site, node in self.read.definitions if not site.owners and isinstance(node, ast.ClassDef)]
        return [
            n.name for n in nodes if any(k.arg == "metaclass" and dotted(k.value) == metaclass for k in n.keywords)
        ]

    def _statement(self, subject: str, warning: Warned, *, whole: bool = True, sure: float = 1.0) -> Statement:
        where = list(warning.where) or [lines(warning.call)]
        made = self._made(subject, warning.message, where, sure=min(sure, warning.sure), whole=whole)
        return replace(made, removal=warning.removal or made.removal)

    def _made(self, subject: str, text: str, where: list[Lines], *, sure: float, whole: bool = True) -> Statement:
        return Statement(subject, whole, text, removal(text), since(text), tuple(where), sure)


def _is_tool(name: str) -> bool:
    """Whether a function's name says that it is for warning, not deprecated itself."""
    return bool(_ABOUT_WARNING.search(name)) and name not in {"warn", "setwarn"}


def _callee(node: ast.expr) -> str:
    """The last part of the name that a node calls, or is."""
    while isinstance(node, ast.Call):
        node = node.func
    return last(dotted(node))


def _own_name(node: ast.expr) -> str:
    """`f` of `f`, `self.f` and `cls.f`: what a module calls of its own."""
    head, _, rest = dotted(node).rpartition(".")
    return rest if head in {"", "self", "cls"} else ""


def _is_imported(call: ast.Call, own: Names) -> bool:
    return dotted(call.func).partition(".")[0] in own.imported


def _aliases(read: Reading) -> dict[tuple[str, ...], list[tuple[str, ...]]]:
    """What private definitions are assigned to: `Constant.n = property(_getter)`, `Policy = _UnixPolicy`."""
    found: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for site, node in read.assigned:
        if site.function:
            continue
        value = node.value
        given = value.args if isinstance(value, ast.Call) and _wraps(value) else [value]
        for target in node.targets:
            path = dotted(target)
            for source in given:
                if path and isinstance(source, ast.Name) and source.id != path:
                    found[*site.classes, source.id].append((*site.classes, *path.split(".")))
                    if site.classes and is_private(source.id):
                        found[source.id,].append((*site.classes, path))
    return found


def _wraps(call: ast.Call) -> bool:
    return dotted(call.func) in {"property", "classmethod", "staticmethod"}


def _filled(warning: Warned, name: str) -> Warned:
    """The warning with the name put in where its text is only complete at run time."""
    return replace(warning, message=_BLANK.sub(name, warning.message))


def _arguments(warning: Warned, function: Function) -> list[str]:
    """The arguments whose being given at all is what a warning is about."""
    own = {a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
    if _WITHOUT.search(warning.message):
        return []
    words = set(re.findall(r"\w+", warning.message))
    taken = [name for test in warning.site.tests for name in _given(test, own, any_of=bool(function.args.kwarg))]
    taken = [name for name in taken if name in words]
    return list(dict.fromkeys(taken)) or [n for n in _ARGUMENT.findall(warning.message) if n in own]


def _given(test: ast.expr, own: set[str], *, any_of: bool) -> Iterator[str]:
    """Arguments that a condition finds given: of the function's own, or of any where it takes any."""
    match test:
        case ast.BoolOp(values=values):
            for value in values:
                yield from _given(value, own, any_of=any_of)
        case ast.Compare(left=ast.Name(id=name), ops=[ast.IsNot() | ast.NotEq()]) if name in own:
            yield name
        case ast.Compare(left=ast.Constant(value=str(name)), ops=[ast.In()]) if any_of or name in own:
            yield name
        case ast.Name(id=name) if name in own:
            yield name
        case _:
            return


def _docstring(node: ast.Module | Definition) -> tuple[Note, int] | None:
    match node.body:
        case [ast.Expr(value=ast.Constant(value=str(text)) as constant), *_] if "eprecated" in text:
            found = note(text)
            return (
                (found, min(constant.lineno + found.line, constant.end_lineno or constant.lineno)) if found else None
            )
        case _:
            return None


def _without_doubles(found: list[Statement]) -> list[Statement]:
    """Statements about a use of what is deprecated as a whole say nothing more."""
    whole = {s.subject for s in found if s.whole}
    kept = [s for s in found if s.whole or s.subject.partition("[")[0].removesuffix("()") not in whole]
    return sorted(dict.fromkeys(kept), key=lambda s: (s.subject, -s.sure))
