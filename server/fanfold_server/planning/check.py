"""The check in code: what is wrong with a set of subtasks, whoever drew it up. Calls block.

Everything it finds is a Problem; nothing is raised, so that whoever wrote the plan can mend all of it at once.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from fanfold_server.records import Problem, Task
from fanfold_workers.contract import Subtask
from fanfold_workers.tools.files import split_place
from fanfold_workers.tools.toolbox import Tool

from .choosing import inspections
from .items import Item
from .naming import Names
from .reading import one_line, visible
from .survey import Survey, leaves
from .trouble import did_you_mean, error, some, warning
from .twins import twins

HOST_CAP = 20
"""Subtasks of a host's own draft beyond which it is warned: each is an agent that somebody pays for."""
MAX_CYCLES = 5
FEW_FILES, FEW_BYTES, FEW_WORKERS = 100, 1_000_000, 4
"""A scope within both needs no more workers than this; a moderate task takes 2 to 4."""
ONE_FILES, ONE_BYTES = 5, 64_000
"""A scope within both is one look."""


@dataclass(frozen=True, slots=True)
class Check:
    """Checks the subtasks of one task.

    Attributes:
        task: the task.
        subtasks: its subtasks, in order.
        survey: the look at the roots.
        tools: every tool that exists.
        drafted: whether the caller drew them up.
        paid: whether each of them takes an agent.
        remote: names of the tools of other MCP servers.
    """

    task: Task
    subtasks: Sequence[Subtask]
    survey: Survey
    tools: Mapping[str, Tool[Any]]
    drafted: bool
    paid: bool
    remote: Collection[str] = ()

    def problems(self) -> Iterator[Problem]:
        """All that is wrong, errors and warnings, with the field as the caller spells it."""
        yield from self._task()
        yield from self._ids()
        yield from self._depends()
        yield from self._number()
        for n, subtask in enumerate(self.subtasks):
            yield from self._places(f"subtasks[{n}].places", subtask)
            yield from self._tools(f"subtasks[{n}]", subtask)
        yield from self._twins()
        if self.drafted:
            yield from self._blanks()
            yield from self._uncovered()
            yield from self._wide()
            yield from self._effort()

    def _task(self) -> Iterator[Problem]:
        for n, place in enumerate(self.task.roots):
            yield from self._place(f"roots[{n}]", place)
        for n, name in enumerate(self.task.checks):
            yield from self._named_check(f"checks[{n}]", name)

    def _ids(self) -> Iterator[Problem]:
        for name, count in Counter(subtask.id for subtask in self.subtasks).items():
            if count > 1:
                which = [n for n, subtask in enumerate(self.subtasks) if subtask.id == name]
                remedy = "Give each its own id, or leave the ids out."
                yield error(f"subtasks[{which[1]}].id", f"{count} subtasks are called {name!r}.", remedy)

    def _depends(self) -> Iterator[Problem]:
        ids = {subtask.id for subtask in self.subtasks}
        for n, subtask in enumerate(self.subtasks):
            for other in dict.fromkeys(subtask.depends_on):
                field = f"subtasks[{n}].depends_on"
                if other == subtask.id:
                    yield error(field, f"{other!r} waits for itself.", "Leave its own id out.")
                elif other not in ids:
                    remedy = did_you_mean(
                        self.survey.like(other, ids), f"Use one of: {some([s.id for s in self.subtasks])}."
                    )
                    yield error(field, f"There is no subtask {other!r}.", remedy)
        for cycle in cycles(self.subtasks):
            n = next(n for n, subtask in enumerate(self.subtasks) if subtask.id == cycle[0])
            path = " -> ".join([*cycle[:8], *(["…"] if len(cycle) > 8 else []), cycle[0]])
            remedy = "Take one of these dependencies out."
            yield error(f"subtasks[{n}].depends_on", f"These wait for one another: {path}.", remedy)

    def _number(self) -> Iterator[Problem]:
        count, most = len(self.subtasks), self.task.max_workers
        if most is not None and count > most:
            remedy = f"Merge some, or raise max_workers to {count}."
            yield error("subtasks", f"{count} subtasks are more than max_workers, {most}.", remedy)
        elif most is None and self.drafted and self.paid and count > HOST_CAP:
            remedy = "Merge some; or pass max_workers to say that it is meant."
            yield warning("subtasks", f"{count} subtasks are many: each takes an agent of its own.", remedy)

    def _places(self, field: str, subtask: Subtask) -> Iterator[Problem]:
        for n, place in enumerate(subtask.scope.places):
            if place not in self.task.roots:
                yield from self._place(f"{field}[{n}]", place)
        if subtask.checks and not subtask.scope.places:
            what = f"{subtask.id!r} names checks and has nothing to read."
            yield error(field, what, "Name places, or configure a root with --root NAME=DIR.")

    def _place(self, field: str, place: str) -> Iterator[Problem]:
        name = split_place(place)[0]
        if name not in self.survey.roots:
            known = sorted(self.survey.roots)
            remedy = f"Use one of: {some(known)}." if known else "Configure one with --root NAME=DIR."
            yield error(field, f"There is no root called {name!r}.", did_you_mean(self.survey.near(place), remedy))
        elif leaves(place):
            yield error(
                field, f"{place!r} could lead out of its root.", "Name a path below it, with forward slashes."
            )
        elif not self.survey.has(place):
            remedy = did_you_mean(self.survey.near(place), f"Name something under {name}.")
            yield error(field, f"{place!r} is not there.", remedy)

    def _tools(self, field: str, subtask: Subtask) -> Iterator[Problem]:
        for n, name in enumerate(subtask.checks):
            if name not in self.task.checks:
                yield from self._named_check(f"{field}.checks[{n}]", name)
            if name not in subtask.scope.tools:
                what = f"The check {name!r} is not among its tools."
                yield error(f"{field}.tools", what, f"Add {name!r} to them, or leave tools out.")
        for n, name in enumerate(subtask.scope.tools):
            known = (*self.tools, *self.remote)
            if name not in known and name not in subtask.checks:
                remedy = did_you_mean(self.survey.like(name, known), f"Use some of: {', '.join(known) or 'none'}.")
                yield error(f"{field}.tools[{n}]", f"There is no tool called {name!r}.", remedy)

    def _named_check(self, field: str, name: str) -> Iterator[Problem]:
        known = inspections(self.tools)
        if name in known:
            return
        what = f"{name!r} is a tool, not a check." if name in self.tools else f"There is no check called {name!r}."
        yield error(
            field, what, did_you_mean(self.survey.like(name, known), f"Use some of: {', '.join(known) or 'none'}.")
        )

    def _twins(self) -> Iterator[Problem]:
        for first, second in twins(self.subtasks):
            what = (
                f"It is nearly the same as subtasks[{first}] ({self.subtasks[first].id}): same scope, same objective."
            )
            yield warning(
                f"subtasks[{second}]", what, "Merge the two, or say in boundaries what each leaves to the other."
            )

    def _blanks(self) -> Iterator[Problem]:
        for n, draft in enumerate(self.task.subtasks):
            if not any(map(visible, (draft.objective, draft.title, draft.item))):
                yield error(f"subtasks[{n}].objective", "It says nothing.", "Say what to find out.")

    def _uncovered(self) -> Iterator[Problem]:
        for n, name in enumerate(self.task.items):
            stated = [s for s in self.subtasks if s.item and Item(s.item).key == Item(name).key]
            if len(stated) > 1 and not _staged(stated):
                ids = some([subtask.id for subtask in stated])
                remedy = "Keep one of them, or leave `items` out if each looks at something else."
                yield error(f"items[{n}]", f"{name!r} is covered by {len(stated)} subtasks: {ids}.", remedy)
            elif not stated and not self._mentioned(name):
                remedy = "Add a subtask with this `item`, or take it out of `items`."
                yield error(f"items[{n}]", f"No subtask covers {name!r}.", remedy)

    def _mentioned(self, name: str) -> bool:
        word = f" {Item(name).key} ".replace("-", " ")
        texts = (f" {Item(f'{s.item} {s.title} {s.objective}').key} ".replace("-", " ") for s in self.subtasks)
        return any(word in text for text in texts)

    def _wide(self) -> Iterator[Problem]:
        known = Names(self.survey, tuple(sorted(self.survey.roots)))
        for n, (draft, subtask) in enumerate(zip(self.task.subtasks, self.subtasks, strict=False)):
            whole = [place for place in draft.places if not split_place(place)[1]]
            found = known.find(draft.item or draft.title) if whole and (draft.item or draft.title) else None
            narrow = [place for place in found.places if split_place(place)[1]] if found else []
            if narrow and {split_place(place)[0] for place in narrow} <= set(whole):
                what = (
                    f"{subtask.id!r} may read all of {some(whole)} for {one_line(draft.item or draft.title, 100)!r}."
                )
                yield warning(f"subtasks[{n}].places", what, f"Narrow it to {some(narrow)}.")

    def _effort(self) -> Iterator[Problem]:
        places = {place for subtask in self.subtasks for place in subtask.scope.places}
        if not self.paid or len(self.subtasks) < 2:
            return
        reach = self.survey.reach(sorted(places))
        size = f"{reach.files:,} {'file' if reach.files == 1 else 'files'}, {reach.bytes:,} bytes"
        if reach.files and reach.within(ONE_FILES, ONE_BYTES):
            what = f"{len(self.subtasks)} workers for {size}: one look reads all of it."
            yield warning("subtasks", what, "Do it yourself, or use one subtask.")
        elif reach.files and len(self.subtasks) > FEW_WORKERS and reach.within(FEW_FILES, FEW_BYTES):
            yield warning("subtasks", f"{len(self.subtasks)} workers for {size}.", "Two to four workers are enough.")


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


def _staged(subtasks: Sequence[Subtask]) -> bool:
    """Whether each but the first waits for another of them: stages of one thing, not the same thing twice."""
    ids = {subtask.id for subtask in subtasks}
    return sum(not ids.isdisjoint(subtask.depends_on) for subtask in subtasks) >= len(subtasks) - 1
