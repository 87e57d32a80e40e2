"""From a Task to a Plan: split, filled in, checked, priced."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fanfold_server.records import Mode, Plan, Problem, Task
from fanfold_workers.aside import Aside
from fanfold_workers.contract import Subtask
from fanfold_workers.errors import InputError
from fanfold_workers.models.catalog import Card
from fanfold_workers.tools.roots import Root
from fanfold_workers.tools.toolbox import Tool

from .candidate import Candidate
from .check import check
from .drafts import Defaults
from .estimate import estimate, reach_of
from .extent import ONE_BYTES, ONE_FILES, most_for_lead
from .lead import ModelPlanner
from .naming import Names
from .observed import History
from .prices import WIDTH, Terms
from .reading import is_talk, one_line, visible
from .rules import RulesPlanner
from .split import Planner, Split
from .survey import Survey
from .trouble import capped, some, warning


async def make_plan(
    task: Task,
    plan_id: str,
    *,
    roots: Mapping[str, Root],
    tools: Mapping[str, Tool[Any]],
    aside: Aside,
    planner: Planner | None = None,
    takes_any: bool = False,
    survey: Survey | None = None,
    remote: Mapping[str, str] | None = None,
    card: Card | None = None,
    lead: Card | None = None,
    trouble: Mapping[str, str] | None = None,
    kept: frozenset[str] = frozenset(),
    history: History = (),
    width: int = WIDTH,
) -> Plan:
    """The plan of a task: the caller's own split if it has one, else the planner's, checked and priced.

    Args:
        task: what somebody wants to know.
        plan_id: the plan's id.
        roots: every configured root.
        tools: every tool that exists.
        aside: where blocking work runs.
        planner: who splits; the rules if None.
        takes_any: whether some worker takes subtasks without checks.
        survey: a look at the roots to share; a new one if None.
        remote: the server of each tool of other MCP servers, by the tool's name.
        card: the model of fanfold's own workers, if they are models.
        lead: the model that writes the report, if one does.
        trouble: why a server's tools are not there, by its name.
        kept: ids of subtasks that have been done; they cost nothing.
        history: what earlier runs here took, the latest first.
        width: workers at once.

    Raises:
        CannotDoError: if no engine at hand can do the task; the remedies are named.
        InputError: if the task can't be read.
    """
    if not visible(task.task):
        msg = "There is nothing in it that can be read."
        raise InputError(msg, field="task", remedy="Say what you want to know.")
    survey = survey or Survey(roots)
    making = _Making(task, plan_id, survey, tools, takes_any, remote or {}, card, lead, trouble or {}, kept)
    making = replace(making, history=history, width=width)
    if task.subtasks:
        split = Split(task.subtasks, engine="host", places=task.roots or tuple(sorted(roots))[:500])
    elif isinstance(planner, ModelPlanner):
        making = replace(making, web=planner.web)
        split = await planner.plan(task, judge=lambda split: aside(lambda: making.problems(split)))
    else:
        split = await (planner or RulesPlanner(roots, tools, aside, takes_any, survey)).plan(task)
    return await aside(lambda: making.plan(split))


@dataclass(frozen=True, slots=True)
class _Making:
    """The making of one plan from a split."""

    task: Task
    plan_id: str
    survey: Survey
    tools: Mapping[str, Tool[Any]]
    takes_any: bool
    remote: Mapping[str, str]
    card: Card | None
    lead: Card | None
    trouble: Mapping[str, str]
    kept: frozenset[str] = frozenset()
    web: bool | None = None
    history: History = ()
    width: int = WIDTH

    def plan(self, split: Split) -> Plan:
        defaults = self._defaults(split)
        subtasks = defaults.filled(split.drafts)
        mode, reason = self._mode(split, subtasks)
        return Plan(
            id=self.plan_id,
            task=self.task,
            mode=mode,
            reason=reason,
            subtasks=subtasks,
            assumptions=tuple(text[:20_000] for text in (*split.assumptions, *self._filled(split, defaults))),
            problems=capped([*split.problems, *check(self._candidate(split, subtasks)), *self._missing()]),
            estimate=estimate(
                [s for s in subtasks if s.id not in self.kept],
                self.survey,
                Terms(
                    agents=not self.takes_any,
                    card=self.card,
                    lead=self.lead,
                    planned=split.engine.startswith("model:"),
                    width=self.width,
                ),
                self.history,
            ),
            engine=split.engine,
            reach=reach_of(subtasks, self.survey),
        )

    def problems(self, split: Split) -> tuple[Problem, ...]:
        """What the check has against a split, without making a plan of it."""
        return capped(list(check(self._candidate(split, self._defaults(split).filled(split.drafts)))))

    def _defaults(self, split: Split) -> Defaults:
        names = Names(self.survey, tuple(sorted(self.survey.roots))) if self.task.subtasks else None
        narrow = split.engine.startswith("model:")
        return Defaults(split.places, names, self.tools, self.remote, narrow=narrow)

    def _candidate(self, split: Split, subtasks: tuple[Subtask, ...]) -> Candidate:
        task = self.task
        return Candidate(
            task=task,
            drafts=split.drafts,
            subtasks=subtasks,
            survey=self.survey,
            tools=self.tools,
            remote=self.remote,
            engine=split.engine,
            mode=split.mode,
            paid=(self.card is not None or not self.takes_any) and any(not subtask.checks for subtask in subtasks),
            most=most_for_lead(task) if split.engine.startswith("model:") else task.max_workers,
            web=self.web,
        )

    def _missing(self) -> Iterator[Problem]:
        for server, why in self.trouble.items():
            remedy = "See: fanfold doctor. The plan does without its tools."
            yield warning("server_failed", f"servers.{server}", why, remedy)

    def _filled(self, split: Split, defaults: Defaults) -> list[str]:
        """What was filled in for the caller's own drafts."""
        if not self.task.subtasks:
            return []
        narrowed = [draft for draft in split.drafts if defaults.narrowed(draft)]
        wide = [draft for draft in split.drafts if not draft.places and not defaults.narrowed(draft)]
        told = ["Subtasks: the caller's own, kept as they are."]
        if narrowed:
            told.append(f"{len(narrowed)} that name no places may read what their item names.")
        if wide and split.places:
            told.append(f"{len(wide)} that name no places may read {some(split.places)}.")
        return told

    def _mode(self, split: Split, subtasks: tuple[Subtask, ...]) -> tuple[Mode, str]:
        if split.mode:
            return split.mode, split.reason or f"As {split.engine} says."
        if not subtasks:
            return Mode.parallel, "There is nothing to dispatch until the problems are mended."
        if any(subtask.depends_on for subtask in subtasks):
            waiting = sum(bool(subtask.depends_on) for subtask in subtasks)
            return Mode.staged, f"{len(subtasks)} subtasks, {waiting} of which wait for others."
        if is_talk(self.task.task):
            return Mode.single, "Do it yourself: this takes no look at anything."
        if len(subtasks) > 1:
            return Mode.parallel, f"{len(subtasks)} subtasks that don't depend on one another."
        return self._alone(*subtasks)

    def _alone(self, subtask: Subtask) -> tuple[Mode, str]:
        reach = self.survey.reach(subtask.scope.places)
        if reach.files and not reach.within(ONE_FILES, ONE_BYTES):
            size = f"{reach.files} files"
            return Mode.parallel, f"One worker: with {size} in reach, it spares your context the reading."
        return Mode.single, f"Do it yourself: a single small subtask ({one_line(subtask.title, 100)})."
