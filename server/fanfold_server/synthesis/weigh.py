"""What a finding is worth: severity x confidence x what its quotes proved x who says so x how many say so.

Scores compare findings within one report and mean nothing outside it. Every constant is here or in `quality`, with
its reason. Each thing that is known counts at one place, and no other:

```
of a worker    how it ended, the share of its quotes that stand, how much it examined   reliability()
of a finding   its confidence; its best quote, by verdict and by whose page it is        weight()
of a claim     workers that found it by themselves                                       supported(Claim.workers)
               others say otherwise: settled against it, or open                         LOST, OPEN
```

A worker whose quotes are missing is doubted as a whole, and its other findings with it; the finding itself is then
proved by its own quotes alone. How good a source is says nothing of its worker: how many of its pages are primary is
shown, and weighs nothing. Sides of a conflict are compared by
weight, without `supported`: there each worker's own weight is added up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log2

from fanfold_server.records import Reliability
from fanfold_workers.contract import Evidence, Finding, Result, Severity, Status, Verdict

from .quality import factor, quality_of
from .verify import share

SEVERITY: Mapping[Severity, float] = {
    Severity.critical: 16.0,
    Severity.high: 8.0,
    Severity.medium: 4.0,
    Severity.low: 2.0,
    Severity.info: 1.0,
}
"""Each step doubles: a sure `medium` weighs what a `high` does that is as likely wrong as right."""

WORTH: Mapping[Verdict, float] = {
    Verdict.verified: 1.0,
    Verdict.moved: 0.95,
    Verdict.unchecked: 0.6,
    Verdict.altered: 0.5,
    Verdict.missing: 0.0,
}
"""A quote that nobody could look up stands above one that reads otherwise in its source, and below a true one."""
NO_EVIDENCE = 0.4
"""A claim without any quote: below one whose quote was altered."""

STATUS: Mapping[Status, float] = {Status.ok: 1.0, Status.partial: 0.95, Status.refused: 0.6, Status.failed: 0.6}
CUT_OFF = 0.85
"""Any other status: what a worker found before it was cut off is as true, but it had no time to doubt it."""

PRIOR = 2.0
"""Quotes that a worker is taken to have got right before any was looked up, so that one slip is no verdict."""
UNSEEN = 0.5
"""What is left of the weight of a worker that saw nothing of its scope."""

MERITS_OF_USE = 0.5
"""What each doubling of the number of users adds to a deprecation that somebody uses."""
SURE_USE = 0.7
"""Confidence from which a use that rules saw counts: below, the code provides for the absence of what it uses."""
UNUSED = 0.25
"""What is left of a deprecation that nobody uses, where uses were looked for."""
LOST = 0.3
"""What is left of the side of a conflict that was settled against it."""
OPEN = 0.7
"""What is left of a claim that others contradict while nobody knows who is right: above one that lost, below one
that nobody disputes, and still above an undisputed one of half the severity."""


def reliability(result: Result, weight_of_drawn: float = 1.0, own: Mapping[str, str] | None = None) -> Reliability:
    """What can be known of the worker of a verified result; `own` as in `proved`."""
    stand, checked = share(e for f in result.findings for e in f.evidence)
    seen = result.examined.done / result.examined.in_scope if result.examined.in_scope else None
    weight = STATUS.get(result.status, CUT_OFF) * (stand + PRIOR) / (checked + PRIOR) * weight_of_drawn
    if seen is not None:
        weight *= UNSEEN + (1 - UNSEEN) * min(seen, 1.0)
    return Reliability(
        subtask=result.subtask,
        status=result.status,
        findings=len(result.findings),
        verified=stand / checked if checked else None,
        examined=None if seen is None else min(seen, 1.0),
        primary=primary(result, own),
        weight=round(weight, 4),
    )


def best(evidence: tuple[Evidence, ...]) -> Verdict:
    """The best verdict among them; `unchecked` if there are none."""
    if len(evidence) == 1:
        return evidence[0].verdict
    return max((e.verdict for e in evidence), key=WORTH.__getitem__, default=Verdict.unchecked)


def proved(finding: Finding, own: Mapping[str, str] | None = None) -> float:
    """What its quotes proved, 0 to 1: the best of them, each by its verdict and by whose page it is.

    A quote that may stand proves no less than none at all would, however poor its source. `own` are a person's own
    classes of sources, by domain.
    """
    if not finding.evidence:
        return NO_EVIDENCE
    proofs = [WORTH[e.verdict] * factor(e.source, own) for e in finding.evidence if WORTH[e.verdict]]
    return max(NO_EVIDENCE, *proofs) if proofs else 0.0


def primary(result: Result, own: Mapping[str, str] | None = None) -> float | None:
    """The share of a worker's quotes of pages that are from primary sources; None if it quotes no page."""
    found = (e.source for f in result.findings for e in f.evidence)
    pages = [source for source in found if source.strip().lower().startswith(("http://", "https://"))]
    return sum(quality_of(page, own) == "primary" for page in pages) / len(pages) if pages else None


def unsupported(finding: Finding) -> bool:
    """Whether it has quotes and every one of them is missing from its source."""
    return bool(finding.evidence) and all(e.verdict is Verdict.missing for e in finding.evidence)


def supported(workers: int) -> float:
    """The factor for so many workers that found the same, each by itself: half again for each doubling."""
    return 1.0 + 0.5 * log2(max(workers, 1))


def told_by(worker: str, leans: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Everyone whose findings a worker was told, near or far; `leans` says whose each subtask was handed."""
    return frozenset(_told_by(worker, leans))


def _told_by(worker: str, leans: Mapping[str, Iterable[str]]) -> set[str]:
    """Everyone before a worker, near or far."""
    found: set[str] = set()
    waiting = list(leans.get(worker, ()))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += leans.get(one, ())
    return found - {worker}


@dataclass(frozen=True, slots=True)
class Noted:
    """A finding with all that is known of it besides.

    Attributes:
        order: its place among all, by plan order and its place in its result; never by arrival.
        finding: with its id and the verdicts on its quotes.
        subtask: whose it is.
        key: its subject as subjects are compared.
        domain: where it holds: "" for a claim about the subject itself, else the item it was observed in.
        weight: how much it counts when sides are compared, severity left out: see `weight`.
        drawn: whether it was drawn from prose.
        told_by: workers whose findings its own was told before, near or far: where they say the same, it is an echo.
    """

    order: int
    finding: Finding
    subtask: str
    key: str
    domain: str
    weight: float
    drawn: bool = False
    told_by: frozenset[str] = frozenset()

    def score(self, severity: Severity | None = None) -> float:
        """Its score alone, of its own severity or another."""
        return SEVERITY[severity or self.finding.severity] * self.weight


def weight(finding: Finding, trust: Reliability, own: Mapping[str, str] | None = None) -> float:
    """Reliability of its worker x its confidence x what its quotes proved; `own` as in `proved`."""
    return trust.weight * finding.confidence * proved(finding, own)
