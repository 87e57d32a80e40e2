"""One server of others, kept by one task of ours: that task alone opens its line and closes it.

Calls come from any task; each becomes a child of the keeper, so that they run side by side, and a caller who is
cancelled takes his call with him and nothing else. A server is started when it is first needed, and once more when
it has died.
"""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from fanfold_workers.errors import FanfoldError, ServerError
from fanfold_workers.tools.legible import in_line
from fanfold_workers.tools.toolbox import Answer

from .declared import Declared
from .line import Ears, Line, Offer, Opener, Refusal

T = TypeVar("T")

START_SECONDS = 20.0
CALL_SECONDS = 60.0
WIDTH = 8
"""Calls that one server works on at once; more wait."""
LIVES = 2
LAST_WORDS_SECONDS = 1.0
"""How long a caller whose call was cut off waits to hear why."""


@asynccontextmanager
async def over_the_sdk(declared: Declared, ears: Ears) -> AsyncGenerator[Line]:
    """A line over the SDK's client, which is imported now, beside the event loop: it takes up to a second."""
    client = await anyio.to_thread.run_sync(import_module, "fanfold_workers.tools.servers.client")
    async with client.opened(declared, ears) as line:
        yield line


@dataclass(slots=True, eq=False)
class _Life:
    """From one start of a server to its end.

    Attributes:
        settled: it answers, or it has ended.
        ended: its keeper has closed everything.
        line, calls: set while it answers.
        why: what ended it; "" if it just did not answer in time.
    """

    ears: Ears = field(default_factory=Ears)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    settled: anyio.Event = field(default_factory=anyio.Event)
    ended: anyio.Event = field(default_factory=anyio.Event)
    line: Line | None = None
    calls: TaskGroup | None = None
    offers: tuple[Offer, ...] = ()
    why: str = ""


@dataclass(slots=True, eq=False)
class Server:
    """One server, started when it is first needed. It ends with the group.

    Attributes:
        declared: how to reach it.
        group: its keeper's.
        start_seconds: it must have listed its tools so long after its start.
        call_seconds: it must answer a call within so long, unless the caller's own scope ends before.
        opener: opens a line to it.
    """

    declared: Declared
    group: TaskGroup
    start_seconds: float = START_SECONDS
    call_seconds: float = CALL_SECONDS
    opener: Opener = over_the_sdk
    _width: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(WIDTH))
    _life: _Life | None = None
    _deaths: int = 0

    async def offers(self, *, fresh: bool = False) -> tuple[Offer, ...]:
        """Its tools as it listed them last; with `fresh` they are listed again.

        Raises:
            ServerError: if it cannot be used.
        """
        before = self._life
        life = await self._alive()
        if life.ears.changed or (fresh and life is before):
            life.ears.changed = False
            life.offers = await self._ask(lambda line: line.offers())
        return life.offers

    async def call(self, tool: str, arguments: Mapping[str, object]) -> Answer | Refusal:
        """Call a tool, by the name that the server gave it.

        Raises:
            ServerError: if it cannot be used, or gives no proper answer.
        """
        return await self._ask(lambda line: line.call(tool, arguments))

    async def _ask(self, work: Callable[[Line], Awaitable[T]]) -> T:
        life = await self._alive()
        assert life.calls is not None  # noqa: S101  it is alive
        handle = life.calls.start_soon(self._do, life, work)
        outcome = None
        try:
            with suppress(anyio.TaskCancelled):  # its keeper has gone
                outcome = await handle
        finally:
            handle.cancel()
        if outcome is None:
            with anyio.move_on_after(LAST_WORDS_SECONDS):
                await life.ended.wait()
            msg = f"It ended in the middle of a call, which may have been carried out. {_heard(life)}"
            raise self._error(msg)
        if isinstance(outcome, ServerError):
            raise outcome
        return outcome

    async def _do(self, life: _Life, work: Callable[[Line], Awaitable[T]]) -> T | ServerError | None:
        """What the work came to, None if the line was lost; never an exception: it would end the calls beside it."""
        assert life.line is not None  # noqa: S101  it is alive
        async with self._width:
            with anyio.move_on_after(self.call_seconds):
                try:
                    return await work(life.line)
                except ConnectionError:
                    life.ears.lost.set()
                    return None
                except Exception as error:
                    return self._error(f"It did not answer as it should: {_words(error)}")
            return self._error(f"It did not answer within {self.call_seconds:g} s. {_garbage(life.ears)}")

    # -- its lives -----------------------------------------------------------------------------------------------

    async def _alive(self) -> _Life:
        """The life that answers, begun if there is none."""
        while (life := self._life) and life.ears.lost.is_set() and not life.ended.is_set():
            await life.ended.wait()
        if life is None or life.ended.is_set():
            if life and self._deaths >= LIVES:
                msg = f"It has ended {LIVES} times and is not started again. {life.why} {_heard(life)}"
                raise self._error(msg)
            life = self._life = _Life()
            self.group.start_soon(self._keep, life)
        with anyio.move_on_after(self.start_seconds):
            await life.settled.wait()
        if life.calls is None:
            late = f"It did not answer within {self.start_seconds:g} s of its start."
            msg = f"{life.why or late} {_heard(life)}"
            raise self._error(msg)
        return life

    async def _keep(self, life: _Life) -> None:
        """Open its line, keep it open until it is lost, close it."""
        life.scope.deadline = anyio.current_time() + self.start_seconds
        try:
            with life.scope:
                async with self.opener(self.declared, life.ears) as line:
                    life.offers = await line.offers()
                    life.scope.deadline = math.inf
                    await self._answer_calls(life, line)
        except ConnectionError:
            life.why = "It ended before it answered."
        except Exception as error:
            life.why = _words(error)
        finally:
            self._deaths += 1
            life.settled.set()
            life.ended.set()

    async def _answer_calls(self, life: _Life, line: Line) -> None:
        try:
            async with anyio.create_task_group() as calls:
                life.line, life.calls = line, calls
                life.settled.set()
                await life.ears.lost.wait()
        finally:
            life.calls = None

    # -- what went wrong -----------------------------------------------------------------------------------------

    def _error(self, problem: str) -> ServerError:
        told = self.declared.masked(" ".join(problem.split()))
        return ServerError(told, field=f"servers.{self.declared.name}", remedy=self._remedy())

    def _remedy(self) -> str:
        if self._deaths >= LIVES:
            return f"Mend {self.declared.name} in the servers file and start fanfold again, or do without it."
        return f"Try once more; else mend {self.declared.name} in the servers file, or do without it."


def _heard(life: _Life) -> str:
    """What was heard of a server that did not start, or ended."""
    ears = life.ears
    status = f"It answered with HTTP status {ears.status}." if ears.status else ""
    said = f'It said last: "{" / ".join(ears.said)}".' if ears.said else ""
    return f"{status} {_garbage(ears)} {said}"


def _garbage(ears: Ears) -> str:
    return f"{ears.garbage} of its lines were no messages." if ears.garbage else ""


def _words(error: Exception) -> str:
    """What an exception says, as a sentence."""
    text = error.problem if isinstance(error, FanfoldError) else str(error)
    if isinstance(error, FileNotFoundError):
        text = f"{error.filename} was not found"
    text = in_line(" ".join(text.split()) or type(error).__name__, 1_000)
    return text if text.endswith((".", "!", "?")) else f"{text}."
