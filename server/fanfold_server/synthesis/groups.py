"""A group of entries as one request of the fold: how it is sized and put, and what its answer comes to."""

import json
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, pairwise
from math import ceil
from typing import Any

from pydantic import BaseModel, ConfigDict

from fanfold_workers.aside import stop_if_abandoned
from fanfold_workers.models.tokens import count
from fanfold_workers.tools.legible import in_line

from .carried import Item, alike
from .desk import SAFETY, Desk, Question, Words, lean, prompt
from .markdown import clean
from .sheets import SHARE, harmless, note_tokens, question_in, shortened, shown

REQUEST_TOKENS = 24_000
"""A request and its answer, at worst: so long that instructions are 4 % of it, so short that it is weighed as one."""
MOST_ENTRIES = 200
"""Entries in a request: of more a model loses count."""
TEXT_TOKENS, ALIAS_TOKENS = 1_000, 8
"""Tokens of an answer for its text, and for each entry shown: it is named once or twice."""
SMALL = 8
"""The part of a small window that an answer may take (one in so many); half of that is for its text."""
AGAIN_TOKENS = 300
"""What asking once more adds to a request, besides the answer that was no good."""
QUESTION = 24
"""The part of a request that the question may take (one in so many); a longer one loses its middle."""
NOTE, NOTE_TOKENS = 16, 400
"""The part of a request that a note may take (one in so many), and the most it may have."""
LEAST_TOKENS = 600
"""Where fewer tokens of entries fit in a request nothing is asked."""
LENIENT = 1.25
"""Who keeps so many times what he may loses the last of them; who keeps more is asked again."""

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_ANY_BRACKETS = re.compile(rf"{_BRACKETS.pattern}|[\[\]]")
_APART = re.compile(r"[,;\s]+")
_ALIAS = re.compile(r"f(\d{1,9})")


def _complete(schema: dict[str, Any]) -> None:
    """Lean, and with nothing to be left out."""
    schema["required"] = list(schema["properties"])
    lean(schema)


class Folds(BaseModel):
    """What the model answers about a group: which to keep, which say the same, and what they come to."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra=_complete)

    keep: tuple[Words, ...]
    merge: tuple[tuple[Words, ...], ...] = ()
    text: Words = ""


SCHEMA = json.dumps(Folds.model_json_schema())


@dataclass(frozen=True, slots=True)
class Part:
    """A group of items, what is asked about it, and what came of that.

    Attributes:
        items: in plan order; the first is f1.
        most: how many may be kept.
        question: None for a single item, which is kept without asking.
        answer: None if there is none; then `why` says why not, and the items are ranked by score.
        long: whether it was too long, so that halves of it may do.
    """

    items: tuple[Item, ...]
    most: int
    question: Question[Folds] | None = None
    answer: Folds | None = None
    why: str = ""
    long: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """How requests are made, for one question and one window.

    Attributes:
        desk: where they are asked.
        question: as it stands in them.
        text: tokens of an answer's text.
        entries: how many fit in one.
        limit: tokens of a request and its answer, at most.
        room: tokens for entries and notes.
    """

    desk: Desk
    question: str
    text: int
    entries: int
    limit: int
    room: int

    @classmethod
    def of(cls, desk: Desk, question: str) -> "Form":
        """Sized to the worker's window. An answer that is no good must fit beside the next one."""
        window = desk.room("worker")
        output = min(desk.card("worker").max_output, window // SMALL)
        text = min(TEXT_TOKENS, output // 2)
        entries = min(MOST_ENTRIES, (output - text) // ALIAS_TOKENS)
        answer = text + ALIAS_TOKENS * entries
        limit = min(REQUEST_TOKENS, window - answer * 3 // 2 - AGAIN_TOKENS)
        free = int((limit - answer) / SAFETY) - count(prompt("fold").template) - count(SCHEMA)
        asked = question_in(question, max(1, free // QUESTION))
        room = free - count(_said(asked, ["-"], "", MOST_ENTRIES, MOST_ENTRIES))
        return cls(desk, asked, text, entries, limit, room if entries > 1 else 0)

    @property
    def why_not(self) -> str:
        """Why nothing can be asked, "" if it can."""
        if self.room >= LEAST_TOKENS:
            return ""
        return f"a window of {self.desk.room('worker'):,} tokens is too small to compare them in"

    def parts(self, items: Sequence[Item], ratio: float) -> list[Part]:
        """The items in groups of about the same size, and what is asked about each. Blocking."""
        least = ceil(self.room / self.entries)
        weights = [max(least, min(item.tokens, self.room // SHARE) + note_tokens(item.note)) for item in items]
        return [self.part(tuple(items[a:b]), ratio) for a, b in pairwise(_balanced(weights, self.room))]

    def halves(self, parts: Sequence[Part], ratio: float) -> Iterator[Part]:
        """What to ask in place of parts that were too long. Blocking."""
        for part in parts:
            middle = len(part.items) // 2
            for items in (part.items[:middle], part.items[middle:]):
                half = self.part(items, ratio)
                yield half if half.question else replace(half, why=part.why)

    def part(self, items: tuple[Item, ...], ratio: float) -> Part:
        """A group, and what is asked about it."""
        stop_if_abandoned()
        most = max(1, min(len(items) - 1, ceil(len(items) * ratio)))
        if len(items) < 2:
            return Part(items, most)
        names = {one: n for n, item in enumerate(items, 1) for one in item.entry.findings}
        notes = [note for item in items if (note := _renamed(item.note, names))]
        asking = self._asking(items, notes, most)
        return Part(items, most, asking if asking.tokens <= self.limit else self._asking(items, [], most))

    def _asking(self, items: Sequence[Item], notes: Sequence[str], most: int) -> Question[Folds]:
        listed = "\n".join(shown(item.entry, f"f{n}", self.room // SHARE) for n, item in enumerate(items, 1))
        said = _said(self.question, notes, listed, most, len(items))
        answer = self.text + ALIAS_TOKENS * len(items)
        return Question("fold", Folds, prompt("fold").template, said, answer, check=partial(_wrong, len(items), most))

    def note(self, text: str, items: Sequence[Item]) -> str:
        """What the model said, citing findings by id; "" if it cites none. No other brackets are left in it."""

        def named(match: re.Match[str]) -> str:
            names = _APART.split(match[1] or "")
            ids = [items[n].lead for name in names if (n := _number(name, len(items))) is not None]
            return f"[{', '.join(dict.fromkeys(ids))}]" if ids else match[0].replace("[", "(").replace("]", ")")

        note = shortened(_ANY_BRACKETS.sub(named, clean(text)), min(NOTE_TOKENS, self.room // NOTE))
        if note.rfind("[") > note.rfind("]"):
            note = f"{note[: note.rfind('[')].rstrip()}\u2026"
        return note if "[" in note else ""


def _said(question: str, notes: Sequence[str], listed: str, most: int, number: int) -> str:
    lines = "".join(f"- {harmless(note)}\n" for note in notes)
    beside = f"<notes>\n{lines}</notes>\n" if lines else ""
    return (
        f"<question>\n{question}\n</question>\n{beside}<findings>\n{listed}\n</findings>\n\n"
        f"Keep at most {most} of these {number}. Answer with JSON that fits the schema."
    )


def _renamed(note: str, names: Mapping[str, int]) -> str:
    """A note with the tags of this request; "" if nothing that it cites stands there."""
    found: list[int] = []

    def named(match: re.Match[str]) -> str:
        numbers = [names[one] for one in match[1].split(", ") if one in names]
        found.extend(numbers)
        return f"[{', '.join(f'f{n}' for n in dict.fromkeys(numbers))}]" if numbers else ""

    text = _BRACKETS.sub(named, note)
    return text if found else ""


def _balanced(weights: Sequence[int], most: int) -> list[int]:
    """Where to cut, so that groups of neighbours are of about the same weight and none is over the most."""
    sums = list(accumulate(weights, initial=0))
    number = max(1, ceil(sums[-1] / most))
    while True:
        cuts = [0, *(_nearest(sums, sums[-1] * n / number) for n in range(1, number)), len(weights)]
        cuts = list(dict.fromkeys(cuts))
        if all(sums[end] - sums[start] <= most for start, end in pairwise(cuts)):
            return cuts
        number += 1


def _nearest(sums: Sequence[int], at: float) -> int:
    after = bisect_left(sums, at)
    return after if sums[after] - at < at - sums[after - 1] else after - 1


def _number(name: str, known: int) -> int | None:
    """The number, from 0, of the item that a tag names, of so many; None if it names none."""
    match = _ALIAS.fullmatch(name.strip("<>[]()` ").casefold())
    return int(match[1]) - 1 if match and 0 < int(match[1]) <= known else None


def _wrong(known: int, most: int, answer: Folds) -> str:
    """What keeps an answer from being used: tags that were not shown, nothing kept, or far too many."""
    cited = (name for found in _BRACKETS.findall(answer.text) for name in _APART.split(found))
    tags = [*answer.keep, *(name for those in answer.merge for name in those)]
    tags += [name for name in cited if _ALIAS.fullmatch(name.casefold())]
    if strange := next((name for name in tags if _number(name, known) is None), None):
        return f"there is no finding {in_line(strange, 40)}: use f1 to f{known}"
    kept = {_number(name, known) for name in answer.keep}
    if not kept:
        return "it keeps none: keep what is most important"
    if len(kept) > ceil(most * LENIENT):
        return f"it keeps {len(kept)}: keep at most {most}"
    return ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a part, in order; how many were both kept and merged; and merges that were not believed."""

    items: tuple[Item, ...]
    both: int = 0
    unlike: int = 0


def kept_of(part: Part, form: Form) -> Kept:
    """What is kept of a part: as the model says, or the best by score."""
    if part.answer is None:
        return Kept(tuple(sorted(part.items, key=lambda item: item.standing)[: part.most]))
    into, unlike = _merges(part.answer, part.items)
    numbers = [n for name in part.answer.keep if (n := _number(name, len(part.items))) is not None]
    members: dict[int, list[Item]] = defaultdict(list)
    for n in sorted(into):
        members[_root(n, into)].append(part.items[n])
    roots = list(dict.fromkeys(_root(n, into) for n in numbers))[: part.most]
    items = [part.items[n].with_(members[n]) for n in roots]
    if items and (note := form.note(part.answer.text, part.items)):
        items = [replace(item, note="" if n else note) for n, item in enumerate(items)]
    return Kept(tuple(items), len(into.keys() & set(numbers)), unlike)


def _merges(answer: Folds, items: Sequence[Item]) -> tuple[dict[int, int], int]:
    """Which item goes into which, the first list that names it deciding; and how many merges were not believed."""
    into: dict[int, int] = {}
    unlike = 0
    for names in answer.merge:
        stop_if_abandoned()
        numbers = [n for name in names if (n := _number(name, len(items))) is not None]
        for n in numbers[1:]:
            lead, other = _root(numbers[0], into), _root(n, into)
            if lead == other:
                continue
            if alike(items[lead].entry, items[other].entry):
                into[other] = lead
            else:
                unlike += 1
    return into, unlike


def _root(n: int, into: Mapping[int, int]) -> int:
    while n in into:
        n = into[n]
    return n
