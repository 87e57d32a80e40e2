"""Whether each item of a task is some subtask's, and no more than one's. See `check` for the codes.

What rules draw up covers its items as it is made, and is not looked at here.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from fanfold_server.records import Problem
from fanfold_workers.contract import Subtask

from .candidate import Candidate
from .items import Item
from .matching import stem
from .naming import Names
from .survey import plain, upwards
from .trouble import error, some, warning
from .twins import alike, meant, words_of

FEW_WORDS = 3
"""An objective of fewer words says too little to tell it from another's."""
_WORD = re.compile(r"[^\W_]+")
_SPACELESS = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
"""Scripts that set no blanks between words."""
_MARKS = str.maketrans({",": "\n", ";": "\n", "\u3001": "\n"})


def coverage(candidate: Candidate) -> Iterator[Problem]:
    """Items that nobody covers, or that several do without saying why."""
    if candidate.by_rules or not candidate.task.items:
        return
    covering = _Covering(candidate)
    for n, name in enumerate(candidate.task.items):
        stated = covering.stated.get(Item(name).key, [])
        if len(stated) > 1:
            yield from _doubly(f"items[{n}]", name, stated)
        elif not stated and not covering.covers(name):
            remedy = "Add a subtask with this `item`, or take it out of `items`."
            yield error("uncovered_item", f"items[{n}]", f"No subtask covers {name!r}.", remedy)


def _doubly(where: str, name: str, stated: Sequence[Subtask]) -> Iterator[Problem]:
    """Several that say they are for one item: an error where nothing tells them apart."""
    pairs = list(combinations(stated[:20], 2))
    if _staged(stated) or all(meant(one, other) for one, other in pairs):
        return
    what = f"{name!r} is covered by {len(stated)} subtasks: {some([subtask.id for subtask in stated])}."
    remedy = "Keep one of them, or leave `items` out if each looks at something else."
    tell = error if any(_indistinct(one, other) for one, other in pairs) else warning
    yield tell("doubly_covered_item", where, what, remedy)


def _indistinct(one: Subtask, other: Subtask) -> bool:
    mine, theirs = words_of(one.objective), words_of(other.objective)
    return min(len(mine), len(theirs)) < FEW_WORDS or alike(mine, theirs)


def _staged(subtasks: Sequence[Subtask]) -> bool:
    """Whether each but the first waits for another of them: stages of one thing, not the same thing twice."""
    ids = {subtask.id for subtask in subtasks}
    return sum(not ids.isdisjoint(subtask.depends_on) for subtask in subtasks) >= len(subtasks) - 1


@dataclass
class _Covering:
    """Which subtasks are for which items."""

    candidate: Candidate

    @cached_property
    def stated(self) -> Mapping[str, list[Subtask]]:
        """Subtasks by the keys of the items they name: one, or a list of several."""
        found: dict[str, list[Subtask]] = {}
        for subtask in self.candidate.subtasks:
            names = (subtask.item, *subtask.item.translate(_MARKS).split("\n"))
            for key in dict.fromkeys(Item(name).key for name in names if name.strip()):
                found.setdefault(key, []).append(subtask)
        return found

    def covers(self, name: str) -> bool:
        """Whether some subtask speaks of the item, or may read what it means and speaks of no item."""
        subtasks = self.candidate.subtasks
        if len(subtasks) == 1 and not subtasks[0].item.strip():
            return True
        return self._mentioned(name) or self._within_reach(name)

    def _mentioned(self, name: str) -> bool:
        """Whether its words stand next to one another in some subtask; without a version at its end, too."""
        if not _words(name) or _SPACELESS.search(name):
            return any(name.casefold() in text for text in self._texts)
        return any(words in self._runs[len(words)] for words in self._spelt(name))

    def _spelt(self, name: str) -> set[tuple[str, ...]]:
        """The words of an item's name; those without a version at its end, too, unless another item shares them."""
        bare = _words(plain(name))
        return {words for words in (_words(name), bare if self._bare[bare] == 1 else ()) if words}

    @cached_property
    def _bare(self) -> Counter[tuple[str, ...]]:
        return Counter(_words(plain(name)) for name in self.candidate.task.items)

    @cached_property
    def _texts(self) -> list[str]:
        return [f"{s.item} {s.title} {s.objective}".casefold() for s in self.candidate.subtasks]

    @cached_property
    def _sizes(self) -> Mapping[int, set[tuple[str, ...]]]:
        """The spellings of all items, by how many words they have."""
        found: dict[int, set[tuple[str, ...]]] = {}
        for words in (words for name in self.candidate.task.items for words in self._spelt(name)):
            found.setdefault(len(words), set()).add(words)
        return found

    @cached_property
    def _runs(self) -> Mapping[int, set[tuple[str, ...]]]:
        """Of the items' spellings those that stand in some subtask."""
        texts = [_words(text) for text in self._texts]
        return {
            size: {run for text in texts for run in _run(text, size)} & names for size, names in self._sizes.items()
        }

    @cached_property
    def _open(self) -> set[str]:
        """Places of the subtasks that speak of no item: they are for all that lies there."""
        return {place for subtask in self._speechless() for place in subtask.scope.places}

    def _speechless(self) -> Iterator[Subtask]:
        for subtask, text in zip(self.candidate.subtasks, self._texts, strict=True):
            words = _words(text)
            if not any(run in names for size, names in self._sizes.items() for run in _run(words, size)):
                yield subtask

    @cached_property
    def _named_places(self) -> set[str]:
        return {place for s in self.candidate.subtasks for place in s.scope.places if ":" in place}

    @cached_property
    def _names(self) -> Names:
        survey = self.candidate.survey
        return Names(survey, self.candidate.task.roots or tuple(sorted(survey.roots)))

    def _within_reach(self, name: str) -> bool:
        """Whether all that the item means is named as a place, or lies where a subtask looks at all there is."""
        if not (self._names.places and (self._open or self._named_places)):
            return False
        found = self._names.find(name)
        return found is not None and all(
            place in self._named_places or not self._open.isdisjoint(upwards(place)) for place in found.places
        )


def _words(text: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in _WORD.findall(text.casefold()))


def _run(words: Sequence[str], size: int) -> Iterable[tuple[str, ...]]:
    return zip(*(words[n:] for n in range(size)), strict=False)
