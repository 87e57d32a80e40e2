"""Next to the back end: what a call may cost is held before it goes out, and its reply is on disk when it is in."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
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
        await self._still_wanted(ask)
        return await lingering(partial(self._called, ask), lambda: 0.0 if ask.needless() else GRACE_SECONDS)

    async def _still_wanted(self, ask: Ask) -> None:
        """A caller that was cancelled meanwhile asks nothing, and gets its money back."""
        try:
            await anyio.lowlevel.checkpoint_if_cancelled()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.journal.settle(ask.purse, ask.worst, Amount(), {})
            raise

    async def _called(self, ask: Ask) -> Reply:
        cost, records, spent = ask.worst, dict[str, str](), Amount()
        try:
            reply = await self.model.ask(ask)
            cost = self.card.cost(reply.usage)
            records = {ask.key: dumped(reply)} if ask.key else {}
        except ModelError as error:
            if not error.charged:
                cost = Amount()
            raise
        finally:
            spent = await self.journal.settle(ask.purse, ask.worst, cost, records)
        return replace(reply, spent=spent)


async def lingering(work: Callable[[], Awaitable[T]], seconds: Callable[[], float]) -> T:
    """The work's own result. A cancellation of the caller reaches the work so many seconds late, or never."""
    results: list[T] = []
    failures: list[Exception] = []
    ended = anyio.Event()
    async with anyio.create_task_group() as group:
        with anyio.CancelScope(shield=True) as scope:
            group.start_soon(_hurry, ended, scope, seconds)
            try:
                results.append(await work())
            except Exception as error:
                failures.append(error)
        ended.set()
    if failures:
        raise failures[0]
    if not results:
        await anyio.lowlevel.checkpoint_if_cancelled()
    return results[0]


async def _hurry(ended: anyio.Event, scope: anyio.CancelScope, seconds: Callable[[], float]) -> None:
    try:
        await ended.wait()
    finally:
        if not ended.is_set():
            scope.deadline = anyio.current_time() + seconds()


def dumped(reply: Reply) -> str:
    """A reply as JSON in ASCII, so that half a surrogate pair in it can be stored too."""
    usage = reply.usage
    fields = {
        "text": reply.text,
        "calls": [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in reply.calls],
        "stop": reply.stop,
        "usage": {name: getattr(usage, name) for name in Tokens.__slots__},
        "content": reply.content,
        "sources": [{"url": one.url, "title": one.title, "quote": one.quote} for one in reply.sources],
        "model": reply.model,
    }
    return json.dumps(fields)


def loaded(text: str) -> Reply:
    """The reply that `dumped` wrote."""
    fields: dict[str, Any] = json.loads(text)
    fields["calls"] = tuple(ToolCall(**call) for call in fields["calls"])
    fields["usage"] = Tokens(**fields["usage"])
    fields["sources"] = tuple(Source(**source) for source in fields["sources"])
    return Reply(**fields)
