"""How this endpoint counts tokens: a rule of its own that nobody who asks it can see.

It looks at the text, so that it is not proportional to bytes: code, digits and Chinese cost more tokens a byte than
English prose does, as with real tokenizers.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_LETTER = rf"[^\W\d_{_CJK}]"
TOKEN = re.compile(
    rf"{_LETTER}{{1,6}}(?!{_LETTER})"  # a short word, or the end of a long one
    rf"|{_LETTER}{{4}}"  # a piece of a long word
    rf"|[{_CJK}]|\d|[^\w\s]|_|\n+"
)

BASE, TOOLS, FORMAT, MESSAGE, TOOL, BLOCK, PICTURE = 5, 290, 25, 4, 11, 3, 1_500
HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a request, in the order in which a prompt cache sees them.

    Attributes:
        content: what it says, without cache marks.
        tokens: how long it is.
        mark: its `cache_control`, None if it has none.
    """

    content: Any
    tokens: int
    mark: Mapping[str, Any] | None = None


@lru_cache(maxsize=4_096)
def count(text: str) -> int:
    """How many tokens a text has."""
    return len(TOKEN.findall(text))


def cut(text: str, most: int) -> str:
    """The text's first tokens."""
    for n, match in enumerate(TOKEN.finditer(text)):
        if n == most:
            return text[: match.start()].rstrip()
    return text


def of_block(block: Mapping[str, Any]) -> int:
    """How many tokens a content block has, with what goes around it."""
    kind = block.get("type")
    if kind == "text":
        return count(str(block.get("text", "")))
    if kind in {"image", "document"}:
        return PICTURE
    if kind == "tool_result":
        return BLOCK + _of_content(block.get("content", ""))
    if kind == "tool_use":
        return BLOCK + count(str(block.get("name", ""))) + count(compact(block.get("input", {})))
    return BLOCK + count(compact(block))


def _of_content(content: str | Sequence[Mapping[str, Any]]) -> int:
    return count(content) if isinstance(content, str) else sum(map(of_block, content))


def compact(value: object) -> str:
    """The value as JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def pieces(body: Mapping[str, Any]) -> list[Piece]:
    """The request in pieces: what applies to all of it, tools, system, messages. Their tokens add up to its input."""
    found = [_preamble(body), *map(_tool, body.get("tools") or ())]
    found += [_block("system", block, 0) for block in blocks(body.get("system") or [])]
    for message in body["messages"]:
        overhead = MESSAGE
        for block in blocks(message["content"]):
            found.append(_block(message["role"], block, overhead))
            overhead = 0
    return _marked_last(found, body.get("cache_control"))


def total(parts: Sequence[Piece]) -> int:
    """The input tokens of a request."""
    return sum(part.tokens for part in parts)


def blocks(content: str | Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Content as blocks, whichever way it was written."""
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    else:
        yield from content


def _preamble(body: Mapping[str, Any]) -> Piece:
    config = body.get("output_config") or {}
    schema = config.get("format")
    tokens = BASE + (TOOLS if body.get("tools") else 0) + (FORMAT + count(compact(schema)) if schema else 0)
    return Piece([body["model"], config, body.get("thinking")], tokens)


def _tool(tool: Mapping[str, Any]) -> Piece:
    content, mark = _unmarked(tool)
    return Piece(content, TOOL + count(compact(content)), mark)


def _block(role: str, block: Mapping[str, Any], overhead: int) -> Piece:
    content, mark = _unmarked(block)
    return Piece([role, content], overhead + of_block(content), mark)


def _unmarked(value: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    if "cache_control" not in value:
        return value, None
    return {key: held for key, held in value.items() if key != "cache_control"}, value["cache_control"]


def _marked_last(found: list[Piece], mark: Mapping[str, Any] | None) -> list[Piece]:
    """The pieces, the last one marked if the whole request is."""
    return [*found[:-1], Piece(found[-1].content, found[-1].tokens, mark)] if mark else found
