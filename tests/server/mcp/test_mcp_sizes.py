"""Whatever a plan, a run or a report holds, an answer fits: as text and as JSON, each by itself."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold_server.mcp.answers import ROOM, again, clip, room_for
from fanfold_server.mcp.shown import dispatched, planned, shown_page, submitted, synthesized, weightier
from fanfold_server.records import (
    Conflict,
    Coverage,
    Estimate,
    Gap,
    GapKind,
    Mode,
    Plan,
    Problem,
    Report,
    Run,
    RunState,
    Side,
    Task,
)
from fanfold_server.refs import Page
from fanfold_server.submission import Receipt
from fanfold_workers.contract import Evidence, Finding, Scope, Severity, Status, Subtask, Verdict
from fanfold_workers.lenient import Refused

ODD = st.text(alphabet=st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    ['"' * 40, "\\" * 40, "\n\t" * 20, "界" * 40, "👩‍🚀" * 10, "\x00\x1b[31m" * 8, "\u202e" * 40, "x" * 40, ""]
)


@st.composite
def lines(draw: Any, most: int) -> str:
    """Text up to a field's cap, not blank: a drawn piece, repeated."""
    piece = draw(ODD)
    return ("t" + piece * (draw(st.integers(0, most)) // max(1, len(piece))))[:most].strip()


@st.composite
def plans(draw: Any) -> Plan:
    count = draw(st.integers(0, 120))
    title, objective, wide = draw(lines(300)), draw(lines(8_000)), draw(lines(60))
    long_ids = draw(st.booleans())
    places = ("docs:" + wide.replace("\x00", ""),) * draw(st.integers(0, 20))
    subtasks = tuple(
        Subtask(
            id=("i" * 58 if long_ids else "s") + str(n),
            title=title,
            objective=objective,
            scope=Scope(places=places),
            checks=("secrets",) * draw(st.integers(0, 1)) if n < 5 else (),
        )
        for n in range(1, count + 1)
    )
    problem = Problem(level="warning", field=draw(lines(300)), problem=draw(lines(1_000)), remedy=draw(lines(1_000)))
    return Plan(
        id="p-0123456789ab",
        task=Task(task=draw(lines(1_000))),
        mode=draw(st.sampled_from(Mode)),
        reason=draw(lines(5_000)),
        subtasks=subtasks,
        assumptions=(draw(lines(5_000)),) * draw(st.integers(0, 300)),
        problems=(problem,) * draw(st.integers(0, 300)),
        estimate=Estimate(workers=count, tokens_high=10**12, usd_high=1e12, basis=draw(lines(1_000))),
    )


def ours(subtask: Subtask) -> bool:
    return bool(subtask.checks)


@settings(max_examples=60, deadline=None)
@given(plans())
def test_every_plan_fits_and_says_what_was_left_out(plan):
    answer = planned(plan, ours, ())
    assert answer.size() < 10_000
    shown = len(answer.subtasks)
    left_out = [warning for warning in answer.warnings if warning.startswith(f"Only {shown} of ")]
    assert bool(left_out) == (shown < len(plan.subtasks))
    assert answer.refs == (plan.id,)
    assert shown >= min(len(plan.subtasks), 15)


@pytest.mark.parametrize("count", [1, 10, 51, 1_000])
@pytest.mark.parametrize("piece", ['"', "\\", "界", "👩‍🚀", "\x1b[31m", "\u202e", "x", "x y"])
def test_the_fullest_of_plans_fits(count, piece):
    fill = "t" + piece * (90_000 // len(piece))
    subtask = Subtask(
        id="s", title=fill[:300], objective=fill[:8_000], scope=Scope(places=("docs:" + fill[:4_000],) * 500)
    )
    problem = Problem(level="error", field=fill[:300], problem=fill[:1_000], remedy=fill[:1_000])
    plan = Plan(
        id="p-0123456789ab",
        task=Task(task=fill),
        mode=Mode.staged,
        reason=fill[:20_000],
        subtasks=tuple(subtask.model_copy(update={"id": "i" * 60 + str(n)}) for n in range(count)),
        assumptions=(fill[:20_000],) * 1_000,
        problems=(problem,) * 1_000,
        estimate=Estimate(workers=count, basis=fill[:1_000]),
    )
    answer = planned(plan, ours, ("w" * 80,))
    assert answer.size() < 10_000
    assert len(answer.subtasks) >= min(count, 15)


def test_fifty_subtasks_with_ordinary_titles_are_all_shown():
    subtasks = tuple(
        Subtask(id=f"s{n}", title=f"Audit the repository number {n} for secrets", objective="x" * 2_000)
        for n in range(1, 51)
    )
    plan = Plan(
        id="p-0123456789ab",
        task=Task(task="x"),
        mode=Mode.parallel,
        reason="Fifty repositories.",
        subtasks=subtasks,
        estimate=Estimate(workers=50),
    )
    answer = planned(plan, ours, ())
    assert [piece.id for piece in answer.subtasks] == [f"s{n}" for n in range(1, 51)]
    assert answer.subtasks[0].worker_prompt.endswith("p-0123456789ab/s1')")
    assert answer.size() < 10_000


@st.composite
def findings(draw: Any) -> list[Finding]:
    finding = Finding(
        id="i" * 64 + ".1",
        subject=draw(lines(300)),
        claim=draw(lines(2_000)),
        severity=draw(st.sampled_from(Severity)),
        evidence=(
            Evidence(
                source="docs:" + draw(lines(4_000)),
                quote=draw(lines(2_000)),
                verdict=draw(st.sampled_from(Verdict)),
                actual=draw(lines(2_000)),
            ),
        )
        * draw(st.integers(0, 20)),
    )
    return [finding.model_copy(update={"id": f"{finding.id}{n}"}) for n in range(draw(st.integers(0, 30)))]


@settings(max_examples=40, deadline=None)
@given(plans(), findings(), st.sampled_from(RunState))
def test_every_run_fits(plan, found, state):
    names = tuple(subtask.id for subtask in plan.subtasks)
    waiting = () if state is RunState.done else names
    if state is RunState.waiting and not any(not ours(subtask) for subtask in plan.subtasks):
        return
    run = Run(
        id="r-0123456789ab",
        plan=plan.id,
        state=state,
        total=len(names),
        counts=dict.fromkeys(Status, 10_000),
        waiting_for=waiting,
    )
    same = again("dispatch", {"plan_id": plan.id, "wait_seconds": 3_600, "retry": True})
    answer = dispatched(plan, run, ours, engine="e" * 100, found=weightier((), found), eta=10**9, again=same)
    assert answer.size() < 4_000


@settings(max_examples=40, deadline=None)
@given(findings(), st.lists(st.builds(Refused, field=lines(500), problem=lines(5_000)), max_size=50))
def test_every_receipt_fits(found, refused):
    answer = submitted("p-0123456789ab", "s1", Receipt(tuple(found), tuple(refused), None))
    assert answer.size() < 10_000
    assert (answer.accepted, answer.refused_total) == (len(found), len(refused))


def report_of(markdown: str, short: str, long: str, many: int, max_chars: int) -> Report:
    side = Side(value=long, findings=("s1.1",), support=3, weight=1.0)
    return Report(
        id="s-0123456789ab",
        question="?",
        engine="host",
        headline=long,
        markdown=markdown[:max_chars],
        entries=(),
        conflicts=(Conflict(subject=short, attribute=short[:100], sides=(side,) * 5, settled=long),) * many,
        gaps=(Gap(kind=GapKind.unanswered, subtask=short, others=(short,) * 5, gap=long),) * many,
        coverage=Coverage(
            findings=many,
            cited=many,
            merged=0,
            below_cut=0,
            unsupported=0,
            context=0,
            quotes=dict.fromkeys(Verdict, 9),
        ),
        reliability=(),
        ledger=(),
        max_chars=max_chars,
    )


DONE = Run(id="r-0123456789ab", plan="p-0123456789ab", state=RunState.done, total=1, counts={})


@settings(max_examples=40, deadline=None)
@given(lines(300), lines(2_000), lines(40_000), st.integers(0, 200), st.integers(500, 60_000))
def test_every_report_fits_or_says_where_it_goes_on(short, long, markdown, many, max_chars):
    report = report_of(markdown, short, long, many, max_chars)
    answer = synthesized(report, DONE, max_chars=max_chars, warnings=(), after=None)
    assert answer.size() <= room_for(max_chars)
    assert answer.size() < 10_000 or max_chars > 8_000
    assert (answer.conflicts_total, answer.gaps_total) == (many, many)
    assert answer.report == report.markdown or f"read {report.id} from offset " in answer.report


@pytest.mark.parametrize(
    ("mark", "kept"), [("x", 8_000), ("x\n", 5_500), ('"', 4_000), ("\x1b", 1_000), ("界", 8_000)]
)
def test_a_report_that_weighs_too_much_is_cut_where_read_goes_on(mark, kept):
    report = report_of(mark * 8_000, "short", "long", 50, 8_000)
    answer = synthesized(report, DONE, max_chars=8_000, warnings=(), after=None)
    shown, _, rest = answer.report.partition("\n…\n[")
    assert kept <= len(shown) <= 8_000
    assert report.markdown.startswith(shown)
    assert rest in ("", f"{8_000 - len(shown)} more characters: read {report.id} from offset {len(shown)}]")
    assert answer.size() <= ROOM


@given(lines(40_000), st.integers(10, 400))
def test_a_clip_is_one_line_of_so_many_characters(text, most):
    line = clip(text, most)
    assert len(json.dumps(line, ensure_ascii=False)) <= most + 2
    assert not any(c in line for c in "\n\r\t\x00\x1b\u2028\u202e")
    assert line == text or line.endswith("…") or line == clip(line, most)


@pytest.mark.parametrize("find", ["", "q" * 500])
def test_what_goes_on_reading_keeps_the_words_looked_for(find):
    page = Page("r-1/s1", "text", 0, 90_000, 8_000, 3 if find else None)
    answer = shown_page(page, 20_000, find)
    assert answer.next
    assert answer.next.arguments == {"ref": "r-1/s1", "offset": 8_000, "limit": 20_000} | (
        {"find": find} if find else {}
    )
    assert ROOM < 10_000
