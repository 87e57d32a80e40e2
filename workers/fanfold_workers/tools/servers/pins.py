"""What a server's tools were when somebody trusted them: a tool that has changed since is not called.

A server can give a tool another description, and with it other orders to the model that reads it, long after a
person looked. So what a tool was at first sight is pinned in the journal, under `pins/<server>/<tool>/001`; what is
accepted later, under `/002` and so on. The newest pin counts.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from fanfold_workers.journal import Journal

from .line import Offer


@dataclass(frozen=True, slots=True)
class Pin:
    """A tool as it was trusted: its digest, and what was digested, so that a person can see what is different."""

    number: int
    digest: str
    offer: Offer


def digest(offer: Offer) -> str:
    """Changes with the tool's name, description or schema."""
    text = json.dumps([offer.name, offer.description, offer.schema], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Pins:
    """The pins of one server's tools, by the names that scopes spell."""

    journal: Journal
    server: str

    async def newest(self, offers: Mapping[str, Offer]) -> dict[str, Pin]:
        """The pin that counts for each tool; one seen for the first time is pinned as it is.

        Raises:
            JournalError: when the disk refuses.
        """
        known = await self._recorded()
        if unseen := {name: offer for name, offer in offers.items() if name not in known}:
            await self.journal.record_all({self._key(name, 1): _value(offer) for name, offer in unseen.items()})
            known = await self._recorded()  # another process may have been first
        return {name: known[name] for name in offers}

    async def accept(self, offers: Mapping[str, Offer]) -> tuple[str, ...]:
        """Pin tools as they are now; the names of those whose pin was another.

        Raises:
            JournalError: when the disk refuses.
        """
        pins = await self.newest(offers)
        changed = {name: offer for name, offer in offers.items() if pins[name].digest != digest(offer)}
        keys = {name: self._key(name, pins[name].number + 1) for name in changed}
        await self.journal.record_all({keys[name]: _value(offer) for name, offer in changed.items()})
        return tuple(changed)

    def _key(self, name: str, number: int) -> str:
        return f"pins/{self.server}/{name.removeprefix(f'{self.server}__')}/{number:03}"

    async def _recorded(self) -> dict[str, Pin]:
        newest: dict[str, Pin] = {}
        prefix = f"pins/{self.server}/"
        for entry in await self.journal.entries(prefix):
            tool, _, number = entry.key.removeprefix(prefix).partition("/")
            name = f"{self.server}__{tool}"
            if entry.value and int(number) > (newest[name].number if name in newest else 0):
                newest[name] = _pin(int(number), entry.value)
        return newest


def _value(offer: Offer) -> str:
    what = {"name": offer.name, "description": offer.description, "schema": offer.schema}
    return json.dumps({"digest": digest(offer), **what})


def _pin(number: int, value: str) -> Pin:
    read = json.loads(value)
    return Pin(number, read["digest"], Offer(read["name"], read["description"], read["schema"]))
