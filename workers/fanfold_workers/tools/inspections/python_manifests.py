"""Reads what Python projects declare: pyproject.toml, requirements files, setup.cfg, setup.py, Pipfile, conda."""

import ast
import configparser
import re
import tomllib
from collections.abc import Iterator
from typing import cast

from packaging.utils import canonicalize_name

from .declared import DEVELOPMENT, MAX_DECLARED, Declared, Lines, Manifest, Role, Table, requirement, strings, table
from .python.parsing import parsed
from .quoting import Page
from .specifiers import from_poetry

_EDITABLE = re.compile(r"^(?:-e|--editable)[\s=]+")
_LOCAL = re.compile(r"[./~]|file:|[A-Za-z]:[\\/]|\$|[\w./-]+\.(?:whl|zip|tar\.gz)$")
_PLAIN = frozenset({"requirements", "requirement"})
_RUNS = frozenset({"base", "common", "core", "default", "install", "main", "prod", "production", "runtime", "app"})
_MAX_CONTINUED = 500
_TOOLCHAIN = re.compile(r"compilers?$|^(?:make|cmake|git|pkg-config|ninja|nomkl|ccache)$")
"""What a conda environment takes as it comes: compilers and their kin."""
_COMMENT = re.compile(r"(?:^|\s)#.*$")


def requirements(page: Page) -> Manifest:
    """A requirements or constraints file, as pip reads it; files it names are read for themselves."""
    path = page.place.partition(":")[2].lower()
    role = _role(path)
    found: list[Declared | None] = []
    beyond = 0
    for line, text in _logical(page.lines):
        if text.startswith("-") and not _EDITABLE.match(text):
            continue
        text = _EDITABLE.sub("", text)
        if len(found) >= MAX_DECLARED:
            beyond += 1
        elif not _LOCAL.match(text):
            found.append(requirement(text, page, line, role, group=path))
    malformed = found.count(None)
    declared = tuple(d for d in found if d)
    return Manifest(page, declared, unclear=malformed + beyond, prose=malformed > len(declared))


def _role(path: str) -> Role:
    """What a requirements file is for, by its name: one that is not plainly what runs is for development."""
    stem = re.sub(r"\.\w+$", "", path.rpartition("/")[2])
    if "constraint" in stem:
        return Role.constraint
    words = set(re.split(r"[-_.]", stem))
    in_folder = bool(re.search(r"(?:^|/)(?:requirements?|reqs)/[^/]+$", path))
    if (words & _RUNS and not DEVELOPMENT.search(stem)) or (not (words - _PLAIN) and not in_folder):
        return Role.development if DEVELOPMENT.search("/".join(path.split("/")[-3:-1])) else Role.runtime
    return Role.extra if re.search(r"(?:^|/)(?:extras?|optional)/", path) else Role.development


def _logical(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Each line that says something, without its comment, with the lines it goes on in."""
    held: list[str] = []
    start = 0
    for number, line in enumerate([*lines, ""], 1):
        start = start if held else number
        text = _COMMENT.sub("", line)
        if text.endswith("\\") and len(held) < _MAX_CONTINUED:
            held.append(text[:-1])
            continue
        text = " ".join([*held, text.rstrip("\\")]).strip()
        held = []
        if text:
            yield start, text


def pyproject(page: Page) -> Manifest:
    """PEP 621 and 735, the build's requirements, and Poetry's tables."""
    data: Table = tomllib.loads(page.text)
    lines = Lines(page)
    project, poetry = table(data, "project"), table(table(data, "tool"), "poetry")
    found = [
        requirement(text, page, lines.find(text, section), role, group)
        for section, role, group, given in _standard(data, project)
        for text in strings(given)[:MAX_DECLARED]
    ]
    declared = [d for d in found if d] + list(_poetry(poetry, page, lines))
    name = str(project.get("name") or poetry.get("name") or "")
    packaged = bool(project or poetry)
    return Manifest(
        page, tuple(declared[:MAX_DECLARED]), {}, canonicalize_name(name), packaged, unclear=found.count(None)
    )


def _standard(data: Table, project: Table) -> Iterator[tuple[str, Role, str, object]]:
    """Where each list begins, its role, its group, and the list."""
    yield "[build-system]", Role.build, "", table(data, "build-system").get("requires")
    yield "dependencies", Role.runtime, "", project.get("dependencies")
    for group, given in table(project, "optional-dependencies").items():
        yield "optional-dep", Role.development if DEVELOPMENT.search(group) else Role.extra, group, given
    for group, given in table(data, "dependency-groups").items():
        yield "[dependency-g", Role.development, group, given


def _poetry(poetry: Table, page: Page, lines: Lines) -> Iterator[Declared]:
    sections = [("", Role.runtime, "poetry.dependencies", table(poetry, "dependencies"))]
    sections.append(("dev", Role.development, "poetry.dev-dep", table(poetry, "dev-dependencies")))
    for group, given in table(poetry, "group").items():
        sections.append((group, Role.development, f"group.{group}.dep", table(given, "dependencies")))
    for group, role, section, entries in sections:
        for name, given in entries.items():
            for one in cast("list[object]", given) if isinstance(given, list) else [given]:
                if name.lower() != "python":
                    yield _poetry_entry(name, one, page, lines.find(name, section), role, group)


def _poetry_entry(name: str, given: object, page: Page, line: int, role: Role, group: str) -> Declared:
    entry = table(given) or {"version": str(given)}
    address = str(entry.get("path") or entry.get("url") or entry.get("file") or "")
    if git := entry.get("git"):
        address = f"git+{git}@{entry.get('rev') or entry.get('tag') or entry.get('ref') or entry.get('branch') or ''}"
    specifier = from_poetry(str(entry.get("version", "*")))
    marker = str(entry.get("markers", ""))
    if python := from_poetry(str(entry.get("python", "*"))):
        marker = " and ".join(f"python_version {clause}" for clause in _quoted(python))
    role = Role.extra if entry.get("optional") is True and role is Role.runtime else role
    clear = specifier is not None
    return Declared(
        canonicalize_name(name), specifier or "", page.place, line, role, group, marker, address, "", clear
    )


def _quoted(specifier: str) -> list[str]:
    return [re.sub(r"^([<>=!~]+)(.*)$", r'\1 "\2"', clause) for clause in specifier.split(",")]


def setup_cfg(page: Page) -> Manifest:
    """The options of setuptools that list requirements."""
    config = configparser.ConfigParser(interpolation=None, strict=False)
    config.read_string(page.text)
    lines = Lines(page)
    found = [
        requirement(text, page, lines.find(text, option), role, group)
        for section, option, role, group in _options(config)
        for text in (_COMMENT.sub("", line).strip() for line in config.get(section, option, fallback="").splitlines())
        if text and not text.startswith("file:")
    ]
    name = config.get("metadata", "name", fallback="")
    packaged = config.has_section("metadata") or config.has_section("options")
    declared = tuple(d for d in found if d)[:MAX_DECLARED]
    return Manifest(page, declared, {}, canonicalize_name(name), packaged, unclear=found.count(None))


def _options(config: configparser.ConfigParser) -> Iterator[tuple[str, str, Role, str]]:
    yield "options", "install_requires", Role.runtime, ""
    yield "options", "tests_require", Role.development, ""
    extras = "options.extras_require"
    for group in config.options(extras) if config.has_section(extras) else ():
        yield extras, group, Role.development if DEVELOPMENT.search(group) else Role.extra, group


def setup_py(page: Page) -> Manifest:
    """The literal lists in calls of `setup`; what is computed is not seen."""
    found: list[Declared | None] = []
    name, packaged, computed = "", False, 0
    for call in (n for n in ast.walk(_tree(page)) if isinstance(n, ast.Call) and _called(n) == "setup"):
        packaged = True
        given = {k.arg: k.value for k in call.keywords if k.arg}
        for role, group, node in _lists(given):
            computed += node is not None and not isinstance(node, ast.List | ast.Tuple)
            found += [requirement(text, page, line, role, group) for line, text in _literals(node)]
        name = next((text for _, text in _literals(given.get("name"))), name)
    declared = tuple(d for d in found if d)[:MAX_DECLARED]
    return Manifest(page, declared, {}, canonicalize_name(name), packaged, unclear=found.count(None) + computed)


def _lists(given: dict[str, ast.expr]) -> Iterator[tuple[Role, str, ast.expr | None]]:
    yield Role.runtime, "", given.get("install_requires")
    yield Role.development, "", given.get("tests_require")
    extras = given.get("extras_require")
    for key, value in zip(extras.keys, extras.values, strict=True) if isinstance(extras, ast.Dict) else ():
        group = str(key.value) if isinstance(key, ast.Constant) else ""
        yield Role.development if DEVELOPMENT.search(group) else Role.extra, group, value


def _tree(page: Page) -> ast.Module:
    tree = parsed(page.text)
    if isinstance(tree, str):
        raise ValueError(tree)
    return tree


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _literals(node: ast.expr | None) -> list[tuple[int, str]]:
    given = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    return [(n.lineno, n.value) for n in given if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def pipfile(page: Page) -> Manifest:
    """Both sections of a Pipfile."""
    data: Table = tomllib.loads(page.text)
    lines = Lines(page)
    found = [
        _poetry_entry(name, given, page, lines.find(name, f"[{section}]"), role, "")
        for section, role in (("packages", Role.runtime), ("dev-packages", Role.development))
        for name, given in table(data, section).items()
    ]
    return Manifest(page, tuple(found[:MAX_DECLARED]))


def environment(page: Page) -> Manifest:
    """The dependencies of a conda environment, line by line: no YAML beyond plain lists is read."""
    found: list[Declared] = []
    within = in_pip = False
    for number, line in enumerate(page.lines, 1):
        text = _COMMENT.sub("", line).rstrip()
        if re.match(r"\S", text) and not text.startswith("-"):
            within, in_pip = text.startswith("dependencies:"), False
            continue
        item = re.match(r"(\s*)-\s*(.+)$", text)
        if not (within and item):
            continue
        entry = item[2].strip("'\" ")
        in_pip = (in_pip and len(item[1]) > 2) or entry == "pip:"
        if entry == "pip:" or entry.startswith("-"):
            continue
        declared = requirement(entry, page, number, Role.runtime) if in_pip else _conda(entry, page, number)
        found += [declared] if declared else []
    return Manifest(page, tuple(found[:MAX_DECLARED]))


def _conda(entry: str, page: Page, line: int) -> Declared | None:
    match = re.match(r"(?:[\w./-]+::)?([A-Za-z0-9_.-]+)\s*(.*)$", entry)
    if not match or match[1] in {"python", "pip"}:
        return None
    return Declared(
        match[1].lower(), match[2].strip(), page.place, line, Role.development, "conda", clear=not match[2]
    )
