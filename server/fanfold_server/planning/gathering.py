"""The items of a task: those it lists, those its text names, or what is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanfold_server.records import Problem, Task
from fanfold_workers.tools.toolbox import Tool

from .items import Item, Wish, layout, speaks_of_several
from .matching import matches
from .naming import Names
from .reading import bullets, cleaned, is_question, named, one_line, visible
from .survey import Survey
from .trouble import did_you_mean, error, some


@dataclass(frozen=True, slots=True)
class Gathered:
    """Items, what was taken for granted about them, and those that mean nothing."""

    items: tuple[Item, ...] = ()
    told: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Gathers the items of one task.

    Attributes:
        task: the task.
        survey: the look at the roots.
        places: where its items are looked for.
        wish: how it wants places divided.
        topics: whether an item may be something that is no file.
        natural: whether what lies under the places is to be looked at, item by item, if nothing is named.
        tools: whose hints tell a list of checks from a list of items.
    """

    task: Task
    survey: Survey
    places: tuple[str, ...]
    wish: Wish
    topics: bool
    natural: bool
    tools: Mapping[str, Tool[Any]]

    def gather(self) -> Gathered:
        """The items, in order: `items`, names in the text, its lists, what lies under the places."""
        if self.task.items:
            return self._listed(self.task.items, "named in `items`", "items[{}]")
        named = self._mentioned() or self._bulleted()
        return named or (self._lying_there() if self.natural else Gathered())

    def _listed(self, names: Sequence[str], where: str, field: str) -> Gathered:
        names = [cleaned(name) for name in names]
        known = Names(self.survey, self.places)
        found = [known.find(name) if self.places and not is_question(name) else None for name in names]
        if self.topics and not any(found):
            all_topics = [Item(one_line(name, 300)) for name in names if visible(name)]
            topics = _merged(all_topics)
            return Gathered(topics, _count(topics, len(all_topics) - len(topics), where, "topics"))
        problems = [
            _unknown(field.format(n), name, known)
            for n, (name, item) in enumerate(zip(names, found, strict=True))
            if item is None
        ]
        placed = [item for item in found if item]
        items = _merged(placed)
        return Gathered(items, _count(items, len(placed) - len(items), where, "places"), tuple(problems))

    def _mentioned(self) -> Gathered | None:
        known = Names(self.survey, self.places)
        names = named(f"{self.task.task}\n{self.task.context}", list(self.survey.roots)) if self.places else []
        items = _merged([item for name in names if (item := known.find(name)) and not _is_root(item)])
        wrong = [_unknown("task", name, known) for name in names if self._is_place(name) and not known.find(name)]
        told = (f"Items: {some([i.name for i in items])}, named in the text.",) if items else ()
        return Gathered(items, told, tuple(wrong)) if items or wrong else None

    def _is_place(self, name: str) -> bool:
        """Whether a name can be nothing but a place: a root, a colon and a path."""
        root, colon, path = name.partition(":")
        return bool(colon and path) and root in self.survey.roots

    def _bulleted(self) -> Gathered | None:
        entries = bullets(self.task.task) or bullets(self.task.context)
        if not entries or all(matches(entry, self.tools).wanted for entry in entries):
            return None
        if self.topics and len(entries) > 1 and (not self.places or all(map(is_question, entries))):
            return self._listed(entries, "in the task's list", "task")
        known = Names(self.survey, self.places)
        names = [entry if known.find(entry) else _head(entry) for entry in entries]
        if 2 * sum(known.find(name) is not None for name in names) < len(names):
            return None
        return self._listed(names, "in the task's list", "task")

    def _lying_there(self) -> Gathered:
        layouts = [layout(place, self.survey, self.wish) for place in self.places]
        items = [item for found in layouts for item in found.items]
        full = [item for item in items if self.survey.reach(item.places).files]
        bare = [item.name for item in items if item not in full]
        told = [f"Items: {'; '.join(found.told for found in layouts)}."] if full else []
        told += [f"Left out of {p}: {x.left_out}." for p, x in zip(self.places, layouts, strict=True) if x.left_out]
        told += [f"Left out, since nothing in them can be read: {some(bare)}."] if bare and full else []
        problem = error(
            "unknown_place", "roots", f"There is nothing to read in {some(self.places)}.", "Name another place."
        )
        return Gathered(_distinct(full), tuple(told), (problem,) if self.places and not full else ())


def wish(task: Task, whole: bool, projects_whole: bool, without: tuple[tuple[str, str], ...]) -> Wish:
    """How a task wants its places divided."""
    return Wish(whole, projects_whole, speaks_of_several(task.task), without)


def _unknown(field: str, name: str, known: Names) -> Problem:
    where = some(known.places) or "any root: none is configured"
    remedy = did_you_mean(known.near(name), "Name something that is there, or leave the item out.")
    return error("unknown_item", field, f"{one_line(name, 200)!r} is not in {where}.", remedy)


def _merged(items: Sequence[Item]) -> tuple[Item, ...]:
    """Items less those that name again what an earlier one does."""
    kept: dict[tuple[str, ...], Item] = {}
    for item in items:
        kept.setdefault(item.places or (item.key,), item)
    return _distinct(list(kept.values()))


def _distinct(items: Sequence[Item]) -> tuple[Item, ...]:
    """Items of different names: those that share one are told apart by their first places."""
    seen: dict[str, int] = {}
    for item in items:
        seen[item.name] = seen.get(item.name, 0) + 1
    return tuple(
        Item(item.places[0], item.places, item.title) if seen[item.name] > 1 and item.places else item
        for item in items
    )


def _count(items: Sequence[Item], again: int, where: str, what: str) -> tuple[str, ...]:
    told = f"Items: {len(items)} {what} {where}."
    return (told, f"{again} that name again what another does were merged into it.") if again else (told,)


def _head(entry: str) -> str:
    """What stands before a bullet's explanation: `django` of `django: its settings`."""
    for mark in (": ", " - ", " \u2013 ", " \u2014 ", " ("):
        entry = entry.partition(mark)[0]
    return entry.strip().strip("`*_")


def _is_root(item: Item) -> bool:
    return all(":" not in place for place in item.places)
