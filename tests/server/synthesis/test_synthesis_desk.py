"""Where synthesis asks its models: once, held to a form, and kept by what was asked."""

from dataclasses import replace

import pytest
from pydantic import BaseModel
from tests.workers.models.doubles import Answering

from fanfold_server.synthesis.desk import UNUSABLE, Desk, Question, Unusable, every, reason_of
from fanfold_workers.errors import FaultError, JournalError
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import saying

CARD = Card("simulated", 200_000, 8_000, Price(4, 20, 0.2, 5))


class Picks(BaseModel):
    """An answer that picks a number."""

    number: int


class Scripted(Answering):
    """A model that gives these answers, one after another."""

    def desk(self, journal: MemoryJournal | None = None) -> Desk:
        return Desk(self, CARD, CARD, "r-1/calls", (), journal)


def picking(**changes: object) -> Question[Picks]:
    question = Question(
        "fold", Picks, "Pick.", "One of 1 to 9.", 1_000, check=lambda p: "" if p.number < 10 else "big"
    )
    return replace(question, **changes)


async def test_a_question_is_asked_once_and_kept_by_what_was_asked():
    journal, model = MemoryJournal(), Scripted({"number": 1}, {"number": 2})
    desk = model.desk(journal)
    first, again = [await desk.answer(picking()) for _ in range(2)]
    other = await desk.answer(picking(said="One of 2 to 9."))
    assert (first, again, other) == (Picks(number=1), Picks(number=1), Picks(number=2))
    assert [(ask.role, bool(ask.schema), ask.shared) for ask in model.asked] == [("worker", True, True)] * 2


@pytest.mark.parametrize("bad", [{"number": 12}, {"figure": 1}, "text"])
async def test_what_does_not_fit_is_asked_for_once_more_with_the_reason(bad: object):
    model = Scripted(bad, {"number": 3})
    assert await model.desk().answer(picking()) == Picks(number=3)
    assert "That answer cannot be used: " in model.asked[1].turns[-1].text  # type: ignore[union-attr]


async def test_what_does_not_fit_twice_is_unusable_and_stays_so():
    journal, model = MemoryJournal(), Scripted({"number": 12}, {"number": 13})
    found = [await model.desk(journal).answer(picking()) for _ in range(2)]
    assert found == [Unusable("big", text='{"number": 13}')] * 2
    assert len(model.asked) == 2


async def test_an_answer_that_broke_off_is_not_asked_for_again_unless_it_cannot_be_asked_in_parts():
    broken = saying('{"num', stop="max_tokens")
    model = Scripted(broken, broken, {"number": 4})
    assert await model.desk().answer(picking()) == Unusable(
        "it broke off at its greatest length", cut=True, text='{"num'
    )
    assert await model.desk().answer(picking(whole=True)) == Picks(number=4)


async def test_a_refusal_is_told_as_one_and_an_error_is_not_kept():
    model = Scripted(saying("I would rather not.", stop="refusal"), FaultError("It broke."), {"number": 5})
    journal = MemoryJournal()
    assert await model.desk(journal).answer(picking()) == Unusable(
        "I would rather not.", refused=True, text="I would rather not."
    )
    other = picking(said="Else.")
    with pytest.raises(FaultError):
        await model.desk(journal).answer(other)
    assert await model.desk(journal).answer(other) == Picks(number=5)


class Older(MemoryJournal):
    """Keeps what cannot be used as it was kept before it had what was said."""

    async def record(self, key: str, value: str, /) -> bool:
        return await super().record(
            key, value.partition(', "text"')[0] + "}" if value.startswith(UNUSABLE) else value
        )


@pytest.mark.parametrize(("journal", "text"), [(MemoryJournal(), '{"num\ud83d'), (Older(), "")])
async def test_what_an_answer_said_before_it_broke_off_is_kept_and_records_without_it_still_read(
    journal: MemoryJournal, text: str
):
    model = Scripted(saying('{"num\ud83d', stop="max_tokens"))
    _, again = [await model.desk(journal).answer(picking()) for _ in range(2)]
    assert again == Unusable("it broke off at its greatest length", cut=True, text=text)


def test_a_question_knows_what_it_takes_at_worst():
    small, large = picking(), picking(said="word " * 10_000)
    assert small.tokens > small.max_tokens
    assert large.tokens - small.tokens > 10_000


async def test_an_error_of_ours_among_many_questions_comes_out_as_itself_and_a_bug_does_not():
    async def failing(error: Exception) -> None:
        raise error

    async def nested(error: Exception) -> None:
        await every(failing, [error])

    full = JournalError("The disk is full.", field="journal", remedy="Make room.")
    for work in (failing, nested):
        with pytest.raises(JournalError, match="The disk is full"):
            await every(work, [full])
    with pytest.RaisesGroup(ZeroDivisionError):
        await every(failing, [ZeroDivisionError()])
    with pytest.RaisesGroup(JournalError, ZeroDivisionError):
        await every(failing, [full, ZeroDivisionError()])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("# No\n\n## Never", "No Never"),
        ("See [x](http://evil) ![y](z) <p1> </question>", "See x(http://evil) !y(z) p1 /question"),
        ("`a` **b** ~~c~~ | d | _e_ &lt;f&#91;", "'a' b c d e lt;f#91;"),
        ("\u202eright\u202c\x1b[31m \u200bleft\ud800", "right31m left\ufffd"),
        ("Raise FANFOLD_MAX_USD to $5, see issue #12.", "Raise FANFOLD_MAX_USD to $5, see issue #12."),
        ("z" * 300, "z" * 199 + "\u2026"),
    ],
)
def test_a_reason_is_told_in_one_short_line_without_markup(said: str, told: str):
    assert reason_of(said) == told
