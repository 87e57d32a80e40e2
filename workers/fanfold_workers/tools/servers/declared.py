"""Which MCP servers' tools workers may use, read from a file of the shape that hosts keep.

`{"mcpServers": {"git": {"command": …, "args": […], "env": {…}, "cwd": …}, "docs": {"url": …, "headers": {…}}}}`, or
the same under VS Code's `servers`. What hosts add of their own (`autoApprove`, `timeout`, …) is passed over, and
`"disabled": true` leaves a server out. `${NAME}`, `${NAME:-otherwise}` and `${env:NAME}` stand for variables of the
environment; a name that is set to nothing counts as set.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from fanfold_workers.errors import InputError, UnknownNameError
from fanfold_workers.tools.legible import in_line

FIELD = "servers file"
MAX_FILE_BYTES = 1_000_000
MASKED_CHARS = 6
# "__" parts a server's name from its tool's, so that neither may reach into the other.
NAME = re.compile(r"^(?!.*__)(?!.*_\Z)[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")
_VARIABLE = re.compile(
    r"\$\{(?:env:)?(?P<name>[A-Za-z_]\w*)(?::-(?P<otherwise>[^}]*))?\}|\$\{input:[^}]*\}", re.ASCII
)
_RUNNERS = frozenset({"uv", "uvx", "pipx", "env", "poetry", "pdm", "hatch", "rye"})
_FANFOLD = re.compile(r"^(?:.*[\\/](?:bin|Scripts)[\\/])?fanfold(?:\.exe)?(?:[=@\[<>~!].*)?$")
_FANFOLD_SERVER = re.compile(r"(?:^|[\\/])fanfold_server(?:[.\\/]|$)")


@dataclass(frozen=True, slots=True)
class Declared:
    """One MCP server as its file declares it, with variables filled in. It has a command or a url, never both.

    Attributes:
        name: by which scopes name it, and with which its tools' names begin.
        command, args: start it as a child process.
        env: variables it gets besides the few that are safe to inherit (PATH, HOME, …).
        cwd: where it runs; "" for here.
        url, headers: where it listens, and what is sent along.
    """

    name: str
    command: str = ""
    args: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    cwd: str = ""
    url: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def masked(self, text: str) -> str:
        """The text with … for each value of its variables and headers that is long enough to be a secret."""
        for secret in sorted({*self.env.values(), *self.headers.values()}, key=len, reverse=True):
            if len(secret) >= MASKED_CHARS:
                text = text.replace(secret, "…")
        return text


def read_servers(
    path: Path, only: Collection[str] | None = None, *, environ: Mapping[str, str]
) -> dict[str, Declared]:
    """The servers of a file, in its order; fanfold itself is never among them.

    Args:
        path: the file.
        only: names of the servers to take, for a host's own file; None takes all. What is not taken is not checked.
        environ: fills in the variables.

    Raises:
        InputError: for a file or an entry that cannot be used, naming the entry's field.
        UnknownNameError: if `only` names a server that is not there.
    """
    key, entries = _entries(_parsed(path))
    declared: dict[str, Declared] = {}
    for name in entries if only is None else _named(only, key, entries):
        where = f"{FIELD}: {key}.{in_line(name, 80)}"
        if not _disabled(entries[name], where, asked=only is not None):
            entry = _entry(name, entries[name], where)
            if not _fanfold(entry, where, asked=only is not None):
                declared[name] = _declared(name, entry, where, environ)
    return declared


def _parsed(path: Path) -> object:
    try:
        return json.loads(_bytes(path).decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        msg = f"It is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        remedy = "Correct it there; JSON has no comments and no comma after the last entry."
        raise InputError(msg, field=FIELD, remedy=remedy) from error
    except UnicodeDecodeError as error:
        msg = f"Byte {error.start} is not UTF-8."
        raise InputError(msg, field=FIELD, remedy="Save it as UTF-8.") from error
    except RecursionError as error:
        msg = "It is nested too deeply."
        raise InputError(msg, field=FIELD, remedy=_SHAPE) from error


def _bytes(path: Path) -> bytes:
    shown = in_line(str(path), 300)
    if not path.is_file():
        msg = f"{shown} is {'no file' if path.exists() else 'not there'}."
        raise InputError(msg, field=FIELD, remedy="Name a JSON file that declares MCP servers.")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        msg = f"{shown} cannot be read: {error.strerror}."
        raise InputError(msg, field=FIELD, remedy="Allow fanfold to read it.") from error
    if len(data) > MAX_FILE_BYTES:
        msg = f"{shown} is over {MAX_FILE_BYTES:,} bytes."
        raise InputError(msg, field=FIELD, remedy="Copy its mcpServers into a file of their own.")
    return data


def _entries(parsed: object) -> tuple[str, dict[str, Any]]:
    if isinstance(parsed, dict):
        document = cast("dict[str, Any]", parsed)
        for key in ("mcpServers", "servers"):
            if isinstance(found := document.get(key), dict):
                return key, cast("dict[str, Any]", found)
            if found is not None:
                msg = "It is not an object that holds servers by name."
                raise InputError(msg, field=f"{FIELD}: {key}", remedy=_SHAPE)
    msg = "It has no object mcpServers (or servers)."
    raise InputError(msg, field=FIELD, remedy=_SHAPE)


def _named(only: Collection[str], key: str, entries: Mapping[str, Any]) -> list[str]:
    for name in only:
        if name not in entries:
            msg = f"There is no server {in_line(name, 80)}."
            known = in_line(", ".join(entries), 1_000)
            remedy = f"Name some of: {known}." if entries else _SHAPE
            raise UnknownNameError(msg, field=f"{FIELD}: {key}", remedy=remedy)
    return list(dict.fromkeys(only))


def _disabled(entry: object, where: str, *, asked: bool) -> bool:
    disabled = isinstance(entry, dict) and cast("dict[str, Any]", entry).get("disabled") is True
    if disabled and asked:
        msg = "It is disabled there."
        raise InputError(msg, field=where, remedy="Enable it there, or name other servers.")
    return disabled


# -- one entry -----------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        msg = "It holds a NUL character or half a surrogate pair"
        raise ValueError(msg)
    return text


_Text = Annotated[str, AfterValidator(_plain)]


class _Entry(BaseModel):
    """An entry as written. Unknown keys are some host's own."""

    model_config = ConfigDict(strict=True, extra="ignore")

    type: Literal["stdio", "http", "streamable-http", "streamableHttp", "streamable_http", "sse"] | None = None
    command: _Text | None = None
    args: Annotated[list[_Text], Field(max_length=1_000)] = []
    env: dict[_Text, _Text] = {}
    cwd: _Text | None = None
    url: _Text | None = None
    headers: dict[_Text, _Text] = {}


def _entry(name: str, written: object, where: str) -> _Entry:
    if not NAME.match(name):
        msg = "That cannot name a server."
        remedy = "Use letters, digits, dashes and single underscores, 32 at most, a letter or digit first and last."
        raise InputError(msg, field=where, remedy=remedy)
    try:
        entry = _Entry.model_validate(written)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        at = "".join(f".{in_line(str(part), 80)}" for part in first["loc"] if part != "[key]")
        problem = _PROBLEMS.get(first["type"], f"{first['msg'].removeprefix('Value error, ')}.")
        raise InputError(problem, field=f"{where}{at}", remedy="Correct it there.") from error
    _check_kind(entry, where)
    return entry


def _check_kind(entry: _Entry, where: str) -> None:
    command, url = (entry.command or "").strip(), (entry.url or "").strip()
    if bool(command) == bool(url):
        msg = "It has both a command and a url." if command else "It has neither a command nor a url."
        raise InputError(
            msg, field=where, remedy="Give a command for a child process, or a url for one that listens."
        )
    if entry.type == "sse":
        msg = "The old transport sse is not spoken."
        raise InputError(
            msg, field=f"{where}.type", remedy='Name its streamable address as url, with "type": "http".'
        )
    if entry.type and (entry.type == "stdio") != bool(command):
        msg = f"{entry.type} does not go with a {'command' if command else 'url'}."
        raise InputError(msg, field=f"{where}.type", remedy="Leave type out, or correct it.")


def _fanfold(entry: _Entry, where: str, *, asked: bool) -> bool:
    """Whether this would start fanfold below fanfold, which could go on without end."""
    itself = _is_fanfold(entry.command or "", entry.args)
    if itself and asked:
        msg = "That is fanfold itself."
        raise InputError(msg, field=where, remedy="Name other servers: fanfold's workers do not call fanfold.")
    return itself


def _is_fanfold(command: str, args: list[str]) -> bool:
    stem = re.split(r"[\\/]", command)[-1].removesuffix(".exe")
    if stem == "fanfold" or any(_FANFOLD_SERVER.search(arg) for arg in args):
        return True
    # What follows an option is its value (`--repository fanfold`), but for the package that a runner takes it from.
    before = ["", *args]
    mine = [arg for option, arg in zip(before, args, strict=False) if option == "--from" or option[:1] != "-"]
    return stem in _RUNNERS and any(_FANFOLD.match(arg) for arg in mine)


def _declared(name: str, entry: _Entry, where: str, environ: Mapping[str, str]) -> Declared:
    def filled(texts: Mapping[str, str], key: str) -> dict[str, str]:
        return {part: _filled(text, f"{where}.{key}.{in_line(part, 80)}", environ) for part, text in texts.items()}

    args = filled({str(position): text for position, text in enumerate(entry.args)}, "args")
    url = _filled((entry.url or "").strip(), f"{where}.url", environ)
    if url and not _is_address(url):
        msg = "It is not an http or https address."
        raise InputError(msg, field=f"{where}.url", remedy="Write it out: https://host/mcp.")
    return Declared(
        name,
        command=_filled((entry.command or "").strip(), f"{where}.command", environ),
        args=tuple(args.values()),
        env=filled(entry.env, "env"),
        cwd=_filled(entry.cwd or "", f"{where}.cwd", environ),
        url=url,
        headers=filled(entry.headers, "headers"),
    )


def _filled(text: str, where: str, environ: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, otherwise = match["name"], match["otherwise"]
        found = environ.get(name, otherwise) if name else None
        if found is not None:
            return found
        if not name:
            msg = f"{in_line(match[0], 80)} asks a person."
            raise InputError(msg, field=where, remedy="Put the value in a variable and write ${NAME}.")
        msg = f"The variable {in_line(name, 80)} is not set."
        raise InputError(msg, field=where, remedy=f"Set it, or write ${{{in_line(name, 80)}:-otherwise}}.")

    return _VARIABLE.sub(value, text)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


_SHAPE = 'Write {"mcpServers": {"NAME": {"command": "…", "args": ["…"]}}}.'
_PROBLEMS = {
    "string_type": "It must be text, in quotes.",
    "list_type": "It must be a list of texts.",
    "dict_type": "It must be an object of texts by name.",
    "model_type": "It must be an object with a command or a url.",
    "too_long": "It has more than 1,000 entries.",
}
