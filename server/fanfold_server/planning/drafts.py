"""From a Draft to a Subtask: what was left out is filled in, what was said is kept."""

from collections.abc import Mapping
from typing import Any

from fanfold_server.records import Draft, Task
from fanfold_workers.contract import Scope, Subtask
from fanfold_workers.tools.roots import Root
from fanfold_workers.tools.toolbox import Tool

TITLE_CHARS = 120


def completed(
    drafts: tuple[Draft, ...], task: Task, roots: Mapping[str, Root], tools: Mapping[str, Tool[Any]]
) -> tuple[Subtask, ...]:
    """The drafts as subtasks: ids by position, places from the task, tools from the checks."""
    places = task.roots or tuple(sorted(roots))[:500]
    ids = _ids(drafts)
    return tuple(_subtask(draft, name, places, tools) for draft, name in zip(drafts, ids, strict=True))


def _ids(drafts: tuple[Draft, ...]) -> list[str]:
    taken = {draft.id for draft in drafts if draft.id}
    named: list[str] = []
    for n, draft in enumerate(drafts, 1):
        own, k = draft.id or f"s{n}", 1
        while not draft.id and own in taken:
            k += 1
            own = f"s{n}.{k}"
        named.append(own)
    return named


def _subtask(draft: Draft, name: str, places: tuple[str, ...], tools: Mapping[str, Tool[Any]]) -> Subtask:
    title = " ".join((draft.title or draft.item or draft.objective or name).split())
    objective = draft.objective or draft.title or draft.item or title
    reach = draft.places or places
    return Subtask(
        id=name,
        title=title if len(title) <= TITLE_CHARS or draft.title else title[: TITLE_CHARS - 1] + "…",
        objective=objective,
        boundaries=draft.boundaries,
        expected=draft.expected,
        item=draft.item,
        checks=draft.checks,
        scope=Scope(places=reach, tools=draft.tools or _tools(draft, reach, tools)),
        depends_on=draft.depends_on,
    )


def _tools(draft: Draft, reach: tuple[str, ...], tools: Mapping[str, Tool[Any]]) -> tuple[str, ...]:
    if draft.checks:
        return draft.checks
    return tuple(name for name, tool in tools.items() if not tool.inspection) if reach else ()
