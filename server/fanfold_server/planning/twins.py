"""Subtasks that would do the same work twice. See `check` for the codes.

The same question asked of the same scope is no mistake where it is meant: by other methods, or as attempts whose
results are compared. Whoever means it says so, in titles, boundaries or objectives.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from rapidfuzz import fuzz

from fanfold_server.records import Problem
from fanfold_workers.contract import Subtask

from .candidate import Candidate
from .items import Item
from .matching import stem
from .reading import cleaned
from .survey import upwards
from .trouble import error, warning

ALL_PAIRS = 400
"""Up to so many subtasks of one scope are compared each with each; beyond, with their neighbours in word order."""
NEIGHBOURS = 10
ALIKE = 85
"""How alike (0 to 100) two words must be to be one word spelt twice. Words with digits in them must be equal."""
OWN_WORDS = 2
"""Words that each of two boundaries must have for itself to say what each leaves to the other."""
ASIDE = frozenset(
    {"a", "an", "the", "of", "in", "on", "for", "to", "and", "or", "all", "any", "please"}
    | {"its", "their", "this", "that", "these", "those", "your", "our"}
)

_STATED = re.compile(
    r"\b(?:attempts?|tr(?:y|ies)\b|takes?\s+\d|methods?|approach(?:es)?|techniques?|strateg\w+|second opinion|"
    r"independently|versuche?|methoden?|ansatz|ansätze|unabhängig|"  # codespell:ignore methoden
    r"tentatives?|méthodes?|approches?|indépendamment|intentos?|"  # codespell:ignore approches
    r"métodos?|enfoques?|independiente\w*|tentativ[oi]|metodo|metodi|approcci[oi]?|tentativas?|abordagem)(?!\w)",
    re.IGNORECASE,
)
"""How a subtask says that it is one of several ways to the same answer."""

Pairs = Iterator[tuple[int, int]]


def doubles(candidate: Candidate) -> Iterator[Problem]:
    """Warns of subtasks that are nearly the same; a lead's that are the very same are errors."""
    for first, second in twins(candidate.subtasks):
        yield _problem(candidate, first, second)


def twins(subtasks: Sequence[Subtask]) -> Pairs:
    """Index pairs of subtasks that would do the same work and don't say why, the earlier first; each second once."""
    words = [words_of(subtask.objective) for subtask in subtasks]
    found: dict[int, int] = {}
    for first, second in (*_alike(subtasks, words), *_nested(subtasks, words)):
        if second not in found and not meant(subtasks[first], subtasks[second]):
            found[second] = first
    yield from sorted((first, second) for second, first in found.items())


def _problem(candidate: Candidate, first: int, second: int) -> Problem:
    one, other = candidate.subtasks[first], candidate.subtasks[second]
    scope = "same scope" if set(one.scope.places) == set(other.scope.places) else "scopes that overlap"
    what = f"It is nearly the same as subtasks[{first}] ({one.id}): {scope}, same objective."
    remedy = "Merge the two, or say in boundaries what each leaves to the other."
    if words_of(one.objective) == words_of(other.objective) and one.scope == other.scope:
        tell = error if candidate.by_lead else warning
        return tell(
            "duplicate", f"subtasks[{second}]", what, f"{remedy} If they are attempts, say so in their titles."
        )
    return warning("near_duplicate", f"subtasks[{second}]", what, remedy)


def meant(one: Subtask, other: Subtask) -> bool:
    """Whether two that ask the same say why: methods, attempts, tools of their own, what each leaves to the other.

    One that waits for the other looks at what that found.
    """
    if one.id in other.depends_on or other.id in one.depends_on:
        return True
    told, others = _told(one), _told(other)
    if told != others and _STATED.search(told) and _STATED.search(others):
        return True
    tools, theirs = set(one.scope.tools), set(other.scope.tools)
    if tools and theirs and tools.isdisjoint(theirs):
        return True
    leaves, left = set(words_of(one.boundaries)), set(words_of(other.boundaries))
    return min(len(leaves - left), len(left - leaves)) >= OWN_WORDS


def _told(subtask: Subtask) -> str:
    return f"{subtask.title}\n{subtask.boundaries}\n{subtask.objective}"


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text as compared: sorted, without case, endings and small words."""
    plain = "".join(char if char.isalnum() else " " for char in cleaned(text).casefold())
    return tuple(sorted({stem(word) for word in plain.split()} - ASIDE))


def alike(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
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


def _alike(subtasks: Sequence[Subtask], words: Sequence[tuple[str, ...]]) -> Pairs:
    """Those of the same scope and item with nearly the same objective."""
    for group in _grouped(subtasks, lambda n: (_places(subtasks[n]), subtasks[n].checks, Item(subtasks[n].item).key)):
        yield from (pair for pair in _pairs(group, words) if alike(words[pair[0]], words[pair[1]]))


def _nested(subtasks: Sequence[Subtask], words: Sequence[tuple[str, ...]]) -> Pairs:
    """Those with the same objective where one may read what the other may, and more."""
    for group in _grouped(subtasks, lambda n: (words[n], subtasks[n].checks, Item(subtasks[n].item).key)):
        for first, second in _pairs(group, words):
            one, other = _places(subtasks[first]), _places(subtasks[second])
            if one != other and (_holds(one, other) or _holds(other, one)):
                yield first, second


def _grouped(subtasks: Sequence[Subtask], key: Callable[[int], object]) -> list[list[int]]:
    groups: dict[object, list[int]] = {}
    for n in range(len(subtasks)):
        groups.setdefault(key(n), []).append(n)
    return [group for group in groups.values() if len(group) > 1]


def _places(subtask: Subtask) -> tuple[str, ...]:
    return tuple(sorted(subtask.scope.places))


def _holds(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Whether every one of the narrow places is one of the wide ones or below one."""
    above = set(wide)
    return bool(narrow) and all(not above.isdisjoint(upwards(place)) for place in narrow)


def _pairs(group: Sequence[int], words: Sequence[tuple[str, ...]]) -> Pairs:
    if len(group) <= ALL_PAIRS:
        yield from combinations(group, 2)
        return
    near = sorted(group, key=lambda n: (words[n], n))
    for at, n in enumerate(near):
        for other in near[at + 1 : at + 1 + NEIGHBOURS]:
            yield min(n, other), max(n, other)
