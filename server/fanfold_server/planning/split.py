"""The one seam to whoever splits a task: the rules, a model later, or a function of the user's own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from fanfold_server.records import Draft, Mode, Problem, Task


@dataclass(frozen=True, slots=True)
class Split:
    """What a planner makes of a task, before its defaults are filled in, it is checked, and it is priced.

    Attributes:
        drafts: the subtasks, in order.
        mode: how it should run; None leaves it to the shape of the drafts.
        reason: why this mode; "" leaves that to the shape of the drafts too.
        assumptions: what was taken for granted, one sentence each.
        problems: what already stood in the way.
        places: what a draft that names no places may read.
        engine: who did it: `rules`, `host`, `function`, or `model:<id>`.
    """

    drafts: tuple[Draft, ...]
    mode: Mode | None = None
    reason: str = ""
    assumptions: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    places: tuple[str, ...] = ()
    engine: str = "rules"


class Planner(Protocol):
    """Splits a task."""

    async def plan(self, task: Task, /) -> Split:
        """The task's subtasks.

        Raises:
            CannotDoError: if it takes an engine that isn't there.
            InputError: if the task can't be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class FunctionPlanner:
    """A planner that is a function: `async def planner(task) -> Split`."""

    function: Callable[[Task], Awaitable[Split]]

    async def plan(self, task: Task, /) -> Split:
        """See Planner."""
        return await self.function(task)
