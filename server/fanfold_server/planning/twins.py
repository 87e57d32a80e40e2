"""Subtasks that would do the same work twice."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from rapidfuzz import fuzz

from fanfold_workers.contract import Subtask

from .items import Item
from .matching import stem
from .reading import cleaned

ALL_PAIRS = 400
"""Up to so many subtasks of one scope are compared each with each; beyond, with their neighbours in word order."""
NEIGHBOURS = 10
ALIKE = 85
"""How alike (0 to 100) two words must be to be one word spelt twice. Words with digits in them must be equal."""
ASIDE = frozenset({"a", "an", "the", "of", "in", "on", "for", "to", "and", "or", "all", "any", "please"})


def twins(subtasks: Sequence[Subtask]) -> Iterator[tuple[int, int]]:
    """Index pairs of subtasks with the same scope and item and nearly the same objective, the earlier first."""
    words = [_words(subtask.objective) for subtask in subtasks]
    scopes: dict[object, list[int]] = {}
    for n, subtask in enumerate(subtasks):
        key = (tuple(sorted(subtask.scope.places)), tuple(sorted(subtask.checks)), Item(subtask.item).key)
        scopes.setdefault(key, []).append(n)
    found: dict[int, int] = {}
    for group in scopes.values():
        for first, second in _pairs(group, words):
            if second not in found and _same(words[first], words[second]):
                found[second] = first
    yield from sorted((first, second) for second, first in found.items())


def _words(objective: str) -> tuple[str, ...]:
    text = "".join(char if char.isalnum() else " " for char in cleaned(objective).casefold())
    return tuple(sorted({stem(word) for word in text.split()} - ASIDE))


def _pairs(group: list[int], words: Sequence[tuple[str, ...]]) -> Iterator[tuple[int, int]]:
    if len(group) <= ALL_PAIRS:
        yield from combinations(group, 2)
        return
    near = sorted(group, key=lambda n: (words[n], n))
    for at, n in enumerate(near):
        for other in near[at + 1 : at + 1 + NEIGHBOURS]:
            yield min(n, other), max(n, other)


def _same(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether every word of either has its like in the other."""
    mine, theirs = set(first), set(second)
    if not mine or abs(len(mine) - len(theirs)) > 2:
        return mine == theirs and bool(mine)
    only, other = mine - theirs, theirs - mine
    return len(only) <= 3 and all(_has_like(w, other) for w in only) and all(_has_like(w, only) for w in other)


def _has_like(word: str, words: set[str]) -> bool:
    if any(char.isdigit() for char in word):
        return False
    return any(fuzz.ratio(word, other) >= ALIKE for other in words)
