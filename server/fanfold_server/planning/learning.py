"""From an assumption and earlier runs to what is to be expected, and how sure that is.

All of it is done with logarithms of ratios: what something took over what was assumed for it. The assumption counts
as one vague run, so that it fades as runs come in; nothing here is random.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, inf, log

Kind = tuple[str, str]

SHAPE, KIND, MOST_POWER = 4.0, 6.0, 1.0
"""Subtasks, of usual differences in size, for which an assumption counts: of how size tells, of how kinds differ."""
USUAL_ALONE, ALONE = 0.9, 8.0
"""Squared coefficient of variation of one subtask within its run, as assumed, and for how many subtasks it counts."""
MOST_ALONE = 25.0
MOST_RATIO, LEAST = 1e5, 1e-12
"""What took more times the assumption than this, or less, is no measure of it; nor is an assumption of nothing."""
BETWEEN, RUNS = 0.1, 3.0
"""Variance between runs, as assumed, and for how many runs that counts."""
MARGIN = 1.25
"""What the variance between runs is raised by where it is learned: runs differ more than lognormal ones would. Found
by `benchmarks/estimates.py`."""
ROUNDS = 3

Z90 = 1.2815515655446004
"""Standard deviations from the middle of a normal distribution to p90."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One subtask: its kind, the logarithm of its size, what was assumed, what it took, and whether that was all."""

    kind: Kind
    size: float
    assumed: float
    took: float
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Spread:
    """What something will come to: lognormal, by its median.

    Attributes:
        middle: the median, p50.
        variance: of its logarithm.
        sure: degrees of freedom; the fewer, the wider.
    """

    middle: float = 0.0
    variance: float = 0.0
    sure: float = inf

    @property
    def factor(self) -> float:
        """From p50 to p90, and from p10 to p50."""
        wider = 1 + (Z90 * Z90 + 1) / (4 * self.sure)  # Student's t, by its first correction to the normal
        return exp(Z90 * wider * self.variance**0.5)

    @property
    def low(self) -> float:
        """p10."""
        return self.middle / self.factor

    @property
    def high(self) -> float:
        """p90."""
        return self.middle * self.factor

    def __add__(self, other: "Spread", /) -> "Spread":
        """The sum of two that are independent, taken to be lognormal again."""
        if not (self.middle and other.middle):
            return self if self.middle else other
        mean = self._mean + other._mean
        apart = sum(one._mean**2 * (exp(one.variance) - 1) for one in (self, other))
        variance = log(1 + apart / mean**2)
        return Spread(mean * exp(-variance / 2), variance, min(self.sure, other.sure))

    @property
    def _mean(self) -> float:
        return self.middle * exp(self.variance / 2)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What one engine is expected to take of something.

    Attributes:
        power: how much more size tells than was assumed.
        kinds: logarithm of how far each kind is from the engine's usual.
        level: logarithm of the median run over what was assumed.
        between: variance of a run's level, with what is not known of the level itself.
        alone: squared coefficient of variation of one subtask within its run.
        sure: degrees of freedom.
        runs, subtasks: what it rests on.
    """

    power: float
    kinds: Mapping[Kind, float]
    level: float
    between: float
    alone: float
    sure: float
    runs: int = 0
    subtasks: int = 0

    def expected(self, kind: Kind, size: float, assumed: float) -> float:
        """What a subtask is expected to take in the median run."""
        return assumed * self._bent(kind, size) * exp(self.level)

    def _bent(self, kind: Kind, size: float) -> float:
        return exp(self.power * size + self.kinds.get(kind, 0.0))

    def total(self, expected: Sequence[float]) -> Spread:
        """What so many independent subtasks come to together."""
        whole = sum(expected)
        if not whole:
            return Spread()
        variance = log(1 + self.alone * sum(one * one for one in expected) / whole**2)
        return Spread(whole * exp(-variance / 2), self.between + variance, self.sure)


@dataclass(slots=True)
class _Sums:
    """Of one run: how many, what was expected, the squares of that, and what they took."""

    count: int = 0
    expected: float = 0.0
    squares: float = 0.0
    took: float = 0.0
    ratios: list[float] = field(default_factory=list[float])

    def add(self, expected: float, took: float) -> None:
        self.count += 1
        self.expected += expected
        self.squares += expected * expected
        self.took += took
        self.ratios.append(took / expected)

    def apart(self) -> float:
        """Squared deviations of the ratios from the run's own, as if that had been known before."""
        if self.count < 2:
            return 0.0
        own = self.took / self.expected
        squares = sum(min((ratio / own - 1) ** 2, MOST_ALONE) for ratio in self.ratios)
        return squares * self.count / (self.count - 1)


def fit(runs: Iterable[Sequence[Sample]], vague: float) -> Fitted:
    """What one engine is expected to take, from what each run's subtasks took.

    `vague` is the variance of the logarithm of how far off the assumptions may be. Subtasks that were cut off count
    only where they took more than expected: then they would have taken at least that, and else nothing is known.
    """
    known = [[one for one in run if _tells(one)] for run in runs]
    whole = [[one for one in run if one.whole] for run in known]
    fitted = _fit([run for run in whole if run], vague)
    if all(one.whole for run in known for one in run):
        return fitted
    told = [[one for one in run if one.whole or one.took > _expected(fitted, one)] for run in known]
    return _fit([run for run in told if run], vague)


def _tells(one: Sample) -> bool:
    return one.assumed > LEAST and 1 / MOST_RATIO < one.took / one.assumed < MOST_RATIO


def _expected(fitted: Fitted, one: Sample) -> float:
    return fitted.expected(one.kind, one.size, one.assumed)


def _fit(runs: Sequence[Sequence[Sample]], vague: float) -> Fitted:
    power = _power(runs)
    kinds = _kinds(runs, power)
    shape = Fitted(power, kinds, 0.0, 0.0, 0.0, inf)
    sums = [_Sums() for _ in runs]
    for run, of_run in zip(runs, sums, strict=True):
        for one in run:
            of_run.add(_expected(shape, one), one.took)
    counted = [one for one in sums if one.count > 1]
    count = sum(one.count for one in counted)
    alone = (ALONE * USUAL_ALONE + sum(one.apart() for one in counted)) / (ALONE + count)
    level, between = _level(sums, alone, vague)
    subtasks = sum(one.count for one in sums)
    sure = RUNS + len(runs) if runs else inf  # the assumptions' own doubt is meant as it is
    return Fitted(power, kinds, level, between, alone, sure, len(runs), subtasks)


def _power(runs: Sequence[Sequence[Sample]]) -> float:
    """A line through logarithms of size and ratio, within each kind of each run, drawn towards no slope."""
    both = squares = 0.0
    for run in runs:
        groups: dict[Kind, list[Sample]] = defaultdict(list)
        for one in run:
            groups[one.kind].append(one)
        for group in groups.values():
            sizes = [one.size for one in group]
            ratios = [log(one.took / one.assumed) for one in group]
            size, ratio = sum(sizes) / len(group), sum(ratios) / len(group)
            both += sum((x - size) * (y - ratio) for x, y in zip(sizes, ratios, strict=True))
            squares += sum((x - size) ** 2 for x in sizes)
    return max(-MOST_POWER, min(MOST_POWER, both / (squares + SHAPE)))


def _kinds(runs: Sequence[Sequence[Sample]], power: float) -> dict[Kind, float]:
    """How far each kind is from all of them, each counting as much as there is of it."""
    sums: dict[Kind, _Sums] = defaultdict(_Sums)
    every = _Sums()
    for run in runs:
        for one in run:
            bent = one.assumed * exp(power * one.size)
            sums[one.kind].add(bent, one.took)
            every.add(bent, one.took)
    if len(sums) < 2:
        return {}
    usual = log(every.took / every.expected)
    return {
        kind: (log(one.took / one.expected) - usual) * one.count / (one.count + KIND) for kind, one in sums.items()
    }


def _level(sums: Sequence[_Sums], alone: float, vague: float) -> tuple[float, float]:
    """The median run's level, and the variance of a run's about it with what is not known of it."""
    by_chance = [log(1 + alone * one.squares / one.expected**2) for one in sums]
    levels = [log(one.took / one.expected) + v / 2 for one, v in zip(sums, by_chance, strict=True)]
    return level_of(levels, by_chance, vague)


def level_of(levels: Sequence[float], by_chance: Sequence[float], vague: float) -> tuple[float, float]:
    """The level of runs, each known up to its variance by chance, and the variance of the next one's about it.

    `vague` is the variance of the level before any run is known, when it is taken to be 0.
    """
    level, between, weight = 0.0, BETWEEN, 0.0
    for _ in range(ROUNDS):
        weights = [1 / (between + v) for v in by_chance]
        told = sum(w * one for w, one in zip(weights, levels, strict=True))
        # An assumption that turns out to be far off gives way the sooner.
        weight = sum(weights) + 1 / max(vague, (told / sum(weights)) ** 2 if weights else 0.0)
        level = told / weight
        left = sum(max(0.0, (one - level) ** 2 - v) for one, v in zip(levels, by_chance, strict=True))
        between = (RUNS * BETWEEN + left) / (RUNS + max(0, len(levels) - 1))
    return level, between * (MARGIN if levels else 1.0) + 1 / weight
