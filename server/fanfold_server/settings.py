"""What a person sets: read once at the edge, passed in, never looked up again."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_state_path

from fanfold_workers.errors import InputError

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")


@dataclass(frozen=True, slots=True)
class Settings:
    """How fanfold is set up.

    Attributes:
        home: folder of the journal. `FANFOLD_HOME`, else the system's place for user state.
        roots: directories that workers may read, by name. `--root [NAME=]DIR`, repeated, and `FANFOLD_ROOTS`, a
            list of the same parted by the system's path separator (`:`, on Windows `;`). Without a name the
            directory's own is used.
        width: workers at once, 1 to 256. `FANFOLD_WIDTH`, default 8.
        wait: seconds a tool call may hold an unknown host, 1 to 3,600. `FANFOLD_WAIT`, default by host.
    """

    home: Path
    roots: Mapping[str, Path] = field(default_factory=dict[str, Path])
    width: int = 8
    wait: float | None = None

    @classmethod
    def read(cls, environ: Mapping[str, str], roots: Iterable[str] = ()) -> "Settings":
        """Settings from the environment and the `--root` options.

        Raises:
            InputError: for a value that cannot be, naming the variable or option.
        """
        named = [part for part in environ.get("FANFOLD_ROOTS", "").split(os.pathsep) if part.strip()]
        return cls(
            home=default_home(environ),
            roots=_roots([("FANFOLD_ROOTS", text) for text in named] + [("--root", text) for text in roots]),
            width=int(_number(environ, "FANFOLD_WIDTH", 1, 256) or 8),
            wait=_number(environ, "FANFOLD_WAIT", 1, 3_600),
        )


def default_home(environ: Mapping[str, str] | None = None) -> Path:
    """FANFOLD_HOME if it is set and not blank, else the system's folder for user state.

    Raises:
        InputError: if FANFOLD_HOME begins with the `~` of nobody known.
    """
    given = (os.environ if environ is None else environ).get("FANFOLD_HOME", "").strip()
    if not given:
        return user_state_path("fanfold")
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError as error:
        msg = f"There is no home directory behind {given[:200]}."
        raise InputError(msg, field="FANFOLD_HOME", remedy="Spell the folder out.") from error


def _roots(given: Iterable[tuple[str, str]]) -> dict[str, Path]:
    roots: dict[str, Path] = {}
    for field_name, text in given:
        name, path = _root(field_name, text)
        if name in roots and roots[name] != path:
            msg = f"Two roots are called {name}."
            raise InputError(msg, field=field_name, remedy="Give each its own name: NAME=DIR.")
        roots[name] = path
    return roots


def _root(field_name: str, text: str) -> tuple[str, Path]:
    name, equals, directory = text.partition("=")
    if not equals or os.sep in name:
        name, directory = "", text
    path = Path(directory).expanduser().absolute()
    name = name.strip() or re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name).strip("-._") or "root"
    if not NAME.match(name):
        msg = f"{name} cannot name a root."
        raise InputError(msg, field=field_name, remedy="Use letters, digits, dots, dashes, underscores; 64 at most.")
    if not path.is_dir():
        problem = "is a file" if path.is_file() else "does not exist"
        msg = f"The directory of the root {name} {problem}."
        raise InputError(msg, field=field_name, remedy=f"Name a directory: {name}=DIR.")
    return name, path


def _number(environ: Mapping[str, str], name: str, low: float, high: float) -> float | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        msg = f"{text[:40]} is not a number from {low:g} to {high:g}."
        raise InputError(msg, field=name, remedy="Correct the variable, or leave it out.")
    return number
