"""What is assumed of a subtask, and of planning and reporting, before anything is known of this machine."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import exp, log

from fanfold_workers.contract import EffortClass
from fanfold_workers.models.catalog import Card
from fanfold_workers.models.model import Tokens

RULES, HOST, FUNCTION = "rules", "host", "function"
"""Engines besides `model:<id>`."""
WIDTH = 8
"""Workers at once, if nobody says."""

CHECK_BYTES = {"secrets": 55e6, "dependencies": 1e9, "tests": 8e6, "upgrades": 1.3e6, "passages": 2e6}
"""Bytes a second that a check gets through on one core, the opening of files apart. Measured, one at a time on a busy
machine of two cores, over four source archives: 17,648 files, 128 MB."""
OTHER_BYTES = 5e6
"""The same for other checks; an assumption."""
CHECK_FILE, CHECK_SUBTASK = 0.0001, 0.01
"""Seconds that opening a file adds, and starting and recording a subtask."""

TURNS = {EffortClass.light: 3, EffortClass.normal: 6, EffortClass.deep: 14}
"""How often a worker of each class asks its model; an assumption: a turn for each tool call, the report, a note."""
FIRST_TOKENS, TURN_TOKENS, TURN_WRITTEN = 7_500, 2_500, 400
"""A worker's first request; what each turn adds to those after it, with what its tools answered; and of that, what
the model wrote. The first is measured, the others assumed."""
TURN_SECONDS = 9.0
"""How long a turn takes, with its tools; an assumption."""
UNCACHED = 0.35
"""The part of what a worker reads that no cache serves; an assumption."""
USUAL_BYTES, BYTES_POWER = 100_000, 0.15
"""More in reach than this takes more turns, as this power of it; an assumption."""
LEAST_BYTES, MOST_BYTES = 1_000, 1_000_000_000

AGENT_CHATS, MANY_CHATS = 4, 15
"""Tokens of one agent, and of a multi-agent system, in chats: published figures for multi-agent research systems."""
CHAT_TOKENS = 4_500
"""Tokens taken for one chat; an assumption."""
HOST_EFFORT = {EffortClass.light: 0.5, EffortClass.normal: 1.0, EffortClass.deep: 2.5}
HOST_SECONDS = 80.0
"""Seconds taken for one sub-agent of a host; an assumption."""
AGENTS_AT_ONCE = 10
"""Sub-agents that a host is taken to run at a time; an assumption."""

REPORT_TOKENS, REPORT_EACH, REPORT_MOST = 5_000, 950, 40_000
"""The report's request and answer: in any case, for each subtask, and at most; assumptions. The lead is shown 50,000
tokens of findings at most, whatever there is."""
PLANNING_TOKENS, PLANNING_EACH = 5_000, 250
"""Planning by a model: what it is shown, and what it writes for each subtask; assumptions."""
FOUND_TOKENS, FOLDED_FROM = 640, 50_000
"""What a subtask's findings come to in a request, and beyond how much the worker model folds them; assumptions."""
WRITTEN = 0.15
"""The part of the report's tokens that is written; an assumption."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What something takes: tokens, US dollars, seconds."""

    tokens: float = 0.0
    usd: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A subtask as far as its price goes.

    Attributes:
        id: its id; waits: ids of those that must end first.
        engine: who will do it.
        effort: its class.
        checks: the inspections it names.
        files, bytes: what it may read, each file as far as a worker reads it.
    """

    id: str
    engine: str
    effort: EffortClass = EffortClass.normal
    checks: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0
    waits: tuple[str, ...] = ()

    @property
    def kind(self) -> tuple[str, str]:
        """What is taken to cost alike: the same engine with the same checks, or the same effort."""
        return self.engine, "+".join(self.checks) or self.effort.value

    @property
    def size(self) -> float:
        """The logarithm of how much is in reach, over what is usual."""
        return log(min(max(self.bytes, LEAST_BYTES), MOST_BYTES) / USUAL_BYTES)


def of_rules(piece: Piece, sharing: float) -> Taken:
    """What a subtask takes that names checks, where so many share a core."""
    reading = sum(piece.bytes / CHECK_BYTES.get(check, OTHER_BYTES) for check in piece.checks)
    opening = len(piece.checks) * piece.files * CHECK_FILE
    return Taken(seconds=CHECK_SUBTASK + (reading + opening) * max(1.0, sharing))


def of_model(piece: Piece, card: Card) -> Taken:
    """What a subtask takes that a model of fanfold's own does."""
    turns = TURNS[piece.effort] * exp(BYTES_POWER * piece.size)
    read = turns * (FIRST_TOKENS + TURN_TOKENS * (turns - 1) / 2)
    written = turns * TURN_WRITTEN
    fresh, cached = int(read * UNCACHED), int(read * (1 - UNCACHED))
    # Asked turn by turn, so that the price of long calls does not apply.
    each = card.cost(Tokens(int(fresh / turns), int(written / turns), int(cached / turns)))
    return Taken(read + written, each.usd * turns, turns * TURN_SECONDS)


def of_host(piece: Piece) -> Taken:
    """What a subtask takes that a host's sub-agent does."""
    effort = HOST_EFFORT[piece.effort]
    return Taken(AGENT_CHATS * CHAT_TOKENS * effort, 0.0, HOST_SECONDS * effort)


def of_function() -> Taken:
    """Nothing is known of a worker of the caller's own: what stands here only gives history a unit."""
    return Taken(seconds=10.0)


def of_joining(subtasks: int, lead: Card, worker: Card, *, planned: bool) -> Taken:
    """What planning, folding and writing the report take."""
    found = subtasks * FOUND_TOKENS
    folded = 1.2 * found if found > FOLDED_FROM else 0.0
    report = min(REPORT_TOKENS + subtasks * REPORT_EACH, REPORT_MOST)
    drafted = subtasks * PLANNING_EACH if planned else 0
    planning = PLANNING_TOKENS + drafted if planned else 0
    usd = _usd(report * (1 - WRITTEN), report * WRITTEN, lead) + _usd(
        folded * (1 - WRITTEN), folded * WRITTEN, worker
    )
    usd += _usd(planning - drafted, drafted, lead)
    return Taken(report + folded + planning, usd)


def _usd(read: float, written: float, card: Card) -> float:
    return card.cost(Tokens(input=int(read), output=int(written))).usd


def sharing_of(pieces: Sequence[Piece], width: int, cores: int) -> float:
    """How many subtasks of the rules engine share a core."""
    ruled = sum(bool(piece.checks) for piece in pieces)
    return min(width, ruled) / max(1, cores)


@dataclass(frozen=True, slots=True)
class Terms:
    """Who does the work and on what terms.

    Attributes:
        agents: whether subtasks that take a mind go to a host's sub-agents.
        card: the model of fanfold's own workers, if there is one; without either they go to a function.
        lead: the model that writes the report, if one does.
        planned: whether it planned too.
        width: workers at once.
        cores: of this machine.
    """

    agents: bool
    card: Card | None = None
    lead: Card | None = None
    planned: bool = False
    width: int = WIDTH
    cores: int = 0

    def engine(self, checks: Collection[str]) -> str:
        """Who does a subtask that names these checks."""
        if checks:
            return RULES
        return f"model:{self.card.model}" if self.card else HOST if self.agents else FUNCTION

    def assumed(self, piece: Piece, sharing: float) -> Taken:
        """What is assumed of a subtask."""
        if piece.engine == RULES:
            return of_rules(piece, sharing)
        if piece.engine == HOST:
            return of_host(piece)
        return of_model(piece, self.card) if self.card else of_function()

    def places(self, pieces: Sequence[Piece]) -> int:
        """How many work at once."""
        return AGENTS_AT_ONCE if any(piece.engine == HOST for piece in pieces) else self.width

    def sharing(self, pieces: Sequence[Piece]) -> float:
        """How many subtasks of the rules engine share a core."""
        return sharing_of(pieces, self.width, self.cores or os.cpu_count() or 1)
