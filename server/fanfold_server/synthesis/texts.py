"""Prose handed in is cut into stretches; those that say what no other prose of the call says become findings.

No model: a stretch is drawn verbatim or not at all. Every text gets the same number of stretches, and the first of
each outranks the second of any, so that one long text cannot crowd out the others. Where a stretch stands in its text
makes no difference.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fanfold_server.records import Span
from fanfold_workers.contract import Evidence, Finding, Verdict

from .salience import ASKED, Prose, looks, tokens
from .sentences import Stretch, stretches
from .wording import STOP

KIND = "text.statement"
CHARS_PER_SPAN = 150
"""What a drawn sentence takes in a report, with its citation: the report's size decides how many are drawn."""
MIN_SPANS, MAX_SPANS = 3, 40
"""Stretches drawn from one text."""
FIRST, NEXT = 0.5, 0.4
"""Confidence in the best stretch of a text, and what each further one has of the one before."""
ECHO = 0.5
"""Of a stretch's words in those drawn before it from the same text: from here on it is an echo, and left."""
SCANT = 0.4
"""A stretch that says less than this share of what the best of its text says is not drawn."""
BESIDE = 0.5
"""What is left of the confidence where a worker put findings beside its prose: the prose most likely repeats them."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn from the prose of one call.

    Attributes:
        findings: by subtask, the best first, without ids.
        spans: by subtask, in order: they tile the text. `finding` holds the place in `findings`, counted from 1.
    """

    findings: Mapping[str, tuple[Finding, ...]]
    spans: Mapping[str, tuple[Span, ...]]


@dataclass(frozen=True, slots=True)
class _Heard:
    """A stretch, what it says, and how much that is."""

    salience: float
    stretch: Stretch
    text: str


def drawn(question: str, texts: Mapping[str, str], *, max_chars: int, beside: frozenset[str] = frozenset()) -> Drawn:
    """Draw findings from the texts, by id. Blocking: about a second for each 3 MB.

    `beside` names those whose worker gave findings as well.
    """
    cut = {name: [s for s in stretches(text) if not (s.heading or s.code)] for name, text in texts.items()}
    prose = Prose(texts[name][s.start : s.end] for name, those in cut.items() for s in those)
    asked = prose.asked(token for token in tokens(question) if token not in STOP and len(token) > 2)
    most = max(MIN_SPANS, min(MAX_SPANS, max_chars // (CHARS_PER_SPAN * max(1, len(texts)))))
    chosen: dict[str, list[_Heard]] = {}
    first = 0
    for name, those in cut.items():
        chosen[name] = _chosen(_heard(texts[name], those, first, prose, asked), most)
        first += len(those)
    top = max((heard.salience for those in chosen.values() for heard in those), default=1.0)
    findings = {
        name: tuple(_finding(name, n, heard, top, prose, name in beside) for n, heard in enumerate(those))
        for name, those in chosen.items()
    }
    return Drawn(findings, {name: _spans(name, text, chosen[name]) for name, text in texts.items()})


def _heard(
    text: str, cut: Sequence[Stretch], first: int, prose: Prose, asked: Mapping[int, tuple[str, float]]
) -> Iterator[_Heard]:
    for number, stretch in enumerate(cut, first):
        sentence = text[stretch.start : stretch.end]
        salience = prose.salience(number) * looks(sentence) * (1.0 + ASKED * prose.answers(number, asked))
        yield _Heard(salience, stretch, sentence)


def _chosen(heard: Iterable[_Heard], most: int) -> list[_Heard]:
    """The stretches that say most, each something else, the one that says most first."""
    best = heapq.nsmallest(most * 4, heard, key=lambda h: (-h.salience, h.stretch.start))
    kept: list[_Heard] = []
    said: set[str] = set()
    for one in best:
        words = {token for token in tokens(one.text) if token not in STOP}
        if not words or one.salience < SCANT * best[0].salience or len(words & said) > ECHO * len(words):
            continue
        kept.append(one)
        said |= words
        if len(kept) == most:
            break
    return kept


def _finding(name: str, n: int, heard: _Heard, top: float, prose: Prose, beside: bool) -> Finding:
    claim = " ".join(heard.text.split())
    confidence = FIRST * NEXT**n * (0.5 + 0.5 * heard.salience / max(top, 1e-9)) * (BESIDE if beside else 1.0)
    start, end = heard.stretch.start, heard.stretch.end
    return Finding(
        kind=KIND,
        subject=_subject(claim, prose),
        claim=claim,
        confidence=round(min(confidence, 1.0), 4),
        evidence=(
            Evidence(source=f"text:{name}", locator=f"c{start}-{end}", quote=heard.text, verdict=Verdict.verified),
        ),
    )


def _subject(claim: str, prose: Prose) -> str:
    """The rarest name in it that does not merely begin the sentence, else its rarest words."""
    words = claim.split()
    names = [w.strip(".,;:!?()[]\"'\u201c\u201d") for w in words[1:] if w[:1].isupper()]
    options = [name for name in names if len(name) > 1] or [t for t in tokens(claim) if t not in STOP]
    ranked = sorted(dict.fromkeys(options), key=lambda w: -_rarity(w, prose))
    return " ".join(ranked[: 1 if names else 3])[:120].strip() or claim[:60].strip()


def _rarity(word: str, prose: Prose) -> float:
    return max((prose.rarity(token) for token in tokens(word)), default=0.0)


def _spans(name: str, text: str, chosen: Sequence[_Heard]) -> tuple[Span, ...]:
    """The text as spans that tile it: what was drawn, and what lies between."""
    spans: list[Span] = []
    at = 0
    for n, heard in sorted(enumerate(chosen, 1), key=lambda item: item[1].stretch.start):
        if heard.stretch.start > at:
            spans.append(Span(text=f"text:{name}", start=at, end=heard.stretch.start))
        at = heard.stretch.end
        spans.append(Span(text=f"text:{name}", start=heard.stretch.start, end=at, finding=str(n)))
    if at < len(text):
        spans.append(Span(text=f"text:{name}", start=at, end=len(text)))
    return tuple(spans)
