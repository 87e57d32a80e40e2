"""An Ask as the Messages API takes it: pure functions, and the same bytes for the same Ask."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from .catalog import FETCH_TOKENS
from .model import Ask, Replied, Said, ToolAnswer, ToolSpec, Turn, Web

Block = dict[str, Any]
"""A JSON object of the API: a content block, a tool, a message."""

SEARCH, FETCH = "web_search_20250305", "web_fetch_20250910"
"""The plain versions, which every model and every cloud that has them at all takes; later ones run code as well."""
IN_WORDS = "Answer with one JSON value and nothing else that fits this schema:\n"
"""Goes before a schema that the server does not enforce itself."""
CACHE: Block = {"type": "ephemeral"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server takes besides the plain Messages API.

    Attributes:
        format: whether it holds an answer to a schema (`output_config.format`); if not, the schema is put in words.
        effort: whether it takes `output_config.effort`; if not, that is left out.
    """

    format: bool = True
    effort: bool = True

    def without(self, refusal: str, ask: Ask) -> "Dialect | None":
        """What is left after a refusal with these words; None if they are about something else."""
        said = refusal.lower()
        if "input_schema" in said:
            return None
        effort, form = "effort" in said, bool(_FORMAT.search(said))
        if not effort and not form:
            effort = form = bool(_UNKNOWN.search(said))
        form, effort = form and ask.schema != "", effort and ask.effort != ""
        left = Dialect(self.format and not form, self.effort and not effort)
        return None if left == self else left


_FORMAT = re.compile(r"schema|output_?config\.format|output_format|structured|response_format|grammar")
_UNKNOWN = re.compile(r"output_config|extra (inputs|fields|keys)|un(known|expected|recognized|supported) ")


def request(ask: Ask, model: str, dialect: Dialect | None = None) -> Block:
    """The body of `POST /v1/messages`.

    A breakpoint of the cache covers all that goes before it, in the order tools, system, messages. So the one after
    the system covers what siblings share, and the one after the last message all of it.
    """
    dialect = dialect or Dialect()
    form = _format(ask.schema) if ask.schema and dialect.format else None
    # The API refuses citations in an answer that it holds to a schema.
    tools = [*map(_tool, ask.tools), *_web(ask.web, cited=form is None)]
    system = [_text(text) for text in (ask.system, IN_WORDS + ask.schema if ask.schema and not form else "") if text]
    messages = _messages(ask.turns)
    if ask.shared:
        _mark(system or tools)
    if ask.ongoing and messages and messages[-1]["role"] == "user":
        _mark(messages[-1]["content"])
    effort = ask.effort if dialect.effort else ""
    config = {**({"effort": effort} if effort else {}), **({"format": form} if form else {})}
    body: Block = {"model": model, "max_tokens": ask.max_tokens, "tools": tools, "system": system}
    body |= {"messages": messages, "output_config": config}
    return {name: value for name, value in body.items() if value}


def count_request(ask: Ask, model: str, dialect: Dialect | None = None) -> Block:
    """The body of `POST /v1/messages/count_tokens`: the same without what is only about the answer."""
    body = request(ask, model, dialect)
    del body["max_tokens"]
    return body


def encoded(body: Block) -> bytes:
    """The body as it is sent. Half a surrogate pair, which no JSON may hold, becomes a question mark."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _mark(blocks: list[Block]) -> None:
    if blocks:
        blocks[-1] = {**blocks[-1], "cache_control": CACHE}


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


@lru_cache(maxsize=256)
def _tool(tool: ToolSpec) -> Block:
    """A tool; shared by all requests, so it is never changed."""
    return {"name": tool.name, "description": tool.description, "input_schema": json.loads(tool.schema)}


def _web(web: Web | None, *, cited: bool) -> list[Block]:
    if web is None:
        return []
    bounds: Block = {"max_uses": web.uses}
    bounds |= {"allowed_domains": list(web.allowed)} if web.allowed else {}
    bounds |= {"blocked_domains": list(web.blocked)} if web.blocked else {}
    fetch: Block = {"max_content_tokens": FETCH_TOKENS, "citations": {"enabled": cited}}
    return [
        {"type": SEARCH, "name": "web_search", **bounds},
        {"type": FETCH, "name": "web_fetch", **bounds, **fetch},
    ]


@lru_cache(maxsize=64)
def _format(schema: str) -> Block | None:
    """`output_config.format` for a schema; None where the API could not hold an answer to it."""
    from anthropic import transform_schema  # the import takes seconds, and is done when there is a client

    try:
        return {"type": "json_schema", "schema": transform_schema(json.loads(schema))}
    except (ValueError, TypeError, AttributeError, AssertionError):
        # It raises each of these for some schema that is valid: no type, `true`, a list of types.
        return None


def _messages(turns: Sequence[Turn]) -> list[Block]:
    """The turns as messages: neighbours of one side become one; what is empty, which the API refuses, is left out."""
    messages: list[Block] = []
    for turn in turns:
        role, blocks = _side(turn)
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        elif blocks:
            messages.append({"role": role, "content": blocks})
    return messages


def _side(turn: Turn) -> tuple[Literal["user", "assistant"], list[Block]]:
    """Who speaks, and the content blocks."""
    if isinstance(turn, Replied):
        return "assistant", [block for block in json.loads(turn.content) if block != _text("")]
    said = [_text(turn.text)] if turn.text else []
    if isinstance(turn, Said):
        return "user", said
    return "user", [*map(_result, turn.answers), *said]


def _result(answer: ToolAnswer) -> Block:
    failed = {"is_error": True} if answer.failed else {}
    return {"type": "tool_result", "tool_use_id": answer.id, "content": answer.text or "(empty)", **failed}
