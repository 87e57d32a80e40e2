"""What a value may be: each check takes it as it was given, and returns it as the settings hold it."""

import re
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

from fanfold_workers.errors import InputError
from fanfold_workers.models.catalog import Figures

from .given import Given

K = TypeVar("K", bound=str)

MAX_TEXT_CHARS = 1_000
PROVIDERS_OWN = "https://api.anthropic.com"
"""Where hosts point ANTHROPIC_BASE_URL when they mean no server in particular."""
ON, OFF = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})
DOMAIN = re.compile(r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$")
QUALITIES = ("primary", "secondary", "unknown", "forum", "farm")
"""Classes of sources, best first; what each counts, `synthesis/quality.py` says."""
SECRETS = frozenset({"key", "api_key", "apikey", "anthropic_api_key", "auth_token", "token"})
CORRECT = "Correct it, or leave it out."


def within(low: float, high: float) -> Callable[[Given], float]:
    """A number from low to high."""
    return lambda given: _number(given, low, high, "number")


def whole(low: int, high: int) -> Callable[[Given], int]:
    """A whole number from low to high."""
    return lambda given: int(_number(given, low, high, "whole number"))


def one_of(kinds: tuple[K, ...]) -> Callable[[Given], K]:
    """One of these words."""

    def check(given: Given) -> K:
        for kind in kinds:
            if kind == given.value:
                return kind
        msg = f"{given.shown} is not one of {', '.join(kinds)}."
        raise given.wrong(msg, CORRECT)

    return check


def text(given: Given) -> str:
    """A line of text without the blanks around it."""
    value = given.value.strip() if isinstance(given.value, str) else ""
    if not value or not value.isprintable() or len(value) > MAX_TEXT_CHARS:
        msg = f"It is no line of text of 1 to {MAX_TEXT_CHARS:,} characters."
        raise given.wrong(msg, CORRECT)
    return value


def switch(given: Given) -> bool:
    """On or off."""
    word = str(given.value).lower()
    if word not in ON | OFF:
        msg = f"{given.shown} is neither on nor off."
        raise given.wrong(msg, "Say 1 or 0 (in TOML: true or false).")
    return word in ON


def texts(given: Given) -> tuple[str, ...]:
    """A list of texts, or texts parted by commas; each once."""
    parts = given.value.split(",") if isinstance(given.value, str) else given.value
    if not isinstance(parts, list):
        msg = f"{given.shown} is no list."
        raise given.wrong(msg, 'Write it as ["one", "two"].')
    items = [Given(given.field, part) for part in cast("list[object]", parts)]
    return tuple(dict.fromkeys(text(item) for item in items if not item.is_blank))


def path(given: Given) -> Path:
    """A path: absolute, with `~` expanded, counted from its folder."""
    if not isinstance(given.value, str) or given.is_blank or "\0" in given.value:
        msg = "It is no path."
        raise given.wrong(msg, CORRECT)
    try:
        return (given.folder / Path(given.value).expanduser()).absolute()
    except RuntimeError as error:
        msg = f"There is no home directory behind {given.shown}."
        raise given.wrong(msg, "Spell the path out.") from error


def file(given: Given) -> Path:
    """The path of a file, which need not be there yet."""
    found = path(given)
    if kind_of(found) == "directory":
        msg = f"{found} is a directory."
        raise given.wrong(msg, "Name a file in it.")
    return found


def kind_of(path: Path) -> Literal["directory", "file", "nothing"]:
    """What is at the path; nothing as well where that cannot be seen."""
    try:
        return "directory" if stat.S_ISDIR(path.stat().st_mode) else "file"
    except OSError:
        return "nothing"


def address(given: Given) -> str:
    """The address of a server that speaks the provider's API; "" for the provider's own."""
    value = text(given).rstrip("/")
    try:
        parts = urlsplit(value)
        fine = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        fine = False
    if not fine or set(value) & set("?# "):
        msg = "It is not the address of a server."
        raise given.wrong(msg, "Write it as http://HOST:PORT or https://HOST.")
    return "" if value == PROVIDERS_OWN else value


def domains(given: Given) -> tuple[str, ...]:
    """Domains in lower case, each perhaps with a path; each once."""
    return tuple(dict.fromkeys(_domain(given, item) for item in texts(given)))


def _domain(given: Given, item: str) -> str:
    host, slash, rest = item.partition("/")
    if " " in item or not DOMAIN.match(host.lower()):
        msg = f"{item[:80]} is no domain."
        raise given.wrong(msg, "Write it as docs.python.org: no https://, no spaces, no *.")
    return host.lower() + slash + rest


def sources(given: Given) -> dict[str, str]:
    """Classes of sources by domain, in lower case."""
    return dict(_source(given, domain, value) for domain, value in table(given).items())


def _source(given: Given, domain: str, value: object) -> tuple[str, str]:
    at = given.at(f'"{domain[:80]}"', value)
    if isinstance(value, dict):
        msg = f"There is a table {domain[:80]} in it."
        raise given.wrong(msg, 'Quote a domain: "docs.example.com" = "primary".')
    if not DOMAIN.match(domain.strip().lower()):
        msg = f"{domain[:80]} is no domain."
        raise at.wrong(msg, "Write it as docs.example.com: no https://, no path, no *. It holds for all below it.")
    return domain.strip().lower(), one_of(QUALITIES)(at)


_USD, _TOKENS = within(0, 1_000_000), 1_000_000_000
FIGURES: Mapping[str, Callable[[Given], float]] = {
    **dict.fromkeys(("input", "output", "cache_read", "cache_write"), _USD),
    "window": whole(1_000, _TOKENS),
    "max_output": whole(100, _TOKENS),
}


def models(given: Given) -> dict[str, Figures]:
    """Figures of models by their ids."""
    return {model: _figures(given.at(f'"{model[:80]}"', value)) for model, value in table(given).items()}


def _figures(given: Given) -> Figures:
    checked: dict[str, Any] = {}
    for key, value in table(given).items():
        if key in FIGURES:
            checked[key] = FIGURES[key](given.at(key, value))
        elif isinstance(value, dict):
            msg = f"There is a table {key} in it."
            raise given.wrong(msg, 'Quote an id that has a dot in it: [models."a.b"].')
        else:
            raise unknown(given.at(key, value), key, FIGURES)
    return Figures(**checked)


def table(given: Given) -> Mapping[str, object]:
    """A TOML table."""
    value = given.value
    if not isinstance(value, dict):
        key = given.field.rpartition(": ")[2]
        msg = f"{given.shown} is no table."
        raise given.wrong(msg, f"Write [{key}] on a line of its own and what is in it below.")
    return cast("Mapping[str, object]", value)


def unknown(given: Given, key: str, known: Iterable[str]) -> InputError:
    """The error that says of a key in the TOML file that there is none of that name."""
    plain = key.rpartition(".")[2].lower().replace("-", "_")
    if plain in SECRETS:
        msg = "A key does not belong in this file, where it would lie about in plain text."
        return given.wrong(msg, "Take it out, and set ANTHROPIC_API_KEY in the environment.")
    if plain == "home":
        return given.wrong("The journal's folder is not set here.", "Set FANFOLD_HOME, or give --home.")
    from difflib import get_close_matches

    close = get_close_matches(key.lower().replace("-", "_"), known := list(known), 1)
    remedy = f"Did you mean {close[0]}?" if close else f"Use some of {', '.join(known)}."
    return given.wrong(f"There is no setting {key[:80]}.", remedy)


def _number(given: Given, low: float, high: float, kind: str) -> float:
    number = _float(given.value)
    if not low <= number <= high or (kind == "whole number" and not number.is_integer()):
        msg = f"{given.shown} is not a {kind} from {low:,.15g} to {high:,.15g}."
        raise given.wrong(msg, CORRECT)
    return number


def _float(value: object) -> float:
    try:
        return float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else float("nan")
    except (ValueError, OverflowError):
        return float("nan")
