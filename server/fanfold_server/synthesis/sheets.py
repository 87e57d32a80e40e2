"""How entries are shown to a model: whole, or within a share of the room, and nothing in them passes for a tag."""

import re
from collections.abc import Iterable, Iterator, Sequence

from fanfold_server.records import Entry
from fanfold_workers.contract import Severity
from fanfold_workers.models.tokens import count
from fanfold_workers.tools.legible import legible

from .entries import SAID
from .markdown import clean, counted, cut
from .markdown import shown as visible

SHARE = 6
"""No entry takes more than this part of a request (one in so many): there must be others to compare it with."""
LEAST_LINE = 24
"""A line of fewer tokens is not begun."""
MAX_SOURCE, MAX_SUBJECT = 160, 120

_TAGS = re.compile(r"<(?=\s*/?\s*(?:question|notes|findings)\b)", re.IGNORECASE)
_ALSO_ID = re.compile(r" \[[^\[\]]*\]$")


def sheets(entries: Sequence[Entry], room: int, notes: Sequence[str] = ()) -> list[str]:
    """The entries as the lead is shown them, by id: whole, or each within its share of the room.

    What `folded` left for that room fits in it, with its notes, if they are named here, and a newline after each.
    """
    whole = [shown(entry) for entry in entries]
    if sum(count(text + "\n") for text in whole) + sum(map(note_tokens, notes)) <= room:
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
    lines = [harmless(line) for line in (f"{head} {about}{claim}", *_lines(entry, claim, ids=not name))]
    text = "\n".join(lines)
    if most is None or count(text + "\n") <= most:
        return text
    if count(lines[0] + "\n") > most:
        return shortened(harmless(f"{head} {claim}"), most - 1)
    return "\n".join(_within(lines, most))


def harmless(text: str) -> str:
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


def question_in(question: str, most: int) -> str:
    """The question in at most so many tokens, cut in its middle."""
    text = harmless(legible(question)).strip()
    if count(text) <= most:
        return text or "What do these findings say?"
    end = shortened(text[::-1], most // 2).removesuffix("\u2026")[::-1]
    return shortened(text, most // 2) + end


def note_tokens(note: str) -> int:
    """Tokens of a note in a list."""
    return count(f"- {harmless(note)}\n") if note else 0
