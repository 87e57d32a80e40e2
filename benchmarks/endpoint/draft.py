"""What a mind wants to answer, and the reply that its request leaves room for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.endpoint import tokens

MARK = "simulated"
"""Stands in the name of every reply's model, and in what the minds write."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a mind wants to answer.

    Attributes:
        text: its words.
        calls: tools it calls, each a name and arguments.
        stop_reason: as the API names it; found from the rest if None.
        output_tokens: what is billed; counted if None.
    """

    text: str = ""
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    stop_reason: str | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent.

    Attributes:
        content: its blocks, as the API writes them.
        stop_reason: why it ends.
        output_tokens: what is billed.
    """

    content: tuple[Mapping[str, Any], ...]
    stop_reason: str
    output_tokens: int


def reply(draft: Draft, most: int, name: str) -> Reply:
    """The draft as a reply of at most so many tokens; `name` makes the ids of its calls unique."""
    stop = draft.stop_reason or ("tool_use" if draft.calls else "end_turn")
    whole = _blocks(draft, name)
    counted = sum(map(tokens.of_block, whole))
    billed = counted if draft.output_tokens is None else draft.output_tokens
    if max(counted, billed) <= most:
        return Reply(whole, stop, billed)
    return Reply(tuple(_cut(whole, most)), "max_tokens", most)


def _blocks(draft: Draft, name: str) -> tuple[Mapping[str, Any], ...]:
    calls = [
        {"type": "tool_use", "id": f"toolu_{MARK}_{name}_{n}", "name": tool, "input": dict(arguments)}
        for n, (tool, arguments) in enumerate(draft.calls)
    ]
    return ({"type": "text", "text": draft.text}, *calls) if draft.text else tuple(calls)


def _cut(whole: tuple[Mapping[str, Any], ...], most: int) -> list[Mapping[str, Any]]:
    """What fits: a text is cut, a call that does not fit loses its arguments and is the last."""
    kept: list[Mapping[str, Any]] = []
    for block in whole:
        size = tokens.of_block(block)
        if size > most:
            if most > 0:
                kept.append(_shortened(block, most))
            break
        kept.append(block)
        most -= size
    return [block for block in kept if block.get("text") != ""]


def _shortened(block: Mapping[str, Any], most: int) -> Mapping[str, Any]:
    if block["type"] == "text":
        return {**block, "text": tokens.cut(str(block["text"]), most)}
    return {**block, "input": {}}


def as_json(value: object) -> str:
    """A value as the text of a structured answer."""
    return json.dumps(value, ensure_ascii=False)
