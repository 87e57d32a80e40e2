"""Several workers on the same subtask, by other methods or once more: who did what better, and what to take of each.

Nobody wins as a whole. Each attempt is measured on five stated criteria, and of every claim the finding is taken
whose quote proved most, whoever's it is.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from fanfold_server.records import Attempted, Comparison, Element, Reliability
from fanfold_workers.contract import Result, Subtask, Verdict

from .join import Claim, merged
from .ledger import one_line
from .markdown import counted, inline
from .weigh import CUT_OFF, STATUS, Noted, best, proved, supported, unsupported

MAX_ELEMENTS = 50
"""Claims that a comparison names, the strongest first."""
MAX_TOLD = 3
"""Claims of each attempt that the table's text names."""
MAX_OTHERS = 50
STANDS = frozenset({Verdict.verified, Verdict.moved})
_BLANKS = re.compile(r"[\W_]+")


Measure = Callable[[Attempted], float | None]
CRITERIA: Mapping[str, Measure] = {
    "quotes verified": lambda one: one.verified,
    "scope examined": lambda one: one.examined,
    "confirmed by others": lambda one: one.confirmed,
    "its own that stand": lambda one: one.own,
    "how it ended": lambda one: STATUS.get(one.status, CUT_OFF),
}
"""What attempts are measured by; None where it cannot be known, which is no mark against anybody."""


def compared(
    subtasks: Sequence[Subtask],
    results: Sequence[Result],
    trust: Mapping[str, Reliability],
    noted: Sequence[Noted],
) -> tuple[Comparison, ...]:
    """A comparison for each subtask that several workers did, in plan order. Blocking.

    Subtasks are the same when objective, item and places are, but for case and spaces; methods, tools and limits may
    differ. Those without a result are no attempts, nor are texts handed in: nobody asked their authors the same.
    """
    ended = {result.subtask: result for result in results}
    alike: dict[object, list[Subtask]] = defaultdict(list)
    for subtask in subtasks:
        if subtask.id in ended and (subtask.item or subtask.scope.places or subtask.scope.tools or subtask.scope.web):
            alike[_asked(subtask)].append(subtask)
    several = [those for those in alike.values() if len(those) > 1]
    claims = merged([one for one in noted if not unsupported(one.finding)]) if several else []
    return tuple(_compared(those, ended, trust, noted, claims) for those in several)


def _asked(subtask: Subtask) -> object:
    words = _BLANKS.sub(" ", unicodedata.normalize("NFKC", subtask.objective).casefold()).strip()
    return words, " ".join(subtask.item.split()).casefold(), frozenset(subtask.scope.places)


def _compared(
    subtasks: Sequence[Subtask],
    ended: Mapping[str, Result],
    trust: Mapping[str, Reliability],
    noted: Iterable[Noted],
    claims: Iterable[Claim],
) -> Comparison:
    names = frozenset(subtask.id for subtask in subtasks)
    theirs = [one for one in noted if one.subtask in names]
    made = [claim for claim in claims if claim.workers & names]
    elements = [_element(claim, names) for claim in sorted(made, key=lambda claim: _strength(claim, names))]
    taken = Counter(element.subtask for element in elements)
    measured = [_measured(one, ended[one.id], trust[one.id], theirs, made, taken[one.id]) for one in subtasks]
    attempts = [one.model_copy(update={"leads": _leads(one, measured)}) for one in measured]
    return Comparison(
        objective=one_line(subtasks[0].objective),
        item=subtasks[0].item,
        attempts=tuple(sorted(attempts, key=lambda one: (-len(one.leads), -one.taken))),
        elements=tuple(elements[:MAX_ELEMENTS]),
        more=max(0, len(elements) - MAX_ELEMENTS),
    )


def _strongest(claim: Claim, names: frozenset[str]) -> Noted:
    """The finding whose quote proved most, then the one of the more reliable worker."""
    those = [member for member in claim.members if member.subtask in names]
    return min(those, key=lambda one: (-proved(one.finding), -one.weight, one.order))


def _strength(claim: Claim, names: frozenset[str]) -> tuple[float, int]:
    first = _strongest(claim, names)
    return -first.score() * supported(len(claim.workers)), first.order


def _element(claim: Claim, names: frozenset[str]) -> Element:
    first = _strongest(claim, names)
    others = [m for m in claim.members if m.subtask in names and m.subtask != first.subtask]
    return Element(
        finding=first.finding.id,
        subtask=first.subtask,
        claim=one_line(first.finding.claim),
        others=tuple(one.finding.id for one in sorted(others, key=lambda one: one.order)[:MAX_OTHERS]),
    )


def _measured(
    subtask: Subtask,
    result: Result,
    trust: Reliability,
    noted: Iterable[Noted],
    claims: Iterable[Claim],
    taken: int,
) -> Attempted:
    mine = [one for one in noted if one.subtask == subtask.id]
    confirmed = [m for claim in claims if len(claim.workers) > 1 for m in claim.members if m.subtask == subtask.id]
    alone = [claim for claim in claims if claim.workers == frozenset({subtask.id})]
    return Attempted(
        subtask=subtask.id,
        title=subtask.title,
        engine=result.engine,
        status=result.status,
        verified=trust.verified,
        examined=trust.examined,
        findings=len(mine),
        unsupported=sum(unsupported(one.finding) for one in mine),
        confirmed=len(confirmed),
        own=sum(any(best(m.finding.evidence) in STANDS for m in claim.members) for claim in alone),
        taken=taken,
    )


def _leads(one: Attempted, among: Sequence[Attempted]) -> tuple[str, ...]:
    """The criteria on which nobody did better and somebody did worse."""
    return tuple(name for name, measure in CRITERIA.items() if _is_ahead(measure, one, among))


def _is_ahead(measure: Measure, one: Attempted, among: Sequence[Attempted]) -> bool:
    known = [value for other in among if (value := measure(other)) is not None]
    return measure(one) is not None and measure(one) == max(known) != min(known)


def told(comparison: Comparison) -> str:
    """The comparison as Markdown: a table of the attempts, then what was taken from whom, citing findings as [id]."""
    item = f" ({inline(comparison.item, 120)})" if comparison.item else ""
    head = f"**{inline(comparison.objective, 200)}**{item}: {counted(len(comparison.attempts), 'attempt')}"
    rows = [
        _row(("attempt", "engine", "ended", "quotes verified", "examined", "confirmed", "own", "taken", "leads on"))
    ]
    rows.append(_row(["---"] * 9))
    rows += [_row(_cells(one)) for one in comparison.attempts]
    taken = [line for one in comparison.attempts if (line := _taken(one, comparison))]
    return "\n".join((head, "", *rows, *([""] if taken else []), *taken))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(one: Attempted) -> Iterator[str]:
    yield f"{inline(one.title, 80)} ({one.subtask})"
    yield inline(one.engine, 60)
    yield one.status.value
    yield _percent(one.verified)
    yield _percent(one.examined)
    yield f"{one.confirmed} of {one.findings}"
    yield str(one.own)
    yield str(one.taken)
    yield ", ".join(one.leads)


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{share:.0%}"


def _taken(one: Attempted, comparison: Comparison) -> str:
    mine = [element for element in comparison.elements if element.subtask == one.subtask]
    if not mine:
        return ""
    claims = "; ".join(_claim(element) for element in mine[:MAX_TOLD])
    more = f"; and {one.taken - MAX_TOLD:,} more" if one.taken > MAX_TOLD else ""
    return f"- From {one.subtask}: {claims}{more}"


def _claim(element: Element) -> str:
    also = f", also {', '.join(f'[{other}]' for other in element.others[:MAX_TOLD])}" if element.others else ""
    return f"{inline(element.claim, 160).rstrip('.')} [{element.finding}]{also}"
