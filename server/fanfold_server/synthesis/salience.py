"""How much a sentence says that the rest does not: a small n-gram model of all the prose of one call, and no more.

What recurs (boilerplate, background, turns of phrase) is expected and says little; words that are rare in all the
prose, in an order seen nowhere else, say much. Figures count as one word and so do names where context is concerned,
so that a worn sentence with a fresh name in it stays a worn sentence.
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log2

SLOTS = 1 << 22
"""Counters of each table, one byte each: 4 MB, whatever the prose. At a million different pairs one in five shares
its counter with another, which makes it seem a little less new."""
ENOUGH = 4
"""A sentence of n words is heard as n / (n + ENOUGH): three words say little, however new."""
LONG = 45
"""Words from which a sentence is taken for a list or a table, and loses in proportion."""
PLAIN_WORD = 0.15
"""What a word that is in every sentence still counts when its place is new."""
ASKED = 1.0
"""What a sentence that has every rare word of the question gains, as a factor on top of 1."""
NOUNS_CAPITALISED = 0.18
"""Share of capitals within sentences from which a language writes all its nouns so; then none is a name."""

_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
_NAME, _FIGURE = 1, 2
_FIRST_WORD = 3


def tokens(text: str) -> list[str]:
    """The words of a text, folded; each character of scripts without spaces is one."""
    return _TOKEN.findall(text.casefold())


class Prose:
    """All the sentences of one call, counted. Deterministic: the same sentences give the same figures.

    Takes about half a byte for each character it is given.
    """

    def __init__(self, sentences: Iterable[str]) -> None:
        self._forms: dict[str, int] = {}
        self._inside = array("I")
        self._words = array("I")
        self._ends = array("Q", [0])
        for sentence in sentences:
            self._hear(sentence)
        self._count_words()
        self._beside, self._beyond = bytearray(SLOTS), bytearray(SLOTS)
        for number in range(len(self)):
            self._count_pairs(self._sentence(number))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def _hear(self, sentence: str) -> None:
        forms, inside, words = self._forms, self._inside, self._words
        for at, token in enumerate(_TOKEN.findall(sentence)):
            form = forms.get(token)
            if form is None:
                form = forms[token] = len(forms)
                inside.append(0)
            if at:
                inside[form] += 1
            words.append(form)
        self._ends.append(len(words))

    def _count_words(self) -> None:
        """What each form weighs, and as what it counts in context: itself, a name, or a figure."""
        counts: dict[str, int] = {}
        inside: tuple[dict[str, int], dict[str, int]] = ({}, {})
        for (form, number), seen in zip(self._forms.items(), _tally(self._words, len(self._forms)), strict=True):
            folded = form.casefold()
            counts[folded] = counts.get(folded, 0) + seen
            case = inside[form[:1].isupper()]
            case[folded] = case.get(folded, 0) + (self._inside[number] if form[:1].isupper() else seen)
        lower, upper = inside
        named = sum(upper.values()) < NOUNS_CAPITALISED * max(1, len(self._words))
        kinds = {
            folded: _FIGURE if folded[0].isdigit()
            else _NAME if named and upper.get(folded, -1) > 2 * lower.get(folded, 0) - 1
            else number
            for number, folded in enumerate(counts, _FIRST_WORD)
        }  # fmt: skip
        self._rarity = _rarities(counts, kinds)
        self._context = [kinds[form.casefold()] for form in self._forms]
        self._weight = [self._rarity[form.casefold()] for form in self._forms]

    def _sentence(self, number: int) -> Sequence[int]:
        return self._words[self._ends[number] : self._ends[number + 1]]

    def _slots(self, words: Sequence[int]) -> Iterator[tuple[int, int]]:
        """For each word, the counters of it after the word before it, and after the one before that."""
        context = self._context
        one = two = 0
        for form in words:
            now = context[form]
            mixed = now * 0x85EBCA77
            beside, beyond = (one * 0x9E3779B1 + mixed) & 0xFFFFFFFF, (two * 0x9E3779B1 + mixed) & 0xFFFFFFFF
            yield (beside ^ (beside >> 15)) & (SLOTS - 1), (beyond ^ (beyond >> 15)) & (SLOTS - 1)
            two, one = one, now

    def _count_pairs(self, words: Sequence[int]) -> None:
        beside, beyond = self._beside, self._beyond
        for near, far in self._slots(words):
            if beside[near] < 255:
                beside[near] += 1
            if beyond[far] < 255:
                beyond[far] += 1

    def rarity(self, word: str) -> float:
        """0 for a word in every sentence, 1 for one that is nowhere else."""
        return self._rarity.get(word, 1.0)

    def salience(self, number: int) -> float:
        """How much the sentence of that number, from 0, says which the others do not: about 0 to 1."""
        words = self._sentence(number)
        if not words:
            return 0.0
        beside, beyond, weight = self._beside, self._beyond, self._weight
        total = 0.0
        for form, (near, far) in zip(words, self._slots(words), strict=True):
            # Its own occurrence is taken off: a pair seen nowhere else counts as never seen.
            news = 0.5 / max(beside[near], 1) + 0.5 / max(beyond[far], 1)
            total += PLAIN_WORD * news + (1 - PLAIN_WORD) * weight[form] * (0.5 + 0.5 * news)
        return total / (len(words) + ENOUGH) * min(1.0, LONG / len(words))

    def answers(self, words: Iterable[str], asked: Sequence[str]) -> float:
        """The share of what was asked that the words hold, by rarity: a word in every sentence counts nothing."""
        weights = {token: self.rarity(token) ** 2 for token in asked if token in self._rarity}
        total = sum(weights.values())
        return sum(weights.get(word, 0.0) for word in set(words)) / total if total else 0.0


def _rarities(counts: Mapping[str, int], kinds: Mapping[str, int]) -> dict[str, float]:
    """How much a word alone says: from how seldom any word of its kind is met that is as rare as that or rarer.

    Where every second sentence has a name of its own, one more name says little; a plain word as rare says much.
    """
    total = max(2, sum(counts.values()))
    masses: dict[int, dict[int, int]] = {}
    for word, seen in counts.items():
        mass = masses.setdefault(min(kinds[word], _FIRST_WORD), {})
        mass[seen] = mass.get(seen, 0) + seen
    says: dict[int, dict[int, float]] = {}
    for kind, mass in masses.items():
        tail = 0
        for seen in sorted(mass):
            tail += mass[seen]
            says.setdefault(kind, {})[seen] = log2(total / tail) / log2(total)
    return {word: says[min(kinds[word], _FIRST_WORD)][seen] for word, seen in counts.items()}


def _tally(words: Iterable[int], size: int) -> Sequence[int]:
    counts = array("I", bytes(4 * size))
    for word in words:
        counts[word] += 1
    return counts


def looks(sentence: str) -> float:
    """A factor for how much of it is words: tables, code and addresses lose."""
    return min(1.0, 1.6 * sum(map(str.isalpha, sentence)) / max(len(sentence), 1))
