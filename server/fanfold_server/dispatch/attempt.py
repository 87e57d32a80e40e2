"""Which try of which subtask, and where the journal keeps what belongs to it."""

from dataclasses import dataclass

from fanfold_workers.contract import Subtask


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which try of a subtask is meant: run id, subtask and number, 1 for the first."""

    run: str
    subtask: Subtask
    number: int = 1

    def place(self, kind: str) -> str:
        """Where the journal keeps things of a kind: `r-1f…/turns/s1/001`."""
        return f"{self.run}/{kind}/{self.subtask.id}/{self.number:03}"

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
