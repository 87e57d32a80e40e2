"""When two subjects are one, and when two claims say the same: compared by rules, without a model."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz

SAME_AT = 88.0
"""Similarity of two claims, words sorted, from which they may say the same."""
SPELLED_AT = 75.0
"""Similarity of two words from which they are forms of one (removed, removes)."""

_DROPPED = re.compile(r"[^\w./:@+#]+|_+")
_WORD = re.compile(r"[\w.+#/-]*\w[+#]*")
_NUMBER = re.compile(r"\d")
_NO = frozenset({"no", "not", "never", "none", "without", "nor", "neither"})
_NOT = (("\u2019", "'"), ("cannot", "can not"), ("can't", "can not"), ("won't", "will not"), ("n't", " not"))
_DO = frozenset({"do", "does", "did", "can", "will"})
STOP = frozenset(
    re.findall(
        r"\w+",
        """
        a an and are as at be been but by can could do does for from had has have he her his how i
        if in into is it its may more most of on or our out over she should so some such than that
        the their them then there these they this those to under up was we were what when where
        which while who will with would you
        """,
    )
)
"""Words that say nothing of what a text is about."""


@lru_cache(maxsize=65_536)
def key_of(subject: str) -> str:
    """A subject as subjects are compared: `Get_Event-Loop()` and `get event loop` are alike."""
    text = unicodedata.normalize("NFKC", subject).casefold()
    return _DROPPED.sub("-", text).strip("-/:").rstrip(".") or text


def exactly(subject: str) -> str:
    """A subject as the rules engine spells it: `typing.IO` is not `typing.io`, nor `_imp` `imp`."""
    return " ".join(subject.split()).removesuffix("()")


@dataclass(frozen=True, slots=True)
class Words:
    """A claim taken apart for comparison.

    Attributes:
        words: content words, folded.
        numbers: words with a digit, in order.
        no: how many negations.
        flat: all words sorted, in one text; `bare` is the same without negations and what carries them.
    """

    words: frozenset[str]
    numbers: tuple[str, ...]
    no: int
    flat: str
    bare: str


@lru_cache(maxsize=8_192)
def words_of(claim: str) -> Words:
    """The claim taken apart."""
    found = words_in_order(claim)
    numbers = tuple(word for word in found if _NUMBER.search(word))
    negations = sum(word in _NO for word in found)
    content = frozenset(w for w in found if w not in STOP and w not in _NO)
    bare = " ".join(sorted(word for word in found if word not in _NO and word not in _DO))
    return Words(content, numbers, negations, " ".join(sorted(found)), bare)


def words_in_order(claim: str) -> tuple[str, ...]:
    """The words of a claim, folded, `isn't` as two."""
    text = claim.casefold()
    for short, full in _NOT:
        text = text.replace(short, full)
    return tuple(_form(word) for word in _WORD.findall(text))


def _form(word: str) -> str:
    """`does not support` and `supports` differ by the negation alone."""
    plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss")
    return word[:-1] if plural and word not in STOP else word


def same(one: Words, other: Words) -> bool:
    """Whether two claims about one subject say the same."""
    if one.numbers != other.numbers or one.no % 2 != other.no % 2:
        return False
    mine, theirs = one.words - other.words, other.words - one.words
    if max(len(mine), len(theirs)) > 4 or not (_spelled(mine, theirs) and _spelled(theirs, mine)):
        return False
    return fuzz.ratio(one.flat, other.flat, score_cutoff=SAME_AT) > 0


def _spelled(words: Iterable[str], others: frozenset[str]) -> bool:
    return all(any(fuzz.ratio(word, other) >= SPELLED_AT for other in others) for word in words)


def value_of(value: str) -> str:
    """A value as values are compared: but for case and spaces."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split()).strip(" .")
