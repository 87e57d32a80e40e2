"""Which plans wait for a person's approval, and who gave it.

A person sets above what a plan has to wait. No caller can: neither an argument of a tool nor anything that a model
writes reaches the thresholds, and an approval is recorded only by a face that heard a person.

`approved/p-…` holds an Approval. What a plan is does not change under its id, so what was approved is exactly that: a
changed version has an id of its own, and waits again.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from time import time

from fanfold_server.records import Dollars, Plan, Seconds
from fanfold_server.settings import default_home
from fanfold_workers.contract import Count, Id, Line, Value
from fanfold_workers.errors import ApprovalNeededError
from fanfold_workers.journal import Journal

TERMINAL = "person at a terminal"
COMMAND = "fanfold approve"
UNASKED = "fanfold approve --yes"
"""Who approved: somebody asked on the way, by the command, and by it in a script, where nobody was asked."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Above what a plan waits for a person's approval; None for never.

    Attributes:
        usd: US dollars; compared with the most that fanfold itself is estimated to spend on it.
        workers: compared with how many of its subtasks take an agent: those without checks, whoever does them.
    """

    usd: float | None = None
    workers: int | None = None

    def passed_by(self, plan: Plan, *, unpriced: bool = False) -> str:
        """What of the plan goes beyond which of them, in a sentence each; "" if nothing does.

        `unpriced`: models that cost money would do some of it, and its estimate was made without them.
        """
        told: list[str] = []
        if self.usd is not None and plan.estimate.usd_high > self.usd:
            most = plan.estimate.usd_high
            told.append(f"It may cost ${most:.2f}, more than approve_above_usd lets pass (${self.usd:g}).")
        elif self.usd is not None and unpriced:
            told.append(f"What it may cost was never estimated, and approve_above_usd is set (${self.usd:g}).")
        if self.workers is not None and (agents := agents_in(plan)) > self.workers:
            told.append(
                f"{agents:,} of its subtasks take an agent, more than approve_above_workers lets pass "
                f"({self.workers:,})."
            )
        return " ".join(told)


class Approval(Value):
    """That a person approved a plan.

    Attributes:
        plan: its id.
        by: who, or how the person was heard.
        at: when, in seconds since the epoch.
        usd_low, usd_high, workers: what it was estimated at, and how many of its subtasks take an agent.
    """

    plan: Id
    by: Line
    at: Seconds
    usd_low: Dollars
    usd_high: Dollars
    workers: Count


async def approval_of(journal: Journal, plan_id: str) -> Approval | None:
    """The approval of a plan; None if it has none."""
    value = await journal.recall(f"approved/{plan_id}")
    return Approval.model_validate_json(value) if value else None


async def approve(journal: Journal, plan: Plan, by: str) -> Approval:
    """Record that a person approved the plan; the approval that stands, which is the first."""
    low, high = plan.estimate.usd_low, plan.estimate.usd_high
    given = Approval(plan=plan.id, by=by, at=time(), usd_low=low, usd_high=high, workers=agents_in(plan))
    await journal.record(f"approved/{plan.id}", given.model_dump_json())
    return await approval_of(journal, plan.id) or given


def agents_in(plan: Plan) -> int:
    """How many subtasks take an agent: they name no checks, and are not done already."""
    return sum(not subtask.checks for subtask in plan.subtasks if subtask.id not in plan.kept)


def price_of(plan: Plan) -> str:
    """What the plan is estimated at: `$0.80 to $4.20, up to 12 x what one agent would use`."""
    e = plan.estimate
    usd = f"${e.usd_low:.2f} to ${e.usd_high:.2f}" if e.usd_high else "nothing by fanfold's own models"
    return f"{usd}, up to {e.multiple:g} x what one agent would use"


def wanting(plan: Plan, why: str, home: Path) -> ApprovalNeededError:
    """The error that says of a plan that a person has to approve it, with what it would cost and how."""
    price = f"Estimated: {price_of(plan)}."
    msg = f"{plan.id} waits for a person's approval. {why} {price} This call started and spent nothing."
    where = "" if home == default_home({}) else f" --home {shlex.quote(str(home))}"
    command = f"{COMMAND} {plan.id}{where}"
    # Whoever reads it may be a model that can run commands.
    remedy = f"Ask the person to run this in a terminal, themselves: {command}"
    return ApprovalNeededError(msg, plan_id=plan.id, why=why, command=command, remedy=remedy)
