"""Prices a request before it is made, and waits for money in flight before it refuses one."""

from collections import Counter as Tally
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from weakref import WeakValueDictionary

import anyio

from fanfold_workers.accounts import Amount, Full, Limit, Standing
from fanfold_workers.errors import OverBudgetError, TooLongError
from fanfold_workers.journal import MAX_POLL_SECONDS, Journal

from .catalog import FETCH_TOKENS, SEARCH_TOKENS, Card
from .model import Ask, Model, Reply
from .tokens import Meter, ask_tokens

Counter = Callable[[Ask], Awaitable[int | None]]
"""The exact tokens of a request, where the server counts them."""


SPARE_SHARE = 0.1
"""Duplicates may take this part of an account's limit, each counted at its worst: whichever try is not needed is
charged what was held for it, since nobody knows what it cost."""


@dataclass(slots=True)
class Till:
    """Where those wait whose money is in flight; one for all models of a process."""

    changed: anyio.Event = field(default_factory=anyio.Event)
    _spares: Tally[str] = field(default_factory=Tally[str])
    _lines: WeakValueDictionary[str, anyio.Lock] = field(default_factory=WeakValueDictionary[str, anyio.Lock])

    def line(self, account: str) -> anyio.Lock:
        """Where those wait for whom this account has too little: nobody waits behind another's account."""
        return self._lines.setdefault(account, anyio.Lock())

    def spare(self, ask: Ask) -> Full | None:
        """Count a duplicate; the first account that has seen too many of them already, if there is one."""
        for account in ask.purse:
            taken = Amount(self._spares[account.name])
            most = None if account.limit.micros is None else int(account.limit.micros * SPARE_SHARE)
            if (taken + ask.worst).over(Limit(most)):
                return Full(account, "usd", Standing(taken))
        self._spares.update({account.name: ask.worst.micros for account in ask.purse})
        return None

    def ring(self) -> None:
        """A call has ended: what it held may have come back."""
        self.changed.set()
        self.changed = anyio.Event()


@dataclass(frozen=True, slots=True)
class Budget:
    """Fills in what a request may cost at worst, and lets it pass while its purse can bear that.

    Record takes the money, in one transaction over all processes. If there is too little, the request waits while
    calls in flight may give some back, and is refused as soon as what is spent and this worst case pass a limit. A
    duplicate does not wait: it is refused at once, and so are those beyond a tenth of what an account may spend.

    Attributes:
        model: who is asked.
        card: what it costs, and its window.
        journal: how accounts stand.
        meter: tokens of requests.
        till: where to wait.
        count: the server's own count, asked when the estimate comes close to a limit; None if it has none.
    """

    model: Model
    card: Card
    journal: Journal
    meter: Meter
    till: Till
    count: Counter | None = None

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model.

        Raises:
            TooLongError: if the request and its answer do not fit the window.
            OverBudgetError: if it might cost more than is left.
        """
        counted = ask_tokens(ask)
        ask, exact = await self._within(ask, counted)
        if ask.spare and (full := self.till.spare(ask)):
            raise OverBudgetError(full, ask.worst)
        while True:
            try:
                reply = await self.model.ask(ask)
            except OverBudgetError:
                if ask.spare:
                    raise
                if not exact:
                    ask, exact = await self._counted(ask, counted), True
                await self._wait(ask)
            else:
                if not ask.web:
                    # What the provider looks up itself is read too, and no count of the request shows it.
                    self.meter.learn(counted, reply.usage.read)
                return reply
            finally:
                self.till.ring()

    async def _within(self, ask: Ask, counted: int) -> tuple[Ask, bool]:
        """The request with its worst case, and whether its tokens are the server's own count."""
        tokens, room = self.meter.corrected(counted), self.card.window - ask.max_tokens
        if self.meter.at_most(counted) <= room:
            return self._priced(ask, tokens), False
        exact = await self._exact(ask, counted)
        if (exact or tokens) > room:
            size = f"{exact:,} tokens" if exact else f"about {tokens:,} tokens"
            msg = f"The request has {size}, and {self.card.model} takes {self.card.window:,} with the answer."
            raise TooLongError(msg, field="request", remedy="Ask about less, or choose a model with a larger window.")
        return self._priced(ask, exact or tokens), True

    async def _counted(self, ask: Ask, counted: int) -> Ask:
        exact = await self._exact(ask, counted)
        return self._priced(ask, exact) if exact else ask

    async def _exact(self, ask: Ask, counted: int) -> int | None:
        exact = await self.count(ask) if self.count else None
        if exact:
            self.meter.learn(counted, exact)
        return exact

    def _priced(self, ask: Ask, tokens: int) -> Ask:
        cached = ask.shared or ask.ongoing
        uses = ask.web.uses if ask.web else 0
        read = tokens + uses * (SEARCH_TOKENS + FETCH_TOKENS)
        return replace(ask, worst=self.card.worst(read, ask.max_tokens, cached=cached, searches=uses))

    async def _wait(self, ask: Ask) -> None:
        """Return when the purse can bear the request. At each account one looks at a time, the first first."""
        while name := await self._full(ask):
            async with self.till.line(name):
                changed = self.till.changed
                while await self._full(ask) == name:
                    with anyio.move_on_after(MAX_POLL_SECONDS):
                        await changed.wait()
                    changed = self.till.changed

    async def _full(self, ask: Ask) -> str:
        """The narrowest account that has too little left while money is in flight; "" if none.

        Raises:
            OverBudgetError: if one has too little even if all that money comes back.
        """
        full: list[str] = []
        for account in ask.purse:
            standing = await self.journal.standing(account.name)
            if unit := (standing.spent + ask.worst).over(account.limit):
                raise OverBudgetError(Full(account, unit, standing), ask.worst)
            if (standing.spent + standing.held + ask.worst).over(account.limit):
                full.append(account.name)
        return full[0] if full else ""
