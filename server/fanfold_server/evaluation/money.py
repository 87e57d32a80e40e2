"""Who pays for an evaluation: all its cases together, within what one run may spend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fanfold_workers.accounts import Account, Amount, Full, Standing
from fanfold_workers.journal import Claim, Entry, Journal, MemoryJournal, Mine


@dataclass(slots=True)
class Together:
    """A Journal for one case: what is recorded stays in memory, what a run spends is the whole evaluation's.

    The account of a run is the evaluation's one here, with the run's limit, and the account of a day is the one that
    all else is paid from. So a hundred cases pass neither what a run may spend nor what a day may. Accounts within a
    run, those of attempts and of its workers, are of this case alone.

    Attributes:
        accounts: where the evaluation's money is counted.
        name: the evaluation's account.
        spent: what this case has cost.
    """

    accounts: Journal
    name: str
    spent: Amount = field(default_factory=Amount)
    _memory: MemoryJournal = field(default_factory=MemoryJournal)

    async def claim(self, key: str, /, *, past: str = "") -> Claim:
        """See Journal."""
        return await self._memory.claim(key, past=past)

    async def release(self, mine: Mine, /) -> None:
        """See Journal."""
        await self._memory.release(mine)

    async def record(self, key: str, value: str, /) -> bool:
        """See Journal."""
        return await self._memory.record(key, value)

    async def record_all(self, records: Mapping[str, str], /) -> None:
        """See Journal."""
        await self._memory.record_all(records)

    async def recall(self, key: str, /) -> str | None:
        """See Journal."""
        return await self._memory.recall(key)

    async def entries(self, prefix: str, /, *, newest: int | None = None, keys_only: bool = False) -> list[Entry]:
        """See Journal."""
        return await self._memory.entries(prefix, newest=newest, keys_only=keys_only)

    async def reserve(self, purse: Sequence[Account], worst: Amount, /) -> Full | None:
        """See Accounts."""
        own, shared = self._parted(purse)
        if full := await self._memory.reserve(own, worst):
            return full
        if full := await self.accounts.reserve(shared, worst):
            await self._memory.settle(own, worst, Amount(), {})
        return full

    async def settle(
        self, purse: Sequence[Account], worst: Amount, cost: Amount, records: Mapping[str, str], /
    ) -> Amount:
        """See Accounts."""
        own, shared = self._parted(purse)
        of_all = await self.accounts.settle(shared, worst, cost, {})
        self.spent += cost
        spent = await self._memory.settle(own, worst, cost, records)
        return spent if own else of_all

    async def standing(self, name: str, /) -> Standing:
        """See Accounts."""
        known = self._shared(name)
        return await (self.accounts.standing(known) if known else self._memory.standing(name))

    def _parted(self, purse: Sequence[Account]) -> tuple[tuple[Account, ...], tuple[Account, ...]]:
        """The accounts of this case, and those it shares with all others; the order stays."""
        own = tuple(account for account in purse if not self._shared(account.name))
        named = ((account, self._shared(account.name)) for account in purse)
        return own, tuple(replace(account, name=name) for account, name in named if name)

    def _shared(self, name: str) -> str:
        """What an account is called that is shared; "" for one that is not."""
        return name if name.startswith("day/") else "" if "/" in name else self.name
