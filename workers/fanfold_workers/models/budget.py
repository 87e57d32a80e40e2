"""Prices a request before it is made, and waits for money in flight before it refuses one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import anyio

from fanfold_workers.accounts import Amount, Full
from fanfold_workers.errors import OverBudgetError, TooLongError
from fanfold_workers.journal import MAX_POLL_SECONDS, Journal

from .catalog import Card
from .model import Ask, Model, Reply
from .tokens import Meter, ask_tokens

Counter = Callable[[Ask], Awaitable[int | None]]
"""The exact tokens of a request, where the server counts them."""


@dataclass(slots=True)
class Till:
    """Where those wait whose money is in flight; one for all models of a process."""

    line: anyio.Lock = field(default_factory=anyio.Lock)
    changed: anyio.Event = field(default_factory=anyio.Event)

    def ring(self) -> None:
        """A call has ended: what it held may have come back."""
        self.changed.set()
        self.changed = anyio.Event()


@dataclass(frozen=True, slots=True)
class Budget:
    """Fills in what a request may cost at worst, and lets it pass while its purse can bear that.

    Record takes the money, in one transaction over all processes. If there is too little, the request waits while
    calls in flight may give some back, and is refused only when what is spent and this worst case pass a limit.

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
        ask, exact = await self._within(ask, self.meter.corrected(counted))
        while True:
            try:
                reply = await self.model.ask(ask)
            except OverBudgetError as error:
                if not exact:
                    ask, exact = await self._counted(ask), True
                await self._wait(ask, error)
            else:
                self.meter.learn(counted, reply.usage.read)
                return reply
            finally:
                self.till.ring()

    async def _within(self, ask: Ask, tokens: int) -> tuple[Ask, bool]:
        """The request with its worst case, and whether its tokens are the server's own count."""
        if tokens + ask.max_tokens <= self.card.window:
            return self._priced(ask, tokens), False
        exact = await self.count(ask) if self.count else None
        if (exact or tokens) + ask.max_tokens > self.card.window:
            size = f"{exact:,} tokens" if exact else f"about {tokens:,} tokens"
            msg = f"The request has {size}, and {self.card.model} takes {self.card.window:,} with the answer."
            raise TooLongError(msg, field="request", remedy="Ask about less, or choose a model with a larger window.")
        return self._priced(ask, exact or tokens), True

    async def _counted(self, ask: Ask) -> Ask:
        exact = await self.count(ask) if self.count else None
        return self._priced(ask, exact) if exact else ask

    def _priced(self, ask: Ask, tokens: int) -> Ask:
        cached = ask.shared or ask.ongoing
        searches = ask.web.uses if ask.web else 0
        return replace(ask, worst=self.card.worst(tokens, ask.max_tokens, cached=cached, searches=searches))

    async def _wait(self, ask: Ask, error: OverBudgetError) -> None:
        """Return when the purse can bear the request; first come, first served."""
        async with self.till.line:
            while full := await self._full(ask):
                if not _may_come_back(full, ask.worst):
                    raise OverBudgetError(full, ask.worst) from error
                with anyio.move_on_after(MAX_POLL_SECONDS):
                    await self.till.changed.wait()

    async def _full(self, ask: Ask) -> Full | None:
        for account in ask.purse:
            standing = await self.journal.standing(account.name)
            if unit := (standing.spent + standing.held + ask.worst).over(account.limit):
                return Full(account, unit, standing)
        return None


def _may_come_back(full: Full, worst: Amount) -> bool:
    held = full.standing.held
    return held != Amount() and not (full.standing.spent + worst).over(full.account.limit)
