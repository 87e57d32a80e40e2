"""A second try for a call that takes far longer than those like it: whichever answers first counts.

Of many calls made at once the slowest decides when all are done, and it is seldom slow for a reason of its own: asked
again, it takes as long as the others (Dean and Barroso, "The Tail at Scale", 2013). What is known here are times
alone; what a call is, and when it is in flight, its owner says.
"""

import logging
import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

T = TypeVar("T")

SHARE = 0.05
"""Duplicates are at most this part of all calls; and only a call among the slowest of that part gets one."""
FEWEST = 5
"""Of fewer calls that are alike, the call itself among them, nobody can say which is slow."""
MOST_LEFT = 0.25
"""Where few are alike one call is more than SHARE of them: three quarters must have ended all the same."""
SLACK = 1.3
"""So many times the median a call must have taken: where all take about as long, the last one is not slow."""
LEAST_SECONDS = 0.1
"""A wait that is not worth a second call: below that, it may be this process that is slow."""
WINDOW = 1_000
"""Calls that have ended are remembered up to here, the latest ones; it takes in a whole fan-out."""
LOOK_SECONDS = 0.05
"""The limit is worked out at most once in this time: of a thousand times that takes some 0.2 ms."""
MOST_KINDS = 256
ROUNDING = 1e-9

_log = logging.getLogger(__name__)


def overdue(completed: Sequence[float], others: Sequence[float]) -> float:
    """From how many seconds on a call counts as slow; infinite while that cannot be told.

    The survival S(t), the part of calls that take longer than t, is estimated after Kaplan and Meier, so that calls
    still out count with the time they have been out for: of fifty that began together the first ten to end do not
    pass for typical. With n calls known at t, those left out that were cut off sooner, the limit is the first time by
    which S(t) <= max(0.05, 1.5 / n), which is one call as long as n is at most 30; but never before three quarters
    have ended, nor before 1.3 times the median of those that completed.

    Args:
        completed: seconds that calls took, ascending.
        others: seconds that calls lasted until they were cut off, or have been out for by now, ascending.
    """
    survival, known, cut = 1.0, len(completed) + len(others), 0
    for ended, seconds in enumerate(completed):
        while cut < len(others) and others[cut] < seconds:
            cut += 1
        alike = known - cut
        survival *= 1 - 1 / (alike - ended)
        if alike >= FEWEST and survival <= min(MOST_LEFT, max(SHARE, 1.5 / alike)) + ROUNDING:
            return max(seconds, SLACK * completed[len(completed) // 2], LEAST_SECONDS)
    return math.inf


def never() -> bool:
    """Nothing holds duplicates back."""
    return False


@dataclass(slots=True, eq=False, repr=False)
class Siblings:
    """What is known of calls that are alike: how long they took, and which are in flight.

    One of the calls in flight keeps watch for all, in its own task group; when it ends it hands over.

    Attributes:
        calls: how many went out, duplicates left out.
        duplicates: how many of those went out; at most max(1, floor(0.05 x calls)).
    """

    calls: int = 0
    duplicates: int = 0
    _completed: list[float] = field(default_factory=list[float])
    _cut: list[float] = field(default_factory=list[float])
    _ended: deque[tuple[list[float], float]] = field(default_factory=deque[tuple[list[float], float]])
    _flights: dict["Flight", None] = field(default_factory=dict["Flight", None])
    _overdue: float = math.inf
    _looked: float = -math.inf
    _news: bool = False
    _watch: "_Race[Any] | None" = None

    @property
    def flying(self) -> int:
        """How many are in flight, duplicates included."""
        return len(self._flights)

    def began(self, flight: "Flight") -> None:
        """A try is in flight now."""
        self._flights[flight] = None
        if self._watch is None and len(self._flights) + len(self._ended) >= FEWEST:
            self._hand_over()
        self._tell()

    def ended(self, flight: "Flight", *, answered: bool) -> None:
        """A try is back, with an answer or cut off."""
        del self._flights[flight]
        times, seconds = self._completed if answered else self._cut, anyio.current_time() - flight.since
        insort(times, seconds)
        self._ended.append((times, seconds))
        if len(self._ended) > WINDOW:
            times, seconds = self._ended.popleft()
            del times[bisect_left(times, seconds)]
        self._tell()

    def _tell(self) -> None:
        """There is news to look at, though not more often than now and then."""
        if not self._news:
            self._news = True
            if self._watch and (nap := self._watch.nap):
                nap.deadline = min(nap.deadline, self._looked + LOOK_SECONDS)

    # -- the watch ------------------------------------------------------------------------------------------------

    def retire(self, race: "_Race[Any]") -> None:
        """A race is over: it watches no longer."""
        if self._watch is race:
            self._watch = None
            self._hand_over()

    def _hand_over(self) -> None:
        """The call that went out last keeps watch, since it will likely stay the longest."""
        for flight in reversed(self._flights):
            if not flight.spare:
                self._watch = flight.race
                flight.race.group.start_soon(self._keep_watch, flight.race)
                return

    async def _keep_watch(self, race: "_Race[Any]") -> None:
        while self._watch is race:
            with anyio.CancelScope(deadline=self._look(anyio.current_time())) as race.nap:
                await anyio.sleep_forever()

    def _look(self, now: float) -> float:
        """Send out duplicates that are due; when to look again."""
        if now >= self._looked + LOOK_SECONDS:
            # That calls began a moment apart says nothing: one that is out for a little less counts with the others.
            ages = [(now - flight.since) * SLACK for flight in self._flights]
            self._overdue = overdue(self._completed, sorted([*self._cut, *ages]))
            self._looked, self._news = now, False
        again = self._looked + LOOK_SECONDS if self._news else math.inf
        for flight in self._flights:  # the longest out first
            if flight.since + self._overdue > now:
                return min(again, flight.since + self._overdue)
            if flight.spare or flight.race.doubled:
                continue
            if self.duplicates >= max(1, int(SHARE * self.calls)):
                return again
            if flight.race.held():
                return now + LOOK_SECONDS
            self.duplicates += 1
            flight.race.double()
        return again


@dataclass(slots=True)
class Hedges:
    """Siblings by what makes them alike; shared by all that make such calls."""

    _kinds: dict[str, Siblings] = field(default_factory=dict[str, Siblings])

    def of(self, kind: str) -> Siblings:
        """The siblings of that kind; of kinds nobody asks for any more the oldest are forgotten."""
        if known := self._kinds.get(kind):
            return known
        if len(self._kinds) >= MOST_KINDS:
            idle = [name for name, siblings in self._kinds.items() if not siblings.flying]
            for name in idle[: len(self._kinds) - MOST_KINDS + 1]:
                del self._kinds[name]
        return self._kinds.setdefault(kind, Siblings())


@dataclass(slots=True, eq=False, repr=False)
class Flight:
    """A try of a call. Entered while it is in flight, once or again and again: its clock starts at each entry.

    Attributes:
        race: what it is part of.
        spare: whether it is the duplicate.
        since: when it went out last, on the loop's clock.
    """

    race: "_Race[Any]"
    spare: bool
    since: float = -math.inf

    @property
    def needless(self) -> bool:
        """Whether the other try has answered."""
        return self.race.answered

    def __enter__(self) -> None:
        siblings = self.race.siblings
        if not self.spare and self.since == -math.inf:
            siblings.calls += 1
        self.since = anyio.current_time()
        siblings.began(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.race.siblings.ended(self, answered=kind is None)


@dataclass(slots=True, eq=False, repr=False)
class _Race(Generic[T]):
    """One call, by its first try and perhaps a second.

    Attributes:
        siblings: calls that are alike.
        work: makes a try.
        held: whether no duplicate may go out now.
        context: the caller's own, for the duplicate too.
        doubled: whether a duplicate has gone out.
        nap: what its watch sleeps in, if it keeps watch.
    """

    siblings: Siblings
    work: Callable[[Flight], Awaitable[T]]
    held: Callable[[], bool]
    context: Context = field(default_factory=copy_context)
    group: TaskGroup = field(default_factory=anyio.create_task_group)
    doubled: bool = False
    nap: anyio.CancelScope | None = None
    _first: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    _second: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    _answers: list[T] = field(default_factory=list[T])

    @property
    def answered(self) -> bool:
        """Whether a try has answered."""
        return bool(self._answers)

    async def run(self) -> T:
        failure: Exception | None = None
        async with self.group:
            try:
                with self._first:
                    self._answers.append(await self.work(Flight(self, spare=False)))
            except Exception as error:
                failure = error
            finally:
                self.siblings.retire(self)
            if self.nap:
                self.nap.cancel()
            if self._answers and self.doubled:
                self._second.cancel()
        if self._answers:
            return self._answers[0]
        assert failure is not None  # noqa: S101  nothing but an answer ends the first try from without
        raise failure

    def double(self) -> None:
        """Send the duplicate out."""
        self.doubled = True
        self.group.create_task(self._again(), context=self.context)

    async def _again(self) -> None:
        with self._second:
            try:
                self._answers.append(await self.work(Flight(self, spare=True)))
            except Exception as error:
                # The first try is still out, or its own error tells more.
                _log.debug("A duplicate came to nothing: %s", error)
                return
            self._first.cancel()


async def hedged(
    siblings: Siblings, work: Callable[[Flight], Awaitable[T]], held: Callable[[], bool] = never
) -> tuple[T, bool]:
    """The first answer, and whether a duplicate was out; whatever else was in flight has ended by then.

    The first try runs in the caller's own task. If it fails while a duplicate is out, the duplicate may still answer.

    Args:
        siblings: calls that are alike.
        work: makes a try, and enters its flight while that is out.
        held: whether no duplicate may go out now.

    Raises:
        Exception: what the first try raised, if no try answered.
    """
    race = _Race(siblings, work, held)
    return await race.run(), race.doubled
