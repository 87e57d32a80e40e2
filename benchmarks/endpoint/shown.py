"""What tool results show: files, lines of files, and findings of inspections. Read leniently, line by line."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_READING = re.compile(r"^(?P<source>\S.*?), lines [\d,]+-[\d,]+")
_SEARCHED = re.compile(r"^(?P<source>\S.*?) \([\d,]+\+?(?:, the first \d+ shown)?\)$")
_NUMBERED = re.compile(r"^\s*(?P<line>\d+)(?:\t|[:-] )(?P<text>.*)$")
_GREP = re.compile(r"^(?P<source>\S+?):(?P<line>\d+):\s?(?P<text>.*)$")
_FOUND = re.compile(
    r"^(?P<severity>critical|high|medium|low|info) (?P<kind>\S+) (?P<source>\S.*?) L(?P<line>\d+)\S*: (?P<claim>.*)$"
)
_LISTED = re.compile(r"^(?P<source>\S.*?)  +[\d,.]+ (?:B|kB|MB|GB)$")
_ADOPTABLE = re.compile(r"adopt: ref '(?P<ref>[^']+)'")


@dataclass(frozen=True, slots=True)
class Sight:
    """A line of a file, as a tool showed it."""

    source: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of an inspection, as a tool listed it."""

    severity: str
    kind: str
    source: str
    line: int
    claim: str


@dataclass(slots=True)
class Shown:
    """All that was shown.

    Attributes:
        files: places of files, as `list` names them.
        sights: lines of files, by source and number.
        found: findings of inspections.
        adoptable: refs of calls whose findings may be taken over.
    """

    files: list[str] = field(default_factory=list[str])
    sights: dict[tuple[str, int], Sight] = field(default_factory=dict[tuple[str, int], Sight])
    found: list[Found] = field(default_factory=list[Found])
    adoptable: list[str] = field(default_factory=list[str])


def shown(texts: Iterable[str]) -> Shown:
    """What these tool results show."""
    seen = Shown()
    for text in texts:
        source = ""
        for line in text.splitlines():
            source = _take(seen, line, source)
    return seen


def _take(seen: Shown, line: str, source: str) -> str:
    """Take in one line; the file that the lines after it belong to."""
    if source and (match := _NUMBERED.match(line)):
        _sight(seen, source, match)
    elif match := _READING.match(line) or _SEARCHED.match(line):
        return match["source"]
    elif match := _FOUND.match(line):
        seen.found.append(
            Found(match["severity"], match["kind"], match["source"], int(match["line"]), match["claim"])
        )
    elif match := _LISTED.match(line):
        seen.files.append(match["source"])
    elif match := _GREP.match(line):
        _sight(seen, match["source"], match)
    seen.adoptable += [match["ref"] for match in _ADOPTABLE.finditer(line)]
    return source


def _sight(seen: Shown, source: str, match: re.Match[str]) -> None:
    number = int(match["line"])
    seen.sights[source, number] = Sight(source, number, match["text"].strip())
