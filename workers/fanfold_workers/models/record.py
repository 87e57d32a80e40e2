"""Next to the back end: what a call may cost is held before it goes out, and its reply is on disk when it is in."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

from fanfold_workers.accounts import Amount
from fanfold_workers.errors import ModelError, OverBudgetError
from fanfold_workers.journal import Journal

from .catalog import Card
from .model import Ask, Model, Reply, Source, Tokens, ToolCall

T = TypeVar("T")

GRACE_SECONDS = 0.3
"""How long a cancelled caller's reply may still take to come in: one that is on its way is paid for."""


@dataclass(frozen=True, slots=True)
class Record:
    """Holds the worst case in the accounts before a call; journals the reply and settles its cost the moment it ends.

    A call that was cut off costs what was held for it: nobody knows better.

    Attributes:
        model: the back end.
        journal: where replies and spending go.
        card: what the model costs.
    """

    model: Model
    journal: Journal
    card: Card

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model.

        Raises:
            OverBudgetError: if an account of its purse has too little left; nothing was asked.
        """
        if full := await self.journal.reserve(ask.purse, ask.worst):
            raise OverBudgetError(full, ask.worst)
        return await lingering(partial(self._called, ask), GRACE_SECONDS)

    async def _called(self, ask: Ask) -> Reply:
        cost, records = ask.worst, dict[str, str]()
        try:
            reply = await self.model.ask(ask)
            cost = self.card.cost(reply.usage)
            records = {ask.key: dumped(reply)} if ask.key else {}
        except ModelError as error:
            if not error.charged:
                cost = Amount()
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await self.journal.settle(ask.purse, ask.worst, cost, records)
        return reply


async def lingering(work: Callable[[], Awaitable[T]], seconds: float) -> T:
    """The work's own result. A cancellation of the caller reaches the work so many seconds late, or never."""
    results: list[T] = []
    failures: list[Exception] = []
    async with anyio.create_task_group() as group:
        with anyio.CancelScope(shield=True) as scope:
            group.start_soon(_hurry, scope, seconds)
            try:
                results.append(await work())
            except Exception as error:
                failures.append(error)
        group.cancel_scope.cancel()
    if failures:
        raise failures[0]
    if not results:
        await anyio.lowlevel.checkpoint_if_cancelled()
    return results[0]


async def _hurry(scope: anyio.CancelScope, seconds: float) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        scope.deadline = anyio.current_time() + seconds


def dumped(reply: Reply) -> str:
    """A reply as JSON in ASCII, so that half a surrogate pair in it can be stored too."""
    fields = asdict(reply)
    del fields["rates"]
    return json.dumps(fields)


def loaded(text: str) -> Reply:
    """The reply that `dumped` wrote."""
    fields: dict[str, Any] = json.loads(text)
    fields["calls"] = tuple(ToolCall(**call) for call in fields["calls"])
    fields["usage"] = Tokens(**fields["usage"])
    fields["sources"] = tuple(Source(**source) for source in fields["sources"])
    return Reply(**fields)
