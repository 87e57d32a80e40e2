"""Chance that can be repeated: every draw hangs on the seed, the request and its number, never on arrival."""

from hashlib import blake2b
from math import exp
from statistics import NormalDist

from benchmarks.endpoint.config import FAULTS, Fault, Faults, Latency

_NORMAL = NormalDist()
_SMALLEST = 1e-12


def digest(data: bytes) -> str:
    """Sixteen hex digits that stand for these bytes: the name of a request in the statistics."""
    return blake2b(data, digest_size=8).hexdigest()


def draw(*key: object) -> float:
    """A number in [0, 1) that hangs on the key alone."""
    data = "\0".join(map(str, key)).encode("utf-8", "surrogatepass")
    return (int.from_bytes(blake2b(data, digest_size=8).digest(), "big") >> 11) / (1 << 53)


def seconds(latency: Latency, *key: object) -> float:
    """How long this request takes. The endpoint's key is the seed, the request's luck, and 1 for its first try."""
    if not latency.median:
        return 0.0
    spread = exp(latency.sigma * _NORMAL.inv_cdf(max(draw(*key, "latency"), _SMALLEST))) if latency.sigma else 1.0
    slow = latency.tail_factor if draw(*key, "tail") < latency.tail_share else 1.0
    return latency.median * spread * slow * latency.scale


def fault(faults: Faults, *key: object) -> Fault | None:
    """What goes wrong with this request, if anything."""
    drawn = draw(*key, "fault")
    for name in FAULTS:
        drawn -= getattr(faults, name)
        if drawn < 0:
            return name
    return None
