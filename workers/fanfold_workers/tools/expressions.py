"""google-re2 with types: regular expressions that cannot stall, whoever wrote them.

Time grows with the length of the text alone, but the worst patterns take a few seconds per megabyte, and a call
cannot be interrupted: search long texts piece by piece.
"""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import re2 as _re2  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

re2 = cast("Any", _re2)


class Match(Protocol):
    """Where an expression matched, in bytes."""

    def start(self) -> int:
        """The first byte of it."""
        ...

    def end(self) -> int:
        """The byte after it."""
        ...


class Expression(Protocol):
    """A compiled expression over UTF-8 bytes."""

    def search(self, text: bytes, pos: int = 0, endpos: int | None = None, /) -> Match | None:
        """The first match at or after `pos`, None if there is none."""
        ...


def expression(pattern: str, *, ignore_case: bool = False) -> Expression:
    """The pattern in RE2's syntax, with `^` and `$` at every line.

    Raises:
        ValueError: when it is malformed, or too large; the message says why.
    """
    options = _quiet()
    options.case_sensitive = not ignore_case
    try:
        return cast("Expression", re2.compile(f"(?m){pattern}".encode(), options))
    except (re2.error, UnicodeEncodeError) as error:
        raise ValueError(_why(error)) from error


class Alternatives:
    """Many expressions matched against a text in one pass. Malformed ones never match."""

    __slots__ = ("_kept", "_set")

    def __init__(self, patterns: Sequence[str]) -> None:
        self._set = re2.Set.SearchSet(_quiet())
        self._kept: list[int] = []
        for index, pattern in enumerate(patterns):
            try:
                self._set.Add(pattern)
            except (re2.error, UnicodeEncodeError):
                continue
            self._kept.append(index)
        if self._kept:
            self._set.Compile()

    def last(self, text: str) -> int:
        """The index of the last pattern that matches somewhere, -1 if none does."""
        found: list[int] | None = self._set.Match(text) if self._kept else None
        return self._kept[max(found)] if found else -1


def _quiet() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


def _why(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)
