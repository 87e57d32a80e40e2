"""All that is known of a run before anything is written: verified, drawn, weighed and joined, in plan order."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType

from fanfold_server.records import LedgerLine, Reliability, Span
from fanfold_workers.contract import Finding, Result, Subtask
from fanfold_workers.tools.files import split_place
from fanfold_workers.tools.roots import Root

from .compose import Brief
from .conflicts import Disputes, disputes
from .gaps import gaps
from .join import Claim, Group, joined, merged
from .ledger import covered, entered, ranked
from .texts import Drawn
from .verify import RULES, prose, verified
from .weigh import Noted, reliability, told_by, unsupported, weight
from .wording import exactly, key_of

MAX_QUESTION_CHARS = 20_000
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Weighed:
    """Verified results and what each finding weighs, before anything is joined.

    Attributes:
        subtasks: the plan's; empty when results were handed in.
        results: verified, in plan order.
        given: a hash of the results as they came.
        trust: what is known of each worker, by subtask.
        noted: every finding, drawn ones included.
        spans: of the texts, drawn from or not.
        disputed: the conflicts, as a stated rule settles them.
    """

    subtasks: tuple[Subtask, ...]
    results: tuple[Result, ...]
    given: str
    trust: Mapping[str, Reliability]
    noted: tuple[Noted, ...]
    spans: tuple[Span, ...]
    disputed: Disputes


@dataclass(frozen=True, slots=True)
class Material:
    """What workers brought, and what it came to.

    Attributes:
        question: what is to be answered.
        known: what each finding weighs.
        disputed: the conflicts, with what a model settled of them.
        groups, context: what the findings join to, ranked; and uses of things nobody says anything about.
        max_chars: the size of the report.
        rests: who finishes whom; see `gaps`.
    """

    question: str
    known: Weighed
    disputed: Disputes
    groups: tuple[Group, ...]
    context: tuple[Claim, ...]
    max_chars: int
    rests: Mapping[str, str]

    def id(self, max_chars: int, engine: str) -> str:
        """The report's id."""
        return "s-" + _hash(self.question, self.known.given, str(max_chars), engine)

    @property
    def order(self) -> Mapping[str, int]:
        """The place of each finding among all, by plan order."""
        return {one.finding.id: one.order for one in self.known.noted}

    def ledger(
        self, told: frozenset[str], folded: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[LedgerLine, ...]:
        """One line for each finding; `told` are those whose claim stands in the report.

        `folded` says into which finding's entry others were merged when the findings were folded.
        """
        return entered(self.known.noted, self.groups, self.context, told, folded)

    def brief(self) -> Brief:
        """What a composer is given."""
        ledger = self.ledger(frozenset())
        return Brief(
            question=self.question[:MAX_QUESTION_CHARS],
            entries=tuple(ranked(self.groups, self.disputed.open, self.disputed.lost)),
            conflicts=self.disputed.conflicts,
            gaps=gaps(self.known.subtasks, self.known.results, self.rests),
            reliability=tuple(self.known.trust.values()),
            coverage=covered(ledger, self.known.noted, self.known.results),
            ledger=ledger,
            titles={subtask.id: subtask.title for subtask in self.known.subtasks},
            max_chars=self.max_chars,
        )


def places_of(subtasks: Sequence[Subtask]) -> Mapping[str, tuple[str, ...]]:
    """What each subtask's quotes may come from, where its scope says so."""
    return {subtask.id: subtask.scope.places for subtask in subtasks if subtask.scope.places}


def checked(subtasks: Sequence[Subtask], results: Sequence[Result], roots: Mapping[str, Root]) -> tuple[Result, ...]:
    """The results in plan order, their findings numbered, each quote looked up. Blocking."""
    ordered = [_numbered(result) for result in _in_order(subtasks, results)]
    return verified(ordered, roots, places_of(subtasks))


def proses(results: Sequence[Result]) -> tuple[Mapping[str, str], frozenset[str]]:
    """The prose of results by subtask, and those that have findings beside it."""
    texts = {result.subtask: text for result in results if (text := prose(result))}
    return texts, frozenset(result.subtask for result in results if result.findings)


def weighed(
    subtasks: Sequence[Subtask], results: Sequence[Result], found: Drawn, sources: Mapping[str, str]
) -> Weighed:
    """What each finding weighs, and which cannot all be true. Blocking."""
    trust = {result.subtask: reliability(result, own=sources) for result in results}
    items = {subtask.id: subtask.item for subtask in subtasks}
    leans = {subtask.id: subtask.depends_on for subtask in subtasks}
    noted = tuple(_noted(results, found, trust, items, sources, leans))
    return Weighed(
        subtasks=tuple(subtasks),
        results=tuple(results),
        given=_hash(*(s.model_dump_json() for s in subtasks), *(r.model_dump_json() for r in results)),
        trust=trust,
        noted=noted,
        spans=tuple(_spans(results, found)),
        disputed=disputes(noted),
    )


def gathered(
    question: str, known: Weighed, disputed: Disputes, max_chars: int, rests: Mapping[str, str] = MappingProxyType({})
) -> Material:
    """The findings joined, once it is known which of them to believe. Blocking."""
    supported = [one for one in known.noted if not unsupported(one.finding)]
    groups, context = joined(merged(supported), disputed.lost, disputed.open)
    return Material(
        question=question,
        known=known,
        disputed=disputed,
        groups=tuple(groups),
        context=tuple(context),
        max_chars=max_chars,
        rests=rests,
    )


def _hash(*parts: str) -> str:
    digest = blake2b(digest_size=10)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def _in_order(subtasks: Sequence[Subtask], results: Sequence[Result]) -> list[Result]:
    """Plan order; results of no known subtask after them, by id, with numbers in it read as numbers."""
    place = {subtask.id: n for n, subtask in enumerate(subtasks)}
    return sorted(results, key=lambda r: (place.get(r.subtask, len(place)), _natural(r.subtask), r.subtask))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(name)]


def _numbered(result: Result) -> Result:
    """The result with ids `<subtask>.<n>` on all findings; those that have one of that form keep it."""
    own = re.compile(re.escape(result.subtask) + r"\.[1-9]\d{0,9}")
    taken: set[str] = set()
    kept: list[str] = []
    for finding in result.findings:
        keep = own.fullmatch(finding.id) is not None and finding.id not in taken
        kept.append(finding.id if keep else "")
        taken.add(kept[-1])
    ids = _free(result.subtask, taken)
    findings = tuple(
        finding if name else finding.model_copy(update={"id": next(ids)})
        for finding, name in zip(result.findings, kept, strict=True)
    )
    return result.model_copy(update={"findings": findings})


def _free(subtask: str, taken: set[str]) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        if (name := f"{subtask}.{number}") not in taken:
            yield name


def _noted(
    results: Sequence[Result],
    found: Drawn,
    trust: Mapping[str, Reliability],
    items: Mapping[str, str],
    sources: Mapping[str, str],
    leans: Mapping[str, Sequence[str]],
) -> Iterator[Noted]:
    """Every finding in plan order, a result's own before those drawn from its prose."""
    order = 0
    for result in results:
        before = told_by(result.subtask, leans)
        names = _free(result.subtask, {finding.id for finding in result.findings})
        prose_of = tuple(f.model_copy(update={"id": next(names)}) for f in found.findings.get(result.subtask, ()))
        for n, finding in enumerate((*result.findings, *prose_of)):
            yield Noted(
                order=order,
                finding=finding,
                subtask=result.subtask,
                key=exactly(finding.subject) if result.engine == RULES else key_of(finding.subject),
                domain=_domain(result, finding, items.get(result.subtask, "")),
                weight=weight(finding, trust[result.subtask], sources),
                drawn=n >= len(result.findings),
                told_by=before,
            )
            order += 1


def _domain(result: Result, finding: Finding, item: str) -> str:
    """Where a finding holds: what rules observe, in the item or the top folder they observed it in."""
    if result.engine != RULES:
        return ""
    if item or not finding.evidence:
        return f"item:{item or result.subtask}"
    root, path = split_place(finding.evidence[0].source)
    return f"place:{root}:{path.partition('/')[0]}"


def _spans(results: Sequence[Result], found: Drawn) -> Iterator[Span]:
    """The spans with the ids of what was drawn from them."""
    for result in results:
        names = _free(result.subtask, {finding.id for finding in result.findings})
        ids = [next(names) for _ in found.findings.get(result.subtask, ())]
        for span in found.spans.get(result.subtask, ()):
            yield span.model_copy(update={"finding": ids[int(span.finding) - 1]}) if span.finding else span
