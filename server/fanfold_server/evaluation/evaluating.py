"""Runs cases through a planner, several at once, each in an orchestrator of its own over its own world."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio
from pydantic import Field

from fanfold_server.minds import Minds
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Plan
from fanfold_workers.aside import inline
from fanfold_workers.contract import Count, Id, Share, Value
from fanfold_workers.errors import (
    CannotDoError,
    FanfoldError,
    FaultError,
    InputError,
    RejectedError,
    UnknownNameError,
)
from fanfold_workers.journal import Journal, MemoryJournal

from .answers import StaleError
from .case import Case
from .pretend import pretended
from .scoring import Scores, forbidden, scored
from .world import world

State = Literal["scored", "cannot", "failed"]


class Judged(Value):
    """What became of one case.

    Attributes:
        id, kind, language: of the case.
        state: `scored`; `cannot`, where the planner says that it takes another engine; `failed`, where no plan was
            drawn up for a reason that says nothing of the planner: no answer, no money, a stale answer.
        expected: with `cannot`, whether the case says that it would come to that.
        total: the case's score; 0 where it is not scored.
        scores: by name; None where one says nothing.
        why: what was forbidden in the plan, or what kept it from being one.
        mode, subtasks: of the plan.
        case: the case's digest: results of two different cases are not compared.
    """

    id: Id
    kind: str
    language: str
    state: State
    expected: bool = False
    total: Share = 0.0
    scores: dict[str, Share | None] = Field(default_factory=dict[str, float | None])
    why: str = ""
    mode: str = ""
    subtasks: Count = 0
    case: str


@dataclass(frozen=True, slots=True)
class Engine:
    """Who plans.

    Attributes:
        name: `rules` or `model:<id>`.
        minds: the models for one case; None for the rules.
        journal: where one case's records go and money is counted.
        width: cases at once.
    """

    name: str
    minds: Callable[[Case], Minds | None] = lambda _: None
    journal: Callable[[], Journal] = field(default=MemoryJournal)
    width: int = 8

    @property
    def is_rules(self) -> bool:
        """Whether no model plans."""
        return self.name == "rules"


async def evaluated(
    cases: Sequence[Case], engine: Engine, told: Callable[[Judged], None] = lambda _: None
) -> tuple[Judged, ...]:
    """What became of each case, in their order; `told` hears of each as it ends."""
    limiter = anyio.CapacityLimiter(engine.width)

    async def one(case: Case) -> Judged:
        async with limiter:
            judged = await _judged(case, engine)
        told(judged)
        return judged

    return tuple(await anyio.amap(one, cases))


async def _judged(case: Case, engine: Engine) -> Judged:
    try:
        plan = await planned(case, engine)
    except FanfoldError as error:
        return _unplanned(case, engine, error)
    return _planned(case, plan)


async def planned(case: Case, engine: Engine) -> Plan:
    """The engine's plan of a case.

    Raises:
        FanfoldError: whatever Orchestrator.plan raises.
    """
    minds = engine.minds(case)
    servers = pretended(case.servers) if minds else {}
    async with Orchestrator(
        roots=world(case.world), journal=engine.journal(), minds=minds, servers=servers, aside=inline
    ) as fanfold:
        return await fanfold.plan(case.asked, fresh=True)


def _planned(case: Case, plan: Plan) -> Judged:
    told: Mapping[str, object] = {"mode": str(plan.mode), "subtasks": len(plan.subtasks)}
    if not plan.ready:
        first = next(problem for problem in plan.problems if problem.level == "error")
        return _refused(case, f"{first.field}: {first.problem}", **told)
    scores = scored(case, plan)
    why = "It should have been refused." if case.expect.refused else forbidden(case, plan)
    return _scored(case, scores, why, **told)


def _unplanned(case: Case, engine: Engine, error: FanfoldError) -> Judged:
    if isinstance(error, CannotDoError):
        expected = engine.is_rules and case.expect.rules == "cannot"
        return _of(case, "cannot", expected=expected or case.expect.refused, why=error.problem)
    if isinstance(error, InputError | UnknownNameError) or _is_the_leads(error):
        return _refused(case, str(error))
    return _of(case, "failed", why=str(error)[:500])


def _is_the_leads(error: FanfoldError) -> bool:
    """Whether the lead was asked and gave nothing that could be used: that is a bad plan, not a bad connection."""
    gave_none = isinstance(error, FaultError) and error.field == "lead_model"
    refused = isinstance(error, RejectedError) and not isinstance(error, StaleError) and error.field == "task"
    return gave_none or refused


def _refused(case: Case, why: str, **told: object) -> Judged:
    """A case whose answer is an error: right where that is expected, and no plan at all where one is."""
    good = float(case.expect.refused)
    return _scored(case, Scores(mode=good), why if good else f"It cannot be run: {why}", **told)


def _scored(case: Case, scores: Scores, why: str, **told: object) -> Judged:
    rounded = {name: None if value is None else round(value, 4) for name, value in scores.by_name.items()}
    return _of(case, "scored", total=round(scores.total, 4), scores=rounded, why=why[:500], **told)


def _of(case: Case, state: State, **told: object) -> Judged:
    given = {"id": case.id, "kind": case.kind, "language": case.language, "state": state, "case": case.digest}
    return Judged.model_validate({**given, **told})
