"""Looks every quote up in its source, each source read once however many quotes point to it.

A quote may come from a place (read through the roots, within what its worker was allowed), from `text:<subtask>`,
the prose of that result (its summary where it has no text), or from what tools of other servers and pages told its
worker, as far as that was kept (see `sight`). Anything else is out of reach, so `unchecked`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fanfold_workers.contract import UNKEPT, Evidence, Result, Verdict
from fanfold_workers.errors import FanfoldError, UnknownNameError
from fanfold_workers.tools.files import Files, split_place
from fanfold_workers.tools.roots import Root

from .sight import Seen, Sight, doubtful
from .source import MIN_CHARS, Found, Source, masked, numbered, plain, readings

__all__ = ["Absent", "Seen", "as_seen", "judged", "prose", "share", "verified"]

MAX_SOURCE_BYTES = 4 * 1024 * 1024
"""How much of a source is read; a quote beyond it stays unchecked."""
MAX_ACTUAL_CHARS = 400
RULES = "rules"
"""The engine whose findings are observations: their subjects are spelled exactly, and hold where they were seen."""
_TOKEN = re.compile(r"[A-Za-z0-9+/_=-]{16,}")
_DIGIT = re.compile(r"\d")

Key = tuple[int, int, int]
"""Which evidence: result, finding, evidence."""
Groups = Mapping[tuple[str, tuple[str, ...]], list[tuple[Key, Evidence]]]


def prose(result: Result) -> str:
    """The raw prose of a result: its text, or what a mind summed up if it brought nothing else."""
    return result.text or ("" if result.findings or result.engine == RULES else result.summary)


def verified(
    results: Sequence[Result],
    roots: Mapping[str, Root],
    places: Mapping[str, tuple[str, ...]],
    seen: Mapping[str, Seen] | None = None,
) -> tuple[Result, ...]:
    """The results with a verdict on each quote, and locators put right. Blocking: reads each source once.

    `places` says by subtask what its quotes may come from; a subtask it does not name may quote all roots. `seen` is
    what the workers were told, by subtask; see `as_seen`.
    """
    texts = {result.subtask: prose(result) for result in results}
    looked: dict[Key, Evidence] = {}
    for (source, allowed), quotes in _by_source(results, places, tuple(roots)).items():
        opened = _open(source, allowed, roots, texts)
        known: dict[Evidence, Evidence] = {}
        for key, evidence in quotes:
            if evidence not in known:
                known[evidence] = judged(evidence, opened)
            looked[key] = known[evidence]
    checked = tuple(_with(result, n, looked) for n, result in enumerate(results))
    return as_seen(checked, roots, places, seen) if seen else checked


def as_seen(
    results: Sequence[Result],
    roots: Mapping[str, Root],
    places: Mapping[str, tuple[str, ...]],
    seen: Mapping[str, Seen],
) -> tuple[Result, ...]:
    """Results that `verified` looked at, with what their workers saw taken into account. Blocking.

    What no place and no prose is the source of gets its verdict by what it told the worker: verified, altered, or, if
    all it told is here and nothing else the workers saw holds the quote, missing; see Sight.told. Its locator stays.

    A quote of a file that is missing there, but that a tool showed this worker as part of that file, was no
    invention: the file has changed since. It is not verified either, since who looks now will not find it. It is
    altered, with what stands at its locator now as `actual` ("" if nothing does).
    """
    sights = {subtask: Sight(one) for subtask, one in seen.items()}
    looked: dict[Key, Evidence] = {}
    for r, result in enumerate(results):
        allowed = places.get(result.subtask, tuple(roots))
        known: dict[Evidence, Evidence] = {}
        for f, finding in enumerate(result.findings):
            for e, evidence in enumerate(finding.evidence):
                if evidence not in known:
                    again = result.subtask in sights and doubtful(evidence)
                    known[evidence] = _again(evidence, allowed, roots, result.subtask, sights) if again else evidence
                looked[r, f, e] = known[evidence]
    return tuple(_with(result, n, looked) for n, result in enumerate(results))


def _again(
    evidence: Evidence, allowed: tuple[str, ...], roots: Mapping[str, Root], subtask: str, sights: Mapping[str, Sight]
) -> Evidence:
    """Evidence in doubt, judged by what the workers saw."""
    sight, source, quote = sights[subtask], evidence.source, evidence.quote
    if split_place(source)[0] in roots and not source.partition(":")[2].startswith("//"):
        if evidence.verdict is not Verdict.missing or not sight.showed(source, quote):
            return evidence
        opened = _open(source, allowed, roots, {})
        span = opened.span(evidence.locator) if isinstance(opened, Source) and evidence.locator else None
        now = opened.text[slice(*span)] if span and isinstance(opened, Source) else ""
        return _given(evidence, Verdict.altered, actual=_shown(plain(now), quote))
    verdict, actual = sight.told(source, quote)
    if verdict is Verdict.missing and any(one.holds(quote) for one in sights.values()):
        verdict = Verdict.unchecked  # a colleague's, handed on
    return _given(evidence, verdict, actual=_shown(actual, quote))


def _by_source(results: Sequence[Result], places: Mapping[str, tuple[str, ...]], every: tuple[str, ...]) -> Groups:
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[Key, Evidence]]] = defaultdict(list)
    for r, result in enumerate(results):
        allowed = places.get(result.subtask, every)
        for f, finding in enumerate(result.findings):
            for e, evidence in enumerate(finding.evidence):
                groups[evidence.source, allowed].append(((r, f, e), evidence))
    return groups


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no text to look in. `missing` if the source is known not to exist, else `unchecked`."""

    verdict: Verdict


def _open(
    source: str, allowed: tuple[str, ...], roots: Mapping[str, Root], texts: Mapping[str, str]
) -> Source | Absent:
    scheme, _, rest = source.partition(":")
    if scheme == "text":
        return Source(texts[rest]) if texts.get(rest) else Absent(Verdict.unchecked)
    if scheme not in roots or rest.startswith("//"):
        return Absent(Verdict.unchecked)
    files = Files(roots, allowed)
    try:
        text = files.text(source, MAX_SOURCE_BYTES)
        # A character takes four bytes at most.
        whole = text is None or 4 * len(text) < MAX_SOURCE_BYTES or not files.read(source, 1, MAX_SOURCE_BYTES)
    except UnknownNameError:
        return Absent(Verdict.unchecked if _is_folder(source, roots) else Verdict.missing)
    except (FanfoldError, OSError):
        return Absent(Verdict.unchecked)
    return Absent(Verdict.unchecked) if text is None else Source(text, whole)


def _is_folder(source: str, roots: Mapping[str, Root]) -> bool:
    name, path = split_place(source)
    try:
        roots[name].children(path)
    except FanfoldError:
        return not path
    return True


def judged(evidence: Evidence, source: Source | Absent) -> Evidence:
    """The evidence with the verdict of its source, and its locator put right.

    A quote that is not kept was looked up before it went: its verdict stands. Whoever hands such a quote in from
    outside has no verdict to keep. A quote of fewer than four characters is verified where it says it is; elsewhere
    it proves nothing, so it is unchecked.
    """
    if evidence.quote == UNKEPT and evidence.verdict is not Verdict.unchecked:
        return evidence
    quotes = [] if evidence.quote == UNKEPT else readings(evidence.quote)
    if not quotes:
        return _given(evidence, Verdict.unchecked)
    if isinstance(source, Absent):
        return _given(evidence, source.verdict)
    if evidence.locator and any(_stands(quote, evidence.locator, source) for quote in quotes):
        return _given(evidence, Verdict.verified)
    if source.tired:
        return _given(evidence, Verdict.unchecked)
    return _elsewhere(evidence, quotes, source) or _alike(evidence, quotes[0], source)


def _elsewhere(evidence: Evidence, quotes: Sequence[str], source: Source) -> Evidence | None:
    """The evidence of a quote that stands where it does not say; None if it stands nowhere."""
    verdict = Verdict.moved if evidence.locator else Verdict.verified
    near = source.near(evidence.locator)
    for quote in quotes:
        if found := source.find(quote, near):
            if len(quote) < MIN_CHARS:
                return _given(evidence, Verdict.unchecked)
            return _given(evidence, verdict, locator=_locator(evidence, source, found))
    bare, lines = numbered(evidence.quote)
    if bare and _stands(bare, lines, source):
        same = evidence.locator and source.near(lines) == near
        return _given(evidence, Verdict.verified if same else verdict, locator=lines)
    return None


def _alike(evidence: Evidence, quote: str, source: Source) -> Evidence:
    """The evidence of a quote that stands nowhere, with what comes close to it if anything does."""
    near = source.near(evidence.locator)
    found = source.close(quote, near) if len(quote) >= 2 * MIN_CHARS else None
    if found := found or source.elided(quote, near):
        return _altered(evidence, source, found)
    return _given(evidence, Verdict.missing if source.whole and not source.tired else Verdict.unchecked)


def _stands(quote: str, locator: str, source: Source) -> bool:
    window, own = source.window(locator, len(quote))
    at = window.find(quote)
    if 0 <= at < max(own, 1):
        return True
    found = masked(quote, window)
    return found is not None and found.start < max(own, 1)


def _locator(evidence: Evidence, source: Source, found: Found) -> str:
    in_characters = evidence.locator.startswith("c") or evidence.source.startswith("text:")
    return (source.characters(found) if in_characters else "") or source.lines(found)


def _altered(evidence: Evidence, source: Source, found: Found) -> Evidence:
    actual = _shown(source.plain[found.start : found.end], evidence.quote)
    return _given(evidence, Verdict.altered, locator=_locator(evidence, source, found), actual=actual)


def _shown(text: str, quote: str) -> str:
    """What stands in place of a quote, as a report may show it: nothing in place of one with a masked secret."""
    return "" if "***" in quote else _veiled(text[:MAX_ACTUAL_CHARS])


def _veiled(text: str) -> str:
    """The text with the middle of anything that might be a secret masked: it was not asked for."""
    return _TOKEN.sub(lambda m: f"{m[0][:4]}{'*' * 8}" if _DIGIT.search(m[0]) else m[0], text)


def _given(evidence: Evidence, verdict: Verdict, *, locator: str | None = None, actual: str = "") -> Evidence:
    where = evidence.locator if locator is None else locator
    if (verdict, where, actual) == (evidence.verdict, evidence.locator, evidence.actual):
        return evidence
    return evidence.model_copy(update={"verdict": verdict, "locator": where, "actual": actual})


def _with(result: Result, n: int, seen: Mapping[Key, Evidence]) -> Result:
    findings = tuple(
        finding.model_copy(update={"evidence": _all(seen, n, f, len(finding.evidence))})
        for f, finding in enumerate(result.findings)
    )
    return result.model_copy(update={"findings": findings})


def _all(seen: Mapping[Key, Evidence], n: int, f: int, count: int) -> tuple[Evidence, ...]:
    return tuple(seen[n, f, e] for e in range(count))


def share(evidence: Iterable[Evidence]) -> tuple[float, int]:
    """Of the quotes that could be checked: how many stand (an altered one counts half), and how many there are."""
    worth = {Verdict.verified: 1.0, Verdict.moved: 1.0, Verdict.altered: 0.5, Verdict.missing: 0.0}
    checked = [worth[e.verdict] for e in evidence if e.verdict in worth]
    return sum(checked), len(checked)
