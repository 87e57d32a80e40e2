"""Findings that say the same become one claim; claims about the same subject become one group.

Subjects of minds are alike but for case, spaces and punctuation (`.`, `/`, `:`, `@`, `+`, `#` mean something and
stay); the rules engine's are names of code and files, which are alike only as they stand. Claims say the same when
what they name and count is equal and so is whether they deny it, what words they do not share differ in spelling
only, and the rest is close; or when they give one attribute the same value. What says the same as one of several that
say the same belongs with them, unless they give an attribute different values.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from fanfold_workers.aside import stop_if_abandoned
from fanfold_workers.contract import Severity

from .weigh import LOST, MERITS_OF_USE, OPEN, SEVERITY, SURE_USE, UNUSED, Noted, supported
from .wording import Words, key_of, same, value_of, words_of

MAX_COMPARED = 100
"""Claims about one subject, next to it in the order of their words, that a claim is compared with; equal ones are
always found."""

MAX_GROUPS_TRIED = 8
"""Groups about one subject that a claim may join: the best ones."""

USES = "uses"
UNDONE = frozenset({"deprecates", "deprecated", "removes", "removed"})
"""Last words of kinds that matter because of who uses the subject."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim, and every finding that makes it, the weightiest first."""

    members: tuple[Noted, ...]

    @property
    def lead(self) -> Noted:
        """The finding that speaks for it."""
        return self.members[0]

    @property
    def workers(self) -> frozenset[str]:
        """Who found it, each by itself: whoever was told of it by another of them is an echo."""
        those = frozenset(member.subtask for member in self.members)
        return frozenset(member.subtask for member in self.members if those.isdisjoint(member.told_by)) or those

    @property
    def kind(self) -> str:
        """The kind of its lead."""
        return self.lead.finding.kind

    @property
    def family(self) -> str:
        """The first word of its kind."""
        return self.kind.partition(".")[0]

    @property
    def last(self) -> str:
        """The last word of its kind."""
        return self.kind.rpartition(".")[2]

    @property
    def occurrences(self) -> int:
        """How often it was seen in all."""
        return sum(member.finding.count for member in self.members)


def merged(noted: Sequence[Noted]) -> list[Claim]:
    """The claims, each with all findings that make it, in the order of their subjects' first appearance."""
    subjects: dict[tuple[str, bool], list[Noted]] = defaultdict(list)
    for one in sorted(noted, key=lambda one: one.order):
        subjects[one.key, one.finding.kind.endswith(f".{USES}")].append(one)
    return [claim for about in subjects.values() for claim in _claims(about)]


@dataclass
class _Making:
    """Claims in the making: each finding leads to a finding that says the same, up to one that leads to itself.

    Attributes:
        members: what is joined.
        leads: by place, where it leads.
        values: by the place at the end, the values of attributes that the claim gives.
    """

    members: Sequence[Noted]
    leads: list[int] = field(default_factory=list[int])
    values: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def __post_init__(self) -> None:
        self.leads = list(range(len(self.members)))
        self.values = [_values(one) for one in self.members]

    def end(self, at: int) -> int:
        """Where it leads in the end."""
        while self.leads[at] != at:
            self.leads[at] = at = self.leads[self.leads[at]]
        return at

    def join(self, one: int, other: int) -> None:
        """Make one claim of both, unless they give an attribute different values."""
        first, second = sorted((self.end(one), self.end(other)))
        mine, theirs = self.values[first], self.values[second]
        if first != second and all(mine.get(name, value) == value for name, value in theirs.items()):
            self.leads[second] = first
            mine.update(theirs)

    def claims(self) -> Iterator[Claim]:
        """The claims, by their first findings."""
        made: dict[int, list[Noted]] = defaultdict(list)
        for at, one in enumerate(self.members):
            made[self.end(at)].append(one)
        for those in made.values():
            yield Claim(tuple(sorted(those, key=lambda n: (-n.score(), n.order))))


def _values(one: Noted) -> dict[str, str]:
    finding = one.finding
    return {key_of(finding.attribute): value_of(finding.value)} if finding.attribute and finding.value else {}


def _claims(about: Sequence[Noted]) -> Iterator[Claim]:
    """Claims about one subject: what is alike is joined, and what is like something joined already."""
    making = _Making(about)
    exact: dict[object, int] = {}
    blocks: dict[object, dict[Words, int]] = defaultdict(dict)
    for at, one in enumerate(about):
        words = words_of(one.finding.claim)
        for name in _names(one, words):
            making.join(exact.setdefault(name, at), at)
        blocks[words.block].setdefault(words, at)
    for block in blocks.values():
        # In the order of their words, so that it makes no difference who came first.
        compared = sorted(block, key=lambda w: w.flat)
        for n, mine in enumerate(compared):
            stop_if_abandoned()
            for theirs in compared[n + 1 : n + MAX_COMPARED]:
                if same(mine, theirs):
                    making.join(block[mine], block[theirs])
    yield from making.claims()


def _names(one: Noted, words: Words) -> Iterator[object]:
    """Under which a claim is known without comparing: its words, and its attribute's value."""
    yield "claim", words.whole
    for name, value in _values(one).items():
        yield "value", one.finding.kind, name, value


@dataclass(frozen=True, slots=True)
class Group:
    """Claims about one subject: the leading one, others of other kinds, and the uses of the subject.

    Attributes:
        lead, others, uses: see above; each claim stands in one group only.
        severity: the worst of lead and others; at least high where something is undone that somebody uses.
        score: what entries are ranked by.
        unused: whether uses of it were looked for, would have mattered, and none was found.
    """

    lead: Claim
    others: tuple[Claim, ...]
    uses: tuple[Claim, ...]
    severity: Severity
    score: float
    unused: bool

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All, the leading one first."""
        return (self.lead, *self.others, *self.uses)

    @property
    def users(self) -> tuple["User", ...]:
        """Who uses the subject, the surest and busiest first."""
        by_worker: dict[str, list[Noted]] = defaultdict(list)
        for claim in self.uses:
            for member in claim.members:
                by_worker[member.subtask].append(member)
        users = [User(tuple(sorted(uses, key=lambda n: (-n.score(), n.order)))) for uses in by_worker.values()]
        return tuple(sorted(users, key=lambda u: (not u.sure, -u.times(self.lead.lead.key), u.uses[0].order)))


@dataclass(frozen=True, slots=True)
class User:
    """One worker's uses of a subject and of what is below it, the weightiest first."""

    uses: tuple[Noted, ...]

    @property
    def name(self) -> str:
        """What the worker looked at, or the worker."""
        return self.uses[0].domain.partition(":")[2] or self.uses[0].subtask

    @property
    def sure(self) -> bool:
        """Whether some use of it is not guarded against the subject's absence."""
        return any(use.finding.confidence >= SURE_USE for use in self.uses)

    def times(self, key: str) -> int:
        """How often: a use of a name below the subject is one of the subject too, where both were counted."""
        whole = [use.finding.count for use in self.uses if use.key == key]
        return max(whole) if whole else sum(use.finding.count for use in self.uses)

    def claim(self, key: str) -> str:
        """Who uses it and how often, in a line."""
        if len(self.uses) == 1:
            return f"{self.name}: {self.uses[0].finding.claim}"
        guarded = "" if self.sure else ", each where its absence is provided for"
        times = f"{self.times(key):,} times" if self.times(key) > 1 else "once"
        return f"{self.name}: uses it {times}, under {len(self.uses)} names{guarded}."


@dataclass
class _Gathering:
    """A group in the making."""

    lead: Claim
    others: list[Claim] = field(default_factory=list[Claim])
    uses: list[Claim] = field(default_factory=list[Claim])


def joined(
    claims: Sequence[Claim], lost: frozenset[str], open_: frozenset[str] = frozenset()
) -> tuple[list[Group], list[Claim]]:
    """The groups, ranked; and the uses of what nobody says anything about, which are context only.

    A use of `imp.find_module` meets what is said of `imp`, which holds for all below it; what is said of
    `asyncio.get_event_loop` says nothing about a use of `asyncio`. `lost` are ids of findings nobody should believe,
    `open_` of those that others contradict.
    """
    about: dict[str, list[_Gathering]] = {}
    uses = [claim for claim in claims if claim.last == USES and "." in claim.kind]
    used = frozenset(claim.family for claim in uses)
    stated: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        if not (claim.last == USES and "." in claim.kind):
            stated[claim.lead.key].append(claim)
    for key, those in stated.items():
        about[key] = _gathered(sorted(those, key=lambda c: (-_score(c), c.lead.order)))
    context = [use for use in uses if not _meets(use, about)]
    groups = [_group(gathering, used, lost, open_) for those in about.values() for gathering in those]
    return sorted(groups, key=lambda g: (-g.score, g.lead.lead.order)), context


def _score(claim: Claim) -> float:
    return claim.lead.score() * supported(len(claim.workers))


def _gathered(claims: Iterable[Claim]) -> list[_Gathering]:
    """Claims of other kinds join the best one before them; a second claim of the same kind stands by itself."""
    found: list[_Gathering] = []
    for claim in claims:
        host = next((g for g in found[:MAX_GROUPS_TRIED] if _joins(claim, g)), None)
        if host is None:
            found.append(_Gathering(claim))
        else:
            host.others.append(claim)
    return found


def _joins(claim: Claim, group: _Gathering) -> bool:
    kinds = {group.lead.kind, *(other.kind for other in group.others)}
    elsewhere = not claim.workers <= group.lead.workers
    return claim.kind not in kinds and (claim.family == group.lead.family or elsewhere)


def _meets(use: Claim, about: dict[str, list[_Gathering]]) -> bool:
    """Give the use to what is said of its subject, or of the longest prefix of it; False if nothing is."""
    key = use.lead.key
    while key:
        for group in sorted(about.get(key, ()), key=lambda g: g.lead.family != use.family):
            if key == use.lead.key or (group.lead.family == use.family and group.lead.last in UNDONE):
                group.uses.append(use)
                return True
        key = key.rpartition(".")[0]
    return False


def _group(gathering: _Gathering, used: frozenset[str], lost: frozenset[str], open_: frozenset[str]) -> Group:
    lead, others, uses = gathering.lead, tuple(gathering.others), tuple(gathering.uses)
    severity = max((c.lead.finding.severity for c in (lead, *others)), key=SEVERITY.__getitem__)
    undone = lead.last in UNDONE
    users = frozenset(worker for use in uses if _matters(use, lead) for worker in use.workers)
    raised = max(severity, Severity.high, key=SEVERITY.__getitem__) if undone and users else severity
    workers = lead.workers.union(*(other.workers for other in others))
    # Half of what a use adds: among those in use, the one with the nearer end comes first.
    own = (lead.lead.score(severity) + lead.lead.score(raised)) / 2
    score = max(own, *(o.lead.score() for o in others), 0.0) * supported(len(workers))
    unused = undone and not uses and lead.family in used
    if users:
        score *= supported(len(users)) + MERITS_OF_USE
    elif unused:
        score *= UNUSED
    if lead.lead.finding.id in lost:
        score *= LOST
    elif lead.lead.finding.id in open_:
        score *= OPEN
    ranked = tuple(sorted(uses, key=lambda c: (-_score(c), c.lead.order)))
    return Group(lead, others, ranked, raised, score, unused)


def _matters(use: Claim, lead: Claim) -> bool:
    sure = not use.lead.domain or use.lead.finding.confidence >= SURE_USE
    return sure and use.family == lead.family


def kinds_of(noted: Iterable[Noted]) -> dict[str, int]:
    """Findings by kind, most first."""
    counts = Counter(one.finding.kind for one in noted)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
