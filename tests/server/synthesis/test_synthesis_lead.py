"""The lead's report: held to what was found, whatever the model writes."""

import json

import pytest
from tests.workers.models.doubles import Answering

from fanfold_server.records import Disposition, Report
from fanfold_server.synthesis import Desk, ModelComposer, synthesize
from fanfold_workers.aside import inline
from fanfold_workers.contract import Evidence, Finding, Result, Scope, Subtask
from fanfold_workers.errors import BusyError, RejectedError
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, FunctionModel, Reply, saying
from fanfold_workers.models.tokens import ask_tokens
from fanfold_workers.tools.roots import MemoryRoot

CARD = Card("simulated", 200_000, 8_000, Price(4, 20, 0.2, 5))
ROOTS = {"r": MemoryRoot("r", {"a.py": "TIMEOUT = 30\n", "b.py": "TIMEOUT = 60\n"})}
SUBTASKS = [Subtask(id=f"s{n}", title=f"part {n}", objective="o", scope=Scope(places=("r",))) for n in (1, 2, 3)]


def found(subtask: str, source: str, quote: str, value: str) -> Result:
    evidence = (Evidence(source=source, locator="L1", quote=quote),)
    claim = f"It waits {value} s."
    finding = Finding(
        subject=source, claim=claim, attribute="timeout", value=value, confidence=0.9, evidence=evidence
    )
    return Result.ended(subtask, findings=(finding,))


RESULTS = [
    found("s1", "r:a.py", "TIMEOUT = 30", "30"),
    found("s2", "r:b.py", "TIMEOUT = 60", "60"),
    found("s3", "r:b.py", "they never wait for anything", "999"),
]


class Lead(Answering):
    """A model that writes these answers, one after another."""

    async def report(self, results: list[Result] = RESULTS, max_chars: int = 4_000) -> Report:
        composer = ModelComposer(Desk(self, CARD, CARD, "r-1/calls", ()), inline)
        question = "How long do they wait?"
        return await synthesize(
            question, SUBTASKS, results, ROOTS, max_chars=max_chars, aside=inline, composer=composer
        )


GOOD = {"headline": "Half a minute to a minute [s1.1].", "answer": "a.py waits 30 s [s1.1]; b.py waits 60 s [s2.1]."}


async def test_the_leads_answer_stands_in_the_report_with_what_code_knows_below_it():
    report = await Lead(GOOD).report()
    assert report.engine == "model:simulated"
    assert report.headline == "Half a minute to a minute."
    assert "a.py waits 30 s [s1.1]; b.py waits 60 s [s2.1]." in report.markdown
    assert "Quotes: 2 of 3 stand in their sources, 1 missing." in report.markdown
    assert "Engine: model:simulated, held to the findings by code." in report.markdown
    fates = {line.finding: line.disposition for line in report.ledger}
    assert fates == {"s1.1": Disposition.cited, "s2.1": Disposition.cited, "s3.1": Disposition.unsupported}


async def test_the_lead_sees_the_findings_with_their_ids_and_the_size_that_is_wanted():
    lead = Lead(GOOD)
    await lead.report(max_chars=3_000)
    (ask,) = lead.asked
    shown = ask.turns[0].text  # type: ignore[union-attr]
    assert (ask.role, bool(ask.schema)) == ("lead", True)
    assert "How long do they wait?" in shown
    assert all(f"[{name}]" in shown for name in ("s1.1", "s2.1"))
    assert "At most 1,980 characters of answer." in shown


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (GOOD | {"answer": "It waits [s9.9]."}, "it cites findings that do not exist: s9.9"),
        (GOOD | {"answer": "It waits 999 s [s3.1]."}, "it cites findings that do not exist: s3.1"),
        ({"headline": "Long.", "answer": "They wait."}, "it cites no finding"),
        (GOOD | {"answer": "x" * 5_000}, "its answer has 5,000 characters, more than 2,640."),
        ({"answer": "They wait [s1.1]."}, "headline: Field required."),
        (saying('{"headline": ', stop="max_tokens"), "it broke off"),
    ],
)
async def test_what_cannot_be_used_is_put_right_once(bad: object, why: str):
    lead = Lead(bad, GOOD)
    report = await lead.report()
    assert why in lead.asked[1].turns[-1].text  # type: ignore[union-attr]
    assert report.engine == "model:simulated"


async def test_what_cannot_be_used_twice_is_written_by_rules_and_says_so():
    forged = GOOD | {"answer": "All is well [s9.9]."}
    report = await Lead(forged, forged).report()
    assert report.engine == "rules"
    assert "wrote nothing that could be used (it cites findings that do not exist: s9.9); ranked by rules." in (
        report.markdown
    )
    assert "All is well" not in report.markdown
    assert len(report.markdown) <= 4_000


async def test_over_nothing_the_lead_is_not_asked():
    lead = Lead()
    report = await lead.report([RESULTS[2]])
    assert lead.asked == []
    assert report.engine == "rules"
    assert "Nothing can be said" in report.markdown


async def test_a_lead_that_refuses_or_cannot_be_had_is_an_error_and_no_report():
    with pytest.raises(RejectedError, match=r'compose: The model refused .* Ask for compose="rules"'):
        await Lead(saying("No.", stop="refusal")).report()
    with pytest.raises(BusyError):
        await Lead(BusyError("It asks to wait.")).report()


async def test_the_smallest_report_still_holds():
    short = {"headline": "30 s [s1.1].", "answer": "30 s [s1.1]."}
    assert len((await Lead(short).report(max_chars=500)).markdown) <= 500


@pytest.mark.parametrize("window", [8_000, 16_000, 200_000])
@pytest.mark.parametrize("word", ["wait ", "\u5f85\u3064", "\U0001f552"])
async def test_whatever_was_found_fits_the_leads_window(window: int, word: str):
    findings = tuple(
        Finding(subject=f"s{n}", claim=word * 60 + str(n), attribute="timeout", value=word * 20 + str(n % 7))
        for n in range(60)
    )
    results = [
        Result.ended(f"s{n}", findings=findings, gaps=tuple(f"{word * 40}{k}"[:290] for k in range(100)))
        for n in range(1, 4)
    ]
    asked: list[Ask] = []

    async def ask(one: Ask) -> Reply:
        asked.append(one)
        kept = {"keep": ["f1"], "merge": [], "text": ""}
        return saying(json.dumps(GOOD if one.role == "lead" else kept))

    card = Card("small", window, 8_000, Price(4, 20, 0.2, 5))
    desk = Desk(FunctionModel(ask), card, card, "r-1/calls", ())
    report = await synthesize(
        word * 4_000, SUBTASKS, results, ROOTS, aside=inline, composer=ModelComposer(desk, inline), desk=desk
    )
    assert any(one.role == "lead" for one in asked)
    assert max(ask_tokens(one) + one.max_tokens for one in asked) <= window
    assert len(report.ledger) == 180
