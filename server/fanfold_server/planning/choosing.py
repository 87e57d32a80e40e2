"""Which checks answer a task: those it names, those its words ask for, or a search for a question."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fanfold_server.records import Task
from fanfold_workers.tools.toolbox import Tool

from .matching import Matches, matches
from .reading import is_question

PASSAGES = "passages"
"""The inspection that answers a question with verbatim passages."""

_HOW = re.compile(
    r"^\W*(?:how (?:do|can|should|would|to|does)|why|explain|what (?:do|does)\b.{0,80}\b(?:mean|say))\b", re.I
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The checks of a task, in the order of the tools, and why these."""

    checks: tuple[str, ...]
    why: tuple[str, ...] = ()


def inspections(tools: Mapping[str, Tool[Any]]) -> tuple[str, ...]:
    """The names of the checks there are."""
    return tuple(name for name, tool in tools.items() if tool.inspection)


def choose(task: Task, tools: Mapping[str, Tool[Any]], *, searchable: bool) -> Choice:
    """The checks for a task; none if nothing in it asks for one.

    `searchable` says that it is clear where a question may be looked up.
    """
    known = inspections(tools)
    if task.checks:
        return Choice(tuple(dict.fromkeys(name for name in task.checks if name in known)), ("Checks: as named.",))
    found = matches(task.task, tools)
    search = searchable and PASSAGES in known and is_question(task.task)
    if search and _HOW.match(task.task):
        return Choice((PASSAGES,), (_asked(), *_passed_over(found)))
    wanted = tuple(name for name in found.wanted if name != PASSAGES or len(found.wanted) == 1)
    if wanted:
        because = ", ".join(f"{name} (the task says {found.wanted[name]!r})" for name in wanted)
        return Choice(wanted, (f"Checks: {because}.", *_waved(found)))
    if search and not found.waved_off:
        return Choice((PASSAGES,), (_asked(),))
    return Choice((), _waved(found))


def _asked() -> str:
    return f"Checks: {PASSAGES}, since the task is a question: the passages that answer it best are quoted."


def _passed_over(found: Matches) -> tuple[str, ...]:
    others = ", ".join(name for name in found.wanted if name != PASSAGES)
    if not others:
        return ()
    return (
        f"It asks for an explanation, so these checks were not taken from its words: {others}. Name them if meant.",
    )


def _waved(found: Matches) -> tuple[str, ...]:
    off = ", ".join(f"{name} (it waves off {words!r})" for name, words in found.waved_off.items())
    return (f"Left out at the task's word: {off}.",) if off else ()
