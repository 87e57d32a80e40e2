"""One line for each thing that happens in a run, to a host that asked for progress, without flooding it."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
from mcp.server.mcpserver import Context

from fanfold_server.dispatch.events import STEPS, Event, Told

T = TypeVar("T")

PAUSE_SECONDS = 0.5
BURST = 5
"""Lines at a time; of more, the last is sent and the others are counted."""
STEP = 0.0001
"""Progress must rise with every notification, also while no subtask ends."""


@dataclass(slots=True)
class Lines:
    """What is still to be told, and the sending of it."""

    context: Context[Any, Any]
    _pending: deque[Event] = field(default_factory=deque[Event])
    _news: anyio.Event = field(default_factory=anyio.Event)
    _told: float = 0.0

    def hear(self, event: Event) -> None:
        """Take an event in; never blocks."""
        self._pending.append(event)
        self._news.set()

    async def send(self) -> None:
        """Send what comes in, at most BURST lines each PAUSE_SECONDS, until cancelled."""
        while True:
            await self._news.wait()
            await self.flush()
            await anyio.sleep(PAUSE_SECONDS)

    async def flush(self) -> None:
        """Send what has come in since."""
        self._news = anyio.Event()
        events = list(self._pending)
        self._pending.clear()
        if len(events) > BURST:
            telling = [event for event in events if event.kind not in STEPS] or events
            await self._send(telling[-1], f"(+{len(events) - 1}) ")
            return
        for event in events:
            await self._send(event)

    async def _send(self, event: Event, before: str = "") -> None:
        self._told = max(float(event.ended), self._told + STEP)
        await self.context.report_progress(self._told, event.total, (before + event.line())[:180])


async def telling(context: Context[Any, Any], work: Callable[[Told], Awaitable[T]]) -> T:
    """The work's own result; what it tells meanwhile goes to the host as progress."""
    lines = Lines(context)
    failure: Exception | None = None
    result: list[T] = []
    async with anyio.create_task_group() as group:
        group.start_soon(lines.send)
        try:
            result.append(await work(lines.hear))
        except Exception as error:
            failure = error
        group.cancel_scope.cancel()
    if failure:
        raise failure
    await lines.flush()
    return result[0]
