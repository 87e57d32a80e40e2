"""What stands around a back end, from the outside in, and why in this order.

```
Memo      only looks up: what was answered before is not asked again
Warm      of those that share a prefix, one goes first
Hedge     asks again what takes far longer than its siblings: its clock starts when the Gate admits
Retry     holds neither a place nor money while it waits
Budget    waits while money in flight may come back
Gate      waits while the server asks to
Record    holds the money and journals the reply, next to the call
back end  Anthropic, or a function
```
"""

from dataclasses import dataclass, field
from random import Random

from fanfold_workers.hedging import Hedges
from fanfold_workers.journal import Journal

from .budget import Budget, Counter, Till
from .catalog import Card
from .gate import Gate, Throttle
from .hedge import Hedge
from .memo import Memo
from .model import Model
from .record import Record
from .retry import Allowance, Retry
from .tokens import Meter
from .warm import Prefix, Warm


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one model at one server, shared by all that ask it in a process."""

    throttle: Throttle = field(default_factory=Throttle)
    allowance: Allowance = field(default_factory=Allowance)
    meter: Meter = field(default_factory=Meter)
    prefixes: dict[str, Prefix] = field(default_factory=dict[str, Prefix])
    hedges: Hedges = field(default_factory=Hedges)
    chance: Random = field(default_factory=Random)


def stacked(
    back_end: Model,
    card: Card,
    journal: Journal,
    *,
    till: Till | None = None,
    known: Known | None = None,
    count: Counter | None = None,
) -> Model:
    """A back end with everything around it.

    Args:
        back_end: makes the call.
        card: what the model costs and holds.
        journal: where replies and spending go.
        till: where calls wait for money; one for all models of a process.
        known: one for each model at each server in a process.
        count: the server's own count of a request's tokens.
    """
    known = known or Known()
    gate = Gate(Record(back_end, journal, card), known.throttle)
    budget = Budget(gate, card, journal, known.meter, till or Till(), count)
    retry = Retry(budget, known.allowance, known.chance)
    hedge = Hedge(retry, journal, known.hedges, known.throttle)
    return Memo(Warm(hedge, card, known.prefixes), journal, card.model)
