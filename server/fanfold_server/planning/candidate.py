"""A plan before it is one: the subtasks somebody drew up, and all that they are checked against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fanfold_server.records import Draft, Mode, Task
from fanfold_workers.contract import Subtask
from fanfold_workers.tools.toolbox import Tool

from .survey import Survey


@dataclass(frozen=True)
class Candidate:
    """What is checked.

    Attributes:
        task: the task.
        drafts: the subtasks as they were written.
        subtasks: the same, filled in, in order.
        survey: the look at the roots.
        tools: every tool that exists.
        remote: the server of each tool of other MCP servers, by the tool's name.
        engine: who drew them up: `rules`, `host`, `function`, or `model:<id>`.
        mode: how they should run, if whoever drew them up says so.
        paid: whether each of them takes an agent.
        most: as many subtasks as there may be; None for no limit.
        web: whether workers may use the web; None where that is not known, as of a host's own sub-agents.
    """

    task: Task
    drafts: Sequence[Draft]
    subtasks: Sequence[Subtask]
    survey: Survey
    tools: Mapping[str, Tool[Any]]
    remote: Mapping[str, str]
    engine: str
    mode: Mode | None = None
    paid: bool = False
    most: int | None = None
    web: bool | None = None

    @property
    def by_rules(self) -> bool:
        """Whether rules drew it up: its words are the task's own, and every item is in it as it is made."""
        return self.engine == "rules"

    @property
    def by_lead(self) -> bool:
        """Whether a lead model drew it up, which is asked once more where there are errors."""
        return self.engine.startswith("model:")

    @cached_property
    def upstream(self) -> Mapping[str, frozenset[str]]:
        """For each subtask all that must end before it, near or far; circles are followed once."""
        direct = {subtask.id: subtask.depends_on for subtask in self.subtasks}
        return {name: _reached(name, direct) for name, waits in direct.items() if waits}


def _reached(name: str, direct: Mapping[str, Sequence[str]]) -> frozenset[str]:
    found: set[str] = set()
    ahead = list(direct[name])
    while ahead:
        other = ahead.pop()
        if other not in found:
            found.add(other)
            ahead.extend(direct.get(other, ()))
    return frozenset(found)
