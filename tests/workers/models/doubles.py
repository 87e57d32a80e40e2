"""A back end that follows a script, a card with round prices, and what to ask them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import anyio
from trio.testing import MockClock

from fanfold_workers.accounts import Account, Amount, Limit
from fanfold_workers.errors import FanfoldError
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, Reply, Said, Tokens, saying

CARD = Card("a-model", window=100_000, max_output=8_000, price=Price(0, 1, 0, 0))
"""Reading is free and writing a token costs a millionth of a dollar: `max_tokens` is the most a call can cost."""


def virtual_time() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def asking(
    text: str = "hello", *, most: int = 100, purse: Iterable[Account] = (), key: str = "", shared: bool = False
) -> Ask:
    """A request that costs `most` at worst."""
    return Ask("Be brief.", (Said(text),), max_tokens=most, purse=tuple(purse), key=key, shared=shared)


def priced(ask: Ask) -> Ask:
    """As Budget would hand it on."""
    return replace(ask, worst=Amount(ask.max_tokens, 50 + ask.max_tokens, 1))


def answer(cost: int = 10, text: str = "ok") -> Reply:
    """A reply that costs so many micros."""
    return saying(text, usage=Tokens(input=50, output=cost))


def account(name: str, micros: int | None = None, setting: str = "") -> Account:
    return Account(name, Limit(micros=micros), setting)


@dataclass
class Backend:
    """Takes `seconds`, then does what is next in its script, or says ok.

    Attributes:
        script: replies to give and errors to raise.
        seconds: how long each takes.
        asked: what it was asked, and `at` when.
        delivered: what it answered with a reply.
    """

    script: list[Reply | FanfoldError] = field(default_factory=list)
    seconds: float = 0.0
    asked: list[Ask] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    delivered: list[Ask] = field(default_factory=list)

    async def ask(self, ask: Ask, /) -> Reply:
        self.asked.append(ask)
        self.at.append(anyio.current_time())
        step = self.script.pop(0) if self.script else answer()
        await anyio.sleep(self.seconds)
        if isinstance(step, FanfoldError):
            raise step
        self.delivered.append(ask)
        return step


class Answering:
    """A model that gives these answers, one after another: a reply, an error to raise, or what is to be its JSON."""

    def __init__(self, *answers: object) -> None:
        self.answers, self.asked = list(answers), list[Ask]()

    async def ask(self, ask: Ask, /) -> Reply:
        self.asked.append(ask)
        answer = self.answers[len(self.asked) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else saying(json.dumps(answer))
