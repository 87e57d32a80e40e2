"""What a finding is worth: severity x confidence x what its quotes proved x who says so x how many say so.

Scores compare findings within one report and mean nothing outside it. Every constant is here, with its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2

from fanfold_server.records import Reliability
from fanfold_workers.contract import Evidence, Finding, Result, Severity, Status, Verdict

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


def reliability(result: Result, weight_of_drawn: float = 1.0) -> Reliability:
    """What can be known of the worker of a verified result."""
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
        weight=round(weight, 4),
    )


def best(evidence: tuple[Evidence, ...]) -> Verdict:
    """The best verdict among them; `unchecked` if there are none."""
    if len(evidence) == 1:
        return evidence[0].verdict
    return max((e.verdict for e in evidence), key=WORTH.__getitem__, default=Verdict.unchecked)


def proved(finding: Finding) -> float:
    """What its quotes proved, 0 to 1."""
    return WORTH[best(finding.evidence)] if finding.evidence else NO_EVIDENCE


def unsupported(finding: Finding) -> bool:
    """Whether it has quotes and every one of them is missing from its source."""
    return bool(finding.evidence) and all(e.verdict is Verdict.missing for e in finding.evidence)


def supported(workers: int) -> float:
    """The factor for so many workers that found the same, each by itself: half again for each doubling."""
    return 1.0 + 0.5 * log2(max(workers, 1))


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
    """

    order: int
    finding: Finding
    subtask: str
    key: str
    domain: str
    weight: float
    drawn: bool = False

    def score(self, severity: Severity | None = None) -> float:
        """Its score alone, of its own severity or another."""
        return SEVERITY[severity or self.finding.severity] * self.weight


def weight(finding: Finding, trust: Reliability) -> float:
    """Reliability of its worker x its confidence x what its quotes proved."""
    return trust.weight * finding.confidence * proved(finding)
