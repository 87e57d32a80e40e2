"""How a secret is shown: never. Its first and last few characters stay, the rest is twelve stars.

`AKIA` + 12 stars + `WX`. The number of stars is always the same, so that it tells no length; they stand for one or
more characters without white space, which is how a quote so masked is compared with its source.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise

MASK = "*" * 12
"""What stands for the hidden part of a secret in every quote, claim and text."""

_RUN = re.compile(r"[A-Za-z0-9+/_=~-]{16,}")
_LOGIN = re.compile(r"(://[^\s/:@'\"]{0,100}:)([^\s/@'\"]{1,200})(?=@)|(://)([A-Za-z0-9_~.-]{20,200})(?=@)")
_VOWEL = re.compile(r"[aeiouy]", re.IGNORECASE)
_CLUSTER = re.compile(r"[bcdfghjklmnpqrstvwxz]{4}", re.IGNORECASE)
_CHUNK = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")


def masked(secret: str, prefix: int = 0) -> str:
    """The secret with all but its ends hidden: at most a fifth of its characters show beside the prefix.

    Args:
        secret: one line, as it stands in the source.
        prefix: how many of its first characters are a vendor's and tell nothing; they show.
    """
    end = min(4, len(secret) // 10)
    start = min(prefix, len(secret) // 2) if prefix else end
    return f"{secret[:start]}{MASK}{secret[len(secret) - end :]}"


def identity(secret: str) -> str:
    """A name for a secret that tells nothing of it and is the same wherever the secret is found."""
    return f"secret sha256:{hashlib.sha256(secret.encode('utf-8', 'replace')).hexdigest()[:8]}"


def masked_line(line: str, secrets: Mapping[str, str] | None = None) -> str:
    """The line with these secrets hidden, and passwords in addresses, and all else that looks random.

    Args:
        line: one line, or a part of one.
        secrets: what is known to be secret in it, each with its masked form.
    """
    for secret in sorted(secrets or (), key=len, reverse=True):
        line = line.replace(secret, (secrets or {})[secret])
    return _RUN.sub(lambda m: masked(m[0]) if looks_random(m[0]) else m[0], without_logins(line))


def without_logins(line: str) -> str:
    """The line with the passwords and tokens in its addresses (`://user:password@`, `://token@`) hidden."""
    return _LOGIN.sub(lambda m: f"{m[1] or m[3]}{MASK}", line)


def looks_random(text: str, least: int = 16) -> bool:
    """Whether a run of letters and digits is random rather than words, numbers, paths or a placeholder.

    Of 20 characters drawn at random it takes 98 in 100 for letters and digits, 94 for hexadecimal, 83 for small
    letters and digits; of 32, 99, 99 and 96.
    """
    if len(text) < least or not any(c.isdigit() for c in text) or not any(c.isalpha() for c in text):
        return False
    hexadecimal = all(c in "0123456789abcdefABCDEF-" for c in text)
    return (
        bits_per_char(text) >= (3.0 if hexadecimal else 3.6)
        and not is_sequence(text)
        and (hexadecimal or _wordy(text) <= 0.6)
    )


def bits_per_char(text: str) -> float:
    """The Shannon entropy of its characters."""
    total = len(text) or 1
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values())


def is_sequence(text: str) -> bool:
    """Whether a third of its characters continue the one before, as in 12345678 or aaaa."""
    codes = [ord(c) for c in text]
    steps = Counter(b - a for a, b in pairwise(codes))
    return steps[0] + steps[1] + steps[-1] > len(text) / 3


def _wordy(text: str) -> float:
    """The share of its characters in numbers and what could be words: three or more letters, as words have them."""
    return sum(len(run) for run in _CHUNK.findall(text) if len(run) >= 3 and _reads(run)) / len(text)


def _reads(run: str) -> bool:
    return run.isdigit() or bool(_VOWEL.search(run) and not _CLUSTER.search(run))
