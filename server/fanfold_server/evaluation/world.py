"""The small trees that cases are planned over: names, sizes, and contents where somebody is to read them.

A world is a TOML file: a table for each root, a line for each path. A number is a file of so many bytes, a text is a
file with those contents. `{a,b}` and `{01..24}` in a path stand for several.

```toml
[repos]
"svc{01..24}/src/{app,db}.py" = 3_000
"README.md" = "Twenty-four services."
```
"""

import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import product
from pathlib import Path
from re import compile as pattern

from fanfold_workers.errors import InputError
from fanfold_workers.tools.roots import MAX_READ_BYTES, File, Root, inner_path, not_there

FILLER = b"This file is here for its name and size alone.\n"
MOST = 100_000
"""Paths that one line of a world, or items that one line of a case, may stand for."""

_BRACES = pattern(r"\{([^{}]*)\}")
_RANGE = pattern(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True, slots=True)
class Sketch:
    """A Root of names and sizes. Files without contents read as filler.

    Attributes:
        name: how tasks call it.
        files: for each path its contents, or how many bytes it has.
    """

    name: str
    files: Mapping[str, str | int]
    _paths: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_paths", sorted(self.files))

    def walk(self, under: str = "", /) -> Iterator[File]:
        """See Root."""
        top = inner_path(self.name, under)
        found = [top] if top in self.files else self._below(top)
        if not found:
            raise not_there(self.name, under)
        for path in found:
            yield File(path, _size(self.files[path]))

    def children(self, under: str = "", /) -> list[str]:
        """See Root."""
        top = inner_path(self.name, under)
        inside = f"{top}/" if top else ""
        rest = [path.removeprefix(inside) for path in self.files if path.startswith(inside)]
        if not rest:
            raise not_there(self.name, under, "is not a folder.")
        return sorted({head + slash for head, slash, _ in (p.partition("/") for p in rest) if head[:1] != "."})

    def _below(self, top: str) -> list[str]:
        if not top:
            return self._paths
        first = bisect_left(self._paths, f"{top}/")
        return self._paths[first : bisect_left(self._paths, f"{top}0", first)]  # "0" is what follows "/"

    def read(self, path: str, /, limit: int = MAX_READ_BYTES, offset: int = 0) -> bytes:
        """See Root."""
        held = self.files.get(inner_path(self.name, path))
        if held is None:
            raise not_there(self.name, path)
        if isinstance(held, str):
            return held.encode()[offset:][: max(limit, 0)]
        wanted = max(0, min(limit, held - offset))
        start = offset % len(FILLER)
        return (FILLER * (wanted // len(FILLER) + 2))[start : start + wanted]


def _size(held: str | int) -> int:
    return held if isinstance(held, int) else len(held.encode())


def spread(text: str) -> tuple[str, ...]:
    """All that a text with braces stands for, in order: `{a,b}{1..2}` is a1, a2, b1, b2."""
    parts = _BRACES.split(text)
    choices = [_choices(part) if n % 2 else (part,) for n, part in enumerate(parts)]
    count = 1
    for some in choices:
        count *= len(some)
    if count > MOST:
        msg = f"{text[:80]!r} stands for {count:,} names."
        raise InputError(msg, field="{}", remedy=f"Keep it to {MOST:,}.")
    return tuple("".join(some) for some in product(*choices))


def _choices(inside: str) -> tuple[str, ...]:
    span = _RANGE.fullmatch(inside)
    if not span:
        return tuple(part.strip() for part in inside.split(","))
    first, last = span[1], span[2]
    return tuple(f"{n:0{len(first)}}" for n in range(int(first), min(int(last), int(first) + MOST) + 1))


@cache
def world(name: str, /) -> Mapping[str, Root]:
    """The roots of a shipped world; none for "".

    Raises:
        InputError: if there is no such world, or it is malformed, naming file and line.
    """
    return world_in(files("fanfold_server.evaluation") / "worlds" / f"{name}.toml") if name else {}


def world_in(file: Traversable | Path) -> Mapping[str, Root]:
    """The roots of a world's file; errors as `world`."""
    if not file.is_file():
        msg = f"There is no world {file.name}."
        raise InputError(msg, field="world", remedy="Name a file in `worlds`, without its ending.")
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        msg = f"It is no TOML: {error}."
        raise InputError(msg, field=file.name, remedy="Correct that line.") from error
    return {root: Sketch(root, _listed(file.name, root, lines)) for root, lines in tables.items()}


def _listed(file: str, root: str, lines: object) -> dict[str, str | int]:
    if not isinstance(lines, dict) or not lines:
        msg = "It is no table of files."
        raise InputError(msg, field=f"{file}: {root}", remedy='Write [root] and below it "path" = bytes.')
    found: dict[str, str | int] = {}
    for path, held in lines.items():  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(held, str | int) or isinstance(held, bool) or (isinstance(held, int) and held < 0):
            msg = f"{path!r} is neither a number of bytes nor a text."
            raise InputError(msg, field=f"{file}: {root}", remedy="Give one of the two.")
        found.update(dict.fromkeys(spread(str(path)), held))  # pyright: ignore[reportUnknownArgumentType]
    return found
