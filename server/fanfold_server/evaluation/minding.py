"""Evaluating a model: what that can cost at most, its planning held to what a run may spend, and answers replayed."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

from fanfold_server.minds import Minds, Seat
from fanfold_workers.accounts import Amount
from fanfold_workers.errors import FanfoldError, RejectedError
from fanfold_workers.journal import Journal
from fanfold_workers.models.catalog import Card
from fanfold_workers.models.gate import Gate, Throttle
from fanfold_workers.models.model import Ask, FunctionModel, Model, Reply, Tokens, Web
from fanfold_workers.models.tokens import MARGIN, ask_tokens

from .answers import Answers, Recording
from .case import Case
from .evaluating import Engine, planned
from .money import Together

ASKED_AT_MOST = 2
"""How often a lead is asked for a plan: once, and once more to put it right."""
NO_CEILING = 1e6
"""US dollars; for where nothing is spent."""
LIKELY_OUTPUT = 2_000
"""Tokens of a plan, about; an assumption."""


@dataclass(frozen=True, slots=True)
class Price:
    """What planning some cases can cost.

    Attributes:
        cases: how many.
        tokens: what the lead would read, counted without asking anybody.
        likely: US dollars if each is asked once and answered in LIKELY_OUTPUT tokens.
        most: US dollars if each is asked ASKED_AT_MOST times, the second time with the first answer before it, and
            answered at the greatest length.
    """

    cases: int
    tokens: int
    likely: float
    most: float


async def priced(cases: Sequence[Case], minds: Minds) -> Price:
    """What planning these cases with that lead can cost. Nobody is asked and nothing is spent."""
    card, asks = minds.lead.card, list[Ask]()

    async def count(ask: Ask) -> Reply:
        asks.append(ask)
        msg = "It is only counted."
        raise RejectedError(msg, field="--engine")

    seat = Seat(FunctionModel(count), card)
    minds = replace(minds, max_usd_per_run=NO_CEILING, max_usd_per_day=NO_CEILING)
    engine = Engine(f"model:{card.model}", lambda case: _alone(minds, case, seat))
    for case in cases:
        try:
            await planned(case, engine)
        except FanfoldError:
            continue
    tokens = [int(ask_tokens(ask) * MARGIN) for ask in asks]
    return Price(
        cases=len(cases),
        tokens=sum(tokens),
        likely=sum((card.cost(Tokens(input=n, output=LIKELY_OUTPUT)) for n in tokens), start=Amount()).usd,
        most=sum((_most(card, n, ask.max_tokens) for n, ask in zip(tokens, asks, strict=True)), start=Amount()).usd,
    )


def _most(card: Card, tokens: int, output: int) -> Amount:
    again = (card.worst(tokens + n * output, output, cached=False) for n in range(ASKED_AT_MOST))
    return sum(again, start=Amount())


@dataclass(frozen=True, slots=True)
class _Shared:
    """One gate for all cases. Each case's own gate stands before it, tells of the flight, and never has to wait."""

    gate: Gate

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model."""
        return await self.gate.ask(replace(ask, flight=nullcontext()))


@dataclass(slots=True)
class Asking:
    """A model at work on an evaluation.

    Attributes:
        minds: who is asked; the ceilings are theirs.
        accounts: where money is counted.
        record: file to which its answers are appended, if any.
        width: cases at once.
    """

    minds: Minds
    accounts: Journal
    record: Path | None = None
    width: int = 8
    _account: str = field(default_factory=lambda: f"evaluation/{uuid4().hex[:12]}")

    @asynccontextmanager
    async def engine(self) -> AsyncGenerator[Engine]:
        """The engine, for as long as the block lasts.

        Raises:
            KeyRefusedError: if the key is missing or refused.
        """
        try:
            seat = await unsized(self.minds.lead)
            gate = _Shared(Gate(seat.model, Throttle()))
            yield Engine(
                f"model:{seat.card.model}",
                lambda case: _alone(self.minds, case, replace(seat, model=self._heard(gate, seat, case))),
                lambda: Together(self.accounts, self._account),
                self.width,
            )
        finally:
            if self.minds.close:
                await self.minds.close()

    def _heard(self, model: Model, seat: Seat, case: Case) -> Model:
        return Recording(model, seat.card.model, self.record, case.id) if self.record else model

    async def spent(self) -> float:
        """What it has cost so far, in US dollars."""
        return (await self.accounts.standing(self._account)).spent.usd


def replayed(answers: Answers, card: Card) -> Engine:
    """Planning with recorded answers: nobody is asked and nothing is spent."""

    def minds(case: Case) -> Minds:
        seat = Seat(answers.of(case.id), card)
        return _alone(Minds(seat, seat, max_usd_per_run=NO_CEILING, max_usd_per_day=NO_CEILING), case, seat)

    return Engine(f"model:{card.model}", minds)


def _alone(minds: Minds, case: Case, lead: Seat) -> Minds:
    """The minds for one case: nobody closes them after it, or asks again how large they are."""
    web = Web() if case.web else None
    return replace(minds, lead=lead, worker=replace(minds.worker, sizes=None), web=web, close=None)


async def unsized(seat: Seat) -> Seat:
    """The seat with what its server says of the model's sizes, so that nobody asks for them again."""
    sizes = await seat.sizes() if seat.sizes else None
    card = replace(seat.card, window=sizes[0], max_output=sizes[1]) if sizes else seat.card
    return replace(seat, card=card, sizes=None)
