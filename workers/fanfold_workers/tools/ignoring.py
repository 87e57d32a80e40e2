"""What .gitignore files hide, and the globs that tools take: both in git's pattern language.

The rules are git's: the nearest file that has something to say decides, in it the last matching line; what lies
in a hidden folder cannot be shown again. Global excludes and `.git/info/exclude` are not read.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from fanfold_workers.errors import InputError

from .expressions import Alternatives
from .legible import in_line

MAX_RULES_BYTES = 64 * 1024
MAX_RULES = 2_000
MAX_GLOB_CHARS = 500
_MAX_ALTERNATIVES = 100

_FOLDER_MARK = "(?P<ps_d>/)"  # pathspec's mark for the slash that ends a folder
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class _Layer:
    """One .gitignore: the length of its folder's path with the slash, and its lines."""

    skip: int
    patterns: Alternatives
    hides: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """The .gitignore files that bear on a folder, nearest first."""

    layers: tuple[_Layer, ...] = ()

    def within(self, folder: str, text: str) -> "Rules":
        """These rules and those of the .gitignore of a folder below (its path with a slash at the end, or "")."""
        translated = [t for t in map(_exact, text.removeprefix("\ufeff").splitlines()[:MAX_RULES]) if t]
        layer = _Layer(len(folder), Alternatives([regex for regex, _ in translated]), tuple(h for _, h in translated))
        return Rules((layer, *self.layers)) if translated else self

    def hide(self, path: str) -> bool:
        """Whether a file, or a folder if the path ends in `/`, is hidden. Says nothing of the folders above it."""
        for layer in self.layers:
            last = layer.patterns.last(path[layer.skip :])
            if last >= 0:
                return layer.hides[last]
        return False


def _exact(line: str) -> tuple[str, bool] | None:
    """A line as an expression that matches the named file or folder itself, and whether it hides."""
    bare = line.rstrip()
    if bare.endswith(("/**", "/**/")):  # what is inside, but not the folder itself
        line = f"{bare.removesuffix('/')}/*{'/' * bare.endswith('/')}"
    translated = _translated(line)
    return translated and (translated[0].replace(_FOLDER_MARK, "/$"), translated[1])


def _translated(line: str) -> tuple[str, bool] | None:
    try:
        regex, hides = GitIgnoreSpecPattern.pattern_to_regex(line)
    except ValueError:
        return None
    return (regex, hides) if regex is not None and hides is not None else None


def glob(pattern: str) -> Callable[[str], bool]:
    """Whether a path matches a glob: `*.py` in any folder, `/*.py` at the top, `docs/`, `a/**/b`, `*.{js,ts}`.

    Raises:
        InputError: when the glob is malformed.
    """
    plain = pattern.removeprefix("./")
    if len(pattern) > MAX_GLOB_CHARS or plain.startswith(("!", "#")):
        raise _odd_glob(pattern)
    translated = [_translated(each) for each in _alternatives(plain)]
    if not translated or None in translated:
        raise _odd_glob(pattern)
    patterns = Alternatives([t[0].replace(_FOLDER_MARK, "/") for t in translated if t])
    return lambda path: patterns.last(path) >= 0


def _odd_glob(pattern: str) -> InputError:
    msg = f"{in_line(pattern)} is no glob."
    return InputError(msg, field="glob", remedy="Write it as in a .gitignore, without `!`: `*.py`, `docs/**/*.md`.")


def _alternatives(pattern: str) -> list[str]:
    """The patterns that a pattern with braces stands for."""
    done: list[str] = []
    todo = [pattern]
    while todo and len(todo) + len(done) <= _MAX_ALTERNATIVES:
        each = todo.pop()
        braces = _BRACES.search(each)
        if braces is None:
            done.append(each)
        else:
            todo.extend(_filled(each, braces))
    return [] if todo else done


def _filled(pattern: str, braces: re.Match[str]) -> Iterator[str]:
    for choice in braces[1].split(","):
        yield pattern[: braces.start()] + choice + pattern[braces.end() :]
