"""How much a sentence says that the rest does not: a small n-gram model of all the prose of one call, and no more.

What recurs (boilerplate, background, turns of phrase) is expected and says little; words that are rare in all the
prose, in an order seen nowhere else, say much. Figures count as one word and so do names where context is concerned,
so that a worn sentence with a fresh name in it stays a worn sentence.
"""

import re
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise, repeat
from math import log2
from operator import itemgetter, mul, sub

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

_DENSE = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Characters of scripts without spaces: each is a word."""
_BEYOND_DENSE = 0xD7B0
_TOKEN = re.compile(rf"[{_DENSE}]|[^\W_]+")
_ANY_DENSE = re.compile(rf"[{_DENSE}]")
_ALL_DENSE = re.compile(rf"(?:[{_DENSE}]|[\W_])+")
_NO_LETTERS = re.compile(r"[\W\d_]+")
_BETWEEN = re.compile(r"[\W_]+")
_NAME, _FIGURE = 1, 2
_FIRST_WORD = 3
MOST_SEEN = 255
_NEWS = tuple(1.0 / max(seen, 1) for seen in range(MOST_SEEN + 1))
"""How new a pair is, by how often it was seen."""
_UTF_32 = f"utf-32-{'le' if sys.byteorder == 'little' else 'be'}"


class _Numbers(dict[str, int]):
    """Numbers forms as they come; the number of a character of a script without spaces is its own."""

    def __missing__(self, form: str) -> int:
        dense = len(form) == 1 and _ANY_DENSE.match(form)
        self[form] = number = ord(form) if dense else _BEYOND_DENSE + len(self)
        return number


def tokens(text: str) -> list[str]:
    """The words of a text, folded; each character of scripts without spaces is one."""
    return _TOKEN.findall(text.casefold())


class Prose:
    """All the sentences of one call, counted. Deterministic: the same sentences give the same figures.

    Takes about half a byte for each character it is given.
    """

    def __init__(self, sentences: Iterable[str]) -> None:
        self._forms = _Numbers()
        self._words = array("I")
        self._ends = array("Q", [0])
        self._dense = bytearray()
        for sentence in sentences:
            self._hear(sentence)
        self._forms.update((chr(number), number) for number in set(self._words) if number < _BEYOND_DENSE)
        self._count_words()
        self._beside, self._beyond = bytearray(SLOTS), bytearray(SLOTS)
        for number in range(len(self)):
            self._count_pairs(number)

    def __len__(self) -> int:
        return len(self._dense)

    def _hear(self, sentence: str) -> None:
        dense = _ANY_DENSE.search(sentence)
        if dense and _ALL_DENSE.fullmatch(sentence):
            self._words.frombytes(_BETWEEN.sub("", sentence).encode(_UTF_32))
        else:
            self._words.extend(map(self._forms.__getitem__, _TOKEN.findall(sentence)))
        self._dense.append(dense is not None)
        self._ends.append(len(self._words))

    def _count_words(self) -> None:
        """What each form weighs, and as what it counts in context: itself, a name, or a figure."""
        counts: dict[str, int] = {}
        inside: tuple[dict[str, int], dict[str, int]] = ({}, {})
        first = Counter(self._words[start] for start, end in pairwise(self._ends) if start < end)
        seen = Counter(self._words)
        for form, number in sorted(self._forms.items(), key=itemgetter(1)):
            folded = form.casefold()
            counts[folded] = counts.get(folded, 0) + seen[number]
            case = inside[form[:1].isupper()]
            case[folded] = case.get(folded, 0) + seen[number] - (first[number] if form[:1].isupper() else 0)
        lower, upper = inside
        named = sum(upper.values()) < NOUNS_CAPITALISED * max(1, len(self._words))
        kinds = {
            folded: _FIGURE if folded[0].isdigit()
            else _NAME if named and upper.get(folded, -1) > 2 * lower.get(folded, 0) - 1
            else number
            for number, folded in enumerate(counts, _FIRST_WORD)
        }  # fmt: skip
        self._rarity = _rarities(counts, kinds)
        self._weigh(kinds)

    def _weigh(self, kinds: Mapping[str, int]) -> None:
        """By form: what it says wherever it stands, what it says besides in a new place, and where it is counted."""
        size = max(self._forms.values(), default=0) + 1
        self._always, self._when_new = [0.0] * size, [0.0] * size
        self._before, self._here = [0] * size, [0] * size
        for form, number in self._forms.items():
            folded = form.casefold()
            self._always[number] = always = (1 - PLAIN_WORD) * self._rarity[folded] * 0.5
            self._when_new[number] = PLAIN_WORD + always
            self._before[number] = _scattered(2 * kinds[folded])
            self._here[number] = _scattered(2 * kinds[folded] + 1)

    def _sentence(self, number: int) -> Sequence[int]:
        return self._words[self._ends[number] : self._ends[number + 1]]

    def _slots(self, words: Sequence[int], away: int) -> Iterator[int]:
        """For each word, the counter of it after the word that stands so many before it."""
        before = chain(repeat(0, away), map(self._before.__getitem__, words))
        # Below nothing it counts from the end of the table, so that all counters are as likely.
        return map(sub, before, map(self._here.__getitem__, words))

    def _tables(self, number: int) -> Sequence[tuple[int, bytearray]]:
        """Where pairs of a sentence are counted, by how far apart they are.

        Characters are so many, and so seldom a word, that those next to each other say as much as both do.
        """
        return ((1, self._beside),) if self._dense[number] else ((1, self._beside), (2, self._beyond))

    def _count_pairs(self, number: int) -> None:
        words = self._sentence(number)
        for away, table in self._tables(number):
            for slot in self._slots(words, away):
                seen = table[slot]
                if seen < MOST_SEEN:
                    table[slot] = seen + 1

    def rarity(self, word: str) -> float:
        """0 for a word in every sentence, 1 for one that is nowhere else."""
        return self._rarity.get(word, 1.0)

    def salience(self, number: int) -> float:
        """How much the sentence of that number, from 0, says which the others do not: about 0 to 1."""
        words = self._sentence(number)
        if not words:
            return 0.0
        total = sum(map(self._always.__getitem__, words))
        tables = self._tables(number)
        for away, table in tables:
            # Its own occurrence is taken off: a pair seen nowhere else counts as never seen.
            news = map(_NEWS.__getitem__, map(table.__getitem__, self._slots(words, away)))
            total += sum(map(mul, news, map(self._when_new.__getitem__, words))) / len(tables)
        return total * _share(len(words))

    def asked(self, question: Iterable[str]) -> Mapping[int, tuple[str, float]]:
        """By form: which word of the question it is, and what part of all that is asked, by rarity.

        A word in every sentence counts nothing.
        """
        weights = {token: self._rarity[token] ** 2 for token in question if token in self._rarity}
        total = sum(weights.values())
        folded = ((number, form.casefold()) for form, number in self._forms.items())
        return {number: (token, weights[token] / total) for number, token in folded if total and token in weights}

    def answers(self, number: int, asked: Mapping[int, tuple[str, float]]) -> float:
        """The share of what was asked that the sentence of that number holds."""
        if not asked or asked.keys().isdisjoint(words := self._sentence(number)):
            return 0.0
        return sum(dict(asked[form] for form in asked.keys() & words).values())


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


def _scattered(number: int) -> int:
    """A place among the counters that has nothing to do with that of the next number."""
    mixed = number * 0x9E3779B1 & 0xFFFFFFFF
    mixed = (mixed ^ mixed >> 15) * 0x85EBCA77 & 0xFFFFFFFF
    return (mixed ^ mixed >> 13) & (SLOTS - 1)


def _share(words: int) -> float:
    """What each word of a sentence of so many counts: few say little, and many are a list."""
    return min(1.0, LONG / words) / (words + ENOUGH)


def looks(sentence: str) -> float:
    """A factor for how much of it is words: tables, code and addresses lose."""
    return min(1.0, 1.6 * len(_NO_LETTERS.sub("", sentence)) / max(len(sentence), 1))
