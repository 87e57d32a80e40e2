"""One thing that `fanfold doctor` looked at."""

from dataclasses import dataclass
from typing import Literal

Mark = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at.

    Attributes:
        mark: how it is.
        what: its name.
        seen: what was seen.
        remedy: what to do about it, "" for nothing.
    """

    mark: Mark
    what: str
    seen: str
    remedy: str = ""
