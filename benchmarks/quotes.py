"""300 quotes of real files, a third true, a third moved or altered, a third invented: what becomes of each.

    python benchmarks/quotes.py [--repos benchmarks/data/repos] [--seed 1] [--each 100] [--wrong]

The files are those that benchmarks/fetch_archives.py fetched or, where there are none, this repository's own. Prints
tables of verdicts by what was done to the quote, as Markdown: of quotes looked up in files, and of the same quotes
looked up in what a tool answered. There no line is named, so that what was moved is verified; and what stands in
another answer is unchecked, since the worker saw it. `--wrong` lists the quotes that got another verdict than they
should. Some are code and some are sentences; nobody tells the verifier which.

Near-misses (words shuffled, two lines spliced) are inventions, but some of them differ from a line of the file in a
word or two: missing and altered are both right, verified is not.
"""

import argparse
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fanfold_server.synthesis import verified
from fanfold_server.synthesis.sight import Seen, Told, named
from fanfold_workers.contract import Evidence, Finding, Result, Status, Verdict
from fanfold_workers.tools.roots import MemoryRoot

REPOS = Path(__file__).parent / "data" / "repos"
OWN = Path(__file__).parents[1]
SUFFIXES = {".py", ".md", ".rst", ".txt", ".toml", ".cfg", ".c", ".js"}
FILES, MAX_BYTES = 400, 200_000
WORD = re.compile(r"[A-Za-z]{4,}")
NUMBER = re.compile(r"\d+")
VERBS = {" is ": " is not ", " are ": " are not ", " can ": " cannot ", " must ": " may ", " True": " False"}
VERBS |= {" == ": " != ", " and ": " or ", " will ": " will not ", " not ": " ", " if ": " unless "}

Random = random.Random


@dataclass(frozen=True)
class Place:
    """Some lines of a file, counted from 1, and what they say."""

    path: str
    first: int
    last: int
    text: str

    @property
    def locator(self) -> str:
        return f"L{self.first}" if self.first == self.last else f"L{self.first}-L{self.last}"


@dataclass(frozen=True)
class Case:
    """A quote, what was done to it, and the verdicts that are right."""

    kind: str
    evidence: Evidence
    right: frozenset[Verdict]


# -- where quotes come from ------------------------------------------------------------------------------------------


def read_files(folder: Path, rng: Random) -> dict[str, str]:
    """A sample of text files, by path below the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and ".venv" not in path.parts)
    rng.shuffle(paths)
    files: dict[str, str] = {}
    for path in paths:
        if len(files) == FILES:
            break
        if path.is_file() and 500 < path.stat().st_size < MAX_BYTES:
            files[path.relative_to(folder).as_posix()] = path.read_text("utf-8", "replace")
    return files


def places(files: dict[str, str], rng: Random) -> Iterator[Place]:
    """Places that somebody might quote: one to three lines of 30 to 400 characters with some words in them."""
    paths = sorted(files)
    while True:
        path = rng.choice(paths)
        lines = files[path].split("\n")
        prose = path.endswith((".md", ".rst", ".txt")) or rng.random() < 0.5
        first = rng.randrange(len(lines))
        if prose and path.endswith(".py") and not re.match(r"\s*(#|[A-Z][a-z]+ )", lines[first]):
            continue
        last = min(len(lines) - 1, first + rng.randrange(3))
        text = "\n".join(lines[first : last + 1]).strip()
        if 30 <= len(text) <= 400 and len(WORD.findall(text)) >= 4:
            yield Place(path, first + 1, last + 1, text)


# -- what may be done to a quote and leaves it true ------------------------------------------------------------------


def verbatim(text: str, rng: Random) -> str:
    return text


def respaced(text: str, rng: Random) -> str:
    return re.sub(r"\s+", lambda match: rng.choice([" ", "  ", "\n"]), text)


def typeset(text: str, rng: Random) -> str:
    curly = re.sub(r"'", "\u2019", re.sub(r'"(.*?)"', "\u201c\\1\u201d", text)).replace("...", "\u2026")
    return curly.replace("fi", "\ufb01").replace(" - ", " \u2013 ")


def unseen(text: str, rng: Random) -> str:
    at = rng.randrange(1, len(text))
    return "\u202d" + text[:at] + rng.choice(["\u200b", "\u00ad", "\ufeff"]) + text[at:] + "\u202c"


def cut(text: str, rng: Random) -> str:
    words = text.split()
    kept = " ".join(words[rng.randrange(2) : max(4, len(words) - rng.randrange(3))])
    return f"\u2026 {kept} ..." if len(kept) > 12 else text


def wrapped(text: str, rng: Random) -> str:
    return rng.choice(['"{}"', "`{}`", "\u201c{}\u201d"]).format(text)


# -- what alters it --------------------------------------------------------------------------------------------------


def other_number(text: str, rng: Random) -> str:
    return NUMBER.sub(lambda match: str(int(match[0]) + rng.randint(1, 9)), text, count=1)


def turned(text: str, rng: Random) -> str:
    found = [verb for verb in VERBS if verb in text]
    return text.replace(found[0], VERBS[found[0]], 1) if found else text


def other_word(text: str, rng: Random) -> str:
    words = WORD.findall(text)
    return text.replace(rng.choice(words), rng.choice(["always", "client", "deprecated", "handler"]), 1)


def less_a_word(text: str, rng: Random) -> str:
    return re.sub(rf"\s*\b{rng.choice(WORD.findall(text))}\b", "", text, count=1)


def lower(text: str, rng: Random) -> str:
    return text.lower() if text != text.lower() else text.upper()


def leaving_out(text: str, rng: Random) -> str:
    words = text.split(" ")
    third = len(words) // 3
    if min(len(" ".join(words[:third])), len(" ".join(words[len(words) - third :]))) < 12:
        return text
    return " ".join(words[:third]) + rng.choice([" ... ", " \u2026 ", " [...] "]) + " ".join(words[-third:])


ALTERATIONS: dict[str, Callable[[str, Random], str]] = {
    "altered: another number": other_number,
    "altered: the opposite": turned,
    "altered: another word": other_word,
    "altered: a word left out": less_a_word,
    "altered: other case": lower,
    "altered: middle left out": leaving_out,
}
TRUE: dict[str, Callable[[str, Random], str]] = {
    "true: verbatim": verbatim,
    "true: other white space": respaced,
    "true: typeset": typeset,
    "true: invisible characters": unseen,
    "true: cut, with ellipses": cut,
    "true: in quotation marks": wrapped,
}


# -- what was never written ------------------------------------------------------------------------------------------

SAYINGS = (
    "The {noun} is {verb} lazily on first use and then cached for the lifetime of the {other}.",
    "Callers must hold the {noun} lock before they {verb} the {other}, otherwise a deadlock may occur.",
    "By default every {noun} times out after 45 seconds unless the {other} overrides it.",
    "This function was deprecated in favour of {noun}.{verb}() and will be removed in the next major release.",
    "Passing None for {noun} disables {other} validation entirely.",
    "We never retry a failed {noun}, since the {other} might have been {verb}ed already.",
    "Security note: {noun} values are written to the log in plain text when {other} is enabled.",
    "The {other} is guaranteed to outlive the {noun}, so no reference counting is needed here.",
)
CODES = (
    "def {verb}_{noun}(self, {other}, *, timeout=45.0, retries=7):",
    'if {noun}.{verb}({other}) is None: raise RuntimeError("{other} went away")',
    'self._{noun} = {other}.pop("{verb}", default=None) or self._{verb}_fallback()',
    "{noun} = await asyncio.wait_for({other}.{verb}(), timeout=12.5)",
    'assert len({noun}_{other}) <= MAX_{other}_COUNT, "too many"',
    'return {{**{noun}, "{verb}": {other}.compute_checksum(seed=1337)}}',
)


def fluent(place: Place, files: dict[str, str], rng: Random) -> str:
    """A sentence or a line of code in the words of the file, which nobody wrote."""
    words = [word.lower() for word in WORD.findall(files[place.path])]
    pattern = rng.choice(rng.choice([SAYINGS, CODES]))
    return pattern.format(noun=rng.choice(words), verb=rng.choice(words), other=rng.choice(words))


def shuffled(place: Place, files: dict[str, str], rng: Random) -> str:
    """The words of a true quote in another order."""
    words = place.text.split()
    rng.shuffle(words)
    return " ".join(words)


def spliced(place: Place, files: dict[str, str], rng: Random) -> str:
    """The beginning of one line and the end of another."""
    lines = [line.split() for line in files[place.path].split("\n") if len(line.split()) >= 4]
    one, other = rng.choice(lines or [[]]), rng.choice(lines or [[]])
    return " ".join([*one[: len(one) // 2], *other[len(other) // 2 :]])


def elsewhere(place: Place, files: dict[str, str], rng: Random) -> str:
    """Lines that stand in another file."""
    return next(other.text for other in places(files, rng) if other.path != place.path)


NEAR_MISSES: dict[str, Callable[[Place, dict[str, str], Random], str]] = {
    "invented: a true quote's words shuffled": shuffled,
    "invented: two lines spliced": spliced,
}
INVENTIONS = {
    "invented: fluent, in the file's words": fluent,
    **NEAR_MISSES,
    "invented: from another file": elsewhere,
}

AS_TOLD = {"moved": frozenset({Verdict.verified}), "invented: from another file": frozenset({Verdict.unchecked})}


# -- the cases -------------------------------------------------------------------------------------------------------


def cases(files: dict[str, str], rng: Random, each: int) -> Iterator[Case]:
    """As many of each third; a quote that the change left true, or made true, is not taken."""
    found = places(files, rng)
    flat = {path: squeezed(text) for path, text in files.items()}
    kinds = [(kind, each // 6 + (n < each % 6)) for n, kind in enumerate(TRUE)]
    kinds += [(kind, (each - each // 3) // 6 + (n < (each - each // 3) % 6)) for n, kind in enumerate(ALTERATIONS)]
    kinds += [("moved", each // 3)]
    kinds += [(kind, each // 4 + (n < each % 4)) for n, kind in enumerate(INVENTIONS)]
    for kind, count in kinds:
        taken = 0
        while taken < count:
            if case := made(kind, next(found), files, flat, rng):
                taken += 1
                yield case


def made(kind: str, place: Place, files: dict[str, str], flat: dict[str, str], rng: Random) -> Case | None:
    """One case of a kind at a place, None where it can't be made there."""
    locator = rng.choice([place.locator, ""])
    if kind in TRUE:
        return case(kind, place, locator, TRUE[kind](place.text, rng), {Verdict.verified})
    if kind == "moved":
        if flat[place.path].count(squeezed(place.text)) > 1:
            return None
        lines = files[place.path].count("\n")
        other = rng.choice([n for n in (1, lines // 2, lines, place.last + 7) if abs(n - place.first) > 3])
        return case("moved", place, f"L{max(1, other)}", place.text, {Verdict.moved})
    if kind in ALTERATIONS:
        quote, right = ALTERATIONS[kind](place.text, rng), {Verdict.altered}
    else:
        near = {Verdict.altered} if kind in NEAR_MISSES else set[Verdict]()
        quote, right = INVENTIONS[kind](place, files, rng), {Verdict.missing} | near
    return (
        None if len(quote) < 25 or squeezed(quote) in flat[place.path] else case(kind, place, locator, quote, right)
    )


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def case(kind: str, place: Place, locator: str, quote: str, right: set[Verdict]) -> Case:
    return Case(kind, Evidence(source=f"repos:{place.path}", locator=locator, quote=quote), frozenset(right))


def table(those: list[Case], seen: list[Evidence]) -> str:
    """The verdicts by kind, as Markdown."""
    counts: dict[str, Counter[Verdict]] = {}
    right: Counter[str] = Counter()
    for one, evidence in zip(those, seen, strict=True):
        counts.setdefault(one.kind, Counter())[evidence.verdict] += 1
        right[one.kind] += evidence.verdict in one.right
    head = ["what was done to the quote", "quotes", *Verdict, "right"]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for kind, count in counts.items():
        rows.append([kind, str(count.total()), *(str(count[v] or "") for v in Verdict), f"{right[kind]}"])
    rows.append(
        ["all", str(len(those)), *(str(sum(c[v] for c in counts.values())) for v in Verdict), f"{right.total()}"]
    )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repos", type=Path, default=REPOS if REPOS.is_dir() else OWN)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=100, help="quotes of each third")
    parser.add_argument("--wrong", action="store_true", help="list the quotes that got another verdict")
    given = parser.parse_args()
    rng = Random(given.seed)
    files = read_files(given.repos, rng)
    those = list(cases(files, rng, given.each))
    answers = [replace(one, right=AS_TOLD.get(one.kind, one.right)) for one in those]
    files_read = ("files", those, *in_files(those, files))
    for name, asked, seen, took in (files_read, ("answers of a tool", answers, *in_answers(those, files))):
        print(f"{len(asked)} quotes of {len(files)} {name}, seed {given.seed}, in {took:.1f} s:\n")
        print(table(asked, seen) + "\n")
        for one, evidence in zip(asked, seen, strict=True) if given.wrong else ():
            if evidence.verdict not in one.right:
                print(f"{one.kind}: {evidence.verdict}, {evidence.source} {evidence.locator}")
                print(f"  quote  {one.evidence.quote!r}\n  actual {evidence.actual!r}\n")


def in_files(those: list[Case], files: dict[str, str]) -> tuple[list[Evidence], float]:
    """The quotes, looked up, and how many seconds that took."""
    return looked_up([one.evidence for one in those], {"repos": MemoryRoot("repos", files)}, {})


def in_answers(those: list[Case], files: dict[str, str]) -> tuple[list[Evidence], float]:
    """The same, each file being an answer of a tool of another server."""
    by = frozenset({"docs__read", "docs"})
    told = [Told(text, by, frozenset({named(path)}), path) for path, text in files.items()]
    sources = [one.evidence.source.removeprefix("repos:") for one in those]
    quotes = [
        Evidence(source=f"docs:{path}", quote=one.evidence.quote) for path, one in zip(sources, those, strict=True)
    ]
    return looked_up(quotes, {}, {"s1": Seen(tuple(told))})


def looked_up(
    quotes: list[Evidence], roots: dict[str, MemoryRoot], seen: dict[str, Seen]
) -> tuple[list[Evidence], float]:
    findings = tuple(Finding(subject="it", claim="so it is", evidence=(quote,)) for quote in quotes)
    result = Result(subtask="s1", status=Status.partial, reason="a benchmark", findings=findings)
    begun = time.perf_counter()
    (checked,) = verified([result], roots, {}, seen)
    return [finding.evidence[0] for finding in checked.findings], time.perf_counter() - begun


if __name__ == "__main__":
    main()
