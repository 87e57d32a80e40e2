"""Random-looking values in the places of secrets: given to a name like `api_key`, or as a password in an address."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from fanfold_workers.tools.expressions import Expression, expression

from .masking import looks_random

_NAME = (
    r"(?:secrets?|passw(?:or)?d|passphrase|pwd|token|api_?key|access_?key|secret_?key|private_?key|auth_?key"
    r"|encryption_?key|signing_?key|account_?key|master_?key|shared_?key|credentials?)"
)
_VALUE = r"[A-Za-z0-9+/=_.~!@#$%^&*-]{16,200}"
_QUOTED: Expression = expression(
    rf"{_NAME}(?:[\"'\]]{{0,2}}\s{{0,3}}(?::\s?str(?:ing)?\s?=|:=|=>|[:=])|[\"'],)\s{{0,3}}[bru]{{0,2}}[\"'`]{_VALUE}[\"'`]",
    ignore_case=True,
)
_BARE: Expression = expression(
    rf"^[\t ]*(?:export |- |ENV )?[A-Za-z0-9_.-]{{0,60}}{_NAME}[\t ]?[:=][\t ]?{_VALUE}[\t ]*$", ignore_case=True
)
_ADDRESS: Expression = expression(r"\b[a-z][a-z0-9+.]{1,20}://[A-Za-z0-9_.%-]{0,60}:[^\s/@:\"'<>{}]{10,100}@[a-z0-9]")
_SETTINGS_FILE = re.compile(
    r"(?:\.(?:env|ini|cfg|conf|cnf|properties|ya?ml|toml|tf|tfvars|sh|envrc)|/\.env[\w.]*|Dockerfile)$"
)
_TAIL = re.compile(r"([\"'`]?)([^\s\"'`=:]*[A-Za-z0-9+/_.~!@#$%^&*-]+={0,2})\1\s*$")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{0,60}\Z")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_TOKENS = frozenset(
    {"access", "admin", "api", "app", "auth", "bearer", "bot", "deploy", "id", "jwt", "oauth", "personal", "private"}
    | {"refresh", "secret", "security", "service", "session", "user", "webhook", ""}
)
"""What the word before `token` is where the token opens something; others page through lists or mark requests."""
_NO_KEYS = frozenset({"cache", "fake", "idempotency", "partition", "public", "request", "sort", "dummy", "test"})
_HASHED = re.compile(r"\$[0-9a-z]{1,10}\$|[a-z0-9_]{3,20}\$|ey[A-Za-z0-9_-]*\.*", re.IGNORECASE)
"""How a hashed password begins, and JSON in base64: neither opens anything by itself."""
_WORDS = re.compile(
    r"example|sample|xxxx|your|fake|dummy|placeholder|redacted|change|insert|todo|replace|foobar|secret|invalid|test|mock"
    r"|demo|123456|abcdef|qwerty|deadbeef|password|token|key|user|admin|http|localhost|\.(?:com|org|net|io|py|json|txt)$",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-f]{4,12}(?:-[0-9a-f]{4,12})+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value in a secret's place: bytes of its text, the value, and the name it is given to."""

    start: int
    end: int
    value: str
    name: str
    in_address: bool = False


def literals(place: str, data: bytes) -> Iterator[Literal]:
    """Every value in a secret's place in one file that looks random and is no placeholder."""
    bare = (_BARE,) if _SETTINGS_FILE.search(place) else ()
    for form in (_QUOTED, *bare):
        for start, end in _spans(form, data):
            if literal := _assigned(data, start, end):
                yield literal
    for start, end in _spans(_ADDRESS, data):
        if literal := _in_address(data, start, end):
            yield literal


def _spans(form: Expression, data: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while match := form.search(data, at):
        yield match.start(), match.end()
        at = max(match.end(), at + 1)


def _assigned(data: bytes, start: int, end: int) -> Literal | None:
    text = data[start:end].decode("latin-1")
    tail = _TAIL.search(text)
    if tail is None:
        return None
    value, named = tail[2], text[: tail.start()]
    before = _IDENTIFIER.search(data[max(0, start - 60) : start].decode("latin-1"))
    name = (before[0] if before else "") + re.split(r"[\"'\s\]:=,]", named.strip(), maxsplit=1)[0]
    if not _opens(name) or _is_plain(value):
        return None
    at = start + tail.start(2)
    return Literal(at, at + len(value), value, name[-60:])


def _opens(name: str) -> bool:
    """Whether a name that ends like a secret's is one: `auth_token` is, `next_page_token` is none."""
    words = ["", "", *(word.lower() for word in _WORD.findall(name))]
    if words[-1] == "token":
        return words[-2] in _TOKENS or name.isupper()
    return words[-2] not in _NO_KEYS


def _is_plain(value: str) -> bool:
    """Whether a value is words, a placeholder, an id, a hash, or readable text in base64."""
    if _WORDS.search(value) or _UUID.fullmatch(value) or _HASHED.match(value) or ".." in value:
        return True
    return not looks_random(value) or _reads(value)


def _reads(value: str) -> bool:
    try:
        return base64.b64decode(value, validate=True).decode("ascii").isprintable()
    except (binascii.Error, ValueError):
        return False


def _in_address(data: bytes, start: int, end: int) -> Literal | None:
    text = data[start : end - 2].decode("latin-1")
    value = text.rpartition(":")[2]
    if _WORDS.search(value) or not looks_random(value, least=10):
        return None
    at = end - 2 - len(value)
    return Literal(at, at + len(value), value, "an address", in_address=True)
