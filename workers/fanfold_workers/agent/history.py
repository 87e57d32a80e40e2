"""Keeps a conversation within its room: old tool answers give way to a note of where to read them again."""

from collections.abc import Sequence
from dataclasses import replace

from fanfold_workers.models.model import Answered, ToolAnswer, Turn
from fanfold_workers.models.tokens import turn_tokens

KEPT = 0.6
"""How much of the room is left filled: what is cut each turn would have to be cached anew each turn."""
RECENT = 2
"""The last turns of ours stay whole while that is enough."""
SHORT_CHARS = 400
"""Answers no longer than this stay: the note would be as long."""


def left_out(ref: str) -> str:
    """What stands in place of an answer."""
    return f"[Left out to make room. See it again with read_again(ref={ref!r}).]"


def fitted(turns: Sequence[Turn], room: int) -> list[Turn]:
    """The turns within so many tokens, or as near as can be: the oldest tool answers go first.

    The same turns and room give the same result, always. A ref is `t<n>.<k>`: answer k of the n-th turn with answers.
    """
    kept = list(turns)
    total = sum(map(turn_tokens, kept))
    if total <= room:
        return kept
    ours = [n for n, turn in enumerate(kept) if isinstance(turn, Answered)]
    for spared in (RECENT, 0):
        for n in ours[: max(0, len(ours) - spared)]:
            turn = kept[n]
            if total <= room * KEPT:
                return kept
            if isinstance(turn, Answered):
                shorter = _shortened(turn, ours.index(n))
                total += turn_tokens(shorter) - turn_tokens(turn)
                kept[n] = shorter
        if total <= room:
            return kept
    return kept


def _shortened(turn: Answered, number: int) -> Answered:
    answers = tuple(_note(answer, f"t{number}.{k}") for k, answer in enumerate(turn.answers))
    return replace(turn, answers=answers)


def _note(answer: ToolAnswer, ref: str) -> ToolAnswer:
    return answer if answer.failed or len(answer.text) <= SHORT_CHARS else replace(answer, text=left_out(ref))
