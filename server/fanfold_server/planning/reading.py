"""What can be read off a task's text without understanding it: lists, names in it, questions, small talk."""

import re

_BULLET = re.compile(r"^[ \t]{0,12}(?:[-*+•\u2013]|\d{1,4}[.)])[ \t]+(?P<item>\S.{0,290}?)[ \t]*$", re.MULTILINE)
_ASKS = re.compile(
    r"^(?:and |so |but |then |please )?(?:how|what|why|when|where|which|who|whom|whose|can|could|does|do|did|is|are|"
    r"was|were|should|would|will|may|must|has|have)\b",
    re.IGNORECASE,
)
_HELLO = re.compile(
    r"(?:hi|hello|hey|yo|greetings|good (?:morning|evening|afternoon|day|night)|thanks?|thank you|thx|ok(?:ay)?|"
    r"bye|goodbye|ping|how are you)(?: (?:there|all|everyone|claude|fanfold|again|so much|very much|today))*",
    re.IGNORECASE,
)
_SUM = re.compile(
    r"(?:(?:what(?:'s| is)|calculate|compute|evaluate|how much is|solve)\s+)?"
    r"[\d\s.,()+*/^%\u00d7\u00f7=x-]*\d[\d\s.,()+*/^%\u00d7\u00f7=x-]*",
    re.IGNORECASE,
)
_CODE = re.compile(r"`([^`\n]{1,200})`")


def visible(text: str) -> bool:
    """Whether a person would see anything: a letter, digit or sign, not just blanks and control characters."""
    return any(char.isprintable() and not char.isspace() for char in text)


def cleaned(text: str) -> str:
    """The text without control characters, line breaks and tabs aside."""
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in text).strip()


def one_line(text: str, most: int) -> str:
    """The text on one line, cut to `most` characters."""
    line = " ".join(cleaned(text).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def bullets(text: str) -> list[str]:
    """The entries of the bullet or numbered lists in a text."""
    found = [match["item"].strip().rstrip(",;").strip("`") for match in _BULLET.finditer(text)]
    return [item for item in found if visible(item)]


def named(text: str, roots: list[str]) -> list[str]:
    """What a text names of the roots by path: `root:path`, `root/path`, and names in backticks, in order."""
    names = "|".join(re.escape(name) for name in sorted(roots, key=len, reverse=True))
    found = [(m.start(1), m[1]) for m in _CODE.finditer(text)]
    if names:
        path = re.compile(rf"(?<![\w/.:-])((?:{names})[:/][^\s`'\"<>|*?(),;]{{1,500}})", re.IGNORECASE)
        found += [(m.start(1), m[1].rstrip(".:!")) for m in path.finditer(text)]
    return list(dict.fromkeys(name for _, name in sorted(found)))


def is_question(text: str) -> bool:
    """Whether a text asks something, rather than ordering it."""
    text = text.strip()
    return bool(_ASKS.match(text)) or bool(re.search(r"\?(?:[\s\"')\]]|$)", text))


def is_talk(text: str) -> bool:
    """Whether it is a greeting or a sum: nothing that anybody should be sent out for."""
    line = text.strip().rstrip("?!. ").replace(",", " ")
    line = " ".join(line.split())
    return len(line) <= 80 and bool(_HELLO.fullmatch(line) or _SUM.fullmatch(line))
