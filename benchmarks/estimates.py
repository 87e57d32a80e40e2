"""Are estimates right? Simulated runs against what was estimated: without history, after five runs, and later.

    python -m benchmarks.estimates [--seeds N] [family ...]

The models are functions, and say so; everything else is the product: its orchestrator, its dispatch, its accounts,
its journal on disk. How many turns a worker takes, what each reads and writes and how long it takes is drawn from a
rule that the product cannot see: heavy-tailed, by effort, by how much is in reach, and by the run. Time is a
hundredth of what it stands for.
"""

import argparse
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from statistics import geometric_mean, median
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from fanfold_server.history import WHAT, What, past_of, took
from fanfold_server.minds import Minds, Seat
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Draft, Estimate, Plan, Task
from fanfold_workers.aside import in_thread, inline
from fanfold_workers.contract import EffortClass
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, FunctionModel, Reply, Said, Tokens, calling, saying
from fanfold_workers.tools.roots import MemoryRoot

HISTORY, FURTHER = 5, 20
SCALE = 0.01
LEAD = Card("simulated-lead", 1_000_000, 64_000, Price(4, 20, 0.4, 5))
WORKER = Card("simulated-worker", 200_000, 16_000, Price(1, 5, 0.1, 1.25))
LIGHT, NORMAL, DEEP = EffortClass
MOST_TURNS = {"light": 8, "normal": 25, "deep": 25}
"""Within what the product allows a worker: what is cut off is no estimate's to foresee."""
LINE = "a = 1  # one of many lines that say little\n"

# -- the world ----------------------------------------------------------------------------------------------------


def folders(count: int, seed: int) -> dict[str, str]:
    """So many folders of very different size, as files."""
    luck = Random(seed)
    sizes = [min(1_500_000, int(20_000 * math.exp(luck.gauss(0, 1.3)))) for _ in range(count)]
    return {f"f{n:02}/all.py": LINE * max(1, size // len(LINE)) for n, size in enumerate(sizes)}


FILES = folders(60, 1)


@dataclass
class World:
    """The rule that decides what workers take. Nobody who plans sees it.

    Attributes:
        seed: of the machine: each has a history and luck of its own.
        scale: seconds of this process for each that is meant.
        run: which run is on its way: it has luck of its own.
    """

    seed: str
    scale: float
    run: int = 0
    _turns: dict[str, int] = field(default_factory=dict[str, int])

    def luck(self, *key: object) -> Random:
        return Random(repr((self.seed, self.run, *key)))

    @property
    def weather(self) -> tuple[float, float]:
        """How many more turns everybody takes in this run, and how much longer each."""
        luck = self.luck("weather")
        return math.exp(luck.gauss(0, 0.2)), math.exp(luck.gauss(0, 0.25))

    def turns(self, objective: str) -> int:
        """How many turns the worker with this objective takes: its effort and folder stand in it."""
        effort, folder = objective.split()[0].lower(), re.findall(r"f\d\d", objective)[0]
        usual = {"light": 2.2, "normal": 4.5, "deep": 10.0}[effort]
        size = (len(FILES[f"{folder}/all.py"]) / 30_000) ** 0.25
        luck = self.luck(objective)
        slow = 3 if luck.random() < 0.05 else 1
        turns = usual * size * self.weather[0] * math.exp(luck.gauss(0, 0.45)) * slow
        return max(1, min(MOST_TURNS[effort], round(turns)))

    async def wait(self, *key: object) -> None:
        luck = self.luck(*key, "seconds")
        tail = 5 if luck.random() < 0.03 else 1
        await anyio.sleep(7 * self.weather[1] * math.exp(luck.gauss(0, 0.4)) * tail * self.scale)

    def used(self, turn: int, *key: object) -> Tokens:
        luck = self.luck(*key, "tokens")
        read = int(5_500 + turn * 2_200 * math.exp(luck.gauss(0, 0.3)))
        fresh = int(read * 0.3)
        return Tokens(fresh, int(350 * math.exp(luck.gauss(0, 0.6))), read - fresh)

    async def ask(self, ask: Ask) -> Reply:
        """Who answers everything: a function, no model."""
        said = ask.turns[0]
        shown = said.text if isinstance(said, Said) else ""
        if ask.role == "lead":
            await self.wait("lead", len(shown))
            return self._lead(shown)
        found = re.search(r"<objective>\s*(.*?)\s*</objective>", shown, re.DOTALL)
        objective, turn = found[1] if found else "normal f00", len(ask.turns) // 2 + 1
        await self.wait(objective, turn)
        usage = self.used(turn, objective, turn)
        folder = re.findall(r"f\d\d", objective)[0]
        if turn < self.turns(objective):
            return calling(
                ("read", {"path": f"code:{folder}/all.py", "start": turn * 3 + 1, "lines": 2}), usage=usage
            )
        evidence = {"source": f"code:{folder}/all.py", "locator": "L1", "quote": LINE.strip()}
        finding = {"subject": folder, "claim": f"{folder} says little.", "evidence": [evidence]}
        return calling(("report", {"summary": "Simulated.", "findings": [finding], "gaps": []}), usage=usage)

    def _lead(self, shown: str) -> Reply:
        ids = sorted(set(re.findall(r"\[(s\d+\.\d+)", shown)))
        answer = json.dumps({"headline": "Simulated.", "answer": " ".join(f"So it says [{name}]." for name in ids)})
        luck = self.luck("report")
        read = int((3_500 + 420 * len(ids)) * math.exp(luck.gauss(0, 0.3)))
        return saying(answer, usage=Tokens(read, int(read * 0.2)))


# -- the families -------------------------------------------------------------------------------------------------


def _looks(luck: Random, count: int, *efforts: EffortClass) -> list[Draft]:
    names = luck.sample([name.partition("/")[0] for name in FILES], count)
    kinds = [luck.choice(efforts) for _ in names]
    return [
        Draft(
            id=f"s{n}",
            title=f"{name}, {kind}",
            objective=f"{kind.value.capitalize()} look at {name}: what does it say?",
            effort=kind,
            places=(f"code:{name}",),
            tools=("read",),
        )
        for n, (name, kind) in enumerate(zip(names, kinds, strict=True), 1)
    ]


def audits(luck: Random) -> list[Draft]:
    """Many items, one worker each."""
    return _looks(luck, luck.randint(20, 40), LIGHT, NORMAL)


def comparisons(luck: Random) -> list[Draft]:
    """Three to five sides."""
    return _looks(luck, luck.randint(3, 5), NORMAL, DEEP)


def staged(luck: Random) -> list[Draft]:
    """Two or three things in stages of three, then one that looks at all."""
    drafts = _looks(luck, 3 * luck.randint(2, 3) + 1, NORMAL, NORMAL, DEEP)
    waits = {n: (drafts[n - 1].id,) for n in range(len(drafts) - 1) if n % 3}
    waits[len(drafts) - 1] = tuple(drafts[n].id for n in range(2, len(drafts) - 1, 3))
    return [
        draft.model_copy(update={"depends_on": waits.get(n, ()), "if_unmet": "run"}) for n, draft in enumerate(drafts)
    ]


def mixed(luck: Random) -> list[Draft]:
    """Checks by rules, and minds beside them."""
    drafts = _looks(luck, luck.randint(12, 20), LIGHT, NORMAL, DEEP)
    return [
        draft.model_copy(update={"checks": ("secrets",), "tools": ()}) if n % 2 else draft
        for n, draft in enumerate(drafts)
    ]


FAMILIES: Mapping[str, Callable[[Random], list[Draft]]] = {
    "audits": audits,
    "comparisons": comparisons,
    "staged": staged,
    "mixed": mixed,
}

# -- playing ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Played:
    """One run: what was estimated without history, after the first runs, with all runs before it, and what came."""

    nothing: Estimate
    first: Estimate
    rolling: Estimate
    came: Mapping[What, float]


WHEN = ("nothing", "first", "rolling")


def fanfold(world: World, **options: Any) -> Orchestrator:
    seat = partial(Seat, FunctionModel(world.ask))
    minds = Minds(seat(LEAD), seat(WORKER), max_usd_per_run=1e4, max_usd_per_day=1e6)
    return Orchestrator(roots={"code": MemoryRoot("code", FILES)}, minds=minds, **options)


async def play(it: Orchestrator, world: World, family: str, history: int, further: int) -> list[Played]:
    """So many runs of history, then so many further ones, which are returned."""
    tasks = [_task(family, world.seed, n) for n in range(history + further)]
    nothing = [await it.plan(task, fresh=True) for task in tasks]
    for n in range(history):
        await _run(it, world, nothing[n], n)
    first = [await it.plan(task, fresh=True) for task in tasks[history:]]
    found: list[Played] = []
    for n, task in enumerate(tasks[history:], history):
        plan = await it.plan(task, fresh=True)
        came = await _run(it, world, plan, n)
        found.append(Played(nothing[n].estimate, first[n - history].estimate, plan.estimate, came))
    return found


def _task(family: str, seed: str, n: int) -> Task:
    drafts = FAMILIES[family](Random(repr((family, seed, n))))
    return Task(task=f"What do they say? ({seed}, {n})", subtasks=tuple(drafts), max_workers=100)


async def _run(it: Orchestrator, world: World, plan: Plan, n: int) -> Mapping[What, float]:
    world.run = n
    run = await it.dispatch(plan.id)
    await it.synthesize(run.id)
    past = await past_of(it.journal, run.id, in_thread if world.scale < 1 else inline)
    if not past or not past.comparable:
        raise SystemExit(f"{run.id} did not end as it should: {run.counts}")
    return {what: took(past, what) for what in WHAT}


# -- what is said of it -------------------------------------------------------------------------------------------


def within(played: Iterable[Played], when: str, what: What, scale: float) -> list[bool]:
    """Whether what came was within p10 and p90, run by run."""
    found: list[bool] = []
    for one in played:
        estimate: Estimate = getattr(one, when)
        # Assumptions are about true seconds.
        came = one.came[what] / (scale if what == "seconds" and when == "nothing" else 1)
        found.append(getattr(estimate, f"{what}_low") <= came <= getattr(estimate, f"{what}_high"))
    return found


def widths(played: Iterable[Played], when: str, what: What) -> float:
    """How many times p10 p90 is, in the median."""
    estimates: list[Estimate] = [getattr(one, when) for one in played]
    return median(getattr(e, f"{what}_high") / max(getattr(e, f"{what}_low"), 1e-9) for e in estimates)


def off(played: Iterable[Played], when: str, what: What, scale: float) -> float:
    """What came over p50, in the geometric mean."""
    ratios = [
        one.came[what]
        / (scale if what == "seconds" and when == "nothing" else 1)
        / getattr(getattr(one, when), f"{what}_mid")
        for one in played
    ]
    return geometric_mean(ratios)


def rows(name: str, played: Sequence[Played], scale: float) -> list[str]:
    """A line for each time of estimating."""
    told = {"nothing": "before any history", "first": f"after {HISTORY} runs", "rolling": "with all runs before"}
    lines: list[str] = []
    for when in WHEN:
        cells = [
            f"{sum(within(played, when, what, scale)) / len(played):4.0%} of {widths(played, when, what):5.1f} x"
            f" (came/p50 {off(played, when, what, scale):.2f})"
            for what in WHAT
        ]
        lines.append(f"| {name} | {len(played)} | {told[when]} | " + " | ".join(cells) + " |")
    return lines


async def measured(family: str, seed: int) -> list[Played]:
    with TemporaryDirectory() as home:
        world = World(f"{family} {seed}", SCALE)
        async with fanfold(world, home=Path(home)) as it:
            return await play(it, world, family, HISTORY, FURTHER)


async def main(wanted: Sequence[str], seeds: int) -> int:
    print("| family | runs | estimated | dollars: within p10-p90, p90/p10 | tokens | seconds |", flush=True)
    print("|---|---|---|---|---|---|", flush=True)
    every: list[Played] = []
    for family in wanted or FAMILIES:
        played = [one for seed in range(seeds) for one in await measured(family, seed)]
        every += played
        print("\n".join(rows(family, played, SCALE)), flush=True)
    print("\n".join(rows("all", every, SCALE)))
    good = all(sum(within(every, "first", what, SCALE)) >= 0.8 * len(every) for what in WHAT)
    return 0 if good else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimates")
    parser.add_argument("--seeds", type=int, default=3, help="so many machines with a history of their own")
    parser.add_argument("families", nargs="*", choices=[[], *FAMILIES])
    given = parser.parse_args()
    sys.exit(anyio.run(main, given.families, given.seeds))
