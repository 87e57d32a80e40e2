"""What synthesis promises, measured against a simulated endpoint: `make bench`.

Every answer here is simulated, and says so: the stand-in knows by heart which sentences are worth a finding, and the
product does not. What is measured is ours: whether all that a model finds arrives, under whose name, in requests of
what size, for how much.

    python -m benchmarks.folding [row ...]

The rows: `texts`, `thousand`, `forgetful`, `by_hand`, `rules`, `audit`.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from benchmarks.calls import Row
from benchmarks.endpoint import tokens
from benchmarks.endpoint.client import Endpoint, endpoint
from benchmarks.endpoint.config import Config, Knowledge, Latency, ModelCard
from benchmarks.endpoint.knowing import remembered
from benchmarks.endpoint.ledger import Stats, Usage
from benchmarks.folding_contender import MAX_OUTPUT, WINDOW, Told
from benchmarks.planted import TOKENS, Planted, planted

from fanfold_server.records import Coverage, LedgerLine, Report

REPORT_CHARS = 8_000
LATENCY = Latency(median=2.0, sigma=0.3)
FORGET = 0.3
BENCHMARKS = Path(__file__).parent
_PLACE = re.compile(r"text:(\S+) c(\d+)-(\d+)")


async def main(wanted: list[str]) -> None:
    async with endpoint() as server:
        for name, rows in ROWS.items():
            if not wanted or name in wanted:
                async for row in rows(server):
                    print("| " + " | ".join((name, *row)) + " |", flush=True)


def knowing(texts: Sequence[Planted], forget: float = 0.0) -> Config:
    """An endpoint that knows the facts of these texts, and tells nobody how it counts."""
    return Config(
        knows=Knowledge(tuple(fact for text in texts for fact in text.facts), forget),
        latency=LATENCY,
        any_model=ModelCard(window=WINDOW, max_output=MAX_OUTPUT),
        count_tokens=False,
        serves_models=False,
    )


async def contend(
    server: Endpoint, who: str, count: int, config: Config | None = None, **options: Any
) -> tuple[Told, Stats]:
    """What a contender came to with so many texts, and what the endpoint counted."""
    await server.reset(config or knowing(planted(count)))
    options = {"max_chars": REPORT_CHARS, **options}
    command = [sys.executable, "-m", "benchmarks.folding_contender", who, server.url, str(count), json.dumps(options)]
    done = await anyio.run_process(command, stderr=None)
    return Told(**json.loads(done.stdout)), await server.settled()


# -- grading ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grade:
    """How a report does against the facts.

    Attributes:
        facts: how many there are in the texts; found: of them, how many a finding in the ledger quotes or claims.
        remembered, kept: facts that the stand-in does not forget, and of them those with a finding in the ledger.
        drawn, entered: quotes that it answered, and of them those that stand in the ledger.
        cited, resolved: findings drawn from texts, and of them those whose place is in their own text and covers what
            they claim.
        written: facts that stand in the markdown.
    """

    facts: int
    found: int
    remembered: int
    kept: int
    drawn: int
    entered: int
    cited: int
    resolved: int
    written: int


def graded(texts: Sequence[Planted], told: Told, report: Report, known: frozenset[str]) -> Grade:
    """The grade of a report. `known` are the facts that the stand-in does not forget."""
    prose = {text.name: text.text for text in texts}
    facts = {fact for text in texts for fact in text.facts}
    lines = [line for line in report.ledger if line.place.startswith("text:")]
    quoted = {_said(spot) for line in lines if (spot := _spot(line, prose))}
    markdown = plain(report.markdown)
    return Grade(
        facts=len(facts),
        found=len(facts & quoted),
        remembered=len(known),
        kept=len(known & quoted),
        drawn=len(told.drawn),
        entered=sum(_said(quote) in quoted for quote in told.drawn),
        cited=len(lines),
        resolved=sum(_resolves(line, prose) for line in lines),
        written=sum(plain(fact) in markdown for fact in facts),
    )


def _said(text: str) -> str:
    return " ".join(text.split())


def plain(text: str) -> str:
    """Words without what Markdown adds to them."""
    return " ".join(re.sub(r"\\(?=[^\w\s])", "", text).split())


def _spot(line: LedgerLine, prose: Mapping[str, str]) -> str:
    """What stands at the place that a line names, "" if it names none."""
    match = _PLACE.fullmatch(line.place)
    return prose.get(match[1], "")[int(match[2]) : int(match[3])] if match else ""


def _resolves(line: LedgerLine, prose: Mapping[str, str]) -> bool:
    """Whether its place is in the text of its own worker, and what stands there says what it claims."""
    match = _PLACE.fullmatch(line.place)
    return bool(match) and match[1] == line.subtask and plain(_spot(line, prose)) == plain(line.claim)


def share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / whole:.1%})" if whole else f"{part:,} of 0"


def read(usage: Usage) -> int:
    return usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens


def overhead(texts: Sequence[Planted], usage: Usage) -> float:
    """All tokens, by those of the texts read once and of all answers."""
    needed = sum(tokens.count(text.text) for text in texts) + usage.output_tokens
    return (read(usage) + usage.output_tokens) / needed


def drawing(stats: Stats) -> Usage:
    """What drawing alone was billed."""
    return sum((one.usage for one in stats.requests if one.form == "Draws"), Usage())


def by_form(stats: Stats) -> str:
    """Requests and tokens of each sort."""
    asked, used = Counter[str](), Counter[str]()
    for one in stats.requests:
        asked[one.form or "-"] += one.asked
        used[one.form or "-"] += read(one.usage) + one.usage.output_tokens
    return ", ".join(f"{form} {asked[form]} x ({used[form]:,})" for form in asked)


# -- rows ---------------------------------------------------------------------------------------------------------


async def folded(
    server: Endpoint, count: int, forget: float = 0.0, **options: Any
) -> tuple[Told, Stats, Report, Grade]:
    """So many texts through the product, and its grade."""
    texts = planted(count)
    config = knowing(texts, forget)
    with TemporaryDirectory() as folder:
        into = Path(folder) / "report.json"
        told, stats = await contend(server, "ours", count, config, into=str(into), **options)
        report = Report.model_validate_json(await anyio.Path(into).read_text(encoding="utf-8"))
    return told, stats, report, graded(texts, told, report, remembered(config.knows, config.seed))


def figures(count: int, told: Told, stats: Stats, report: Report, grade: Grade) -> Row:
    """What there is to say of a run in general."""
    over, alone = overhead(planted(count), stats.usage), overhead(planted(count), drawing(stats))
    return (
        f"{count:,} x {TOKENS // 1_000}k tokens",
        f"facts found {share(grade.found, grade.facts)}",
        f"drawn findings in the ledger {share(grade.entered, grade.drawn)}",
        f"citations that resolve {share(grade.resolved, grade.cited)}",
        f"{stats.over_window} requests over the window, statuses {stats.statuses}",
        f"tokens {over:.3f} x (input once + answers), of drawing alone {alone:.3f}; {by_form(stats)}",
        f"{told.seconds:.1f} s ({told.cpu:.1f} s CPU, {told.peak_mb:.0f} MB), ${told.usd:.2f}",
        f"report by {report.engine}, {len(report.markdown):,} characters, {grade.written:,} facts stand in it",
        f"{len(report.conflicts)} conflicts, remarks: {' '.join(report.remarks) or 'none'}",
    )


async def texts(server: Endpoint) -> AsyncIterator[Row]:
    """50 and 200 texts, of which 400,000 and 1.6 million tokens go through a window of 200,000."""
    for count in (50, 200):
        yield figures(count, *await folded(server, count))


async def thousand(server: Endpoint) -> AsyncIterator[Row]:
    """1,000 texts: eight million tokens."""
    yield figures(1_000, *await folded(server, 1_000))


async def forgetful(server: Endpoint) -> AsyncIterator[Row]:
    """50 texts, and a reader that overlooks three facts in ten: what it did notice arrives, the rest is said."""
    told, stats, report, grade = await folded(server, 50, FORGET)
    yield (
        f"50 x {TOKENS // 1_000}k tokens, {FORGET:.0%} forgotten",
        f"facts found {share(grade.found, grade.facts)}, of those noticed {share(grade.kept, grade.remembered)}",
        f"drawn findings in the ledger {share(grade.entered, grade.drawn)}",
        f"citations that resolve {share(grade.resolved, grade.cited)}",
        f"coverage: {covered(report.coverage)}",
        f"{stats.over_window} requests over the window, {told.seconds:.1f} s",
    )


def covered(coverage: Coverage) -> str:
    """What became of the findings, and how much of the texts they were drawn from."""
    fates = f"{coverage.cited:,} cited, {coverage.merged:,} merged, {coverage.below_cut:,} below the cut"
    spans = f"{coverage.spans_drawn:,} of {coverage.spans:,} spans drawn from"
    return f"{coverage.findings:,} findings ({fates}), {spans}"


async def by_hand(server: Endpoint) -> AsyncIterator[Row]:
    """Gather and map-reduce: a summary of each text, then summaries of summaries."""
    for count in (50, 200, 1_000):
        config = Config(**{**_fields(knowing(planted(count))), "mind": "summary"})
        told, stats = await contend(server, "by_hand", count, config)
        facts = {fact for text in planted(count) for fact in text.facts}
        written = sum(plain(fact) in plain(told.answer) for fact in facts)
        yield (
            f"{count:,} x {TOKENS // 1_000}k tokens",
            f"facts in the answer {share(written, len(facts))}, cited 0",
            f"{stats.over_window} requests over the window, {told.refused} refused",
            f"tokens {overhead(planted(count), stats.usage):.3f} x (input once + answers), {stats.asked} requests",
            f"{told.seconds:.1f} s, answer {len(told.answer):,} characters",
        )


def _fields(config: Config) -> dict[str, Any]:
    return {name: getattr(config, name) for name in Config.__dataclass_fields__}


async def rules(server: Endpoint) -> AsyncIterator[Row]:
    """No model: what chance finds of the facts, and 20,000 findings at once."""
    told, stats, report, grade = await folded(server, 50, compose="rules")
    yield (
        f"50 x {TOKENS // 1_000}k tokens, no model",
        f"facts found {share(grade.found, grade.facts)} in {grade.cited} findings",
        f"citations that resolve {share(grade.resolved, grade.cited)}",
        f"{stats.asked} requests, {told.seconds:.1f} s, report {len(report.markdown):,} characters",
    )
    yield ("synthesis_scale.py", (await _output(str(BENCHMARKS / "synthesis_scale.py"))).strip())


async def audit(_: Endpoint) -> AsyncIterator[Row]:
    """The audit of fifty repositories by simulated models, through MCP over stdio."""
    said = await _output("-m", "benchmarks.audit_by_models")
    for line in said.splitlines():
        if line.startswith(("run:", "report by", "fold:", "ledger:", "endpoint:")) or " to write" in line:
            yield (line,)


async def _output(*arguments: str) -> str:
    done = await anyio.run_process([sys.executable, *arguments], stderr=None, cwd=BENCHMARKS.parent)
    return done.stdout.decode()


ROWS: dict[str, Callable[[Endpoint], AsyncIterator[Row]]] = {
    "texts": texts,
    "thousand": thousand,
    "forgetful": forgetful,
    "by_hand": by_hand,
    "rules": rules,
    "audit": audit,
}

if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
