"""What prerequisites found, as text for whoever builds on it."""

from collections.abc import Iterator, Sequence

from .contract import Evidence, Finding, Prior
from .tools.legible import legible


def handed_on(prior: Sequence[Prior]) -> str:
    """What prerequisites found, as text; "" if there are none."""
    return legible("\n\n".join("\n".join(_handed(one)) for one in prior))


def _handed(prior: Prior) -> Iterator[str]:
    result = prior.result
    why = f" ({result.reason})" if result.reason else ""
    yield f"{result.subtask}, {prior.title}: {result.status}{why}"
    if not result.usable:
        yield "It gave nothing to build on. Do without it, and say in your gaps what is missing for that."
    if result.summary:
        yield result.summary
    for finding in result.findings:
        yield from _found(finding)
    if result.text:
        yield result.text
    yield from (f"Not answered: {gap}" for gap in result.gaps)


def _found(finding: Finding) -> Iterator[str]:
    said = f" [{finding.attribute}: {finding.value}]" if finding.attribute and finding.value else ""
    yield f"- {finding.subject}: {finding.claim}{said}"
    yield from (f"    {_evidence(one)}" for one in finding.evidence[:2])


def _evidence(evidence: Evidence) -> str:
    where = f"{evidence.source} {evidence.locator}".strip()
    return f"{where}: {' '.join(evidence.quote.split())[:300]}"
