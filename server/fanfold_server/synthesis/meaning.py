"""The words that claims are compared by: which mean the same here, which exclude each other, which say little.

The lists are small on purpose: what stands on them is taken for certain. Opposites are states of which a thing has
one or the other; `encodes` and `decodes`, which may both be true of it, are none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

NEGATIONS = frozenset({"no", "not", "never", "none", "without", "nor", "neither"})
HEDGES = frozenset({"should", "may", "might", "could", "would", "perhaps", "possibly", "probably", "likely", "seem"})
"""What is said with one of these is a wish or a guess."""
THEN = frozenset(
    {"was", "were", "before", "until", "since", "up", "below", "older", "earlier", "if", "unless", "when"}
)
"""With one of these something is said of another time, or of a case."""
LIGHT = frozenset(
    re.findall(
        r"\w+",
        """
        a an the is are was were be been being it its this that these those there has have had of in on at for to by
        with as already currently here
        """,
    )
)
"""Words without which a claim says the same."""
_NUMBER_WORDS = "two three four five six seven eight nine ten eleven twelve"
NUMBER_WORDS: Mapping[str, str] = {word: str(n) for n, word in enumerate(_NUMBER_WORDS.split(), 2)}
_UNITS = """
    second: s sec secs seconds
    millisecond: ms msec milliseconds
    minute: min mins minutes
    hour: h hr hrs hours
    day: d days
    byte: b bytes
    kilobyte: kb kilobytes
    megabyte: mb megabytes
    gigabyte: gb gigabytes
"""
UNITS: Mapping[str, str] = {
    form: words[0] for line in _UNITS.splitlines() if (words := re.findall(r"\w+", line)) for form in words
}
"""What a word after a number means."""

_SYNONYMS = """
    remove delete drop
    use utilise utilize employ
    name mention
    stand occur appear
    empty blank
    assert check verify
    begin start
    fast quick
    large big
    small little
    outdated stale
    repository repo
    directory folder
    configuration config
    documentation doc
    environment env
    parameter param
    argument arg
    maximum max
    minimum min
"""
_OPPOSITES = """
    enabled activated | disabled deactivated
    supported | unsupported
    required mandatory needed | optional
    present exists | missing absent
    allowed permitted | forbidden denied prohibited disallowed
    valid | invalid
    safe secure | unsafe insecure
    succeeds passes | fails
    included | excluded omitted
    accepts | rejects refuses
    available | unavailable
    compatible | incompatible
    mutable | immutable
    tested | untested
    documented | undocumented
    pinned | unpinned
    encrypted | unencrypted
    maintained | unmaintained abandoned
    synchronous | asynchronous
    correct | incorrect wrong
    reachable | unreachable
    increases | decreases
    patched fixed mitigated resolved remediated unaffected | vulnerable flagged affected exploitable
"""
PATCHED = "patched"
"""The state of a hole: who speaks of one by its number speaks of it and nothing else."""
_DOUBLED = re.compile(r"([bdgklmnprt])\1$")


@dataclass(frozen=True, slots=True)
class State:
    """A word for a state that a thing is in or not.

    Attributes:
        name: the first word for the state itself: `enabled` for `disabled` too.
        opposite: whether the word is for the opposite.
    """

    name: str
    opposite: bool


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """A word without its ending: removed, removes and removing are alike."""
    if not word.isalpha() or len(word) < 4:
        return word
    for ending, instead in (("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", "")):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) > 2 and not word.endswith("ss"):
            return _DOUBLED.sub(r"\1", rest + instead)
    return word


def _by_stem() -> tuple[Mapping[str, str], Mapping[str, State]]:
    synonyms = {stem(word): line.split()[0] for line in _SYNONYMS.strip().splitlines() for word in line.split()}
    states: dict[str, State] = {}
    for line in _OPPOSITES.strip().splitlines():
        for opposite, words in enumerate(line.split("|")):
            states.update({stem(word): State(line.split()[0], bool(opposite)) for word in words.split()})
    return synonyms, states


_SYNONYM, _STATE = _by_stem()


@lru_cache(maxsize=16_384)
def meant(word: str) -> str:
    """The word that stands for all that mean the same; the word itself if it is on no list."""
    return _SYNONYM.get(stem(word), word)


@lru_cache(maxsize=16_384)
def state_of(word: str) -> State | None:
    """The state it is a word for, if it is on the list."""
    return _STATE.get(stem(word))
