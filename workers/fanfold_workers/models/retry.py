"""Tries again what failed for a reason that may pass."""

from dataclasses import dataclass, field
from random import Random

import anyio

from fanfold_workers.errors import FaultError

from .model import Ask, Model, Reply

TRIES = 3
FIRST_SECONDS = 1.0
SHARE, START, MOST = 0.1, 10.0, 100.0
"""Retries may be a tenth of all calls, and ten more; better days save up a hundred at most. So a server that is down
is not asked three times by everyone."""


@dataclass(slots=True)
class Allowance:
    """How many retries are left; each call earns a part of one."""

    left: float = START

    def earn(self) -> None:
        """A call was made."""
        self.left = min(self.left + SHARE, MOST)

    def take(self) -> bool:
        """Whether one more retry is allowed; it is taken."""
        allowed = self.left >= 1
        self.left -= allowed
        return allowed


@dataclass(frozen=True, slots=True)
class Retry:
    """Three tries, with equal jitter between them (half of 1 s, 2 s for certain, half by chance).

    While it waits it holds neither a place at the gate nor money. A server's request to wait is not a failure and
    never comes here.

    Attributes:
        model: who is asked.
        allowance: shared by all that talk to the same model.
        chance: where jitter comes from.
    """

    model: Model
    allowance: Allowance
    chance: Random = field(default_factory=Random)

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model.

        Raises:
            FaultError: if the last try allowed failed too, saying how many there were.
        """
        if ask.spare:
            return await self.model.ask(ask)
        self.allowance.earn()
        tried = 0
        while True:
            tried += 1
            try:
                return await self.model.ask(ask)
            except FaultError as error:
                if tried >= TRIES:
                    raise _given_up(error, f"tried {tried} times") from error
                if not self.allowance.take():
                    raise _given_up(error, f"tried {tried} x, and too many other calls fail to try again") from error
            whole = FIRST_SECONDS * 2 ** (tried - 1)
            await anyio.sleep(whole / 2 + self.chance.random() * whole / 2)


def _given_up(error: FaultError, how: str) -> FaultError:
    text = f"{error.problem} ({how}.)"
    return FaultError(text, charged=error.charged, field=error.field, remedy=error.remedy)
