"""How a run is dispatched: how many at once, for how long, and how much of it is enough."""

import math
from dataclasses import dataclass, fields

from fanfold_workers.errors import InputError

MAX_WIDTH = 10_000
MAX_WORKER_SECONDS = 86_400.0
MAX_RUN_SECONDS = 604_800.0
GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one dispatch. A caller of a tool can tighten what its user set, never loosen it.

    Attributes:
        width: workers at once, 1 to 10,000; all runs of a process share the places.
        worker_seconds: wall time of a worker, above 0 to 86,400, where its subtask allows more; None for that alone.
        run_seconds: wall time from the beginning of a dispatch, above 0 to 604,800: then what runs is cut and what
            did not start is skipped. None for no limit.
        enough: the share of all subtasks, above 0 to 1, that must have ended with something usable for the run to
            need no more.
        enough_of: ids of subtasks that must have, and are enough if all have; () leaves it to the share.
        grace_seconds: how long the others still get once there is enough, 0 to 86,400.
        hedge: whether a call that takes far longer than its siblings is made a second time.

    Raises:
        InputError: for a value that cannot be, naming it.
    """

    width: int = 8
    worker_seconds: float | None = None
    run_seconds: float | None = None
    enough: float = 1.0
    enough_of: tuple[str, ...] = ()
    grace_seconds: float = GRACE_SECONDS
    hedge: bool = True

    def __post_init__(self) -> None:
        if not (1 <= self.width <= MAX_WIDTH and self.width == int(self.width)):
            raise _wrong("width", self.width, f"a whole number from 1 to {MAX_WIDTH}")  # noqa: EM101  a field
        _above_nothing("worker_seconds", self.worker_seconds, MAX_WORKER_SECONDS)
        _above_nothing("run_seconds", self.run_seconds, MAX_RUN_SECONDS)
        _above_nothing("enough", self.enough, 1)
        if not 0 <= self.grace_seconds <= MAX_WORKER_SECONDS:
            raise _wrong("grace_seconds", self.grace_seconds, f"from 0 to {MAX_WORKER_SECONDS:,.0f}")  # noqa: EM101

    @property
    def waits_for_all(self) -> bool:
        """Whether every subtask is needed."""
        return self.enough >= 1 and not self.enough_of

    def needed(self, total: int) -> int:
        """How many of so many subtasks are enough."""
        return math.ceil(round(self.enough * total, 6))

    def tightened(self, other: "Policy") -> "Policy":
        """The stricter of both in width, seconds and hedging; of what is enough, and of grace, the other's."""
        return Policy(
            width=min(self.width, other.width),
            worker_seconds=_least(self.worker_seconds, other.worker_seconds),
            run_seconds=_least(self.run_seconds, other.run_seconds),
            enough=other.enough,
            enough_of=other.enough_of,
            grace_seconds=other.grace_seconds,
            hedge=self.hedge and other.hedge,
        )

    def unlike(self, other: "Policy") -> str:
        """The first field in which the two differ; "" if there is none."""
        return next((f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name)), "")


def _least(one: float | None, other: float | None) -> float | None:
    given = [value for value in (one, other) if value is not None]
    return min(given) if given else None


def _above_nothing(field: str, value: float | None, most: float) -> None:
    if value is not None and not 0 < value <= most:
        raise _wrong(field, value, f"above 0 and at most {most:,.15g}")


def _wrong(field: str, value: float, allowed: str) -> InputError:
    msg = f"{value:g} is not {allowed}."
    return InputError(msg, field=field, remedy="Correct it, or leave it out.")
