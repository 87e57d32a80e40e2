"""`fanfold approve`, and the question that `run` and `resume` ask before they start what waits for approval."""

from fanfold_server.approving import COMMAND, TERMINAL, UNASKED, agents_in, approval_of, price_of
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Plan
from fanfold_server.runs import run_of
from fanfold_server.settings import Settings
from fanfold_server.store import open_journal
from fanfold_workers.errors import InputError

from .asking import says_yes, somebody_is_there
from .outcome import Exit
from .terminal import one_line, say

FEW = 20
"""How many subtasks are shown before a plan is approved; `fanfold show` has all."""
TASK_CHARS, TITLE_CHARS = 500, 120


async def approve(settings: Settings, plan_id: str, again: str, *, unasked: bool) -> int:
    """Show a plan and approve it if the person at the terminal says so, or has said so by `--yes`.

    Raises:
        UnknownNameError: if there is no such plan.
        InputError: if it cannot run, or there is nobody to ask.
    """
    async with open_journal(settings.home) as journal, Orchestrator(journal=journal) as fanfold:
        plan = await fanfold.runs.plan(plan_id)
        for line in shown(plan):
            say(line)
        if given := await approval_of(journal, plan.id):
            say(f"It was approved already, by {given.by}.")
            return Exit.complete
        _refuse_faulty(plan)
        if not (unasked or somebody_is_there()):
            msg = "There is nobody here to ask."
            raise InputError(msg, remedy="Run it in a terminal; its --help says how scripts of your own approve.")
        if not (unasked or await says_yes("Approve it?")):
            say("Not approved; nothing was changed.")
            return Exit.error
        await fanfold.approve(plan.id, by=UNASKED if unasked else COMMAND)
    say(f"Approved. Start it with: fanfold resume {run_of(plan.id)}{again}, or have your host call dispatch again.")
    return Exit.complete


async def may_start(fanfold: Orchestrator, plan: Plan, *, retry: bool = False) -> bool:
    """Whether a run may start as far as approval goes: the person at the terminal is asked where it is wanting.

    Where nobody is there, the dispatch itself says what is wanting.
    """
    needed = await fanfold.approval_needed(plan.id, retry=retry)
    if not needed or not somebody_is_there():
        return True
    say(f"{needed.why} Estimated: {price_of(plan)}.")
    if await says_yes(f"Start {agents_in(plan):,} agents all the same?"):
        await fanfold.approve(plan.id, by=TERMINAL)
        return True
    say(f"Not approved; nothing of it was started. Later: fanfold approve {plan.id}")
    return False


def shown(plan: Plan) -> list[str]:
    """The plan in short: what is asked, what is done, and what it is estimated at."""
    task = one_line(plan.task.task)
    more = len(plan.subtasks) - FEW
    return [
        f"plan {plan.id}: {plan.mode}, {len(plan.subtasks):,} subtasks, {agents_in(plan):,} of them for agents",
        f"task: {task if len(task) <= TASK_CHARS else task[:TASK_CHARS] + '…'}",
        *(f"- {one_line(subtask.title)[:TITLE_CHARS]}" for subtask in plan.subtasks[:FEW]),
        *([f"- and {more:,} more: fanfold show {plan.id}"] if more > 0 else []),
        f"estimate: {price_of(plan)}",
    ]


def _refuse_faulty(plan: Plan) -> None:
    if not plan.ready:
        msg = f"{plan.id} has errors and cannot run."
        raise InputError(msg, remedy=f"See them with: fanfold show {plan.id}")
