"""Task -> Plan: who splits it, what is checked, what it will cost, and what a sub-agent is told."""

from .planner import make_plan
from .prompt import brief, worker_prompt
from .rules import RulesPlanner
from .split import FunctionPlanner, Planner, Split

__all__ = ["FunctionPlanner", "Planner", "RulesPlanner", "Split", "brief", "make_plan", "worker_prompt"]
