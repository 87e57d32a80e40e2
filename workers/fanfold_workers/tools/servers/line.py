"""The seam to a server: a line that is open to it, what comes over it, and what is heard besides."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import anyio
import anyio.lowlevel

from fanfold_workers.tools.toolbox import Answer

from .declared import Declared


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as its server describes it.

    Attributes:
        name: as the server spells it.
        description: what it says of it; "" for nothing.
        schema: the JSON schema of its arguments, as JSON with sorted keys.
        read_only: whether it says that the tool changes nothing; no part of what is pinned.
    """

    name: str
    description: str
    schema: str
    read_only: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a server says of a call that it did not carry out."""

    text: str


class Line(Protocol):
    """An open connection to one server.

    Any exception means that the server did not answer as the protocol has it; ConnectionError, that the line is dead.
    """

    async def offers(self) -> tuple[Offer, ...]:
        """All its tools, in its order; at most MAX_OFFERS and one."""
        ...

    async def call(self, tool: str, arguments: Mapping[str, object], /) -> Answer | Refusal:
        """Call one, by the name that the server gave it."""
        ...


@dataclass(slots=True)
class Ears:
    """What is heard of a server besides its answers.

    Attributes:
        lost: set when the connection has ended.
        changed: whether its tools have changed since they were listed last.
        garbage: how many messages could not be read.
        status: the HTTP status of its last answer, which the SDK does not tell, if it is an error; else 0.
        said: its last lines on stderr.
    """

    lost: anyio.Event = field(default_factory=anyio.Event)
    changed: bool = False
    garbage: int = 0
    status: int = 0
    said: deque[str] = field(default_factory=lambda: deque[str](maxlen=3))


Opener = Callable[[Declared, Ears], AbstractAsyncContextManager[Line]]
"""Opens a line and closes it again, in one task. May wait up to 7 s on closing, for a process that will not end."""

MAX_OFFERS = 1_000


@dataclass(slots=True)
class FunctionServer:
    """A server that is a function, for tests and scripts: an Opener, and the line it opens.

    Attributes:
        work: does a call, from the tool's name and the arguments.
        tools: its tools.
        starts: how often it was started.
        ears: of the line opened last; setting `lost` ends it.
    """

    work: Callable[[str, Mapping[str, object]], Awaitable[Answer | Refusal]]
    tools: tuple[Offer, ...] = ()
    starts: int = 0
    ears: Ears = field(default_factory=Ears)

    @asynccontextmanager
    async def __call__(self, declared: Declared, ears: Ears, /) -> AsyncGenerator[Line]:
        """See Opener."""
        self.starts, self.ears = self.starts + 1, ears
        yield self

    async def offers(self) -> tuple[Offer, ...]:
        """See Line."""
        await anyio.lowlevel.checkpoint()
        return tuple(self.tools)

    async def call(self, tool: str, arguments: Mapping[str, object], /) -> Answer | Refusal:
        """See Line."""
        return await self.work(tool, arguments)
