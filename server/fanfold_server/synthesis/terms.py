"""The words two texts may have in common, in any language, where it matters only whether they have any.

Where words can't be told apart (Chinese, Japanese, Thai …) neighbouring characters stand for them. Texts in different
scripts, or one in English and the other not, have no words in common though they say the same: that tells nothing.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .meaning import HEDGES, LIGHT, NEGATIONS, meant, state_of, stem
from .wording import STOP, words_in_order

MAX_CHARS = 20_000
"""Of a text no more is taken."""
ENGLISH, ENOUGH = 0.06, 15
"""Share of small English words from which a text is English, and the words without one from which it is not."""
_ENGLISH = frozenset(
    [
        "the",
        "of",
        "and",
        "is",
        "are",
        "to",
        "with",
        "for",
        "that",
        "this",
        "by",
        "from",
        "be",
        "has",
        "have",
        "had",
        "not",
        "it",
        "its",
        "which",
        "or",
        "were",
        "been",
        "than",
        "but",
        "no",
        "without",
        "into",
        "their",
        "there",
        "when",
        "what",
        "over",
        "under",
    ]
)
"""None of these means something else in a text of German, French or Spanish; most English sentences have one."""
BEGINS, STARTS = 4, 6
"""A word of so many letters may be the beginning of another (fail, failure); words that share so many are related."""
MAX_LETTERS = 400

_RUNS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]+"
)
_HIRAGANA = re.compile(r"[\u3040-\u309f]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PARTS = re.compile(r"[\W_]+")
_SMALL = STOP | LIGHT | NEGATIONS | HEDGES | {"do", "does", "did"}
_ONE = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "KATAKANA-HIRAGANA": "CJK"}


@dataclass(frozen=True, slots=True)
class Terms:
    """What a text may share with another.

    Attributes:
        words: content words, numbers and identifiers, each as what it means, with their parts.
        begins: beginnings of its words; starts: their first letters, where they have more.
        pairs: neighbouring characters, where words can't be told apart.
        script: in which most of its letters are, "" if it has none.
        english: whether its small words are English ones; None where it has too few words to tell.
    """

    words: frozenset[str]
    begins: frozenset[str]
    starts: frozenset[str]
    pairs: frozenset[str]
    script: str
    english: bool | None

    def shares(self, other: "Terms") -> bool:
        """Whether they have anything in common."""
        return not (
            self.words.isdisjoint(other.words)
            and self.pairs.isdisjoint(other.pairs)
            and self.starts.isdisjoint(other.starts)
            and self.words.isdisjoint(other.begins)
            and self.begins.isdisjoint(other.words)
        )

    def comparable(self, other: "Terms", *, mine: bool | None, theirs: bool | None) -> bool:
        """Whether having nothing in common tells anything. `mine` and `theirs`: see `english`, where it is None."""
        if self.script != other.script:
            return not (self.script and other.script)
        one = mine if self.english is None else self.english
        two = theirs if other.english is None else other.english
        return self.script != "LATIN" or None in (one, two) or one == two


@lru_cache(maxsize=4_096)
def terms_of(text: str) -> Terms:
    """The terms of a text."""
    text = unicodedata.normalize("NFKC", text[:MAX_CHARS])
    spaced = _RUNS.sub(" ", text)
    found = words_in_order(_CAMEL.sub(" ", spaced))
    if _CAMEL.search(spaced):
        found += words_in_order(spaced)
    words = frozenset(form for word in found for form in _forms(word))
    plain = [word for word in words if word.isalpha()]
    return Terms(
        words=words,
        begins=frozenset(word[:n] for word in plain for n in range(BEGINS, len(word))),
        starts=frozenset(word[:STARTS] for word in plain if len(word) >= STARTS),
        pairs=frozenset(_pairs(text)),
        script=_script(text),
        english=_english([word for word in found if word.isalpha()]),
    )


def _english(words: Sequence[str]) -> bool | None:
    small = sum(word in _ENGLISH for word in words)
    return small >= ENGLISH * len(words) if small or len(words) >= ENOUGH else None


def _forms(word: str) -> Iterator[str]:
    """A word as what it means, and its parts; nothing for a small word."""
    if word in _SMALL:
        return
    state = state_of(word)
    yield state.name if state else stem(meant(word))
    if not word.isalnum():
        yield from (stem(meant(part)) for part in _PARTS.split(word) if len(part) > 1 and part not in _SMALL)


def _pairs(text: str) -> Iterator[str]:
    """Neighbours in runs of characters; those of hiragana alone, mere endings, only where there is nothing else."""
    pairs = {run[n : n + 2] for run in _RUNS.findall(text) for n in range(max(1, len(run) - 1))}
    return iter({pair for pair in pairs if not _HIRAGANA.fullmatch(pair)} or pairs)


def _script(text: str) -> str:
    letters = [c for c in text if c.isalpha()][:MAX_LETTERS]
    counts = Counter(_script_of(letter) for letter in letters)
    return counts.most_common(1)[0][0] if counts else ""


@lru_cache(maxsize=4_096)
def _script_of(letter: str) -> str:
    name = unicodedata.name(letter, "").partition(" ")[0]
    return _ONE.get(name, name)
