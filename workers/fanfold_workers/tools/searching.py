"""The tool `search`: the lines that match a regular expression."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Annotated

from pydantic import Field, StringConstraints

from fanfold_workers.aside import stop_if_abandoned
from fanfold_workers.contract import Examined, Value
from fanfold_workers.errors import FanfoldError, InputError

from .expressions import Expression, expression
from .files import Document, Files
from .legible import in_line, legible
from .listing import Glob, Under
from .toolbox import Answer, Tool

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_COUNTED = 1_000
"""Matching lines counted in one file; a file with more says `1,000 or more`."""
MAX_ANSWER_CHARS = 60_000
MAX_LINE_CHARS = 400
MAX_SECONDS = 60.0
"""How long one search may take; what is left then counts as not examined."""
_PIECE_BYTES = 128 * 1024  # the worst patterns take about two seconds for it, and a match cannot be interrupted
_BEFORE = 120
_NAMED = 3
_SNIFFED_BYTES = 8192
_TOO_LARGE = f"over {MAX_FILE_BYTES >> 20} MB"


class SearchArguments(Value):
    """What `search` takes."""

    pattern: Annotated[
        str,
        StringConstraints(min_length=1, max_length=1_000),
        Field(description="A regular expression in RE2 syntax (no look-around, no back-references), for one line."),
    ]
    under: Under = ""
    glob: Glob = ""
    ignore_case: bool = False
    context: Annotated[int, Field(ge=0, le=10, description="Lines shown before and after each match.")] = 0
    matches: Annotated[int, Field(ge=1, le=1_000, description="Matches shown; the rest are counted.")] = 100
    per_file: Annotated[int, Field(ge=1, le=1_000, description="Matches shown of one file.")] = 20


@dataclass(slots=True)
class _Sweep:
    """Goes through the text files in scope, and keeps a true account of those it could not look at.

    Binary files are not counted. Too large, unreadable and vanished ones are in scope but not examined; nor are
    those left at the time `until` (of `time.monotonic`), nor one given to `miss`. Raises what Files.walk raises.
    """

    files: Files
    under: str
    glob: str
    until: float
    done: int = field(default=0, init=False)
    missed: Counter[str] = field(default_factory=Counter[str], init=False)
    named: dict[str, list[str]] = field(default_factory=dict[str, list[str]], init=False)
    binary: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[tuple[Document, str]]:
        for document in self.files.walk(self.under, self.glob):
            text = self._text(document)
            if text is not None:
                self.done += 1
                yield document, text

    def miss(self, document: Document, why: str) -> None:
        """Take the file at hand back: it was not looked at, or not to its end, for a reason others may share."""
        self.done -= 1
        self._leave(document, why)

    @property
    def examined(self) -> Examined:
        """Text files looked at, of those in scope, with the reasons for the rest."""
        left_out = [f"{count} {why} ({self._some(why)})" for why, count in self.missed.items()]
        if self.binary:
            left_out.append(f"{self.binary} binary, not counted")
        return Examined(done=self.done, in_scope=self.done + self.missed.total(), left_out=tuple(left_out))

    def _text(self, document: Document) -> str | None:
        if monotonic() > self.until:
            return self._leave(document, "not reached in time")
        over = document.size > MAX_FILE_BYTES
        try:
            text = self.files.text(document.place, _SNIFFED_BYTES if over else MAX_FILE_BYTES)
        except FanfoldError:
            return self._leave(document, "could not be read")
        self.binary += text is None
        return self._leave(document, _TOO_LARGE) if over and text is not None else text

    def _leave(self, document: Document, why: str) -> str | None:
        self.missed[why] += 1
        if self.missed[why] <= _NAMED:
            self.named.setdefault(why, []).append(in_line(document.place, 75))
        return None

    def _some(self, why: str) -> str:
        return ", ".join(self.named[why]) + (", …" if self.missed[why] > _NAMED else "")


@dataclass(slots=True)
class _Shown:
    """The lines of the answer so far, and the counts of all that matched, shown or not."""

    most: int
    lines: list[str] = field(default_factory=list[str])
    size: int = 0
    shown: int = 0
    matched: int = 0
    files: int = 0
    uncounted: bool = False

    @property
    def room(self) -> int:
        """How many more matches may be shown."""
        return self.most - self.shown if self.size < MAX_ANSWER_CHARS else 0

    def count(self, matches: int) -> None:
        """Count one more file with so many matches."""
        self.files += 1
        self.matched += matches
        self.uncounted |= matches >= MAX_COUNTED

    def add(self, lines: Iterator[tuple[str, bool]]) -> None:
        """Show lines, each with whether it is a match, as far as there is room."""
        for line, is_match in lines:
            if self.size >= MAX_ANSWER_CHARS:
                return
            self.lines.append(line)
            self.size += len(line) + 1
            self.shown += is_match


@dataclass(frozen=True, slots=True)
class _Hit:
    """A matching line: its number, and the byte of it where the match begins."""

    line: int
    at: int


def run(files: Files, arguments: SearchArguments) -> Answer:
    """The matching lines with their numbers, file by file, and how many there are in all.

    Raises:
        ScopeError, UnknownNameError, InputError: as Files.walk.
        InputError: if the pattern is malformed.
    """
    wanted = _expression(arguments)
    until = monotonic() + MAX_SECONDS
    sweep = _Sweep(files, arguments.under, arguments.glob, until)
    shown = _Shown(arguments.matches)
    for document, text in sweep:
        hits: list[_Hit] = []
        if not _find(wanted, text.encode(), until, hits):
            sweep.miss(document, "not searched to the end in time")
        if hits:
            shown.count(len(hits))
            shown.add(_block(document, text, hits, min(arguments.per_file, shown.room), arguments.context))
    examined = sweep.examined
    notes = [f"Left out: {line}." for line in examined.left_out]
    return Answer("\n".join([_summary(shown, examined.done), *shown.lines, *notes]), examined=examined)


def _expression(arguments: SearchArguments) -> Expression:
    try:
        return expression(arguments.pattern, ignore_case=arguments.ignore_case)
    except ValueError as error:
        msg = f"It is not a regular expression of RE2: {in_line(str(error))}."
        remedy = "Escape ( ) [ ] { } . * + ? | with a backslash; do without look-around and back-references."
        raise InputError(msg, field="search.pattern", remedy=remedy) from error


def _find(wanted: Expression, data: bytes, until: float, hits: list[_Hit]) -> bool:
    """Whether the text was searched to its end (or to the thousandth match); the hits go into the list.

    A line of more than 128 kB is searched in stretches of that size, so a match across two of them is not seen.
    """
    data = data if data.endswith(b"\n") or not data else data + b"\n"
    at, line, counted, end = 0, 1, 0, 0
    while at < len(data) and len(hits) < MAX_COUNTED:
        stop_if_abandoned()
        if monotonic() > until:
            return False
        end = _piece_end(data, at) if at >= end else end
        match = wanted.search(data, at, end)
        if match is None or match.start() >= end:
            at = end
            continue
        start = match.start()
        line += data.count(b"\n", counted, start)
        counted = start
        hits.append(_Hit(line, start - data.rfind(b"\n", 0, start) - 1))
        at = data.index(b"\n", start) + 1
    return True


def _piece_end(data: bytes, start: int) -> int:
    """The end of the last whole line within a piece's size, or of the piece if it is one line."""
    end = start + _PIECE_BYTES
    return len(data) if end >= len(data) else data.rfind(b"\n", start, end) + 1 or end


def _block(document: Document, text: str, hits: list[_Hit], most: int, context: int) -> Iterator[tuple[str, bool]]:
    """The lines that show a file's first `most` hits, each with whether it is a hit."""
    if most <= 0:
        return
    more = f", the first {most} shown" if len(hits) > most else ""
    yield f"{in_line(document.place, 4_100)} ({len(hits):,}{'+' * (len(hits) >= MAX_COUNTED)}{more})", False
    lines = text.split("\n")
    found = {hit.line: hit for hit in hits[:most]}
    last = 0
    for number in _around(found, context, len(lines) - (not lines[-1])):
        if last and number > last + 1 and context:
            yield "     --", False
        last = number
        hit = found.get(number)
        yield f"{number:>6}{':' if hit else '-'} {_cut(lines[number - 1], hit)}".rstrip(" "), hit is not None


def _around(found: dict[int, _Hit], context: int, last: int) -> Iterator[int]:
    """The numbers of the lines to show, each once, in order."""
    done = 0
    for line in found:
        first = max(line - context, done + 1)
        done = min(line + context, last)
        yield from range(first, done + 1)


def _cut(line: str, hit: _Hit | None) -> str:
    """A line, or 400 characters of it around the match."""
    if len(line) <= MAX_LINE_CHARS:
        return legible(line)
    column = len(line.encode()[: hit.at].decode(errors="ignore")) if hit else 0
    start = max(0, min(column - _BEFORE, len(line) - MAX_LINE_CHARS))
    end = start + MAX_LINE_CHARS
    return f"{'…' if start else ''}{legible(line[start:end])}{'…' if end < len(line) else ''}"


def _summary(shown: _Shown, searched: int) -> str:
    files = "1 text file" if searched == 1 else f"{searched:,} text files"
    if not shown.matched:
        return f"No line matches in {files}."
    lines = "1 line matches" if shown.matched == 1 else f"{shown.matched:,} lines match"
    more = " or more" if shown.uncounted else ""
    part = f"; {shown.shown:,} shown" if more or shown.shown < shown.matched else ""
    return f"{lines.replace(' ', f'{more} ', 1)} in {shown.files:,} of {files}{part}."


TOOL: Tool[SearchArguments] = Tool(
    name="search",
    description=(
        "Find the lines that match a regular expression (RE2) in the text files in scope, with line numbers. Shows "
        "the first 100 matches, 20 a file, unless told otherwise, and counts all. Narrow it with `under` and `glob`."
    ),
    arguments=SearchArguments,
    run=run,
)
