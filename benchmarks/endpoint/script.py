"""The minds `echo`, which says some words, and `script`, which says what it was told to."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from string import Template
from typing import Any

from benchmarks.endpoint import tokens
from benchmarks.endpoint.config import Turn
from benchmarks.endpoint.draft import Draft
from benchmarks.endpoint.prompt import Prompt

BLANKS = ("objective", "places", "id")
WORDS = ("plain", "words", "that", "no", "model", "wrote", "stand", "here", "and", "say", "very", "little")


def echo(prompt: Prompt, size: int) -> Draft:
    """About so many tokens of words that name the request by its id."""
    opening = f"This is a simulated answer to {prompt.id}:"
    return Draft(f"{opening} {_words(max(1, size - tokens.count(opening)))}.")


@lru_cache
def _words(number: int) -> str:
    return " ".join(WORDS[n % len(WORDS)] for n in range(number))


def scripted(prompt: Prompt, script: Sequence[Turn]) -> Draft:
    """The reply that the script has for this turn of the conversation, its last one for all turns after."""
    if not script:
        return Draft("This is a simulated answer: the script is empty.")
    turn = script[min(prompt.turn, len(script) - 1)]
    blanks = {name: prompt.tag(name) for name in BLANKS}
    calls = tuple((call.name, _filled(call.input, blanks)) for call in turn.calls)
    return Draft(_filled(turn.text, blanks), calls, turn.stop_reason, turn.output_tokens)


def _filled(value: Any, blanks: Mapping[str, str]) -> Any:
    """The value with the blanks in all its strings filled."""
    if isinstance(value, str):
        return Template(value).safe_substitute(blanks) if "$" in value else value
    if isinstance(value, dict):
        return {key: _filled(held, blanks) for key, held in value.items()}
    if isinstance(value, list):
        return [_filled(held, blanks) for held in value]
    return value
