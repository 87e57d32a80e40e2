"""The fold: where there are more entries than the lead has room for, the worker model selects and merges them.

The entries stand in plan order and are cut into groups of about the same size; each group is one request, which says
what to keep, what says the same, and why. What is kept is grouped again until it fits. Every survivor carries its own
quotes, word for word, and those of whatever was merged into it; what was said of a group goes up beside them. A group
that the model gave no usable answer about is ranked by score, and a remark says so.
"""

import json
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, pairwise
from math import ceil
from typing import Any

import anyio
from pydantic import BaseModel, ConfigDict

from fanfold_server.records import Cited, Entry
from fanfold_workers.aside import Aside, stop_if_abandoned
from fanfold_workers.contract import Severity
from fanfold_workers.errors import ModelError, OverBudgetError, TooLongError
from fanfold_workers.models.tokens import count
from fanfold_workers.tools.legible import in_line, legible

from .desk import SAFETY, Desk, Question, Unusable, Words, lean, prompt
from .entries import SAID
from .ledger import MAX_ALSO, MAX_EVIDENCE, OWN_EVIDENCE
from .markdown import clean, counted, cut
from .markdown import shown as visible
from .weigh import SEVERITY
from .wording import words_of

REQUEST_TOKENS = 24_000
"""A request and its answer, at worst: so long that instructions are 4 % of it, so short that it is weighed as one."""
FAN = 8
"""A level keeps one in so many at the least: two levels read an eighth more than one."""
SHARE = 6
"""No entry takes more than this part of a request (one in so many): there must be others to compare it with."""
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
NOTES = 8
"""The part of the lead's room that notes may take (one in so many)."""
LEAST_TOKENS = 600
"""Where fewer tokens of entries fit in a request nothing is asked."""
SPLITS = 3
"""How often a group is halved whose request or answer was too long."""
LENIENT = 1.25
"""Who keeps so many times what he may loses the last of them; who keeps more is asked again."""
LEAST_LINE = 24
"""A line of fewer tokens is not begun."""
MAX_SOURCE, MAX_SUBJECT = 160, 120
MAX_REASONS, MAX_STRETCHES = 5, 3
APART = frozenset({"disputed", "contradicted"})
"""What is so marked is merged with nothing: its other side must be seen."""

_TAGS = re.compile(r"<(?=\s*/?\s*(?:question|notes|findings)\b)", re.IGNORECASE)
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_ANY_BRACKETS = re.compile(rf"{_BRACKETS.pattern}|[\[\]]")
_APART = re.compile(r"[,;\s]+")
_ALSO_ID = re.compile(r" \[[^\[\]]*\]$")
_ALIAS = re.compile(r"f(\d{1,9})")
_FIGURES = re.compile(r"\d+(?:[.,]\d+)*")


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
class Folded:
    """What is left for the lead.

    Attributes:
        entries: ranked. Those that nothing was merged into are the very ones that came in.
        notes: what the model said of the groups at the top, the weightiest first, citing findings as `[id]`.
        merged: of each finding of an entry that was merged into a survivor, the id that leads the survivor. What was
            merged into an entry that did not survive is not in it: it is below the cut, as that entry is.
        remarks: short sentences for the report.
    """

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    merged: Mapping[str, str] = field(default_factory=dict[str, str])
    remarks: tuple[str, ...] = ()


async def folded(
    desk: Desk, question: str, entries: Sequence[Entry], order: Mapping[str, int], *, room: int, aside: Aside
) -> Folded:
    """Select and merge entries until they fit the lead's request; nothing is asked where they all do.

    Args:
        desk: whose worker model is asked.
        question: what is to be answered.
        entries: ranked.
        order: the place of every finding in plan order, by id.
        room: tokens, as `count` has them, that the entries (see `sheets`) and the notes may take together.
        aside: where sizing and writing runs.
    """
    items = await aside(lambda: _items(entries, order))
    if _taken(items, room) <= room:
        return Folded(tuple(entries))
    return await _Fold(_Form.of(desk, question), room, aside).folded(items)


# -- how entries are shown -------------------------------------------------------------------------------------------


def sheets(entries: Sequence[Entry], room: int, notes: Sequence[str] = ()) -> list[str]:
    """The entries as the lead is shown them, by id: whole, or each within its share of the room.

    What `folded` left for that room fits in it, with its notes, if they are named here, and a newline after each.
    """
    whole = [shown(entry) for entry in entries]
    if sum(count(text + "\n") for text in whole) + sum(map(_weight, notes)) <= room:
        return whole
    return [shown(entry, most=room // SHARE) for entry in entries]


def shown(entry: Entry, name: str = "", most: int | None = None) -> str:
    """An entry, a line for its claim and for each quote, in at most so many tokens.

    It stands under its leading finding's `[id]`, with the ids of what was joined to it; or under another name and
    without any id. What does not fit is left out from the end, a line is cut at an ellipsis; the claim comes first.
    """
    claim = clean(entry.claim)
    subject = clean(cut(entry.subject, MAX_SUBJECT))
    head = f"{name or f'[{entry.findings[0]}]'}{_facts(entry)}"
    about = "" if subject in claim else f"{subject}: "
    lines = [_harmless(line) for line in (f"{head} {about}{claim}", *_lines(entry, claim, ids=not name))]
    text = "\n".join(lines)
    if most is None or count(text + "\n") <= most:
        return text
    if count(lines[0] + "\n") > most:
        return shortened(_harmless(f"{head} {claim}"), most - 1)
    return "\n".join(_within(lines, most))


def _harmless(text: str) -> str:
    """The text without anything that could pass for a tag of ours."""
    return _TAGS.sub("&lt;", text)


def _facts(entry: Entry) -> str:
    facts = [] if entry.severity is Severity.info else [entry.severity.value]
    if entry.support > 1:
        facts.append(counted(entry.support, "worker"))
    if entry.occurrences > 1:
        facts.append(counted(entry.occurrences, "time"))
    facts += [mark for mark in entry.marks if mark != "drawn"]
    return f" ({', '.join(facts)})" if facts else ""


def _lines(entry: Entry, claim: str, *, ids: bool) -> Iterator[str]:
    """Its quotes, then what else is claimed. A quote that is the claim itself is not repeated."""
    for quote in entry.evidence:
        whose = f"[{quote.finding}] " if ids and quote.finding != entry.findings[0] else ""
        said = "" if clean(quote.quote) in claim else f": {visible(quote.quote)}"
        reads = f" (reads: {visible(quote.actual)})" if quote.actual else ""
        doubt = f" ({SAID[quote.verdict]})" if SAID[quote.verdict] and not reads else ""
        if quote.source.startswith("text:") and not (whose or said or reads or doubt):
            continue  # a claim that is drawn from a text says all that its place would: the id resolves it
        yield f"| {whose}{clean(f'{cut(quote.source, MAX_SOURCE)} {quote.locator}')}{said}{reads}{doubt}"
    for also in entry.also:
        yield f"+ {clean(also if ids else _ALSO_ID.sub('', also))}"


def _within(lines: Iterable[str], most: int) -> Iterator[str]:
    """The first lines, the last of them cut, in so many tokens."""
    for n, line in enumerate(lines):
        size = count(line + "\n")
        if size > most:
            if n == 0 or most >= LEAST_LINE:
                yield shortened(line, most - 1)
            return
        most -= size
        yield line


def shortened(text: str, most: int) -> str:
    """The text in at most so many tokens, cut at an ellipsis."""
    kept = text
    while (size := count(kept)) > most:
        keep = min(len(kept) * most // size, len(kept) - 2)
        if keep < 1:
            return ""
        kept = f"{text[:keep].rstrip()}\u2026"
    return kept


def _asked(question: str, most: int) -> str:
    """The question in at most so many tokens, cut in its middle."""
    text = _harmless(legible(question)).strip()
    if count(text) <= most:
        return text or "What do these findings say?"
    end = shortened(text[::-1], most // 2).removesuffix("\u2026")[::-1]
    return shortened(text, most // 2) + end


# -- what is folded --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Item:
    """An entry on its way up.

    Attributes:
        entry: with all that was merged into it.
        order: the place of its leading finding.
        tokens: shown whole.
        away: findings of the entries that were merged into it.
        note: what was said of the group that it came first in.
    """

    entry: Entry
    order: int
    tokens: int
    away: tuple[str, ...] = ()
    note: str = ""

    @property
    def lead(self) -> str:
        """The finding that speaks for it."""
        return self.entry.findings[0]

    @property
    def standing(self) -> tuple[float, float, int]:
        """Its place by score, severity first, the best first."""
        return -SEVERITY[self.entry.severity], -self.entry.score, self.order

    def with_(self, others: Sequence["_Item"]) -> "_Item":
        """With others merged into it."""
        if not others:
            return self
        entry = _joined(self.entry, [other.entry for other in others])
        away = (one for other in others for one in other.entry.findings)
        return _Item(entry, self.order, _tokens(entry), tuple(dict.fromkeys((*self.away, *away))))


def _items(entries: Sequence[Entry], order: Mapping[str, int]) -> list[_Item]:
    """In plan order. Blocking."""
    placed = ((entry, order.get(entry.findings[0], len(order))) for entry in entries)
    return sorted((_Item(entry, place, _tokens(entry)) for entry, place in placed), key=lambda item: item.order)


def _tokens(entry: Entry) -> int:
    """Of an entry shown whole. Under an alias it takes no more: `[s.1]` is longer than `f200`."""
    stop_if_abandoned()
    return count(shown(entry) + "\n")


def _taken(items: Iterable[_Item], room: int) -> int:
    """Tokens that the items take in the lead's request."""
    return sum(min(item.tokens, room // SHARE) for item in items)


def _fitting(ranked: Iterable[_Item], most: int, room: int) -> list[_Item]:
    """Those that fit, in their order; a shorter one may follow one that is too long."""
    kept: list[_Item] = []
    for item in ranked:
        size = _taken((item,), room)
        if size <= most:
            kept.append(item)
            most -= size
    return kept


def _joined(lead: Entry, others: Sequence[Entry]) -> Entry:
    """The leading entry with the findings, claims and quotes of the others, so far as an entry has room for them."""
    findings = tuple(dict.fromkeys(one for entry in (lead, *others) for one in entry.findings))
    also = (*lead.also, *(line for entry in others for line in (f"{entry.claim} [{entry.findings[0]}]", *entry.also)))
    workers = {one.rpartition(".")[0] for one in findings}
    return lead.model_copy(
        update={
            "also": tuple(dict.fromkeys(also))[:MAX_ALSO],
            "severity": max((e.severity for e in (lead, *others)), key=SEVERITY.__getitem__),
            "score": max(entry.score for entry in (lead, *others)),
            "support": max(len(workers), *(entry.support for entry in (lead, *others))),
            "findings": findings,
            "evidence": _evidence(lead, others),
            "occurrences": sum(entry.occurrences for entry in (lead, *others)),
            "marks": tuple(mark for mark in lead.marks if all(mark in entry.marks for entry in others)),
        }
    )


def _evidence(lead: Entry, others: Sequence[Entry]) -> tuple[Cited, ...]:
    """The leading entry's best quotes, then the best of each other, then what there is room for."""
    chosen = [*lead.evidence[:OWN_EVIDENCE], *(entry.evidence[0] for entry in others if entry.evidence)]
    rest = [*lead.evidence[OWN_EVIDENCE:], *(quote for entry in others for quote in entry.evidence[1:])]
    kept: dict[tuple[str, str, str], Cited] = {}
    for quote in (*chosen, *rest):
        kept.setdefault((quote.source, quote.locator, quote.quote), quote)
    return tuple(kept.values())[:MAX_EVIDENCE]


def _alike(one: Entry, other: Entry) -> bool:
    """Whether two entries may say the same: figures of neither at odds, both or neither denied, a word in common.

    A model that is wrong, or that a text has talked into it, must not make different findings count as one.
    """
    if not APART.isdisjoint((*one.marks, *other.marks)):
        return False
    mine, theirs = set(_FIGURES.findall(one.claim)), set(_FIGURES.findall(other.claim))
    words, others = words_of(one.claim), words_of(other.claim)
    if words.no != others.no or not (mine <= theirs or theirs <= mine):
        return False
    about = words_of(one.subject).words | words.words
    return not about.isdisjoint(words_of(other.subject).words | others.words)


# -- a request -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """A group of items, what is asked about it, and what came of that.

    Attributes:
        items: in plan order; the first is f1.
        most: how many may be kept.
        question: None for a single item, which is kept without asking.
        answer: None if there is none; then `why` says why not, and the items are ranked by score.
        long: whether it was too long, so that halves of it may do.
    """

    items: tuple[_Item, ...]
    most: int
    question: Question[Folds] | None = None
    answer: Folds | None = None
    why: str = ""
    long: bool = False


@dataclass(frozen=True, slots=True)
class _Form:
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
    def of(cls, desk: Desk, question: str) -> "_Form":
        """Sized to the worker's window. An answer that is no good must fit beside the next one."""
        window = desk.room("worker")
        output = min(desk.card("worker").max_output, window // SMALL)
        text = min(TEXT_TOKENS, output // 2)
        entries = min(MOST_ENTRIES, (output - text) // ALIAS_TOKENS)
        answer = text + ALIAS_TOKENS * entries
        limit = min(REQUEST_TOKENS, window - answer * 3 // 2 - AGAIN_TOKENS)
        free = int((limit - answer) / SAFETY) - count(prompt("fold").template) - count(SCHEMA)
        asked = _asked(question, max(1, free // QUESTION))
        room = free - count(_said(asked, ["-"], "", MOST_ENTRIES, MOST_ENTRIES))
        return cls(desk, asked, text, entries, limit, room if entries > 1 else 0)

    @property
    def why_not(self) -> str:
        """Why nothing can be asked, "" if it can."""
        if self.room >= LEAST_TOKENS:
            return ""
        return f"a window of {self.desk.room('worker'):,} tokens is too small to compare them in"

    def parts(self, items: Sequence[_Item], ratio: float) -> list[_Part]:
        """The items in groups of about the same size, and what is asked about each. Blocking."""
        least = ceil(self.room / self.entries)
        weights = [max(least, min(item.tokens, self.room // SHARE) + _weight(item.note)) for item in items]
        return [self.part(tuple(items[a:b]), ratio) for a, b in pairwise(_balanced(weights, self.room))]

    def halves(self, parts: Sequence[_Part], ratio: float) -> Iterator[_Part]:
        """What to ask in place of parts that were too long. Blocking."""
        for part in parts:
            middle = len(part.items) // 2
            for items in (part.items[:middle], part.items[middle:]):
                half = self.part(items, ratio)
                yield half if half.question else replace(half, why=part.why)

    def part(self, items: tuple[_Item, ...], ratio: float) -> _Part:
        """A group, and what is asked about it."""
        stop_if_abandoned()
        most = max(1, min(len(items) - 1, ceil(len(items) * ratio)))
        if len(items) < 2:
            return _Part(items, most)
        names = {one: n for n, item in enumerate(items, 1) for one in item.entry.findings}
        notes = [note for item in items if (note := _renamed(item.note, names))]
        asking = self._asking(items, notes, most)
        return _Part(items, most, asking if asking.tokens <= self.limit else self._asking(items, [], most))

    def _asking(self, items: Sequence[_Item], notes: Sequence[str], most: int) -> Question[Folds]:
        listed = "\n".join(shown(item.entry, f"f{n}", self.room // SHARE) for n, item in enumerate(items, 1))
        said = _said(self.question, notes, listed, most, len(items))
        answer = self.text + ALIAS_TOKENS * len(items)
        return Question("fold", Folds, prompt("fold").template, said, answer, check=partial(_wrong, len(items), most))

    def note(self, text: str, items: Sequence[_Item]) -> str:
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
    lines = "".join(f"- {_harmless(note)}\n" for note in notes)
    beside = f"<notes>\n{lines}</notes>\n" if lines else ""
    return (
        f"<question>\n{question}\n</question>\n{beside}<findings>\n{listed}\n</findings>\n\n"
        f"Keep at most {most} of these {number}. Answer with JSON that fits the schema."
    )


def _weight(note: str) -> int:
    """Tokens of a note in a list."""
    return count(f"- {_harmless(note)}\n") if note else 0


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


# -- an answer -------------------------------------------------------------------------------------------------------


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
class _Kept:
    """What is kept of a part, in order; how many were both kept and merged; and merges that were not believed."""

    items: tuple[_Item, ...]
    both: int = 0
    unlike: int = 0


def _kept(part: _Part, form: _Form) -> _Kept:
    """What is kept of a part: as the model says, or the best by score."""
    if part.answer is None:
        return _Kept(tuple(sorted(part.items, key=lambda item: item.standing)[: part.most]))
    into, unlike = _merges(part.answer, part.items)
    numbers = [n for name in part.answer.keep if (n := _number(name, len(part.items))) is not None]
    members: dict[int, list[_Item]] = defaultdict(list)
    for n in sorted(into):
        members[_root(n, into)].append(part.items[n])
    roots = list(dict.fromkeys(_root(n, into) for n in numbers))[: part.most]
    items = [part.items[n].with_(members[n]) for n in roots]
    if items and (note := form.note(part.answer.text, part.items)):
        items = [replace(item, note="" if n else note) for n, item in enumerate(items)]
    return _Kept(tuple(items), len(into.keys() & set(numbers)), unlike)


def _merges(answer: Folds, items: Sequence[_Item]) -> tuple[dict[int, int], int]:
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
            if _alike(items[lead].entry, items[other].entry):
                into[other] = lead
            else:
                unlike += 1
    return into, unlike


def _root(n: int, into: Mapping[int, int]) -> int:
    while n in into:
        n = into[n]
    return n


# -- the tree --------------------------------------------------------------------------------------------------------


@dataclass
class _Fold:
    """One fold on its way.

    Attributes:
        form: how requests are made.
        room: see folded.
        aside: where sizing and writing runs.
        stopped: why nothing more is asked, "" while it is.
        failed: stretches of findings that were ranked by score, by why.
        both, unlike: see _Kept.
    """

    form: _Form
    room: int
    aside: Aside
    stopped: str = ""
    failed: dict[str, list[tuple[_Item, ...]]] = field(default_factory=lambda: defaultdict(list))
    both: int = 0
    unlike: int = 0

    async def folded(self, items: list[_Item]) -> Folded:
        """Level upon level, until the items fit."""
        most = self.room - self.room // NOTES
        self.stopped = self.form.why_not
        ranked = items
        while (taken := _taken(items, self.room)) > most and not self.stopped:
            parts = await self._level(items, max(most / taken, 1 / FAN))
            ranked = await self.aside(partial(self._survivors, parts, max(most, taken // FAN)))
            items = sorted(ranked, key=lambda item: item.order)
        if _taken(items, self.room) > most:
            self.failed[self.stopped].append(tuple(items))
            ranked = _fitting(sorted(items, key=lambda item: item.standing), most, self.room)
        return self._result(ranked)

    async def _level(self, items: Sequence[_Item], ratio: float) -> list[_Part]:
        """Ask about all groups at once; those that were too long again, in halves."""
        done: list[_Part] = []
        waiting = await self.aside(lambda: self.form.parts(items, ratio))
        for split in range(SPLITS + 1):
            heard = await anyio.amap(self._heard, waiting)
            last = bool(self.stopped) or split == SPLITS
            done += [part for part in heard if last or not part.long]
            long = [part for part in heard if part.long]
            if last or not long:
                break
            waiting = await self.aside(partial(self._halves, long, ratio))
        return sorted(done, key=lambda part: part.items[0].order)

    def _halves(self, parts: Sequence[_Part], ratio: float) -> list[_Part]:
        """The parts in halves. Blocking."""
        return list(self.form.halves(parts, ratio))

    async def _heard(self, part: _Part) -> _Part:
        """The part with its answer, or with why there is none."""
        if part.question is None:
            return part
        try:
            answer = await self.form.desk.answer(part.question)
        except TooLongError as error:
            return replace(part, why=error.problem, long=True)
        except ModelError as error:
            return replace(part, why=error.problem)
        except OverBudgetError as error:
            # What is left differs from call to call; what helps does not.
            self.stopped = f"the next call might have cost more than is left. {error.remedy}"
            return replace(part, why=self.stopped)
        if isinstance(answer, Unusable):
            told = "the model refused" if answer.refused else "the model gave no usable answer"
            return replace(part, why=f"{told}: {in_line(answer.problem)}", long=answer.cut)
        return replace(part, answer=answer)

    def _survivors(self, parts: Sequence[_Part], most: int) -> list[_Item]:
        """What is kept of all parts, the first of each before the second of any, as much as fits. Blocking."""
        placed: list[tuple[int, _Item]] = []
        for part in parts:
            kept = _kept(part, self.form)
            self.both += kept.both
            self.unlike += kept.unlike
            if part.why:
                self.failed[part.why].append(part.items)
            placed += enumerate(kept.items)
        placed.sort(key=lambda one: (one[0], one[1].standing))
        return _fitting((item for _, item in placed), most, self.room)

    def _result(self, ranked: Sequence[_Item]) -> Folded:
        notes = [item.note for item in ranked if item.note]
        told: list[str] = []
        left = self.room // NOTES
        for note in notes:
            if (size := _weight(note)) <= left:
                told.append(note)
                left -= size
        return Folded(
            tuple(item.entry for item in ranked),
            tuple(told),
            {one: item.lead for item in ranked for one in item.away},
            tuple(self._remarks(len(notes) - len(told))),
        )

    def _remarks(self, untold: int) -> Iterator[str]:
        reasons = [(why.rstrip(". "), those) for why, those in self.failed.items()]
        if len(reasons) > MAX_REASONS:
            rest = [items for _, those in reasons[MAX_REASONS - 1 :] for items in those]
            reasons = [*reasons[: MAX_REASONS - 1], ("each stretch for a reason of its own", rest)]
        for why, those in reasons:
            number = len({item.lead for items in those for item in items})
            told = counted(number, "finding was", "findings were")
            yield f"{told} ranked by score, not by a model ({_stretches(those)}): {why}."
        if self.both:
            yield f"{counted(self.both, 'finding was', 'findings were')} both kept and merged: merged it is."
        if self.unlike:
            yield f"{counted(self.unlike, 'merge', 'merges')} of findings that do not say the same did not count."
        if untold:
            yield f"{counted(untold, 'note')} on groups of findings had no room."


def _stretches(those: Sequence[tuple[_Item, ...]]) -> str:
    """Which findings these are: from which to which, in plan order."""
    named = [" to ".join(dict.fromkeys((items[0].lead, items[-1].lead))) for items in those]
    more = len(named) - MAX_STRETCHES
    others = f" and {counted(more, 'more stretch', 'more stretches')}" if more > 0 else ""
    return ", ".join(named[:MAX_STRETCHES]) + others
