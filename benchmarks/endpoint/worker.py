"""The mind `worker`: a rule-driven worker that looks, reads, notes what it can prove, and reports.

Its tools are what the request offers, and their arguments are filled as the request's schemas ask. All it quotes is
copied from tool results that it was shown. It leaves secrets to the inspections, which mask them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.endpoint.behaviour import draw
from benchmarks.endpoint.draft import Draft
from benchmarks.endpoint.filling import Filler
from benchmarks.endpoint.prompt import Prompt
from benchmarks.endpoint.shown import Found, Shown, Sight, shown

LOOK = ("list", "secrets", "dependencies", "tests")
READ, NOTE, REPORT = "read", "note_findings", "report"
PLACE = re.compile(r"^[A-Za-z0-9](?:[\w.-]*\w)?(?::.*)?$")
_SIZE = re.compile(r"\s*\([^()]*\)$")
_REPORT_NOW = re.compile(r"\breport`? now\b", re.IGNORECASE)
_BINARY = re.compile(r"\.(?:png|jpe?g|gif|ico|pdf|zip|gz|whl|so|pyc|woff2?|ttf|mo)$", re.IGNORECASE)
MAX_FINDINGS = 20
MIN_QUOTE_CHARS = 4


def worker(prompt: Prompt) -> Draft:
    """The next step: look around, read a file, note findings, report; at once if asked to report now."""
    seen = shown(result.text for result in prompt.results)
    hurried = prompt.forced == REPORT or (prompt.turn > 0 and _REPORT_NOW.search(prompt.said[-1]))
    steps = () if hurried else (_look, _read, _note)
    for step in steps:
        if draft := step(prompt, seen):
            return draft
    return _report(prompt, seen)


def places_of(prompt: Prompt) -> list[str]:
    """The places that the request names, one a line or with commas between; if some are indented, those alone."""
    lines = [_SIZE.sub("", line) for line in prompt.tag("places").splitlines()]
    inner = [line for line in lines if line.startswith("  ") and PLACE.match(line.strip())]
    named = [part.strip(" -`") for line in inner or lines for part in line.split(",")]
    return [place for place in named if PLACE.match(place)]


def _look(prompt: Prompt, _seen: Shown) -> Draft | None:
    tools = [name for name in LOOK if name in prompt.tools]
    if not tools or set(tools) & set(prompt.called):
        return None
    places = places_of(prompt)
    where = places[0] if len(places) == 1 else ""
    known = {"under": where, "place": where, "path": where, "question": prompt.tag("objective")}
    calls = tuple(_call(prompt, tool, known) for tool in tools)
    return Draft(f"Simulated worker: looking at {', '.join(places)[:200] or 'what is in reach'}.", calls)


def _read(prompt: Prompt, seen: Shown) -> Draft | None:
    file = _file(prompt, seen)
    if READ not in prompt.tools or READ in prompt.called or not file:
        return None
    known = {"place": file, "path": file, "file": file}
    return Draft(f"Simulated worker: reading {file}.", (_call(prompt, READ, known),))


def _file(prompt: Prompt, seen: Shown) -> str:
    """The file of the first finding that is no secret, else one of those listed."""
    named = [found.source for found in seen.found if not _secret(found)]
    listed = [place for place in seen.files if not _BINARY.search(place)]
    if named or not listed:
        return named[0] if named else ""
    return listed[int(draw(prompt.id, "file") * len(listed))]


def _note(prompt: Prompt, seen: Shown) -> Draft | None:
    findings = list(_findings(seen))[:MAX_FINDINGS]
    if NOTE not in prompt.tools or NOTE in prompt.called or not (findings or seen.adoptable):
        return None
    known = {"findings": findings, "adopt": [{"ref": ref} for ref in seen.adoptable]}
    return Draft("Simulated worker: noting what was shown.", (_call(prompt, NOTE, known),))


def _findings(seen: Shown) -> Iterator[dict[str, Any]]:
    """What inspections found where the line was shown too, and what the files that were read begin with.

    What can be taken over as it is need not be written down.
    """
    for found in () if seen.adoptable else seen.found:
        sight = seen.sights.get((found.source, found.line))
        if sight and sight.text and not _secret(found):
            yield _finding(sight, found.claim, found.severity)
    read: set[str] = set()
    for sight in seen.sights.values():
        if sight.source not in read and len(sight.text) >= MIN_QUOTE_CHARS and "more characters" not in sight.text:
            read.add(sight.source)
            yield _finding(sight, f"{sight.source} says this in line {sight.line} (simulated reading).", "info")


def _finding(sight: Sight, claim: str, severity: str) -> dict[str, Any]:
    evidence = {"source": sight.source, "locator": f"L{sight.line}", "quote": sight.text[:2_000]}
    return {
        "subject": sight.source[:300],
        "claim": claim[:1_000],
        "severity": severity,
        "confidence": 0.8,
        "evidence": [evidence],
    }


def _secret(found: Found) -> bool:
    return found.kind.startswith("secret")


def _report(prompt: Prompt, seen: Shown) -> Draft:
    read = len({source for source, _ in seen.sights})
    summary = (
        f"Simulated worker: {len(seen.files)} files listed, {read} read, {len(seen.found)} findings of inspections."
    )
    if REPORT not in prompt.tools:
        return Draft(summary)
    gaps = [] if read >= len(seen.files) else [f"A simulated worker read {read} of {len(seen.files)} files itself."]
    return Draft("", (_call(prompt, REPORT, {"summary": summary, "findings": [], "gaps": gaps}),))


def _call(prompt: Prompt, tool: str, known: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """A call of the tool with what its schema has room for."""
    schema = prompt.tools[tool]
    return tool, Filler(schema).object(schema, known)
