"""Cases and plans made by hand, for tests of the evaluation alone."""

from typing import Any

from fanfold_server.evaluation.case import Case
from fanfold_server.records import Estimate, Mode, Plan
from fanfold_workers.contract import Scope, Subtask

EXPECT: dict[str, Any] = {"modes": ["parallel"], "least": 2, "most": 3}


def case(task: str = "Audit billing and tax", *, world: str = "fleet", **expect: Any) -> Case:
    """A case over the fleet of services; what is not given of its task comes from `asked`."""
    asked = expect.pop("asked", {})
    fields = {
        "id": "by-hand",
        "kind": "audit",
        "language": "en",
        "task": task,
        "world": world,
        "why": "Made by hand.",
    }
    return Case.model_validate({**fields, **asked, "expect": {**EXPECT, **expect}}, strict=False)


def part(name: str, *places: str, waits: tuple[str, ...] = (), tools: tuple[str, ...] = (), **fields: Any) -> Subtask:
    """A subtask that looks at something."""
    given = {"title": name, "objective": f"Look at {name}.", **fields}
    return Subtask(id=f"s-{name}", scope=Scope(places=places, tools=tools), depends_on=waits, **given)


def plan(asked: Case, *subtasks: Subtask, mode: str = "parallel") -> Plan:
    """A plan of a case's task with these subtasks."""
    estimate = Estimate(workers=len(subtasks))
    return Plan(id="p-1", task=asked.asked, mode=Mode(mode), reason="By hand.", subtasks=subtasks, estimate=estimate)
