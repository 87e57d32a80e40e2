"""fanfold's own minds: a lead and workers that are models, who pays for them, and how much they may spend.

Ceilings are a person's to set. What a caller asks for can only lower them, and is kept with the run.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import anyio

from fanfold_server.settings import MAX_USD_PER_DAY, MAX_USD_PER_RUN
from fanfold_workers.accounts import MICROS, Account, Limit, micros
from fanfold_workers.agent.worker import MAX_OUTPUT
from fanfold_workers.errors import InputError
from fanfold_workers.journal import Journal
from fanfold_workers.models.budget import Counter, Till
from fanfold_workers.models.catalog import Card
from fanfold_workers.models.model import ByRole, Model, Web
from fanfold_workers.models.stack import Known, stacked

FIRST_TOKENS = 7_500
"""Tokens of a worker's first request, about."""
WORKERS_SHARE = 0.85
"""Of a run's money the workers may spend this much: the rest is for joining what they found."""

Sizes = Callable[[], Awaitable[tuple[int, int] | None]]
"""Window and output limit as the server states them, None if it does not."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A model and what is known of it.

    Attributes:
        model: its back end, with nothing around it.
        card: what it costs and holds.
        server: where it is asked; calls to the same model at the same server share a gate.
        count: the server's own count of a request's tokens.
        sizes: the server's own word on its window.
    """

    model: Model
    card: Card
    server: str = ""
    count: Counter | None = None
    sizes: Sizes | None = None


@dataclass(frozen=True, slots=True)
class Minds:
    """Who thinks, and at what price at most.

    Attributes:
        lead: plans and composes.
        worker: does the subtasks that take a mind.
        max_usd_per_run, max_usd_per_day: ceilings in US dollars; a run's share for its workers is 85 % of it.
        web: what workers may look up whose scope says so; None for nothing.
        close: called when the orchestrator that used them ends.
    """

    lead: Seat
    worker: Seat
    max_usd_per_run: float = MAX_USD_PER_RUN
    max_usd_per_day: float = MAX_USD_PER_DAY
    web: Web | None = None
    close: Callable[[], Awaitable[None]] | None = None


@dataclass(slots=True)
class Mind:
    """Minds at work over one journal.

    Attributes:
        minds: who thinks.
        journal: where replies and spending go.
        model: both roles, with all that belongs around them.
        lead, worker: their cards, as the server corrected them.
    """

    minds: Minds
    journal: Journal
    model: Model = field(init=False)
    lead: Card = field(init=False)
    worker: Card = field(init=False)
    _lowered: dict[str, int] = field(default_factory=dict[str, int])
    _ready: bool = False
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    def __post_init__(self) -> None:
        self._seat(self.minds.lead, self.minds.worker)

    def _seat(self, lead: Seat, worker: Seat) -> None:
        till = Till()
        shared = Known()
        same = (lead.server, lead.card.model) == (worker.server, worker.card.model)
        seats = ((lead, shared), (worker, shared if same else Known()))
        models = [stacked(s.model, s.card, self.journal, till=till, known=k, count=s.count) for s, k in seats]
        self.model = ByRole(*models)
        self.lead, self.worker = lead.card, worker.card

    async def ready(self) -> None:
        """Ask the servers once for the sizes of their models, before anything is paid for.

        Raises:
            KeyRefusedError: if the key is missing or refused.
        """
        async with self._lock:
            if self._ready:
                return
            lead, worker = await _sized(self.minds.lead), await _sized(self.minds.worker)
            if (lead, worker) != (self.minds.lead, self.minds.worker):
                self._seat(lead, worker)
            self._ready = True

    # -- money ----------------------------------------------------------------------------------------------------

    async def lower(self, run: str, usd: float | None) -> None:
        """Hold a run to less than the ceiling from now on, if less was asked for now or before.

        Raises:
            InputError: if that is no amount of money.
        """
        if usd is not None:
            if not 0 < usd <= 1e6:
                msg = f"{usd:g} is no amount that could be spent."
                raise InputError(msg, field="max_usd", remedy="Give US dollars above 0, or leave it out.")
            await self.journal.record(f"lowered/{run}/{await self._lifts(run):03}/{micros(usd):015}", "{}")
        entries = await self.journal.entries(f"lowered/{run}/", keys_only=True)
        asked = [entry.key.removeprefix(f"lowered/{run}/").rpartition("/") for entry in entries]
        lifts = await self._lifts(run) if asked else 0
        least = min((int(amount) for round_, _, amount in asked if int(round_ or 0) >= lifts), default=None)
        self._lowered.pop(run, None)
        if least is not None:
            self._lowered[run] = least

    async def lift(self, run: str) -> None:
        """Let a run spend all that the ceilings allow again, whatever less was asked for before."""
        await self.journal.record(f"lifted/{run}/{await self._lifts(run):03}", "{}")
        await self.lower(run, None)

    async def _lifts(self, run: str) -> int:
        return len(await self.journal.entries(f"lifted/{run}/", keys_only=True))

    async def edge(self, run: str) -> str:
        """Why no further worker should start in a run: not even its first call could be paid. "" if it could."""
        first = self.worker.worst(FIRST_TOKENS, min(MAX_OUTPUT, self.worker.max_output), cached=True)
        for account in self.workers_purse(run):
            spent = (await self.journal.standing(account.name)).spent
            if (spent + first).over(account.limit):
                limit = (account.limit.micros or 0) / MICROS
                return (
                    f"${spent.usd:.4f} of the ${limit:.4f} that workers may spend were spent before it started; "
                    f"raise {account.setting}"
                )
        return ""

    def purse(self, run: str) -> tuple[Account, ...]:
        """Who pays for what the lead does in a run: the run, and the day."""
        ceiling, lowered = micros(self.minds.max_usd_per_run), self._lowered.get(run)
        setting = "max_usd_per_run" if lowered is None or lowered >= ceiling else "max_usd"
        limit = Limit(micros=ceiling if lowered is None else min(ceiling, lowered))
        day = Limit(micros=micros(self.minds.max_usd_per_day))
        return Account(run, limit, setting), Account(today(), day, "max_usd_per_day")

    def workers_purse(self, run: str) -> tuple[Account, ...]:
        """Who pays for what workers do in a run: their share of it, the run, and the day."""
        whole, day = self.purse(run)
        share = Limit(micros=int((whole.limit.micros or 0) * WORKERS_SHARE))
        return Account(f"{run}/workers", share, whole.setting), whole, day


async def _sized(seat: Seat) -> Seat:
    sizes = await seat.sizes() if seat.sizes else None
    if not sizes:
        return seat
    window, output = sizes
    return replace(seat, card=replace(seat.card, window=window, max_output=output))


def today() -> str:
    """The account of this day, by the local calendar: `day/2026-11-26`."""
    return f"day/{datetime.now().astimezone().date().isoformat()}"
