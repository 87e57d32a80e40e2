"""When two subjects are one, and when two claims say the same: compared by rules, without a model."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz

from .meaning import HEDGES, LIGHT, NEGATIONS, NUMBER_WORDS, THEN, UNITS, State, meant, state_of, stem

SAME_AT = 88.0
"""Similarity of two claims, words sorted, from which they may say the same."""
SPELLED_AT = 85.0
"""Similarity of two words that begin alike from which they are spellings of one (colour, color)."""
LEAST_WORDS = 3
"""Words that must be left of a claim for what stands around it to be taken off."""

_DROPPED = re.compile(r"[^\w./:@+#]+|_+")
_CALLED = re.compile(r"^(?:\./|the-(?=.)|dependency-(?=.))+")
_VERSIONED = re.compile(r"-v(?=\d)")
_WORD = re.compile(r"[\w.+#/-]*\w[+#]*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_GLUED = re.compile(rf"(?<![\w.])(\d+(?:\.\d+)?)({'|'.join(sorted(UNITS, key=len, reverse=True))})(?!\w)")
_SPECIAL = re.compile(r"\w[._/+#]\w|\d|[+#]$")
_NOT = (("\u2019", "'"), ("cannot", "can not"), ("can't", "can not"), ("won't", "will not"), ("n't", " not"))
_DO = frozenset({"do", "does", "did", "can", "will"})
_LEAD_IN = re.compile(
    r"(?:(?:i|we) (?:found|saw|noticed|observed|see|noted) that|(?:please )?note that|it turns out that|"
    r"(?:while|after|when|on|by|from) (?:reading|looking|checking|reviewing|searching|inspecting)\b[^,.;]*,|"
    r"(?:overall|in short|in fact|as a result),)\s+"
)
_TAIL = re.compile(
    r"(?:,\s+(?:which|so|because|making|meaning|therefore|hence|thus)\b|;\s|\s[\u2014\u2013]\s).*", re.DOTALL
)
_TURNS = re.compile(
    r"\b(?:if|unless|until|only|except|but|however|when|while|though|although|otherwise|provided|nor|\w*n't|no|not|never|"
    r"without|none)\b|\d"
)
_TIES = frozenset(
    re.findall(
        r"\w+",
        "in on at by for from to into with within before after than over under above below until since of as via",
    )
)
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
    """A subject as subjects are compared: `Get_Event-Loop()` and `get event loop` are alike.

    So are `the requests`, `dependency requests` (as inspections spell it) and `requests`; `Flask v2` and `Flask 2`.
    """
    text = unicodedata.normalize("NFKC", subject).casefold()
    key = _DROPPED.sub("-", text).strip("-/:").rstrip(".") or text
    return _VERSIONED.sub("-", _CALLED.sub("", key))


def exactly(subject: str) -> str:
    """A subject as the rules engine spells it: `typing.IO` is not `typing.io`, nor `_imp` `imp`."""
    return " ".join(subject.split()).removesuffix("()")


Named = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
"""Names and numbers of a claim: those that stand for themselves, in order; those that a preposition ties, sorted."""


@dataclass(frozen=True, slots=True)
class Words:
    """A claim taken apart for comparison, without what leads in to it and what only follows from it.

    Attributes:
        words: content words, each as what it means, without its ending.
        order: all words that mean something, in order, negations left out; `flat` is the same sorted, in one text.
        named: what is named and counted, and how: `a.b before c.d` is not `c.d before a.b`.
        no: whether it denies: one negation or opposite, or three.
        states: of which sort of state it speaks (`enabled`, which stands for disabled too).
        hedges: words that make it less than a claim (may, should).
        then: whether it is about another time or a case (before, if).
    """

    words: frozenset[str]
    order: tuple[str, ...]
    flat: str
    named: Named
    no: bool
    states: frozenset[str]
    hedges: frozenset[str]
    then: bool

    @property
    def block(self) -> object:
        """Claims that say the same are alike in this."""
        return self.named, self.no, self.hedges

    @property
    def whole(self) -> object:
        """Claims alike in this say the same."""
        return self.flat, self.block


@lru_cache(maxsize=32_768)
def words_of(claim: str) -> Words:
    """The claim taken apart."""
    found = words_in_order(core_of(claim))
    states = _states(found)
    order = tuple(_meant(found, states))
    return Words(
        words=frozenset(word for word in order if word not in STOP),
        order=order,
        flat=" ".join(sorted(order)),
        named=_named(found),
        no=bool((sum(word in NEGATIONS for word in found) + sum(states.values())) % 2),
        states=frozenset(states),
        hedges=frozenset(word for word in found if word in HEDGES),
        then=not THEN.isdisjoint(found),
    )


def core_of(claim: str) -> str:
    """The claim folded, without `I found that` before and `, which makes …` after it.

    What follows stays if it may turn the claim (only if, but, not) or adds a number.
    """
    text = " ".join(unicodedata.normalize("NFKC", claim).casefold().replace("\u2019", "'").split())
    if (lead := _LEAD_IN.match(text)) and _says_enough(text[lead.end() :]):
        text = text[lead.end() :]
    tail = _TAIL.search(text)
    if tail and not _TURNS.search(tail[0]) and _says_enough(text[: tail.start()]):
        text = text[: tail.start()]
    return text


def _says_enough(text: str) -> bool:
    return sum(word not in STOP for word in _WORD.findall(text)) >= LEAST_WORDS


def words_in_order(claim: str) -> tuple[str, ...]:
    """The words of a claim, folded, `isn't` as two, numbers and their units in one form."""
    text = _THOUSANDS.sub("", claim.casefold()).replace("per cent", "percent").replace("%", " percent ")
    for short, full in _NOT:
        text = text.replace(short, full)
    words = _WORD.findall(_GLUED.sub(r"\1 \2", text))
    return tuple(_form(word, words[n - 1] if n else "") for n, word in enumerate(words))


def _form(word: str, before: str) -> str:
    """`does not support` and `supports` differ by the negation alone; `v2.1` is `2.1`, `30 s` is `30 seconds`."""
    if before[:1].isdigit() and word in UNITS:
        return UNITS[word]
    if word in NUMBER_WORDS:
        return NUMBER_WORDS[word]
    if word[:1] == "v" and word[1:2].isdigit():
        return word[1:]
    if len(word) < 4 or word in STOP or special(word) or not word.endswith("s") or word.endswith("ss"):
        return word
    return f"{word[:-3]}y" if len(word) > 4 and word.endswith("ies") else word[:-1]


def special(word: str) -> bool:
    """Whether it is a name of code or of a file, or a number: such words are alike only as they stand."""
    return _SPECIAL.search(word) is not None


def _states(found: Iterable[str]) -> dict[str, bool]:
    """The sorts of state that the words speak of, and whether each is denied; one that is both is left as it is."""
    seen: dict[str, set[bool]] = {}
    for word in found:
        if state := state_of(word):
            seen.setdefault(state.name, set()).add(state.opposite)
    return {name: opposites == {True} for name, opposites in seen.items() if len(opposites) == 1}


def _meant(found: Iterable[str], states: dict[str, bool]) -> Iterator[str]:
    told = set[str]()
    for word in found:
        if word in NEGATIONS or word in _DO or word in LIGHT:
            continue
        state: State | None = state_of(word)
        if state is None or state.name not in states:
            yield stem(meant(word))
        elif state.name not in told:
            told.add(state.name)
            yield state.name


def _named(found: Sequence[str]) -> Named:
    free, tied = list[str](), list[tuple[str, str]]()
    for n, word in enumerate(found):
        if special(word):
            before = next((w for w in reversed(found[max(0, n - 2) : n]) if w not in {"the", "a", "an"}), "")
            if before in _TIES:
                tied.append((before, word))
            else:
                free.append(word)
    return tuple(free), tuple(sorted(tied))


def same(one: Words, other: Words) -> bool:
    """Whether two claims about one subject say the same."""
    if one.block != other.block:
        return False
    mine, theirs = one.words - other.words, other.words - one.words
    if max(len(mine), len(theirs)) > 4 or not (_spelled(mine, theirs) and _spelled(theirs, mine)):
        return False
    return fuzz.ratio(one.flat, other.flat, score_cutoff=SAME_AT) > 0


def _spelled(words: Iterable[str], others: frozenset[str]) -> bool:
    return all(any(_is_form(word, other) for other in others) for word in words)


def _is_form(word: str, other: str) -> bool:
    """Whether they are forms or spellings of one word; `compress` and `decompress` are as similar and are not."""
    return stem(word) == stem(other) or (word[:2] == other[:2] and fuzz.ratio(word, other) >= SPELLED_AT)


def value_of(value: str) -> str:
    """A value as values are compared: but for case and spaces."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split()).strip(" .")
