"""What an estimate rests on, in words."""

from collections.abc import Sequence

from fanfold_workers.models.catalog import DATE, Card

from .book import Book
from .learning import Fitted
from .prices import (
    AGENT_CHATS,
    AGENTS_AT_ONCE,
    CHAT_TOKENS,
    FUNCTION,
    HOST,
    HOST_SECONDS,
    MANY_CHATS,
    RULES,
    TURN_SECONDS,
    TURNS,
    Terms,
)
from .survey import Reach


def told(book: Book, reaches: Sequence[Reach]) -> str:
    """What the figures of a book rest on, the history first. `reaches`: what each subtask may read."""
    said = [_rested(engine, book.fitted(engine, "seconds")) for engine in book.engines]
    ruled = [reach for piece, reach in zip(book.pieces, reaches, strict=True) if piece.engine == RULES]
    if ruled:
        said.append(_read(ruled))
    minds = [piece for piece in book.pieces if piece.engine != RULES]
    if minds:
        said.append(_basis(len(minds), book.terms))
    reported = sum(bool(past.reports and past.joining_tokens) for past in book.history)
    if book.pieces and book.terms.card and book.terms.lead:
        rest = f"{reported} here" if reported else "assumed"
        said.append(f"Planning and one report, by {book.terms.lead.model}: {rest}.")
    return " ".join(filter(None, said))[:1_000]


def _rested(engine: str, fitted: Fitted) -> str:
    """How much history there is of an engine."""
    if engine == HOST or (engine == FUNCTION and not fitted.runs):
        return ""
    who = {RULES: "the rules engine", FUNCTION: "the caller's own worker"}.get(engine, engine.removeprefix("model:"))
    if not fitted.runs:
        return f"No run here with {who} yet: all assumed."
    runs, subtasks = _counted(fitted.runs, "run"), _counted(fitted.subtasks, "subtask")
    return f"{runs} here with {who}: {subtasks}; the more there are, the less the assumptions count."


def _counted(count: int, one: str) -> str:
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"


def _read(reaches: Sequence[Reach]) -> str:
    total = sum(reaches, start=Reach())
    least = "at least " if total.capped else ""
    files, size = f"{least}{total.files:,} files", f"{least}{total.read:,} bytes"
    return f"Rules engine: {files}, {size} of them to read; no model, no tokens."


def _basis(count: int, terms: Terms) -> str:
    if terms.card:
        return _model_basis(count, terms.card, terms.width)
    return _host_basis(count) if terms.agents else _function_basis(count)


def _model_basis(count: int, card: Card, width: int) -> str:
    turns = ", ".join(f"{turns} {effort.value}" for effort, turns in TURNS.items())
    return (
        f"{count} workers on {card.model}, {width} at once. Assumptions: turns of a worker by effort ({turns}), "
        f"more where more is in reach, {TURN_SECONDS:g} s a turn, ${card.price.input:g} and ${card.price.output:g} a "
        f"million tokens read and written (prices of {DATE}, or your own). The ceilings hold whatever the estimate "
        f"says."
    )


def _host_basis(count: int) -> str:
    return (
        f"{count} sub-agents of the host, each counted as one agent: {AGENT_CHATS} x a chat of {CHAT_TOKENS:,} "
        f"tokens and {HOST_SECONDS:g} s, half of it for a light one and more for a deep one, {AGENTS_AT_ONCE} at a "
        f"time (all assumed). The published figure for multi-agent research systems: about {MANY_CHATS} x a chat in "
        f"all, {AGENT_CHATS} x for one agent. The host pays; fanfold spends nothing."
    )


def _function_basis(count: int) -> str:
    return f"{count} subtasks go to a worker of the caller's own, whose tokens and cost are not known here."
