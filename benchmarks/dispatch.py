"""What dispatch promises, measured against a simulated endpoint: `make bench`.

Every answer here is simulated, and says so. What is measured is ours: when a run is done although some of its calls
are slow, what that costs, how fast it stops, and what becomes of it when its process is killed.

    python -m benchmarks.dispatch [row ...]

The rows: `tail`, `straggler`, `cancel`, `kills`, `shared`, `detached`, `chain`.
"""

import itertools
import json
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from anyio.abc import Process
from benchmarks.calls import NOTE, REPORT, Row
from benchmarks.contender import task
from benchmarks.dispatch_contender import Outcome, Stretch
from benchmarks.endpoint import behaviour
from benchmarks.endpoint.client import Endpoint, endpoint
from benchmarks.endpoint.config import Config, Latency, Straggler, to_json
from benchmarks.endpoint.ledger import Asked, Stats

PYTHON = sys.executable
ONE_TURN, THREE_TURNS = (REPORT,), (NOTE, NOTE, REPORT)
LOOK_SECONDS = 0.01
QUIET_SECONDS = 3.0
"""So long after the end of a cancelled run nothing may come."""


async def main(wanted: list[str]) -> None:
    async with endpoint() as server:
        for name, rows in ROWS.items():
            if not wanted or name in wanted:
                async for row in rows(server):
                    print("| " + " | ".join((name, *row)) + " |", flush=True)


def command(who: str, url: str, count: int, options: dict[str, Any], module: str = "dispatch_contender") -> list[str]:
    """What starts a contender."""
    return [PYTHON, "-m", f"benchmarks.{module}", who, url, str(count), json.dumps(options)]


async def contend(server: Endpoint, who: str, count: int, config: Config | None = None, **options: Any) -> Outcome:
    """What a contender came to. The endpoint begins anew with the config, if there is one, when all is ready."""
    if config:
        options["config"] = to_json(config).decode()
    done = await anyio.run_process(command(who, server.url, count, options), stderr=None)
    return Outcome(**json.loads(done.stdout))


async def gathered(server: Endpoint, count: int, config: Config) -> tuple[int, float]:
    """Results and seconds of what one writes by hand: `asyncio.gather` over AsyncAnthropic."""
    given = command("gather", server.url, count, {"config": to_json(config).decode()}, "contender")
    figures = json.loads((await anyio.run_process(given, stderr=None)).stdout)
    return figures["results"], figures["seconds"]


def spread(values: Sequence[float], unit: str = "x") -> str:
    """The median, and the worst."""
    space = " " if unit else ""
    return f"{median(values):.2f}{space}{unit} (worst {max(values):.2f})"


# -- tail ---------------------------------------------------------------------------------------------------------

TAIL_WORKERS, TAIL_SEEDS = 50, 20
TAIL = Latency(median=1.0, sigma=0.3, tail_share=0.03, tail_factor=10)
TAIL_RUN_SECONDS = 2.0


@dataclass(frozen=True)
class Try:
    """One call of a dispatch, and the second try that it may have had.

    Attributes:
        first, second: what the endpoint draws for either.
        age: how long the first had been out when the second came; infinite if none did.
    """

    first: float
    second: float
    age: float


def tries(config: Config, stats: Stats) -> list[Try]:
    """All calls of a run of one turn, slowest first try first."""
    every = [Try(_drawn(config, one, 1), _drawn(config, one, 2), _age(one)) for one in stats.requests]
    return sorted(every, key=lambda one: -one.first)


def _drawn(config: Config, one: Asked, number: int) -> float:
    return behaviour.seconds(config.latency, config.seed, one.luck, number)


def _age(one: Asked) -> float:
    return one.came[1] - one.came[0] if len(one.came) > 1 else math.inf


def oracle(calls: Sequence[Try], ages: Sequence[float]) -> float:
    """The makespan if exactly the slowest calls got a duplicate, one for each of the ages, when they are so old."""
    doubled = zip(calls, ages, strict=False)
    late = [min(one.first, age + one.second) for one, age in doubled]
    return max([*late, *(one.first for one in calls[len(ages) :])])


@dataclass
class Seeds:
    """What all seeds came to: in each list one value for each."""

    hedged: list[float] = field(default_factory=list[float])
    plain: list[float] = field(default_factory=list[float])
    gather: list[float] = field(default_factory=list[float])
    calls: list[list[Try]] = field(default_factory=list[list[Try]])
    doubled: list[int] = field(default_factory=list[int])
    tokens: list[float] = field(default_factory=list[float])
    money: list[float] = field(default_factory=list[float])
    fixed: list[float] = field(default_factory=list[float])
    lost: Counter[str] = field(default_factory=Counter[str])

    async def play(self, server: Endpoint, seed: int) -> None:
        """The same draws for hedged, plain and by hand."""
        config = Config(seed=seed, key="conversation", script=ONE_TURN, latency=TAIL)
        plain = await contend(server, "ours", TAIL_WORKERS, config, policy={"hedge": False})
        once = await server.stats()
        hedged = await contend(server, "ours", TAIL_WORKERS, config)
        twice = await server.stats()
        results, seconds = await gathered(server, TAIL_WORKERS, config)
        self.plain.append(plain.seconds)
        self.hedged.append(hedged.seconds)
        self.gather.append(seconds)
        self.calls.append(tries(config, twice))
        self.doubled.append(twice.asked - TAIL_WORKERS)
        self.tokens.append(billed(twice) / billed(once))
        self.money.append(hedged.usd / plain.usd)
        self.fixed.append((plain.seconds - self.calls[-1][0].first) / plain.seconds)
        self.lost["hedged"] += TAIL_WORKERS - ok(hedged)
        self.lost["plain"] += TAIL_WORKERS - ok(plain)
        self.lost["gather"] += TAIL_WORKERS - results

    def against(self, others: Iterable[float]) -> str:
        """The hedged makespans by these, seed by seed."""
        return spread([mine / theirs for mine, theirs in zip(self.hedged, others, strict=True)])

    def halved(self, mine: Sequence[float] = ()) -> int:
        """In how many seeds that takes less than half as long as by hand."""
        return sum(one < theirs / 2 for one, theirs in zip(mine or self.hedged, self.gather, strict=True))

    def late(self) -> list[float]:
        """The oracle's makespans if it waits as long as ours did; where ours sent none, as it usually does."""
        usual = median([one.age for calls in self.calls for one in calls if one.age < math.inf] or [math.inf])
        return [oracle(calls, [usual if c.age == math.inf else c.age for c in calls[:2]]) for calls in self.calls]


def objectives(count: int) -> list[str]:
    """What so many subtasks are to do, in order: their ids are s1, s2, …."""
    return [draft.objective for draft in task(count).subtasks]


def billed(stats: Stats) -> int:
    """Tokens that are billed in the end, for whoever answered in vain too."""
    return stats.due.input_tokens + stats.due.output_tokens


def ok(outcome: Outcome) -> int:
    return Counter(outcome.statuses.values())["ok"]


async def tail(server: Endpoint) -> AsyncIterator[Row]:
    """50 workers of one call, 3 % of the calls ten times slower: with duplicates, without, by hand, by an oracle."""
    seeds = Seeds()
    for seed in range(TAIL_SEEDS):
        await seeds.play(server, seed)
    where = f"{TAIL_WORKERS} calls at once, 3 % ten times slower, {TAIL_SEEDS} seeds"
    early = [oracle(calls, [0.0, 0.0]) for calls in seeds.calls]
    yield (
        f"{where}: makespan in s",
        f"ours {spread(seeds.hedged, 's')}",
        f"without hedging {spread(seeds.plain, 's')}, gather {spread(seeds.gather, 's')}",
        f"oracle {spread(early, 's')}, one as late as ours {spread(seeds.late(), 's')}",
        f"fixed costs are {median(seeds.fixed):.1%} of the time without hedging",
    )
    yield (
        "ours by the others, seed by seed",
        f"{seeds.against(seeds.gather)} gather, {seeds.against(seeds.plain)} without hedging",
        f"under half of gather in {seeds.halved()} seeds, the oracle that is as late in {seeds.halved(seeds.late())}",
        f"{seeds.against(early)} the oracle that doubles the two slowest at the start",
        f"{seeds.against(seeds.late())} the oracle that doubles those two when ours would",
    )
    yield (
        "what that costs",
        f"{sum(seeds.doubled)} duplicates of {sum(map(len, seeds.calls)):,} calls, {max(seeds.doubled)} in one run",
        f"tokens billed {spread(seeds.tokens)}, losers in full",
        f"money by the accounts {spread(seeds.money)}",
        f"results lost: {_counted(seeds.lost)}",
    )
    async for row in deadline(server):
        yield row


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


async def deadline(server: Endpoint) -> AsyncIterator[Row]:
    """The same calls with nothing but a deadline of the run: what had been answered comes back, and nothing else."""
    statuses, reasons, took = Counter[str](), Counter[str](), list[float]()
    missing = invented = caught = 0
    for seed in range(TAIL_SEEDS):
        config = Config(seed=seed, key="conversation", script=ONE_TURN, latency=TAIL)
        policy = {"hedge": False, "run_seconds": TAIL_RUN_SECONDS}
        outcome = await contend(server, "ours", TAIL_WORKERS, config, policy=policy)
        stats = await server.stats()
        names = {objective: f"s{n}" for n, objective in enumerate(objectives(TAIL_WORKERS), 1)}
        done = {names[one.objective] for one in stats.requests if one.answered}
        in_time = {names[one.objective] for one in stats.requests if one.answered and _end(config, one) < _cut(stats)}
        fine = {name for name, status in outcome.statuses.items() if status == "ok"}
        missing, invented, caught = missing + len(in_time - fine), invented + len(fine - done), caught + len(done)
        statuses.update(outcome.statuses.values())
        reasons.update(outcome.reasons.values())
        took.append(outcome.seconds)
    yield (
        f"no hedging, run_seconds {TAIL_RUN_SECONDS:g}",
        f"back after {spread(took, 's')}",
        f"{_counted(statuses)}: {'; '.join(reasons)}",
        f"{caught} answered at the endpoint, {missing} of them in time and not ok, {invented} ok and never answered",
    )


def _end(config: Config, one: Asked) -> float:
    return one.came[0] + _drawn(config, one, 1)


def _cut(stats: Stats) -> float:
    """When the deadline was, at the earliest: calls go out after the run began."""
    return (stats.first or 0) + TAIL_RUN_SECONDS - 0.5


# -- straggler ----------------------------------------------------------------------------------------------------

SIBLINGS, USUAL_SECONDS, SLOW_SECONDS = 8, 3.0, 30.0
STRAGGLER = 4


def straggling(number: int | None, seed: int) -> Config:
    """One of eight takes ten times as long: for its first so many tries, or for all."""
    one = Straggler(objectives(SIBLINGS)[STRAGGLER], SLOW_SECONDS, number)
    latency = Latency(median=USUAL_SECONDS, sigma=0.05)
    return Config(seed=seed, key="conversation", script=ONE_TURN, latency=latency, stragglers=(one,))


async def straggler(server: Endpoint) -> AsyncIterator[Row]:
    """One of eight at 30 s, its siblings at 3 s: how many times the median until there is a result."""
    enough = {"enough": 7 / 8, "grace_seconds": 1}
    variants: tuple[tuple[str, int | None, int, dict[str, Any]], ...] = (
        ("a second try is fast: ours", 1, 5, {}),
        ("every try is slow: enough 7/8, 1 s of grace", None, 5, enough),
        ("every try is slow: the same without hedging", None, 5, {**enough, "hedge": False}),
        ("every try is slow: ours", None, 2, {}),
        ("neither: no hedging, all needed", 1, 2, {"hedge": False}),
    )
    for name, number, rounds, policy in variants:
        took, statuses, ages, reasons = list[float](), Counter[str](), list[float](), set[str]()
        for seed in range(rounds):
            outcome = await contend(server, "ours", SIBLINGS, straggling(number, seed), policy=policy)
            took.append(outcome.seconds / USUAL_SECONDS)
            statuses.update(outcome.statuses.values())
            reasons |= set(outcome.reasons.values())
            ages += [age for one in (await server.stats()).requests if (age := _age(one)) < math.inf]
        why = f" ({'; '.join(reasons)})" if reasons else ""
        yield (
            name,
            f"{spread(took)} the median, {rounds} runs",
            f"{_counted(statuses)}{why}",
            f"{len(ages)} duplicates" + (f", after {spread(ages, 's')}" if ages else ""),
        )
    results, seconds = await gathered(server, SIBLINGS, straggling(1, 0))
    yield ("gather", f"{seconds / USUAL_SECONDS:.2f} x the median", f"{results} results", "no duplicates")


# -- cancel -------------------------------------------------------------------------------------------------------

FLYING, CANCEL_ROUNDS = 200, 5


@dataclass
class Stops:
    """How runs stopped; in each list one value for each, seconds after the cancel stood in the journal."""

    still: list[float] = field(default_factory=list[float])
    ended: list[float] = field(default_factory=list[float])
    before: list[float] = field(default_factory=list[float])
    statuses: Counter[str] = field(default_factory=Counter[str])
    late: int = 0
    attended: int = 0

    async def take(self, server: Endpoint, home: Path, outcome: Outcome, asked: float) -> None:
        """One run that was cancelled by somebody who began to do so at `asked`, by `time.monotonic()`."""
        await anyio.sleep(QUIET_SECONDS)
        stats = await server.stats()
        recorded = at_of(home, "r-%/cancelled/%")
        left, last = stats.start + (stats.hung_up or 0), stats.start + (stats.last or 0)
        self.still.append(max(left, last) - recorded)
        self.ended.append(outcome.ended - recorded)
        self.before.append(recorded - asked)
        self.statuses.update(outcome.statuses.values())
        self.late += last > outcome.ended
        self.attended += stats.attended

    def row(self, name: str, before: str) -> Row:
        """What to say of them."""
        return (
            f"{name}, {FLYING} in flight, {len(self.still)} runs",
            f"{spread(self.still, 's')} from the cancel in the journal to the last connection's end",
            f"{spread(self.ended, 's')} to the answer of dispatch; {spread(self.before, 's')} {before}",
            f"{_counted(self.statuses)}; {self.attended} connections and {self.late} requests left after the end",
        )


async def cancel(server: Endpoint) -> AsyncIterator[Row]:
    """200 calls in flight: from the cancel to stillness at the endpoint, by the same process and by another."""
    config = Config(key="conversation", script=ONE_TURN, latency=Latency(median=60.0))
    here, there = Stops(), Stops()
    for _ in range(CANCEL_ROUNDS):
        with TemporaryDirectory() as home:
            options = {"home": home, "warmed": False}
            outcome = await contend(server, "cancelled", FLYING, config, **options)
            await here.take(server, Path(home), outcome, outcome.asked_to_stop or 0)
        with TemporaryDirectory() as home:
            await server.reset(config)
            outcome, asked = await _cancelled_from_elsewhere(server, home)
            await there.take(server, Path(home), outcome, asked)
    yield here.row("in the same process", "from the call of cancel to the journal")
    yield there.row("fanfold cancel, another process", "before that to start that process")


async def _cancelled_from_elsewhere(server: Endpoint, home: str) -> tuple[Outcome, float]:
    async with started(command("ours", server.url, FLYING, {"home": home, "warmed": False})) as process:
        while (await server.stats()).in_flight < FLYING:  # noqa: ASYNC110 - another process counts
            await anyio.sleep(0.05)
        await anyio.sleep(0.3)
        asked = time.monotonic()
        given = [PYTHON, "-m", "fanfold_server", "cancel", run_in(Path(home)), "--home", home]
        await anyio.run_process(given)
        return Outcome(**json.loads(await output(process))), asked


# -- kills --------------------------------------------------------------------------------------------------------

KILLS, KILLED_WORKERS, LANES = 200, 40, 2
KILLED_CALLS = KILLED_WORKERS * len(THREE_TURNS)


@dataclass
class Kills:
    """What became of runs that were killed."""

    kills: int = 0
    over: int = 0
    again: int = 0
    repeats: int = 0
    flying: int = 0
    lost: int = 0
    changed: int = 0
    unfinished: int = 0
    other: int = 0

    async def one(self, server: Endpoint, seed: int) -> None:
        """A run that is killed once, and then goes on to its end."""
        config = Config(seed=seed, key="conversation", script=THREE_TURNS, latency=Latency(median=0.25, sigma=0.4))
        await server.reset(config)
        with TemporaryDirectory() as home:
            given: dict[str, Any] = {"home": home, "warmed": False}
            killed = await _killed(server, command("ours", server.url, KILLED_WORKERS, given), seed)
            self.kills, self.over = self.kills + killed, self.over + (not killed)
            before, kept, journaled = await server.settled(), results_in(Path(home)), replies_in(Path(home))
            outcome = await contend(server, "ours", KILLED_WORKERS, **given)
            after = await server.settled()
            self._compare(before, after, journaled)
            self.lost += KILLED_WORKERS - ok(outcome)
            self.unfinished += KILLED_CALLS - len(replies_in(Path(home)))
            now = results_in(Path(home))
            self.changed += sum(now.get(key) != value for key, value in kept.items())

    def _compare(self, before: Stats, after: Stats, journaled: set[str]) -> None:
        """Which requests were made after the kill that had been made before."""
        earlier = {one.digest: one.asked for one in before.requests}
        for one in after.requests:
            more = one.asked - earlier.get(one.digest, 0)
            self.again += more if one.digest in journaled else 0
            self.repeats += bool(more) and one.digest in earlier
        self.flying += len(earlier.keys() - journaled)
        self.other += len(after.requests) - KILLED_CALLS


async def kills(server: Endpoint) -> AsyncIterator[Row]:
    """Kill -9 at random moments of a run of 40 workers and 3 turns, with hedging: what is asked again afterwards."""
    seen, seeds = Kills(), itertools.count()
    async with endpoint() as other, anyio.create_task_group() as group:
        for lane in (server, other)[:LANES]:
            group.start_soon(_lane, lane, seen, seeds)
    yield (
        f"{seen.kills} kills of {KILLED_WORKERS} workers x 3 turns ({seen.over} runs were over before)",
        f"{seen.again} journaled calls made again",
        f"{seen.repeats} of {seen.flying} calls in flight made again, {seen.other} requests worded otherwise",
        f"{seen.lost} results lost, {seen.changed} changed, {seen.unfinished} calls missing at the end",
    )


async def _lane(server: Endpoint, seen: Kills, seeds: Iterator[int]) -> None:
    while seen.kills < KILLS:
        await seen.one(server, next(seeds))


async def _killed(server: Endpoint, given: list[str], seed: int) -> bool:
    """Whether the process was killed: some time after a random number of calls had come in."""
    chance = random.Random(seed)
    calls, more = chance.randint(1, KILLED_CALLS), chance.uniform(0, 0.15)
    async with started(given) as process:
        while process.returncode is None and (await server.stats()).asked < calls:  # noqa: ASYNC110 - another counts
            await anyio.sleep(LOOK_SECONDS)
        await anyio.sleep(more)
        if process.returncode is not None:
            return False
        process.kill()
        return await process.wait() == -signal.SIGKILL


# -- shared -------------------------------------------------------------------------------------------------------

SHARED_ROUNDS, SHARED_WORKERS = 10, 20
SHARED_CALLS = SHARED_WORKERS * len(THREE_TURNS)
SETTLE_SECONDS = 5.0
STEADY = Latency(median=0.4, sigma=0.05)


async def shared(server: Endpoint) -> AsyncIterator[Row]:
    """The same run begun by two processes at the same moment, or by two calls in one: how often each call is made."""
    for name, begin in (("two processes at once", _by_two), ("two dispatch calls in one process", _by_one)):
        asked, short = list[int](), 0
        for seed in range(SHARED_ROUNDS):
            await server.reset(Config(seed=seed, key="conversation", script=THREE_TURNS, latency=STEADY))
            with TemporaryDirectory() as home:
                outcomes = await begin(server, home)
            short += sum(SHARED_WORKERS - ok(outcome) for outcome in outcomes)
            asked.append((await server.settled()).asked)
        yield (
            f"{name}, {SHARED_WORKERS} workers x 3 turns, {SHARED_ROUNDS} runs",
            f"{min(asked)} to {max(asked)} calls, {SHARED_CALLS} needed",
            f"{short} results that one of the two did not get",
        )


async def _by_two(server: Endpoint, home: str) -> list[Outcome]:
    options = {"home": home, "warmed": False, "at": time.monotonic() + SETTLE_SECONDS}
    return await anyio.amap(lambda _: contend(server, "ours", SHARED_WORKERS, None, **options), range(2))


async def _by_one(server: Endpoint, home: str) -> list[Outcome]:
    return [await contend(server, "ours", SHARED_WORKERS, None, home=home, warmed=False, calls=2)]


# -- detached -----------------------------------------------------------------------------------------------------

DETACHED_ROUNDS, DETACHED_WORKERS = 10, 12
DETACHED_CALLS = DETACHED_WORKERS * len(THREE_TURNS)


async def detached(server: Endpoint) -> AsyncIterator[Row]:
    """A host that is killed right after its run began in a process of its own; another joins the run meanwhile."""
    for name, host in (("a script", _script), ("an MCP server over stdio", _mcp)):
        asked, recorded, joined, shut = list[int](), list[int](), 0, 0
        for seed in range(DETACHED_ROUNDS):
            latency = Latency(median=1.5, sigma=0.05)
            await server.reset(Config(seed=seed, key="conversation", script=THREE_TURNS, latency=latency))
            with TemporaryDirectory() as home:
                await host(server, home)
                outcome = await contend(server, "detached", DETACHED_WORKERS, home=home, plan=run_in(Path(home)))
                joined += ok(outcome) == DETACHED_WORKERS
                asked.append((await server.settled()).asked)
                recorded.append(len(results_in(Path(home))))
                shut += await _gone(run_in(Path(home)))
        yield (
            f"{name} killed after its first call, {DETACHED_ROUNDS} runs of {DETACHED_WORKERS} workers x 3 turns",
            f"{min(recorded)} to {max(recorded)} results in the journal of {DETACHED_WORKERS}",
            f"{min(asked)} to {max(asked)} calls, {DETACHED_CALLS} needed",
            f"{joined} joined by a new process with all results, {shut} of the runs' processes ended by themselves",
        )


async def _script(server: Endpoint, home: str) -> None:
    async with started(command("detached", server.url, DETACHED_WORKERS, {"home": home})) as process:
        await _until_called(server)
        _kill_group(process)


async def _mcp(server: Endpoint, home: str) -> None:
    """A server whose host asks for a plan and a detached dispatch, and dies with it."""
    given = {
        "FANFOLD_HOME": home,
        "FANFOLD_CONFIG": os.devnull,
        "FANFOLD_BASE_URL": server.url,
        "ANTHROPIC_API_KEY": "simulated",
        "FANFOLD_WIDTH": str(DETACHED_WORKERS),
    }
    async with started([PYTHON, "-m", "fanfold_server", "serve"], **given) as process:
        wire = Wire(process)
        await wire.ask("initialize", **INITIALIZE)
        await wire.tell("notifications/initialized")
        drafts = [{"title": f"part {n}", "objective": f"What of {n}?"} for n in range(DETACHED_WORKERS)]
        wanted = {"task": "Look at every part.", "subtasks": drafts, "max_workers": DETACHED_WORKERS}
        plan = await wire.ask("tools/call", name="plan", arguments=wanted)
        plan_id = plan["structuredContent"]["plan_id"]
        await wire.tell("tools/call", number=9, name="dispatch", arguments={"plan_id": plan_id, "detach": True})
        await _until_called(server)
        _kill_group(process)


INITIALIZE: dict[str, Any] = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "benchmark", "version": "1"},
}


@dataclass
class Wire:
    """A host's ends of a server's pipes."""

    process: Process
    number: int = 0
    _read: bytes = b""

    async def tell(self, method: str, number: int | None = None, **params: Any) -> None:
        """Send a request, or a notification if it has no number."""
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        numbered = message if number is None else {**message, "id": number}
        assert self.process.stdin
        await self.process.stdin.send(json.dumps(numbered).encode() + b"\n")

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request; its result."""
        self.number += 1
        await self.tell(method, self.number, **params)
        while (message := json.loads(await self._line())).get("id") != self.number or "method" in message:
            pass
        return dict(message["result"])

    async def _line(self) -> bytes:
        assert self.process.stdout
        while b"\n" not in self._read:
            self._read += await self.process.stdout.receive()
        line, _, self._read = self._read.partition(b"\n")
        return line


async def _until_called(server: Endpoint) -> None:
    while not (await server.stats()).asked:  # noqa: ASYNC110 - another process counts
        await anyio.sleep(LOOK_SECONDS)


def _kill_group(process: Process) -> None:
    """Kill the process and all of its group, as a host's window does that is closed."""
    os.killpg(process.pid, signal.SIGKILL)


async def _gone(run: str) -> bool:
    """Whether the process that did the run ends by itself."""
    with anyio.move_on_after(QUIET_SECONDS):
        while any(run.encode() in line for line in _command_lines()):  # noqa: ASYNC110 - another process ends
            await anyio.sleep(LOOK_SECONDS)
        return True
    return False


def _command_lines() -> list[bytes]:
    done = subprocess.run(["ps", "-eo", "stat,args"], stdout=subprocess.PIPE, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith(b"Z") and b"resume" in line]


# -- chain --------------------------------------------------------------------------------------------------------

GRAPHS = 200


async def chain(_: Endpoint) -> AsyncIterator[Row]:
    """A chain of ten among forty that stand alone and a few diamonds, in virtual time: makespan by critical path."""
    for width in (1_000, 8):
        done = await anyio.run_process(command("chains", "-", GRAPHS, {"width": width}), stderr=None)
        every = [Stretch(**one) for one in json.loads(done.stdout)]
        paths = [one.seconds / one.critical for one in every]
        exact = sum(ratio == 1 for ratio in paths)
        yield (
            f"{GRAPHS} graphs in virtual time, {'no limit of width' if width > 100 else f'{width} at once'}",
            f"{spread(paths)} the critical path, exactly 1 in {exact}",
            f"{spread([one.seconds / one.bound for one in every])} the longer of the path and work / width",
        )


# -- processes and journals ---------------------------------------------------------------------------------------


@asynccontextmanager
async def started(given: list[str], **environ: str) -> AsyncGenerator[Process]:
    """A process with pipes, in a group of its own; killed at the end of the block if it still runs."""
    process = await anyio.open_process(
        given, stderr=None, stdin=subprocess.PIPE, env={**os.environ, **environ}, start_new_session=True
    )
    async with process:
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()


async def output(process: Process) -> bytes:
    """All that it has still to say; it has ended then."""
    assert process.stdout
    said = b"".join([part async for part in process.stdout])
    await process.wait()
    return said


def rows_of(home: Path, pattern: str, column: str = "value") -> list[tuple[str, Any]]:
    """Keys that fit, in a journal that need not be there yet, each with its value or its moment (`at`)."""
    if not (home / "journal.db").exists():
        return []
    with closing(sqlite3.connect(home / "journal.db", timeout=10)) as journal:
        query = f"SELECT key, {column} FROM entries WHERE value IS NOT NULL AND key LIKE ?"
        return [(str(key), value) for key, value in journal.execute(query, (pattern,))]


def at_of(home: Path, pattern: str) -> float:
    """When the only key that fits was recorded, by `time.monotonic()`."""
    ((_, at),) = rows_of(home, pattern, "at")
    return float(at) - time.time() + time.monotonic()


def run_in(home: Path) -> str:
    """The id of the only run."""
    ((key, _),) = rows_of(home, "runs/%")
    return key.removeprefix("runs/")


def results_in(home: Path) -> dict[str, str]:
    return dict(rows_of(home, "r-%/results/%"))


def replies_in(home: Path) -> set[str]:
    """The digests of the requests whose replies are in the journal; ids of tool calls tell them."""
    replies = [json.loads(value) for _, value in rows_of(home, "%.reply/%")]
    return {reply["calls"][0]["id"].split("_")[2] for reply in replies}


ROWS: dict[str, Callable[[Endpoint], AsyncIterator[Row]]] = {
    "tail": tail,
    "straggler": straggler,
    "cancel": cancel,
    "kills": kills,
    "shared": shared,
    "detached": detached,
    "chain": chain,
}

if __name__ == "__main__":
    anyio.run(partial(main, sys.argv[1:]))
