"""The planner without a model: items from what is there, checks from the task's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fanfold_server.records import Draft, Task
from fanfold_workers.aside import Aside
from fanfold_workers.errors import CannotDoError
from fanfold_workers.tools.roots import Root
from fanfold_workers.tools.toolbox import Tool

from .split import Split


@dataclass(frozen=True, slots=True)
class RulesPlanner:
    """Splits a task by rules.

    Attributes:
        roots, tools: what is configured.
        aside: where blocking work runs.
        takes_any: whether some worker takes subtasks without checks.
    """

    roots: Mapping[str, Root]
    tools: Mapping[str, Tool[Any]]
    aside: Aside
    takes_any: bool = False

    async def plan(self, task: Task, /) -> Split:
        """See Planner."""
        return await self.aside(lambda: self._split(task))

    def _split(self, task: Task) -> Split:
        words = task.task.casefold()
        hinted = (n for n, t in self.tools.items() if t.inspection and any(h in words for h in t.hints))
        checks = task.checks or tuple(hinted)
        if not checks and not self.takes_any:
            msg = "The rules engine has nothing to do here."
            raise CannotDoError(msg, remedy="Name checks and roots, or pass subtasks of your own.")
        items = task.items or tuple(self._children(task))
        drafts = tuple(
            Draft(
                item=item, objective=f"{task.task[:1000]}\n\nHere: {item}", places=self._places(item), checks=checks
            )
            for item in items
        )
        return Split(drafts)

    def _children(self, task: Task) -> list[str]:
        names = task.roots or sorted(self.roots)
        return [f"{n}:{c.rstrip('/')}" for n in names for c in self.roots[n].children()]

    def _places(self, item: str) -> tuple[str, ...]:
        if ":" in item:
            return (item,)
        return tuple(f"{n}:{item}" for n, r in sorted(self.roots.items()) if f"{item}/" in r.children())
