"""What a run did not answer: subtasks that never came or failed, scope not examined, questions left open."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from fanfold_server.records import Gap, GapKind
from fanfold_workers.contract import Result, Status, Subtask

from .markdown import clean, cut

_NUMBER = re.compile(r"([1-9]\d{0,2}(?:,\d{3})+|[1-9]\d{0,8}) (?=[a-z])")
MAX_GAPS = 5_000
"""Gaps of different words a report keeps."""


def gaps(
    subtasks: Sequence[Subtask], results: Sequence[Result], rests: Mapping[str, str] = MappingProxyType({})
) -> tuple[Gap, ...]:
    """All gaps, those of whole subtasks first, each in plan order.

    What a subtask left is told by whoever finished it, once that gave something usable: `rests` says who finishes
    whom. The same words from several subtasks become one gap; a number they begin with is added up.
    """
    came = {result.subtask: result for result in results}
    titles = {subtask.id: subtask.title for subtask in subtasks}
    found: dict[tuple[GapKind, str], list[tuple[int, str]]] = {}
    finished = {other for rest, other in rests.items() if rest in came and came[rest].usable}
    speaking = [result for result in results if result.subtask not in finished]
    for kind, subtask, gap in (*_missing(subtasks, came), *_of_results(speaking, titles)):
        number, words = _parted(cut(clean(gap), 2_500))
        found.setdefault((kind, words), []).append((number, subtask))
    order = list(GapKind)
    ranked = sorted(found.items(), key=lambda item: order.index(item[0][0]))
    return tuple(_gap(kind, words, those) for (kind, words), those in ranked[:MAX_GAPS])


def _parted(gap: str) -> tuple[int, str]:
    number = _NUMBER.match(gap)
    return (int(number[1].replace(",", "")), gap[number.end() :]) if number else (0, gap)


def _gap(kind: GapKind, words: str, those: Sequence[tuple[int, str]]) -> Gap:
    total = sum(number for number, _ in those)
    who = tuple(dict.fromkeys(subtask for _, subtask in those))
    return Gap(kind=kind, gap=f"{total:,} {words}" if total else words, subtask=who[0], others=who[1:])


def _missing(subtasks: Sequence[Subtask], came: Mapping[str, Result]) -> Iterator[tuple[GapKind, str, str]]:
    for subtask in subtasks:
        if subtask.id not in came:
            yield GapKind.never_came, subtask.id, f"{subtask.title}: no result came."


def _of_results(results: Sequence[Result], titles: Mapping[str, str]) -> Iterator[tuple[GapKind, str, str]]:
    for result in results:
        title = titles.get(result.subtask, "")
        about = f"{title}: " if title else ""
        examined = result.examined
        short = examined.done < examined.in_scope
        if result.status is Status.partial and short:
            yield GapKind.not_examined, result.subtask, f"{about}{result.reason.rstrip('. ')}."
        elif result.status is not Status.ok:
            yield GapKind.not_done, result.subtask, f"{about}{result.status}, {result.reason.rstrip('. ')}."
        if short and result.status is not Status.partial:
            yield GapKind.not_examined, result.subtask, f"{about}{_left(result)}."
        for gap in dict.fromkeys(result.gaps):
            yield GapKind.unanswered, result.subtask, gap


def _left(result: Result) -> str:
    examined = result.examined
    why = f" ({'; '.join(examined.left_out)})" if examined.left_out else ""
    return f"examined {examined.done:,} of {examined.in_scope:,} {examined.unit}{why}"
