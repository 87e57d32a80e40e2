"""Fewer workers than items: groups of about the same number of bytes, the same for the same tree."""

from collections.abc import Sequence
from heapq import heappop, heappush

from fanfold_workers.tools.files import split_place

from .items import Item
from .survey import Survey

MAX_PLACES = 500


def grouped(items: Sequence[Item], most: int, survey: Survey) -> list[tuple[Item, ...]]:
    """The items in at most `most` groups, none across two roots unless there are more roots than groups.

    Items keep their order within a group, and groups that of their first items.
    """
    if len(items) <= most:
        return [(item,) for item in items]
    order = {id(item): n for n, item in enumerate(items)}
    kinds: dict[str, list[Item]] = {}
    for item in items:
        kinds.setdefault(split_place(item.places[0])[0] if item.places else "", []).append(item)
    parts = list(kinds.values()) if len(kinds) <= most else [list(items)]
    groups: list[tuple[Item, ...]] = []
    for part, share in zip(parts, _shares([len(part) for part in parts], most), strict=True):
        groups += _balanced(part, share, survey)
    return sorted(groups, key=lambda group: order[id(group[0])])


def _shares(counts: Sequence[int], most: int) -> list[int]:
    """`most` divided in proportion to the counts, each at least 1 and at most its count, by largest remainder."""
    total = sum(counts)
    spare = most - len(counts)
    exact = [spare * count / total for count in counts]
    shares = [min(count, 1 + int(part)) for count, part in zip(counts, exact, strict=True)]
    by_remainder = sorted(range(len(counts)), key=lambda n: (int(exact[n]) - exact[n], n))
    while sum(shares) < min(most, total):
        for n in by_remainder:
            if shares[n] < counts[n] and sum(shares) < most:
                shares[n] += 1
    return shares


def _balanced(items: Sequence[Item], most: int, survey: Survey) -> list[tuple[Item, ...]]:
    """Largest first, each into the lightest group that has room for its places."""
    weights = [survey.reach(item.places).bytes + 1 for item in items]
    groups: list[list[int]] = [[] for _ in range(most)]
    places = [0] * most
    loads = [(0, g) for g in range(most)]
    for n in sorted(range(len(items)), key=lambda n: (-weights[n], n)):
        size = len(items[n].places)
        full: list[tuple[int, int]] = []
        while loads and places[loads[0][1]] + size > MAX_PLACES:
            full.append(heappop(loads))
        load, lightest = heappop(loads) if loads else full.pop(0)
        groups[lightest].append(n)
        places[lightest] += size
        for entry in (*full, (load + weights[n], lightest)):
            heappush(loads, entry)
    return [tuple(items[n] for n in sorted(group)) for group in groups if group]
