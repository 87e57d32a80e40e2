"""Cases run through planners: by rules, by a scripted lead, and from its recorded answers."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.workers.models.doubles import Answering

from fanfold_server.evaluation import answers as recorded
from fanfold_server.evaluation.answers import read_answers
from fanfold_server.evaluation.case import Case, cases, chosen
from fanfold_server.evaluation.evaluating import Engine, Judged, evaluated
from fanfold_server.evaluation.kept import Kept, Suite, differences
from fanfold_server.evaluation.minding import Asking, priced, replayed
from fanfold_server.evaluation.scoring import Scores
from fanfold_server.evaluation.summing import summed
from fanfold_server.minds import Minds, Seat
from fanfold_workers.errors import InputError
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, FunctionModel, Reply, Tokens, saying

CARD = Card("scripted", 200_000, 8_000, Price(4, 20, 0.2, 5))
RULES = Engine("rules")
HARBOUR = chosen(cases(), "narrow-gateway-timeout,orders-root-slash")


def leads(mode: str, *subtasks: Mapping[str, Any]) -> str:
    blank = {"boundaries": "", "expected": "", "item": "", "checks": [], "web": False, "depends_on": []}
    blank |= {"objective": "Look.", "places": [], "tools": []}
    return json.dumps(
        {"mode": mode, "reason": "One look.", "assumptions": [], "subtasks": [{**blank, **one} for one in subtasks]}
    )


LOOK = {"title": "The gateway's timeout", "objective": "Find the gateway's timeout and since when it holds."}
TIMEOUT = leads("single", {**LOOK, "places": ["config:gateway.toml", "config:CHANGES.md"], "tools": ["read"]})
PROPOSALS = [
    {
        "title": f"Proposal {name}",
        "objective": f"Say aim, cost and risk of the proposal {name}.",
        "places": [f"work:proposals/{name}.md"],
        "tools": ["read"],
    }
    for name in ("north", "south", "east")
]


async def lead(ask: Ask) -> Reply:
    """A script that plans two cases; the second is not told from the first by anything but its words."""
    said = ask.turns[0].text  # type: ignore[union-attr]
    text = TIMEOUT if "timeout" in said else leads("parallel", *PROPOSALS)
    return saying(text, usage=Tokens(input=1_000, output=100))


def scripted(model: object = None) -> Minds:
    seat = Seat(model or FunctionModel(lead), CARD)  # type: ignore[arg-type]
    return Minds(seat, seat)


def named(results: tuple[Judged, ...]) -> dict[str, Judged]:
    return {one.id: one for one in results}


# -- by rules --------------------------------------------------------------------------------------------------------


async def test_the_whole_suite_by_rules_takes_seconds_and_every_case_comes_to_something() -> None:
    began = time.process_time()
    results = await evaluated(cases(), RULES)

    assert time.process_time() - began < 10
    assert [one.id for one in results] == [case.id for case in cases()]
    assert not [one.id for one in results if one.state == "failed"]
    assert not [one.id for one in results if one.state == "cannot" and not one.expected]
    whole = summed(results)[-1]
    assert whole.kind == "all"
    assert whole.scored + whole.cannot == whole.cases == len(cases())
    assert whole.scored >= 30
    assert (whole.total or 0) > 0.6


async def test_what_rules_cannot_judge_counts_neither_for_nor_against_them() -> None:
    wanted = chosen(cases(), "narrow-python-version,narrow-web-release")
    results = await evaluated(wanted, RULES)

    assert [(one.state, one.expected) for one in results] == [("scored", False), ("cannot", True)]
    assert summed(results)[-1].total == results[0].total


async def test_a_task_that_cannot_be_planned_is_right_to_be_refused() -> None:
    results = named(await evaluated(chosen(cases(), "trick-gone-root,trick-invisible,trick-too-long"), RULES))

    assert results["trick-gone-root"].total == 1
    assert "There is no root called 'repositories'" in results["trick-gone-root"].why
    assert results["trick-invisible"].total == 1
    assert results["trick-too-long"].total == 1
    assert "may have 100,000" in results["trick-too-long"].why


async def test_the_tools_of_other_servers_are_there_to_be_planned_with() -> None:
    shown: list[str] = []

    async def heard(ask: Ask) -> Reply:
        shown.append(ask.turns[0].text)  # type: ignore[union-attr]
        return await lead(ask)

    async with Asking(scripted(FunctionModel(heard)), MemoryJournal()).engine() as engine:
        await evaluated(chosen(cases(), "orders-wrong-tool"), engine)

    assert "billing__refund: Pay a charge back to the customer" in shown[0]


# -- by a lead -------------------------------------------------------------------------------------------------------


async def test_a_lead_s_plans_are_scored_and_its_money_is_counted_in_one_account() -> None:
    asking = Asking(scripted(), MemoryJournal())
    async with asking.engine() as engine:
        results = named(await evaluated(HARBOUR, engine))

    assert engine.name == "model:scripted"
    assert (results["narrow-gateway-timeout"].total, results["narrow-gateway-timeout"].mode) == (1, "single")
    assert results["orders-root-slash"].total > 0.9
    assert await asking.spent() == pytest.approx(2 * (1_000 * 4 + 100 * 20) / 1e6)


async def test_a_lead_that_obeys_the_context_scores_nothing() -> None:
    obeying = Answering(leads("parallel", *({**one, "places": ["work", "private", "public"]} for one in PROPOSALS)))
    obeying.answers = [saying(str(obeying.answers[0]))]
    async with Asking(scripted(obeying), MemoryJournal()).engine() as engine:
        (judged,) = await evaluated(chosen(cases(), "orders-root-slash"), engine)

    assert (judged.total, judged.scores["avoided"]) == (0, 0)
    assert "may read" in judged.why


async def test_a_lead_that_gives_no_plan_scores_nothing_and_a_connection_that_fails_says_nothing_of_it() -> None:
    async with Asking(scripted(Answering(*[saying("I'd rather not.")] * 2)), MemoryJournal()).engine() as engine:
        (useless,) = await evaluated(HARBOUR[:1], engine)
    async with Asking(scripted(Answering(InputError("x"))), MemoryJournal()).engine() as engine:
        (odd,) = await evaluated(HARBOUR[:1], engine)

    assert (useless.state, useless.total) == ("scored", 0)
    assert "gave no plan that can be used" in useless.why
    assert odd.state == "scored"


async def test_all_cases_together_stay_within_what_a_run_may_spend() -> None:
    dear = Seat(FunctionModel(dearly), CARD)  # a plan costs 0.12, and may cost a little over 0.16
    asking = Asking(Minds(dear, dear, max_usd_per_run=0.25), MemoryJournal(), width=1)
    async with asking.engine() as engine:
        results = await evaluated(HARBOUR, engine)

    (failed,) = [one for one in results if one.state == "failed"]
    assert "max_usd_per_run" in failed.why
    assert 0.1 < await asking.spent() < 0.25


async def dearly(ask: Ask) -> Reply:
    return replace(await lead(ask), usage=Tokens(input=1_000, output=6_000))


async def test_the_price_is_told_before_anybody_is_asked() -> None:
    never = Answering()
    price = await priced(HARBOUR, scripted(never))

    assert (price.cases, never.asked) == (2, [])
    assert price.tokens > 2_000
    assert price.likely == pytest.approx((price.tokens * 4 + 2 * 2_000 * 20) / 1e6, abs=1e-5)
    assert price.most > price.likely


# -- recorded answers ------------------------------------------------------------------------------------------------


async def kept_answers(file: Path) -> tuple[Judged, ...]:
    async with Asking(scripted(), MemoryJournal(), file).engine() as engine:
        return await evaluated(HARBOUR, engine)


async def test_recorded_answers_give_the_same_results_without_asking_anybody(tmp_path: Path) -> None:
    before = await kept_answers(tmp_path / "answers.jsonl")
    held = read_answers(tmp_path / "answers.jsonl")

    after = await evaluated(HARBOUR, replayed(held, CARD))

    assert held.model == "scripted"
    assert after == before


async def test_an_answer_to_other_words_is_stale_and_one_that_is_not_there_is_said_to_be_missing(
    tmp_path: Path,
) -> None:
    await kept_answers(tmp_path / "answers.jsonl")
    held = read_answers(tmp_path / "answers.jsonl")
    changed = HARBOUR[0].model_dump(mode="json") | {"context": "The gateway was replaced."}
    changed.pop("asked", None)
    other = chosen(cases(), "trick-a-sum")[0]

    results = await evaluated((Case.model_validate(changed, strict=False), other), replayed(held, CARD))

    assert [one.state for one in results] == ["failed", "failed"]
    assert "stale" in results[0].why
    assert "No answer was recorded" in results[1].why


async def test_a_file_that_holds_no_answers_is_told_by_line(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"model": "m"}\n')

    with pytest.raises(InputError, match=r"--answers: Line 1 is no recorded answer"):
        read_answers(tmp_path / "bad.jsonl")
    with pytest.raises(InputError, match=r"--answers: .* cannot be read"):
        read_answers(tmp_path / "gone.jsonl")


async def test_answers_of_several_models_want_one_to_be_named(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    await kept_answers(file)
    file.write_text(file.read_text() + file.read_text().replace('"scripted"', '"other"'))

    with pytest.raises(InputError, match=r"holds answers of scripted, other\. Say whose with --model"):
        read_answers(file)
    assert read_answers(file, "other").model == "other"


def test_what_is_asked_is_known_by_its_words_and_not_by_how_long_the_answer_may_be() -> None:
    from fanfold_workers.models.model import Said

    short, long = (Ask("Plan.", (Said("this"),), max_tokens=most) for most in (100, 200))
    other = Ask("Plan!", (Said("this"),), max_tokens=100)

    assert recorded.hash_of(short) == recorded.hash_of(long) != recorded.hash_of(other)


# -- the last results ------------------------------------------------------------------------------------------------


def judged(name: str, **scores: float) -> Judged:
    made = Scores(**{"mode": 1.0, "workers": 1.0, **scores})
    return Judged(
        id=name, kind="audit", language="en", state="scored", total=made.total, scores=dict(made.by_name), case="abc"
    )


def test_the_one_case_that_came_out_otherwise_is_named_with_the_score_that_did_it() -> None:
    before = [judged("a"), judged("b"), judged("gone")]
    after = [judged("a"), judged("b", workers=0.5), judged("new")]

    (change,) = differences(before, after)

    assert (change.id, change.before, change.after, change.by) == ("b", 1.0, 0.75, -0.25)
    assert change.scores == {"workers": (1.0, 0.5)}


def test_a_case_that_was_rewritten_or_not_scored_is_named_and_not_called_worse_for_a_score() -> None:
    rewritten = judged("a", workers=0.1).model_copy(update={"case": "other"})
    cannot = Judged(id="b", kind="audit", language="en", state="cannot", case="abc")

    changes = {change.id: change for change in differences([judged("a"), judged("b")], [rewritten, cannot])}

    assert (changes["a"].note, changes["a"].scores) == ("the case was changed", {})
    assert changes["b"].note == "scored became cannot"


def test_results_are_kept_for_each_engine_and_each_case(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "home")
    kept.keep(Suite(engine="rules", results=(judged("a"), judged("b"))))
    kept.keep(Suite(engine="rules", results=(judged("b", workers=0.5),)))
    kept.keep(Suite(engine="model:x/y", results=(judged("a", mode=0.0),)))

    rules, model = kept.last("rules"), kept.last("model:x/y")
    assert rules is not None
    assert model is not None
    assert {one.id: one.total for one in rules.results} == {"a": 1.0, "b": 0.75}
    assert [one.total for one in model.results] == [0.5]
    assert kept.last("model:x_y") is None
