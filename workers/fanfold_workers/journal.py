"""The one seam to the disk: what was paid for, found or handed in is recorded once and never changed.

Keys are paths (`plans/p-1f…`, `r-1f…/results/s1/1`), values are JSON texts. A key is written once: the first
record stands. Before work that must be done once, its key is *claimed*; the answer says whether it is done,
somebody living is at it, or it is yours. A claim belongs to one task of one process and dies with either.
"""

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import time
from typing import Protocol

import anyio
import anyio.lowlevel

from .accounts import Account, Accounts, Amount, Full, MemoryAccounts, Standing
from .errors import InputError, JournalError

POLL_SECONDS = 0.02
"""First wait for somebody else's work; doubles up to MAX_POLL_SECONDS."""
MAX_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Done:
    """The key is recorded: here is its value."""

    value: str


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody living holds the claim; `owner` says who, for a person to read."""

    owner: str


@dataclass(frozen=True, slots=True)
class Mine:
    """The claim is yours: record the key, or release it.

    Attributes:
        key: what was claimed.
        token: whose claim it is.
        past: whether anything is recorded under the prefix that was asked about; False only if it is known not to be.
    """

    key: str
    token: str
    past: bool = True


Claim = Done | Busy | Mine


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a key.

    Attributes:
        key: the key.
        value: what was recorded ("" if only keys were asked for); None while it is only claimed.
        at: seconds since the epoch when it was recorded or claimed.
    """

    key: str
    value: str | None
    at: float


class Journal(Accounts, Protocol):
    """What is on disk, and what was spent. Every method returns when its effect is durable and blocks no event loop.

    Implementations raise JournalError when the disk refuses, and InputError for a key or value that is no text
    (a surrogate without its other half).
    """

    async def claim(self, key: str, /, *, past: str = "") -> Claim:
        """Take the key for the calling task unless it is recorded or somebody living holds it.

        With `past`, a prefix, the claim says whether anything is recorded under it.
        """
        ...

    async def release(self, mine: Mine, /) -> None:
        """Give a claim up, so that the next caller gets it; nothing if it is no longer held. Shielded."""
        ...

    async def record(self, key: str, value: str, /) -> bool:
        """Write the value and end any claim on the key; False if it was recorded before (that value stays).

        Shielded: even a caller that is cancelled already gets its record, and a cancellation waits until the
        record is durable.
        """
        ...

    async def record_all(self, records: Mapping[str, str], /) -> None:
        """Write several keys in one transaction; those recorded before keep their values. Shielded as `record`."""
        ...

    async def recall(self, key: str, /) -> str | None:
        """The value recorded under exactly this key, or None."""
        ...

    async def entries(self, prefix: str, /, *, newest: int | None = None, keys_only: bool = False) -> list[Entry]:
        """Every key that begins with the prefix and is recorded or held by somebody living.

        In the order of the keys, by code points; with `newest`, the last that many to be recorded or claimed,
        newest first. With `keys_only` no value is fetched: "" stands for each.
        """
        ...


def check_text(name: str, text: str) -> None:
    """Raise InputError, naming the argument, unless the text can be stored as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        msg = f"It has half a surrogate pair at character {error.start}."
        raise InputError(msg, field=name, remedy="Replace lone surrogates before recording.") from error


@dataclass(slots=True)
class MemoryJournal:
    """A Journal that lives and dies with the process: for scripts, and for tests in virtual time."""

    _entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    _claims: dict[str, Mine] = field(default_factory=dict[str, Mine])
    _serial: int = 0
    _accounts: MemoryAccounts = field(default_factory=MemoryAccounts)

    async def claim(self, key: str, /, *, past: str = "") -> Claim:
        """See Journal."""
        check_text("key", key)
        await anyio.lowlevel.checkpoint()
        if held := self._claims.get(key):
            return Busy(f"claim {held.token}")
        if (entry := self._entries.get(key)) and entry.value is not None:
            return Done(entry.value)
        self._serial += 1
        known = not past or any(entry.startswith(past) for entry in self._entries)
        mine = Mine(key, str(self._serial), known)
        self._claims[key], self._entries[key] = mine, Entry(key, None, time())
        return mine

    async def release(self, mine: Mine, /) -> None:
        """See Journal."""
        held = self._claims.get(mine.key)
        if held and held.token == mine.token:
            del self._claims[mine.key], self._entries[mine.key]
        await _yield()

    async def record(self, key: str, value: str, /) -> bool:
        """See Journal."""
        first = self._put(key, value)
        await _yield()
        return first

    def _put(self, key: str, value: str) -> bool:
        check_text("key", key)
        check_text("value", value)
        if self._claims.pop(key, None):
            del self._entries[key]
        first = key not in self._entries
        if first:
            self._entries[key] = Entry(key, value, time())
        return first

    async def record_all(self, records: Mapping[str, str], /) -> None:
        """See Journal."""
        await self.settle((), Amount(), Amount(), records)

    async def reserve(self, purse: Sequence[Account], worst: Amount, /) -> Full | None:
        """See Accounts."""
        await anyio.lowlevel.checkpoint()
        return self._accounts.reserve(purse, worst)

    async def settle(
        self, purse: Sequence[Account], worst: Amount, cost: Amount, records: Mapping[str, str], /
    ) -> Amount:
        """See Accounts."""
        for key, value in records.items():
            self._put(key, value)
        spent = self._accounts.settle(purse, worst, cost)
        await _yield()
        return spent

    async def standing(self, name: str, /) -> Standing:
        """See Accounts."""
        await anyio.lowlevel.checkpoint()
        return self._accounts.standing(name)

    async def recall(self, key: str, /) -> str | None:
        """See Journal."""
        check_text("key", key)
        await anyio.lowlevel.checkpoint()
        entry = self._entries.get(key)
        return entry.value if entry else None

    async def entries(self, prefix: str, /, *, newest: int | None = None, keys_only: bool = False) -> list[Entry]:
        """See Journal."""
        check_text("prefix", prefix)
        await anyio.lowlevel.checkpoint()
        found = [entry for entry in self._entries.values() if entry.key.startswith(prefix)]
        found = sorted(found, key=lambda e: e.key) if newest is None else found[::-1][: max(newest, 0)]
        return [_without_value(entry) for entry in found] if keys_only else found


async def _yield() -> None:
    """Let others run once the effect stands."""
    with anyio.CancelScope(shield=True):
        await anyio.lowlevel.checkpoint()


def _without_value(entry: Entry) -> Entry:
    return entry if entry.value is None else replace(entry, value="")


async def once(journal: Journal, key: str, work: Callable[[], Awaitable[str]], /) -> str:
    """The value of the key: recorded before, awaited from whoever is at it, or made now by `work`.

    If `work` raises or is cancelled the claim is released and nothing is recorded.

    Raises:
        JournalError: when the disk refuses.
        Exception: whatever `work` raises.
    """
    pause = POLL_SECONDS
    while True:
        claim = await journal.claim(key)
        if isinstance(claim, Done):
            return claim.value
        if isinstance(claim, Mine):
            return await made(journal, claim, work)
        await anyio.sleep(pause)
        pause = min(pause * 2, MAX_POLL_SECONDS)


async def made(journal: Journal, mine: Mine, work: Callable[[], Awaitable[str]], /) -> str:
    """Do claimed work and record it; the value that stands. The claim is given up if `work` raises or is cancelled.

    Raises:
        JournalError: when the disk refuses.
        Exception: whatever `work` raises.
    """
    try:
        value = await work()
        first = await journal.record(mine.key, value)
    except BaseException:
        with anyio.CancelScope(shield=True), contextlib.suppress(JournalError):
            await journal.release(mine)
        raise
    if first:
        return value
    return await journal.recall(mine.key) or value
