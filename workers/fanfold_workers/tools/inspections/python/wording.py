"""What a text says of a deprecation: whether it states one, of what, since when and until when."""

import re
import sys
from dataclasses import dataclass

_NUMBER = r"v?(?P<version>\d{1,3}(?:\.\d{1,4}){1,2})(?![\w.]*\w)"
_OF = r"(?P<of>(?:\w+\s+)?(?:version|release|Python|v\.?)\s*|the\s+)?"
_SINCE = re.compile(
    rf"deprecated(?:-removed)?\s*(?:::|,?\s*(?:since|in|as\s+of|from|with)\b)?\s*{_OF}{_NUMBER}", re.IGNORECASE
)
_REMOVAL = re.compile(
    r"\b(?:remov(?:ed|al)|delet(?:ed|ion)|dropped|disallowed|disabled|gone|unsupported|will|no\s+longer)\b"
    r"(?:(?!deprecat|available|added|introduced).){0,120}?"
    rf"\b(?:in|since|after|with|from|by|until|as\s+of)\s+{_OF}{_NUMBER}",
    re.IGNORECASE,
)
_FROM_THEN_ON = re.compile(
    rf"^\s*(?:in\s+{_OF}|(?P<python>Python)\s+){_NUMBER},?\s[^.]{{0,200}}?\b(?:will|become|no\s+longer)\b",
    re.IGNORECASE,
)
_BOTH = re.compile(rf"deprecated-removed::\s*[\d.]+\s+{_NUMBER}")

_OPENS = re.compile(
    r"^\W{0,3}deprecated\b(?!\s+(?:names|aliases|functions|methods|classes|things|features|or|and)\b)", re.IGNORECASE
)
_CLOSES = re.compile(r"[,(;:-]\s*(?:now\s+)?deprecated\W*$", re.IGNORECASE)
_THIS = re.compile(
    r"\bthis\s+(?:\w+\s+)?(?P<noun>function|method|class|module|package|library|property|attribute|decorator|alias|api|constant|"
    r"exception|command|mixin|helper|feature)\s+(?:is|has\s+been|was)\s+(?:now\s+|also\s+)?deprecated\b",
    re.IGNORECASE,
)
_DIRECTIVE = re.compile(r"^\s*\.\.\s+deprecated(?:-removed)?::", re.IGNORECASE)
_MARK = re.compile(r"^\W*deprecated(?:-removed)?::\s*[\w.]*\s*", re.IGNORECASE)
_OF_AN_ARGUMENT = re.compile(
    r"^\W*(?:passing|specifying|supplying|giving|omitting|using\s+\S+\s+as|support\s+for|use\s+of|calling\s+\S+\s+(?:with|without))\b"
    r"|\b(?:argument|parameter|keyword|kwarg|option)s?\b.{0,60}?\b(?:deprecated|ignored|removed|renamed)\b",
    re.IGNORECASE,
)

_NAMED = re.compile(
    r"(?:\b(?P<after>after|beyond|from|leave|leaving|off)\s+)?(?:\b(?:c?python|py)[\s-]*)?\b3\.(?P<minor>\d{1,2})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Version:
    """A version as written, and whether the text says it is one of Python."""

    text: str
    of_python: bool


def removal(text: str) -> Version | None:
    """The version in which a text says something ends or changes, if it says so."""
    found = _BOTH.search(text) or _REMOVAL.search(text) or _FROM_THEN_ON.search(text)
    if not found:
        return None
    groups = found.groupdict()
    of = groups.get("of") or groups.get("python") or ""
    return Version(found["version"], "python" in of.lower())


def since(text: str) -> str:
    """The version from which a text says something is deprecated, or ""."""
    found = _SINCE.search(text)
    return found["version"] if found else ""


def concerns_an_argument(message: str) -> bool:
    """Whether a warning is about how something is called rather than that it is."""
    return bool(_OF_AN_ARGUMENT.search(message))


@dataclass(frozen=True, slots=True)
class Note:
    """Where a docstring says that what it documents is deprecated.

    Attributes:
        line: of the docstring, from 0.
        text: that line with the rest of its paragraph.
        nested: whether it stands below something else, say a parameter.
        noun: what it calls the thing ("this *class* is deprecated"), "" if nothing.
    """

    line: int
    text: str
    nested: bool
    noun: str = ""

    @property
    def statement(self) -> str:
        """The text without the directive that opens it."""
        return _MARK.sub("", self.text)


def note(docstring: str) -> Note | None:
    """The first place of a docstring, as written, that states a deprecation; None if none does."""
    lines = docstring.split("\n")
    base = min((_indent(line) for line in lines[1:] if line.strip()), default=0)
    for n, line in enumerate(lines):
        if "deprecated" not in line.lower():
            continue
        paragraph = _paragraph(lines, n)
        if _DIRECTIVE.match(line):
            return Note(n, paragraph, nested=n > 0 and _indent(line) > base)
        opens = n == 0 or (not lines[n - 1].strip() and _indent(line) == base)
        if (opens and _OPENS.match(line)) or (n == 0 and _CLOSES.search(line)):
            return Note(n, paragraph, nested=False)
        if this := _THIS.search(line):
            return Note(n, paragraph, nested=n > 0 and _indent(line) > base, noun=this["noun"].lower())
    return None


def _paragraph(lines: list[str], start: int) -> str:
    end = start + 1
    while end < len(lines) and lines[end].strip() and end - start < 8:
        end += 1
    if end < len(lines) and _DIRECTIVE.match(lines[start]) and end == start + 1:
        return f"{lines[start].strip()} {lines[min(end + 1, len(lines) - 1)].strip()}".strip()
    return " ".join(" ".join(lines[start:end]).split())


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def next_python(
    question: str, running: tuple[int, int] = (sys.version_info.major, sys.version_info.minor)
) -> tuple[int, int]:
    """The Python somebody wants to move to: the newest one the question names, else the one after `running`.

    "after 3.12" and "from 3.12", where no other is named, mean 3.13.
    """
    named = [(int(found["minor"]), bool(found["after"])) for found in _NAMED.finditer(question)]
    if not named:
        return running[0], running[1] + 1
    minor, after = max(named)
    return 3, minor + 1 if after and len({m for m, _ in named}) == 1 else minor
