"""What a run of a plan will cost, and what the figures rest on. Calls block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from math import ceil

from fanfold_server.records import Estimate
from fanfold_workers.contract import Subtask
from fanfold_workers.models.catalog import DATE, Card
from fanfold_workers.models.model import Tokens

from .survey import Reach, Survey

FAST_BYTES, SLOW_BYTES = 50_000_000, 1_000_000
"""Bytes a second that one check gets through. Measured on a busy machine of two cores: `secrets` 34 MB/s over 50
source archives, `upgrades` 1.5 MB/s over an environment."""
FAST_FILE, SLOW_FILE = 0.000_1, 0.005
"""Seconds that opening one file adds."""
FAST_SUBTASK, SLOW_SUBTASK = 0.002, 0.05
"""Seconds that starting and recording one subtask adds."""

AGENT_CHATS, MANY_CHATS = 4, 15
"""Tokens of one agent, and of a multi-agent system, in chats: published figures for multi-agent research systems."""
CHAT_LOW, CHAT_HIGH = 2_000, 10_000
"""Tokens taken for one chat; an assumption."""
WRITTEN = 0.15
"""The part of an agent's tokens that it writes; an assumption."""
AGENT_SECONDS_LOW, AGENT_SECONDS_HIGH = 20.0, 300.0
"""Seconds taken for one sub-agent; an assumption."""
AGENTS_AT_ONCE = 10
"""Sub-agents that a host is taken to run at a time; an assumption."""


@dataclass(frozen=True, slots=True)
class _Joining:
    """What the report takes: tokens in any case, for each subtask, and at most."""

    whole: int
    each: int
    most: int


LOW, HIGH = _Joining(3_000, 300, 20_000), _Joining(8_000, 3_000, 70_000)
"""Assumptions; the lead is shown 50,000 tokens of findings at most, whatever there is."""


@dataclass(frozen=True, slots=True)
class _Range:
    low: float = 0.0
    high: float = 0.0


def estimate(
    subtasks: Sequence[Subtask],
    survey: Survey,
    *,
    agents: bool,
    card: Card | None = None,
    lead: Card | None = None,
) -> Estimate:
    """The price of the subtasks: those with checks go to the rules engine, the others to agents.

    `agents` says that those others are a host's sub-agents; else they go to fanfold's own models where there is a
    `card`, or to a function of the caller's own, whose cost nobody here can know. `lead` writes the report.
    """
    ruled = [subtask for subtask in subtasks if subtask.checks]
    minds = [subtask for subtask in subtasks if not subtask.checks]
    fast, told = _rules(ruled, survey)
    slow = _minds(subtasks, minds) if agents or card else _Range()
    count = len(minds) if agents or card else 0
    if minds:
        told.append(_basis(len(minds), card, agents=agents))
    joins = len(subtasks) if card and lead else 0
    if joins and lead:
        told.append(f"Joining and writing, by {lead.model}: {_joined(joins, HIGH):,} tokens at most (assumed).")
    return Estimate(
        usd_low=round(_usd(count * AGENT_CHATS * CHAT_LOW, card) + _usd(_joined(joins, LOW), lead), 4),
        usd_high=round(_usd(count * AGENT_CHATS * CHAT_HIGH, card) + _usd(_joined(joins, HIGH), lead), 4),
        workers=len(subtasks),
        seconds_low=round(fast.low + slow.low, 2),
        seconds_high=round(fast.high + slow.high, 2),
        tokens_low=count * AGENT_CHATS * CHAT_LOW,
        tokens_high=count * AGENT_CHATS * CHAT_HIGH,
        multiple=float(max(1, count)),
        basis=" ".join(told)[:1_000],
    )


def _rules(subtasks: Sequence[Subtask], survey: Survey) -> tuple[_Range, list[str]]:
    if not subtasks:
        return _Range(), []
    low = high = 0.0
    total = Reach()
    for subtask in subtasks:
        reach = survey.reach(subtask.scope.places)
        total += reach
        low += FAST_SUBTASK + len(subtask.checks) * (reach.files * FAST_FILE + reach.read / FAST_BYTES)
        high += SLOW_SUBTASK + len(subtask.checks) * (reach.files * SLOW_FILE + reach.read / SLOW_BYTES)
    least = "at least " if total.capped else ""
    told = (
        f"Rules engine: {least}{total.files:,} files, {least}{total.read:,} bytes of them to read, each check at "
        f"{SLOW_BYTES / 1e6:g} to {FAST_BYTES / 1e6:g} MB/s on one core; no model, no tokens."
    )
    return _Range(low, high), [told]


def _minds(subtasks: Sequence[Subtask], minds: Sequence[Subtask]) -> _Range:
    if not minds:
        return _Range()
    depth = _depth({subtask.id: subtask.depends_on for subtask in subtasks})
    waves = max(depth, ceil(len(minds) / AGENTS_AT_ONCE))
    return _Range(depth * AGENT_SECONDS_LOW, waves * AGENT_SECONDS_HIGH)


def _depth(waits: Mapping[str, Sequence[str]]) -> int:
    """How many stages must follow one another; 1 where a circle keeps that from being known."""
    depth: dict[str, int] = {}
    try:
        for name in TopologicalSorter(waits).static_order():
            depth[name] = 1 + max((depth[other] for other in waits.get(name, ())), default=0)
    except CycleError:
        return 1
    return max(depth.values(), default=1)


def _usd(tokens: int, card: Card | None) -> float:
    """What so many tokens cost, a part of them written and none served by a cache."""
    if not card or not tokens:
        return 0.0
    written = int(tokens * WRITTEN)
    return round(card.cost(Tokens(input=tokens - written, output=written)).usd, 4)


def _joined(subtasks: int, range_: "_Joining") -> int:
    """Tokens of the request in which the lead joins what so many found and writes the report; 0 for nobody."""
    return min(range_.whole + subtasks * range_.each, range_.most) if subtasks else 0


def _basis(count: int, card: Card | None, *, agents: bool) -> str:
    if card:
        return _model_basis(count, card)
    return _host_basis(count) if agents else _function_basis(count)


def _model_basis(count: int, card: Card) -> str:
    return (
        f"{count} workers on {card.model}, each counted as one agent: {AGENT_CHATS} x a chat of {CHAT_LOW:,} to "
        f"{CHAT_HIGH:,} tokens (assumed), {WRITTEN:.0%} of them written (assumed), at ${card.price.input:g} and "
        f"${card.price.output:g} a million (prices of {DATE}, or your own). The published figure for multi-agent "
        f"research systems: about {MANY_CHATS} x a chat in all. The ceilings hold whatever the estimate says."
    )


def _host_basis(count: int) -> str:
    return (
        f"{count} sub-agents of the host, each counted as one agent: {AGENT_CHATS} x a chat of {CHAT_LOW:,} to "
        f"{CHAT_HIGH:,} tokens (assumed) and {AGENT_SECONDS_LOW:g} to {AGENT_SECONDS_HIGH:g} s (assumed), "
        f"{AGENTS_AT_ONCE} at a time (assumed). The published figure for multi-agent research systems: "
        f"about {MANY_CHATS} x a chat in all, {AGENT_CHATS} x for one agent. The host pays; fanfold spends nothing."
    )


def _function_basis(count: int) -> str:
    return f"{count} subtasks go to a worker of the caller's own, whose time and cost are not known here."
