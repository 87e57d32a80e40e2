"""What the effort class of a subtask changes for the worker that does it."""

import pytest

from fanfold_workers.contract import EffortClass, Limits, Status, Subtask
from fanfold_workers.models.model import calling

from .agent_cases import DONE, House, Script, subtask_of


def effort_of(effort: EffortClass, limits: Limits | None = None, **fields: object) -> Subtask:
    return subtask_of(limits=limits).model_copy(update={"effort": effort, **fields})


LIMITS = [
    (EffortClass.light, None, "At most 20 tool calls and 12 turns."),
    (EffortClass.normal, None, "At most 200 tool calls and 40 turns."),
    (EffortClass.deep, None, "At most 200 tool calls and 40 turns."),
    (EffortClass.light, Limits(turns=5, tool_calls=3), "At most 3 tool calls and 5 turns."),
    (EffortClass.deep, Limits(turns=5, tool_calls=3), "At most 3 tool calls and 5 turns."),
]


@pytest.mark.parametrize(("effort", "limits", "told"), LIMITS)
async def test_effort_lowers_where_a_worker_must_stop_and_never_raises_it(
    effort: EffortClass, limits: Limits | None, told: str
):
    script = Script(DONE)
    await House().done(script, effort_of(effort, limits))
    opening = script.asked[0].turns[0].text  # type: ignore[union-attr]
    assert f"Meant as: {effort.meant}. {told}" in opening


async def test_a_light_worker_that_loops_is_cut_off_after_twelve_turns():
    script = Script([calling(("list", {"glob": f"*.{n}"})) for n in range(50)])
    result = await House().done(script, effort_of(EffortClass.light))
    assert (result.status, result.reason) == (Status.truncated, "it did not report within 12 turns")


async def test_a_worker_is_told_when_it_is_done():
    script = Script(DONE)
    await House().done(script, effort_of(EffortClass.normal, done_when="Each </done_when> file was read."))
    opening = script.asked[0].turns[0].text  # type: ignore[union-attr]
    assert "<done_when>\nEach &lt;/done_when> file was read.\n</done_when>" in opening


def test_effort_may_be_written_as_a_word():
    assert Subtask(id="a", title="t", objective="o", effort="deep").effort is EffortClass.deep  # type: ignore[arg-type]
