"""The mind `synthesis`: what is asked of models when findings are joined, answered by rules.

It knows a request by its schema's title, or by what an answer holds. Where it reads texts it draws the facts that the
config lists and that are not forgotten; where it is shown findings it cites them by the names they have there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from benchmarks.endpoint.config import Config
from benchmarks.endpoint.draft import Draft, as_json
from benchmarks.endpoint.filling import Filler
from benchmarks.endpoint.knowing import noticed, room
from benchmarks.endpoint.prompt import Prompt

_PIECE = re.compile(r"<(p\d+)>\n(.*?)\n</\1>", re.DOTALL)
_FINDING = re.compile(r"^(f\d+)(?: \([^()]*\))? (.*)$", re.MULTILINE)
_KEEP = re.compile(r"keep at most ([\d,]+)", re.IGNORECASE)
_CONFLICT = re.compile(r'<conflict id="(c\d+)">\n(.*?)\n</conflict>', re.DOTALL)
_SIDE = re.compile(r"^side ([a-z])\b(.*)$", re.MULTILINE)
BARRED = "not to be chosen"
_WORD = re.compile(r"[\w'-]+")
_SMALL = re.compile(
    r"(?:\d+|a|also|according|after|agree|and|any|as|at|before|by|during|for|from|has|have|if|in|is|it|its|most|near|no|"
    r"of|on|or|since|some|that|the|there|this|to|under|was|were|when|where|while|which|with|without)\Z",
    re.IGNORECASE,
)
_ID = re.compile(r"(?<!\w)\[([A-Za-z0-9][\w.-]*\.\d+)(?=[\] ,;])[^\[\]]*\]")
_MARKS = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+|^\s*\([^()]*\) ")
"""Before what a line says: a list's mark, or what is known of a finding."""


def form(prompt: Prompt) -> str:
    """Which question of synthesis the request asks: `Draws`, `Folds`, `Settles`, `Writes`; "" if none."""
    if prompt.form in MINDS:
        return prompt.form
    held = frozenset(_held(prompt.schema or {}))
    return next((name for name, telling in TELLING.items() if telling <= held), "")


def _held(schema: Mapping[str, Any]) -> Iterator[str]:
    """Names of an answer's fields, and of what its lists hold as `list.field`."""
    filler = Filler(schema)
    for name, part in (filler.resolved(schema).get("properties") or {}).items():
        yield name
        items = filler.resolved(filler.resolved(part).get("items") or {})
        yield from (f"{name}.{field}" for field in items.get("properties") or {})


def synthesis(prompt: Prompt, config: Config) -> Draft:
    """The answer, in the form that is asked for."""
    schema = prompt.schema or {"type": "object"}
    mind = MINDS.get(form(prompt))
    return Draft(as_json(Filler(schema).object(schema, mind(prompt, config) if mind else {})))


# -- draws ---------------------------------------------------------------------------------------------------------


def _draws(prompt: Prompt, config: Config) -> dict[str, Any]:
    """The facts that it notices in the pieces, each quoted as it stands."""
    pieces = _PIECE.findall(prompt.said[0])
    return {"findings": [_draw(piece, one.quote) for piece, text in pieces for one in noticed(text, config)]}


def _draw(piece: str, quote: str) -> dict[str, Any]:
    return {"piece": piece, "quote": quote, "subject": subject(quote)}


def subject(sentence: str) -> str:
    """What a sentence is about: its first two neighbouring words that are not small, else the first such word."""
    words = [match for match in _WORD.finditer(sentence) if not _SMALL.match(match[0])]
    neighbours = (a for a, b in pairwise(words) if sentence[a.end() : b.start()] == " ")
    if first := next(neighbours, None):
        return sentence[first.start() : words[words.index(first) + 1].end()]
    return words[0][0] if words else sentence[:60]


# -- folds ---------------------------------------------------------------------------------------------------------


def _folds(prompt: Prompt, _: Config) -> dict[str, Any]:
    """The first findings that it may keep, those that claim the same as one before merged into that."""
    most = int(found[1].replace(",", "")) if (found := _KEEP.search(prompt.said[0])) else 1
    alike: dict[str, list[str]] = {}
    for alias, claim in _FINDING.findall(prompt.tag("findings")):
        alike.setdefault(" ".join(claim.lower().split()), []).append(alias)
    kept = [those[0] for those in alike.values()][:most]
    text = f"Simulated: the first of these are {', '.join(f'[{alias}]' for alias in kept[:3])}."
    return {"keep": kept, "merge": [those for those in alike.values() if len(those) > 1], "text": text}


# -- settles -------------------------------------------------------------------------------------------------------


def _settles(prompt: Prompt, config: Config) -> dict[str, Any]:
    """For each conflict the side that the config says, of those that may be chosen."""
    conflicts = _CONFLICT.findall(prompt.said[0])
    return {"settlements": [_settlement(alias, text, config.knows.side) for alias, text in conflicts]}


def _settlement(alias: str, text: str, which: str) -> dict[str, Any]:
    sides = [letter for letter, told in _SIDE.findall(text) if BARRED not in told]
    side = "" if which == "none" or not sides else sides[0 if which == "first" else -1]
    return {"conflict": alias, "side": side, "reason": f"Simulated: the {which} side is chosen by rule."}


# -- writes --------------------------------------------------------------------------------------------------------


def _writes(prompt: Prompt, _: Config) -> dict[str, Any]:
    """A sentence for each finding that it is shown, as many as there is room for."""
    left, sentences = room(prompt), dict[str, str]()
    for line in prompt.tag("findings").splitlines():
        if (cited := _ID.search(line)) and cited[1] not in sentences:
            words = _plain(line[: cited.start()]) or _plain(line[cited.end() :]) or "Simulated."
            sentence = f"- {words} [{cited[1]}]"
            left -= len(sentence) + 1
            if left < 0:
                break
            sentences[cited[1]] = sentence
    headline = f"Simulated synthesis of {len(sentences):,} findings."
    return {"headline": headline, "answer": "\n".join(sentences.values()) or "Simulated: there is nothing to cite."}


def _plain(line: str) -> str:
    """What a line says, without the marks before it."""
    return " ".join(_MARKS.sub("", line).split())[:400]


MINDS: Mapping[str, Callable[[Prompt, Config], dict[str, Any]]] = {
    "Draws": _draws,
    "Folds": _folds,
    "Settles": _settles,
    "Writes": _writes,
}
TELLING = {
    "Draws": frozenset({"findings", "findings.quote", "findings.piece"}),
    "Folds": frozenset({"keep", "merge"}),
    "Settles": frozenset({"settlements", "settlements.side"}),
    "Writes": frozenset({"headline", "answer"}),
}
"""What only an answer of that form holds: schemas may go without their titles."""
