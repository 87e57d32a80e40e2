"""What a project says it depends on, read from its manifests and lock files without running anything.

Python: pyproject.toml (PEP 621, 735, Poetry), requirements and constraints files, setup.cfg, setup.py as far as it is
literal, Pipfile, environment.yml. Others: package.json, Cargo.toml, Gemfile, go.mod.
"""

import configparser
import re
from collections.abc import Callable

from . import other_manifests, python_manifests
from .declared import Manifest
from .quoting import Page

_REQUIREMENTS = re.compile(
    r"(?:^|/)(?:[^/]*[-_.])?(?:requirements?|constraints?)(?:[-_.][^/]*)?\.(?:txt|in|pip)$"
    r"|(?:^|/)(?:requirements?|reqs)/(?:[^/]+/)*[^/]+\.(?:txt|in|pip)$"
)


class UnreadableError(ValueError):
    """Raised when a manifest is malformed; the message says how."""


def parser_of(path: str) -> Callable[[Page], Manifest] | None:
    """How to read a file, by its path below the project; None if it is no manifest."""
    name = path.rpartition("/")[2].lower()
    if name in _PARSERS:
        return _PARSERS[name]
    if _REQUIREMENTS.search(path.lower()):
        return python_manifests.requirements
    return (
        python_manifests.environment
        if re.fullmatch(r"(?:[\w-]+[-_.])?environment(?:[-_.][\w-]+)?\.ya?ml", name)
        else None
    )


def parsed(page: Page, path: str) -> Manifest:
    """The manifest in a page.

    Raises:
        UnreadableError: if it is malformed.
    """
    parser = parser_of(path)
    if parser is None:
        return Manifest(page)
    try:
        return parser(page)
    except (
        ValueError,
        SyntaxError,
        configparser.Error,
        RecursionError,
        MemoryError,
        TypeError,
        AttributeError,
    ) as error:
        msg = f"{type(error).__name__} at {getattr(error, 'lineno', '') or 'an unknown line'}"
        raise UnreadableError(msg) from error


LOCKS = {
    "uv.lock": "",
    "poetry.lock": "",
    "pdm.lock": "",
    "pylock.toml": "",
    "pipfile.lock": "",
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "yarn.lock": "npm",
    "pnpm-lock.yaml": "npm",
    "bun.lock": "npm",
    "bun.lockb": "npm",
    "cargo.lock": "cargo",
    "gemfile.lock": "ruby",
    "go.sum": "go",
}
"""Lock files by name in small letters, and the system they lock ("" for Python)."""

_PARSERS: dict[str, Callable[[Page], Manifest]] = {
    **dict.fromkeys(LOCKS, other_manifests.noted),
    "uv.lock": other_manifests.toml_lock,
    "poetry.lock": other_manifests.toml_lock,
    "pdm.lock": other_manifests.toml_lock,
    "pipfile.lock": other_manifests.pipfile_lock,
    "pyproject.toml": python_manifests.pyproject,
    "setup.cfg": python_manifests.setup_cfg,
    "setup.py": python_manifests.setup_py,
    "pipfile": python_manifests.pipfile,
    "package.json": other_manifests.package_json,
    "cargo.toml": other_manifests.cargo,
    "gemfile": other_manifests.gemfile,
    "go.mod": other_manifests.noted,
}
