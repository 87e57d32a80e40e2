"""The findings part of a report: the first entries in full, the rest in a line each, by kind, as room allows.

A kind with ten thousand entries does not crowd out one with three: the lines go round the kinds in turn.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fanfold_server.records import Cited, Entry
from fanfold_workers.contract import Severity, Verdict

from .markdown import clean, code, counted, inline
from .texts import KIND as DRAWN

IN_FULL = 0.6
"""Share of the room that entries in full may take while others wait for a line."""
MAX_IN_FULL = 40
FEW = 12
"""Entries that are all told in full if they fit."""
MAX_QUOTES = 3
"""Quotes of an entry in full, besides one for each claim joined to it."""
MAX_JOINED = 6
"""Claims joined to an entry that are told with it."""
CLAIM_CHARS, QUOTE_CHARS, JOINED_CHARS, LINE_CHARS = 600, 160, 240, 180

SAID = {
    Verdict.verified: "",
    Verdict.moved: "",
    Verdict.altered: "the source reads differently",
    Verdict.missing: "not in its source",
    Verdict.unchecked: "not checked",
}


@dataclass(frozen=True, slots=True)
class Written:
    """A part of a report.

    Attributes:
        text: markdown without blank lines at its ends; "" if there is nothing to say.
        told: ids of the findings whose claim stands in it.
    """

    text: str
    told: frozenset[str] = frozenset()


def written(entries: Sequence[Entry], room: int, texts: int = 0) -> Written:
    """The entries, ranked, in at most `room` characters. `texts` is how many texts statements were drawn from."""
    named = [entry for entry in entries if entry.kind != DRAWN]
    room -= 260  # for headings and the line that says what was left out
    full, told, used = _in_full(named, room if len(entries) <= FEW else int(room * IN_FULL))
    lines = _in_lines([e for e in entries if e.findings[0] not in told], room - used)
    told |= {entry.findings[0] for those in lines.values() for entry, _ in those}
    parts = [f"## Findings\n\n{full}"] if full else []
    parts += _sections(lines, entries, told, texts, first=not full)
    left = sum(entry.findings[0] not in told for entry in entries)
    if left:
        parts.append(f"{counted(left, 'more entry', 'more entries')} would not fit; the ledger has them all.")
    return Written("\n\n".join(parts), told)


def _in_full(entries: Sequence[Entry], room: int) -> tuple[str, frozenset[str], int]:
    """The first entries in full; what they tell; and how much room they took."""
    blocks: list[str] = []
    told = frozenset[str]()
    used = 0
    for number, entry in enumerate(entries[:MAX_IN_FULL], 1):
        block, tells = _full(number, entry)
        if used + len(block) + 1 > room:
            break
        blocks.append(block)
        told |= tells
        used += len(block) + 1
    return "\n".join(blocks), told, used


def _full(number: int, entry: Entry) -> tuple[str, frozenset[str]]:
    marker = f"{number}. "
    indent = " " * len(marker)
    lead = entry.findings[0]
    lines = [f"{marker}**{inline(entry.subject, 120)}**: {inline(entry.claim, CLAIM_CHARS)} [{lead}]{_facts(entry)}"]
    joined = {_id_of(also): also for also in entry.also[:MAX_JOINED]}
    others = {_id_of(also) for also in entry.also}
    own = [quote for quote in entry.evidence if quote.finding not in others]
    lines += [f"{indent}- {_quoted(quote, entry.claim)}" for quote in own[:MAX_QUOTES]]
    for one, also in joined.items():
        quote = next((quote for quote in entry.evidence if quote.finding == one), None)
        said = inline(also.removesuffix(f" [{one}]"), JOINED_CHARS)
        lines.append(f"{indent}- {said} [{one}]{f': {_quoted(quote, also)}' if quote else ''}")
    if more := len(entry.also) - len(joined):
        lines.append(f"{indent}- and {counted(more, 'more claim')} about it")
    return "\n".join(lines), frozenset((lead, *joined))


def _id_of(also: str) -> str:
    return also.rpartition("[")[2].rstrip("]")


def _facts(entry: Entry) -> str:
    facts = [] if entry.severity is Severity.info else [entry.severity.value]
    if entry.support > 1:
        facts.append(counted(entry.support, "worker"))
    if entry.occurrences > 1:
        facts.append(counted(entry.occurrences, "occurrence"))
    facts += [mark for mark in entry.marks if mark != "drawn"]
    return f" *{', '.join(facts)}*" if facts else ""


def _quoted(quote: Cited, claim: str) -> str:
    """Where it stands and what it says; a quote that is the claim itself is not repeated."""
    text = "" if clean(quote.quote) in claim else code(quote.quote, QUOTE_CHARS)
    actual = f" (reads {code(quote.actual, QUOTE_CHARS)})" if quote.actual else ""
    said = f" ({SAID[quote.verdict]})" if SAID[quote.verdict] and not actual else ""
    return f"{code(quote.source, 200)} {quote.locator} {text}".rstrip() + actual + said


Lines = Mapping[str, list[tuple[Entry, str]]]


def _in_lines(entries: Sequence[Entry], room: int) -> Lines:
    """By kind, the entries that get a line, taking turns among the kinds by their best entry."""
    queues: dict[str, list[Entry]] = defaultdict(list)
    for entry in reversed(entries):
        queues[entry.kind].append(entry)
    order = list(dict.fromkeys(entry.kind for entry in entries))
    chosen: dict[str, list[tuple[Entry, str]]] = {}
    for entry in _in_turn(queues, order):
        line = _line(entry)
        cost = len(line) + 1 + (0 if entry.kind in chosen else 60 + len(entry.kind))
        if cost > room:
            break
        room -= cost
        chosen.setdefault(entry.kind, []).append((entry, line))
    return chosen


def _in_turn(queues: Mapping[str, list[Entry]], order: Iterable[str]) -> Iterator[Entry]:
    waiting = list(order)
    while waiting:
        for kind in waiting:
            yield queues[kind].pop()
        waiting = [kind for kind in waiting if queues[kind]]


def _line(entry: Entry) -> str:
    lead = entry.findings[0]
    quote = next((quote for quote in entry.evidence if quote.finding == lead), None)
    if entry.kind == DRAWN:
        return f"- {inline(entry.claim, CLAIM_CHARS)} [{lead}{_others(entry)}]"
    where = f", {code(quote.source, 160)} {quote.locator}".rstrip() if quote else ""
    marks = "".join(f" ({mark})" for mark in entry.marks)
    severity = f"{entry.severity}, " if entry.severity is not Severity.info else ""
    about = "" if clean(entry.subject) in entry.claim else f"**{inline(entry.subject, 120)}**: "
    return f"- {severity}{about}{inline(entry.claim, LINE_CHARS)} [{lead}{_others(entry)}]{where}{marks}"


def _others(entry: Entry) -> str:
    return f" and {len(entry.findings) - 1:,} more" if len(entry.findings) > 1 else ""


def _sections(
    lines: Lines, entries: Sequence[Entry], told: frozenset[str], texts: int, *, first: bool
) -> Iterator[str]:
    totals: dict[str, int] = defaultdict(int)
    for entry in entries:
        totals[entry.kind] += 1
    for kind, those in lines.items():
        rest = "\n".join(line for _, line in those)
        if kind == DRAWN:
            shown = f"{len(those):,} of {totals[kind]:,}" if len(those) < totals[kind] else f"{len(those):,}"
            yield f"## Drawn from {counted(texts, 'text')}, most telling first ({shown})\n\n{rest}"
        elif len(totals) == 1 and first:
            yield f"## Findings\n\n{rest}"
        else:
            part = f"{len(those):,} more" if not first else f"{len(those):,}"
            yield f"### `{kind}`: {part} of {totals[kind]:,}\n\n{rest}"
