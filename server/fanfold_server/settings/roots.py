"""Directories that workers may read, by name."""

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from . import checks
from .given import Given, Sources

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")


def roots_of(sources: Sources, options: Iterable[str]) -> dict[str, Path]:
    """The roots of options and environment, and those of the TOML file whose names are not among them.

    Raises:
        InputError: if one has no fit name or is no directory, or two of options and environment share a name.
    """
    listed = [text for text in sources.environ.get("FANFOLD_ROOTS", "").split(os.pathsep) if text.strip()]
    named = _named([Given("FANFOLD_ROOTS", text) for text in listed] + [Given("--root", text) for text in options])
    return {**_filed(sources.file.get("roots"), named), **named}


def _named(given: Iterable[Given]) -> dict[str, Path]:
    roots: dict[str, Path] = {}
    for item in given:
        name, path = _root(item)
        if name in roots and roots[name] != path:
            msg = f"Two roots are called {name}."
            raise item.wrong(msg, "Give each its own name: NAME=DIR.")
        roots[name] = path
    return roots


def _filed(given: Given | None, hidden: Iterable[str]) -> dict[str, Path]:
    if given is None:
        return {}
    return {
        name: _directory(given.at(name, value), name, f'{name} = "DIR"')
        for name, value in checks.table(given).items()
        if name not in hidden
    }


def _root(given: Given) -> tuple[str, Path]:
    text = str(given.value)
    name, equals, directory = text.partition("=")
    if not equals or os.sep in name:
        name, directory = "", text
    unnamed = replace(given, value=directory)
    path = checks.path(unnamed)
    name = name.strip() or re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name).strip("-._") or "root"
    return name, _directory(unnamed, name, f"{name}=DIR")


def _directory(given: Given, name: str, form: str) -> Path:
    if not NAME.match(name):
        remedy = "Use letters, digits, dots, dashes, underscores; 64 at most."
        msg = f"{name[:80]} cannot name a root."
        raise given.wrong(msg, remedy)
    path = checks.path(given)
    kind = checks.kind_of(path)
    if kind != "directory":
        problem = "is a file" if kind == "file" else "does not exist"
        msg = f"The directory of the root {name} {problem}."
        raise given.wrong(msg, f"Name a directory: {form}.")
    return path
