"""A text cut into lines as locators count them, quotes that can be looked up again, and findings in a list."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fanfold_workers.contract import Evidence, Finding

MAX_QUOTE_CHARS = 2_000
MAX_LISTED = 50
_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Page:
    """A text and the place it was read from."""

    place: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends; line n of a locator is the n-1st. A form feed ends no line."""
        return _BREAK.split(self.text)

    def quote(self, first: int, last: int) -> Evidence | None:
        """Lines `first` to `last` (from 1, both included) verbatim, less what is over 2,000 characters.

        None if they are blank: then there is nothing to check.
        """
        room = MAX_QUOTE_CHARS
        end = first
        for n in range(first, last + 1):
            room -= len(self.lines[n - 1]) + 1
            if room < 0:
                break
            end = n if self.lines[n - 1].strip() else end
        last = end
        text = "\n".join(self.lines[first - 1 : last]).strip()[:MAX_QUOTE_CHARS].strip()
        locator = f"L{first}" if first == last else f"L{first}-L{last}"
        return Evidence(source=self.place, locator=locator, quote=text) if text else None


def listed(found: Sequence[Finding], nothing: str, what: str) -> str:
    """Findings for a model to read, a line each, MAX_LISTED of them; `nothing` if there are none."""
    if not found:
        return nothing
    lines = [f"{f.severity} {f.kind} {_place(f)}: {f.claim}" for f in found[:MAX_LISTED]]
    more = [f"… and {len(found) - MAX_LISTED} more."] if len(found) > MAX_LISTED else []
    return "\n".join([f"{len(found)} {what}.", *lines, *more])


def _place(finding: Finding) -> str:
    first = finding.evidence[0] if finding.evidence else None
    return f"{first.source} {first.locator}".rstrip() if first else "nowhere"
