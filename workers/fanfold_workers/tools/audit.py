"""An audit: every call of a tool that a worker makes or tries to make is written down before it is answered.

What goes around a Toolbox is an Audited; without an audit a worker has the bare Toolbox, and nothing is paid.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import anyio

from fanfold_workers.errors import FanfoldError, InputError, ScopeError, UnknownNameError
from fanfold_workers.work import Notes

from .legible import in_line
from .toolbox import Answer, Toolbox

Outcome = Literal["ok", "refused", "failed", "cancelled"]
"""`refused`: by its scope or for its arguments, so nothing was done; `cancelled`: cut off on the way."""

NAME_CHARS, ERROR_CHARS = 100, 300


class Executor(Protocol):
    """Runs the tools that its worker may call: a Toolbox, or what stands around one."""

    async def call(self, name: str, arguments: Mapping[str, object], /) -> Answer:
        """See Toolbox."""
        ...


@dataclass(frozen=True, slots=True)
class Called:
    """One call of a tool and what came of it: no text of a file, and no answer.

    Attributes:
        at: when it was made, in UTC.
        run, subtask, attempt: who made it.
        tool: as the worker spelled it, on one line of at most 100 characters.
        arguments: as the worker gave them, whatever they are.
        outcome: see Outcome.
        error: what went wrong, on one line of at most 300 characters; "" if nothing did.
        seconds: how long it took.
        characters: of its answer.
        findings: how many it found.
        examined: how many files it looked at.
    """

    at: datetime
    run: str
    subtask: str
    attempt: int
    tool: str
    arguments: Mapping[str, object]
    outcome: Outcome
    error: str = ""
    seconds: float = 0.0
    characters: int = 0
    findings: int = 0
    examined: int = 0


Audit = Callable[[Called], Awaitable[None]]
"""Writes a call down, and returns once it is written. A FanfoldError says that it cannot be, and fails the call.

It is called where no cancellation reaches it.
"""


@dataclass(frozen=True, slots=True)
class Audited:
    """A Toolbox whose calls are written down, those that it refuses among them.

    Attributes:
        toolbox: decides and runs.
        audit: hears of each call before its answer is given.
        run, subtask, attempt: who calls.
    """

    toolbox: Toolbox
    audit: Audit
    run: str
    subtask: str
    attempt: int

    async def call(self, name: str, arguments: Mapping[str, object], /) -> Answer:
        """See Toolbox. Besides, it raises FanfoldError if the call cannot be written down."""
        at, started = datetime.now(UTC), anyio.current_time()

        async def write(outcome: Outcome, **more: Any) -> None:
            who = (self.run, self.subtask, self.attempt, in_line(name, NAME_CHARS))
            took = anyio.current_time() - started
            with anyio.CancelScope(shield=True):
                await self.audit(Called(at, *who, arguments, outcome, seconds=took, **more))

        try:
            answer = await self.toolbox.call(name, arguments)
        except anyio.get_cancelled_exc_class():
            with suppress(FanfoldError):  # a cancellation must go its way
                await write("cancelled", error="It was cut off.")
            raise
        except Exception as error:
            await write(self._outcome(name, error), error=_words(error))
            raise
        sizes = {"characters": len(answer.text), "findings": len(answer.findings), "examined": answer.examined.done}
        await write("ok", **sizes)
        return answer

    def _outcome(self, name: str, error: Exception) -> Outcome:
        if isinstance(error, InputError) and name in self.toolbox.remote and error.field == name:
            return "failed"  # its server says so: it was called all the same
        return "refused" if isinstance(error, (ScopeError, InputError, UnknownNameError)) else "failed"


def audited(toolbox: Toolbox, audit: Audit | None, notes: Notes) -> Executor:
    """The toolbox, with the audit around it if there is one; `notes` tell who works with it."""
    if audit is None:
        return toolbox
    run, _, subtask, attempt = notes.key("tools").split("/")
    return Audited(toolbox, audit, run, subtask, int(attempt))


def _words(error: Exception) -> str:
    said = str(error) if isinstance(error, FanfoldError) else f"{type(error).__name__}: {error}"
    return in_line(said, ERROR_CHARS)
