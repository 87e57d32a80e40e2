"""Texts with facts in them that only a grader knows: five sentences in the middle of each, chosen by lot.

A text is sentences of one domain recombined, two in three with invented names and figures (see
`benchmarks/handed_texts.py`). Its facts are some of these very sentences: nothing but the grader's list tells them
from the others, so that no rule finds them more often than chance does.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from benchmarks.endpoint import tokens
from benchmarks.handed_texts import background, paragraphs

from fanfold_server.records import Handed
from fanfold_workers.contract import Result

INVENTED = 0.67
"""The share of sentences with invented names."""
MIDDLE = 0.1, 0.9
"""Facts stand between these parts of their text."""
FACTS, TOKENS = 5, 8_000


@dataclass(frozen=True, slots=True)
class Planted:
    """A text and what is to be found in it.

    Attributes:
        name: `t1`, `t2`, …
        text: prose in paragraphs.
        facts: sentences of it, each once in all the texts.
    """

    name: str
    text: str
    facts: tuple[str, ...]

    @property
    def handed(self) -> Handed:
        """The text as it is handed to `synthesize`."""
        return Handed(title=f"Text {self.name}", result=Result.ended(self.name, text=self.text, engine="host"))


@cache
def planted(count: int, size: int = TOKENS, facts: int = FACTS, seed: int = 1) -> tuple[Planted, ...]:
    """So many texts of about so many tokens, by the endpoint's own count. The same seed makes the same texts."""
    rng = random.Random(seed)
    written = [_sentences(rng, size) for _ in range(count)]
    said = Counter(sentence for sentences in written for sentence in sentences)
    return tuple(
        Planted(f"t{n}", "\n\n".join(paragraphs(rng, sentences)), _facts(rng, sentences, said, facts))
        for n, sentences in enumerate(written, 1)
    )


def _sentences(rng: random.Random, size: int) -> list[str]:
    source, sentences, length = background(rng, INVENTED), list[str](), 0
    while length < size:
        sentences.append(next(source))
        length += tokens.count(sentences[-1])
    return sentences


def _facts(rng: random.Random, sentences: Sequence[str], said: Counter[str], count: int) -> tuple[str, ...]:
    first, last = (int(part * len(sentences)) for part in MIDDLE)
    return tuple(rng.sample([sentence for sentence in sentences[first:last] if said[sentence] == 1], count))
