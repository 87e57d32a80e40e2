"""Which try of which subtask, and where the journal keeps what belongs to it."""

from dataclasses import dataclass

from fanfold_workers.contract import Subtask

GOES_ON = frozenset({"turns", "notes", "texts", "prior"})
"""What a try that goes on where an earlier one was cut off shares with it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which try of a subtask is meant.

    Attributes:
        run: its run's id.
        subtask: of what.
        number: 1 for the first.
        origin: the try whose conversation it goes on with; 0 for its own.
    """

    run: str
    subtask: Subtask
    number: int = 1
    origin: int = 0

    def place(self, kind: str) -> str:
        """Where the journal keeps things of a kind: `r-1f…/turns/s1/001`."""
        number = self.origin or self.number if kind in GOES_ON else self.number
        return f"{self.run}/{kind}/{self.subtask.id}/{number:03}"

    @property
    def key(self) -> str:
        """Where its Result is recorded."""
        return self.place("results")

    @property
    def notes(self) -> str:
        """Where its findings are recorded while it works."""
        return self.place("notes") + "/"

    @property
    def texts(self) -> str:
        """Where its prose is recorded while its submission is incomplete."""
        return self.place("texts") + "/"
