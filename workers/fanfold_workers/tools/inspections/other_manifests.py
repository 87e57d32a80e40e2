"""Reads what projects in other languages declare (npm, Cargo, Ruby), and lock files."""

import json
import re
import tomllib
from collections.abc import Iterable
from typing import cast

from packaging.utils import canonicalize_name

from .declared import MAX_DECLARED, Declared, Lines, Manifest, Role, Table, table
from .quoting import Page

_AWAY = re.compile(r"(?:git|https?|github|file|link|workspace|portal|npm)[:+]|[\w-]+/[\w.-]+(?:#|$)")
"""How a dependency of npm begins that comes from elsewhere than the registry, or under another name."""
_GEM = re.compile(r"""\s*gem\s+["']([\w.-]+)["'](?:\s*,\s*["']([^"']+)["'])?(.*)$""")


def package_json(page: Page) -> Manifest:
    """What npm installs: runtime and development dependencies."""
    data = table(json.loads(page.text))
    lines = Lines(page)
    found: list[Declared] = []
    for section, role in (("dependencies", Role.runtime), ("devDependencies", Role.development)):
        for name, given in table(data, section).items():
            line, wanted = lines.find(f'"{name}"', f'"{section}"'), str(given)
            address = wanted if _AWAY.match(wanted) else ""
            specifier = "" if address else wanted
            found.append(Declared(name, specifier, page.place, line, role, address=address, system="npm"))
    private = data.get("private") is True and "workspaces" not in data
    return Manifest(page, tuple(found[:MAX_DECLARED]), {}, str(data.get("name", "")), not private, private)


def cargo(page: Page) -> Manifest:
    """What a crate, or a workspace of crates, depends on."""
    data: Table = tomllib.loads(page.text)
    lines = Lines(page)
    found: list[Declared] = []
    for section, role in (("dependencies", Role.runtime), ("dev-dependencies", Role.development)):
        for name, given in table(data, section).items():
            entry = table(given) or {"version": str(given)}
            fixed = entry.get("rev") or entry.get("tag") or entry.get("branch") or ""
            address = f"git+{entry['git']}@{fixed}" if "git" in entry else str(entry.get("path", ""))
            specifier = "workspace" if entry.get("workspace") is True else str(entry.get("version", ""))
            line = lines.find(name, f"[{section}")
            found.append(Declared(name, specifier, page.place, line, role, address=address, system="cargo"))
    return Manifest(page, tuple(found[:MAX_DECLARED]), packaged=True)


def gemfile(page: Page) -> Manifest:
    """The gems a Gemfile names, line by line."""
    found: list[Declared] = []
    for number, line in enumerate(page.lines, 1):
        if match := _GEM.match(line):
            name, specifier, rest = match[1], match[2] or "", match[3]
            address = _gem_address(rest)
            found.append(Declared(name, specifier, page.place, number, address=address, system="ruby"))
    return Manifest(page, tuple(found[:MAX_DECLARED]))


def _gem_address(rest: str) -> str:
    if re.search(r"\bpath:|:path\s*=>", rest):
        return "."
    if not re.search(r"\bgit(?:hub)?:|:git(?:hub)?\s*=>", rest):
        return ""
    fixed = re.search(r"""(?:ref|tag)(?::|\s*=>)\s*["']([^"']+)""", rest)
    return f"git+@{fixed[1] if fixed else ''}"


def toml_lock(page: Page) -> Manifest:
    """The packages that uv, Poetry or PDM locked."""
    packages = tomllib.loads(page.text).get("package", [])
    entries = [table(entry) for entry in cast("list[object]", packages)]
    return Manifest(page, locked=_by_name((str(e.get("name")), str(e.get("version", ""))) for e in entries))


def pipfile_lock(page: Page) -> Manifest:
    """The packages that Pipenv locked."""
    data = table(json.loads(page.text))
    entries = [(n, table(entry)) for section in ("default", "develop") for n, entry in table(data, section).items()]
    return Manifest(page, locked=_by_name((n, str(e.get("version", "")).removeprefix("==")) for n, e in entries))


def _by_name(locked: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    versions: dict[str, list[str]] = {}
    for name, version in locked:
        versions.setdefault(canonicalize_name(name), []).append(version)
    return {name: tuple(given) for name, given in versions.items()}


def noted(page: Page) -> Manifest:
    """A file whose presence is enough."""
    return Manifest(page)
