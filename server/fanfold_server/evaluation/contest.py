"""One agent against the fan-out, on the same tasks: how good the answers are, and what they cost.

*One agent* is the whole task as one subtask of the worker model, with every root and file tool; *the fan-out* is what
fanfold makes of it: the lead's own plan, its workers, its synthesis. Both reports are written by the same lead in the
same way, so that they can be compared blind. Each is then held to the facts that the case lists, by code; each quote
to its source, by code; and both to the rubric, by the lead (see `judging`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Literal
from uuid import uuid4

import anyio
from pydantic import Field

from fanfold_server.minds import Mind, Minds
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Draft, Plan, Report, Task
from fanfold_workers.contract import Count, Id, Share, Verdict
from fanfold_workers.contract import Value as Frozen
from fanfold_workers.errors import FanfoldError
from fanfold_workers.journal import Journal

from .case import Case
from .judging import judged
from .minding import unsized
from .money import Together
from .scoring import plain, reaches
from .world import world

Who = Literal["one agent", "fan-out"]
SIDES: tuple[Who, Who] = ("one agent", "fan-out")
REPORT_CHARS = 8_000
STANDING = (Verdict.verified, Verdict.moved)


class Side(Frozen):
    """One of the two answers to a case.

    Attributes:
        who: which of the two.
        facts: share of the facts listed that it states; missing: those it does not.
        quotes: share of the quotes behind it that stand in their sources, of those that could be looked up; None if
            there are none.
        marks: what the lead gives it by the rubric, the mean of both orders, 0 to 1; None if it was not judged.
        workers: subtasks.
        usd, tokens, seconds: what it took, planning and writing included.
        failed: why there is no answer, "" if there is one.
    """

    who: Who
    facts: Share = 0.0
    missing: tuple[str, ...] = ()
    quotes: Share | None = None
    marks: Share | None = None
    workers: Count = 0
    usd: float = Field(default=0.0, ge=0)
    tokens: Count = 0
    seconds: float = Field(default=0.0, ge=0)
    failed: str = ""

    @property
    def quality(self) -> float:
        """The mean of facts, quotes and marks, as far as there are any; 0 where there is no answer."""
        told = [value for value in (self.facts, self.quotes, self.marks) if value is not None]
        return 0.0 if self.failed else fmean(told)


class Contest(Frozen):
    """Both answers to one case.

    Attributes:
        id: of the case.
        sides: one agent, then the fan-out.
        better: whom the lead prefers in both orders; "" where neither, or where it was not judged.
        steady: whether both orders of judging came to the same.
        why: the lead's reason, or what kept it from judging.
    """

    id: Id
    sides: tuple[Side, Side]
    better: Who | Literal[""] = ""
    steady: bool = True
    why: str = ""


class Contests(Frozen):
    """Contests between one agent and the fan-out.

    Attributes:
        lead, worker: ids of the models.
        at: when they ended, local time with its offset.
        version: of fanfold.
        usd: what all of it cost, judging included, in US dollars.
        contests: in the order of the cases.
    """

    lead: str
    worker: str
    at: str = ""
    version: str = ""
    usd: float = Field(default=0.0, ge=0)
    contests: tuple[Contest, ...]

    def side(self, who: Who) -> list[Side]:
        """That side of each contest that has two answers."""
        both = [contest for contest in self.contests if not any(side.failed for side in contest.sides)]
        return [side for contest in both for side in contest.sides if side.who == who]


@dataclass(frozen=True, slots=True)
class _Answer:
    side: Side
    text: str = ""


@dataclass(slots=True)
class Arena:
    """Where contests are held, and who pays for them: all together, within what a run may spend.

    Attributes:
        minds: lead and workers; the lead judges as well.
        accounts: where money is counted.
    """

    minds: Minds
    accounts: Journal
    _account: str = field(default_factory=lambda: f"evaluation/{uuid4().hex[:12]}")

    async def spent(self) -> float:
        """What it has cost so far, in US dollars, judging included."""
        return (await self.accounts.standing(self._account)).spent.usd

    async def held(self, cases: Sequence[Case], told: Callable[[Contest], None] = lambda _: None) -> list[Contest]:
        """A contest for each case, one after another; `told` hears of each.

        Raises:
            KeyRefusedError: if the key is missing or refused.
        """
        try:
            minds = await self._ready()
            contests: list[Contest] = []
            for case in cases:
                contests.append(await self._contest(case, minds))
                told(contests[-1])
            return contests
        finally:
            if self.minds.close:
                await self.minds.close()

    async def _ready(self) -> Minds:
        """The minds with their sizes known; whoever is done first does not close them."""
        lead, worker = await unsized(self.minds.lead), await unsized(self.minds.worker)
        return replace(self.minds, lead=lead, worker=worker, web=None, close=None)

    async def _contest(self, case: Case, minds: Minds) -> Contest:
        one, many = [await self._answer(case, who, minds) for who in SIDES]
        if one.side.failed or many.side.failed:
            return Contest(id=case.id, sides=(one.side, many.side), why="not judged: an answer is missing")
        mind = Mind(minds, Together(self.accounts, self._account))
        try:
            verdict = await judged(mind, case, (one.text, many.text), "r-judging")
        except FanfoldError as error:
            return Contest(id=case.id, sides=(one.side, many.side), why=f"not judged: {error}"[:500])
        marked = [
            answer.side.model_copy(update={"marks": round(mark, 4)})
            for answer, mark in zip((one, many), verdict.marks, strict=True)
        ]
        better = "" if verdict.better is None else SIDES[verdict.better]
        return Contest(
            id=case.id, sides=(marked[0], marked[1]), better=better, steady=verdict.steady, why=verdict.why
        )

    async def _answer(self, case: Case, who: Who, minds: Minds) -> _Answer:
        journal, began = Together(self.accounts, self._account), anyio.current_time()
        told: Mapping[str, object] = {}
        text = ""
        try:
            plan, report = await self._worked(case, who, minds, journal)
            text, told = report.markdown, {"workers": len(plan.subtasks), **held_to(case, report)}
        except FanfoldError as error:
            told = {"failed": str(error)[:500]}
        usd, tokens = journal.spent.usd, journal.spent.tokens
        seconds = round(anyio.current_time() - began, 2)
        return _Answer(
            Side.model_validate({"who": who, **told, "usd": usd, "tokens": tokens, "seconds": seconds}), text
        )

    async def _worked(self, case: Case, who: Who, minds: Minds, journal: Journal) -> tuple[Plan, Report]:
        task = case.asked if who == "fan-out" else alone(case.asked)
        async with Orchestrator(roots=world(case.world), journal=journal, minds=minds) as fanfold:
            plan = await fanfold.plan(task, fresh=True)
            run = await fanfold.dispatch(plan.id)
            return plan, await fanfold.synthesize(run.id, question=case.task, max_chars=REPORT_CHARS, compose="model")


def alone(task: Task) -> Task:
    """The task as one agent's: one subtask with all that it may read, whatever else is in it."""
    draft = Draft(title="All of it", objective=task.task[:8_000], places=task.roots)
    return task.model_copy(update={"subtasks": (draft,), "items": ()})


def held_to(case: Case, report: Report) -> Mapping[str, object]:
    """What code can say of a report: which facts it states, and how many of its quotes stand."""
    text = plain(report.markdown.partition("\n")[2])  # the first line is the question
    missing = tuple(fact.fact for fact in case.facts if not all(reaches(words, text) for words in fact.says))
    quotes = report.coverage.quotes
    looked_up = sum(count for verdict, count in quotes.items() if verdict is not Verdict.unchecked)
    standing = sum(quotes.get(verdict, 0) for verdict in STANDING)
    return {
        "facts": round(1 - len(missing) / len(case.facts), 4),
        "missing": missing,
        "quotes": round(standing / looked_up, 4) if looked_up else None,
    }


def contested(cases: Sequence[Case]) -> tuple[Case, ...]:
    """The cases that have facts to hold a report to."""
    return tuple(case for case in cases if case.facts)


async def forecast(cases: Sequence[Case], minds: Minds, journal: Journal) -> float:
    """About what one agent would cost for all of these, as their estimates say, in US dollars. Nothing is spent."""
    total = 0.0
    for case in cases:
        async with Orchestrator(
            roots=world(case.world), journal=journal, minds=replace(minds, close=None)
        ) as fanfold:
            total += (await fanfold.plan(alone(case.asked), fresh=True)).estimate.usd_high
    return total
