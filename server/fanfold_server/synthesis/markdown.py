"""Strangers' text made harmless in markdown: nothing in it renders, hides, reorders or begins a block."""

import re
import unicodedata

_HIDDEN = frozenset("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u3164\ufeff\uffa0")
_SPECIAL = re.compile(r"([\\`*\[\]<>|~&$])")
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_CODE = re.compile(r"(?<!`)(`[^`|]+`)(?!`)")
_TICKS = re.compile(r"`+")
_MARKS = re.compile(r"((?:^|\s)(?:#{1,6}|[-+=]{1,3}|\d{1,9}[.)]))(?=\s|$)")


def clean(text: str) -> str:
    """One line without control, hidden and direction-changing characters; lone surrogates become U+FFFD."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = (" " if c.isspace() else "" if _is_hidden(c) else _whole(c) for c in text)
    return " ".join("".join(kept).split())


def shown(text: str) -> str:
    """One line in which hidden and direction-changing characters can be seen, as `\\u202e`: for quotes."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = (" " if c.isspace() else f"\\u{ord(c):04x}" if _is_hidden(c) else _whole(c) for c in text)
    return " ".join("".join(kept).split())


def _is_hidden(character: str) -> bool:
    return character in _HIDDEN or unicodedata.category(character) in {"Cc", "Cf", "Co", "Cn"}


def _whole(character: str) -> str:
    return "\ufffd" if "\ud800" <= character <= "\udfff" else character


def cut(text: str, most: int) -> str:
    """At most so many characters, with an ellipsis where it was cut."""
    return text if len(text) <= most else text[: max(0, most - 1)].rstrip() + "\u2026"


def inline(text: str, most: int = 10_000) -> str:
    """Text to stand in a line of markdown: cut to so many characters, then escaped but for simple code spans."""
    parts = _CODE.split(cut(clean(text), most))
    return "".join(part if n % 2 else _escaped(part) for n, part in enumerate(parts))


def _escaped(text: str) -> str:
    text = _SPECIAL.sub(r"\\\1", text)
    text = _MARKS.sub(lambda m: m[1].replace("#", "\\#") if "#" in m[1] else m[1], text)
    return _UNDERSCORE.sub(r"\\_", text)


def code(text: str, most: int = 10_000, *, in_table: bool = False) -> str:
    """Text as a code span that nothing in it can close."""
    text = cut(shown(text), most)
    if not text:
        return ""
    ticks = "`" * (max((len(run) for run in _TICKS.findall(text)), default=0) + 1)
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{ticks}{pad}{text.replace('|', chr(92) + '|') if in_table else text}{pad}{ticks}"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `2,000 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
