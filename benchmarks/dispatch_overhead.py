"""What the journal on disk costs: 1,000 subtasks that do nothing, dispatched over SQLite and over memory, in turn.

python benchmarks/dispatch_overhead.py [--subtasks N] [--rounds N]
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

import anyio

from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Task
from fanfold_workers.contract import Result, Subtask
from fanfold_workers.journal import Journal, MemoryJournal


async def nothing(subtask: Subtask) -> Result:
    return Result.ended(subtask.id, summary="nothing to do")


async def dispatched(count: int, journal: Journal | None, home: Path) -> float:
    """Seconds that `dispatch` takes for so many subtasks."""
    task = Task(task="Do nothing", items=tuple(f"item {n}" for n in range(count)), max_workers=count)
    async with Orchestrator(worker=nothing, journal=journal, home=home) as fanfold:
        plan = await fanfold.plan(task)
        if plan is None or len(plan.subtasks) != count:
            raise SystemExit(f"the plan has not {count} subtasks: {plan}")
        begun = perf_counter()
        run = await fanfold.dispatch(plan.id)
        seconds = perf_counter() - begun
    if run.ended != count:
        raise SystemExit(f"only {run.ended} of {count} ended")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subtasks", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    disk: list[float] = []
    memory: list[float] = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as home:
            disk.append(anyio.run(dispatched, options.subtasks, None, Path(home)))
            memory.append(anyio.run(dispatched, options.subtasks, MemoryJournal(), Path(home)))
    for name, seconds in (("SQLite", disk), ("memory", memory)):
        print(f"{name:8} median {statistics.median(seconds):6.2f} s   {min(seconds):.2f} to {max(seconds):.2f}")
    extra = statistics.median(a - b for a, b in zip(disk, memory, strict=True))
    each = extra / options.subtasks * 1e3
    print(f"the disk costs {extra:.2f} s more for {options.subtasks:,} subtasks, {each:.2f} ms each")


if __name__ == "__main__":
    main()
