"""The events of a run in the journal: for whoever watches it from another process, or looks at it afterwards."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

import anyio

from fanfold_workers.contract import Finding, Severity, Status
from fanfold_workers.journal import Journal

from .events import STEPS, Event, Told

PAUSE_SECONDS = 0.5
"""How often events are written down, and looked for: all of the time between in one record."""
MOST_STEPS = 20_000
"""Turns and tool calls written down in one dispatch; more are told, and not kept."""
FEW_FINDINGS = 3
NEWEST = 200


@dataclass(slots=True)
class Trail:
    """Writes one process's events of a run down, in the background.

    Attributes:
        journal: where they go.
        place: the start of their keys: `r-1f…/events/<who>/`, another for each dispatch.
    """

    journal: Journal
    place: str
    _pending: list[str] = field(default_factory=list[str])
    _records: int = 0
    _steps: int = 0

    def hear(self, event: Event) -> None:
        """Take an event in; never blocks."""
        self._steps += event.kind in STEPS
        if event.kind not in STEPS or self._steps <= MOST_STEPS:
            self._pending.append(dumped(event, time()))

    async def keep(self) -> None:
        """Write down what comes in until cancelled, and then the rest."""
        try:
            while True:
                await anyio.sleep(PAUSE_SECONDS)
                await self.flush()
        finally:
            with anyio.CancelScope(shield=True):
                await self.flush()

    async def flush(self) -> None:
        """Write down what has come in since."""
        if self._pending:
            pending, self._pending = self._pending, []
            self._records += 1
            await self.journal.record(f"{self.place}{self._records:06}", f"[{','.join(pending)}]")


@dataclass(slots=True)
class Follower:
    """Tells of what other processes write down of a run, from `begin` on.

    Attributes:
        journal: where they write.
        run: its id.
        told: hears of it.
    """

    journal: Journal
    run: str
    told: Told
    _seen: set[str] = field(default_factory=set[str])

    async def begin(self) -> None:
        """Pass over what stands there already."""
        entries = await self.journal.entries(f"{self.run}/events/", newest=NEWEST, keys_only=True)
        self._seen = {entry.key for entry in entries}

    async def look(self) -> None:
        """Tell of what has been written since."""
        entries = await self.journal.entries(f"{self.run}/events/", newest=NEWEST)
        news = [entry for entry in reversed(entries) if entry.key not in self._seen]
        self._seen.update(entry.key for entry in news)
        for event in (event for entry in news for event in loaded(entry.value or "[]")):
            self.told(event)

    async def keep_looking(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await anyio.sleep(PAUSE_SECONDS)
            await self.look()


async def recorded(journal: Journal, run: str) -> list[tuple[float, Event]]:
    """All that was written down of a run, in the order in which it happened, with seconds since the epoch."""
    entries = await journal.entries(f"{run}/events/")
    every = [one for entry in entries for one in _parsed(entry.value or "[]")]
    return sorted(every, key=lambda one: one[0])


def dumped(event: Event, at: float) -> str:
    """An event as JSON, with the weightiest few of its findings in short."""
    few = sorted(event.findings, key=lambda f: _WEIGHT[f.severity])[:FEW_FINDINGS]
    fields: dict[str, Any] = {
        "at": round(at, 3),
        "kind": event.kind,
        "subtask": event.subtask,
        "title": event.title,
        "note": event.note[:300],
        "status": event.status,
        "ended": event.ended,
        "total": event.total,
        "usd": event.usd,
        "findings": [[f.id, f.severity, f.confidence, f.subject, f.claim] for f in few],
    }
    return json.dumps(fields)


def loaded(text: str) -> list[Event]:
    """The events of one record."""
    return [event for _, event in _parsed(text)]


def _parsed(text: str) -> list[tuple[float, Event]]:
    return [(fields.pop("at"), _event(fields)) for fields in json.loads(text)]


def _event(fields: dict[str, Any]) -> Event:
    status = Status(fields["status"]) if fields["status"] else None
    told: dict[str, Any] = {**fields, "status": status, "findings": _findings(fields["findings"])}
    return Event(**told)


def _findings(rows: Sequence[Sequence[Any]]) -> tuple[Finding, ...]:
    return tuple(
        Finding(id=name, severity=Severity(severity), confidence=sure, subject=subject, claim=claim)
        for name, severity, sure, subject, claim in rows
    )


_WEIGHT = {severity: n for n, severity in enumerate(Severity)}
