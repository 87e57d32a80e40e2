"""Outermost: what was answered before is not asked again."""

from dataclasses import dataclass, replace

from fanfold_workers.journal import Journal

from .model import Ask, Model, Reply
from .record import loaded


@dataclass(frozen=True, slots=True)
class Memo:
    """Looks a request up in the journal by its place in the run and its hash; Record is what writes there.

    Attributes:
        model: who is asked what nobody asked before.
        journal: where replies are.
        name: the model's id: another model's answer is another answer.
    """

    model: Model
    journal: Journal
    name: str

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model."""
        if not ask.key:
            return await self.model.ask(ask)
        key = f"{ask.key}/{ask.digest(self.name)}"
        if not ask.new and (value := await self.journal.recall(key)):
            return loaded(value)
        return await self.model.ask(replace(ask, key=key))
