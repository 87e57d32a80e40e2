"""The tool `read`: a file, or a part of it, by lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

from pydantic import Field

from fanfold_workers.aside import stop_if_abandoned
from fanfold_workers.contract import Examined, Place, Value
from fanfold_workers.errors import InputError

from .files import MAX_PAGED_BYTES, PIECE_BYTES, Files
from .legible import in_line, legible
from .roots import MAX_READ_BYTES
from .toolbox import Answer, Tool

MAX_LINE_CHARS = 2_000
MAX_LINES = 5_000
_MAX_PIECES = MAX_PAGED_BYTES // PIECE_BYTES
_LOOK_AHEAD = 8
"""Pieces to read past the page, so as to say how many lines there are."""


class ReadArguments(Value):
    """What `read` takes."""

    place: Annotated[Place, Field(description="The file: `root:path`.")]
    start: Annotated[int, Field(ge=1, description="The first line wanted, counted from 1.")] = 1
    count: Annotated[int, Field(ge=1, le=MAX_LINES, description="How many lines.")] = 500


@dataclass(slots=True)
class _Text:
    """The pieces of a file as they are taken, with a count of the lines that went by."""

    source: Iterator[str | None]
    name: str
    pieces: int = 0
    newlines: int = 0
    unfinished: bool = False
    ended: bool = False

    def __iter__(self) -> Iterator[str]:
        for piece in self.source:
            if piece is None:
                msg = f"{self.name} is binary."
                raise InputError(msg, field="read.place", remedy="Choose a text file.")
            self.pieces += 1
            self.newlines += piece.count("\n")
            self.unfinished = not piece.endswith("\n") if piece else self.unfinished
            yield piece
        self.ended = self.pieces < _MAX_PIECES

    @property
    def total(self) -> int | None:
        """How many lines the file has, None while that is not known."""
        return self.newlines + self.unfinished if self.ended else None


def run(files: Files, arguments: ReadArguments) -> Answer:
    """The lines asked for with their numbers, at most 256 kB of them, and where to go on.

    Raises:
        ScopeError, UnknownNameError: as Files.read.
        InputError: if the file is binary, or has no such line.
    """
    name = in_line(arguments.place)
    text = _Text(files.pieces(arguments.place), name)
    pieces = iter(text)
    lines, cut = _page(_lines(pieces, arguments.start), arguments.count)
    for _ in islice(pieces, _LOOK_AHEAD):
        stop_if_abandoned()
    if not lines and (arguments.start > 1 or text.total != 0):
        raise _no_such_line(name, text.total)
    notes = (f"{cut} lines of {name} cut at {MAX_LINE_CHARS:,} characters",) if cut else ()
    header = _header(name, arguments.start, arguments.start + len(lines) - 1, text.total)
    return Answer("\n".join([header, *lines]), examined=Examined(done=1, in_scope=1, left_out=notes))


def _lines(pieces: Iterator[str], start: int) -> Iterator[tuple[int, str, int]]:
    """Each line from `start` on: its number, its first 2,000 characters, its length."""
    number, head, length = 1, "", 0
    for piece in pieces:
        skipped = piece.count("\n") if number < start else 0
        if number + skipped < start:
            number += skipped
            continue
        *ended, rest = piece.split("\n")
        for line in ended:
            if number >= start:
                yield number, head + line[: MAX_LINE_CHARS - len(head)], length + len(line)
            number, head, length = number + 1, "", 0
        if number >= start:
            head, length = head + rest[: MAX_LINE_CHARS - len(head)], length + len(rest)
    if length:
        yield number, head, length


def _page(lines: Iterator[tuple[int, str, int]], count: int) -> tuple[list[str], int]:
    """At most `count` lines and 256 kB as they are shown, and how many of them are cut."""
    shown: list[str] = []
    size, cut = 0, 0
    for number, head, length in islice(lines, count):
        over = length - len(head)
        mark = f" … [{over:,} more characters of this line not shown]" if over else ""
        line = f"{number:>6}\t{legible(head)}{mark}"
        size += len(line.encode()) + 1
        if size > MAX_READ_BYTES:
            break
        shown.append(line)
        cut += over > 0
    return shown, cut


def _header(name: str, start: int, last: int, total: int | None) -> str:
    if total == 0:
        return f"{name} is empty."
    of = "" if total is None else f" of {total:,}"
    on = "" if last == total else f"; go on with start={last + 1}"
    return f"{name}, lines {start:,}-{last:,}{of}{on}"


def _no_such_line(name: str, total: int | None) -> InputError:
    msg = f"Only the first {MAX_PAGED_BYTES >> 20} MB of {name} can be paged."
    remedy = "Ask for an earlier line." if total is None else f"Start at {max(total, 1)} or before."
    return InputError(msg if total is None else f"{name} has {total:,} lines.", field="read.start", remedy=remedy)


TOOL: Tool[ReadArguments] = Tool(
    name="read",
    description=(
        "Read a text file by lines, each with its number: at most 5,000 lines and 256 kB at a time, of a line its "
        "first 2,000 characters. The answer says where to go on. Quote evidence without the numbers."
    ),
    arguments=ReadArguments,
    run=run,
)
