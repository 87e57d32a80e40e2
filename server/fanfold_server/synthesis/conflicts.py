"""Findings about the same thing that cannot all be true, found without a model and settled only by a stated rule.

Two findings conflict when

- subject and attribute are the same and the values differ;
- they pin the subject to different versions, as a value or in words;
- their claims are alike but for one number, and come from different workers;
- their claims are alike but for a negation or a state and its opposite (enabled, disabled: `meaning.py` has the
  list), and come from different workers; of a hole named by its number one says that it is there, one that it is not.

What the rules engine finds is an observation of one item (a repository's own pin of `requests`): it conflicts only
with observations of the same item. What a mind claims is a claim about the subject itself: it conflicts with any
mind's; but versions, states, and what is of an inspection's kind are those of different things where they were seen
in different folders of a root.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from packaging.utils import canonicalize_version

from fanfold_server.records import Conflict, Side
from fanfold_workers.contract import Finding, Verdict
from fanfold_workers.tools.files import split_place

from .meaning import PATCHED, stem
from .weigh import Noted, best, unsupported
from .wording import Words, core_of, key_of, value_of, words_of

CLEAR = 2.0
"""A side is believed over another only at twice its weight, and with more workers behind it."""
MAX_CITED = 50
"""Findings named per side; `support` counts all."""
MAX_NUMBERS = 6
"""Numbers of a claim that may be what it differs in."""
VERSION = "version"
_VERSION_NAMES = frozenset(
    {"version", "pin", "pinned", "pinned-version", "pinned-to", "locked-version", "installed-version"}
)
_PINNED = re.compile(
    r"(?:\b(?:pinned|locked|installed|resolved|bundled|vendored|frozen|pins|locks|installs|bundles|vendors|ships)\b"
    r"[^.,;]{0,60}?\b(?:at|to|version|in)\s+(?:version\s+)?|\bis at (?:version\s+)?|==\s*)v?(\d+(?:\.\d+)+)(?![\w-])"
)
_VERSION = re.compile(r"(?<![\w.-])v?\d+(?:\.\d+)+")
_COUNT = re.compile(r"\d[\w.]*")
_ORDINAL = frozenset(
    stem(word)
    for word in re.findall(
        r"\w+",
        """
        line step call section chapter part issue table figure item case example page test phase stage column row
        option point rule number bug ticket pr rfc pep cve version python
        """,
    )
)
"""A number after one of these names a thing: two such claims are about two things."""
_HOLES = ("cve-", "ghsa-", "pysec-")


Sides = Mapping[str, list[Noted]]


@dataclass
class _Issue:
    """Something said in more than one way.

    Attributes:
        subject, attribute: as first spelled.
        sides: who says what, by value as compared.
        shown: each value as first spelled.
    """

    subject: str
    attribute: str
    sides: dict[str, list[Noted]] = field(default_factory=lambda: defaultdict[str, list[Noted]](list))
    shown: dict[str, str] = field(default_factory=dict[str, str])

    def say(self, value: str, shown: str, one: Noted) -> None:
        """Add one who says so."""
        self.sides[value].append(one)
        self.shown.setdefault(value, shown)

    @property
    def ids(self) -> frozenset[str]:
        """Of all that say something."""
        return frozenset(one.finding.id for side in self.sides.values() for one in side)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A conflict, with the findings on each side in full, in the order of its sides."""

    conflict: Conflict
    sides: tuple[tuple[Noted, ...], ...]

    @property
    def weight(self) -> float:
        """Of its two weightiest sides."""
        return sum(sorted((side.weight for side in self.conflict.sides), reverse=True)[:2])

    def ids(self, first: int = 0) -> Iterator[str]:
        """Of the findings on its sides, from that side on."""
        return (one.finding.id for side in self.sides[first:] for one in side)

    def believing(self, side: int, why: str) -> "Dispute":
        """The same, settled for that side, which comes first from now on."""
        order = [side, *(n for n in range(len(self.sides)) if n != side)]
        sides = tuple(self.conflict.sides[n] for n in order)
        conflict = self.conflict.model_copy(update={"sides": sides, "settled": why})
        return replace(self, conflict=conflict, sides=tuple(self.sides[n] for n in order))

    def holding(self, why: str) -> "Dispute":
        """The same, settled for all sides: they speak of different things, and none of them loses by the others."""
        return replace(self, conflict=self.conflict.model_copy(update={"settled": why, "compatible": True}))


@dataclass(frozen=True, slots=True)
class Disputes:
    """All that is disputed, open before settled, the weightiest first; and what that means for single findings."""

    disputes: tuple[Dispute, ...]

    @classmethod
    def ranked(cls, found: Iterable[Dispute]) -> "Disputes":
        """In their order, whatever the order in which they come."""
        return cls(tuple(sorted(found, key=_rank)))

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """For the report."""
        return tuple(dispute.conflict for dispute in self.disputes)

    @property
    def open(self) -> frozenset[str]:
        """Ids of findings in a conflict that stays open."""
        return frozenset(one for d in self.disputes if not d.conflict.settled for one in d.ids())

    @property
    def lost(self) -> frozenset[str]:
        """Ids of findings on a side that is not believed."""
        decided = (d for d in self.disputes if d.conflict.settled and not d.conflict.compatible)
        return frozenset(one for d in decided for one in d.ids(first=1))


def _rank(dispute: Dispute) -> tuple[object, ...]:
    conflict = dispute.conflict
    first = min(one.order for side in dispute.sides for one in side)
    return bool(conflict.settled), -round(dispute.weight, 4), conflict.subject, conflict.attribute, first


def disputes(noted: Iterable[Noted]) -> Disputes:
    """All conflicts among the findings, unsupported ones included: that is often what settles them."""
    those = sorted(noted, key=lambda one: one.order)
    return Disputes.ranked(map(_dispute, _once([*_of_values(those), *_of_claims(those)])))


def _dispute(issue: _Issue) -> Dispute:
    sides = sorted(issue.sides.items(), key=lambda s: (-_weight(s[1]), -_support(s[1]), s[1][0].order))
    conflict = Conflict(
        subject=issue.subject,
        attribute=issue.attribute,
        sides=tuple(_side(issue.shown[value], side) for value, side in sides),
        settled=_settled([side for _, side in sides]),
    )
    return Dispute(conflict, tuple(tuple(side) for _, side in sides))


def _once(issues: Iterable[_Issue]) -> Iterator[_Issue]:
    """The issues, but for those between findings that an earlier one sets against each other already."""
    seen: dict[str, list[frozenset[str]]] = defaultdict(list)
    for issue in issues:
        ids = issue.ids
        if not any(ids <= earlier for earlier in seen[min(ids)]):
            yield issue
        for one in ids:
            seen[one].append(ids)


# -- by value --------------------------------------------------------------------------------------------------------


def _of_values(noted: Iterable[Noted]) -> Iterable[_Issue]:
    issues: dict[tuple[str, str, str], _Issue] = {}
    for one in noted:
        attribute, value, shown = _stated(one)
        if attribute and value:
            name = key_of(attribute)
            issue = issues.setdefault((one.key, name, one.domain), _Issue(one.finding.subject, attribute))
            issue.say(value, shown, one)
    return (
        issue
        for (_, name, domain), issue in issues.items()
        if len(issue.sides) > 1 and (domain or _may_differ(issue.sides, seen=name == VERSION))
    )


def _stated(one: Noted) -> tuple[str, str, str]:
    """The attribute that a finding gives a value, the value as compared and as shown; empty if it gives none."""
    attribute, shown = one.finding.attribute.strip(), one.finding.value.strip()
    version = not one.domain and key_of(attribute) in _VERSION_NAMES if attribute else False
    if attribute and shown:
        return (VERSION, version_of(shown), shown) if version else (attribute, value_of(shown), shown)
    pinned = "" if one.domain else pinned_in(one.finding.claim)
    return (VERSION, version_of(pinned), pinned) if pinned else ("", "", "")


def version_of(value: str) -> str:
    """A version as versions are compared: `==2.0.0` and `v2` are alike."""
    return canonicalize_version(value_of(value).lstrip("= ").removeprefix("v"))


def pinned_in(claim: str) -> str:
    """The one version that a claim says its subject is pinned to; "" if it says none, or speaks of others too."""
    if not _VERSION.search(claim):
        return ""
    core = core_of(claim)
    found = _PINNED.search(core)
    if found is None or len(_VERSION.findall(core)) != 1 or (words := words_of(claim)).no or words.hedges:
        return ""
    return found[1]


# -- by claim --------------------------------------------------------------------------------------------------------


def _of_claims(noted: Iterable[Noted]) -> Iterable[_Issue]:
    """Claims of minds alike but for a number, a negation or a state: each is filed once for all it may differ in."""
    issues: dict[tuple[str, _Skeleton], _Issue] = {}
    for one in noted:
        if not one.domain:
            for skeleton, value in _skeletons(one.finding):
                issue = issues.setdefault((one.key, skeleton), _Issue(one.finding.subject, ""))
                issue.say(value, one.finding.claim, one)
    return (
        issue
        for (_, skeleton), issue in issues.items()
        if len(issue.sides) > 1 and _from_several(issue.sides) and _may_differ(issue.sides, seen=skeleton.state)
    )


@dataclass(frozen=True, slots=True)
class _Skeleton:
    """What is left of a claim without what it may differ in: a state or negation, or else a number."""

    state: bool
    rest: object


def _skeletons(finding: Finding) -> Iterator[tuple[_Skeleton, str]]:
    words = words_of(finding.claim)
    if words.hedges:
        return
    about = words_of(finding.subject).words
    rest = [word for word in words.order if word not in about]
    if not pinned_in(finding.claim):
        yield from _but_for_a_number(rest, words)
    yield from _but_for_a_state(rest, words, about)


def _but_for_a_number(rest: Sequence[str], words: Words) -> Iterator[tuple[_Skeleton, str]]:
    places = [n for n, word in enumerate(rest) if _COUNT.fullmatch(word) and not (n and rest[n - 1] in _ORDINAL)]
    for at in places[:MAX_NUMBERS]:
        if others := tuple(sorted([*rest[:at], *rest[at + 1 :]])):
            yield _Skeleton(state=False, rest=(others, words.no)), rest[at]


def _but_for_a_state(rest: Sequence[str], words: Words, about: frozenset[str]) -> Iterator[tuple[_Skeleton, str]]:
    denied = "no" if words.no else "yes"
    holes = tuple(sorted(word for word in rest if word.startswith(_HOLES)))
    if PATCHED in words.states and holes and not words.then:
        yield _Skeleton(state=True, rest=(PATCHED, holes)), denied
    elif len(rest) > 1 or words.states:
        free = tuple(name for name in words.named[0] if name not in about)
        tied = tuple(pair for pair in words.named[1] if pair[1] not in about)
        yield _Skeleton(state=True, rest=(tuple(sorted(rest)), free, tied)), denied


def _from_several(sides: Sides) -> bool:
    """Whether some two sides come from different workers: one worker listing cases does not contradict itself."""
    return len({one.subtask for side in sides.values() for one in side}) > 1


def _may_differ(sides: Sides, *, seen: bool) -> bool:
    """Whether some two sides are about one thing: they are, unless both say what was `seen` somewhere else."""
    seen = seen or any("." in one.finding.kind for side in sides.values() for one in side)
    where = [{_folder(one) for one in side} for side in sides.values()]
    return not seen or any(one & two or "" in one | two for one, two in combinations(where, 2))


def _folder(one: Noted) -> str:
    """The top folder in which a finding's first quote stands, as `root:folder`; "" if it stands in none."""
    source = one.finding.evidence[0].source if one.finding.evidence else ""
    root, path = split_place(source)
    return "" if "//" in source or root == "text" or "/" not in path else f"{root}:{path.partition('/')[0]}"


# -- who is believed -------------------------------------------------------------------------------------------------


def _support(side: Iterable[Noted]) -> int:
    return len({one.subtask for one in side if not unsupported(one.finding)})


def _weight(side: Iterable[Noted]) -> float:
    """Summed over workers, each by the best it has."""
    by_worker: dict[str, float] = {}
    for one in side:
        by_worker[one.subtask] = max(by_worker.get(one.subtask, 0.0), one.weight)
    return round(sum(by_worker.values()), 4)


def _settled(sides: Sequence[Sequence[Noted]]) -> str:
    """Why the first side is believed; "" if nothing says so."""
    first, *rest = sides
    if _stands(first) and all(unsupported(one.finding) for side in rest for one in side):
        return "Its quote stands in its source; what the other side quotes is nowhere in the sources it names."
    mine, theirs = _weight(first), _weight(rest[0])
    workers, others = _support(first), max(_support(side) for side in rest)
    if mine >= CLEAR * theirs and workers > others:
        return f"{workers} workers say so against {others}, with weight {mine:.2f} against {theirs:.2f}."
    return ""


def _stands(side: Iterable[Noted]) -> bool:
    return any(best(one.finding.evidence) in (Verdict.verified, Verdict.moved) for one in side)


def _side(value: str, side: Sequence[Noted]) -> Side:
    ranked = sorted(side, key=lambda one: (-one.weight, one.order))
    return Side(
        value=value,
        findings=tuple(one.finding.id for one in ranked[:MAX_CITED]),
        support=_support(side),
        weight=_weight(side),
        evidence=next((e for one in ranked for e in one.finding.evidence if e.quote), None),
    )
