"""What the simulated readers notice in a text: the sentences that the config calls facts, less those they forget."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from benchmarks.endpoint import behaviour, tokens
from benchmarks.endpoint.config import Config, Knowledge
from benchmarks.endpoint.draft import Draft
from benchmarks.endpoint.prompt import Prompt

MAX_CHARS = 20_000
_SENTENCE = re.compile(r"\S(?:[^.!?]|[.!?](?!\s|$|<))*[.!?]")
_ROOM = re.compile(r"at most ([\d,]+) characters", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Noticed:
    """A fact in a text: how it stands there, from which character on, and itself."""

    start: int
    quote: str
    fact: str


def noticed(text: str, config: Config) -> Iterator[Noticed]:
    """The facts in a text that are not forgotten, in order, each as often as it stands there."""
    known = remembered(config.knows, config.seed)
    for match in _SENTENCE.finditer(text) if known else ():
        if (fact := " ".join(match[0].split())) in known:
            yield Noticed(match.start(), match[0], fact)


@lru_cache(maxsize=8)
def remembered(knows: Knowledge, seed: int) -> frozenset[str]:
    """The facts that are not forgotten. Each has a draw of its own, wherever it stands, however often it is read."""
    return frozenset(fact for fact in knows.facts if behaviour.draw(seed, fact, "forget") >= knows.forget)


def room(prompt: Prompt) -> int:
    """How many characters are wanted at most."""
    match = _ROOM.search("\n".join(prompt.said))
    return int(match[1].replace(",", "")) if match else MAX_CHARS


def summary(prompt: Prompt, config: Config) -> Draft:
    """The facts that it notices in what it is shown, one a line, as many as there is room for."""
    chars, most = room(prompt), prompt.max_tokens
    lines: list[str] = []
    for fact in dict.fromkeys(one.fact for text in prompt.said for one in noticed(text, config)):
        chars, most = chars - len(fact) - 1, most - tokens.count(fact) - 1
        if min(chars, most) < 0:
            break
        lines.append(fact)
    return Draft("\n".join(lines) or "Simulated: there is nothing to say.")
