"""Conflicts and duplicates planted among a real audit's findings: how many synthesis finds, and what it makes up.

    make audit; python -m benchmarks.planted_findings [--kept audit.json]

The rules engine audits fifty repositories. Its findings are then taken as if minds had brought them, which is where
findings are compared by their words. Two more minds look at the same subjects: 200 times they contradict each other,
200 times one says in other words what the other says (for the most part a finding of the audit), and 150 times they
say what looks like either and is neither. Some synonyms and opposites are on the lists that synthesis goes by, some
are not, and the table says which; the sentences were written by those who wrote the lists, so real minds will be
caught less often.

The lead is simulated: it settles for the side with a certain quote. That shows that the conflicts reach it as they
are and that its answers come back to the right sides; it says nothing of how well a real one would judge.
"""

import argparse
import json
import random
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import anyio

from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Task
from fanfold_server.synthesis.conflicts import Disputes, disputes
from fanfold_server.synthesis.desk import Desk
from fanfold_server.synthesis.join import merged
from fanfold_server.synthesis.material import checked, weighed
from fanfold_server.synthesis.settling import settled
from fanfold_server.synthesis.texts import Drawn
from fanfold_server.synthesis.weigh import Noted
from fanfold_workers.aside import in_thread
from fanfold_workers.contract import Evidence, Finding, Result, Subtask
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, FunctionModel, Reply, Said, saying

REPOS = Path(__file__).parent / "data" / "repos"
TASK = "Audit these repositories for secrets, dependency problems and missing tests"
TRUE = "This side was checked by hand."
ALL = {"conflict": 200, "duplicate": 200, "neither": 150}
SEED = 7

Pair = tuple[dict[str, str], dict[str, str]]
Make = Callable[[Finding, random.Random], Pair | None]


def said(claim: str, attribute: str = "", value: str = "") -> dict[str, str]:
    return {"claim": claim, "attribute": attribute, "value": value}


def name(base: Finding) -> str:
    """What people would call the subject."""
    return base.subject.rpartition("::")[2].rpartition("/")[2].split(" ")[-1]


def elsewhere(one: str, other: str) -> Make:
    """Each seen in a repository of its own."""

    def make(base: Finding, rng: random.Random) -> Pair:
        pair = said(one.format(n=name(base))), said(other.format(n=name(base)))
        return pair[0] | {"source": "repos:one/a.txt"}, pair[1] | {"source": "repos:two/a.txt"}

    return make


def lookalikes(one: str, other: str) -> Make:
    def make(base: Finding, rng: random.Random) -> Pair:
        return said(one.format(n=name(base))), said(other.format(n=name(base)))

    return make


# -- conflicts: by what sets the two apart ---------------------------------------------------------------------------


def swapped(form: str, *pairs: tuple[str, str], other: str = "") -> Make:
    """The form with one word, and the same (or the other) form with its opposite."""

    def make(base: Finding, rng: random.Random) -> Pair:
        one, two = rng.choice(pairs)
        return said(form.format(n=name(base), w=one)), said((other or form).format(n=name(base), w=two))

    return make


def another_value(base: Finding, rng: random.Random) -> Pair:
    one, two = rng.sample(["MIT", "BSD-3-Clause", "Apache-2.0", "GPL-3.0"], 2)
    return said(f"{name(base)} is under {one}.", "licence", one), said(f"Its licence is {two}.", "Licence", two)


def versions(one: str, other: str, attributes: tuple[str, str] = ("", "")) -> Make:
    def make(base: Finding, rng: random.Random) -> Pair | None:
        if not base.subject.startswith("dependency "):
            return None
        a, b = (f"{rng.randint(1, 9)}.{n}.{rng.randint(0, 20)}" for n in rng.sample(range(30), 2))
        values = (a, f"=={b}") if attributes[0] else ("", "")
        return (
            said(one.format(n=name(base), v=a), attributes[0], values[0]),
            said(other.format(n=name(base), v=b), attributes[1], values[1]),
        )

    return make


def numbers(one: str, other: str = "") -> Make:
    def make(base: Finding, rng: random.Random) -> Pair:
        a, b = rng.sample(range(2, 90), 2)
        return said(one.format(n=name(base), v=a)), said((other or one).format(n=name(base), v=b))

    return make


def flagged(base: Finding, rng: random.Random) -> Pair:
    cve = f"CVE-2026-{rng.randint(1_000, 9_999)}"
    good = ("{c} is patched in {n}.", "{n} has been fixed for {c}.", "{n}: {c} is already mitigated here.")
    bad = rng.choice(["{n} is flagged as vulnerable to {c}.", "{n} is vulnerable to {c} in production."])
    return said(bad.format(c=cve, n=name(base))), said(rng.choice(good).format(c=cve, n=name(base)))


CONFLICTS: dict[str, Make] = {
    "another value of one attribute": another_value,
    "another version, as a value": versions("{n} is old.", "{n} is fresh.", ("pinned version", "version")),
    "another version, in words": versions("{n} is pinned to {v}.", "The lock file pins {n} at version {v}."),
    "another number": numbers("Loading {n} takes {v} seconds."),
    "another number, reworded": numbers("It takes {v} seconds to load.", "To load, it takes {v} s."),
    "negation": swapped("{n} {w} the network.", ("uses", "does not use"), ("reaches", "never reaches")),
    "opposite state": swapped(
        "Caching is {w} for {n} by default.", ("enabled", "disabled"), ("supported", "unsupported"),
        ("required", "optional"), ("present", "missing"), ("safe", "unsafe"),
    ),
    "opposite state, reworded": swapped(
        "Logging is {w} in {n}.", ("enabled", "disabled"), ("allowed", "forbidden"), other="{n} has logging {w}.",
    ),
    "flagged and patched": flagged,
    "negation, other way round": swapped("No test {w} {n}.", ("covers", "covered"), other="{n} is {w} by a test."),
    "opposites that are on no list": swapped(
        "The store of {n} is {w}.", ("encrypted", "in plain text"), ("frozen", "mutable"), ("local", "remote"),
    ),
}  # fmt: skip


# -- duplicates: the audit's own claims in other words ---------------------------------------------------------------

FORMS = {
    "tests.untested_module": r"No test in the repository imports or names (?P<n>\S+) or anything it defines: .*",
    "tests.no_assertion": r"(?P<n>\S+) in (?P<f>\S+) asserts nothing: it passes unless something raises\.",
    "dependencies.unpinned": r"(?P<n>\S+) is required without a version in (?P<f>\S+), and no lock or .*",
    "tests.empty": r"(?P<n>\S+) in (?P<f>\S+) is empty\.",
    "secrets.private_key": r"A private key stands (?P<n>once|in \d+ places), (?P<f>in .*)\.",
}
REORDERED = {
    "tests.untested_module": "In the repository no test imports or names {n} or anything it defines: at most others"
    " lead to it.",
    "tests.no_assertion": "In {f}, {n} asserts nothing: unless something raises, it passes.",
    "dependencies.unpinned": "In {f}, {n} is required without a version, and no lock or manifest beside it bounds"
    " it.",
    "tests.empty": "In {f}, {n} is empty.",
    "secrets.private_key": "{f}, a private key stands {n}.",
}
LISTED = {
    "tests.untested_module": "No test in the repo imports or mentions {n} or anything it defines: at most others lead"
    " to it.",
    "tests.no_assertion": "{n} in {f} checks nothing: it passes unless something raises.",
    "dependencies.unpinned": "{n} is needed without a version in {f}, and no lock or manifest beside it bounds it.",
    "tests.empty": "{n} in {f} is blank.",
    "secrets.private_key": "A private key appears {n}, {f}.",
}
UNLISTED = {
    "tests.untested_module": "No test in the code base touches {n} or whatever it exports: others may reach it.",
    "tests.no_assertion": "{n} in {f} has no expectation: only an exception makes it red.",
    "dependencies.unpinned": "{f} asks for {n} at whatever release comes, with nothing to hold it.",
    "tests.empty": "{n} in {f} has no body.",
    "secrets.private_key": "Key material of an asymmetric pair sits {n}, {f}.",
}


def restated(forms: dict[str, str]) -> Make:
    def make(base: Finding, rng: random.Random) -> Pair | None:
        match = re.fullmatch(FORMS.get(base.kind, "(?!)"), base.claim)
        return (said(base.claim), said(forms[base.kind].format(**match.groupdict()))) if match else None

    return make


def around(before: str = "", after: str = "") -> Make:
    def make(base: Finding, rng: random.Random) -> Pair:
        claim = base.claim if not before else base.claim[0].lower() + base.claim[1:]
        return said(base.claim), said(f"{before}{claim.rstrip('.') if after else claim}{after}")

    return make


def marked(base: Finding, rng: random.Random) -> Pair:
    return said(base.claim), said("  ".join(base.claim.replace(",", " ,").rstrip(".").upper().split(" ")) + " !")


def inflected(base: Finding, rng: random.Random) -> Pair:
    other = base.claim
    for one, two in ((" is ", " was "), (" asserts ", " asserted "), (" imports or names ", " imported or named ")):
        other = other.replace(one, two)
    return said(base.claim), said(other.replace(" stands ", " stood "))


def formats(base: Finding, rng: random.Random) -> Pair:
    n = rng.randint(2, 12)
    words = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ]
    one, other = rng.choice(
        [
            (f"It has {n},200 lines.", f"It has {n}200 lines."),
            (f"It takes {n} seconds to load.", f"It takes {n} s to load."),
            (f"It is named {n} times.", f"It is named {words[n]} times."),
            (f"It makes {n} % of the code.", f"It makes {n} percent of the code."),
            (f"It came with v{n}.1 of the package.", f"It came with {n}.1 of the package."),
        ]
    )
    return said(one), said(other)


def same_value(base: Finding, rng: random.Random) -> Pair:
    return said("It is under MIT.", "licence", "MIT"), said("What it may be used for is liberal.", "Licence", "mit ")


DUPLICATES: dict[str, Make] = {
    "reordered": restated(REORDERED),
    "punctuation and case": marked,
    "tense": inflected,
    "number formats": formats,
    "an extra clause at the end": around(after=", which makes later changes risky for whoever relies on it."),
    "an extra clause at the beginning": around(before="While reading the files closely, "),
    "a lead-in": around(before="I found that "),
    "synonyms on the list": restated(LISTED),
    "synonyms on no list": restated(UNLISTED),
    "active and passive": lookalikes("The build reads {n} twice.", "{n} is read twice by the build."),
    "one value, other words": same_value,
}


# -- neither ---------------------------------------------------------------------------------------------------------


NEITHER: dict[str, Make] = {
    "another name": lookalikes("It is imported by core.handlers_one.", "It is imported by core.handlers_two."),
    "another file": lookalikes("It is named in docs/install.md.", "It is named in docs/install_dev.md."),
    "a condition": lookalikes("It writes to the disk.", "It writes to the disk, but only if debugging is on."),
    "another case": lookalikes("Caching is enabled for {n} in tests.", "Caching is disabled for {n} in production."),
    "another thing counted": lookalikes("It has 3 public functions.", "It has 5 private functions."),
    "the next of a row": lookalikes("Step 2 of its release is manual.", "Step 3 of its release is manual."),
    "another place": lookalikes("Line 12 of it is never reached.", "Line 40 of it is never reached."),
    "a wish": lookalikes("Caching is disabled.", "Caching should be enabled."),
    "another version, another role": lookalikes("{n} needs at least 2.1.0.", "{n} is pinned to 2.4.1."),
    "once and now": lookalikes("Until 2.0 its cache was unsafe.", "Since 2.0 its cache is safe."),
    "roles swapped": lookalikes("It calls a.load before b.parse.", "It calls b.parse before a.load."),
    "opposite deeds, both done": lookalikes("It encodes what it is given.", "It decodes what it is given."),
    "another hole": lookalikes("{n} is vulnerable to CVE-2026-11.", "{n} is patched for CVE-2026-12."),
    "a hole then and now": lookalikes(
        "Before 2.1 {n} was vulnerable to CVE-2026-1.", "{n} is patched for CVE-2026-1."
    ),
    "pinned in two repositories": elsewhere("{n} is pinned to 2.1.0.", "{n} is pinned to 2.4.1."),
}


# -- planting --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plant:
    """Two findings, by id, and what they are to each other; `right` is the one that was checked by hand."""

    sort: str
    kind: str
    one: str
    other: str
    right: str


@dataclass
class Field:
    """Where to plant: what each mind has to say, and what was planted."""

    minds: dict[str, list[Finding]]
    plants: list[Plant]

    def plant(self, sort: str, kind: str, base: Finding, pair: Pair, right: int) -> None:
        ids: list[str] = []
        for n, (mind, fields) in enumerate(zip(("m1", "m2"), pair, strict=True)):
            source = fields.pop("source", "https://example.org/")
            self.minds[mind].append(
                Finding(
                    id=f"{mind}.{len(self.minds[mind]) + 1}",
                    subject=base.subject if n == 0 else base.subject.title(),
                    confidence=0.5,
                    evidence=(Evidence(source=source, quote=TRUE if n == right else "I have read it."),),
                    **fields,
                )
            )
            ids.append(self.minds[mind][-1].id)
        self.plants.append(Plant(sort, kind, *ids, right=ids[right]))


def planted(findings: Sequence[Finding], seed: int = SEED) -> Field:
    """As many of each sort as ALL says, shared out among its kinds, each about a subject of its own."""
    rng = random.Random(seed)
    field = Field({"m1": [], "m2": []}, [])
    bases = list({finding.subject.casefold(): finding for finding in findings}.values())
    rng.shuffle(bases)
    for sort, makers in (("conflict", CONFLICTS), ("duplicate", DUPLICATES), ("neither", NEITHER)):
        for n, (kind, make) in enumerate(makers.items()):
            for _ in range((ALL[sort] + n) // len(makers)):
                at, pair = next((at, pair) for at, base in enumerate(bases) if (pair := make(base, rng)))
                field.plant(sort, kind, bases.pop(at), pair, rng.randrange(2))
    return field


# -- what came of it -------------------------------------------------------------------------------------------------


def as_minds(results: Sequence[Result]) -> list[Result]:
    return [result.model_copy(update={"engine": "host"}) for result in results]


def noted_of(subtasks: Sequence[Subtask], results: Sequence[Result]) -> tuple[Noted, ...]:
    """The findings, weighed. No root is within reach: what quotes are worth makes no difference here."""
    return weighed(subtasks, checked(subtasks, results, {}), Drawn({}, {}), {}).noted


def contradicting(disputed: Disputes) -> set[frozenset[str]]:
    """Pairs on two sides of a conflict."""
    pairs: set[frozenset[str]] = set()
    for conflict in disputed.conflicts:
        for one, other in combinations(conflict.sides, 2):
            pairs.update(frozenset((a, b)) for a in one.findings for b in other.findings)
    return pairs


def alike(noted: Sequence[Noted]) -> set[frozenset[str]]:
    """Pairs merged into one claim."""
    ids = ([member.finding.id for member in claim.members] for claim in merged(noted))
    return {frozenset(pair) for those in ids for pair in combinations(those, 2)}


def table(field: Field, noted: Sequence[Noted]) -> Iterator[str]:
    """One row for each kind; then what was made up."""
    conflicting, same = contradicting(disputes(noted)), alike(noted)
    rows: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for plant in field.plants:
        pair = frozenset((plant.one, plant.other))
        wanted, unwanted = (same, conflicting) if plant.sort == "duplicate" else (conflicting, same)
        row = rows[plant.sort, plant.kind]
        row["all"] += 1
        row["found"] += plant.sort != "neither" and pair in wanted
        row["false"] += pair in unwanted or (plant.sort == "neither" and pair in wanted)
    yield "| planted | kind | pairs | found | missed | taken for the other |"
    yield "|---|---|---:|---:|---:|---:|"
    for (sort, kind), row in rows.items():
        found = ("", "") if sort == "neither" else (str(row["found"]), str(row["all"] - row["found"]))
        yield f"| {sort} | {kind} | {row['all']} | {found[0]} | {found[1]} | {row['false']} |"
    for sort in ("conflict", "duplicate", "neither"):
        sums = sum((row for (of, _), row in rows.items() if of == sort), Counter[str]())
        found = ("", "") if sort == "neither" else (str(sums["found"]), str(sums["all"] - sums["found"]))
        yield f"| **{sort}** | all | {sums['all']} | {found[0]} | {found[1]} | {sums['false']} |"


def made_up(noted: Sequence[Noted], field: Field) -> tuple[int, int]:
    """Pairs in conflict, and pairs merged that share neither words nor a value, among what nobody planted together.

    What repeats a finding of the audit is merged with it, too, as it should be.
    """
    known = {frozenset((plant.one, plant.other)) for plant in field.plants}
    repeats = {one for plant in field.plants if plant.sort == "duplicate" for one in (plant.one, plant.other)}
    told = {one.finding.id: {one.finding.claim, one.finding.value or one.finding.claim} for one in noted}
    merges = [
        pair for pair in alike(noted) - known if not pair & repeats and not set.intersection(*map(told.get, pair))
    ]
    return len(contradicting(disputes(noted)) - known), len(merges)


# -- the lead --------------------------------------------------------------------------------------------------------


async def simulated(ask: Ask) -> Reply:
    """Settles for the side with the quote that says it is right; leaves the rest open."""
    said = ask.turns[0]
    assert isinstance(said, Said)
    settlements: list[dict[str, str]] = []
    for alias, text in re.findall(r'<conflict id="(c\d+)">(.*?)</conflict>', said.text, re.DOTALL):
        sides = re.findall(r"^side (\w),(.*?)(?=^side|\Z)", text, re.DOTALL | re.MULTILINE)
        side = next((letter for letter, shown in sides if TRUE in shown), "")
        settlements.append({"conflict": alias, "side": side, "reason": "It says that it was checked."})
    return saying(json.dumps({"settlements": settlements}))


async def by_the_lead(field: Field, noted: Sequence[Noted]) -> str:
    """What becomes of the conflicts that were planted and found."""
    asked = list[Ask]()

    async def ask(one: Ask) -> Reply:
        asked.append(one)
        return await simulated(one)

    card = Card("simulated", 200_000, 8_000, Price(0, 0, 0, 0))
    desk = Desk(FunctionModel(ask), card, card, "r-1/calls", ())
    found = disputes(noted)
    done = await settled(desk, "What is wrong here?", found, aside=in_thread)
    right = {frozenset((plant.one, plant.other)): plant.right for plant in field.plants if plant.sort == "conflict"}
    fates = Counter[str]()
    for conflict in done.disputes.conflicts:
        pair = frozenset(one for side in conflict.sides for one in side.findings)
        if pair in right:
            right_first = str(conflict.sides[0].findings == (right[pair],) and not conflict.compatible)
            fates[right_first if conflict.settled else "open"] += 1
    return (
        f"simulated lead: {len(found.conflicts)} conflicts put to it in {len(asked)} requests; of those planted"
        f" {fates['True']} settled for the right side, {fates['False']} for the wrong one, {fates['open']} left open;"
        f" remarks: {list(done.remarks)}"
    )


# -- written after the rules, which were not changed for them --------------------------------------------------------

UNSEEN: dict[str, tuple[tuple[str, str], ...]] = {
    "conflict": (
        ("Uploads are limited to 10 MB.", "The upload limit is 25 MB."),
        ("Sessions expire after 30 minutes.", "A session lasts for two hours."),
        ("The API returns 404 for unknown users.", "Unknown users get a 200 with an empty body."),
        ("Passwords are hashed with bcrypt.", "Passwords are stored in plain text."),
        ("Retries are disabled by default.", "By default retries are enabled."),
        ("It needs Python 3.9 or later.", "It needs Python 3.11 or later."),
        ("The scheduler runs every 5 minutes.", "The scheduler runs hourly."),
        ("Debug mode is on in production.", "Debug mode is off in production."),
        ("Orders are archived after a year.", "Orders are never archived."),
        ("Version 2.31.0 is installed.", "The lock file has 2.28.1."),
        ("IPv6 is supported.", "There is no support for IPv6."),
        ("The migration is reversible.", "The migration cannot be undone."),
        ("Backups are kept for 30 days.", "Backups are kept for 90 days."),
        ("The endpoint is public.", "The endpoint requires a login."),
        ("The test suite passes on Windows.", "On Windows the test suite fails."),
    ),
    "duplicate": (
        ("Uploads are limited to 10 MB.", "The upload limit is 10 MB."),
        ("The cache is never cleared.", "Nothing ever clears the cache."),
        ("User input reaches the SQL query unescaped.", "The SQL query contains unescaped user input."),
        ("There is no rate limiting on the login endpoint.", "The login endpoint has no rate limiting."),
        ("Retries are disabled by default.", "By default, retries are turned off."),
        ("The token is written to the log.", "The log contains the token."),
        ("It requires Python 3.11 or newer.", "It requires Python >= 3.11."),
        ("The README does not mention the licence.", "The licence is not mentioned in the README."),
        ("The image is built as root.", "It builds the image as the root user."),
        ("Temporary files are not deleted after use.", "Temporary files aren't removed after use."),
        ("The default timeout is 30 seconds.", "The default timeout is 30s, which is long for a health check."),
        ("The dependency is outdated.", "The dependency is stale."),
        ("The function has 12 parameters.", "This function takes twelve parameters."),
        ("No tests cover the parser.", "The parser is not covered by any tests."),
        ("The config file is world-readable.", "Anyone can read the config file."),
    ),
    "neither": (
        ("Uploads are limited to 10 MB.", "Downloads are limited to 50 MB."),
        ("Reading takes 3 ms.", "Writing takes 9 ms."),
        ("It logs requests.", "It logs responses."),
        ("The first retry waits 1 second.", "The second retry waits 2 seconds."),
        ("It opens the socket in connect().", "It closes the socket in disconnect()."),
        ("The primary index is required.", "The secondary index is optional."),
        ("Errors are logged in production.", "Errors are not logged in tests."),
        ("It was added in 1.4.", "It was removed in 2.0."),
        ("The minimum is 1.", "The maximum is 10."),
        ("Only admins may delete users.", "Users may delete themselves."),
        ("The parser accepts JSON.", "The parser rejects XML."),
        ("Encoding takes place in encode.py.", "Decoding takes place in decode.py."),
        ("It has 4 open issues.", "It has 17 closed issues."),
        ("The fast path is untested.", "The slow path is tested."),
        ("It is safe to call it twice.", "It is unsafe to call it from a signal handler."),
    ),
}


def unseen() -> Iterator[str]:
    """The same for sentences of other fields, in pairs, each about a subject of its own."""
    minds: dict[str, list[Finding]] = {"m1": [], "m2": []}
    field = Field(minds, [])
    for sort, pairs in UNSEEN.items():
        for n, pair in enumerate(pairs):
            one, other = (said(claim) for claim in pair)
            field.plant(sort, "unseen", Finding(subject=f"{sort} thing {n}", claim="x"), (one, other), 0)
    results = [Result.ended(mind, engine="host", findings=tuple(those)) for mind, those in minds.items()]
    yield from table(field, noted_of([], results))


# -- running ---------------------------------------------------------------------------------------------------------


def restored(data: Any) -> tuple[list[Subtask], list[Result]]:
    return (
        [Subtask.model_validate_json(json.dumps(one)) for one in data["subtasks"]],
        [Result.model_validate_json(json.dumps(one)) for one in data["results"]],
    )


async def audited() -> Any:
    """The audit, as JSON can hold it."""
    with tempfile.TemporaryDirectory() as home:
        async with Orchestrator(roots={"repos": REPOS}, home=Path(home)) as fanfold:
            plan = await fanfold.plan(Task(task=TASK, roots=("repos",)))
            await fanfold.dispatch(plan.id)
            results = await fanfold.runs.results(await fanfold.runs.attempts(plan))
    return {
        "subtasks": [subtask.model_dump(mode="json") for subtask in plan.subtasks],
        "results": [result.model_dump(mode="json") for result in results.values()],
    }


async def measured(subtasks: Sequence[Subtask], results: Sequence[Result]) -> None:
    findings = [finding for result in results for finding in result.findings]
    for engine, those in (("by rules", results), ("as if by minds", as_minds(results))):
        noted = noted_of(subtasks, those)
        conflicts, merges = made_up(noted, Field({}, []))
        print(f"audit {engine}: {len(noted)} findings, {conflicts} pairs in conflict, {merges} merged that differ")
    field = planted(findings)
    minds = [Result.ended(mind, engine="host", findings=tuple(said)) for mind, said in field.minds.items()]
    noted = noted_of(subtasks, [*as_minds(results), *minds])
    print("\n".join(table(field, noted)))
    print("among what was not planted: {} pairs in conflict, {} merged that differ".format(*made_up(noted, field)))
    print(await by_the_lead(field, noted))
    print("\nsentences that the rules were not made for:\n" + "\n".join(list(unseen())[:-3]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kept", type=Path, help="where the audit's results are, or are to be kept")
    kept: Path | None = parser.parse_args().kept
    data = json.loads(kept.read_text("utf-8")) if kept and kept.exists() else anyio.run(audited)
    if kept:
        kept.write_text(json.dumps(data), "utf-8")
    anyio.run(measured, *restored(data))


if __name__ == "__main__":
    main()
