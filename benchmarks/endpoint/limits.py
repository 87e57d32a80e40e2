"""Rate limits as token buckets, with the headers that tell of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil

from benchmarks.endpoint.config import RateLimits

UNITS = ("requests", "input-tokens", "output-tokens")
_SLACK = 1e-6
"""Of a unit: what sums of floats may be off."""


@dataclass(slots=True)
class Bucket:
    """Holds at most `size`, refills with `rate` a second."""

    per_minute: int
    size: float
    at: float
    level: float = field(init=False)

    def __post_init__(self) -> None:
        self.level = self.size

    @property
    def rate(self) -> float:
        return self.per_minute / 60

    def refill(self, now: float) -> None:
        """Bring the level up to now."""
        self.level = min(self.size, self.level + (now - self.at) * self.rate)
        self.at = now

    def wait(self, need: float, now: float) -> float:
        """Seconds until it holds what is needed (or is full, if it can never hold that); 0 if it does now."""
        self.refill(now)
        missing = min(need, self.size) - self.level
        return missing / self.rate if missing > _SLACK else 0.0

    def take(self, need: float, now: float) -> None:
        """Take out what is needed, or all that it could ever hold."""
        self.refill(now)
        self.level -= min(need, self.size)


@dataclass(frozen=True, slots=True)
class Need:
    """What a request takes: itself, its input that no cache served, and its output."""

    input: int
    output: int

    def of(self, unit: str) -> int:
        """How much of a unit."""
        return {"requests": 1, "input-tokens": self.input, "output-tokens": self.output}[unit]


@dataclass(frozen=True, slots=True)
class Wait:
    """A refusal: for how many whole seconds, and because of which limit."""

    seconds: int
    unit: str
    per_minute: int


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets of one endpoint; none where there is no limit."""

    buckets: dict[str, Bucket]

    @classmethod
    def full(cls, limits: RateLimits, now: float) -> "Buckets":
        """All buckets that the limits ask for."""
        asked = zip(UNITS, (limits.requests, limits.input_tokens, limits.output_tokens), strict=True)
        return cls({unit: _full(limit, limits.burst_seconds, now) for unit, limit in asked if limit})

    def take(self, need: Need, now: float) -> Wait | None:
        """Take what a request needs, or nothing: then how long until all buckets hold enough, if nobody else asks."""
        waits = {unit: bucket.wait(need.of(unit), now) for unit, bucket in self.buckets.items()}
        if any(waits.values()):
            unit = max(waits, key=waits.__getitem__)
            return Wait(ceil(waits[unit]), unit, self.buckets[unit].per_minute)
        for unit, bucket in self.buckets.items():
            bucket.take(need.of(unit), now)
        return None

    def headers(self, now: float) -> dict[str, str]:
        """What the API says of each limit, and of input and output tokens together."""
        clock = datetime.now(UTC)
        rows = dict(self._rows(now))
        if "input-tokens" in rows and "output-tokens" in rows:
            sums = zip(rows["input-tokens"], rows["output-tokens"], strict=True)
            limit, left, reset = sums
            rows["tokens"] = (int(sum(limit)), int(sum(left)), max(reset))
        return {
            f"anthropic-ratelimit-{unit}-{what}": value
            for unit, (limit, left, reset) in rows.items()
            for what, value in (("limit", str(limit)), ("remaining", str(left)), ("reset", _time(clock, reset)))
        }

    def _rows(self, now: float) -> Iterator[tuple[str, tuple[int, int, float]]]:
        """For each limit: the limit, what remains, seconds until it is whole again."""
        for unit, bucket in self.buckets.items():
            bucket.refill(now)
            yield unit, (bucket.per_minute, max(0, int(bucket.level)), (bucket.size - bucket.level) / bucket.rate)


def _full(per_minute: int, seconds: float, now: float) -> Bucket:
    return Bucket(per_minute, max(1.0, per_minute / 60 * seconds), now)


def _time(clock: datetime, seconds: float) -> str:
    """So many seconds from now, in whole seconds rounded up, as the API writes times."""
    exact = clock + timedelta(seconds=seconds)
    up = exact if not exact.microsecond else exact.replace(microsecond=0) + timedelta(seconds=1)
    return up.strftime("%Y-%m-%dT%H:%M:%SZ")
