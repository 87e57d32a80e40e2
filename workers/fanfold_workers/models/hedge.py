"""Asks again what takes far longer than its siblings: a run is done when its slowest worker is.

A call's clock runs while it is out, from the moment that the Gate lets it go; so neither a queue, a pause nor the
wait before another try makes a straggler of it. Nothing is asked twice while calls wait to go, or would have to.
"""

from dataclasses import dataclass, replace
from functools import partial

from fanfold_workers.hedging import Flight, Hedges, hedged
from fanfold_workers.journal import Journal

from .gate import Throttle
from .model import Ask, Model, Reply
from .record import loaded


@dataclass(frozen=True, slots=True)
class Hedge:
    """Sends a duplicate of a call that is slow among those of the same prefix; the first reply in the journal counts.

    Both tries have the same key, and Record writes it once. What is returned is what stands there, so that whoever
    goes on later goes on from the same reply. The try that is not needed is cancelled at once, and costs what was
    held for it.

    Attributes:
        model: who is asked.
        journal: where replies and spending stand.
        hedges: times of calls by prefix, shared by all that ask the same model at the same server.
        throttle: that server's gate.
    """

    model: Model
    journal: Journal
    hedges: Hedges
    throttle: Throttle

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model. Errors are those of the first try; a duplicate that fails is as good as none."""
        if not ask.hedge:
            return await self.model.ask(ask)

        async def once(flight: Flight) -> Reply:
            tried = replace(ask, flight=flight, spare=flight.spare, needless=lambda: flight.needless)
            return await self.model.ask(tried)

        reply, raced = await hedged(self.hedges.of(ask.prefix), once, partial(self._held, ask.max_tokens))
        return await self._standing(ask, reply) if raced else reply

    def _held(self, output: int) -> bool:
        return not self.throttle.has_room({"requests": 1.0, "output": float(output)})

    async def _standing(self, ask: Ask, reply: Reply) -> Reply:
        """The reply that the journal has, and what both tries have brought the spending to."""
        stands = await self.journal.recall(ask.key) if ask.key else None
        spent = reply.spent
        if spent is not None and ask.purse:
            spent = (await self.journal.standing(ask.purse[0].name)).spent
        return replace(loaded(stands) if stands else reply, rates=reply.rates, spent=spent)
