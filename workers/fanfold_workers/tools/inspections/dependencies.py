"""Finds dependencies that nothing pins, that come from a moving source, or that contradict one another."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations, islice

from fanfold_workers.contract import Evidence, Finding, Severity
from fanfold_workers.tools.files import Files, split_place
from fanfold_workers.tools.toolbox import Answer, Inspect, Tool

from .declared import Declared, Role
from .masking import without_logins
from .quoting import listed
from .repository import Repository, file_name, read
from .specifiers import allows, applies_in, satisfiable
from .survey import Survey, excerpt, projects

MAX_FINDINGS = 2_000
MAX_PLACES = 20
MAX_PAIRS = 20_000

_SYSTEM_NAMES = {"": "", "npm": "npm ", "cargo": "crate ", "ruby": "gem "}
_CURRENT = frozenset({"tzdata", "certifi", "ca-certificates"})
"""Packages of data, of which the newest release is always the one to have."""
_ANY = frozenset({"", "*", "x", "latest"})
_REF = re.compile(r"@([^@/#&]*)(?:[#&].*)?$")
_FIXED_REF = re.compile(r"[0-9a-f]{7,64}|(?:[\w-]+[-/])?v?\d+(?:[._-]\w+)*|.*\d+\.\d+.*", re.IGNORECASE)
_BRANCH_ARCHIVE = re.compile(
    r"/(?:archive|zipball|tarball)/(?:refs/heads/)?(?:main|master|develop|trunk|dev|head)\b", re.IGNORECASE
)


def inspect(files: Files, args: Inspect) -> Answer:
    """What is wrong with the dependencies each repository in reach declares."""
    survey = Survey(files, unit="manifests")
    found: list[Finding] = []
    gaps: list[str] = []
    for project in projects(files, args.under):
        repository = read(survey, project, gaps)
        if not repository.manifests:
            gaps.append(f"{project.place} has no dependency manifest of its own.")
        found += _judged(repository)
    rank = {severity: n for n, severity in enumerate(Severity)}
    found.sort(key=lambda f: (rank[f.severity], f.subject))
    if len(found) > MAX_FINDINGS:
        gaps.append(f"{len(found) - MAX_FINDINGS} further findings are not listed.")
    gaps.append(
        "Lock files are compared with their manifests for Python only; contradictions are sought in Python only."
    )
    text = listed(found, "No dependency problem was found.", "dependency problems")
    return Answer(text, tuple(found[:MAX_FINDINGS]), survey.examined(), (*survey.gaps(), *gaps))


def _judged(repository: Repository) -> list[Finding]:
    declared = [d for m in repository.manifests for d in m.declared]
    own = {m.name for m in repository.manifests if m.name}
    known = [d for d in declared if d.name not in own]
    found = [*_unpinned(repository, known), *_moving(repository, known), *_contradicting(repository, known)]
    return [*found, *_stale(repository, known), *_unlocked(repository)]


def _unpinned(repository: Repository, declared: list[Declared]) -> Iterator[Finding]:
    bounded = {(d.system, d.name) for d in declared if d.address or d.specifier not in _ANY or not d.clear}
    groups: dict[tuple[str, str], list[Declared]] = defaultdict(list)
    for one in declared:
        if (one.system, one.name) not in bounded and _should_pin(repository, one):
            groups[one.system, one.name].append(one)
    for (_, name), group in groups.items():
        files = _files(repository, group)
        serious = any(d.role is Role.runtime and not _is_library(repository, d) for d in group)
        yield _finding(
            repository,
            "dependencies.unpinned",
            group,
            claim=f"{name} is required without a version in {files}, and no lock or manifest beside it bounds it.",
            value="any version",
            severity=Severity.medium if serious else Severity.low,
            confidence=0.9,
        )


def _should_pin(repository: Repository, one: Declared) -> bool:
    lists = not _is_package(one)
    if (
        one.name in _CURRENT
        or one.role in {Role.build, Role.constraint}
        or (one.role is Role.development and not lists)
    ):
        return False
    if one.system in {"npm", "cargo"} and one.specifier not in _ANY - {""}:
        return False
    return not any(
        one.name in lock.locked or (not lists and not lock.locked) for lock in repository.locks(one.place, one.system)
    )


def _is_package(one: Declared) -> bool:
    """Whether those who install the package get this dependency as it is declared here."""
    return not one.place.endswith((".txt", ".in", ".pip", ".yml", ".yaml"))


def _is_library(repository: Repository, one: Declared) -> bool:
    unit = repository.unit(one.place)
    return any(m.packaged and repository.folder(m.page.place) == unit for m in repository.manifests)


def _moving(repository: Repository, declared: list[Declared]) -> Iterator[Finding]:
    groups: dict[tuple[str, str], list[Declared]] = defaultdict(list)
    for one in declared:
        if one.address and _moves(one.address) and not _is_locked(repository, one):
            groups[one.system, one.name].append(one)
    for (_, name), group in groups.items():
        serious = any(d.role is Role.runtime and (_is_package(d) or not _is_library(repository, d)) for d in group)
        yield _finding(
            repository,
            "dependencies.moving_source",
            group,
            claim=f"{name} is taken from a repository at no fixed commit or tag in {_files(repository, group)}.",
            value=without_logins(group[0].address)[:300],
            severity=Severity.medium if serious else Severity.low,
            confidence=0.9,
        )


def _is_locked(repository: Repository, one: Declared) -> bool:
    return any(one.name in m.locked or not m.locked for m in repository.locks(one.place, one.system))


def _moves(address: str) -> bool:
    """Whether what an address gives may change: a branch, or a repository's default one."""
    if address.startswith(("git+", "git@", "git:", "github:")) or re.match(r"[\w-]+/[\w.-]+(?:#|$)", address):
        at = address.partition("#")[2] if "#" in address and "egg=" not in address and "@" not in address else ""
        ref = at.removeprefix("semver:") or (
            match[1] if (match := _REF.search(address.partition("://")[2] or address)) else ""
        )
        return not _FIXED_REF.fullmatch(ref)
    return bool(_BRANCH_ARCHIVE.search(address))


def _contradicting(repository: Repository, declared: list[Declared]) -> Iterator[Finding]:
    groups: dict[tuple[str, str], list[Declared]] = defaultdict(list)
    for one in declared:
        if one.specifier and one.clear and not one.system and not one.address and one.role is not Role.build:
            groups[repository.unit(one.place), one.name].append(one)
    for (_, name), group in groups.items():
        worst: tuple[Severity, Declared, Declared] | None = None
        different = {(d.specifier, d.marker, d.role, d.group, d.place): d for d in reversed(group)}
        for a, b in islice(combinations(reversed(different.values()), 2), MAX_PAIRS):
            severity = _clash(a, b)
            if severity and (worst is None or list(Severity).index(severity) < list(Severity).index(worst[0])):
                worst = (severity, a, b)
        if worst:
            severity, a, b = worst
            yield _finding(
                repository,
                "dependencies.contradiction",
                [a, b],
                claim=f"No version of {name} is both {a.specifier} ({_file(a)}) and {b.specifier} ({_file(b)}).",
                value=" against ".join(sorted((a.specifier, b.specifier)))[:300],
                severity=severity,
                confidence=0.9 if severity is not Severity.low else 0.7,
            )


def _clash(a: Declared, b: Declared) -> Severity | None:
    """How bad it is that two declarations cannot both be met; None if they can, or never are needed together."""
    severity = _together(a, b)
    if severity is None or a.specifier == b.specifier or not applies_in(a.marker) & applies_in(b.marker):
        return None
    alone = satisfiable([a.specifier]) and satisfiable([b.specifier])
    return severity if alone and not satisfiable([a.specifier, b.specifier]) else None


def _together(a: Declared, b: Declared) -> Severity | None:
    roles = {a.role, b.role}
    same = a.place == b.place and a.group == b.group
    if roles == {Role.runtime}:
        return Severity.high if same or not {_suffix(a), _suffix(b)} & {"txt", "in"} else Severity.medium
    if same:
        return Severity.medium
    if Role.runtime in roles:
        return Severity.low if Role.extra in roles or Role.development in roles else Severity.medium
    return None


def _suffix(one: Declared) -> str:
    return one.place.rpartition(".")[2]


def _stale(repository: Repository, declared: list[Declared]) -> Iterator[Finding]:
    for one in declared:
        if one.system or one.address or not one.specifier or not one.clear or one.place.endswith((".txt", ".in")):
            continue
        for lock in repository.locks(one.place, ""):
            versions = [version for version in lock.locked.get(one.name, ()) if version]
            if versions and one.role is not Role.build and not allows(one.specifier, versions):
                yield _finding(
                    repository,
                    "dependencies.stale_lock",
                    [one],
                    claim=f"{_file(one)} asks for {one.name} {one.specifier}; {file_name(lock)} has {versions[0]}.",
                    value=one.specifier[:300],
                    severity=Severity.medium,
                    confidence=0.8,
                )


def _unlocked(repository: Repository) -> Iterator[Finding]:
    for manifest in repository.manifests:
        if not manifest.private or not manifest.declared or repository.locks(manifest.page.place, "npm"):
            continue
        line = next((n for n, text in enumerate(manifest.page.lines, 1) if '"private"' in text), 1)
        evidence = manifest.page.quote(line, line)
        yield Finding(
            kind="dependencies.no_lock",
            subject=f"manifest {manifest.page.place}",
            claim=f"{manifest.page.place} is an application's (private) and no lock file stands beside or above it.",
            attribute="lock",
            value="none",
            severity=Severity.low,
            confidence=0.8,
            evidence=(evidence,) if evidence else (),
        )


def _finding(
    repository: Repository,
    kind: str,
    group: list[Declared],
    *,
    claim: str,
    value: str,
    severity: Severity,
    confidence: float,
) -> Finding:
    pages = {m.page.place: m.page for m in repository.manifests}
    evidence: list[Evidence] = []
    for one in group[:MAX_PLACES]:
        line = pages[one.place].lines[one.line - 1] if one.line else ""
        quote = without_logins(excerpt(line, max(0, line.lower().find(one.name.lower()))))
        evidence.append(Evidence(source=one.place, locator=f"L{one.line}" if one.line else "", quote=quote))
    return Finding(
        kind=kind,
        subject=f"{_SYSTEM_NAMES[group[0].system]}dependency {group[0].name}"[:300],
        claim=claim[:2_000],
        attribute="source" if kind.endswith("source") else "specifier",
        value=value,
        severity=severity,
        confidence=confidence,
        evidence=tuple(evidence),
        count=len(group),
    )


def _file(one: Declared) -> str:
    return split_place(one.place)[1].rpartition("/")[2] + (f" [{one.group}]" if one.role is Role.extra else "")


def _files(repository: Repository, group: Iterable[Declared]) -> str:
    names = list(dict.fromkeys(repository.path(d.place) for d in group))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


TOOL: Tool[Inspect] = Tool(
    name="dependencies",
    description=(
        "Check what a repository says it depends on: dependencies that nothing pins, that come from a moving branch, "
        "whose declared versions contradict one another or the lock file. Reads manifests, never installs."
    ),
    arguments=Inspect,
    run=inspect,
    inspection=True,
    project=True,
    hints=(
        "dependency",
        "dependencies",
        "requirements",
        "lock file",
        "pinned",
        "unpinned",
        "supply chain",
        "versions",
    ),
)
