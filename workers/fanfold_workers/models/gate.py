"""Asks no faster than the provider allows. One gate for each server and model in a process.

A server that asks to wait (429, 529) has not failed: the call waits here as long as its caller may, and costs no try.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import anyio

from fanfold_workers.errors import BusyError, OverBudgetError

from .model import Ask, Model, Rate, Reply

START_WIDTH = 16.0
STEP_SECONDS, LONGEST_STEP_SECONDS = 0.04, 1.0
"""The width doubles in this time until the server objects, which it does within a round trip of the network. Each
refusal measures that trip; from then on a step takes two of them."""
RAISE_SECONDS = 5.0
"""So long may calls wait for others to leave: where those take minutes, answers raise the target too late."""
LONGEST_PAUSE_SECONDS = 600.0
FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 1.0, 60.0
"""The pause where the server names none; it doubles with each refusal in a row."""
CAUTION = 0.97
"""The part of a stated rate that is used: its clock and ours do not tick alike."""


@dataclass(slots=True)
class Bucket:
    """Mirrors one of the server's limits.

    Attributes:
        limit: how much a minute brings.
        size: how much it holds; many servers' hold less than a minute's worth.
        level: how much of that was left at `at`.
        taken: what was let through since it was full, or since the server last refused.
    """

    limit: int
    size: float
    level: float
    at: float
    taken: float = 0.0

    @classmethod
    def of(cls, rate: Rate, now: float) -> "Bucket":
        """The bucket that the server describes: how much is left, and in how many seconds it will be full."""
        limit = max(1, rate.limit)
        whole = rate.remaining + rate.reset * limit / 60
        return cls(limit, min(limit, max(1.0, whole)), rate.remaining, now)

    @property
    def pace(self) -> float:
        """What a second brings."""
        return self.limit / 60 * CAUTION

    def refill(self, now: float) -> None:
        """Take in the time that has passed."""
        self.level += (now - self.at) * self.pace
        self.at = now
        if self.level >= self.size:
            self.level, self.taken = self.size, 0.0

    def due(self, amount: float, now: float) -> float:
        """When so much will be there; what is more than the bucket holds waits until it is full."""
        self.refill(now)
        return now + max(0.0, min(amount, self.size) - self.level) / self.pace

    def take(self, amount: float) -> None:
        """Let so much through; less than nothing gives back."""
        self.level -= amount
        self.taken += amount

    def told(self, remaining: float, entered: float, now: float) -> None:
        """So much was left for a call that entered then: now no more can be than that and what has come in since."""
        self.refill(now)
        self.size = max(self.size, min(remaining, self.limit))
        self.level = min(self.level, remaining + (now - entered) * self.pace)

    def denied(self, remaining: float, now: float, *, wrongly: bool) -> None:
        """The server refused with so much left; `wrongly` let through, it holds less than was thought."""
        self.refill(now)
        if wrongly:
            self.size = max(1.0, min(self.size, self.taken) / 2)
        self.level, self.taken = remaining, 0.0


@dataclass(slots=True, eq=False)
class Throttle:
    """What is known of a server's patience.

    Attributes:
        width: how many calls may be in flight of those that entered since the last pause; it doubles each step.
        step: how long a step takes, in seconds.
        target: calls in flight that are allowed in all. A refusal halves it; answers raise it by one or two in the
            first round, and twice as fast in every further one; so does time, if it has kept calls waiting.
        flying: calls in flight.
        fresh: those of them that entered since the last pause.
        refusals: refusals in a row.
        until: when the pause ends, on the loop's clock.
    """

    width: float = START_WIDTH
    step: float = STEP_SECONDS
    target: float = math.inf
    flying: int = 0
    fresh: int = 0
    refusals: int = 0
    until: float = 0.0
    _growth: float = 1.0
    _grown: float = 0.0
    _filled: float = 0.0
    _raised: float = 0.0
    _buckets: dict[str, Bucket] = field(default_factory=dict[str, Bucket])
    _waiting: dict[anyio.CancelScope, float] = field(default_factory=dict[anyio.CancelScope, float])
    _line: anyio.Lock = field(default_factory=anyio.Lock)
    _left: anyio.Event = field(default_factory=anyio.Event)

    @property
    def busy(self) -> bool:
        """Whether calls wait to go, or all do because the server asked for a pause."""
        return bool(self._waiting) or self.until > anyio.current_time()

    def has_room(self, needs: Mapping[str, float]) -> bool:
        """Whether a call with these needs may go at once, ahead of nobody."""
        return not self.busy and self._due(needs) <= anyio.current_time()

    def enter_at_once(self, needs: Mapping[str, float]) -> float:
        """Go now; when that is.

        Raises:
            BusyError: if a call with these needs would have to wait.
        """
        if not self.has_room(needs):
            msg = "There is no room for a duplicate."
            raise BusyError(msg, remedy="Go on waiting for the first call.")
        return self._admit(needs)

    async def enter(self, needs: Mapping[str, float]) -> float:
        """Wait until a call with these needs may go, first come first served; when that is.

        Raises:
            BusyError: at once, if the server's pause outlasts the caller's deadline, or ten minutes.
        """
        with anyio.CancelScope() as scope:
            self._waiting[scope] = anyio.current_effective_deadline()
            self._turn_away([scope])
            try:
                async with self._line:
                    while (due := self._due(needs)) > anyio.current_time():
                        left = self._left
                        with anyio.CancelScope(deadline=due):
                            await left.wait()
                    return self._admit(needs)
            finally:
                del self._waiting[scope]
        pause = self.until - anyio.current_time()
        msg = f"The server asks to wait {pause:,.0f} s, which is longer than this call may take."
        raise BusyError(msg, seconds=pause, remedy="Try again later, or raise your rate limit with the provider.")

    def _turn_away(self, scopes: Iterable[anyio.CancelScope]) -> None:
        """Those whose deadline comes before the end of the pause need not wait for either."""
        now = anyio.current_time()
        for scope in scopes:
            if self.until > now + LONGEST_PAUSE_SECONDS or now < self._waiting[scope] < self.until:
                scope.cancel()

    def _due(self, needs: Mapping[str, float]) -> float:
        """When to look again; not later than now if the call may go. Another's leaving may let it go sooner."""
        now = anyio.current_time()
        if self.until > now:
            return self.until
        if self.flying + 1 > self.target:
            if self._raised + RAISE_SECONDS > now:
                return self._raised + RAISE_SECONDS
            self.target, self._raised = self.flying + self._growth, now
            self._growth *= 2
        if self.fresh >= self.width:
            if self._grown + self.step > now:
                return self._grown + self.step
            self.width, self._grown = self.width * 2, now
        return max((b.due(needs.get(unit, 0.0), now) for unit, b in self._buckets.items()), default=now)

    def _admit(self, needs: Mapping[str, float]) -> float:
        now = anyio.current_time()
        if not self.fresh or self.fresh + 1 >= self.width > self._filled:
            # A step counts from the last call of it: a busy process takes long to send them, and hears nothing then.
            self._grown, self._filled = max(self._grown, now), self.width
        self.flying += 1
        self.fresh += 1
        for unit, bucket in self._buckets.items():
            bucket.take(needs.get(unit, 0.0))
        return now

    def leave(self, entered: float) -> None:
        """A call has ended."""
        self.flying -= 1
        self.fresh -= entered >= self.until
        self._left.set()
        self._left = anyio.Event()

    def give_back(self, unused: Mapping[str, float]) -> None:
        """A call did not need all that it had taken of each limit."""
        for unit, amount in unused.items():
            if bucket := self._buckets.get(unit):
                bucket.take(-amount)

    def answered(self, entered: float, rates: Iterable[Rate]) -> None:
        """A call went well."""
        now = anyio.current_time()
        if entered >= self.until:
            self.refusals = 0
            self.target += self._growth / self.target
            self._growth *= 2 ** (1 / self.target)
        for rate, bucket in self._mirrors(rates):
            bucket.told(rate.remaining, entered, now)

    def refused(self, error: BusyError, entered: float, needs: Mapping[str, float]) -> None:
        """The server asks to wait. Those that entered before the last such word only lengthen the pause."""
        now, news = anyio.current_time(), entered >= self.until
        rates = [rate for rate in error.rates if isinstance(rate, Rate)]
        spent = not error.overloaded and any(rate.remaining < needs.get(rate.unit, 0.0) for rate in rates)
        for rate, bucket in self._mirrors(rates):
            bucket.denied(rate.remaining, now, wrongly=news and rate.remaining < needs.get(rate.unit, 0.0))
        if news:
            self._objected(spent, now - entered)
        pause = error.seconds or min(FIRST_PAUSE_SECONDS * 2 ** (self.refusals - 1), MOST_PAUSE_SECONDS)
        self.until = max(self.until, now + pause)
        # After the pause a single call goes first, and the width doubles from there.
        self.fresh, self.width = 0, 1.0
        self._grown = self._raised = self.until
        self._filled = 0.0
        self._turn_away(self._waiting)

    def _objected(self, spent: bool, seconds: float) -> None:
        """Take in a refusal: whether a stated rate was spent, and how long the server took to say no."""
        self.refusals += 1
        self._growth = 1.0
        self.step = STEP_SECONDS if spent else min(max(STEP_SECONDS, 2 * seconds), LONGEST_STEP_SECONDS)
        if self.fresh == 1:
            # Refusing even the first one after a pause is bad weather: it says nothing of how many would do.
            self.target = math.inf
        elif not spent:
            self.target = max(1.0, min(self.target, self.flying) / 2)

    def _mirrors(self, rates: Iterable[Rate]) -> Iterator[tuple[Rate, Bucket]]:
        """Each stated rate that is known, with its bucket; new ones get theirs."""
        for rate in rates:
            bucket = self._buckets.get(rate.unit)
            if bucket and bucket.limit == max(1, rate.limit):
                yield rate, bucket
            else:
                self._buckets[rate.unit] = Bucket.of(rate, anyio.current_time())


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets a call pass when the server will bear it: rates, width, pauses.

    Attributes:
        model: who is asked.
        throttle: what is known of the server, shared by all who ask it for the same model.
    """

    model: Model
    throttle: Throttle

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model.

        Raises:
            BusyError: if the server asks to wait longer than the caller's deadline, or than ten minutes; a duplicate
                does not wait at all.
        """
        needs = {"requests": 1.0, "input": ask.worst.tokens - ask.max_tokens, "output": float(ask.max_tokens)}
        while True:
            entered = self.throttle.enter_at_once(needs) if ask.spare else await self.throttle.enter(needs)
            try:
                with ask.flight:
                    reply = await self.model.ask(ask)
            except BusyError as error:
                self.throttle.refused(error, entered, needs)
            except OverBudgetError:
                self.throttle.give_back(needs)
                raise
            else:
                used = {"input": reply.usage.input + reply.usage.cache_write, "output": reply.usage.output}
                self.throttle.give_back({unit: max(0.0, needs[unit] - tokens) for unit, tokens in used.items()})
                self.throttle.answered(entered, reply.rates)
                return reply
            finally:
                self.throttle.leave(entered)
