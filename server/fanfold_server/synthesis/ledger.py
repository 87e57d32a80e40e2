"""Accounts for every finding: exactly one line each, whatever the composer wrote."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fanfold_server.records import Cited, Coverage, Disposition, Entry, LedgerLine
from fanfold_workers.contract import Evidence, Result, Verdict

from .join import Claim, Group
from .markdown import clean, cut
from .weigh import WORTH, Noted, best

MAX_EVIDENCE = 12
"""Quotes an entry shows; the findings behind it have the rest."""
OWN_EVIDENCE = 4
"""Of these, quotes of the leading claim before those joined to it have their turn."""
MAX_ALSO = 40
"""Claims an entry names besides its leading one."""


def one_line(text: str, most: int = 300) -> str:
    """A line for a record: cleaned, cut, never empty."""
    return cut(clean(text), most) or "?"


def place_of(evidence: Evidence) -> str:
    """Source and locator: `repos:a/b.py L12`."""
    return clean(f"{evidence.source} {evidence.locator}")


def ranked(groups: Sequence[Group], open_: frozenset[str], lost: frozenset[str]) -> list[Entry]:
    """The entries of the groups, the best first; where scores are equal, in plan order of what leads them."""
    order = sorted(groups, key=lambda group: (-group.score, group.lead.lead.order))
    return [_entry(rank, group, open_, lost) for rank, group in enumerate(order, 1)]


def _entry(rank: int, group: Group, open_: frozenset[str], lost: frozenset[str]) -> Entry:
    lead = group.lead.lead
    ids = tuple(member.finding.id for claim in group.claims for member in claim.members)
    return Entry(
        rank=rank,
        subject=one_line(lead.finding.subject),
        kind=lead.finding.kind,
        claim=clean(lead.finding.claim),
        also=tuple(_also(group))[:MAX_ALSO],
        severity=group.severity,
        score=round(group.score, 4),
        support=len(frozenset[str]().union(*(claim.workers for claim in group.claims))),
        findings=ids,
        evidence=_evidence(group),
        occurrences=group.lead.occurrences + sum(user.times(lead.key) for user in group.users),
        marks=_marks(group, ids, open_, lost),
    )


def _also(group: Group) -> Iterator[str]:
    """What else is claimed about it, then who uses it, a line each."""
    for claim in group.others:
        yield f"{clean(claim.lead.finding.claim)} [{claim.lead.finding.id}]"
    for user in group.users:
        yield f"{clean(user.claim(group.lead.lead.key))} [{user.uses[0].finding.id}]"


def _evidence(group: Group) -> tuple[Cited, ...]:
    """The leading claim's best quotes, then the best of each claim joined to it, then what there is room for."""
    own = _quotes(group.lead.members)
    others = [_quotes(claim.members) for claim in group.others] + [_quotes(user.uses) for user in group.users]
    chosen = own[:OWN_EVIDENCE] + [quotes[0] for quotes in others if quotes]
    rest = own[OWN_EVIDENCE:] + [quote for quotes in others for quote in quotes[1:]]
    kept: dict[tuple[str, str, str], Cited] = {}
    for quote in [*chosen, *rest]:
        kept.setdefault((quote.source, quote.locator, quote.quote), quote)
        if len(kept) == MAX_EVIDENCE:
            break
    return tuple(kept.values())


def _quotes(members: Sequence[Noted]) -> list[Cited]:
    found = [
        Cited(**{name: getattr(e, name) for name in Evidence.model_fields}, finding=member.finding.id)
        for member in members[:MAX_EVIDENCE]
        for e in member.finding.evidence
    ]
    return sorted(found, key=lambda e: -WORTH[e.verdict])


def _marks(group: Group, ids: Iterable[str], open_: frozenset[str], lost: frozenset[str]) -> tuple[str, ...]:
    members = group.lead.members
    verdicts = {best(m.finding.evidence) for m in members if m.finding.evidence}
    named = frozenset(ids)
    marks = {
        "disputed": not named.isdisjoint(open_),
        "contradicted": not named.isdisjoint(lost),
        "no evidence": not verdicts,
        "quote altered": bool(verdicts) and verdicts <= {Verdict.altered, Verdict.missing},
        "not checked": bool(verdicts) and verdicts <= {Verdict.unchecked, Verdict.missing},
        "no use found": group.unused,
        "drawn": all(m.drawn for m in members),
    }
    return tuple(mark for mark, holds in marks.items() if holds)


def entered(
    noted: Sequence[Noted],
    groups: Sequence[Group],
    context: Sequence[Claim],
    told: frozenset[str],
    folded: Mapping[str, str],
) -> tuple[LedgerLine, ...]:
    """One line for each finding, in plan order.

    `told` are the ids whose claim stands in the report; `folded` says whose entry others were merged into by a fold.
    """
    fate: dict[str, tuple[Disposition, str]] = {}
    members = {group.lead.lead.finding.id: _ids(group) for group in groups}
    for group in groups:
        ids = _ids(group)
        reached = any(one in told for one in ids)
        for one in ids:
            into = "" if one == ids[0] else ids[0]
            other = Disposition.merged if reached and into else Disposition.below_cut
            fate[one] = (Disposition.cited if one in told else other, into)
        host = folded.get(ids[0], "")
        if host in members and not reached and not told.isdisjoint(members[host]):
            fate |= dict.fromkeys(ids, (Disposition.merged, host))
    for claim in context:
        for member in claim.members:
            first = claim.lead.finding.id
            fate[member.finding.id] = (Disposition.context, "" if member.finding.id == first else first)
    return tuple(_line(one, *fate.get(one.finding.id, (Disposition.unsupported, ""))) for one in noted)


def _ids(group: Group) -> list[str]:
    return [member.finding.id for claim in group.claims for member in claim.members]


def _line(one: Noted, disposition: Disposition, into: str) -> LedgerLine:
    finding = one.finding
    first = max(finding.evidence, key=lambda e: WORTH[e.verdict], default=None)
    return LedgerLine(
        finding=finding.id,
        subtask=one.subtask,
        kind=finding.kind,
        subject=one_line(finding.subject),
        claim=cut(clean(finding.claim), 300),
        place=cut(place_of(first), 4_200) if first else "",
        verdict=best(finding.evidence),
        disposition=disposition,
        into=into,
    )


def covered(ledger: Sequence[LedgerLine], noted: Sequence[Noted], results: Sequence[Result]) -> Coverage:
    """What the ledger adds up to; the spans are the caller's to fill in."""
    fates = Counter(line.disposition for line in ledger)
    verdicts: Mapping[Verdict, int] = Counter(e.verdict for one in noted for e in one.finding.evidence)
    reached = fates[Disposition.cited] + fates[Disposition.merged]
    return Coverage(
        findings=len(ledger),
        cited=fates[Disposition.cited],
        merged=fates[Disposition.merged],
        below_cut=fates[Disposition.below_cut],
        unsupported=fates[Disposition.unsupported],
        context=fates[Disposition.context],
        quotes={verdict: verdicts[verdict] for verdict in Verdict if verdicts[verdict]},
        examined=sum(result.examined.done for result in results),
        in_scope=sum(result.examined.in_scope for result in results),
        share=reached / len(ledger) if ledger else 1.0,
    )
