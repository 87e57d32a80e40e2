"""Text as it may stand in an answer: no lone surrogate (it would kill the frame it travels in), no control codes."""

import re

_CODES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_TURNS = re.compile("[\t\n\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # ends of lines, and turns of direction


def legible(text: str) -> str:
    """The text with control codes (but tab and newline) and lone surrogates as U+FFFD; its length stays."""
    return _CODES.sub("\ufffd", text)


def in_line(text: str, most: int = 200) -> str:
    """The text on one line of at most `most` characters, cut in the middle: for names in messages.

    What would turn the direction of writing, and so show a name as another, becomes U+FFFD, too.
    """
    line = _TURNS.sub("\ufffd", legible(text))
    half = most // 2
    return line if len(line) <= most else f"{line[: half - 1]}…{line[-half:]}"
