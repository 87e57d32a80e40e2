"""How good one plan is: seven scores from 0 to 1, each found by code from the plan and what its case expects.

A score that says nothing of a case is None: overlap of one subtask, scope where there are no files. What a subtask
*says* is its title, objective, item, expected answer, places and checks. A copy of the whole task in it says nothing
where there are several subtasks and it stands for no item of its own: such copies divide nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from unicodedata import normalize

from fanfold_server.planning.twins import twins
from fanfold_server.records import Mode, Plan
from fanfold_workers.contract import Subtask
from fanfold_workers.errors import FanfoldError
from fanfold_workers.tools.files import split_place
from fanfold_workers.tools.roots import Root

from .case import Case, Words
from .world import world

NAMES = ("mode", "workers", "coverage", "overlap", "independence", "scope", "avoided")
"""The scores, in the order in which they are shown."""
SPAN = frozenset(
    {"to", "through", "until", "-", "\u2013", "\u2014", "\u2026", "...", "bis", "hasta", "\u00e0", "a", "al"}
)
"""Words that stand between the ends of a span of items."""
LEANS = "leans_without_dependency"
"""The code of planning's check for a subtask that takes for given what another finds, and does not wait for it."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How good a plan is, each from 0 to 1, None where it says nothing.

    Attributes:
        mode: 1 if its mode is one of those that are right, else 0. A plan of one subtask is `single`, whatever it
            says.
        workers: 1 if its subtasks are within the bounds; outside, the nearer bound over their number or the reverse.
        coverage: share of what must be somebody's work that some subtask says, each item counted as one such thing:
            1 if one subtask has it (or stages of one), 1/n if n subtasks do, 0 if none does.
        overlap: 1 less the share of subtasks, the first aside, that nearly repeat an earlier one, by planning's own
            check; 1 where none does, 0 where all are the same.
        independence: share of the pairs in `order` that are held: whatever does the second waits, also by way of
            others, for something that does the first, or one subtask does both and is all there is. Then the share of
            subtasks that neither wait where nothing has to, nor lean on another without saying so, by planning's own
            check. The mean of the two where there is an order.
        scope: of the bytes that subtasks may read, each subtask counted, the share that is needed: within `scope`,
            and read by one of them only unless the case says that several may well read the same. Where nothing is
            needed, 1 if nothing may be read, else 0.
        avoided: 0 if any subtask says a forbidden phrase, reaches a forbidden place or has a forbidden tool; else 1.
            What its boundaries say is no such thing: they may well name what is to be left alone.
    """

    mode: float | None = None
    workers: float | None = None
    coverage: float | None = None
    overlap: float | None = None
    independence: float | None = None
    scope: float | None = None
    avoided: float | None = None

    @property
    def total(self) -> float:
        """The mean of the scores but `avoided`; 0 if something forbidden is in the plan."""
        if self.avoided == 0:
            return 0.0
        told = [value for name, value in self.by_name.items() if value is not None and name != "avoided"]
        return sum(told) / len(told) if told else 1.0

    @property
    def by_name(self) -> Mapping[str, float | None]:
        """Each score by its name, in the order of NAMES."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def scored(case: Case, plan: Plan) -> Scores:
    """The scores of a plan of the case's task, over the case's world. Calls block for some milliseconds."""
    if case.expect.refused:
        return Scores(mode=0.0)
    looked = _Look(case, plan)
    return Scores(
        mode=looked.mode(),
        workers=looked.workers(),
        coverage=looked.coverage(),
        overlap=looked.overlap(),
        independence=looked.independence(),
        scope=looked.scope(),
        avoided=float(not looked.forbidden()),
    )


def reaches(words: Words, text: str) -> bool:
    """Whether one of the phrases stands in the text: whatever the case, at the beginning of a word if it is ASCII."""
    return any(_stands(plain(phrase), text) for phrase in words)


def plain(text: str) -> str:
    """A text as phrases are looked for in it: in one form of Unicode, without case, runs of blanks as one."""
    return " ".join(normalize("NFKC", text).casefold().split())


def _stands(phrase: str, text: str) -> bool:
    at = text.find(phrase)
    while at >= 0:
        before = text[at - 1 : at]
        if not (phrase[0].isascii() and phrase[0].isalnum() and before.isascii() and before.isalnum()):
            return True
        at = text.find(phrase, at + 1)
    return False


class _Look:
    """One look at a plan of a case."""

    def __init__(self, case: Case, plan: Plan) -> None:
        self.case, self.expect, self.plan, self.subtasks = case, case.expect, plan, plan.subtasks
        self.said = [plain(self._words(subtask)) for subtask in plan.subtasks]
        self.roots = world(case.world)

    def _words(self, subtask: Subtask) -> str:
        own = subtask.objective
        if len(self.subtasks) > 1 and not subtask.item.strip():
            own = own.replace(self.plan.task.task, " ")
        parts = (subtask.title, own, subtask.item, subtask.expected, *subtask.scope.places, *subtask.checks)
        return "\n".join(parts)

    # -- mode, workers ------------------------------------------------------------------------------------------

    def mode(self) -> float:
        mode = Mode.single if len(self.subtasks) == 1 else self.plan.mode
        return float(mode in self.expect.modes)

    def workers(self) -> float:
        count = len(self.subtasks)
        if count < self.expect.least:
            return count / self.expect.least
        return min(1.0, self.expect.most / count)

    # -- coverage -----------------------------------------------------------------------------------------------

    def coverage(self) -> float | None:
        parts = [float(any(reaches(words, text) for text in self.said)) for words in self.expect.covers]
        parts += self._items()
        return _mean(parts)

    def _items(self) -> list[float]:
        """For each item the score of how many subtasks have it; an item that is named twice counts once.

        An item goes by the last part of its first word: `repos/billing/` is billing. `a … d` and `a to d` stand for
        what the task has between the two.
        """
        names = {_name(item): n for n, item in reversed(list(enumerate(self.case.asked.items)))}
        order = sorted(names, key=lambda name: names[name])
        named = [" ".join([plain(s.item), plain(s.title), *map(plain, s.scope.places)]) for s in self.subtasks]
        words = [
            frozenset(_split(text)) | _spans(plain(s.item or s.title), order)
            for s, text in zip(self.subtasks, named, strict=True)
        ]
        return [self._item(name, named, words) for name in order]

    def _item(self, name: str, named: Sequence[str], words: Sequence[frozenset[str]]) -> float:
        if name.isalnum():
            having = [n for n, those in enumerate(words) if name in those]
        else:
            having = [n for n, text in enumerate(named) if name in text]
        having = having or [n for n, text in enumerate(self.said) if _stands(name, text)]
        return 1.0 if self._staged(having) else 1 / len(having) if having else 0.0

    def _staged(self, having: Sequence[int]) -> bool:
        """Whether each of these but the first waits for another of them."""
        ids = [self.subtasks[n].id for n in having]
        return bool(ids) and sum(bool(self.waits[name] & {*ids}) for name in ids) >= len(ids) - 1

    # -- overlap, independence ----------------------------------------------------------------------------------

    def overlap(self) -> float | None:
        if len(self.subtasks) < 2:
            return None
        if self._attempts:
            return 1.0
        again = {second for _, second in twins(self.subtasks)}
        return 1 - len(again) / (len(self.subtasks) - 1)

    @property
    def _attempts(self) -> bool:
        """Whether the case asks for the same several times, and no more often than it asks for."""
        exact = self.expect.least == self.expect.most == len(self.subtasks)
        return exact and self.expect.shared

    def independence(self) -> float | None:
        if not self.subtasks:
            return 0.0
        held = _mean([float(self._held(*pair)) for pair in self.expect.order])
        if len(self.subtasks) == 1:
            return held
        odd = self._leaning
        if not self.expect.order and Mode.staged not in self.expect.modes:
            odd = odd | {n for n, subtask in enumerate(self.subtasks) if subtask.depends_on}
        return _mean([part for part in (held, 1 - len(odd) / len(self.subtasks)) if part is not None])

    def _held(self, before: Words, after: Words) -> bool:
        first, second = ([s.id for s, text in self._told if reaches(words, text)] for words in (before, after))
        if len(self.subtasks) == 1:
            return bool(first and second)
        return any(self.waits[name] & {*first} - {name} for name in second)

    @property
    def _told(self) -> Iterable[tuple[Subtask, str]]:
        return zip(self.subtasks, self.said, strict=True)

    @property
    def _leaning(self) -> set[int]:
        """Which subtasks lean on another without a dependency, as planning's check says."""
        fields = [problem.field for problem in self.plan.problems if problem.code == LEANS]
        return {n for n in range(len(self.subtasks)) if any(one.startswith(f"subtasks[{n}].") for one in fields)}

    @cached_property
    def waits(self) -> Mapping[str, frozenset[str]]:
        """For each subtask those that it waits for, also by way of others."""
        direct = {subtask.id: subtask.depends_on for subtask in self.subtasks}
        found: dict[str, frozenset[str]] = {}
        for name in direct:
            seen: set[str] = set()
            left = list(direct[name])
            while left:
                if (other := left.pop()) not in seen:
                    seen.add(other)
                    left += direct.get(other, ())
            found[name] = frozenset(seen)
        return found

    # -- scope, avoided -----------------------------------------------------------------------------------------

    def scope(self) -> float | None:
        needed = self.expect.needed
        if needed is None or not self.roots:
            return None
        reach = [_files(self.roots, subtask.scope.places) for subtask in self.subtasks]
        total = sum(sum(sizes.values()) for sizes in reach)
        if not needed or not total:
            return float(not total) if not needed else 1.0
        inside = _files(self.roots, needed).keys()
        if self.expect.shared:
            return sum(size for sizes in reach for place, size in sizes.items() if place in inside) / total
        once = {place: size for sizes in reach for place, size in sizes.items() if place in inside}
        return sum(once.values()) / total

    def forbidden(self) -> str:
        """The first forbidden thing in the plan, for a reader; "" if there is none."""
        for subtask, said in self._told:
            for phrase in self.expect.avoids:
                if _stands(plain(phrase), said):
                    return f"{subtask.id} says {phrase!r}"
            if names := sorted({*self.expect.unused} & {*subtask.scope.tools, *(["web"] * subtask.scope.web)}):
                return f"{subtask.id} has the tool {names[0]}"
            if hit := _touched(self.expect.off_limits, subtask.scope.places):
                return f"{subtask.id} may read {hit}"
        return ""


def forbidden(case: Case, plan: Plan) -> str:
    """The first forbidden thing in a plan, for a reader; "" if there is none."""
    return _Look(case, plan).forbidden()


def _touched(off_limits: Iterable[str], places: Iterable[str]) -> str:
    """The first place that lies at, above or below one that is off limits."""
    for place in places:
        root, path = split_place(place)
        for other in map(split_place, off_limits):
            if root == other[0] and (f"{path}/".startswith(f"{other[1]}/") or f"{other[1]}/".startswith(f"{path}/")):
                return place
            if root == other[0] and not (path and other[1]):
                return place
    return ""


def _files(roots: Mapping[str, Root], places: Iterable[str]) -> dict[str, int]:
    """The files at or below some places, each once, with their sizes; empty ones count a byte."""
    found: dict[str, int] = {}
    for root, path in map(split_place, places):
        try:
            walked = list(roots[root].walk(path)) if root in roots else []
        except FanfoldError:
            continue
        found.update({f"{root}:{file.path}": file.size or 1 for file in walked})
    return found


def _name(item: str) -> str:
    first = next(iter(plain(item).split()), "")
    return first.rstrip("/").replace(":", "/").rpartition("/")[2] or first


def _spans(text: str, order: Sequence[str]) -> frozenset[str]:
    """The items that a span in a text stands for: the two at its ends, and what stands between them in the order."""
    known = {name: n for n, name in enumerate(order)}
    words = text.split()
    for first, mark, last in zip(words, words[1:], words[2:]):  # noqa: B905
        ends = [known.get(word.strip("(),;:")) for word in (first, last)]
        if mark in SPAN and ends[0] is not None and ends[1] is not None:
            return frozenset(order[ends[0] : ends[1] + 1])
    return frozenset()


def _split(text: str) -> Iterable[str]:
    return "".join(char if char.isalnum() else " " for char in text).split()


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
