"""The planner without a model: checks from the task's words, items from what it names or what is there.

Steps that a task states one after another are its subtasks, where somebody takes such subtasks at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fanfold_server.records import Draft, Mode, Task
from fanfold_workers.aside import Aside
from fanfold_workers.contract import EffortClass
from fanfold_workers.errors import CannotDoError, InputError
from fanfold_workers.tools.roots import Root
from fanfold_workers.tools.toolbox import Tool

from .choosing import PASSAGES, Choice, choose, inspections
from .gathering import Gathered, Gatherer, wish
from .grouping import grouped
from .items import LARGE_BYTES, LARGE_FILES, Item
from .reading import cleaned, is_question, is_talk, one_line, visible
from .sequence import steps
from .split import Split
from .survey import Survey, leaves
from .trouble import error, some

RULES_CAP = 300
"""Subtasks of a plan by rules unless `max_workers` says otherwise: its workers cost nothing but time."""
SMALL_FILES, SMALL_BYTES = 5, 64_000
"""A single subtask within both is one look: a few files that fit a context many times over."""
TASK_CHARS, MIND_CHARS = 1_000, 6_000
"""How much of a task stands in each objective: for a check, and for a worker that has a mind."""

OWN_TESTS = ("test", "the library's own tests use on purpose what it deprecates")
EXPECTED = "Findings, each with file, line and a verbatim quote."
EVIDENCE = "Findings, each with evidence that can be checked."
CHECKED = "Every file in its places has been through each check."
ANSWERED = "The task is answered for each of its items, or what keeps it from that is said."
STEPPED = "What this step asks for is done, and whoever does the next one can go on from what is written down."


@dataclass(frozen=True, slots=True)
class RulesPlanner:
    """Splits a task by rules. The same task over the same tree is always split alike.

    Attributes:
        roots, tools: what is configured.
        aside: where blocking work runs.
        takes_any: whether some worker takes subtasks without checks.
        survey: a look at the roots to share; a new one if None.
    """

    roots: Mapping[str, Root]
    tools: Mapping[str, Tool[Any]]
    aside: Aside
    takes_any: bool = False
    survey: Survey | None = None

    async def plan(self, task: Task, /) -> Split:
        """See Planner."""
        if not visible(task.task):
            msg = "There is nothing in it that can be read."
            raise InputError(msg, field="task", remedy="Say what you want to know.")
        if is_talk(task.task) and not (task.items or task.checks):
            reason = "Do it yourself: this takes no look at anything."
            return Split((Draft(objective=one_line(task.task, TASK_CHARS)),), Mode.single, reason)
        return await self.aside(lambda: self._split(task, self.survey or Survey(self.roots)))

    def _split(self, task: Task, survey: Survey) -> Split:
        named = tuple(place for place in task.roots if not leaves(place) and survey.has(place))
        places = named or (() if task.roots else tuple(sorted(self.roots)))
        searchable = (bool(task.roots) or len(self.roots) == 1) and not self.takes_any
        choice = choose(task, self.tools, searchable=searchable)
        if not choice.checks and not task.checks and not self.takes_any:
            if len(named) < len(
                task.roots
            ):  # the check names the root; whether rules can do it is the second question
                return Split((), assumptions=choice.why)
            raise self._cannot(task)
        if choice.checks and not self.roots:
            raise self._nowhere()
        if (choice.checks or task.checks) and not (choice.checks and places):
            return Split((), assumptions=choice.why)
        if self.takes_any and not (choice.checks or task.items) and (stages := _stages(task)):
            gatherer = replace(self._gatherer(task, survey, places, choice), natural=False)
            return _staged(task, stages, gatherer.gather(), places, survey)
        found = self._gatherer(task, survey, places, choice).gather()
        return _written(task, choice, self._or_itself(found, task), survey, places)

    def _gatherer(self, task: Task, survey: Survey, places: tuple[str, ...], choice: Choice) -> Gatherer:
        alone = choice.checks == (PASSAGES,)
        without = (OWN_TESTS,) if choice.checks == ("upgrades",) else ()
        whole = any(self.tools[check].project for check in choice.checks)
        wanted = wish(task, alone, whole, without)
        topics = alone or (self.takes_any and not choice.checks)
        natural = bool(choice.checks or task.roots or wanted.several)
        return Gatherer(task, survey, places, wanted, topics, natural, self.tools)

    def _or_itself(self, found: Gathered, task: Task) -> Gathered:
        if found.items or found.problems or not self.takes_any:
            return found
        return Gathered((Item(one_line(task.task, 100)),), ("Nothing in the task says how to divide it.",))

    def _cannot(self, task: Task) -> CannotDoError:
        checks = ", ".join(inspections(self.tools)) or "none is installed"
        question = is_question(task.task) and len(self.roots) > 1 and not task.roots
        look_up = "To look a question up in files, name the `roots` to search. " if question else ""
        msg = "This takes a mind: the rules engine only runs checks, and nothing here asks for one it has."
        remedy = (
            f"{look_up}Have your own sub-agents do it: call plan again with `subtasks` (an objective each), let each "
            "sub-agent do one and deposit it with `submit`. Or name `roots` and `checks` for the rules engine "
            f"(checks: {checks}). With ANTHROPIC_API_KEY set, fanfold's own models plan and do such tasks."
        )
        return CannotDoError(msg, field="task", remedy=remedy)

    def _nowhere(self) -> CannotDoError:
        msg = "There is nothing to read: no root is configured."
        remedy = (
            "Start fanfold with --root NAME=DIR (or FANFOLD_ROOTS), or have your own sub-agents do it: call plan "
            "again with `subtasks`, let each sub-agent do one and deposit it with `submit`."
        )
        return CannotDoError(msg, field="roots", remedy=remedy)


def _written(task: Task, choice: Choice, found: Gathered, survey: Survey, reach: tuple[str, ...]) -> Split:
    natural = not task.items and all(item.places for item in found.items)
    most = task.max_workers or (RULES_CAP if choice.checks or natural else max(1, len(found.items)))
    groups = grouped(found.items, most, survey)
    drafts = tuple(_draft(task, choice, group, len(groups), reach, survey) for group in groups)
    told = [*choice.why, *found.told]
    if len(groups) < len(found.items):
        told.append(f"{len(found.items)} items in {len(groups)} groups of about the same number of bytes.")
    if survey.unspoken:
        told.append(f"{survey.unspoken} names that are no valid text were left out.")
    if len(task.task) > (TASK_CHARS if choice.checks else MIND_CHARS):
        told.append("Each objective carries the beginning of the task, not all of it.")
    crowded = [
        error(
            "group_too_large",
            "max_workers",
            f"A group would hold more than a subtask can: {some(group.places)}.",
            "Raise it.",
        )
        for group in drafts
        if len(group.places) >= 500 and len(groups) < len(found.items)
    ]
    mode, reason = _mode(groups, found.items, survey)
    return Split(drafts, mode, reason, tuple(told), (*found.problems, *crowded))


def _mode(groups: Sequence[tuple[Item, ...]], items: Sequence[Item], survey: Survey) -> tuple[Mode, str]:
    if len(groups) != 1:
        return Mode.parallel, f"{len(items)} items that don't depend on one another, {len(groups)} workers."
    places = [place for item in groups[0] for place in item.places]
    reach = survey.reach(places)
    if not places:
        return Mode.single, "Do it yourself: nothing says how to divide it."
    if reach.within(SMALL_FILES, SMALL_BYTES):
        return Mode.single, f"Do it yourself: one look at {some(places)} answers it."
    least = "at least " if reach.capped else ""
    return Mode.parallel, f"One worker: it reads {least}{reach.files} files, so that your context need not."


def _draft(
    task: Task, choice: Choice, group: tuple[Item, ...], groups: int, reach: tuple[str, ...], survey: Survey
) -> Draft:
    places = tuple(dict.fromkeys(place for item in group for place in item.places)) or reach
    names = [item.name for item in group]
    label = some([item.title or item.name for item in group], 3)
    checks = f": {', '.join(choice.checks)}" if choice.checks else ""
    item = "\n".join(names)
    return Draft(
        title=one_line(label, 200) + checks[:90],
        objective=_objective(task, choice, group),
        boundaries=f"The other {groups - 1} workers cover the other items." if groups > 1 else "",
        expected=EXPECTED if choice.checks else EVIDENCE,
        done_when=CHECKED if choice.checks else ANSWERED,
        effort=_effort(places, survey),
        item=item if len(item) <= 1_000 else f"{one_line(names[0], 300)} … {one_line(names[-1], 300)} ({len(names)})",
        places=places[:500],
        checks=choice.checks,
    )


def _effort(places: tuple[str, ...], survey: Survey) -> EffortClass:
    """By how much there is to look at; normal where that says nothing."""
    reach = survey.reach(places)
    if reach.files and reach.within(SMALL_FILES, SMALL_BYTES):
        return EffortClass.light
    return EffortClass.normal if reach.within(LARGE_FILES, LARGE_BYTES) else EffortClass.deep


def _stages(task: Task) -> tuple[str, ...]:
    """The steps of an order; what asks a question asks for an answer, not for steps."""
    stages = () if is_question(task.task) else steps(task.task)
    return stages if len(stages) <= (task.max_workers or len(stages)) else ()


def _staged(task: Task, stages: Sequence[str], found: Gathered, places: tuple[str, ...], survey: Survey) -> Split:
    named = tuple(dict.fromkeys(place for item in found.items for place in item.places))[:500] or places
    whole = one_line(task.task, TASK_CHARS)
    drafts = tuple(
        Draft(
            title=one_line(step, 200),
            objective=f"{step[:MIND_CHARS]}\n\nThis is step {n} of {len(stages)} of: {whole}",
            boundaries=f"The other steps are done by others: {one_line('; '.join(_but(stages, n)), 2_000)}.",
            expected=EVIDENCE,
            done_when=STEPPED,
            effort=_effort(named, survey),
            places=named,
            depends_on=tuple(f"s{earlier}" for earlier in range(1, n)),
        )
        for n, step in enumerate(stages, 1)
    )
    told = (f"Steps: {len(stages)}, as the task's words put them one after another.", *found.told)
    reason = f"{len(stages)} steps, each of which is told what those before it found."
    return Split(drafts, Mode.staged, reason, told, found.problems)


def _but(stages: Sequence[str], n: int) -> list[str]:
    return [step for number, step in enumerate(stages, 1) if number != n]


def _objective(task: Task, choice: Choice, group: tuple[Item, ...]) -> str:
    """The task and what of it is meant here. A search is given the question alone: other words would mislead it."""
    names = [item.name for item in group]
    if choice.checks == (PASSAGES,):
        own = [name for item, name in zip(group, names, strict=True) if not item.places]
        asked = (
            "\n".join(own) if own and all(map(is_question, own)) else "\n".join([cleaned(task.task)[:2_000], *own])
        )
        return asked[:8_000]
    most = TASK_CHARS if choice.checks else MIND_CHARS
    text = cleaned(task.task)
    text = text if len(text) <= most else f"{text[: most - 1]}…"
    places = [place for item in group for place in item.places]
    where = f" ({some(places)})" if places and places != names else ""
    return f"{text}\n\nHere: {some(names, 200)}{where}."[:8_000]
