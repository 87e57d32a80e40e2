"""The TOML file: where it is, what may stand in it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from platformdirs import user_config_path

from fanfold_workers.errors import InputError

from . import checks
from .given import CONFIG, SPELLINGS, Given

NAME = "config.toml"
MAX_BYTES = 1_000_000
HOMES = ("HOME", "XDG_CONFIG_HOME", "USERPROFILE", "LOCALAPPDATA")
"""Variables that say where a person's files are."""
TABLES = frozenset(key.partition(".")[0] for key in SPELLINGS if "." in key)
KNOWN = (*SPELLINGS, "roots", "models", "sources")


def read_config(environ: Mapping[str, str]) -> tuple[Path | None, dict[str, Given]]:
    """Where the file is, and what stands in it by key, with `[web]` and `[host]` flattened (`web.enabled`).

    It is the one that the environment names, else that in the system's place; None and nothing if neither is there.

    Raises:
        InputError: if it cannot be read, is no TOML, is over a megabyte, or holds what is no setting.
    """
    named = next((Given(name, environ[name].strip()) for name in CONFIG if environ.get(name, "").strip()), None)
    path = checks.file(named) if named else _usual(environ)
    if path is None:
        return None, {}
    found: dict[str, Given] = {}
    for given, key in _flat(_parsed(path, named.field if named else NAME), path):
        if key not in KNOWN:
            raise checks.unknown(given, key, KNOWN)
        found[key] = given
    return path, found


def _usual(environ: Mapping[str, str]) -> Path | None:
    """The file in the system's place, if it is there.

    An environment that names no home directory, such as a test's, has no such place.
    """
    path = user_config_path("fanfold") / NAME if any(environ.get(name) for name in HOMES) else None
    try:
        return path if path and path.stat() else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        # Whoever opens it says why it cannot be read.
        return path


def _flat(content: Mapping[str, object], path: Path) -> Iterator[tuple[Given, str]]:
    for key, value in content.items():
        given = Given(f"{path.name}: {key}", value, path.parent)
        if key in TABLES:
            yield from ((given.at(inner, v), f"{key}.{inner}") for inner, v in checks.table(given).items())
        else:
            yield given, key


def _parsed(path: Path, field: str) -> Mapping[str, object]:
    import tomllib

    text = _text(path, field)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = str(error).replace("end of document", _place(text))
    except (ValueError, RecursionError):
        problem = "a value in it is too long or too deep"
    msg = f"{path} is no TOML: {problem[:300]}."
    raise InputError(msg, field=path.name, remedy="Correct it there.")


def _text(path: Path, field: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}."
        raise InputError(msg, field=field, remedy="Name a file that can, or leave it out.") from error
    if len(content) > MAX_BYTES:
        msg = f"{path} is over {MAX_BYTES:,} bytes."
        raise InputError(msg, field=field, remedy="Take out what is no setting.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path} is no UTF-8 (at {_place(content[: error.start].decode(errors='replace'))})."
        raise InputError(msg, field=path.name, remedy="Save it as UTF-8.") from error


def _place(before: str) -> str:
    """Where one is after this text."""
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"
