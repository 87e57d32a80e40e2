"""Looks every quote up in its source, each source read once however many quotes point to it.

A quote may come from a place (read through the roots, within what its worker was allowed) or from `text:<subtask>`,
the prose of that result (its summary where it has no text). Anything else is out of reach, so `unchecked`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fanfold_workers.contract import UNKEPT, Evidence, Result, Verdict
from fanfold_workers.errors import FanfoldError, UnknownNameError
from fanfold_workers.tools.files import Files, split_place
from fanfold_workers.tools.roots import Root

from .source import MIN_CHARS, Found, Source, masked, trimmed

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
    results: Sequence[Result], roots: Mapping[str, Root], places: Mapping[str, tuple[str, ...]]
) -> tuple[Result, ...]:
    """The results with a verdict on each quote, and locators put right. Blocking: reads each source once.

    `places` says by subtask what its quotes may come from; a subtask it does not name may quote all roots.
    """
    texts = {result.subtask: prose(result) for result in results}
    seen: dict[Key, Evidence] = {}
    for (source, allowed), quotes in _by_source(results, places, tuple(roots)).items():
        opened = _open(source, allowed, roots, texts)
        known: dict[Evidence, Evidence] = {}
        for key, evidence in quotes:
            if evidence not in known:
                known[evidence] = judged(evidence, opened)
            seen[key] = known[evidence]
    return tuple(_with(result, n, seen) for n, result in enumerate(results))


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
    outside has no verdict to keep.
    """
    if evidence.quote == UNKEPT and evidence.verdict is not Verdict.unchecked:
        return evidence
    quote = "" if evidence.quote == UNKEPT else trimmed(evidence.quote)
    if not quote:
        return _given(evidence, Verdict.unchecked)
    if isinstance(source, Absent):
        return _given(evidence, source.verdict)
    if evidence.locator and _stands(quote, evidence.locator, source):
        return _given(evidence, Verdict.verified)
    if source.tired:
        return _given(evidence, Verdict.unchecked)
    near = source.near(evidence.locator)
    if len(quote) >= MIN_CHARS and (found := source.find(quote, near)):
        verdict = Verdict.moved if evidence.locator else Verdict.verified
        return _given(evidence, verdict, locator=_locator(evidence, source, found))
    if len(quote) >= 2 * MIN_CHARS and (found := source.close(quote, near)):
        return _altered(evidence, source, found)
    return _given(evidence, Verdict.missing if source.whole else Verdict.unchecked)


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
    actual = "" if "***" in evidence.quote else _veiled(source.plain[found.start : found.end][:MAX_ACTUAL_CHARS])
    return _given(evidence, Verdict.altered, locator=_locator(evidence, source, found), actual=actual)


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
