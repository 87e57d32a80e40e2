"""A plan changed by hand: the subtasks of one before, with some replaced, left out or added."""

from collections.abc import Iterable, Sequence

from fanfold_server.records import Draft, Plan
from fanfold_workers.contract import Subtask
from fanfold_workers.errors import InputError, UnknownNameError


class Change(Draft):
    """What becomes of one subtask: the fields that are given are changed, the others stay.

    Attributes:
        id: which subtask; one that the plan does not have, or none, adds a subtask.
        remove: leave it out.
    """

    remove: bool = False


def draft_of(subtask: Subtask) -> Draft:
    """A subtask as its author would write it."""
    own = {name: getattr(subtask, name) for name in Draft.model_fields if name in Subtask.model_fields}
    scope = subtask.scope
    return Draft(**own, places=scope.places, tools=scope.tools, web=scope.web)


def changed(plan: Plan, changes: Iterable[Change]) -> tuple[Draft, ...]:
    """The plan's subtasks after the changes, in order, those that were added last.

    Raises:
        UnknownNameError: if one is to be removed that is not there.
        InputError: if a subtask is named twice, or none would be left.
    """
    drafts: dict[str, Draft | None] = {subtask.id: draft_of(subtask) for subtask in plan.subtasks}
    added: list[Draft] = []
    named: set[str] = set()
    for n, change in enumerate(changes):
        name = change.id or ""
        if name and name in named:
            msg = f"The subtask {name} is changed twice."
            raise InputError(msg, field=f"changes[{n}].id", remedy="Say all of it in one change.")
        named.add(name)
        before = drafts.get(name)
        given = {one: getattr(change, one) for one in change.model_fields_set - {"remove"}}
        if change.remove:
            if not before:
                msg = f"There is no subtask {name or 'without an id'} to remove."
                remedy = f"Use one of: {', '.join(list(drafts)[:20])}."
                raise UnknownNameError(msg, field=f"changes[{n}].id", remedy=remedy)
            drafts[name] = None
        elif before:
            drafts[name] = before.model_copy(update=given)
        else:
            added.append(Draft(**given))
    left = (*(draft for draft in drafts.values() if draft), *added)
    if not left:
        msg = "No subtask would be left."
        raise InputError(msg, field="changes", remedy="Keep one at least, or leave the plan alone: nothing runs yet.")
    return left


def replaced(plan: Plan, edited: Plan) -> tuple[Draft, ...]:
    """The subtasks of a plan as somebody edited the whole of it."""
    if edited.task.model_copy(update={"subtasks": ()}) != plan.task.model_copy(update={"subtasks": ()}):
        msg = "The task of the edited plan is not that of the plan."
        raise InputError(msg, field="task", remedy="Edit subtasks alone, or plan the other task.")
    return tuple(map(draft_of, edited.subtasks))


def unchanged(before: Sequence[Subtask], after: Sequence[Subtask]) -> frozenset[str]:
    """Ids of subtasks that are the same in both, with all that they lean on, near or far."""
    old = {subtask.id: subtask for subtask in before}
    same = {subtask.id for subtask in after if old.get(subtask.id) == subtask}
    while lost := {s.id for s in after if s.id in same and not same.issuperset(s.depends_on)}:
        same -= lost
    return frozenset(same)
