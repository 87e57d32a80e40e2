"""Findings about the same thing that cannot all be true, found without a model and settled only by a stated rule.

Two findings conflict when subject and attribute are the same and the values differ; or when the claims are word for
word the same but for one number or a negation, and come from different workers.

What the rules engine finds is an observation of one item (a repository's own pin of `requests`): it conflicts only
with observations of the same item. What a mind claims is a claim about the subject itself: it conflicts with any.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fanfold_server.records import Conflict, Side
from fanfold_workers.contract import Verdict

from .weigh import Noted, best, unsupported
from .wording import key_of, value_of, words_in_order, words_of

CLEAR = 2.0
"""A side is believed over another only at twice its weight, and with more workers behind it."""
MAX_CITED = 50
"""Findings named per side; `support` counts all."""
_NUMBER = re.compile(r"\d")

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


@dataclass(frozen=True, slots=True)
class Disputes:
    """The conflicts, weightiest first, and what they mean for single findings.

    Attributes:
        conflicts: for the report.
        open: ids of findings in a conflict that stays open.
        lost: ids of findings on a side that is not believed.
    """

    conflicts: tuple[Conflict, ...]
    open: frozenset[str]
    lost: frozenset[str]


def disputes(noted: Sequence[Noted]) -> Disputes:
    """All conflicts among the findings, unsupported ones included: that is often what settles them."""
    found: list[tuple[float, Conflict]] = []
    open_, lost = set[str](), set[str]()
    for issue in (*_of_values(noted), *_of_claims(noted)):
        sides = sorted(issue.sides.items(), key=lambda s: (-_weight(s[1]), -_support(s[1]), s[1][0].order))
        settled = _settled([side for _, side in sides])
        conflict = Conflict(
            subject=issue.subject,
            attribute=issue.attribute,
            sides=tuple(_side(issue.shown[value], side) for value, side in sides),
            settled=settled,
        )
        found.append((_weight(sides[0][1]) + _weight(sides[1][1]), conflict))
        if settled:
            lost.update(one.finding.id for _, side in sides[1:] for one in side)
        else:
            open_.update(one.finding.id for _, side in sides for one in side)
    ranked = sorted(found, key=lambda f: (bool(f[1].settled), -f[0], f[1].subject, f[1].attribute))
    return Disputes(tuple(conflict for _, conflict in ranked), frozenset(open_), frozenset(lost))


def _of_values(noted: Iterable[Noted]) -> Iterable[_Issue]:
    issues: dict[tuple[str, str, str], _Issue] = {}
    for one in noted:
        finding = one.finding
        if finding.attribute.strip() and finding.value.strip():
            where = (one.key, key_of(finding.attribute), one.domain)
            issue = issues.setdefault(where, _Issue(finding.subject, finding.attribute))
            issue.say(value_of(finding.value), finding.value, one)
    return (issue for issue in issues.values() if len(issue.sides) > 1)


def _of_claims(noted: Iterable[Noted]) -> Iterable[_Issue]:
    """Claims of minds alike but for one number or a negation: each is filed once per number it could differ in."""
    issues: dict[object, _Issue] = {}
    for one in noted:
        if one.domain or (one.finding.attribute and one.finding.value):
            continue
        for skeleton, value in _skeletons(one.finding.claim):
            issue = issues.setdefault((one.key, skeleton), _Issue(one.finding.subject, ""))
            issue.say(value, one.finding.claim, one)
    return (issue for issue in issues.values() if len(issue.sides) > 1 and _from_several(issue.sides))


def _skeletons(claim: str) -> Iterable[tuple[object, str]]:
    words = words_in_order(claim)
    places = [at for at, word in enumerate(words) if _NUMBER.search(word)]
    for at in places[:6]:
        yield (*words[:at], None, *words[at + 1 :]), words[at]
    apart = words_of(claim)
    if len(apart.words) >= 2:
        yield (apart.bare, apart.numbers), "no" if apart.no % 2 else "yes"


def _from_several(sides: Sides) -> bool:
    """Whether some two sides come from different workers: one worker listing cases does not contradict itself."""
    return len({one.subtask for side in sides.values() for one in side}) > 1


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
