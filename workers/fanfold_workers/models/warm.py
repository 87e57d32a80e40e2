"""Of many that share a prefix, one goes first: an entry in the provider's cache exists only once an answer begins.

Fifty at once with a shared prefix pay 62.5 times its price (each writes it: 1.25); one first and then the others pay
1.25 + 49 x 0.1 or less.
"""

from dataclasses import dataclass, field, replace

import anyio

from .catalog import Card
from .model import Ask, Model, Reply
from .tokens import prefix_tokens

FOLLOW_SECONDS = 2.0
"""The longest that others wait for the first: a cache is not worth more time than that."""
KEPT_SECONDS = 270.0
"""A provider keeps an entry for 300 s after its last use."""


@dataclass(slots=True)
class Prefix:
    """One shared prefix: being written, or kept until `until` if nobody uses it before."""

    begun: anyio.Event = field(default_factory=anyio.Event)
    until: float = 0.0

    def use(self) -> None:
        """It is in the cache now."""
        self.until = anyio.current_time() + KEPT_SECONDS
        self.begun.set()


@dataclass(frozen=True, slots=True)
class Warm:
    """Lets the first caller of a shared prefix go alone, streaming, until its answer begins.

    The others follow when it has begun, failed, or been cancelled, or after two seconds. A prefix under the model's
    minimum is not cached, so nobody waits.

    Attributes:
        model: who is asked.
        card: the model's minimum.
        prefixes: those known, by hash; shared by all that talk to the same model.
    """

    model: Model
    card: Card
    prefixes: dict[str, Prefix]

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model."""
        if not ask.shared or prefix_tokens(ask) < self.card.cache_minimum:
            return await self.model.ask(ask)
        known = self.prefixes.get(ask.prefix)
        if known is None or (known.begun.is_set() and known.until <= anyio.current_time()):
            return await self._first(ask)
        with anyio.move_on_after(FOLLOW_SECONDS):
            await known.begun.wait()
        if known.until:
            known.use()
        return await self.model.ask(ask)

    async def _first(self, ask: Ask) -> Reply:
        prefix = self.prefixes[ask.prefix] = Prefix()
        try:
            reply = await self.model.ask(replace(ask, begun=prefix.use))
            if not prefix.until:
                # It came in one piece.
                prefix.use()
            return reply
        finally:
            prefix.begun.set()
