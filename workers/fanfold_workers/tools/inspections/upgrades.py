"""Can this move to the next Python? What modules deprecate, and what others use of the standard library.

Two kinds of findings, made to be joined by equal `subject`, a dotted name as an importer writes it:

- `upgrades.deprecates`: a module, or something in it, is deprecated. `attribute` is "removal" and `value` a version
  where one is stated for its end. A subject that ends in brackets (`asyncio.gather()[loop]`) is about a way of using
  it, never about every use. Any Python source is read for these but third parties' tests.
- `upgrades.uses`: a distribution or repository uses a name of the standard library, `count` times. The standard
  library's own modules give none of these: they change with it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from fanfold_workers.contract import MAX_FINDINGS, Evidence, Examined, Finding, Severity
from fanfold_workers.errors import FanfoldError
from fanfold_workers.tools.files import Document, Files
from fanfold_workers.tools.toolbox import Answer, Inspect, Tool

from .python.deprecations import Statement, deprecations
from .python.library import Library, Opened
from .python.modules import LEFT, STANDARD, Module, asked_for_tests, is_aside, is_python, modules
from .python.scopes import Guard
from .python.uses import Use, uses
from .python.wording import next_python
from .quoting import Page

MAX_DEPRECATIONS = 2_000
MAX_EVIDENCE = 3
MAX_LISTED_CHARS = 6_000
_PARTS = re.compile(r"^([\w.]+)(.*)$", re.DOTALL)
_COMPILED = (".so", ".pyd")


@dataclass(slots=True)
class _Name:
    """What was seen of one used name."""

    count: int = 0
    places: set[str] = field(default_factory=set[str])
    guarded: Counter[Guard] = field(default_factory=Counter[Guard])
    plain: list[Evidence] = field(default_factory=list[Evidence])
    spare: list[Evidence] = field(default_factory=list[Evidence])

    def add(self, use: Use, page: Page) -> None:
        """Count one use; its lines become evidence while there is room, unguarded ones first."""
        self.count += 1
        self.places.add(page.place)
        if use.guard:
            self.guarded[use.guard] += 1
        kept = self.spare if use.guard else self.plain
        if len(kept) < MAX_EVIDENCE and (quote := page.quote(use.first, use.last)) and quote not in kept:
            kept.append(quote)

    def finding(self, name: str) -> Finding:
        """The finding it comes to."""
        guards = sum(self.guarded.values())
        files = f" in {len(self.places)} files" if len(self.places) > 1 else ""
        times = "once" if self.count == 1 else f"{self.count} times"
        claim = f"Uses `{name}` {times}{files}{self._guards(guards)}."
        return Finding(
            kind="upgrades.uses",
            subject=name,
            claim=claim,
            confidence=0.6 if guards == self.count else 0.95,
            evidence=tuple((self.plain + self.spare)[:MAX_EVIDENCE]),
            count=self.count,
        )

    def _guards(self, guards: int) -> str:
        if not guards:
            return ""
        share = "" if guards == self.count else f"{guards} of them "
        return f", {share}{' or '.join(guard.value for guard in self.guarded)}"


@dataclass(slots=True)
class _Inspection:
    """One look at the modules of a scope."""

    library: Library
    upcoming: tuple[int, int]
    stated: dict[tuple[str, str], list[tuple[Statement, Page, bool]]] = field(
        default_factory=lambda: defaultdict[tuple[str, str], list[tuple[Statement, Page, bool]]](list)
    )
    used: dict[str, _Name] = field(default_factory=lambda: defaultdict[str, _Name](_Name))
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict[str, list[str]](list))
    done: int = 0

    def look(self, module: Module, wanted: Callable[[str], bool]) -> None:
        """Read one module for both kinds of facts, or note why it was left out."""
        try:
            reason = self._look(module, wanted)
        except (FanfoldError, OSError):
            reason = "cannot be read"
        except RecursionError:
            reason = "nested too deeply"
        if reason:
            self.left_out[reason].append(module.place)
        else:
            self.done += 1

    def _look(self, module: Module, wanted: Callable[[str], bool]) -> str:
        page = self.library.page(module)
        if isinstance(page, str):
            return page
        may_state = "deprecat" in page.text.lower() and (module.standard or not module.tests)
        if module.standard and not may_state:
            return ""
        opened = self.library.opened(module, page)
        if isinstance(opened, str):
            return opened
        if may_state:
            self._deprecates(opened)
        if not module.standard:
            for use in uses(opened.tree, module.parent, wanted):
                self.used[use.name].add(use, opened.page)
        return ""

    def _deprecates(self, opened: Opened) -> None:
        module = opened.module
        base = module.base
        for statement in deprecations(
            self.library.names(opened), opened.tree, lambda name: self.library.table(base, name)
        ):
            subject = self._public(statement.subject, module)
            self.stated[base, subject].append((statement, opened.page, module.standard))

    def _public(self, subject: str, module: Module) -> str:
        if module.standard and module.place.endswith("_strptime.py"):
            return "time.strptime()[usage]"
        path, suffix = _PARTS.sub(r"\1", subject), _PARTS.sub(r"\2", subject)
        rest = path.removeprefix(f"{module.name}.")
        if rest == path:
            return subject
        return self.library.public(module.base, module.name, rest) + suffix

    def deprecates(self) -> list[Finding]:
        """One finding for each subject and stated version, what matters most first."""
        found = [f for (_, subject), all_of in self.stated.items() for f in self._of_subject(subject, all_of)]
        order = list(Severity)
        return sorted(found, key=lambda f: (order.index(f.severity), f.subject, f.value))

    def _of_subject(self, subject: str, all_of: list[tuple[Statement, Page, bool]]) -> Iterator[Finding]:
        versions = list(dict.fromkeys(s.removal.text for s, _, _ in all_of if s.removal)) or [""]
        for version in versions:
            stating = [one for one in all_of if (one[0].removal.text if one[0].removal else "") == version]
            silent = [one for one in all_of if version and not one[0].removal]
            yield _deprecation(subject, stating + silent, self.upcoming)


def _deprecation(subject: str, stated: list[tuple[Statement, Page, bool]], upcoming: tuple[int, int]) -> Finding:
    first, _, standard = stated[0]
    quotes = [page.quote(*lines) for statement, page, _ in stated for lines in statement.lines]
    end = first.removal
    of_python = end is not None and (end.of_python or standard)
    return Finding(
        kind="upgrades.deprecates",
        subject=subject[:300],
        claim=_claim(subject, stated, of_python=of_python),
        attribute="removal" if end else "",
        value=end.text if end else "",
        severity=_severity(end.text, upcoming) if end and of_python else Severity.low,
        confidence=max(statement.sure for statement, _, _ in stated),
        evidence=tuple(dict.fromkeys(q for q in quotes if q))[:MAX_EVIDENCE],
    )


def _claim(subject: str, stated: list[tuple[Statement, Page, bool]], *, of_python: bool) -> str:
    first = stated[0][0]
    name, _, argument = subject.rstrip("]").partition("()[")
    if first.whole:
        what = f"`{subject}` is deprecated"
    elif argument in {"", "usage"}:
        what = f"A way of using `{name.partition('[')[0]}` is deprecated"
    else:
        what = f"Passing `{argument}` to `{name}` is deprecated"
    begun = next((statement.since for statement, _, _ in stated if statement.since), "")
    since = f" since {begun}" if begun else ""
    end = f", to end with {'Python' if of_python else 'version'} {first.removal.text}" if first.removal else ""
    message = next((statement.message for statement, _, _ in stated if statement.message), "")
    said = f': "{message}"' if message else "."
    return f"{what}{since}{end}{said}"[:2_000]


def _severity(version: str, upcoming: tuple[int, int]) -> Severity:
    major, minor = (int(part) for part in version.split(".")[:2])
    return Severity.high if (major, minor) <= upcoming else Severity.medium


def inspect(files: Files, args: Inspect) -> Answer:
    """Both kinds of findings for every Python file in scope. `question` may name the Python to move to.

    Raises:
        ScopeError: if `under` is outside the scope.
        UnknownNameError: if a place does not exist.
    """
    places = (args.under,) if args.under else files.places
    documents = list(files.walk(args.under))
    found = modules(documents, places)
    aside = [] if asked_for_tests(args.question, places) else [m for m in found if is_aside(m)]
    left = {module.place for module in aside}
    at_hand = [module for module in found if module.place not in left]
    looking = _Inspection(Library(files, found), next_python(args.question))
    shadowed = _shadowed(found, documents)
    for document in documents:
        if document.place.endswith("/"):
            looking.left_out["folders cannot be looked into"].append(document.place)
    for module in at_hand:
        hidden = shadowed.get(module.base, frozenset[str]())
        looking.look(module, (STANDARD - hidden).__contains__)
    return _answer(looking, _gaps(documents, aside, shadowed))


def _shadowed(found: Iterable[Module], documents: Iterable[Document]) -> dict[str, frozenset[str]]:
    """By base, the modules that lie there under the name of a standard one, and are found before it.

    An installed distribution is found after the standard library, so it hides only what that no longer has.
    """
    sites = {
        d.place.partition(".dist-info/")[0].rpartition("/")[0] or d.place.partition(":")[0]
        for d in documents
        if ".dist-info/" in d.place
    }
    tops: dict[str, set[str]] = defaultdict(set)
    for module in found:
        if not module.standard:
            tops[module.base].add(module.name.partition(".")[0])
    return {base: frozenset(names & (LEFT if base in sites else STANDARD)) for base, names in tops.items()}


def _gaps(documents: list[Document], aside: list[Module], shadowed: dict[str, frozenset[str]]) -> list[str]:
    gaps: list[str] = []
    compiled = sum(document.path.endswith(_COMPILED) for document in documents)
    if compiled:
        gaps.append(
            f"{compiled} compiled modules ({'/'.join(_COMPILED)}) cannot be read for what they deprecate or use."
        )
    if aside:
        gaps.append(
            f"{len(aside)} files of the standard library's own tests and editor were not asked for, nor read."
        )
    hidden = sorted({name for names in shadowed.values() for name in names})
    if hidden:
        gaps.append(f"Uses of {', '.join(hidden[:8])} are left out: the scope has modules of its own by such names.")
    if not any(is_python(document) for document in documents):
        gaps.append("There is no Python source in this scope.")
    return gaps


def _answer(looking: _Inspection, gaps: list[str]) -> Answer:
    deprecates = looking.deprecates()
    names = sorted(looking.used, key=lambda name: ("[" in name, name.count("."), name))
    most = MAX_FINDINGS - min(len(deprecates), MAX_DEPRECATIONS)
    used = [looking.used[name].finding(name) for name in sorted(names[:most])]
    if len(deprecates) > MAX_DEPRECATIONS:
        gaps.append(
            f"{len(deprecates) - MAX_DEPRECATIONS} of {len(deprecates)} deprecations, the least severe, are left out."
        )
    if len(names) > most:
        gaps.append(
            f"{len(names) - most} of the {len(names)} names used, arguments and the longest first, are left out."
        )
    findings = (*deprecates[:MAX_DEPRECATIONS], *used)
    left_out = tuple(_reason(reason, places) for reason, places in sorted(looking.left_out.items()))
    in_scope = looking.done + sum(map(len, looking.left_out.values()))
    examined = Examined(done=looking.done, in_scope=in_scope, unit="Python files", left_out=left_out)
    return Answer(_text(looking, findings, examined), findings, examined, tuple(gaps))


def _reason(reason: str, places: list[str]) -> str:
    some = ", ".join(places[:3])
    return f"{len(places)} {reason} ({some}{', …' if len(places) > 3 else ''})"[:300]


def _text(looking: _Inspection, findings: tuple[Finding, ...], examined: Examined) -> str:
    kinds = Counter(finding.kind for finding in findings)
    major, minor = looking.upcoming
    counted = (
        f"{kinds['upgrades.deprecates']} deprecations, {kinds['upgrades.uses']} names of the standard library used"
    )
    looked = f"in {examined.done} of {examined.in_scope} Python files; judged for Python {major}.{minor}."
    lines = [f"{counted}, {looked}"]
    room = MAX_LISTED_CHARS
    for finding in findings:
        where = f" ({finding.evidence[0].source}:{finding.evidence[0].locator})" if finding.evidence else ""
        line = f"- [{finding.severity}] {finding.claim[:300]}{where}"
        room -= len(line) + 1
        if room < 0:
            lines.append(f"… and {len(findings) + 1 - len(lines)} more findings")
            break
        lines.append(line)
    return "\n".join(lines)


TOOL = Tool(
    name="upgrades",
    description=(
        "For moving to another Python: what modules deprecate or plan to remove, with the version stated, and which "
        "names of the standard library a distribution or repository uses. Name the Python to move to in `question`."
    ),
    arguments=Inspect,
    run=inspect,
    inspection=True,
    hints=(
        *(
            "upgrade",
            "upgrading",
            "next python",
            "newer python",
            "move to python",
            "migrate to python",
            "python upgrade",
        ),
        *(
            "deprecated",
            "deprecation",
            "deprecate",
            "removed in python",
            "removed from python",
            "compatible with python",
        ),
    ),
)
