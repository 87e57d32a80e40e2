"""Texts handed to `synthesize`, one ordinary sentence in each that is a fact, the rest background.

    python benchmarks/handed_texts.py [--texts 200] [--chars 40000] [--max-chars 60000] [--background invented]

Prints how many facts were drawn as findings, how many stand in the report, seconds and peak memory. The product sees
neither this file nor where a fact stands. Backgrounds, by how hard they make it:

    plain       sentences recombined from six domains: every word comes back, hardly a sentence does
    invented    the same, with invented names and figures in two sentences of three: most rare words are background
    docstrings  what Python's standard library says of itself: real prose, in which nearly every sentence is unique

A fact is strange to its background (a baker, a bear), or with `--facts kin` said in its very words, which is hardest.
"""

import argparse
import ast
import random
import re
import resource
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio

from fanfold_server.synthesis import synthesize
from fanfold_workers.contract import Result


def listed(text: str) -> tuple[str, ...]:
    """The parts between bars."""
    return tuple(" ".join(part.split()) for part in text.split("|"))


DOMAINS = {
    "water": (
        listed("""
            the utility | the district | the operator | the plant manager | the regional board | the maintenance
            crew | the auditor
            """),
        listed("""
            reviews | monitors | schedules | documents | upgrades | inspects | adjusts | prioritises | funds |
            reports on
            """),
        listed("""
            reservoir levels | the filtration stage | leak detection | pressure zones | valve exercises | sludge
            handling | meter data | the pumping schedule | chlorine dosing | the distribution network
            """),
        listed("""
            during the dry season | in line with the permit | before each quarter ends | to reduce losses |
            where demand is highest | after consultation with residents | as part of the capital programme |
            when staffing allows
            """),
    ),
    "rail": (
        listed("""
            the timetable office | the infrastructure manager | the depot | the signalling team | the franchise
            holder | the driver roster | the regulator
            """),
        listed("""
            coordinates | revises | publishes | tests | delays | rebuilds | assesses | negotiates | approves |
            extends
            """),
        listed("""
            platform capacity | rolling stock availability | the winter timetable | crossing safety | overhead
            line renewal | freight paths | ticketing reform | track geometry | passenger information | the
            possession plan
            """),
        listed("""
            between major junctions | over the coming period | subject to funding | to improve punctuality |
            outside peak hours | with the neighbouring network | following the safety review | despite rising
            costs
            """),
    ),
    "software": (
        listed("""
            the platform team | the release manager | the on-call engineer | the vendor | the security group |
            the data team | the product owner
            """),
        listed("""
            deploys | refactors | measures | deprecates | documents | migrates | throttles | caches | validates
            | rolls back
            """),
        listed("""
            the ingestion service | feature flags | the build pipeline | database replicas | access tokens | the
            search index | error budgets | the message queue | client libraries | the staging environment
            """),
        listed("""
            behind a gradual rollout | without customer impact | under sustained load | in every region | before
            the freeze | according to the runbook | when latency degrades | after the incident review
            """),
    ),
    "garden": (
        listed("""
            the head gardener | the nursery | the volunteer group | the botanist | the estate | the parks
            department | the apprentice
            """),
        listed("""
            plants | prunes | mulches | propagates | labels | waters | replaces | catalogues | thins | protects
            """),
        listed("""
            the herbaceous border | young fruit trees | the rose collection | native hedgerows | the alpine bed
            | raised beds | the glasshouse stock | meadow strips | climbing shrubs | the seed store
            """),
        listed("""
            in early spring | once the frost has passed | with composted bark | along the south wall | for late
            colour | according to soil type | whenever rainfall is low | to encourage pollinators
            """),
    ),
    "hospital": (
        listed("""
            the ward sister | the pharmacy | the logistics desk | the clinical lead | the night shift | the
            infection team | the bed manager
            """),
        listed("""
            orders | rotates | audits | restocks | escalates | triages | records | reallocates | sterilises |
            reviews
            """),
        listed("""
            theatre supplies | discharge letters | isolation rooms | infusion pumps | the outpatient queue |
            blood products | imaging slots | linen deliveries | staff rotas | the formulary
            """),
        listed("""
            before the morning round | under the new protocol | within the agreed window | to shorten waiting
            times | in consultation with specialists | whenever occupancy is high | as national guidance
            requires | across both sites
            """),
    ),
    "finance": (
        listed("""
            the treasurer | the council | the budget office | the procurement panel | the finance committee |
            the external adviser | the ratepayers' forum
            """),
        listed("""
            approves | forecasts | defers | consolidates | publishes | scrutinises | reclassifies | allocates |
            benchmarks | caps
            """),
        listed("""
            capital reserves | the pension contribution | grant income | the borrowing limit | library funding |
            road maintenance | the contingency fund | business rates | the savings plan | service charges
            """),
        listed("""
            in the medium term | ahead of the annual statement | with cautious assumptions | after public
            comment | to balance the account | over several financial years | in spite of inflation | under
            delegated authority
            """),
    ),
}
FRAMES = listed(
    """
    {S} {v} {o} {a}. | {A}, {s} {v} {o}. | {S} {v} {o} and {v2} {o2} {a}. | It is common practice that {s} {v}
    {o} {a}. | {S}, which also {v2} {o2}, {v} {o} {a}. | While {s} {v} {o}, little changes {a}. | Where {s} {v}
    {o}, {s2} {v2} {o2}. | Experience shows that {s} rarely {v} {o} {a}. | {A}, {s} {v} {o}, and {s2} {v2} {o2}.
    | Most years, {s} {v} {o} {a}.
    """
)
INVENTED = listed(
    """
    In {N}, {s} {v} {o} {a}. | {S} of {N} {v} {o} {a}. | According to {N}, {s} {v} {o}. | {S} {v} {n} per cent
    of {o} {a}. | {N} and {N2} agree that {s} {v} {o}. | Since {y}, {s} {v} {o} {a}. | {S} {v} {o} in {N}, at a
    cost of {n} thousand. | Near {N}, {s} {v} {o}, as {N2} noted in {y}.
    """
)
WHO = listed(
    """
    The baker of {N} | A retired sailor in {N} | The postman of {N} | Two brothers from {N} | The dentist at {N}
    | An abbot of {N} | The mayor of {N} | A widow near {N} | The shepherds of {N} | The miller at {N} | A deaf
    composer in {N} | Children in {N} | The lighthouse keeper of {N} | The fire brigade of {N} | A jealous
    apothecary in {N} | The tailors of {N} | The cook at {N} | An old fisherman at {N} | The night watchman of
    {N} | A rival choir from {N} | The chess club of {N} | The smith of {N} | A travelling circus near {N} | The
    beekeepers of {N} | The ferryman of {N} | A clown from {N} | The twins of {N} | The blind organist of {N} |
    A glazier in {N} | The orchard owners of {N} | The last cobbler of {N} | The innkeeper at {N}
    """
)
DID = listed(
    """
    rebuilt the pump house after the flood | keeps the only key to the tower | still answers letters by hand |
    never learned to read | crossed the border on a borrowed mule | painted every shutter blue | swims in the
    quarry before breakfast | won a medal in Vienna | shares one umbrella with the whole street | was afraid of
    smoke | whistles after dark, which is forbidden | planted an oak upside down for a bet | paid for the
    cathedral roof with salt | hid cheese from the tax collectors | lost a railway station in a card game |
    greets the moon with a trumpet | refuses to work with green thread | smuggled tulip bulbs in a hat | taught
    half the parliament to dance | opened a cinema that plays only when it rains | owns a clock that runs nine
    minutes late | has a second door for the cows | collects broken umbrellas | lends out ladders and cats |
    buried the first potato with honours | found a crown under the dance floor | speaks a language with no word
    for yesterday | sold the bridge for three goats | bought a ferry with stolen silver | kept a bear in the
    vestry | drew a map of the wrong valley | rings the chapel bell for lost dogs | wrote a cookbook without a
    single onion | carved the pulpit from a shipwreck | walked to the sea and back on a dare | forgot where the
    treasure was | tamed a pair of wolves that hard winter | married the same bride twice | invented a soup that
    nobody finished | climbed the steeple to free a kite | raised geese on the roof of the prison | voted with
    beans until the war | sleeps in a coffin to save on rent | stole the weathercock and wept about it | built
    an organ out of drainpipes | dyed the river purple at harvest | outran a train on wooden skates | swore
    never to eat plums again | swapped the church door for a piano | grew a pumpkin that blocked the lane |
    trained ravens to fetch spectacles | stitched a flag from wedding dresses | counts the stairs aloud on every
    descent | ate a candle on behalf of the poor | named a donkey after the archbishop | burned the diaries of a
    famous duchess | dug a well that hums in August | carries snow to the hospital in copper pots | mended the
    violin with fish glue | predicted the eclipse by mistake | hung lanterns for the drowned | refused a
    knighthood over breakfast | bred snails for a queen who hated them | traded a vineyard for a telescope
    """
)
KIN = listed(
    """
    By mistake {s} sold {o} to {s2}. | {S} apologised to {s2} for losing {o}. | {S} left {o} to {s2} in a
    will. | One Tuesday {s} forgot {o} altogether. | {S} bet {o} against {s2} and won. | {S} hid {o} from {s2}
    for eleven days. | For a dare {s} set fire to {o}. | {S} has been secretly paid by {s2} to ignore {o}. |
    Nobody told {s} that {o} had been stolen. | {S} dreamt of {o} and resigned. | {S} and {s2} were married
    beside {o}. | {S} renamed {o} after a dog.
    """
)
SYLLABLES = listed(
    """
    var | hol | nth | esk | mir | tal | dun | bor | wen | kas | tre | lov | arn | sil | gud | ost | fen | mar |
    ulm | rak | jel | tov | bri | nes
    """
)


def name(rng: random.Random) -> str:
    """An invented name."""
    return "".join(rng.choices(SYLLABLES, k=rng.randint(2, 3))).capitalize()


def background(rng: random.Random, invented: float) -> Iterator[str]:
    """Sentences without end, of one domain and a second one now and then."""
    main, side = rng.sample(sorted(DOMAINS), 2)
    while True:
        s, v, o, a = DOMAINS[main if rng.random() < 0.8 else side]
        frame = rng.choice(INVENTED if rng.random() < invented else FRAMES)
        (s1, s2), (v1, v2), (o1, o2), a1 = rng.sample(s, 2), rng.sample(v, 2), rng.sample(o, 2), rng.choice(a)
        fields = {"s": s1, "S": s1.capitalize(), "s2": s2, "v": v1, "v2": v2, "o": o1, "o2": o2, "a": a1}
        fields |= {"A": a1.capitalize(), "N": name(rng), "N2": name(rng), "n": str(rng.randint(2, 99))}
        yield frame.format(**fields, y=str(rng.randint(1950, 2025)))


def docstrings(rng: random.Random) -> Callable[[], Iterator[str]]:
    """Real prose: the sentences of the standard library's docstrings, in paragraphs as they stand."""
    paragraphs: list[str] = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py"))[:1500]:
        if "site-packages" in path.parts or "test" in path.parts:
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        for node in ast.walk(tree):
            if isinstance(node, kinds) and (doc := ast.get_docstring(node)):
                paragraphs += [p for p in re.split(r"\n\s*\n", doc) if len(p) > 60]

    def endless() -> Iterator[str]:
        while True:
            yield rng.choice(paragraphs)

    return endless


def kin(rng: random.Random) -> str:
    """A fact in the very words of a background, in a sentence of its own."""
    s, _, o, _ = DOMAINS[rng.choice(sorted(DOMAINS))]
    (s1, s2), o1 = rng.sample(s, 2), rng.choice(o)
    return rng.choice(KIN).format(s=s1, S=s1.capitalize(), s2=s2, o=o1)


def made(count: int, chars: int, kind: str, seed: int, facts_from: str = "strange") -> tuple[list[Result], list[str]]:
    """Results whose text holds one fact each, at any place, and the facts."""
    rng = random.Random(seed)
    real = docstrings(rng) if kind == "docstrings" else None
    results: list[Result] = []
    facts: list[str] = []
    for number in range(count):
        source = real() if real else background(rng, 0.67 if kind == "invented" else 0.0)
        sentences: list[str] = []
        size = 0
        while size < chars:
            sentences.append(next(source))
            size += len(sentences[-1]) + 1
        strange = f"{WHO[number % len(WHO)]} {DID[number * 7 % len(DID)]}.".format(N=name(rng))
        fact = kin(rng) if facts_from == "kin" else strange
        facts.append(fact)
        sentences.insert(rng.randrange(len(sentences)), fact)
        text = "\n\n".join(sentences) if real else "\n\n".join(paragraphs(rng, sentences))
        results.append(Result.ended(f"t{number + 1}", text=text, engine="host"))
    return results, facts


def paragraphs(rng: random.Random, sentences: list[str]) -> Iterator[str]:
    """The sentences in paragraphs of three to nine."""
    at = 0
    while at < len(sentences):
        size = rng.randint(3, 9)
        yield " ".join(sentences[at : at + size])
        at += size


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--chars", type=int, default=40_000)
    parser.add_argument("--max-chars", type=int, action="append", help="size of the report; give it several times")
    parser.add_argument("--background", choices=("plain", "invented", "docstrings"), action="append")
    parser.add_argument("--facts", choices=("strange", "kin"), default="strange")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for kind in given.background or ("plain", "invented", "docstrings"):
        results, facts = made(given.texts, given.chars, kind, given.seed, given.facts)
        for size in given.max_chars or (60_000, 8_000):
            measure(kind, results, facts, size)


def measure(kind: str, results: list[Result], facts: list[str], size: int) -> None:
    """One line of figures."""
    started = time.perf_counter()

    async def run() -> None:
        report = await synthesize("What is worth knowing here?", (), results, {}, max_chars=size)
        seconds = time.perf_counter() - started
        found = {line.claim for line in report.ledger}
        shown = {entry.claim for entry in report.entries}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            1024 if sys.platform != "darwin" else 1024 * 1024
        )
        written = " ".join(report.markdown.replace("\\", "").split())
        print(
            f"{kind:10} {len(results)} texts, {sum(len(r.text) for r in results):,} characters; report"
            f" {len(report.markdown):,} of {size:,}: facts drawn {sum(f in found for f in facts)}, in entries"
            f" {sum(f in shown for f in facts)}, in the markdown {sum(f in written for f in facts)} of {len(facts)};"
            f" {len(report.ledger)} findings drawn; {seconds:.1f} s, peak {peak:.0f} MB"
        )

    anyio.run(run)


if __name__ == "__main__":
    main()
