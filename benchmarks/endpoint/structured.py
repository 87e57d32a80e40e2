"""The mind `structured`: JSON that fits the request's schema, as a planner or a composer would write it."""

import re
from collections.abc import Mapping
from math import ceil
from typing import Any

from benchmarks.endpoint.draft import Draft, as_json
from benchmarks.endpoint.filling import Filler
from benchmarks.endpoint.prompt import Prompt
from benchmarks.endpoint.worker import LOOK, PLACE, READ, places_of

MAX_CITED, MAX_CHARS, MAX_SUBTASKS = 40, 20_000, 300
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_ATTRIBUTE = re.compile(r"""\bid=["']([A-Za-z0-9._-]+)["']""")
_BRACKET = re.compile(r"(?<!\w)\[([A-Za-z0-9._-]+)\]")
_LEFT_OUT = re.compile(r"^#+ .*(?:left out|unsupported).*$", re.IGNORECASE | re.MULTILINE)
_PLACE_IN = re.compile(r"\b[A-Za-z0-9][\w.-]*:[^\s,;]+")


def structured(prompt: Prompt) -> Draft:
    """An answer in the shape that is asked for."""
    schema = prompt.schema or {"type": "object"}
    filler = Filler(schema)
    properties = filler.resolved(schema).get("properties") or {}
    if "subtasks" in properties:
        known = _plan(prompt)
    elif {"markdown", "answer"} & set(properties):
        known = _composition(prompt)
    else:
        known = {}
    return Draft(as_json(filler.object(schema, {**_common(prompt), **known})))


def _common(prompt: Prompt) -> dict[str, Any]:
    return {"summary": f"Simulated answer to {prompt.id}.", "reason": "This is a simulated answer."}


# -- planner ---------------------------------------------------------------------------------------------------------


def _plan(prompt: Prompt) -> dict[str, Any]:
    """One subtask for each item; else for each place, or group of places if fewer are wanted; else for everything."""
    places = places_of(prompt)
    task = prompt.tag("task") or prompt.tag("objective") or prompt.tag("question")
    if items := _items(prompt.tag("items")):
        parts = [(item, _places_for(item, places)) for item in items]
    else:
        parts = [(group[0] if len(group) == 1 else "", group) for group in _groups(places, _most(prompt))]
    tools = _tools(prompt.tag("tools"))
    subtasks = [_subtask(n, item, held, task, tools) for n, (item, held) in enumerate(parts or [("", [])], 1)]
    return {"subtasks": subtasks, "mode": "parallel" if len(subtasks) > 1 else "single"}


def _items(text: str) -> list[str]:
    """The items, one a line; none if the text says that there are none."""
    lines = [line for each in text.splitlines() if (line := _BULLET.sub("", each).strip())]
    return [] if text.lower().startswith("none") else lines


def _most(prompt: Prompt) -> int:
    """How many subtasks are wanted at most."""
    match = re.search(r"at most ([\d,]+) subtasks", prompt.said[-1], re.IGNORECASE)
    return int(match[1].replace(",", "")) if match else MAX_SUBTASKS


def _groups(places: list[str], most: int) -> list[list[str]]:
    """The places in so many groups at most, as even as can be."""
    size = max(1, ceil(len(places) / max(1, most)))
    return [places[start : start + size] for start in range(0, len(places), size)]


def _tools(text: str) -> list[str]:
    """Those of the tools shown that the simulated worker uses."""
    named = {line.partition(":")[0].strip(" -`") for line in text.splitlines()}
    return [tool for tool in (*LOOK, READ) if tool in named]


def _subtask(number: int, item: str, places: list[str], task: str, tools: list[str]) -> Mapping[str, Any]:
    name = item or (f"{places[0]} and {len(places) - 1} more" if len(places) > 1 else "all of it")
    return {
        "id": f"s{number}",
        "title": f"Look at {name}"[:120],
        "objective": f"Simulated plan: look at {name}{f' for this: {task[:500]}' if task else ''}",
        "boundaries": "Leave the other items to the other workers.",
        "expected": "Findings with evidence, or that there are none.",
        "item": item,
        **({"places": places} if places else {}),
        **({"tools": tools} if tools else {}),
    }


def _places_for(item: str, places: list[str]) -> list[str]:
    """The places that an item names, itself or by the last part of their path; all there are if it names none."""
    if item in places or (":" in item and PLACE.match(item) and " " not in item):
        return [item]
    if inside := _PLACE_IN.findall(item):
        return inside
    words = set(re.findall(r"[\w.-]+", item))
    return [place for place in places if re.split(r"[:/]", place.rstrip("/"))[-1] in words] or places


# -- composer --------------------------------------------------------------------------------------------------------


def _composition(prompt: Prompt) -> dict[str, Any]:
    """Sentences that cite what was shown, and nothing else, as far as there is room."""
    shown = "\n".join(prompt.said)
    room = _room(shown)
    sentences: dict[str, str] = {}
    for name, words in _shown(shown).items():
        sentence = f"- Simulated: {words} [{name}]."
        room -= len(sentence) + 1
        if room < 0 or len(sentences) == MAX_CITED:
            break
        sentences[name] = sentence
    text = "\n".join(sentences.values()) or "Simulated: there is nothing to cite."
    headline = f"Simulated synthesis of {len(sentences)} findings."
    listed = {key: list(sentences) for key in ("cited", "shown", "ids", "citations", "findings")}
    return {"markdown": text, "answer": text, "headline": headline, **listed}


def _room(text: str) -> int:
    """How many characters are wanted at most."""
    match = re.search(r"at most ([\d,]+) characters", text, re.IGNORECASE)
    return int(match[1].replace(",", "")) if match else MAX_CHARS


def _shown(text: str) -> dict[str, str]:
    """The ids in a text, each with words of its line; none that stand under a heading that leaves them out."""
    kept, *left_out = _LEFT_OUT.split(text, maxsplit=1)
    without = {match[1] for match in _ids("".join(left_out))}
    shown: dict[str, str] = {}
    for match in _ids(kept):
        if match[1] != "id" and match[1] not in without:
            shown.setdefault(match[1], _words(_line_at(kept, match.start())))
    return shown


def _ids(text: str) -> list[re.Match[str]]:
    """Where ids stand: in attributes if there are any, else in brackets; if some have digits, those alone."""
    found = list(_ATTRIBUTE.finditer(text)) or list(_BRACKET.finditer(text))
    return [match for match in found if any(map(str.isdigit, match[1]))] or found


def _line_at(text: str, at: int) -> str:
    end = text.find("\n", at)
    return text[text.rfind("\n", 0, at) + 1 : end if end >= 0 else len(text)]


def _words(line: str) -> str:
    """A line without its markup: a few words to say in a sentence."""
    plain = re.sub(r"<[^<>]*>|\[[^\[\]]*\]|[*`#\\]+", " ", _BULLET.sub("", line))
    return " ".join(plain.split()[:15]).strip(" .,;:-") or "a finding"
