"""Findings on disk the moment they are found, so that a worker that is cut off has not worked for nothing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from fanfold_server.dispatch.attempt import Attempt
from fanfold_workers.contract import MAX_FINDINGS, Finding, numbered
from fanfold_workers.journal import Journal
from fanfold_workers.work import Step

Checked = Callable[[Sequence[Finding]], Awaitable[Sequence[Finding]]]
"""Looks findings' quotes up before they are recorded."""

FINDINGS = TypeAdapter(tuple[Finding, ...])


@dataclass(slots=True)
class JournalNotes:
    """The notes of one attempt at one subtask.

    Attributes:
        journal: where they go.
        attempt: whose they are; findings are numbered by its subtask's id.
        told: called with each batch once it is durable.
        stepped: called with each step.
        check: looks quotes up first, where they are not kept; None to leave that to synthesis.
        begun: whether somebody may have been at this attempt before.
        findings: all noted so far, at most 5,000; `dropped` counts those past that.
        last: the last step.
    """

    journal: Journal
    attempt: Attempt
    told: Callable[[Sequence[Finding]], None] = field(default=lambda _: None)
    stepped: Callable[[Step], None] = field(default=lambda _: None)
    check: Checked | None = None
    begun: bool = True
    findings: list[Finding] = field(default_factory=list[Finding])
    dropped: int = 0
    last: Step | None = None

    def key(self, kind: str) -> str:
        """See Notes."""
        return self.attempt.place(kind)

    async def found(self, *findings: Finding) -> tuple[Finding, ...]:
        """Record findings durably, together; returns them with their ids."""
        if self.check and findings:
            findings = tuple(await self.check(findings))
        room = MAX_FINDINGS - len(self.findings)
        self.dropped += max(0, len(findings) - room)
        noted = numbered(self.attempt.subtask.id, findings[:room], start=len(self.findings) + 1)
        if noted:
            first = len(self.findings) + 1
            self.findings.extend(noted)
            await self.journal.record(f"{self.attempt.notes}{first:06}", FINDINGS.dump_json(noted).decode())
            self.told(noted)
        return noted

    def step(self, step: Step, /) -> None:
        """See Notes."""
        self.last = step
        self.stepped(step)


async def noted(journal: Journal, prefix: str) -> tuple[Finding, ...]:
    """All findings recorded under the prefix, in the order in which they were found."""
    batches = [entry.value for entry in await journal.entries(prefix) if entry.value]
    return tuple(finding for batch in batches for finding in FINDINGS.validate_json(batch))
