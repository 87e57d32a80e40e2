"""The fold: where there are more entries than the lead has room for, the worker model selects and merges them.

The entries stand in plan order and are cut into groups of about the same size; each group is one request, which says
what to keep, what says the same, and why. What is kept is grouped again until it fits. Every survivor carries its own
quotes, word for word, and those of whatever was merged into it; what was said of a group goes up beside them. A group
that the model gave no usable answer about is ranked by score, and a remark says so.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from fanfold_server.records import Entry
from fanfold_workers.aside import Aside
from fanfold_workers.errors import ModelError, OverBudgetError, TooLongError

from .carried import Item, fitting, items_of, tokens_of
from .desk import Desk, Unusable, every, reason_of
from .groups import Form, Part, kept_of
from .markdown import counted
from .sheets import note_tokens

FAN = 8
"""A level keeps one in so many at the least: two levels read an eighth more than one."""
NOTES = 8
"""The part of the lead's room that notes may take (one in so many)."""
SPLITS = 3
"""How often a group is halved whose request or answer was too long."""
MAX_REASONS, MAX_STRETCHES = 5, 3


@dataclass(frozen=True, slots=True)
class Folded:
    """What is left for the lead.

    Attributes:
        entries: ranked. Those that nothing was merged into are the very ones that came in.
        notes: what the model said of the groups at the top, the weightiest first, citing findings as `[id]`.
        merged: of each finding of an entry that was merged into a survivor, the id that leads the survivor. What was
            merged into an entry that did not survive is not in it: it is below the cut, as that entry is.
        remarks: short sentences for the report.
    """

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    merged: Mapping[str, str] = field(default_factory=dict[str, str])
    remarks: tuple[str, ...] = ()


async def folded(
    desk: Desk, question: str, entries: Sequence[Entry], order: Mapping[str, int], *, room: int, aside: Aside
) -> Folded:
    """Select and merge entries until they fit the lead's request; nothing is asked where they all do.

    Args:
        desk: whose worker model is asked.
        question: what is to be answered.
        entries: ranked.
        order: the place of every finding in plan order, by id.
        room: tokens, as `count` has them, that the entries (see `sheets`) and the notes may take together.
        aside: where sizing and writing runs.
    """
    items = await aside(lambda: items_of(entries, order))
    if tokens_of(items, room) <= room:
        return Folded(tuple(entries))
    return await _Fold(Form.of(desk, question), room, aside).folded(items)


@dataclass
class _Fold:
    """One fold on its way.

    Attributes:
        form: how requests are made.
        room: see folded.
        aside: where sizing and writing runs.
        stopped: why nothing more is asked, "" while it is.
        failed: stretches of findings that were ranked by score, by why.
        both, unlike: see Kept.
    """

    form: Form
    room: int
    aside: Aside
    stopped: str = ""
    failed: dict[str, list[tuple[Item, ...]]] = field(default_factory=lambda: defaultdict(list))
    both: int = 0
    unlike: int = 0

    async def folded(self, items: list[Item]) -> Folded:
        """Level upon level, until the items fit."""
        most = self.room - self.room // NOTES
        self.stopped = self.form.why_not
        ranked = items
        while (taken := tokens_of(items, self.room)) > most and not self.stopped:
            parts = await self._level(items, max(most / taken, 1 / FAN))
            ranked = await self.aside(partial(self._survivors, parts, max(most, taken // FAN)))
            items = sorted(ranked, key=lambda item: item.order)
        if tokens_of(items, self.room) > most:
            self.failed[self.stopped].append(tuple(items))
            ranked = fitting(sorted(items, key=lambda item: item.standing), most, self.room)
        return self._result(ranked)

    async def _level(self, items: Sequence[Item], ratio: float) -> list[Part]:
        """Ask about all groups at once; those that were too long again, in halves."""
        done: list[Part] = []
        waiting = await self.aside(lambda: self.form.parts(items, ratio))
        for split in range(SPLITS + 1):
            heard = await every(self._heard, waiting)
            last = bool(self.stopped) or split == SPLITS
            done += [part for part in heard if last or not part.long]
            long = [part for part in heard if part.long]
            if last or not long:
                break
            waiting = await self.aside(partial(self._halves, long, ratio))
        return sorted(done, key=lambda part: part.items[0].order)

    def _halves(self, parts: Sequence[Part], ratio: float) -> list[Part]:
        """The parts in halves. Blocking."""
        return list(self.form.halves(parts, ratio))

    async def _heard(self, part: Part) -> Part:
        """The part with its answer, or with why there is none."""
        if part.question is None:
            return part
        try:
            answer = await self.form.desk.answer(part.question)
        except TooLongError as error:
            return replace(part, why=reason_of(error.problem), long=True)
        except ModelError as error:
            return replace(part, why=reason_of(error.problem))
        except OverBudgetError as error:
            # What is left differs from call to call; what helps does not.
            self.stopped = f"the next call might have cost more than is left. {error.remedy}"
            return replace(part, why=self.stopped)
        if isinstance(answer, Unusable):
            told = "the model refused" if answer.refused else "the model gave no usable answer"
            return replace(part, why=f"{told}: {reason_of(answer.problem)}", long=answer.cut)
        return replace(part, answer=answer)

    def _survivors(self, parts: Sequence[Part], most: int) -> list[Item]:
        """What is kept of all parts, the first of each before the second of any, as much as fits. Blocking."""
        placed: list[tuple[int, Item]] = []
        for part in parts:
            kept = kept_of(part, self.form)
            self.both += kept.both
            self.unlike += kept.unlike
            if part.why:
                self.failed[part.why].append(part.items)
            placed += enumerate(kept.items)
        placed.sort(key=lambda one: (one[0], one[1].standing))
        return fitting((item for _, item in placed), most, self.room)

    def _result(self, ranked: Sequence[Item]) -> Folded:
        notes = [item.note for item in ranked if item.note]
        told: list[str] = []
        left = self.room // NOTES
        for note in notes:
            if (size := note_tokens(note)) <= left:
                told.append(note)
                left -= size
        return Folded(
            tuple(item.entry for item in ranked),
            tuple(told),
            {one: item.lead for item in ranked for one in item.away},
            tuple(self._remarks(len(notes) - len(told))),
        )

    def _remarks(self, untold: int) -> Iterator[str]:
        reasons = [(why.rstrip(". "), those) for why, those in self.failed.items()]
        if len(reasons) > MAX_REASONS:
            rest = [items for _, those in reasons[MAX_REASONS - 1 :] for items in those]
            reasons = [*reasons[: MAX_REASONS - 1], ("each stretch for a reason of its own", rest)]
        for why, those in reasons:
            number = len({item.lead for items in those for item in items})
            told = counted(number, "finding was", "findings were")
            yield f"{told} ranked by score, not by a model ({_stretches(those)}): {why}."
        if self.both:
            yield f"{counted(self.both, 'finding was', 'findings were')} both kept and merged: merged it is."
        if self.unlike:
            yield f"{counted(self.unlike, 'merge', 'merges')} of findings that do not say the same did not count."
        if untold:
            yield f"{counted(untold, 'note')} on groups of findings had no room."


def _stretches(those: Sequence[tuple[Item, ...]]) -> str:
    """Which findings these are: from which to which, in plan order."""
    named = [" to ".join(dict.fromkeys((items[0].lead, items[-1].lead))) for items in those]
    more = len(named) - MAX_STRETCHES
    others = f" and {counted(more, 'more stretch', 'more stretches')}" if more > 0 else ""
    return ", ".join(named[:MAX_STRETCHES]) + others
