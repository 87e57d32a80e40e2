"""Who has spent what: accounts that calls reserve their worst case in before they go out, and settle at return.

What a process has reserved stays charged when it dies: nobody knows what became of its calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Protocol

MICROS = 1_000_000
"""Money is counted in whole millionths of a US dollar, so that sums are exact."""


def micros(usd: float) -> int:
    """US dollars in millionths, rounded up from a millionth of that: 0.07 is no more than 70,000 of them."""
    return ceil(round(usd * MICROS, 6))


@dataclass(frozen=True, slots=True)
class Amount:
    """What a call costs or may cost: millionths of a US dollar, tokens (read and written), calls."""

    micros: int = 0
    tokens: int = 0
    calls: int = 0

    def __add__(self, other: "Amount", /) -> "Amount":
        return Amount(self.micros + other.micros, self.tokens + other.tokens, self.calls + other.calls)

    def __sub__(self, other: "Amount", /) -> "Amount":
        return Amount(self.micros - other.micros, self.tokens - other.tokens, self.calls - other.calls)

    @property
    def usd(self) -> float:
        """The money in US dollars."""
        return self.micros / MICROS

    def over(self, limit: "Limit", /) -> str:
        """The first unit in which this is more than the limit allows: `usd`, `tokens` or `calls`; "" if none."""
        for unit, used, most in (
            ("usd", self.micros, limit.micros),
            ("tokens", self.tokens, limit.tokens),
            ("calls", self.calls, limit.calls),
        ):
            if most is not None and used > most:
                return unit
        return ""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most an account may spend, in the units of Amount; None for no limit."""

    micros: int | None = None
    tokens: int | None = None
    calls: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Something that money is spent on, and the most that may be: a worker's attempt, a run, a day.

    Attributes:
        name: its key: `r-1f…/s1/001`, `r-1f…`, `day/2026-11-26`.
        limit: the most it may spend, as the caller sees it.
        setting: what a person changes to raise it, for errors.
    """

    name: str
    limit: Limit = field(default=Limit(), compare=False)
    setting: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands.

    Attributes:
        spent: settled, with all that dead processes had reserved.
        held: reserved by calls of the living, which may come back.
    """

    spent: Amount = Amount()
    held: Amount = Amount()


@dataclass(frozen=True, slots=True)
class Full:
    """A reservation that was refused: nothing was changed.

    Attributes:
        account: the first that it would overdraw.
        unit: in which: `usd`, `tokens` or `calls`.
        standing: how that account stands.
    """

    account: Account
    unit: str
    standing: Standing


class Accounts(Protocol):
    """Where spending is counted, over all processes. Every method returns when its effect is durable."""

    async def reserve(self, purse: Sequence[Account], worst: Amount, /) -> Full | None:
        """Hold the amount in every account of the purse, or in none if one would pass its limit."""
        ...

    async def settle(
        self, purse: Sequence[Account], worst: Amount, cost: Amount, records: Mapping[str, str], /
    ) -> Amount:
        """Give back what was reserved, charge the cost, and record these keys, all in one transaction.

        What the first account of the purse has spent by then. Keys recorded before keep their values. Shielded, as
        `record` is.
        """
        ...

    async def standing(self, name: str, /) -> Standing:
        """How an account stands; nothing spent if there is none of that name."""
        ...


@dataclass(slots=True)
class MemoryAccounts:
    """The arithmetic of accounts, in memory."""

    _spent: dict[str, Amount] = field(default_factory=dict[str, Amount])
    _held: dict[str, Amount] = field(default_factory=dict[str, Amount])

    def reserve(self, purse: Sequence[Account], worst: Amount) -> Full | None:
        """See Accounts."""
        for account in purse:
            standing = self.standing(account.name)
            if unit := (standing.spent + standing.held + worst).over(account.limit):
                return Full(account, unit, standing)
        for account in purse:
            self._held[account.name] = self.standing(account.name).held + worst
        return None

    def settle(self, purse: Sequence[Account], worst: Amount, cost: Amount) -> Amount:
        """See Accounts."""
        for account in purse:
            standing = self.standing(account.name)
            self._held[account.name] = standing.held - worst
            self._spent[account.name] = standing.spent + cost
        return self._spent[purse[0].name] if purse else Amount()

    def standing(self, name: str) -> Standing:
        """See Accounts."""
        return Standing(self._spent.get(name, Amount()), self._held.get(name, Amount()))
