"""`fanfold doctor`: what is there, what is missing, and the remedy for each."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import click
from packaging.requirements import Requirement

from fanfold_server.records import RunState
from fanfold_server.settings import Settings
from fanfold_server.store import on_disk
from fanfold_workers.errors import FanfoldError
from fanfold_workers.tools.disk import DiskRoot

from .line import Line, Mark
from .looking import stored
from .outcome import Exit
from .pruning import day_of, sized
from .terminal import harmless, is_lively, put_styled

COLORS: Mapping[Mark, str] = {"ok": "green", "warn": "yellow", "fail": "red"}
FEW_BYTES = 1_000_000_000
TOO_FEW_BYTES = 50_000_000
MANY_BYTES = 1_000_000_000
"""A journal larger than that is worth a word."""
RECENT = 50
"""How many of the latest runs are looked through for those at work."""


async def doctor(environ: Mapping[str, str], roots: tuple[str, ...]) -> int:
    """Print a line for each thing that fanfold needs; 1 if one fails."""
    failed = False
    async for line in _looked(environ, roots):
        _print(line)
        failed |= line.mark == "fail"
    return Exit.error if failed else Exit.complete


async def _looked(environ: Mapping[str, str], roots: tuple[str, ...]) -> AsyncIterator[Line]:
    yield _python()
    for line in _packages():
        yield line
    try:
        settings = Settings.read(environ, roots)
    except FanfoldError as error:
        yield Line("fail", error.field or "settings", error.problem, error.remedy)
        settings = Settings.read({name: environ[name] for name in ("FANFOLD_HOME",) if name in environ})
    async for line in _journal(settings):
        yield line
    yield _disk(settings.home)
    for line in _roots(settings):
        yield line
    yield _jail()
    yield _approval(settings)
    from .thinking import asked  # heavy, and of no use to whoever is stopped before it

    async for line in asked(settings, environ):
        yield line


def _python() -> Line:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Line("ok", "python", f"{version}, {sys.executable}")


def _packages() -> Iterator[Line]:
    try:
        own, wanted = metadata.version("fanfold"), metadata.requires("fanfold") or []
    except metadata.PackageNotFoundError:
        yield Line("warn", "fanfold", "it runs from a folder, not installed", "Install it: pip install -e .")
        return
    yield Line("ok", "fanfold", own)
    needed = [requirement for requirement in map(Requirement, wanted) if not requirement.marker]
    there = {requirement.name: _version(requirement.name) for requirement in needed}
    for requirement in needed:
        version = there[requirement.name]
        if not requirement.specifier.contains(version or "0", prereleases=True):
            seen = f"{version or 'missing'}, needs {requirement.specifier}"
            yield Line("fail", requirement.name, seen, f"Install it: pip install '{requirement}'")
    yield Line("ok", "packages", ", ".join(f"{name} {version}" for name, version in there.items() if version))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


async def _journal(settings: Settings) -> AsyncIterator[Line]:
    try:
        async with stored(settings) as refs:
            recent = await refs.recent(RECENT)
            began = [entry.at for entry in await refs.runs.journal.entries("runs/", keys_only=True)]
            size = on_disk(settings.home)
    except FanfoldError as error:
        yield Line("fail", "home", error.problem, error.remedy)
        return
    yield Line("ok", "home", f"{settings.home}, writable")
    yield _state(size, began)
    running = [run.id for _, _, run in recent if run.state is RunState.running]
    if running:
        yield Line("ok", "at work", f"other processes are at {', '.join(running[:5])}")
    broken = [run.id for _, _, run in recent if run.state is RunState.interrupted]
    if broken:
        yield Line("warn", "interrupted", ", ".join(broken[:5]), f"Go on with: fanfold resume {broken[0]}")


def _state(size: int, began: list[float]) -> Line:
    oldest = f", the oldest of {day_of(min(began))}" if began else ""
    seen = f"{sized(size)}, {len(began):,} run{'s' * (len(began) != 1)}{oldest}"
    if size > MANY_BYTES:
        return Line("warn", "journal", seen, "Remove old runs: fanfold prune (--days N for fewer days).")
    return Line("ok", "journal", seen)


def _disk(home: Path) -> Line:
    there = next((folder for folder in (home, *home.parents) if folder.is_dir()), Path())
    free = shutil.disk_usage(there).free
    seen = f"{free / 1e9:.1f} GB free"
    if free < TOO_FEW_BYTES:
        return Line("fail", "disk", seen, "Free some space, or set FANFOLD_HOME to another disk.")
    if free < FEW_BYTES:
        return Line("warn", "disk", seen, "Free some space before a large run.")
    return Line("ok", "disk", seen)


def _roots(settings: Settings) -> Iterator[Line]:
    if not settings.roots:
        remedy = "Give one with --root NAME=DIR, or set FANFOLD_ROOTS."
        yield Line("warn", "roots", "none: workers can read no files", remedy)
    for name, directory in settings.roots.items():
        try:
            count = len(DiskRoot(name, directory).children())
        except FanfoldError as error:
            yield Line("fail", f"root {name}", error.problem, error.remedy)
            continue
        empty = "Name a directory that holds something." if not count else ""
        yield Line("warn" if empty else "ok", f"root {name}", f"{directory}, {count} entries", empty)


def _jail() -> Line:
    if sys.platform == "win32":
        seen = "paths are checked before and after opening (Windows has nothing stronger)"
        return Line("warn", "file scope", seen, "Keep roots where only you can make links.")
    from fanfold_workers.tools.beneath import SCANNING, best_opener, by_openat2

    folder = os.open("/", SCANNING)
    try:
        kernel = best_opener(folder) is by_openat2
    finally:
        os.close(folder)
    if kernel:
        return Line("ok", "file scope", "held by the kernel (openat2)")
    return Line("ok", "file scope", "held by a walk that follows no link (openat2 is not available here)")


def _approval(settings: Settings) -> Line:
    usd, workers = settings.approve_above_usd, settings.approve_above_workers
    above = [f"${usd:g}"] if usd is not None else []
    above += [f"{workers:,} agents"] if workers is not None else []
    waits = f"a plan above {' or '.join(above)} waits for a person's approval"
    return Line("ok", "approval", waits if above else "no plan waits for a person's; the ceilings hold")


def _print(line: Line) -> None:
    mark = f"{line.mark:<4}"
    if is_lively(sys.stdout) and not os.environ.get("NO_COLOR"):
        mark = click.style(mark, fg=COLORS[line.mark])
    remedy = f"\n{'':19}-> {line.remedy}" if line.remedy else ""
    put_styled(f"{mark}  {line.what:<12} {harmless(line.seen)}{harmless(remedy)}")
