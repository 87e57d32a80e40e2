"""What waits for what: dependencies that cannot be, and a mode that says otherwise. See `check` for the codes."""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from fanfold_server.records import Mode, Problem
from fanfold_workers.contract import Subtask

from .candidate import Candidate
from .trouble import did_you_mean, error, some, warning

MAX_CYCLES = 5
MOST_STAGES = 5
"""Stages one after another beyond which a plan is warned about: each waits for all before it, and loses a little."""


def ordering(candidate: Candidate) -> Iterator[Problem]:
    """What is wrong with dependencies and mode."""
    yield from _unknown(candidate)
    circles = cycles(candidate.subtasks)
    for cycle in circles:
        yield _circle(candidate, cycle)
    yield from _mode(candidate)
    if not circles:
        yield from _deep(candidate)


def _unknown(candidate: Candidate) -> Iterator[Problem]:
    ids = {subtask.id for subtask in candidate.subtasks}
    for n, subtask in enumerate(candidate.subtasks):
        field = f"subtasks[{n}].depends_on"
        for other in dict.fromkeys(subtask.depends_on):
            if other == subtask.id:
                yield error("waits_for_itself", field, f"{other!r} waits for itself.", "Leave its own id out.")
            elif other not in ids:
                known = f"Use one of: {some([s.id for s in candidate.subtasks])}."
                remedy = did_you_mean(candidate.survey.like(other, ids), known)
                yield error("unknown_dependency", field, f"There is no subtask {other!r}.", remedy)


def _circle(candidate: Candidate, cycle: Sequence[str]) -> Problem:
    n = next(n for n, subtask in enumerate(candidate.subtasks) if subtask.id == cycle[0])
    path = " -> ".join([*cycle[:8], *(["…"] if len(cycle) > 8 else []), cycle[0]])
    what = f"These wait for one another: {path}."
    return error("cycle", f"subtasks[{n}].depends_on", what, "Take one of these dependencies out.")


def _mode(candidate: Candidate) -> Iterator[Problem]:
    """Where the mode that was stated is not what the subtasks are."""
    subtasks = candidate.subtasks
    ids = {subtask.id for subtask in subtasks}
    waiting = [n for n, s in enumerate(subtasks) if ids.intersection(s.depends_on) - {s.id}]
    if candidate.mode is Mode.single and len(subtasks) > 1:
        what = f"The mode is single, which is one agent's work, and there are {len(subtasks)} subtasks."
        yield error(
            "single_with_many", "mode", what, "Keep one subtask that does all of it, or say parallel or staged."
        )
    elif candidate.mode is Mode.parallel and waiting:
        what = f"The mode is parallel, and {some([subtasks[n].id for n in waiting])} waits for others."
        remedy = "Say staged, or take the dependencies out."
        yield error("dependency_in_parallel", f"subtasks[{waiting[0]}].depends_on", what, remedy)
    elif candidate.mode is Mode.staged and not any(subtask.depends_on for subtask in subtasks):
        what = "The mode is staged, and nothing depends on anything."
        yield error(
            "staged_without_dependency", "mode", what, "Say in depends_on what waits for what, or say parallel."
        )


def _deep(candidate: Candidate) -> Iterator[Problem]:
    depth: dict[str, int] = {}
    waits = {subtask.id: subtask.depends_on for subtask in candidate.subtasks}
    for name in TopologicalSorter(waits).static_order() if _acyclic(waits) else ():
        depth[name] = 1 + max((depth[other] for other in waits.get(name, ())), default=0)
    deepest = max(depth.values(), default=0)
    if deepest > MOST_STAGES:
        n = next(n for n, subtask in enumerate(candidate.subtasks) if depth[subtask.id] == deepest)
        what = f"{deepest} stages follow one another: each is told only what those before it found."
        remedy = "Let one agent do steps that all lean on one another."
        yield warning("deep_chain", f"subtasks[{n}].depends_on", what, remedy)


def _acyclic(waits: Mapping[str, Sequence[str]]) -> bool:
    try:
        TopologicalSorter(waits).prepare()
    except CycleError:  # one that waits for itself is no circle of `cycles`
        return False
    return True


def cycles(subtasks: Sequence[Subtask]) -> list[list[str]]:
    """Circles of subtasks that wait for one another, each from its first in plan order; at most MAX_CYCLES."""
    order = {subtask.id: n for n, subtask in reversed(list(enumerate(subtasks)))}
    graph = {s.id: [other for other in s.depends_on if other in order and other != s.id] for s in subtasks}
    found: list[list[str]] = []
    while len(found) < MAX_CYCLES and (cycle := _cycle(graph)):
        at = cycle.index(min(cycle, key=lambda name: order[name]))
        found.append(cycle[at:] + cycle[:at])
        for name in cycle:
            del graph[name]
        graph = {name: [other for other in others if other in graph] for name, others in graph.items()}
    return found


def _cycle(graph: Mapping[str, Sequence[str]]) -> list[str]:
    """One circle, each waiting for the next; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        names: list[str] = circle.args[1]
        return names[:0:-1]
    return []
