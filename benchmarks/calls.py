"""What a call to a model goes through, measured against a simulated endpoint: `make bench`.

Every answer here is simulated, and says so. What is measured is ours: how long the calls take together, what they
cost in CPU, memory and tokens, and what becomes of them when things go wrong. Beside it stands what one writes by
hand: `asyncio.gather` over AsyncAnthropic on the same transport, with the same requests.

    python -m benchmarks.calls [row ...]
"""

import json
import random
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from benchmarks.contender import Figures
from benchmarks.endpoint.client import Endpoint, endpoint
from benchmarks.endpoint.config import Call, Config, Faults, Latency, RateLimits, Storm, Turn, to_json
from benchmarks.endpoint.ledger import Stats

REPORT = Turn(calls=(Call("report", {"summary": "Simulated.", "gaps": ["It is simulated."]}),))
NOTE = Turn(calls=(Call("note_findings", {"findings": [{"subject": "$id", "claim": "Simulated."}]}),))
ONE_CALL = Config(key="conversation", script=(REPORT,))
STORM_SECONDS, RATE, BURST = 6.0, 40, 2.0

NEEDED = 3 + 30 * 3
"""Calls of one worker and then thirty, three turns each."""

Row = tuple[str, ...]


async def main(wanted: list[str]) -> None:
    async with endpoint() as server:
        for name, rows in ROWS.items():
            if not wanted or name in wanted:
                async for row in rows(server):
                    print("| " + " | ".join((name, *row)) + " |", flush=True)


async def contend(server: Endpoint, config: Config, who: str, count: int, **options: Any) -> tuple[Figures, Stats]:
    """One contender's figures, and what the endpoint counted."""
    await server.reset(ONE_CALL)
    told = json.dumps({**options, "config": to_json(config).decode()})
    command = [sys.executable, "-m", "benchmarks.contender", who, server.url, str(count), told]
    done = await anyio.run_process(command, stderr=None)
    return Figures(**json.loads(done.stdout)), await server.settled()


def slowest(stats: Stats) -> float:
    """The longest latency that was drawn: nobody can be done before."""
    return max(each.seconds for each in stats.requests)


# -- without faults ----------------------------------------------------------------------------------------------


async def plain(server: Endpoint) -> AsyncIterator[Row]:
    """One call each, no faults, no cacheable prefix: makespan against the slowest call, CPU against gather."""
    for count, rounds, tail in ((50, 5, 0.03), (200, 3, 0.03), (1_000, 1, 0.01)):
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        lost, peak = 0, 0.0
        for seed in range(rounds):
            latency = Latency(median=2.0, sigma=0.3, tail_share=tail, tail_factor=10)
            config = Config(seed=seed, key="conversation", script=(REPORT,), latency=latency)
            for who, into in (("ours", ours), ("gather", theirs)):
                figures, stats = await contend(server, config, who, count)
                into.append((figures.seconds / slowest(stats), figures.cpu / count * 1e3))
                if who == "ours":
                    lost, peak = lost + count - figures.results, max(peak, figures.peak_mb)
        ratio = median(a[1] / b[1] for a, b in zip(ours, theirs, strict=True))
        yield (
            f"{count} in flight, {rounds} runs each",
            f"makespan {median(a for a, _ in ours):.3f} x the slowest (gather {median(a for a, _ in theirs):.3f})",
            f"CPU {ratio:.2f} x gather ({median(c for _, c in ours):.1f} ms a call)",
            f"{lost} lost, {peak:.0f} MB",
        )


async def warm(server: Endpoint) -> AsyncIterator[Row]:
    """What waiting for the first caller of a shared prefix adds, where an answer begins after 0.6 s."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(3):
        latency = Latency(median=2.0, sigma=0.3, first_byte=0.6)
        config = Config(seed=seed, key="conversation", script=(REPORT,), latency=latency)
        for cached in times:
            figures, _ = await contend(server, config, "ours", 50, cached=cached)
            times[cached].append(figures.seconds)
    added = median(a - b for a, b in zip(times[True], times[False], strict=True))
    yield ("50 workers, first byte after 0.6 s", f"{added:.2f} s added, once a run")


async def prefix(server: Endpoint) -> AsyncIterator[Row]:
    """Input cost of 50 calls that share 10,000 tokens: written once and read 49 times, at 1.25 and 0.05 x."""
    config = Config(mind="echo", latency=Latency(median=1.0, sigma=0.2, first_byte=0.3))
    figures, stats = await contend(server, config, "shared", 50, prefix_chars=49_000)
    used = stats.usage
    tokens = max(each.usage.cache_creation_input_tokens for each in stats.requests)
    cost = used.input_tokens + 1.25 * used.cache_creation_input_tokens + 0.05 * used.cache_read_input_tokens
    ideal = used.input_tokens + 1.25 * tokens + 49 * 0.05 * tokens
    once = 1.25 + 49 * 0.05
    yield (
        f"prefix of {tokens:,} tokens, {figures.results} calls",
        f"input cost {cost / ideal:.3f} x write once, read 49",
        f"without a cache {50 / once:.1f} x, all at once {50 * 1.25 / once:.1f} x",
    )


# -- when things go wrong ------------------------------------------------------------------------------------------


async def faults(server: Endpoint) -> AsyncIterator[Row]:
    """1 % each of 500, dropped connection, cut stream, truncated JSON: five times a thousand calls."""
    broken = Faults(error=0.01, dropped=0.01, cut=0.01, truncated=0.01)
    for who, options in (("ours", {}), ("gather", {}), ("gather", {"retries": 2})):
        results, met, asked = list[int](), 0, 0
        for seed in range(5):
            latency = Latency(median=1.0, sigma=0.3)
            config = Config(seed=seed, key="conversation", script=(REPORT,), faults=broken, latency=latency)
            figures, stats = await contend(server, config, who, 1_000, **options)
            results.append(figures.results)
            met, asked = met + sum(stats.faults.values()), asked + stats.asked
        yield (
            f"{who}{' with the retries of the SDK' if options else ''}, 5 x 1,000 calls, {met} faults",
            f"{', '.join(map(str, results))} results",
            f"{asked / (5_000 + met):.3f} x the unavoidable attempts",
        )


async def storm(server: Endpoint) -> AsyncIterator[Row]:
    """A 6 s storm of 529 (four of five refused, retry-after 2 s) over a bucket of 40 requests a second."""
    count = 800
    config = Config(
        key="conversation",
        script=(REPORT,),
        latency=Latency(median=1.0, sigma=0.3),
        limits=RateLimits(requests=RATE * 60, burst_seconds=BURST),
        storms=(Storm(0, STORM_SECONDS, 0.8, 529, 2),),
    )
    for who, options in (("ours", {}), ("gather", {}), ("gather", {"retries": 2})):
        figures, stats = await contend(server, config, who, count, **options)
        permitted = STORM_SECONDS + (count - RATE * BURST) / RATE
        took = (stats.last or 0) - (stats.first or 0)
        late = stats.throttled_late / stats.asked
        yield (
            f"{who}{' with the retries of the SDK' if options else ''}, {count} calls",
            f"{figures.results / count:.1%} results",
            f"{late:.1%} of the requests throttled after the first second",
            f"{permitted / took:.0%} of the permitted throughput" if figures.results == count else "-",
        )


async def paid(server: Endpoint) -> AsyncIterator[Row]:
    """Runs cancelled at random moments: replies that left the endpoint whole, against replies in the journal."""
    turns = (NOTE, NOTE, REPORT)
    config = Config(key="conversation", script=turns, latency=Latency(median=0.3, sigma=0.5))
    with TemporaryDirectory() as home:
        figures, stats = await contend(server, config, "cancelled", 20, rounds=50, within=1.5, home=home)
    yield (
        "50 runs of 20 workers, cancelled at random",
        f"{stats.answered} replies left the endpoint whole, {figures.results} are in the journal",
        f"{stats.billed - stats.answered} were cut off on their way",
    )


async def kills(server: Endpoint) -> AsyncIterator[Row]:
    """Kill -9 at 50 random moments of a run of 30 workers and 3 turns: what is asked again when it goes on."""
    chance = random.Random(7)
    config = Config(key="conversation", script=(NOTE, NOTE, REPORT), latency=Latency(median=0.4, sigma=0.4))
    again = repeats = flying = undone = 0
    for _ in range(50):
        await server.reset(config)
        with TemporaryDirectory() as home:
            await _killed(server, home, chance.randrange(4, NEEDED))
            await server.settled()
            before, journaled = await server.stats(), _replies(Path(home))
            await _dispatch(server, home)
            after = await server.settled()
            again += (after.asked - before.asked) - (NEEDED - journaled)
            repeats += after.repeats
            flying += before.asked - journaled
            undone += NEEDED - _replies(Path(home))
    yield (
        "50 kills",
        f"{again} journaled calls made again",
        f"{repeats} repeats, {flying} calls in flight at the kills",
        f"{undone} calls missing at the end",
    )


async def _killed(server: Endpoint, home: str, calls: int) -> None:
    """A run that is killed as soon as so many calls have come in."""
    options = json.dumps({"home": home})
    command = [sys.executable, "-m", "benchmarks.contender", "ours", server.url, "30", options]
    async with await anyio.open_process(command) as process:
        while process.returncode is None and (await server.stats()).asked < calls:  # noqa: ASYNC110 - another counts
            await anyio.sleep(0.005)
        if process.returncode is None:
            process.kill()


async def _dispatch(server: Endpoint, home: str) -> None:
    options = json.dumps({"home": home})
    await anyio.run_process([sys.executable, "-m", "benchmarks.contender", "ours", server.url, "30", options])


def _replies(home: Path) -> int:
    if not (home / "journal.db").exists():
        return 0
    with closing(sqlite3.connect(home / "journal.db", timeout=10)) as journal:
        query = "SELECT count(*) FROM entries WHERE value IS NOT NULL AND key LIKE '%.reply/%'"
        return int(journal.execute(query).fetchone()[0])


ROWS: dict[str, Callable[[Endpoint], AsyncIterator[Row]]] = {
    "plain": plain,
    "warm": warm,
    "prefix": prefix,
    "faults": faults,
    "storm": storm,
    "paid": paid,
    "kills": kills,
}

if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
