"""Asks no faster than the provider allows. One gate for each server and model in a process.

A server that asks to wait (429, 529) has not failed: the call waits here as long as its caller may, and costs no try.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio

from fanfold_workers.errors import BusyError

from .model import Ask, Model, Rate, Reply

START_WIDTH = 16
STEP_SECONDS = 0.04
"""The width doubles in this time until the server objects, which it does within a round trip of the network."""
LONGEST_PAUSE_SECONDS = 600.0
FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 1.0, 60.0
"""The pause where the server names none; it doubles with each refusal in a row."""
CAUTION = 0.97
"""The part of a stated rate that is used: its clock and ours do not tick alike."""


@dataclass(slots=True)
class Bucket:
    """Mirrors one of the server's limits: `limit` in a minute, `level` of it left at `at`."""

    limit: int
    level: float
    at: float

    def refill(self, now: float) -> None:
        """Take in the time that has passed."""
        self.level = min(self.limit, self.level + (now - self.at) * self.limit / 60 * CAUTION)
        self.at = now

    def wait(self, amount: float, now: float) -> float:
        """Seconds until so much is there; what is more than the bucket holds waits until it is full."""
        self.refill(now)
        lack = min(amount, self.limit) - self.level
        return max(0.0, lack) / (self.limit / 60 * CAUTION)


@dataclass(slots=True, eq=False)
class Throttle:
    """What is known of a server's patience.

    Attributes:
        width: how many calls may be in flight of those that entered since the last pause; it doubles.
        target: calls in flight that are allowed in all; it grows by one a round of answers.
        flying: calls in flight.
        fresh: those of them that entered since the last pause.
        refusals: refusals in a row.
        until: when the pause ends, on the loop's clock.
    """

    width: float = START_WIDTH
    target: float = math.inf
    flying: int = 0
    fresh: int = 0
    refusals: int = 0
    until: float = 0.0
    _grown: float = 0.0
    _buckets: dict[str, Bucket] = field(default_factory=dict[str, Bucket])
    _line: anyio.Lock = field(default_factory=anyio.Lock)
    _left: anyio.Event = field(default_factory=anyio.Event)

    async def enter(self, needs: dict[str, float]) -> float:
        """Wait until a call with these needs may go, first come first served; when that is.

        Raises:
            BusyError: if the server's pause outlasts the caller's deadline, or ten minutes.
        """
        async with self._line:
            while True:
                now = anyio.current_time()
                self._check_pause(now)
                wait = self._wait(needs, now)
                if not wait:
                    break
                left = self._left
                with anyio.move_on_after(wait):
                    await left.wait()
            self.flying += 1
            self.fresh += 1
            for unit, amount in needs.items():
                if bucket := self._buckets.get(unit):
                    bucket.level -= amount
            return now

    def _check_pause(self, now: float) -> None:
        pause = self.until - now
        if pause > LONGEST_PAUSE_SECONDS or now < anyio.current_effective_deadline() < self.until:
            msg = f"The server asks to wait {pause:,.0f} s, which is longer than this call may take."
            raise BusyError(msg, seconds=pause, remedy="Try again later, or raise your rate limit with the provider.")

    def _wait(self, needs: dict[str, float], now: float) -> float:
        """Seconds to wait at least, 0 for none; a call that leaves may end the wait sooner."""
        if self.until > now:
            return self.until - now
        if self.flying >= math.floor(self.target):
            return math.inf
        if self.fresh >= self.width:
            if (due := self._grown + STEP_SECONDS - now) > 0:
                return due
            self.width, self._grown = self.width * 2, now
        return max((b.wait(needs.get(unit, 0), now) for unit, b in self._buckets.items()), default=0.0)

    def leave(self, entered: float) -> None:
        """A call has ended."""
        self.flying -= 1
        self.fresh -= entered >= self.until
        self._left.set()
        self._left = anyio.Event()

    def answered(self, entered: float, rates: Sequence[Rate], unused: dict[str, float]) -> None:
        """A call went well; `unused` is what it had reserved of each limit and did not need."""
        if entered >= self.until:
            self.refusals = 0
            self.target += 1 / self.target
        for unit, amount in unused.items():
            if bucket := self._buckets.get(unit):
                bucket.level = min(bucket.limit, bucket.level + amount)
        self._correct(rates, refused=False)

    def refused(self, error: BusyError, entered: float, rates: Sequence[Rate]) -> None:
        """The server asks to wait. Those that entered before the last such word only lengthen the pause."""
        now = anyio.current_time()
        self._correct(rates, refused=True)
        news = entered >= self.until
        self.refusals += news
        pause = error.seconds or min(FIRST_PAUSE_SECONDS * 2 ** (self.refusals - 1), MOST_PAUSE_SECONDS)
        if news and (error.overloaded or not rates):
            # A stated rate is met by its bucket; how much an overloaded server bears, only trying tells.
            self.target = max(1.0, min(self.target, self.flying) / 2)
        if math.isinf(self.target):
            self.target = float(self.flying)
        self.until = max(self.until, now + pause)
        # After the pause a single call goes first, and the width doubles from there.
        self.fresh, self.width, self._grown = 0, 1.0, self.until

    def _correct(self, rates: Sequence[Rate], *, refused: bool) -> None:
        now = anyio.current_time()
        for rate in rates:
            bucket = self._buckets.get(rate.unit)
            if not bucket or bucket.limit != rate.limit:
                self._buckets[rate.unit] = Bucket(max(1, rate.limit), rate.remaining, now)
                continue
            bucket.refill(now)
            bucket.level = float(rate.remaining) if refused else min(bucket.level, rate.remaining)


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
            BusyError: if the server asks to wait longer than the caller's deadline, or than ten minutes.
        """
        needs = {"requests": 1.0, "input": ask.worst.tokens - ask.max_tokens, "output": float(ask.max_tokens)}
        while True:
            entered = await self.throttle.enter(needs)
            try:
                reply = await self.model.ask(ask)
            except BusyError as error:
                rates = tuple(rate for rate in error.rates if isinstance(rate, Rate))
                self.throttle.refused(error, entered, rates)
            else:
                used = {"input": reply.usage.input + reply.usage.cache_write, "output": reply.usage.output}
                unused = {unit: max(0.0, needs[unit] - tokens) for unit, tokens in used.items()}
                self.throttle.answered(entered, reply.rates, unused)
                return reply
            finally:
                self.throttle.leave(entered)
