"""One contender of `benchmarks/dispatch.py`, in a process of its own: a dispatch against a simulated endpoint.

    python -m benchmarks.dispatch_contender ours URL N '{"policy": {"hedge": false}}'
    python -m benchmarks.dispatch_contender cancelled URL N '{"home": "DIR"}'
    python -m benchmarks.dispatch_contender detached URL N '{"home": "DIR"}'
    python -m benchmarks.dispatch_contender chains - N '{"width": 8}'

It prints one line of JSON. Options of those that ask the endpoint: `home`, a journal to begin or go on with, else a
fresh one; `policy`, fields of Policy besides the width, which is N; `config`, with which the endpoint begins anew
when all is ready; `at`, when to begin, by `time.monotonic()`; `calls`, how many dispatch calls this process makes of
the run; `warmed`, whether one call is made before that, by another orchestrator; `plan`, the id of one to join.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import httpx2
from benchmarks.contender import minds, task
from trio.testing import MockClock

from fanfold_server.dispatch.policy import Policy
from fanfold_server.opening import orchestrator_of
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Draft, Plan, Run, Task
from fanfold_server.settings import Settings
from fanfold_workers.aside import inline
from fanfold_workers.contract import Result, Subtask
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.models.anthropic import Connection

LOOK_SECONDS = 0.05
FLYING_SECONDS = 0.3
"""So long do all calls fly together before they are cancelled."""
TICK = 1 / 64
"""Durations are multiples of this, so that their sums are exact."""


@dataclass(frozen=True)
class Outcome:
    """What a dispatch came to.

    Attributes:
        run: its id.
        seconds: from the call of dispatch to its answer.
        ended: when it answered, by `time.monotonic()`.
        usd: what the accounts say that it has cost.
        statuses: how each subtask ended, by id; reasons: and why, if it did not end ok.
        asked_to_stop: when `cancel` was called, by `time.monotonic()`; None if it was not.
    """

    run: str
    seconds: float
    ended: float
    usd: float
    statuses: dict[str, str]
    reasons: dict[str, str] = field(default_factory=dict[str, str])
    asked_to_stop: float | None = None


@asynccontextmanager
async def opened(url: str, count: int, options: Mapping[str, Any]) -> AsyncGenerator[tuple[Orchestrator, Plan]]:
    """The product with a journal on disk and N subtasks to do, and the endpoint begun anew if the options say so."""
    with TemporaryDirectory() as fresh:
        home = Path(options.get("home") or fresh)
        if options.get("warmed", True):
            other = Connection(key="simulated", base_url=url)
            async with Orchestrator(home=home, minds=minds(other, cached=False)) as fanfold:
                await fanfold.dispatch((await fanfold.plan(task(1, "first"))).id)
        connection = Connection(key="simulated", base_url=url)
        await connection.client()
        policy = Policy(**{"width": count, **options.get("policy", {})})
        async with Orchestrator(home=home, policy=policy, minds=minds(connection, cached=False)) as fanfold:
            plan = await fanfold.plan(task(count))
            await _begin(url, options)
            yield fanfold, plan


async def _begin(url: str, options: Mapping[str, Any]) -> None:
    if config := options.get("config"):
        async with httpx2.AsyncClient(trust_env=False) as http:
            (await http.post(f"{url}/reset", content=config)).raise_for_status()
    if at := options.get("at"):
        await anyio.sleep_until(at)


async def outcome(fanfold: Orchestrator, plan: Plan, run: Run, since: float, **more: Any) -> Outcome:
    """What a run that has just answered came to."""
    ended = time.monotonic()
    results = await fanfold.runs.results(await fanfold.runs.attempts(plan))
    statuses = {name: str(result.status) for name, result in results.items()}
    reasons = {name: result.reason for name, result in results.items() if result.reason}
    return Outcome(run.id, ended - since, ended, run.usd, statuses, reasons, **more)


async def ours(url: str, count: int, options: Mapping[str, Any]) -> Outcome:
    """A dispatch, or several calls of it at once."""
    async with opened(url, count, options) as (fanfold, plan):
        since = time.monotonic()
        runs = await anyio.amap(fanfold.dispatch, [plan.id] * int(options.get("calls", 1)))
        if len({run.model_dump_json() for run in runs}) != 1:
            raise SystemExit(f"the calls were answered differently: {runs}")
        return await outcome(fanfold, plan, runs[0], since)


async def cancelled(url: str, count: int, options: Mapping[str, Any]) -> Outcome:
    """A dispatch that is cancelled here as soon as all its calls are out."""
    async with opened(url, count, options) as (fanfold, plan), anyio.create_task_group() as group:
        asked: list[float] = []
        group.start_soon(_cancel, fanfold, url, count, plan, asked)
        since = time.monotonic()
        run = await fanfold.dispatch(plan.id)
        return await outcome(fanfold, plan, run, since, asked_to_stop=asked[0])


async def _cancel(fanfold: Orchestrator, url: str, count: int, plan: Plan, asked: list[float]) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        while (await http.get(f"{url}/stats")).json()["in_flight"] < count:  # noqa: ASYNC110 - another counts
            await anyio.sleep(LOOK_SECONDS)
    await anyio.sleep(FLYING_SECONDS)
    asked.append(time.monotonic())
    await fanfold.cancel(plan.id)


async def detached(url: str, count: int, options: Mapping[str, Any]) -> Outcome:
    """A script that leaves its run to a process of its own, and waits for it; or joins one that is going on."""
    environ = {
        **os.environ,
        "FANFOLD_HOME": str(options["home"]),
        "FANFOLD_CONFIG": os.devnull,
        "FANFOLD_BASE_URL": url,
        "ANTHROPIC_API_KEY": "simulated",
        "FANFOLD_WIDTH": str(count),
        "FANFOLD_MAX_USD_PER_RUN": "10000",
        "FANFOLD_MAX_USD_PER_DAY": "10000",
    }
    async with orchestrator_of(Settings.read(environ), environ) as fanfold:
        known = options.get("plan")
        plan = await (fanfold.runs.plan(known) if known else fanfold.plan(task(count)))
        since = time.monotonic()
        run = await fanfold.dispatch(plan.id, detach=True)
        return await outcome(fanfold, plan, run, since)


# -- in virtual time ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stretch:
    """How long the dispatch of a graph took, and how long it must take.

    Attributes:
        seconds: of virtual time.
        critical: the longest chain of subtasks that wait for one another.
        bound: no less with so few places: the chain, or all the work over the places.
    """

    seconds: float
    critical: float
    bound: float


def graph(seed: int) -> tuple[list[Draft], dict[str, float]]:
    """A chain of ten, forty that stand alone, two to four diamonds, in random order; and what each takes."""
    chance = random.Random(seed)
    needs: dict[str, tuple[str, ...]] = {f"c{n}": (f"c{n - 1}",) if n else () for n in range(10)}
    needs |= {f"i{n}": () for n in range(40)}
    for n in range(chance.randint(2, 4)):
        sides = [f"d{n}.{k}" for k in range(chance.randint(2, 4))]
        needs |= {f"d{n}.top": (), **dict.fromkeys(sides, (f"d{n}.top",)), f"d{n}.end": tuple(sides)}
    names = list(needs)
    chance.shuffle(names)
    seconds = {name: max(1, round(chance.lognormvariate(3, 0.8) / TICK)) * TICK for name in names}
    return [Draft(id=name, title=name, objective=f"Do {name}.", depends_on=needs[name]) for name in names], seconds


def critical(drafts: list[Draft], seconds: Mapping[str, float]) -> float:
    """The longest that subtasks which wait for one another take together."""
    needs = {str(draft.id): draft.depends_on for draft in drafts}
    ends: dict[str, float] = {}
    for name in TopologicalSorter(needs).static_order():
        ends[name] = max((ends[other] for other in needs[name]), default=0.0) + seconds[name]
    return max(ends.values())


async def stretch(seed: int, width: int) -> Stretch:
    """One graph, dispatched."""
    drafts, seconds = graph(seed)

    async def work(subtask: Subtask) -> Result:
        await anyio.sleep(seconds[subtask.id])
        return Result.ended(subtask.id, summary="Slept.")

    async with Orchestrator(
        journal=MemoryJournal(), worker=work, aside=inline, policy=Policy(width=width)
    ) as fanfold:
        plan = await fanfold.plan(Task(task="Do all of it.", subtasks=tuple(drafts), max_workers=len(drafts)))
        since = anyio.current_time()
        run = await fanfold.dispatch(plan.id)
        taken = anyio.current_time() - since
    if Counter(run.counts) != Counter({"ok": len(drafts)}):
        raise SystemExit(f"not all of graph {seed} ended ok: {run}")
    longest = critical(drafts, seconds)
    return Stretch(taken, longest, max(longest, sum(seconds.values()) / width))


def chains(_: str, count: int, options: Mapping[str, Any]) -> list[Stretch]:
    """N graphs."""
    width = int(options.get("width", 1_000))
    return [
        anyio.run(stretch, seed, width, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
        for seed in range(count)
    ]


CONTENDERS: dict[str, Callable[[str, int, Mapping[str, Any]], Coroutine[Any, Any, Outcome]]] = {
    "ours": ours,
    "cancelled": cancelled,
    "detached": detached,
}


def main() -> None:
    name, url, count, *rest = sys.argv[1:]
    options = json.loads(rest[0]) if rest else {}
    if name == "chains":
        print(json.dumps([asdict(one) for one in chains(url, int(count), options)]))
    else:
        print(json.dumps(asdict(anyio.run(CONTENDERS[name], url, int(count), options))))


if __name__ == "__main__":
    main()
