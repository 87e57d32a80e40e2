"""What the lead writes is held to what it cites: citations that say nothing do not count, figures stand somewhere."""

# ruff: noqa: E501  (a finding a line)

import json

import pytest
from tests.workers.models.doubles import Answering

from fanfold_server.records import (
    Cited,
    Coverage,
    Disposition,
    Entry,
    LedgerLine,
    Report,
)
from fanfold_server.synthesis import Brief, Desk, ModelComposer, synthesize
from fanfold_server.synthesis.desk import SAFETY
from fanfold_server.synthesis.faithful import Held, Judged
from fanfold_server.synthesis.figures import Known, figures
from fanfold_workers.aside import inline
from fanfold_workers.contract import Evidence, Finding, Result, Severity, Verdict
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, FunctionModel, Reply, saying
from fanfold_workers.models.tokens import ask_tokens

CARD = Card("simulated", 200_000, 8_000, Price(4, 20, 0.2, 5))
FOUND = {
    "a.1": ("requests", "requests is pinned to 2.19.1, which has CVE-2018-18074", "r:app/requirements.txt", "requests==2.19.1"),
    "a.2": ("imp", "app/loader.py imports imp, which Python 3.12 removes", "r:app/loader.py", "import imp"),
    "a.3": ("app/db.py", "The connection timeout is 30 seconds", "r:app/db.py", "TIMEOUT = 30"),
    "b.1": ("secrets.key", "An AWS access key is committed in config/prod.env", "r:config/prod.env", "AKIA****"),
    "b.2": ("tests", "14 of 37 modules have no test", "r:web", "no test names web/api.py"),
    "b.3": ("web/api.py", "Requests without a token are accepted by the upload endpoint", "r:web/api.py", "if not token: pass"),
    "c.1": ("get_event_loop", "asyncio.get_event_loop is deprecated since 3.10", "r:svc/run.py", "asyncio.get_event_loop()"),
    "c.2": ("memory", "The service leaked 1.2 GB over 6 hours", "https://x.org/i", "RSS grew from 300 MB to 1,500 MB"),
    "c.3": ("failure rate", "Deploys fail in 39.7 % of cases", "https://x.org/d", "39.7 %"),
    "d.1": ("\u7f13\u5b58", "\u7f13\u5b58\u5728\u751f\u4ea7\u73af\u5883\u4e2d\u672a\u542f\u7528", "text:d", "\u7f13\u5b58\u672a\u542f\u7528"),
    "d.2": ("Zeitlimit", "Die Zeit\u00fcberschreitung der Datenbank ist auf 45 Sekunden eingestellt", "text:d", "45 Sekunden"),
    "e.1": ("Redis", "Redis 7.0.4 runs without authentication on port 6379", "r:infra/redis.conf", "# requirepass"),
    "e.2": ("backup", "Backups are taken nightly but were never restored", "r:docs/ops.md", "restore: TODO"),
}  # fmt: skip
TRUE = """The platform is not ready: `imp` is still imported [a.2] and the event loop call is deprecated [c.1].

## Security
- **Credentials**: an AWS key sits in the production configuration [b.1].
- The upload endpoint lets unauthenticated callers through [b.3]. It is the gravest of all [b.3].
- The pinned `requests` release is vulnerable (CVE-2018-18074) [a.1]; version 2.19 should go.
- Redis 7.0 has no password [e.1].

## Reliability
Memory grew by about 1.2 GB within six hours [c.2], from 300 MB to 1500 MB. Roughly 40 % of deployments fail [c.3].
Backups exist. None has ever been restored. [e.2]

Modules without tests:
- 14 of 37 [b.2]

| What | Value | Source |
|---|---|---|
| database timeout | 30 s | [a.3] |
| the same, German team | 45 s | [d.2] |
| cache in production | off | [d.1] |

The timeouts differ, 30 s against 45 s [a.3, d.2]. Access is open in three places: key, endpoint, Redis [b.1, b.3, e.1].
"""
CHINESE = "\u5e73\u53f0\u5c1a\u672a\u51c6\u5907\u597d\u3002\u751f\u4ea7\u73af\u5883\u6ca1\u6709\u542f\u7528\u7f13\u5b58\u3002[d.1]"
GERMAN = (
    "Die Datenbank wartet 45 Sekunden [d.2]. Der Cache ist in der Produktion aus [d.1]. Redis l\u00e4uft ohne Anmeldung"
    " [e.1]. Das Modul imp wird noch importiert [a.2]. Das Hochladen von Dateien verlangt keinen Ausweis [b.3]."
)
NOTHING = (
    "Everything is fine [a.1][a.2][a.3][b.1]. There is nothing to worry about [b.2][b.3][c.1, c.2]. Go ahead [e.1]."
)


def entry(rank: int, one: str) -> Entry:
    subject, claim, source, quote = FOUND[one]
    cited = Cited(source=source, quote=quote, finding=one)
    return Entry(rank=rank, subject=subject, kind="claim", claim=claim, severity=Severity.info, score=1.0, support=1,
                 findings=(one,), evidence=(cited,))  # fmt: skip


def line(one: str) -> LedgerLine:
    subject, claim, source, _ = FOUND[one]
    return LedgerLine(finding=one, subtask=one[0], kind="claim", subject=subject, claim=claim, place=source,
                      verdict=Verdict.verified, disposition=Disposition.below_cut)  # fmt: skip


def judged(answer: str) -> Judged:
    coverage = Coverage(findings=13, cited=0, merged=0, below_cut=13, unsupported=0, context=0, quotes={})
    entries = tuple(entry(rank, one) for rank, one in enumerate(FOUND, 1))
    question = "Is the platform ready for Python 3.12 in 2027?"
    brief = Brief(question, entries, (), (), (), coverage, tuple(map(line, FOUND)), {}, 8_000)
    return Held.to(brief).judged("", answer)


@pytest.mark.parametrize(("answer", "citations"), [(TRUE, 19), (CHINESE, 1), (GERMAN, 5)])
def test_what_is_said_of_a_finding_counts_in_any_words_and_language(answer: str, citations: int) -> None:
    found = judged(answer)
    assert (found.citations, found.idle, found.figures) == (citations, (), ())
    assert found.doubt(figures=True) == ""


def test_prose_that_says_nothing_of_what_it_cites_cites_nothing() -> None:
    found = judged(NOTHING)
    assert (found.citations, found.counted) == (9, frozenset())
    assert found.doubt(figures=False).startswith(
        "it cites findings in sentences that say nothing of them: a.1, a.2, a.3, b.1, b.2 and 4 more"
    )


def test_characters_stand_for_words_where_words_cannot_be_told_apart() -> None:
    fine = "\u4e00\u5207\u6b63\u5e38 [d.1]\u3002"
    assert [one for one, _ in judged(fine).idle] == ["d.1"]


def test_one_citation_in_three_may_be_idle_and_is_named_in_a_remark() -> None:
    found = judged("imp is gone in 3.12 [a.2]. Redis is open [e.1]. All else is well [b.1].")
    assert (found.counted, found.doubt(figures=True)) == ({"a.2", "e.1"}, "")
    assert [*found.remarks()] == [
        "1 of 3 citations in the answer does not count, its sentence says nothing of what is cited: b.1."
    ]


@pytest.mark.parametrize(
    "known",
    ["1,200 MB", "1.200", "1200", "1.2 thousand", "1\u202f200", "40 %", "39.7%", "39,7 %", "2.19", "v2.19.1", "30.0 s",
     "2018", "\uff13\uff10", "12.5 %", "1. One thing", "## 12. Part", "| 13 | x |", "utf8, sha256 and py311", "5 things"],
)  # fmt: skip
def test_a_figure_is_known_however_it_is_written(known: str) -> None:
    found = Known.of(["39.7 % of 1,200 in 2018, 2.19.1, 30 s and 0.125"])
    assert [one.written for one in figures(known) if not found.has(one)] == []


@pytest.mark.parametrize(
    "unknown", ["41 %", "3.97", "2.19.2", "1,300", "31", "5 s", "$7", "12 million", "CVE-2018-99999"]
)
def test_a_figure_that_stands_nowhere_is_unknown(unknown: str) -> None:
    found = Known.of(["39.7 % of 1,200 in 2018, 2.19.1, 30 s"])
    assert [one.written for one in figures(unknown) if not found.has(one)] == [unknown.removeprefix("CVE-2018-")]


# -- the lead is held to it ------------------------------------------------------------------------------------------


RESULTS = [
    Result.ended(
        "s1",
        findings=tuple(
            Finding(subject=s, claim=c, evidence=(Evidence(source="https://x.org", quote=q),))
            for s, c, _, q in list(FOUND.values())[:3]
        ),
    )
]
GOOD = {
    "headline": "Not ready.",
    "answer": "requests is old [s1.1]. imp goes away [s1.2]. The timeout is 30 s [s1.3].",
}
IDLE = {"headline": "All is well.", "answer": "Nothing to see [s1.1][s1.2]. Sleep well [s1.3]."}
COUNTED = GOOD | {"answer": f"{GOOD['answer']} That makes 87 %, or 4,500 of them [s1.1]."}


class Lead(Answering):
    """A model that writes these answers, one after another."""

    async def report(self) -> Report:
        composer = ModelComposer(Desk(self, CARD, CARD, "r-1/calls", ()), inline)
        return await synthesize("Is it ready?", [], RESULTS, {}, max_chars=4_000, aside=inline, composer=composer)

    def told(self, number: int) -> str:
        return self.asked[number].turns[-1].text  # type: ignore[union-attr]


async def test_an_answer_that_says_nothing_of_what_it_cites_is_asked_for_once_more() -> None:
    lead = Lead(IDLE, GOOD)
    report = await lead.report()
    assert "it cites findings in sentences that say nothing of them: s1.1, s1.2, s1.3." in lead.told(1)
    assert (report.engine, report.coverage.cited) == ("model:simulated", 3)


async def test_an_answer_that_does_so_twice_is_not_believed_and_rules_write() -> None:
    report = await Lead(IDLE, IDLE).report()
    assert report.engine == "rules"
    assert "Sleep well" not in report.markdown


async def test_a_finding_that_nothing_is_said_of_is_below_the_cut_and_the_report_says_so() -> None:
    mostly = {"headline": "Old.", "answer": "requests is old [s1.1]; imp goes away [s1.2]. Sleep well [s1.3]."}
    report = await Lead(mostly).report()
    assert [(one.finding, one.disposition) for one in report.ledger] == [
        ("s1.1", Disposition.cited),
        ("s1.2", Disposition.cited),
        ("s1.3", Disposition.below_cut),
    ]
    assert [one.findings for one in report.entries] == [("s1.1",), ("s1.2",)]
    assert "1 of 3 citations in the answer does not count" in report.markdown


async def test_figures_that_stand_nowhere_are_asked_about_once_and_then_kept_with_a_remark() -> None:
    lead = Lead(COUNTED, COUNTED)
    report = await lead.report()
    assert "figures stand in no finding, take them out or say how each follows: 87 %, 4,500." in lead.told(1)
    assert (len(lead.asked), report.engine) == (2, "model:simulated")
    assert "2 figures in the answer stand in no finding: 87 %, 4,500." in report.markdown


async def test_figures_are_not_asked_about_where_the_answer_was_asked_for_again_before() -> None:
    lead = Lead(IDLE, COUNTED)
    assert (await lead.report()).engine == "model:simulated"
    assert len(lead.asked) == 2


@pytest.mark.parametrize("window", [8_000, 12_000])
async def test_an_answer_that_is_no_good_fits_beside_the_next_one(window: int) -> None:
    card = Card("small", window, 64_000, Price(4, 20, 0.2, 5))
    asked: list[Ask] = []

    async def ask(one: Ask) -> Reply:
        if "headline" not in one.schema:
            kept = {"keep": ["f1", "f2", "f3", "f4", "f5", "f6"], "merge": [], "text": ""}
            return saying(json.dumps(kept if "keep" in one.schema else {"settlements": []}))
        asked.append(one)
        return saying(json.dumps({"headline": "So.", "answer": "Nothing to see [s1.1]. " * (one.max_tokens // 14)}))

    desk = Desk(FunctionModel(ask), card, card, "r-1/calls", ())
    results = [
        Result.ended(
            who,
            findings=tuple(
                Finding(
                    subject=f"pump {n}", claim=f"The pump {n} is leaking. " * 20, attribute="flow", value=f"{n} {who}"
                )
                for n in range(80)
            ),
            gaps=tuple(f"Nobody looked at valve number {n} of the line." for n in range(100)),
        )
        for who in ("s1", "s2")
    ]
    composer = ModelComposer(desk, inline)
    report = await synthesize(
        "q" * 9_000, [], results, {}, max_chars=60_000, aside=inline, composer=composer, desk=desk
    )
    assert report.engine == "rules"
    assert len(asked) == 2
    assert max(ask_tokens(one) * SAFETY + one.max_tokens for one in asked) <= window
