"""From a Task to a Plan: split, filled in, checked, priced."""

from collections.abc import Mapping
from typing import Any

from fanfold_server.records import Estimate, Mode, Plan, Task
from fanfold_workers.aside import Aside
from fanfold_workers.tools.roots import Root
from fanfold_workers.tools.toolbox import Tool

from .drafts import completed
from .rules import RulesPlanner
from .split import Planner, Split


async def make_plan(
    task: Task,
    plan_id: str,
    *,
    roots: Mapping[str, Root],
    tools: Mapping[str, Tool[Any]],
    aside: Aside,
    planner: Planner | None = None,
    takes_any: bool = False,
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

    Raises:
        CannotDoError: if no engine at hand can do the task; the remedies are named.
        InputError: if the task can't be read.
    """
    if task.subtasks:
        split = Split(task.subtasks, engine="host")
    else:
        split = await (planner or RulesPlanner(roots, tools, aside, takes_any)).plan(task)
    subtasks = completed(split.drafts, task, roots, tools)
    mode = Mode.staged if any(s.depends_on for s in subtasks) else Mode.parallel
    return Plan(
        id=plan_id,
        task=task,
        mode=mode,
        reason=split.reason or f"{len(subtasks)} subtasks.",
        subtasks=subtasks,
        estimate=Estimate(workers=len(subtasks)),
        engine=split.engine,
    )
