"""Version specifiers of Python packages: whether any version satisfies several at once, and Poetry's forms."""

import re
from collections.abc import Iterable
from functools import lru_cache

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

_MAX_CLAUSES = 40
_PYTHONS = tuple(f"3.{minor}" for minor in range(6, 17))
_SYSTEMS = (("linux", "Linux", "posix"), ("darwin", "Darwin", "posix"), ("win32", "Windows", "nt"))
_CARET = re.compile(r"\^\s*v?(\d+(?:\.\d+)*)(\S*)")
_TILDE = re.compile(r"~(?!=)\s*v?(\d+)(\.\d+)?(\.\d+)*(\S*)")


def satisfiable(specifiers: Iterable[str]) -> bool:
    """Whether some version satisfies all the specifiers; True also where one of them cannot be read."""
    try:
        joined = SpecifierSet(",".join(s for s in specifiers if s))
        if len(joined) > _MAX_CLAUSES:
            return True
        return any(joined.contains(version, prereleases=True) for version in _candidates(joined))
    except (InvalidSpecifier, InvalidVersion):
        return True


def _candidates(specifiers: SpecifierSet) -> set[Version]:
    """Versions at, right below and right above each that is named: if any satisfies all, one of these does."""
    found = {Version("0"), Version("99999")}
    for specifier in specifiers:
        named = Version(specifier.version.removesuffix(".*"))
        found.add(named)
        release = named.release
        for length in range(1, len(release) + 1):
            head = [*release[: length - 1], release[length - 1] + 1]
            found.add(Version(f"{named.epoch}!{'.'.join(map(str, head))}"))
        exact = f"{named.epoch}!{'.'.join(map(str, release))}"
        found.update(
            (Version(f"{exact}.0.1"), Version(f"{exact}.post1"), Version(f"{exact}.dev0"), Version(f"{exact}a0"))
        )
        found.update(_below(named))
    return found


def _below(version: Version) -> Iterable[Version]:
    """Some versions below: for each part of the release that is not zero, one less of it and then much."""
    for place, part in enumerate(version.release):
        if part:
            head = [*version.release[:place], part - 1, 99999]
            yield Version(f"{version.epoch}!{'.'.join(map(str, head))}")


def allows(specifier: str, versions: Iterable[str]) -> bool:
    """Whether a specifier allows one of the versions; True also where one of them cannot be read."""
    try:
        allowed = SpecifierSet(specifier)
        return any(allowed.contains(Version(version), prereleases=True) for version in versions)
    except (InvalidSpecifier, InvalidVersion):
        return True


def from_poetry(constraint: str) -> str | None:
    """A Poetry constraint (`^1.2`, `~1.2`, `1.*`, `1.2.3`, `>=1,<2`) as a specifier; "" for any, None if unclear."""
    if "|" in constraint:
        return None
    parts = [_from_poetry(part.strip()) for part in constraint.split(",") if part.strip()]
    if any(part is None for part in parts):
        return None
    joined = ",".join(part for part in parts if part)
    try:
        return str(SpecifierSet(joined)) if joined else ""
    except InvalidSpecifier:
        return None


def _from_poetry(part: str) -> str | None:
    if part in {"*", ""}:
        return ""
    if match := _CARET.fullmatch(part):
        numbers = [int(n) for n in match[1].split(".")]
        place = next((i for i, n in enumerate(numbers) if n), len(numbers) - 1)
        next_one = [*numbers[:place], numbers[place] + 1]
        return f">={match[1]}{match[2]},<{'.'.join(map(str, next_one))}"
    if match := _TILDE.fullmatch(part):
        above = f"{match[1]}.{int(match[2][1:]) + 1}" if match[2] else str(int(match[1]) + 1)
        return f">={part.lstrip('~ v')},<{above}"
    if re.fullmatch(r"v?\d[\w.+!-]*(\.\*)?", part):
        return f"=={part.removeprefix('v')}"
    return part.replace(" ", "")


@lru_cache(maxsize=1)
def _environments() -> tuple[dict[str, str], ...]:
    return tuple(
        {
            "extra": "",
            "implementation_name": implementation.lower(),
            "implementation_version": f"{python}.0",
            "os_name": os_name,
            "platform_machine": machine,
            "platform_release": "",
            "platform_system": system,
            "platform_version": "",
            "python_full_version": f"{python}.{micro}",
            "platform_python_implementation": implementation,
            "python_version": python,
            "sys_platform": sys_platform,
        }
        for python in _PYTHONS
        for micro in (0, 9)
        for sys_platform, system, os_name in _SYSTEMS
        for implementation in ("CPython", "PyPy")
        for machine in ("x86_64", "arm64", "aarch64")
    )


@lru_cache(maxsize=1_000)
def applies_in(marker: str) -> frozenset[int]:
    """The environments, of some four hundred common ones, that a marker holds in; all for "" or a bad marker."""
    everywhere = frozenset(range(len(_environments())))
    if not marker:
        return everywhere
    try:
        held = Marker(marker)
        return frozenset(n for n, e in enumerate(_environments()) if held.evaluate(e))
    except (ValueError, UndefinedComparison, UndefinedEnvironmentName):
        return everywhere
