"""Finds keys, tokens and passwords left in files, and shows none of them (see masking)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from fanfold_workers.contract import Evidence, Finding, Severity
from fanfold_workers.tools.expressions import Expression, expression
from fanfold_workers.tools.files import Files
from fanfold_workers.tools.toolbox import Answer, Inspect, Tool

from .literals import literals
from .masking import bits_per_char, identity, is_sequence, masked, masked_line
from .quoting import listed
from .survey import Survey, excerpt, projects, setting_of
from .vendors import PRIVATE_KEY, VENDORS

MAX_FINDINGS = 1_000
MAX_PLACES = 20
MAX_HITS_PER_FILE = 500
_AROUND = 600

_KNOWN: Expression = expression("|".join([PRIVATE_KEY, *(vendor.pattern for vendor in VENDORS)]))
_FORMS = tuple((re.compile(vendor.pattern), vendor) for vendor in VENDORS)
_TOKEN_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_KEY_LINE = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_PUBLISHED = frozenset(
    f"secret sha256:{hexadecimal}"
    for hexadecimal in ("2cafc097", "f2d6ca16", "2d1f7723", "7f75367e", "da816f9f", "900e6c2b", "0011cc25")
)
"""Examples that vendors print in their own manuals: three of Stripe's, two of jwt.io's, and Azurite's key."""
_INVENTED = re.compile(
    r"example|xxxx|\*\*\*|your|fake|dummy|sample|placeholder|redacted|change|insert|todo|replace|foobar|secret|invalid"
    r"|test|mock|demo|123456|abcdef|qwerty|deadbeef|0000000|password",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Hit:
    """One secret at one place: bytes of its text, the secret itself, how it may be shown, and what it is."""

    start: int
    end: int
    secret: str
    shown: str
    kind: str
    label: str
    severity: Severity
    confidence: float


@dataclass(slots=True)
class Sighting:
    """One secret, wherever it was seen."""

    hit: Hit
    severity: Severity
    setting: str
    places: list[Evidence] = field(default_factory=list[Evidence])
    count: int = 0


def inspect(files: Files, args: Inspect) -> Answer:
    """Every secret in the text files in reach, each once, with the places it stands in."""
    survey = Survey(files)
    seen: dict[str, Sighting] = {}
    full = 0
    for project in projects(files, args.under):
        for page in survey.pages(project.documents):
            data = page.text.encode("utf-8", "replace")
            if hits := list(islice(hits_in(page.place, data), MAX_HITS_PER_FILE)):
                full += len(hits) == MAX_HITS_PER_FILE
                _note(seen, project.inside(page.place), page.place, data, hits)
    found = sorted((_finding(name, s) for name, s in seen.items()), key=lambda f: (_RANK[f.severity], f.subject))
    text = listed(found, "No secret was found.", "secrets")
    return Answer(text, tuple(found[:MAX_FINDINGS]), survey.examined(), _gaps(survey, len(found), full))


def hits_in(place: str, data: bytes) -> Iterator[Hit]:
    """Every secret in the bytes of one file, by where it begins."""
    known = list(_vendor_hits(data))
    spans = [(hit.start, hit.end) for hit in known]
    loose = [h for h in _loose_hits(place, data) if not any(h.start < end and start < h.end for start, end in spans)]
    found = (hit for hit in known + loose if identity(hit.secret) not in _PUBLISHED)
    yield from sorted(found, key=lambda hit: hit.start)


def _vendor_hits(data: bytes) -> Iterator[Hit]:
    at = 0
    while match := _KNOWN.search(data, at):
        start, end = match.start(), match.end()
        at = end
        text = data[start:end].decode("latin-1")
        if "PRIVATE KEY" in text or text.startswith("PuTTY"):
            if hit := _private_key(data, start, end, text):
                yield hit
        elif hit := _vendor_hit(data, start, end, text):
            yield hit


def _vendor_hit(data: bytes, start: int, end: int, text: str) -> Hit | None:
    vendor = next((vendor for form, vendor in _FORMS if form.fullmatch(text)), None)
    goes_on = end < len(data) and data[end] in _TOKEN_BYTES
    if vendor is None or goes_on or _in_a_blob(data, start):
        return None
    if vendor.genuine and not vendor.genuine(text):
        return None
    if not vendor.encoded and _is_invented(text[vendor.prefix :]):
        return None
    kind = "secrets.token" if vendor.encoded else "secrets.key"
    confidence = 0.98 if vendor.genuine else 0.9
    shown = masked(text, vendor.prefix)
    return Hit(start, end, text, shown, kind, vendor.label, vendor.severity, confidence)


def _in_a_blob(data: bytes, start: int) -> bool:
    """Whether it only happens to begin inside a long run of base64."""
    before = data[max(0, start - 40) : start].decode("latin-1")
    return bool(re.search(r"[A-Za-z0-9+/]{24,}[+/]$", before))


def _is_invented(body: str) -> bool:
    return bool(_INVENTED.search(body)) or bits_per_char(body) < 2.8 or is_sequence(body)


def _private_key(data: bytes, start: int, end: int, header: str) -> Hit | None:
    """A private key, if key material follows its header: code that only names the header is none."""
    stop = data.find(b"-----", end, end + 20_000)
    after = data[end : stop if stop > 0 else end + 4_000].decode("latin-1")
    body = "".join(_KEY_LINE.findall(after.replace("\\n", "\n").replace("\\r", "\n")))
    if len(body) < 60 or bits_per_char(body) < 4 or (stop < 0 and len(body) < 200):
        return None
    locked = "ENCRYPTED" in header or "ENCRYPTED" in after[:200]
    label = "a private key under a passphrase" if locked else "a private key"
    severity = Severity.high if locked else Severity.critical
    return Hit(start, end, body, header.strip(), "secrets.private_key", label, severity, 0.95)


def _loose_hits(place: str, data: bytes) -> Iterator[Hit]:
    for literal in literals(place, data):
        kind, label = "secrets.entropy", f"a random value given to {literal.name}"
        if literal.in_address:
            kind, label = "secrets.address", "a password in an address"
        shown = masked(literal.value)
        yield Hit(literal.start, literal.end, literal.value, shown, kind, label, Severity.medium, 0.7)


def _note(seen: dict[str, Sighting], path: str, source: str, data: bytes, hits: list[Hit]) -> None:
    setting, line, counted = setting_of(path), 1, 0
    for hit in hits:
        line += data.count(b"\n", counted, hit.start)
        counted = hit.start
        severity = Severity.low if setting else hit.severity
        sighting = seen.setdefault(identity(hit.secret), Sighting(hit, severity, setting))
        sighting.count += 1
        if _RANK[severity] < _RANK[sighting.severity]:
            sighting.severity, sighting.setting = severity, setting
        if len(sighting.places) < MAX_PLACES:
            quote = _quote(data, hit, hits)
            sighting.places.append(Evidence(source=source, locator=f"L{line}", quote=quote))


def _quote(data: bytes, hit: Hit, hits: list[Hit]) -> str:
    """The line, or what surrounds the secret in a long one, with every secret in it masked."""
    if hit.kind == "secrets.private_key":
        return hit.shown
    low = max(data.rfind(b"\n", 0, hit.start) + 1, hit.start - _AROUND)
    end = data.find(b"\n", hit.end)
    high = min(hit.end + _AROUND, end if end >= 0 else len(data))
    near = {h.secret: h.shown for h in hits if low <= h.start < high and h.kind != "secrets.private_key"}
    line = masked_line(data[low:high].decode("utf-8", "replace"), near)
    return excerpt(line, max(0, line.find(hit.shown)))


_RANK = {severity: rank for rank, severity in enumerate(Severity)}


def _finding(name: str, sighting: Sighting) -> Finding:
    hit, count = sighting.hit, sighting.count
    where = f"in {count} places" if count > 1 else "once"
    setting = f", {sighting.setting}" if sighting.setting else ""
    shown = "" if hit.kind == "secrets.private_key" else f" ({hit.shown})"
    return Finding(
        kind=hit.kind,
        subject=name,
        claim=f"{hit.label[0].upper()}{hit.label[1:]}{shown} stands {where}{setting}.",
        severity=sighting.severity,
        confidence=hit.confidence,
        evidence=tuple(sighting.places),
        count=count,
    )


def _gaps(survey: Survey, found: int, full: int) -> tuple[str, ...]:
    more = [f"{found - MAX_FINDINGS} further secrets are not listed."] if found > MAX_FINDINGS else []
    over = [f"In {full} files only the first {MAX_HITS_PER_FILE} secrets were counted."] if full else []
    return (*survey.gaps(), *more, *over)


TOOL: Tool[Inspect] = Tool(
    name="secrets",
    description=(
        "Find keys, tokens, private keys and passwords left in files. Each is named by a hash and shown masked, with "
        "path, line and masked quote; one in a test or an example is of low severity. Use it to audit a repository."
    ),
    arguments=Inspect,
    run=inspect,
    inspection=True,
    hints=(
        "secret",
        "secrets",
        "credential",
        "credentials",
        "api key",
        "password",
        "private key",
        "leaked",
        "token leak",
    ),
)
