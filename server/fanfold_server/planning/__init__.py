"""Task -> Plan: who splits it, what is checked, what it will cost, and what a sub-agent is told."""

from .lead import ModelPlanner
from .planner import make_plan
from .prompt import brief, worker_prompt
from .rules import RulesPlanner
from .split import FunctionPlanner, Planner, Split
from .survey import Survey

__all__ = [
    "FunctionPlanner",
    "ModelPlanner",
    "Planner",
    "RulesPlanner",
    "Split",
    "Survey",
    "brief",
    "make_plan",
    "worker_prompt",
]
