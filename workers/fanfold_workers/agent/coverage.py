"""How much of its scope a worker has looked at, as far as its tool calls tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fanfold_workers.contract import Examined

FEW = 0.1
"""Who has looked at less than this part of its scope has barely begun."""


@dataclass(slots=True)
class Coverage:
    """What was looked at.

    A file that was read counts, and so does every file that a search or an inspection went through.

    Attributes:
        in_scope: files in scope; 0 if there are none to look at.
        places: of the scope.
    """

    in_scope: int
    places: tuple[str, ...] = ()
    _read: set[str] = field(default_factory=set[str])
    _swept: dict[str, int] = field(default_factory=dict[str, int])
    _whole: set[str] = field(default_factory=set[str])

    def saw(self, tool: str, arguments: Mapping[str, object], examined: Examined) -> None:
        """Take in what one tool call looked at."""
        if tool == "read":
            self._read.add(str(arguments.get("place", "")))
        elif examined.in_scope:
            under = str(arguments.get("under", "") or "")
            key = f"{under} {arguments.get('glob') or ''}"
            if not arguments.get("glob") and examined.done >= examined.in_scope:
                self._whole.update([under] if under else self.places)
            self._swept[key] = max(self._swept.get(key, 0), examined.done)

    @property
    def examined(self) -> Examined:
        """Files looked at, of those in scope."""
        if not self.in_scope:
            return Examined()
        whole = self._swept.get(" ", 0)
        parts = sum(done for key, done in self._swept.items() if key != " ")
        done = (
            self.in_scope
            if self._whole.issuperset(self.places)
            else min(self.in_scope, max(len(self._read), whole, parts))
        )
        left = (f"{self.in_scope - done:,} not looked at",) if done < self.in_scope else ()
        return Examined(done=done, in_scope=self.in_scope, left_out=left)

    @property
    def barely_begun(self) -> bool:
        """Whether next to nothing was looked at."""
        seen = self.examined
        return seen.done < seen.in_scope * FEW
