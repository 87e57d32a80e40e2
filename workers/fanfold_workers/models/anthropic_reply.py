"""A Reply from what the Messages API answered: a message, or the events of its stream."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, ParamSpec, TypeVar, cast, get_args

from pydantic import BaseModel, Field

from fanfold_workers.errors import FaultError

from .anthropic_request import Block
from .model import Ask, Rate, Replied, Reply, Source, Stop, Tokens, ToolCall

P = ParamSpec("P")
T = TypeVar("T")

STOPS: Mapping[str, Stop] = {
    **{stop: stop for stop in get_args(Stop)},
    # Servers that speak another API inside let its words through.
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
CUT: frozenset[str | None] = frozenset({"max_tokens", "length", "model_context_window_exceeded"})
"""Stops that may leave the last tool call unfinished."""
UNITS: tuple[tuple[Literal["requests", "input", "output"], str], ...] = (
    ("requests", "requests"),
    ("input", "input-tokens"),
    ("output", "output-tokens"),
)
FENCE = re.compile(r"\s*```\w*\s*\n(.*)```\s*", re.DOTALL)
AGAIN = "Try again."


class _Searches(BaseModel):
    web_search_requests: int | None = None


class _Usage(BaseModel):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    server_tool_use: _Searches | None = None


class _Message(BaseModel):
    content: list[Block]
    model: str | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


class _Call(BaseModel):
    id: str
    name: str
    input: dict[str, object] = Field(default_factory=dict[str, object])


class _Citation(BaseModel):
    url: str | None = None
    title: str | None = None
    cited_text: str = ""
    document_index: int = -1
    document_title: str | None = None


class _Text(BaseModel):
    text: str
    citations: list[_Citation] | None = None


class _Page(BaseModel):
    url: str
    title: str | None = None


def _guarded(read: Callable[P, T]) -> Callable[P, T]:
    """Whatever reading something foreign stumbles over is a fault of the server, and the call may have cost."""

    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise no_message() from error

    return guarded


def no_message() -> FaultError:
    """The error for an answer that cannot be read."""
    msg = "The server's answer is no message of the Messages API, or was cut off."
    return FaultError(msg, charged=True, remedy=AGAIN)


@_guarded
def loaded(body: bytes) -> object:
    """The JSON of a body.

    Raises:
        FaultError: if it is none, as when it was cut off.
    """
    return json.loads(body)


@_guarded
def reply(message: object, ask: Ask, rates: tuple[Rate, ...] = ()) -> Reply:
    """The Reply that a message is, to this Ask.

    Raises:
        FaultError: if it is no message, or one that did not end.
    """
    read = _Message.model_validate(message)
    blocks = read.content
    if read.stop_reason is None:
        msg = "The server's answer does not say how it ended, so it was cut off."
        raise FaultError(msg, charged=True, remedy=AGAIN)
    texts = [_Text.model_validate(block) for block in blocks if block.get("type") == "text"]
    calls = [_Call.model_validate(block) for block in blocks if block.get("type") == "tool_use"]
    return Reply(
        text=_unfenced("".join(text.text for text in texts), ask),
        calls=tuple(ToolCall(call.id, call.name, call.input) for call in calls),
        stop=STOPS.get(read.stop_reason, "tool_use" if calls else "end_turn"),
        usage=_tokens(read.usage or _Usage()),
        content=json.dumps(blocks),
        sources=_sources(blocks, [citation for text in texts for citation in text.citations or ()], ask),
        model=read.model or "",
        rates=rates,
    )


def _unfenced(text: str, ask: Ask) -> str:
    """JSON without the fence that models put around it when nothing holds them to a schema."""
    fenced = FENCE.fullmatch(text) if ask.schema else None
    return fenced[1].strip() if fenced else text


def _tokens(usage: _Usage) -> Tokens:
    tools = usage.server_tool_use
    return Tokens(
        input=usage.input_tokens or 0,
        output=usage.output_tokens or 0,
        cache_read=usage.cache_read_input_tokens or 0,
        cache_write=usage.cache_creation_input_tokens or 0,
        searches=(tools.web_search_requests or 0) if tools else 0,
    )


def _sources(blocks: Sequence[Block], citations: Sequence[_Citation], ask: Ask) -> tuple[Source, ...]:
    """Pages in the order they came up, one Source for each quote of a page, or one without if it was not cited."""
    titles = {page.url: page.title or "" for block in blocks for page in (*_found(block), *_fetched(block))}
    quotes: dict[str, dict[str, None]] = {}
    pages = _pages(blocks, ask) if any(citation.url is None for citation in citations) else []
    for citation in citations:
        page = _Page(url=citation.url, title=citation.title) if citation.url else _cited(citation, pages)
        if page:
            titles.setdefault(page.url, page.title or "")
            quotes.setdefault(page.url, {})[citation.cited_text] = None
    return tuple(Source(url, title, quote) for url, title in titles.items() for quote in quotes.get(url) or ("",))


def _found(block: Block) -> list[_Page]:
    """The results of a search; none if it failed, when an object stands in place of the list."""
    results = block.get("content")
    if block.get("type") != "web_search_tool_result" or not isinstance(results, list):
        return []
    return [_Page.model_validate(result) for result in cast("list[object]", results)]


def _fetched(block: Block) -> list[_Page]:
    """The page that was fetched, if it was."""
    if block.get("type") != "web_fetch_tool_result" or block["content"].get("type") != "web_fetch_result":
        return []
    return [_Page(url=block["content"]["url"], title=block["content"]["content"].get("title"))]


def _pages(blocks: Iterable[Block], ask: Ask) -> list[_Page]:
    """All pages fetched in the conversation: its documents, which citations of them count."""
    earlier = [block for turn in ask.turns if isinstance(turn, Replied) for block in json.loads(turn.content)]
    return [page for block in (*earlier, *blocks) for page in _fetched(block)]


def _cited(citation: _Citation, pages: Sequence[_Page]) -> _Page | None:
    """The page at the place that the citation gives if it has the title given too, or else the only one that has."""
    fitting = {at: page for at, page in enumerate(pages) if page.title == citation.document_title}
    alone = next(iter(fitting.values())) if len(fitting) == 1 else None
    return fitting.get(citation.document_index, alone)


def rates(headers: Mapping[str, str], now: float) -> tuple[Rate, ...]:
    """What the server says of its limits; `now` in seconds since 1970, since it says when a limit is whole again."""
    return tuple(rate for unit, name in UNITS if (rate := _rate(unit, name, headers, now)))


def _rate(
    unit: Literal["requests", "input", "output"], name: str, headers: Mapping[str, str], now: float
) -> Rate | None:
    head = f"anthropic-ratelimit-{name}-"
    limit = headers.get(head + "limit")
    if limit is None:
        return None
    try:
        reset = datetime.fromisoformat(headers[head + "reset"]).timestamp() - now
        return Rate(unit, int(limit), int(headers[head + "remaining"]), max(0.0, reset))
    except (ValueError, KeyError):
        return None


@dataclass(slots=True)
class Draft:
    """A message as its stream brings it, event by event.

    Attributes:
        ended: whether all of it is here.
    """

    ended: bool = False
    _message: dict[str, Any] = field(default_factory=dict[str, Any])
    _blocks: dict[int, Block] = field(default_factory=dict[int, Block])
    _parts: dict[tuple[int, str], list[str]] = field(default_factory=dict[tuple[int, str], list[str]])

    @_guarded
    def take(self, event: Any) -> bool:
        """Take in an event; whether the message begins with it.

        Raises:
            FaultError: if it is no event of a message.
        """
        kind = event.get("type")
        if kind == "content_block_delta":
            self._grow(event["index"], event["delta"])
        elif kind == "content_block_start":
            self._blocks[event["index"]] = dict(event["content_block"])
        elif kind == "message_start":
            begins, self._message = not self._message, dict(event["message"])
            return begins
        elif kind == "message_delta":
            self._message |= event["delta"]
            news = {name: value for name, value in event.get("usage", {}).items() if value is not None}
            self._message["usage"] = {**self._message.get("usage", {}), **news}
        elif kind == "message_stop":
            self.ended = True
        return False

    def _grow(self, index: int, delta: Block) -> None:
        kind = delta["type"]
        if kind == "citations_delta":
            block = self._blocks[index]
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        elif kind in _GROWS:
            name = _GROWS[kind]
            self._parts.setdefault((index, name), []).append(delta[name])

    @_guarded
    def message(self) -> object:
        """The message as it would have come in one piece.

        Raises:
            FaultError: if it has not ended, or a tool call in it is no JSON.
        """
        if not self.ended:
            msg = "The stream ended before its message did."
            raise FaultError(msg, charged=True, remedy=AGAIN)
        for (index, name), parts in self._parts.items():
            block, text = self._blocks[index], "".join(parts)
            if name != "partial_json":
                block[name] = block.get(name, "") + text
            elif text.strip():
                self._argue(index, text)
        return {**self._message, "content": list(self._blocks.values())}

    def _argue(self, index: int, text: str) -> None:
        """Give a tool call its arguments; a call that broke off at the greatest length is none."""
        try:
            self._blocks[index]["input"] = json.loads(text)
        except ValueError:
            if self._message.get("stop_reason") not in CUT:
                raise
            del self._blocks[index]


_GROWS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
