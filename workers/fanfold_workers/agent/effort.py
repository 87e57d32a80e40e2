"""What a subtask's effort class means for where its worker must stop."""

from fanfold_workers.contract import EffortClass, Subtask

LIGHT_TURNS, LIGHT_CALLS = 12, 20
"""Where a worker must stop whose subtask is one look. It is meant to take 3 calls; the rest is room for a wrong
start, for notes, and for the turns in which it is asked to report."""


def within_effort(subtask: Subtask) -> Subtask:
    """The subtask, its limits lowered to what its effort class may take; what somebody set lower stays."""
    if subtask.effort is not EffortClass.light:
        return subtask
    limits = subtask.limits
    lowered = {"turns": min(limits.turns, LIGHT_TURNS), "tool_calls": min(limits.tool_calls, LIGHT_CALLS)}
    return subtask.model_copy(update={"limits": limits.model_copy(update=lowered)})
