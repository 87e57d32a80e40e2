"""One contender of `benchmarks/calls.py`, in a process of its own: N calls to a simulated endpoint.

    python -m benchmarks.contender ours URL N '{"home": "DIR", "cached": true}'
    python -m benchmarks.contender gather URL N '{"retries": 2}'
    python -m benchmarks.contender shared URL N '{"prefix_chars": 40000}'
    python -m benchmarks.contender cancelled URL N '{"rounds": 50, "within": 2.0, "home": "DIR"}'

It prints one line of JSON. The clock starts once everything is imported and one call was made; then the endpoint
begins anew with the `config` among the options.
"""

import asyncio  # noqa: TID251 - what this is held against is a hand-written asyncio.gather
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import httpx2

from fanfold_server.dispatch.policy import Policy
from fanfold_server.minds import Minds, Seat
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Draft, Plan, Task
from fanfold_workers.agent import union
from fanfold_workers.agent.builtin import SPECS
from fanfold_workers.agent.words import opening, prompt
from fanfold_workers.contract import Status, Subtask
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.models.anthropic import Anthropic, Connection
from fanfold_workers.models.anthropic_request import request
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, Said
from fanfold_workers.models.stack import stacked
from fanfold_workers.tools.catalog import shipped

MODEL = "simulated"
UNCACHED, CACHED = 10**9, 1_024


@dataclass(frozen=True)
class Figures:
    """What a contender came to.

    Attributes:
        results: calls that brought a result; of N.
        seconds: from the start of the first call to the end of the last.
        cpu: seconds of this process meanwhile, all threads.
        peak_mb: the most memory it ever had.
    """

    results: int
    seconds: float
    cpu: float
    peak_mb: float


async def measured(url: str, options: Mapping[str, Any], work: Callable[[], Awaitable[int]]) -> Figures:
    """The work's figures. The endpoint begins anew just before, if the options hold a config for it."""
    import resource  # which Windows has not

    if config := options.get("config"):
        async with httpx2.AsyncClient(trust_env=False) as http:
            (await http.post(f"{url}/reset", content=config)).raise_for_status()
    wall, cpu = time.perf_counter(), time.process_time()
    results = await work()
    seconds, spent = time.perf_counter() - wall, time.process_time() - cpu
    return Figures(results, seconds, spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def card(*, cached: bool) -> Card:
    return Card(MODEL, 200_000, 8_000, Price(2, 10, 0.1, 2.5), CACHED if cached else UNCACHED)


def minds(connection: Connection, *, cached: bool) -> Minds:
    seat = Seat(Anthropic(connection, MODEL), card(cached=cached), connection.name)
    return Minds(seat, seat, max_usd_per_run=1e5, max_usd_per_day=1e5, close=connection.aclose)


def task(count: int, name: str = "part") -> Task:
    drafts = tuple(Draft(title=f"{name} {n}", objective=f"What is there to say of {name} {n}?") for n in range(count))
    return Task(task=f"Look at every {name}.", subtasks=drafts, max_workers=max(1, count))


async def ours(url: str, count: int, options: Mapping[str, Any]) -> Figures:
    """The product: dispatch of a plan, with its journal on disk and everything around each call."""
    cached, home = bool(options.get("cached")), options.get("home")
    with TemporaryDirectory() as fresh:
        where = Path(home or fresh)
        # By another orchestrator: what is known of a prefix is a process's own, and here nothing shall be known yet.
        other = Connection(key="simulated", base_url=url)
        async with Orchestrator(home=where, minds=minds(other, cached=cached)) as fanfold:
            await fanfold.dispatch((await fanfold.plan(task(1, "first"))).id)
        connection = Connection(key="simulated", base_url=url)
        await connection.client()
        async with Orchestrator(
            home=where, policy=Policy(width=count), minds=minds(connection, cached=cached)
        ) as fanfold:
            plan = await fanfold.plan(task(count))

            async def dispatched() -> int:
                run = await fanfold.dispatch(plan.id)
                return run.counts.get(Status.ok, 0)

            figures = await measured(url, options, dispatched)
            await _explain(fanfold, plan)
            return figures


async def _explain(fanfold: Orchestrator, plan: Plan) -> None:
    """Say on stderr what did not end ok."""
    for result in (await fanfold.runs.results(await fanfold.runs.attempts(plan))).values():
        if result.status is not Status.ok:
            print(f"{result.subtask}: {result.status}, {result.reason}", file=sys.stderr)


async def gather(url: str, count: int, options: Mapping[str, Any]) -> Figures:
    """What one writes by hand: the same requests through AsyncAnthropic on the same transport, all at once."""
    from anthropic import AsyncAnthropic, DefaultAioHttpClient
    from httpx2 import Limits, Timeout

    limits = Limits(max_connections=2_000, max_keepalive_connections=2_000)
    http = DefaultAioHttpClient(timeout=Timeout(600, connect=60), limits=limits)
    retries = int(options.get("retries", 0))
    async with AsyncAnthropic(api_key="simulated", base_url=url, http_client=http, max_retries=retries) as client:
        bodies = [_body(subtask.objective, n) for n, subtask in enumerate(task(count).subtasks)]

        async def one(body: Mapping[str, Any]) -> bool:
            message = await client.messages.create(**body)
            return any(block.type == "tool_use" and block.name == "report" for block in message.content)

        await one(_body("What is there to say of first 0?", 0))

        async def gathered() -> int:
            results = await asyncio.gather(*map(one, bodies), return_exceptions=True)
            return sum(result is True for result in results)

        return await measured(url, options, gathered)


async def shared(url: str, count: int, options: Mapping[str, Any]) -> Figures:
    """N calls at once that share a long prefix, through everything that stands around a call."""
    words = "The quick brown fox jumps over the lazy dog while seven wizards count their coins. "
    system = (words * (int(options["prefix_chars"]) // len(words) + 1))[: int(options["prefix_chars"])]
    async with Connection(key="simulated", base_url=url) as connection:
        model = stacked(Anthropic(connection, MODEL), card(cached=True), MemoryJournal())
        asks = [Ask(system, (Said(f"Say something of {n}."),), max_tokens=500, shared=True) for n in range(count)]
        await model.ask(Ask("", (Said("Hello."),), max_tokens=500))

        async def asked() -> int:
            return len(await anyio.amap(model.ask, asks))

        return await measured(url, options, asked)


async def cancelled(url: str, count: int, options: Mapping[str, Any]) -> Figures:
    """Runs of N workers that are cancelled at random moments; `results` are the replies in the journal afterwards."""
    chance = random.Random(1)
    connection = Connection(key="simulated", base_url=url)
    async with Orchestrator(
        home=Path(options["home"]), policy=Policy(width=count), minds=minds(connection, cached=False)
    ) as fanfold:
        await fanfold.dispatch((await fanfold.plan(task(1, "first"))).id)

        async def all_of_them() -> int:
            for n in range(int(options["rounds"])):
                plan = await fanfold.plan(task(count, f"round {n} part"))
                run = await fanfold.dispatch(plan.id, wait=chance.uniform(0, float(options["within"])))
                await fanfold.cancel(run.id)
            entries = await fanfold.journal.entries("r-", keys_only=True)
            return sum(".reply/" in entry.key for entry in entries)

        return await measured(url, options, all_of_them)


def _body(objective: str, n: int) -> dict[str, Any]:
    """The very request that a worker of ours makes."""
    subtask = Subtask(id=f"s{n + 1}", title=objective, objective=objective)
    tools = (*union(shipped(), {}, ()), *SPECS)
    said = (Said(opening(subtask, (), 0)),)
    ask = Ask(prompt("system").template, said, tools, max_tokens=8_000, shared=True, ongoing=True)
    return dict(request(ask, MODEL))


CONTENDERS = {"ours": ours, "gather": gather, "shared": shared, "cancelled": cancelled}


def main() -> None:
    name, url, count, *rest = sys.argv[1:]
    options = json.loads(rest[0]) if rest else {}
    print(json.dumps(asdict(anyio.run(CONTENDERS[name], url, int(count), options))))


if __name__ == "__main__":
    main()
