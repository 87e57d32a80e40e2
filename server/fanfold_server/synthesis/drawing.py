"""Findings drawn from long prose by the worker model: it reads every piece, and code looks up every quote.

Texts are cut into pieces, pieces packed in order into requests, and each piece is read once. A finding stands where
its quote stands; what stands nowhere is left out. Pieces that the model could not read are drawn from by rules, and
so is one sentence of a text in which it saw nothing: no text can talk it out of reading another. Of an answer that
broke off what is whole is kept, and the pieces it did not reach are read again; of pieces that the model refuses, all
but those that it refuses by themselves.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

from fanfold_workers.aside import Aside, stop_if_abandoned
from fanfold_workers.errors import ModelError, OverBudgetError, TooLongError
from fanfold_workers.models.tokens import count
from fanfold_workers.tools.legible import in_line, legible

from .desk import SAFETY, Desk, Question, Unusable, every, prompt
from .draws import Draws, Heard, Piece, Reading, place_of, reached, salvaged
from .hits import Gathering
from .sentences import halves, pieces

REQUEST_TOKENS = 48_000
"""Tokens of the pieces in one request, as counted: instructions are 2 % of that. In much longer ones a model
overlooks what stands in the middle."""
PIECE_TOKENS = 2_000
"""The longest piece: its tags are half a hundredth of it, and a quote in it is soon found."""
TAG_TOKENS = 16
"""The tags around a piece, at most."""
LEAST_TOKENS = 1_000
"""A piece of fewer is cut no further, and where fewer fit nothing is asked."""
MAX_ANSWER, MIN_ANSWER, ANSWER = 12_000, 1_500, 4
"""Tokens of the longest answer; what the shortest piece is given; and the part of a small window that it may take
(one in so many). No answer may be longer than what it is drawn from: one that runs on costs no more than that."""
SEARCH = 24
"""Requests made to find what a model refuses in one, at most: 11 halvings find one piece of the 1,800 that a request
holds where all are short, two requests each; two pieces of the 24 it holds where all are long are found in 18."""
LOT = 4
"""Where as many parts were all refused it is not a piece that the model refuses, and it is asked no further."""
QUESTION = 32
"""The part of a request that the question may take (one in so many); a longer one loses its middle."""

_UNSEEN = r"[\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]*"
_TAGS = re.compile(rf"<(?={_UNSEEN}(?:/{_UNSEEN})?(?:question|p{_UNSEEN}\d))", re.IGNORECASE)
_SOMETHING = re.compile(r"[^\W_]")


async def drawn_by_model(
    desk: Desk,
    question: str,
    texts: Mapping[str, str],
    *,
    max_chars: int,
    beside: frozenset[str] = frozenset(),
    aside: Aside,
) -> Reading:
    """Draw findings from the texts, by id. Where the model cannot be had, rules draw, and a remark says so.

    Args:
        desk: whose worker model reads.
        question: what is to be answered.
        texts: by the name of whoever wrote them, of any length.
        max_chars: the report's size: it decides how much rules draw. The model is not told.
        beside: those whose worker gave findings as well.
        aside: where cutting and looking up runs.
    """
    reader = Reader.at(desk, question)
    requests = await aside(lambda: reader.requests(texts))
    heard = await every(reader.heard, requests)
    return await aside(lambda: Gathering(question, texts, max_chars, beside).reading([*chain.from_iterable(heard)]))


@dataclass(frozen=True, slots=True)
class Reader:
    """Puts pieces before the worker model.

    Attributes:
        desk: where it is asked.
        closing: what stands below the pieces.
        answer: tokens of an answer, at most.
        room: tokens of pieces, with their tags, that one request may hold; nothing is asked below LEAST_TOKENS.
    """

    desk: Desk
    closing: str
    answer: int
    room: int

    @classmethod
    def at(cls, desk: Desk, question: str) -> "Reader":
        """The reader for a question, sized to the worker's window."""
        window = desk.room("worker")
        answer = max(1, min(MAX_ANSWER, desk.card("worker").max_output, window // ANSWER))
        instructions = count(prompt("draw").template) + count(json.dumps(Draws.model_json_schema()))
        free = min(REQUEST_TOKENS, int((window - answer) / SAFETY) - instructions)
        closing = f"<question>\n{_shortened(question, free // QUESTION)}\n</question>"
        return cls(desk, closing, answer, free - count(closing))

    def requests(self, texts: Mapping[str, str], open_: tuple[Piece, ...] = ()) -> list[tuple[Piece, ...]]:
        """The pieces of all texts in order, as many together as one request may hold. Blocking.

        `open_` are the pieces of the last request of the texts before: it may have room for more.
        """
        packed: list[list[Piece]] = []
        left = 0
        most = min(PIECE_TOKENS, self.room - TAG_TOKENS) if self.room >= LEAST_TOKENS else 0
        for piece in chain(open_, _pieces(texts, most)):
            taken = piece.tokens + TAG_TOKENS
            if taken > left:
                packed.append([])
                left = self.room
            packed[-1].append(piece)
            left -= taken
        return [tuple(each) for each in packed]

    async def heard(self, those: tuple[Piece, ...]) -> list[Heard]:
        """What the model drew from the pieces; asked about fewer at a time where it broke off or refused.

        One level of parts after another: which of them are asked about must not depend on which answer comes first.
        """
        done: list[Heard] = []
        waiting, left = [those], SEARCH
        while waiting:
            came = await every(self._answered, waiting)
            lot = len(came) >= LOT and all(one.refused for one in came)
            waiting = list[tuple[Piece, ...]]()
            for one in came:
                parts = one.parts
                if one.refused:
                    parts = [] if lot or len(parts) > left else parts
                    left -= len(parts)
                waiting += parts
                done += [each for each in (one.read, None if parts else one.unread) if each]
        return done

    async def _answered(self, those: tuple[Piece, ...]) -> "_Answered":
        """What the model says of these pieces at once."""
        if self.room < LEAST_TOKENS:
            return _unread(those, f"a window of {self.desk.room('worker'):,} tokens is too small to read in")
        try:
            answer = await self.desk.answer(self.asking(those))
        except TooLongError as error:
            answer = Unusable(error.problem, cut=True)
        except ModelError as error:
            return _unread(those, error.problem)
        except OverBudgetError as error:
            # What is left differs from call to call; what helps does not.
            return _unread(those, f"the next call might have cost more than is left. {error.remedy}")
        if isinstance(answer, Draws):
            return _Answered(read=Heard(those, answer.findings))
        if answer.refused:
            parts = _parts(those) if len(those) > 1 else []
            return replace(_unread(those, f"the model refused: {answer.problem}"), parts=parts, refused=True)
        return _broken_off(those, answer) if answer.cut else _unread(those, answer.problem)

    def asking(self, those: tuple[Piece, ...]) -> Question[Draws]:
        """The question about these pieces."""
        shown = "".join(f"<p{n}>\n{_fenced(piece.text)}\n</p{n}>\n" for n, piece in enumerate(those, 1))
        answer = min(self.answer, max(MIN_ANSWER, sum(piece.tokens for piece in those)))
        check = partial(_strange, len(those))
        return Question("draw", Draws, prompt("draw").template, shown + self.closing, answer, check=check)


@dataclass(frozen=True, slots=True)
class _Answered:
    """What came of one request.

    Attributes:
        read: what was drawn.
        unread: the pieces from which nothing more was drawn, where they are not asked about again.
        parts: of those, what to ask about again.
        refused: whether the model refused.
    """

    read: Heard | None = None
    unread: Heard | None = None
    parts: list[tuple[Piece, ...]] = field(default_factory=list[tuple[Piece, ...]])
    refused: bool = False


def _unread(those: tuple[Piece, ...], why: str) -> _Answered:
    return _Answered(unread=Heard(those, None, why))


def _broken_off(those: tuple[Piece, ...], answer: Unusable) -> _Answered:
    """What an answer that broke off holds, and the pieces that it did not reach.

    They are asked about together if they are half of those at most, else in halves: however little each answer
    reaches, there are no more requests than if nothing were salvaged.
    """
    draws = salvaged(answer.text)
    rest = those[reached(draws, len(those)) :]
    return _Answered(
        read=Heard(those, draws, broken=True) if draws else None,
        unread=Heard(rest, None, answer.problem),
        parts=[rest] if 2 * len(rest) <= len(those) else _parts(rest),
    )


def _strange(known: int, answer: Draws) -> str:
    """What is wrong with an answer most of which is about pieces not shown; one slip is looked up anywhere."""
    strange = [draw.piece for draw in answer.findings if place_of(draw.piece, known) is None]
    if 2 * len(strange) <= len(answer.findings):
        return ""
    return f"there is no piece {in_line(strange[0], 40)}: use p1 to p{known}"


def _seen(text: str) -> str:
    """The text as it is shown, character for character: control codes are none, ends of lines are one newline."""
    return legible(text.replace("\r", " ").replace("\v", " ").replace("\f", "\n"))


def _fenced(text: str) -> str:
    """The text without anything that could pass for a tag of ours."""
    return _TAGS.sub("&lt;", text)


def _weight(text: str) -> int:
    return count(_fenced(text))


def _shortened(question: str, most: int) -> str:
    """The question at most so many tokens long, cut in its middle."""
    text = _fenced(_seen(question)).strip()
    while (size := count(text)) > max(most, 1) and len(text) > 1:
        kept = max(1, min(len(text) * most // size, len(text) - 2) // 2)
        text = f"{text[:kept]}\u2026{text[-kept:]}" if kept > 1 else ""
    return text or "What do these texts say?"


def _pieces(texts: Mapping[str, str], most: int) -> Iterator[Piece]:
    """The pieces of all texts that say anything; a text is one piece where not even that fits."""
    for name, text in texts.items():
        shown = _seen(text)
        for start, end in pieces(shown, most, _weight) if most > 0 else [(0, len(shown))]:
            stop_if_abandoned()
            if _SOMETHING.search(shown, start, end):
                yield _piece(name, start, shown[start:end])


def _piece(name: str, start: int, text: str) -> Piece:
    return Piece(name, start, text, _weight(text))


def _parts(those: tuple[Piece, ...]) -> list[tuple[Piece, ...]]:
    """The pieces in two parts, one piece cut in two; nothing where that goes no further."""
    if len(those) > 1:
        return [those[: len(those) // 2], those[len(those) // 2 :]]
    piece = next(iter(those))
    first, second = halves(piece.text)
    if piece.tokens < LEAST_TOKENS or not second:
        return []
    both = (_piece(piece.name, piece.start, first), _piece(piece.name, piece.start + len(first), second))
    return [(each,) for each in both if _SOMETHING.search(each.text)]
