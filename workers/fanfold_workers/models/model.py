"""What is asked of a model and what it answers: plain frozen data on both sides, no SDK's types.

Around a Model stand Models, one idea each; see `stack`. `FunctionModel` is a Model that is a function.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, Protocol

from fanfold_workers.accounts import Account, Amount

Role = Literal["lead", "worker"]
"""The lead plans, settles and composes; workers do subtasks. Each may be another model."""
Effort = Literal["", "low", "medium", "high", "xhigh", "max"]
Stop = Literal[
    "end_turn", "tool_use", "max_tokens", "stop_sequence", "pause_turn", "refusal", "model_context_window_exceeded"
]


@dataclass(frozen=True, slots=True)
class Said:
    """What we say to the model."""

    text: str


@dataclass(frozen=True, slots=True)
class Replied:
    """What the model said before: its own content blocks, as JSON, returned to it byte by byte."""

    content: str


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool call came to.

    Attributes:
        id: of the call.
        text: for the model to read.
        failed: whether it is an error.
    """

    id: str
    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers to all tool calls of the reply before, in the order of the calls, and what we say besides."""

    answers: tuple[ToolAnswer, ...]
    text: str = ""


Turn = Said | Replied | Answered


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it: `schema` is the JSON schema of its arguments, as JSON."""

    name: str
    description: str
    schema: str


@dataclass(frozen=True, slots=True)
class Web:
    """Search and fetching that the provider does itself.

    Attributes:
        allowed, blocked: domains; only one of the two may be given.
        uses: the most searches, and the most fetches, in one call.
    """

    allowed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    uses: int = 5


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to a model. What changes its answer, `system` to `max_tokens` and `effort`, makes up its hash.

    Attributes:
        system: instructions; with `tools`, the part that siblings may share.
        turns: the conversation, oldest first; it begins and ends with what we say.
        tools: what it may call.
        web: what it may look up on the web.
        schema: JSON schema that the text of the answer must fit, as JSON; "" for prose.
        max_tokens: the most it may answer.
        role: who is asked.
        effort: how hard it should try; "" leaves it to the model.
        shared: whether siblings send the same system, tools and schema, so that a cache pays.
        ongoing: whether the conversation will go on, so that caching all of it pays.
        key: where its reply is journaled; "" for nowhere. Memo adds the hash.
        new: whether nothing can stand there yet, so that there is nothing to look up.
        purse: accounts that pay, the narrowest first.
        worst: the most it can cost; Budget fills it in.
        begun: called when the answer has begun to arrive. Such a call is streamed.
        hedge: whether it may be asked twice if it takes far longer than those like it.
        spare: whether it is the second asking: it waits for neither money nor a place, and is tried once.
        flight: Gate enters it while the call is out; once for each time that it goes out.
        needless: whether nobody needs its answer any more: then Record gives a cancelled call no time to come in.
    """

    system: str
    turns: tuple[Turn, ...]
    tools: tuple[ToolSpec, ...] = ()
    web: Web | None = None
    schema: str = ""
    max_tokens: int = 8_192
    role: Role = "worker"
    effort: Effort = ""
    shared: bool = False
    ongoing: bool = False
    key: str = field(default="", compare=False)
    new: bool = field(default=False, compare=False)
    purse: tuple[Account, ...] = field(default=(), compare=False)
    worst: Amount = field(default=Amount(), compare=False)
    begun: Callable[[], None] | None = field(default=None, compare=False, repr=False)
    hedge: bool = field(default=False, compare=False)
    spare: bool = field(default=False, compare=False)
    flight: AbstractContextManager[None] = field(default=nullcontext(), compare=False, repr=False)
    needless: Callable[[], bool] = field(default=_never, compare=False, repr=False)

    @property
    def prefix(self) -> str:
        """Sixteen hex digits of what siblings share: the same prefix is cached once."""
        return _prefix(self.system, self.tools, self.web, self.schema, self.effort)

    def digest(self, model: str) -> str:
        """Sixteen hex digits that stand for this request to this model."""
        turns = [json.dumps([type(turn).__name__, _plain(turn)]) for turn in self.turns]
        return _hash(model, self.prefix, str(self.max_tokens), *turns)


def _plain(turn: Turn) -> object:
    if isinstance(turn, Said):
        return turn.text
    if isinstance(turn, Replied):
        return turn.content
    return [[[a.id, a.text, a.failed] for a in turn.answers], turn.text]


@lru_cache(maxsize=64)  # all workers of a run share one
def _prefix(system: str, tools: tuple[ToolSpec, ...], web: Web | None, schema: str, effort: str) -> str:
    told = json.dumps([[tool.name, tool.description, tool.schema] for tool in tools])
    return _hash(system, told, repr(web), schema, effort)


def _hash(*parts: str) -> str:
    hashed = hashlib.blake2b(digest_size=8)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hashed.update(b"%d:" % len(data) + data)
    return hashed.hexdigest()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called. Whether it is, the executor decides."""

    id: str
    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Source:
    """A page that the provider looked up: its address, its title, and the words cited from it, if any."""

    url: str
    title: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a call used.

    Attributes:
        input: tokens read that no cache served or stored.
        output: tokens written.
        cache_read, cache_write: input tokens that a cache served, or stored.
        searches: web searches made.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    searches: int = 0

    @property
    def read(self) -> int:
        """All input tokens, wherever they came from."""
        return self.input + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True)
class Rate:
    """What a server says of one of its limits.

    Attributes:
        unit: what is counted: requests, or tokens of a kind.
        limit: how much it allows in a minute.
        remaining: how much of that is left.
        reset: seconds until it is whole again.
    """

    unit: Literal["requests", "input", "output"]
    limit: int
    remaining: int
    reset: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered.

    Attributes:
        text: its words, without its thinking.
        calls: tools that it wants called.
        stop: why it stopped.
        usage: what the call used.
        content: its content blocks as JSON, to be returned to it in the next turn.
        sources: pages it looked up, in order.
        model: who answered, as the server names it.
        rates: what the server said of its limits; not journaled.
        spent: what the narrowest account of the purse has spent by now; None if nobody asked anew.
    """

    text: str
    calls: tuple[ToolCall, ...] = ()
    stop: Stop = "end_turn"
    usage: Tokens = Tokens()
    content: str = "[]"
    sources: tuple[Source, ...] = ()
    model: str = ""
    rates: tuple[Rate, ...] = field(default=(), compare=False, repr=False)
    spent: Amount | None = field(default=None, compare=False, repr=False)


class Model(Protocol):
    """Answers."""

    async def ask(self, ask: Ask, /) -> Reply:
        """The reply.

        Raises:
            ModelError: if none came, or none that can be used; see `fanfold_workers.errors`.
            OverBudgetError: if it might cost more than is left.
        """
        ...


@dataclass(frozen=True, slots=True)
class FunctionModel:
    """A Model that is a function: for tests, and for models of the user's own."""

    function: Callable[[Ask], Awaitable[Reply]]

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model."""
        return await self.function(ask)


@dataclass(frozen=True, slots=True)
class ByRole:
    """One model for the lead and another for workers."""

    lead: Model
    worker: Model

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model."""
        return await (self.lead if ask.role == "lead" else self.worker).ask(ask)


def saying(text: str, *, stop: Stop = "end_turn", usage: Tokens = Tokens()) -> Reply:
    """A reply in words alone."""
    return Reply(text, stop=stop, usage=usage, content=json.dumps([{"type": "text", "text": text}]))


def calling(
    *calls: tuple[str, Mapping[str, object]],
    text: str = "",
    first: int = 1,
    usage: Tokens = Tokens(),
) -> Reply:
    """A reply that calls tools: a name and arguments each; their ids count from `first`."""
    named = tuple(ToolCall(f"call_{n}", name, arguments) for n, (name, arguments) in enumerate(calls, first))
    blocks: list[object] = [{"type": "text", "text": text}] if text else []
    blocks += [{"type": "tool_use", "id": c.id, "name": c.name, "input": dict(c.arguments)} for c in named]
    return Reply(text, named, "tool_use", usage, json.dumps(blocks))
