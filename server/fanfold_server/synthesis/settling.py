"""Conflicts that no rule settles are put to the lead, with the claims and the quotes of all sides in view.

What it may say is which of the sides it was shown is right, or that all of them are, and why; anything else is asked
for once more, then the conflict stays open. No words of a worker or a source can add a side, take one away, or move a
finding.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fanfold_server.records import Side
from fanfold_workers.aside import Aside
from fanfold_workers.contract import Evidence, Verdict
from fanfold_workers.errors import ModelError, OverBudgetError, TooLongError

from .conflicts import Dispute, Disputes
from .desk import Desk, Question, Unusable, every, prompt, reason_of
from .markdown import clean, counted, cut, shown
from .weigh import Noted, unsupported

MAX_ASKED = 200
"""Conflicts put to the lead, the weightiest first; the rest stay open."""
TARGET_TOKENS = 24_000
"""Tokens of a request and its answer: some twenty conflicts. In much longer ones sides are mixed up."""
MAX_TOGETHER = 20
"""Conflicts in one request."""
ANSWER_TOKENS, ANSWER_BASE = 200, 2_000
"""Tokens of an answer: for each conflict, and for thinking before the first."""
MAX_REASON_CHARS = 600
MAX_QUESTION_CHARS = 2_000
BOTH = "both"
"""In place of a side's letter: all of them hold."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_TAGS = re.compile(r"<(?=\W*(?:question|conflicts?)\b)", re.IGNORECASE)
_SAID = {
    Verdict.verified: "stands in its source",
    Verdict.moved: "stands elsewhere in its source",
    Verdict.altered: "its source reads otherwise",
    Verdict.missing: "nowhere in its source",
    Verdict.unchecked: "could not be looked up",
}


SIDE = "The letter of the side that is right; both if all hold, of different things; empty to leave it open."


def _folded(text: str) -> str:
    name = text.strip().casefold().removeprefix("side ")
    return BOTH if name in {"all", "all sides", "both sides"} else name


Folded = Annotated[str, AfterValidator(_folded)]


class Settlement(BaseModel):
    """What the lead says of one conflict."""

    model_config = ConfigDict(extra="ignore")

    conflict: Annotated[Folded, Field(description="Which conflict, as c1.")]
    side: Annotated[Folded, Field(description=SIDE)] = ""
    reason: Annotated[str, Field(description="What decided it, in one or two sentences.")]


class Settles(BaseModel):
    """What the lead says of the conflicts it was shown."""

    model_config = ConfigDict(extra="ignore")

    settlements: list[Settlement]


@dataclass(frozen=True, slots=True)
class Settled:
    """What the lead made of the conflicts.

    Attributes:
        disputes: all, those that it settled with the side it believes first.
        remarks: what could not be put to it, a sentence each.
    """

    disputes: Disputes
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of a conflict is shown.

    Attributes:
        sides: of a conflict; findings: of a side; quotes: of a finding.
        chars: of a claim or a quote.
    """

    sides: int
    findings: int
    quotes: int
    chars: int


DETAILS = (Detail(8, 3, 2, 600), Detail(4, 1, 1, 300), Detail(2, 1, 1, 120))
"""As much as fits: the first, or where the window is too small for one conflict in that, the next."""


@dataclass(frozen=True, slots=True)
class _Put:
    """A conflict as it is shown, its first sides if there are too many; and its place among all."""

    place: int
    dispute: Dispute
    detail: Detail

    def text(self, alias: str) -> str:
        """What the lead sees of it."""
        conflict = self.dispute.conflict
        about = f"{conflict.subject}, {conflict.attribute}" if conflict.attribute else conflict.subject
        lines = [f'<conflict id="{alias}">', f"about: {_plain(about, 400)}"]
        for n, letter in enumerate(self.letters):
            lines += _side(letter, conflict.sides[n], self.dispute.sides[n], self.detail)
        if more := len(self.dispute.sides) - len(self.letters):
            lines.append(f"and {more} further sides that are not shown")
        return "\n".join((*lines, "</conflict>"))

    @property
    def letters(self) -> str:
        """One for each side that is shown."""
        return _LETTERS[: min(self.detail.sides, len(self.dispute.sides))]

    @property
    def choices(self) -> str:
        """Letters of the sides that may be chosen: not those whose quotes are all nowhere."""
        sides = zip(self.letters, self.dispute.sides, strict=False)
        return "".join(letter for letter, side in sides if _may_be_chosen(side))

    @property
    def may_be(self) -> tuple[str, ...]:
        """What may be said of it; that all sides hold only where all are shown, and any may be chosen."""
        every_side = len(self.choices) == len(self.dispute.sides)
        return (*self.choices, BOTH) if every_side else (*self.choices,)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What was said of some conflicts: those it settled, by place; how many it did not speak of, and why."""

    settled: Mapping[int, Dispute]
    unasked: int = 0
    problem: str = ""


async def settled(desk: Desk, question: str, disputes: Disputes, *, aside: Aside) -> Settled:
    """Put open conflicts to the lead, several at a time. Those that it cannot be asked about stay open.

    Args:
        desk: whose lead is asked.
        question: what is to be answered.
        disputes: all conflicts, with their findings; only open ones are asked about.
        aside: where requests are put together.
    """
    lead = Lead(desk, question)
    open_ = [n for n, dispute in enumerate(disputes.disputes) if not dispute.conflict.settled]
    asked = {
        n: disputes.disputes[n] for n in open_[:MAX_ASKED] if any(map(_may_be_chosen, disputes.disputes[n].sides))
    }
    requests, unfit = await aside(lambda: lead.requests(asked))
    heard = await every(lead.heard, requests)
    now = dict(enumerate(disputes.disputes)) | dict(chain.from_iterable(each.settled.items() for each in heard))
    ranked = await aside(lambda: Disputes.ranked(now.values()))
    return Settled(ranked, tuple(_remarks(desk, heard, unfit, len(open_) - MAX_ASKED)))


def _remarks(desk: Desk, heard: Sequence[_Heard], unfit: int, over: int) -> Iterator[str]:
    if over > 0:
        yield f"{counted(over, 'conflict')} of little weight stayed open: at most {MAX_ASKED} are put to the lead."
    if unfit:
        window = f"a window of {desk.room('lead'):,} tokens is too small to show them"
        yield f"{counted(unfit, 'conflict')} stayed open: {window}."
    problems = dict.fromkeys(each.problem for each in heard if each.problem)
    for problem in problems:
        count = sum(each.unasked for each in heard if each.problem == problem)
        told = reason_of(problem).rstrip(".")
        yield f"{counted(count, 'conflict')} stayed open, since the lead did not settle them: {told}."


@dataclass(frozen=True, slots=True)
class Lead:
    """Puts conflicts before the lead.

    Attributes:
        desk: where it is asked.
        question: what is to be answered.
    """

    desk: Desk
    question: str

    def requests(self, disputes: Mapping[int, Dispute]) -> tuple[list[tuple[_Put, ...]], int]:
        """The conflicts in order, as many together as one request may hold; and how many fit none. Blocking."""
        packed: list[tuple[_Put, ...]] = []
        unfit = 0
        for place, dispute in disputes.items():
            put = next((put for detail in DETAILS if self.fits(put := _Put(place, dispute, detail))), None)
            if put is None:
                unfit += 1
            elif packed and len(packed[-1]) < MAX_TOGETHER and self.fits(*packed[-1], put):
                packed[-1] = (*packed[-1], put)
            else:
                packed.append((put,))
        return packed, unfit

    def fits(self, *those: _Put) -> bool:
        """Whether these can be asked about in one request."""
        return self.asking(those).tokens <= min(TARGET_TOKENS, self.desk.room("lead"))

    def asking(self, those: Sequence[_Put]) -> Question[Settles]:
        """The question about these conflicts."""
        named = {f"c{n}": put for n, put in enumerate(those, 1)}
        asked = f"<question>\n{_plain(self.question, MAX_QUESTION_CHARS)}\n</question>"
        shown_ = "\n".join(put.text(alias) for alias, put in named.items())
        answer = ANSWER_BASE + ANSWER_TOKENS * len(those)
        most = max(1, min(answer, self.desk.card("lead").max_output, self.desk.room("lead") // 4))
        return Question(
            name="settle",
            kind=Settles,
            system=prompt("settle").template,
            said=f"{asked}\n<conflicts>\n{shown_}\n</conflicts>",
            max_tokens=most,
            role="lead",
            check=partial(_strange, {alias: put.may_be for alias, put in named.items()}),
        )

    async def heard(self, those: Sequence[_Put]) -> _Heard:
        """What it says of these; asked about fewer at a time where that is too much for it."""
        try:
            answer = await self.desk.answer(self.asking(those))
        except TooLongError as error:
            answer = Unusable(error.problem, cut=True)
        except ModelError as error:
            return _Heard({}, len(those), error.problem)
        except OverBudgetError as error:
            # What is left differs from call to call; what helps does not.
            return _Heard({}, len(those), f"the next call might have cost more than is left. {error.remedy}")
        if isinstance(answer, Settles):
            silent = len(those) - len(answer.settlements)
            return _Heard(self._settled(those, answer), silent, "it said nothing of them" if silent else "")
        if answer.cut and len(those) > 1:
            half = len(those) // 2
            return _together(await every(self.heard, (those[:half], those[half:])))
        return _Heard({}, len(those), answer.problem)

    def _settled(self, those: Sequence[_Put], answer: Settles) -> Mapping[int, Dispute]:
        by = self.desk.card("lead").model
        named = {f"c{n}": put for n, put in enumerate(those, 1)}
        return {
            named[one.conflict].place: _decided(named[one.conflict].dispute, one, by)
            for one in answer.settlements
            if one.side
        }


def _decided(dispute: Dispute, one: Settlement, by: str) -> Dispute:
    reason = cut(clean(one.reason), MAX_REASON_CHARS)
    if one.side == BOTH:
        which = "both sides hold" if len(dispute.sides) == 2 else "all sides hold"
        return dispute.holding(f"settled by {by}, {which}: {reason}")
    return dispute.believing(_LETTERS.index(one.side), f"settled by {by}: {reason}")


def _together(heard: Sequence[_Heard]) -> _Heard:
    problems = dict.fromkeys(each.problem for each in heard if each.problem)
    settled = dict(chain.from_iterable(each.settled.items() for each in heard))
    return _Heard(settled, sum(each.unasked for each in heard), "; ".join(problems))


def _strange(known: Mapping[str, Sequence[str]], answer: Settles) -> str:
    """What is wrong with an answer: a conflict or side that was not shown, one twice, one without a reason."""
    seen = set[str]()
    for one in answer.settlements:
        name = cut(clean(one.conflict), 20)
        if one.conflict not in known:
            return f"there is no conflict {name}: use c1 to c{len(known)}"
        if one.conflict in seen:
            return f"{name} is settled twice"
        if one.side and one.side not in known[one.conflict]:
            choices = ", ".join(known[one.conflict])
            return f"{name} has no side {cut(clean(one.side), 20)} to choose: use {choices}, or leave it empty"
        if one.side and not clean(one.reason):
            return f"{name} is settled without a reason"
        seen.add(one.conflict)
    return ""


def _may_be_chosen(side: Sequence[Noted]) -> bool:
    return not all(unsupported(one.finding) for one in side)


def _side(letter: str, stated: Side, side: Sequence[Noted], detail: Detail) -> Iterator[str]:
    """A side in lines: its weightiest claims, each of another worker, with their quotes."""
    barred = "" if _may_be_chosen(side) else "; not to be chosen"
    yield f"side {letter}, of {counted(stated.support, 'worker')}, weight {stated.weight:.2f}{barred}:"
    ranked = sorted(side, key=lambda one: (-one.weight, one.order))
    first = list({one.subtask: one for one in reversed(ranked)}.values())[::-1]
    for one in sorted(first, key=lambda one: (-one.weight, one.order))[: detail.findings]:
        value = f" ({_plain(one.finding.value, detail.chars)})" if one.finding.value.strip() else ""
        yield f"- weight {one.weight:.2f}: {_plain(one.finding.claim, detail.chars)}{value}"
        for evidence in [e for e in one.finding.evidence if e.quote][: detail.quotes]:
            yield f"  {_quote(evidence, detail.chars)}"


def _quote(evidence: Evidence, most: int) -> str:
    where = _plain(f"{evidence.source} {evidence.locator}".strip(), 200)
    actual = f', which has "{_plain(evidence.actual, most)}"' if evidence.actual else ""
    return f'{where} ({_SAID[evidence.verdict]}{actual}): "{_plain(evidence.quote, most)}"'


def _plain(text: str, most: int) -> str:
    """A stranger's text in one line, in which no tag of ours can stand."""
    return _TAGS.sub("&lt;", cut(shown(text), most))
