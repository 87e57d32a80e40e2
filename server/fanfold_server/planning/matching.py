"""Which checks a task's words ask for, and which they wave off.

A check's hints are matched word by word: whatever the case, singular or plural, hyphen or blank. A hint that
follows a word such as "ignore", "except" or "not" is waved off, and so is what a list joins to it. "Without tests"
and "no tests" describe what is looked for and wave nothing off, unless "no" opens its clause.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fanfold_workers.tools.toolbox import Tool

_WORD = re.compile(r"[^\W_]+(?:['\u2019][a-z]+)?|[.,;:!?()\n]")
_CODE = re.compile(r"`[^`\n]*`|[\w-]+(?:[/:\\.][\w-]+)*\.[A-Za-z]\w{0,9}\b|\w+:/*[\w./-]+")
_OPENERS = frozenset(".,;:!?(\n") | {"but", "and"}
_JOINTS = frozenset({",", "and", "or", "nor"})
_FILLERS = frozenset(
    {"the", "any", "all", "every", "their", "its", "my", "our", "your", "a", "an"}
    | {"this", "that", "these", "those", "missing", "possible"}
    | {"of", "on", "in", "for", "about", "with", "at", "to", "into"}
)
_VERBS = frozenset(
    {"check", "look", "search", "scan", "audit", "report", "include", "care", "bother"}
    | {"run", "touch", "consider", "list", "find", "need", "want", "show", "interested"}
    | {"worry", "mention", "inspect", "examine", "review", "flag"}
)
_NOT = frozenset({"not", "don't", "don\u2019t", "dont", "never"})
_WAVES = frozenset(
    {"ignore", "ignoring", "skip", "skipping", "except", "excepting", "excluding", "exclude"}
    | {"omit", "omitting", "minus", "disregard", "disregarding"}
)
_PAIRS = frozenset(
    {"leave out", "leaving out", "other than", "apart from", "aside from", "rather than", "instead of"}
    | {"nothing about", "everything but", "all but"}
)
_OUT = frozenset({"out", "aside", "alone"})
_AFTER = frozenset({"excluded", "omitted"})


@dataclass(frozen=True, slots=True)
class Matches:
    """Which checks were asked for and which waved off, each with the words of the task that say so."""

    wanted: Mapping[str, str]
    waved_off: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Text:
    """A task's words as spelt, in lower case and without plurals, and where which check's hints stand in them."""

    words: list[str]
    low: list[str]
    stems: list[str]
    hits: Mapping[int, list[tuple[str, int]]]


def matches(text: str, tools: Mapping[str, Tool[Any]]) -> Matches:
    """The inspections whose hints stand in the text, in the order of the tools. Code and file names don't count."""
    read = _read(text, tools)
    off = _waved_off(read)
    wanted: dict[str, str] = {}
    waved: dict[str, str] = {}
    for start, found in sorted(read.hits.items()):
        for name, end in found:
            (waved if start in off else wanted).setdefault(name, " ".join(read.words[start:end]))
    return Matches(
        {name: wanted[name] for name in tools if name in wanted},
        {name: waved[name] for name in tools if name in waved and name not in wanted},
    )


def stem(word: str) -> str:
    """A word in lower case without a plural ending."""
    word = word.lower()
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 4 and word.endswith(("sses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _read(text: str, tools: Mapping[str, Tool[Any]]) -> _Text:
    words = _WORD.findall(_CODE.sub(" . ", text))
    stems = [stem(word) for word in words]
    hints = _hints(tools)
    hits: dict[int, list[tuple[str, int]]] = {}
    for start, first in enumerate(stems):
        for phrase, name in hints.get(first, ()):
            if tuple(stems[start : start + len(phrase)]) == phrase:
                hits.setdefault(start, []).append((name, start + len(phrase)))
    return _Text(words, [word.lower() for word in words], stems, hits)


def _hints(tools: Mapping[str, Tool[Any]]) -> Mapping[str, list[tuple[tuple[str, ...], str]]]:
    found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for name, tool in tools.items():
        for hint in tool.hints if tool.inspection else ():
            if phrase := tuple(stem(word) for word in _WORD.findall(hint)):
                found.setdefault(phrase[0], []).append((phrase, name))
    return found


def _waved_off(text: _Text) -> set[int]:
    """Where hints stand that the task waves off."""
    off = {start for start, found in text.hits.items() if _is_left_out(text.low, max(end for _, end in found))}
    at = 0
    while at < len(text.low):
        length = _negator(text.low, at)
        positions, end = _followed(text, at + length) if length else ([], at + 1)
        if (
            text.low[at] not in {"leave", "leaving"}
            or length > 1
            or (text.low[end : end + 1] and text.low[end] in _OUT)
        ):
            off.update(positions)
        at = max(end, at + 1)
    return off


def _negator(low: list[str], at: int) -> int:
    """How many words from here on wave off what follows; 0 if none."""
    word, after = low[at], low[at + 1] if at + 1 < len(low) else ""
    if f"{word} {after}" in _PAIRS:
        return 2
    if word == "no":
        return int(at == 0 or low[at - 1] in _OPENERS)
    if word == "without":
        return int(_is_verb(after) and after.endswith("ing"))
    return int(word in _NOT or word in _WAVES or word in {"leave", "leaving"})


def _followed(text: _Text, at: int) -> tuple[list[int], int]:
    """The hints that a list from here on names, joined by commas, and, or; and where it ends."""
    found: list[int] = []
    commas = 0
    while at < len(text.low):
        word = text.low[at]
        if at in text.hits:
            found.append(at)
            at = max(end for _, end in text.hits[at])
        elif word in _FILLERS or (_joins(text.low, at, commas) if found else _is_verb(word)):
            commas += word == ","
            at += 1
        else:
            break
    return found, at


def _joins(low: list[str], at: int, commas: int) -> bool:
    """Whether a list goes on here. After "not a, and b" it doesn't: only a list with a comma before has that."""
    opens = low[at] == "," and low[at + 1 : at + 2] and low[at + 1] in _JOINTS
    return low[at] in _JOINTS and not (opens and not commas)


def _is_verb(word: str) -> bool:
    return word in _VERBS or (word.endswith("ing") and (word[:-3] in _VERBS or f"{word[:-3]}e" in _VERBS))


def _is_left_out(low: list[str], end: int) -> bool:
    after = [word for word in low[end : end + 2] if word not in {"are", "is"}]
    return bool(after) and after[0] in _AFTER
