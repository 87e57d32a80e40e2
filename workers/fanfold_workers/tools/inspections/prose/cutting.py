"""Texts cut into passages at their own seams: headings first, then paragraphs, then lines, then sentences."""

import ast
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from fanfold_workers.tools.inspections.python.parsing import parsed

MAX_CHARS = 1_200
MAX_GAP = 5
"""Paragraphs further apart than so many blank lines are never in one passage."""
MAX_LINE_CHARS = 1_800
"""A longer line is cut into sentences of its own."""
_HASHES = re.compile(r"^ {0,3}(#{1,6})\s+(\S.*?)\s*#*\s*$")
_EQUALS = re.compile(r"^(={1,6})\s+(\S.*?)\s*=*\s*$")
_STARS = re.compile(r"^(\*{1,6})\s+(\S.*?)\s*$")
_RULE = re.compile(r"^([=\-~^\"'`#*+:._<>])\1{2,}\s*$")
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
_TAG_HEADING = re.compile(r"<h([1-6])\b[^>]*>(.*?)</h\1>", re.IGNORECASE)
_TAGS = re.compile(r"<[^>]{0,2000}>")
_UNSEEN = re.compile(r"<(script|style|template)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])")
_HTML = (".html", ".htm", ".xhtml")
_DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a text.

    Attributes:
        first, last: its lines, from 1, both included.
        start, end: which characters of its one line it is, where that line is cut; `end` 0 for whole lines.
        headings: what it stands under, outermost first; the innermost may be its first line.
    """

    first: int
    last: int
    headings: tuple[str, ...]
    start: int = 0
    end: int = 0

    def of(self, lines: list[str]) -> str:
        """Its text."""
        if self.end:
            return lines[self.first - 1][self.start : self.end]
        return "\n".join(lines[self.first - 1 : self.last])


def passages(path: str, lines: list[str]) -> Iterator[Passage]:
    """The passages of a file by what its name says it is, in the order of the text.

    Of Python only the docstrings are text; of Python that does not parse, everything is.
    """
    name = path.lower()
    if name.endswith((".py", ".pyi", ".pyw")) and not isinstance(tree := parsed("\n".join(lines)), str):
        yield from _docstrings(tree, lines)
    elif name.endswith(_HTML):
        yield from _sections(lines, _html_headings(lines))
    else:
        yield from _sections(lines, _headings(name, lines))


def plain(path: str, text: str) -> str:
    """The words of a passage without the markup that would hide or add any."""
    if path.lower().endswith(_HTML):
        return html.unescape(_TAGS.sub(" ", text))
    return text


Heading = tuple[int, int, str]
"""Line of a heading from 0, its level, its text; level 0 hides what follows up to the next."""


def _headings(name: str, lines: list[str]) -> Iterator[Heading]:
    marks = _STARS if name.endswith(".org") else _EQUALS if name.endswith((".adoc", ".asciidoc")) else _HASHES
    hashed = marks is not _HASHES or not name.endswith((".rst", ".py"))
    levels: dict[str, int] = {}
    fence = ""
    for n, line in enumerate(lines):
        if found := _FENCE.match(line):
            fence = "" if fence and found[1].startswith(fence) else fence or found[1]
        elif fence:
            continue
        elif hashed and (marked := marks.match(line)):
            yield n, len(marked[1]), marked[2]
        elif _is_underline(lines, n):
            over = n > 1 and lines[n - 2].rstrip() == line.rstrip()
            level = levels.setdefault(line[0] * (2 if over else 1), len(levels) + 1)
            yield n - 1, level, lines[n - 1].strip()


def _is_underline(lines: list[str], n: int) -> bool:
    if n == 0 or not _RULE.match(lines[n]):
        return False
    title, rule = lines[n - 1].rstrip(), lines[n].rstrip()
    is_title = bool(title.strip()) and len(title) <= 200 and not _RULE.match(title) and title[0] not in " \t|>"
    alone = n < 2 or not lines[n - 2].strip() or lines[n - 2].rstrip() == rule
    return is_title and alone and len(rule) >= min(len(title), 3)


def _html_headings(lines: list[str]) -> Iterator[Heading]:
    for n, line in enumerate(lines):
        if found := _TAG_HEADING.search(line):
            yield n, int(found[1]), " ".join(html.unescape(_TAGS.sub("", found[2])).split())


def visible(path: str, lines: list[str]) -> list[str]:
    """The lines with what nobody reads (scripts, styles and comments in HTML) blanked out, as long as before."""
    if not path.lower().endswith(_HTML):
        return lines
    return _UNSEEN.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), "\n".join(lines)).split("\n")


def _sections(lines: list[str], headings: Iterator[Heading]) -> Iterator[Passage]:
    path: list[tuple[int, str]] = []
    start = 0
    for n, level, title in headings:
        yield from _section(lines, start, n, tuple(t for _, t in path))
        while path and path[-1][0] >= level:
            path.pop()
        path.append((level, title[:200]))
        start = n
    yield from _section(lines, start, len(lines), tuple(t for _, t in path))


def _section(lines: list[str], start: int, end: int, headings: tuple[str, ...]) -> Iterator[Passage]:
    """Paragraphs from line `start` up to `end` (from 0), as many together as fit."""
    first, size, before = start, 0, start
    for begin, stop in _blocks(lines, start, end):
        length = sum(len(line) + 1 for line in lines[begin:stop])
        if size and (size + length > MAX_CHARS or begin - before > MAX_GAP):
            yield Passage(first + 1, before, headings)
            size = 0
        first = begin if not size else first
        size += length
        before = stop
        if size > MAX_CHARS:
            yield from _pieces(lines, first, stop, headings)
            size = 0
    if size:
        yield Passage(first + 1, before, headings)


def _blocks(lines: list[str], start: int, end: int) -> Iterator[tuple[int, int]]:
    begin = start
    for n in range(start, end):
        if not lines[n].strip():
            if begin < n:
                yield begin, n
            begin = n + 1
    if begin < end:
        yield begin, end


def _pieces(lines: list[str], start: int, end: int, headings: tuple[str, ...]) -> Iterator[Passage]:
    """A paragraph that is too long, by lines; a line that is too long, by sentences."""
    first, size = start, 0
    for n in range(start, end):
        length = len(lines[n]) + 1
        if size and size + length > MAX_CHARS:
            yield Passage(first + 1, n, headings)
            first, size = n, 0
        if length > MAX_LINE_CHARS:
            yield from _of_line(lines[n], n, headings)
            first, size = n + 1, 0
        else:
            size += length
    if size:
        yield Passage(first + 1, end, headings)


def _of_line(line: str, n: int, headings: tuple[str, ...]) -> Iterator[Passage]:
    start = at = 0
    ends = [found.end() for found in _SENTENCE.finditer(line)] + [len(line)]
    for end in ends:
        if end - start > MAX_CHARS and at > start:
            yield Passage(n + 1, n + 1, headings, start, at)
            start = at
        while end - start > MAX_CHARS:
            yield Passage(n + 1, n + 1, headings, start, start + MAX_CHARS)
            start += MAX_CHARS
        at = end
    if at > start:
        yield Passage(n + 1, n + 1, headings, start, at)


def _docstrings(tree: ast.Module, lines: list[str]) -> Iterator[Passage]:
    waiting: list[tuple[ast.AST, tuple[str, ...]]] = [(tree, ())]
    while waiting:
        node, path = waiting.pop()
        body: list[ast.stmt] = getattr(node, "body", [])
        match body:
            case [ast.Expr(value=ast.Constant(value=str()) as text), *_]:
                yield from _section(lines, text.lineno - 1, text.end_lineno or text.lineno, path)
            case _:
                pass
        inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
        waiting.extend((c, (*path, c.name) if isinstance(c, _DEFINITION) else path) for c in reversed(inner))


def sentences(text: str) -> list[str]:
    """The sentences of a text, each in one line."""
    return [" ".join(part.split()) for part in _SENTENCE.split(text) if part.strip()]
