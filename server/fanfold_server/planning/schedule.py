"""When so many workers would be done, so many at once and each after those it depends on, by simulation."""

from collections import deque
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush, heapreplace
from math import exp, log
from random import Random

TABLE = 512
SEED = 20_261_126
STEPS, LEAST_DRAWS, MOST_DRAWS = 40_000, 6, 200
"""Subtasks drawn in all, and how often at least and at most."""


def makespan(
    expected: Sequence[float], waits: Sequence[Sequence[int]], width: int, alone: float, most_draws: int = MOST_DRAWS
) -> tuple[float, float]:
    """How long all would take in the mean, and the variance of its logarithm; see `makespans`."""
    draws = makespans(expected, waits, width, alone, most_draws)
    mean = sum(draws) / len(draws)
    return mean, log(1 + sum((one - mean) ** 2 for one in draws) / len(draws) / mean**2)


def makespans(
    expected: Sequence[float], waits: Sequence[Sequence[int]], width: int, alone: float, most_draws: int = MOST_DRAWS
) -> list[float]:
    """How long all would take, in several draws; each subtask's time is lognormal about what is expected of it.

    Args:
        expected: seconds of each, in the order in which they would start.
        waits: for each the positions of those that must end first.
        width: workers at once.
        alone: squared coefficient of variation of a subtask's time.
        most_draws: so many at most.
    """
    chance, table = Random(SEED), _table(alone)  # noqa: S311 - chance that can be repeated
    draws = max(LEAST_DRAWS, min(most_draws, STEPS // len(expected)))
    order = _order(waits)
    found: list[float] = []
    for _ in range(draws):
        luck = chance.choices(table, k=len(expected))
        seconds = [one * times for one, times in zip(expected, luck, strict=True)]
        found.append(_staged(seconds, order, width) if order else _flat(seconds, width))
    return found


def _table(alone: float) -> list[float]:
    """Equally likely times of what is expected, whose mean is 1."""
    from statistics import NormalDist  # which takes milliseconds to load

    sigma = log(1 + alone) ** 0.5
    normal = NormalDist()
    raw = [exp(sigma * normal.inv_cdf((n + 0.5) / TABLE)) for n in range(TABLE)]
    mean = sum(raw) / TABLE
    return [one / mean for one in raw]


def _order(waits: Sequence[Sequence[int]]) -> Mapping[int, tuple[int, list[int]]]:
    """For each how many it waits for, and who waits for it; empty if nobody waits, or all wait in a circle."""
    if not any(waits):
        return {}
    try:
        TopologicalSorter(dict(enumerate(waits))).prepare()
    except CycleError:
        return {}
    after: list[list[int]] = [[] for _ in waits]
    for n, those in enumerate(waits):
        for other in set(those):
            after[other].append(n)
    return {n: (len(set(those)), after[n]) for n, those in enumerate(waits)}


def _flat(seconds: Sequence[float], width: int) -> float:
    if width >= len(seconds):
        return max(seconds)
    free = [0.0] * width
    for one in seconds:
        heapreplace(free, free[0] + one)
    return max(free)


def _staged(seconds: Sequence[float], order: Mapping[int, tuple[int, list[int]]], width: int) -> float:
    left = [order[n][0] for n in range(len(seconds))]
    ready = deque(n for n, missing in enumerate(left) if not missing)
    working: list[tuple[float, int]] = []
    now = 0.0
    while ready or working:
        while ready and len(working) < width:
            n = ready.popleft()
            heappush(working, (now + seconds[n], n))
        now, done = heappop(working)
        for n in order[done][1]:
            left[n] -= 1
            if not left[n]:
                ready.append(n)
    return now
