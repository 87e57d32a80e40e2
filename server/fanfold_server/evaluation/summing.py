"""Results of many cases as one line for each class, and one for all."""

from collections.abc import Iterable, Sequence

from pydantic import Field

from fanfold_workers.contract import Count, Share, Value

from .case import CLASSES
from .evaluating import Judged
from .scoring import NAMES

ALL = "all"


class Sum(Value):
    """Results of a class, or of all.

    Attributes:
        kind: the class, or `all`.
        cases: how many there are; the next three sum to it.
        scored, cannot, failed: how many came to that. Only those that are scored count in the means.
        expected: of `cannot`, how many the cases say would come to that.
        total: the mean of their scores; None if none is scored.
        scores: the mean of each score, over the cases of which it says something.
    """

    kind: str
    cases: Count
    scored: Count
    cannot: Count
    expected: Count
    failed: Count
    total: Share | None
    scores: dict[str, Share | None] = Field(default_factory=dict[str, float | None])


def summed(results: Sequence[Judged]) -> tuple[Sum, ...]:
    """A line for each class that there is, in the order of the classes, and one for all."""
    kinds = [kind for kind in CLASSES if any(one.kind == kind for one in results)]
    lines = [_sum(kind, [one for one in results if one.kind == kind]) for kind in kinds]
    return (*lines, _sum(ALL, results))


def _sum(kind: str, results: Sequence[Judged]) -> Sum:
    states = [one.state for one in results]
    scored = [one for one in results if one.state == "scored"]
    return Sum(
        kind=kind,
        cases=len(results),
        scored=len(scored),
        cannot=states.count("cannot"),
        expected=sum(one.state == "cannot" and one.expected for one in results),
        failed=states.count("failed"),
        total=_mean(one.total for one in scored),
        scores={name: _mean(one.scores.get(name) for one in scored) for name in NAMES},
    )


def _mean(values: Iterable[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return round(sum(told) / len(told), 4) if told else None
