"""With keep_text off: what is written, what is not, and that nobody can make up a verdict that way."""

from functools import partial
from pathlib import Path

import anyio
import pytest

from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.dispatch.notes import JournalNotes
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Report, Task
from fanfold_server.store import WithoutText, open_journal
from fanfold_server.submission import Submission
from fanfold_server.synthesis import verified
from fanfold_workers.accounts import Account, Amount, Standing
from fanfold_workers.contract import UNKEPT, Evidence, Finding, Result, Status, Subtask, Verdict
from fanfold_workers.errors import InputError
from fanfold_workers.journal import Journal, MemoryJournal, Mine
from fanfold_workers.lenient import read_findings
from fanfold_workers.tools.roots import MemoryRoot

SENTENCE = "The quick auditor never signs what the slow auditor wrote."
COST = Amount(micros=5, tokens=5, calls=1)


@pytest.fixture
def inner() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def journal(inner: MemoryJournal) -> Journal:
    return WithoutText(inner)


def finding(claim: str = "It forbids it", kind: str = "claim", **evidence: object) -> Finding:
    fields = {"source": "docs:a.md", "locator": "L1", "quote": SENTENCE, "verdict": Verdict.verified, **evidence}
    return Finding(subject="auditors", claim=claim, kind=kind, evidence=(Evidence.model_validate(fields),))


def result(*findings: Finding, text: str = "") -> str:
    return Result.ended("s1", findings=findings, text=text).model_dump_json()


async def recorded(inner: MemoryJournal, key: str) -> Finding:
    value = await inner.recall(key)
    assert value
    (found,) = Result.model_validate_json(value).findings
    return found


# -- what is written ----------------------------------------------------------------------------------------------


async def test_a_quote_goes_and_its_place_and_verdict_stay(journal: Journal, inner: MemoryJournal) -> None:
    given = finding(verdict=Verdict.altered, actual=SENTENCE.lower())
    await journal.record("r-1/results/s1/001", result(given))

    one = Evidence(source="docs:a.md", locator="L1", quote=UNKEPT, verdict=Verdict.altered, actual=UNKEPT)
    assert await recorded(inner, "r-1/results/s1/001") == given.model_copy(update={"evidence": (one,)})


async def test_where_there_was_no_quote_none_is_feigned(journal: Journal, inner: MemoryJournal) -> None:
    value = result(finding(quote="", verdict=Verdict.unchecked))
    await journal.record("r-1/results/s1/001", value)
    assert await inner.recall("r-1/results/s1/001") == value


@pytest.mark.parametrize(
    ("claim", "kind", "kept"),
    [
        ("It forbids it", "claim", "It forbids it"),
        (SENTENCE, "claim", f"{UNKEPT} docs:a.md L1"),
        ("the *quick* auditor never signs…", "claim", f"{UNKEPT} docs:a.md L1"),
        ("auditor", "claim", "auditor"),
        (f'It says: "{SENTENCE}"', "claim", f'It says: "{UNKEPT}"'),
        ("It says \u201csomething of another file\u201d, ", "claim", f"It says \u201c{UNKEPT}\u201d,"),
        ('It calls it "odd".', "claim", 'It calls it "odd".'),
        ("What a passage says elsewhere", "passages.passage", f"{UNKEPT} docs:a.md L1"),
    ],
)
async def test_a_claim_that_is_what_the_file_says_gives_way_to_its_place(
    journal: Journal, inner: MemoryJournal, claim: str, kind: str, kept: str
) -> None:
    await journal.record("r-1/results/s1/001", result(finding(claim, kind)))
    assert (await recorded(inner, "r-1/results/s1/001")).claim == kept


async def test_prose_and_what_is_quoted_of_it_stay(journal: Journal, inner: MemoryJournal) -> None:
    value = result(finding(f'It says "{SENTENCE}"', source="text:s1", locator="c0-58"), text=SENTENCE)
    await journal.record("r-1/results/s1/001", value)
    assert await inner.recall("r-1/results/s1/001") == value

    await journal.record("r-1/results/s1/002", result(finding(source="text:s1", verdict=Verdict.missing)))
    assert (await recorded(inner, "r-1/results/s1/002")).evidence[0].quote == UNKEPT


async def test_replies_and_answers_are_not_recorded_and_their_cost_is(journal: Journal, inner: MemoryJournal) -> None:
    keys = ["r-1/turns/s1/001/t000.reply/ab", "r-1/turns/s1/001/tools000", "r-1/calls/plan/ab", "r-1/calls/s-1/ab"]
    purse = [Account("r-1")]
    assert await journal.reserve(purse, COST) is None

    await journal.settle(purse, COST, COST, dict.fromkeys(keys, SENTENCE) | {"r-1/cancelled/0": "true"})
    await journal.record_all(dict.fromkeys(keys, SENTENCE))
    assert [await journal.record(key, SENTENCE) for key in keys] == [True] * 4

    assert [entry.key for entry in await inner.entries("")] == ["r-1/cancelled/0"]
    assert await journal.standing("r-1") == Standing(COST)
    assert await journal.recall(keys[0]) is None


async def test_nobody_knows_whether_somebody_has_worked_there_before(journal: Journal) -> None:
    """So a worker looks for earlier notes, though no turn of his predecessor is on disk."""
    turns, others = (
        await journal.claim("r-1/a", past="r-1/turns/s1/001/"),
        await journal.claim("r-1/b", past="r-1/x/"),
    )
    assert isinstance(turns, Mine)
    assert isinstance(others, Mine)
    assert (turns.past, others.past) == (True, False)


async def test_notes_events_and_reports_go_by_the_same_rule(journal: Journal, inner: MemoryJournal) -> None:
    await journal.record("r-1/notes/s1/001/000001", f"[{finding(SENTENCE).model_dump_json()}]")
    event = f'{{"kind":"found","note":"{SENTENCE}","findings":[["s1.1","info",0.5,"auditors","{SENTENCE}"]]}}'
    await journal.record("r-1/events/me/000001", f"[{event}]")
    cited = f'{{"finding":"s1.1","source":"docs:a.md","locator":"L1","quote":"{SENTENCE}","verdict":"verified"}}'
    await journal.record("reports/s-1", f'{{"entries":[{{"evidence":[{cited}]}}],"conflicts":[{{"x":{cited}}}]}}')

    values = {entry.key: entry.value or "" for entry in await inner.entries("")}
    assert not [key for key, value in values.items() if SENTENCE in value]
    assert [value.count(UNKEPT) for value in values.values()] == [2, 2, 2]


async def test_what_was_kept_before_is_read_without_its_quotes(journal: Journal, inner: MemoryJournal) -> None:
    await inner.record("r-1/results/s1/001", result(finding(SENTENCE)))
    assert SENTENCE not in (await journal.recall("r-1/results/s1/001") or SENTENCE)
    (entry,) = await journal.entries("r-1/results/")
    assert SENTENCE not in (entry.value or SENTENCE)
    assert (await journal.entries("r-1/", keys_only=True))[0].value == ""


async def test_findings_that_cannot_be_read_are_refused(journal: Journal, inner: MemoryJournal) -> None:
    with pytest.raises(InputError, match=r"value: .* is no JSON"):
        await journal.record("r-1/results/s1/001", SENTENCE)
    assert await inner.entries("") == []


async def test_every_letter_that_is_kept_is_kept_as_it_was(journal: Journal, inner: MemoryJournal) -> None:
    given = finding('ä \U0001f600 \\u0041 " \x00 \u2028')
    await journal.record("r-1/results/s1/001", result(given))
    assert (await recorded(inner, "r-1/results/s1/001")).claim == given.claim


# -- verdicts -----------------------------------------------------------------------------------------------------

ROOTS = {"docs": MemoryRoot("docs", {"a.md": f"{SENTENCE}\n", "literal.md": f"{UNKEPT} stands here\n"})}


def looked_up(*findings: Finding) -> list[Evidence]:
    given = Result(subtask="s1", status=Status.partial, reason="arriving", findings=findings)
    (checked,) = verified((given,), ROOTS, {})
    return [evidence for finding in checked.findings for evidence in finding.evidence]


@pytest.mark.parametrize("verdict", [Verdict.verified, Verdict.moved, Verdict.altered, Verdict.missing])
def test_a_quote_that_is_not_kept_keeps_its_verdict(verdict: Verdict) -> None:
    given = finding(quote=UNKEPT, verdict=verdict, actual=UNKEPT if verdict is Verdict.altered else "")
    assert looked_up(given) == list(given.evidence)


@pytest.mark.parametrize("source", ["docs:a.md", "docs:literal.md", "docs:none.md", "text:s1", "https://x.y"])
def test_nobody_outside_can_make_up_a_verdict(source: str) -> None:
    evidence = {"source": source, "quote": UNKEPT, "verdict": "verified", "actual": "made up", "locator": "L1"}
    given = [
        {"subject": "a", "claim": "b", "evidence": [evidence]},
        {"subject": "a", "claim": "b", "evidence": (evidence,)},
    ]
    read, refused = read_findings(given)

    assert (len(read), refused) == (2, ())
    for seen in (*looked_up(*read), *(e for finding in read for e in finding.evidence)):
        assert (seen.verdict, seen.actual) == (Verdict.unchecked, "")


async def test_a_host_that_submits_the_constant_gets_no_verdict_for_it(journal: Journal) -> None:
    task = Task.model_validate({"task": "Look", "subtasks": ({"id": "s1", "objective": "Look"},)})
    evidence = {"source": "docs:a.md", "locator": "L1", "quote": UNKEPT, "verdict": "verified"}
    async with Orchestrator(roots=ROOTS, journal=journal) as fanfold:
        plan = await fanfold.plan(task)
        given = Submission(findings=[{"subject": "a", "claim": "b", "evidence": [evidence]}])
        receipt = await fanfold.submit(plan.id, "s1", given)
        report = await fanfold.synthesize(plan.id)

    assert receipt.accepted[0].evidence[0].verdict is Verdict.unchecked
    assert report.coverage.quotes == {Verdict.unchecked: 1}


async def test_what_a_host_submits_is_looked_up_and_reported_without_its_quote(
    journal: Journal, inner: MemoryJournal
) -> None:
    task = Task.model_validate({"task": "Look", "subtasks": ({"id": "s1", "objective": "Look"},)})
    evidence = {"source": "docs:a.md", "locator": "L1", "quote": SENTENCE}
    async with Orchestrator(roots=ROOTS, journal=journal) as fanfold:
        plan = await fanfold.plan(task)
        given = Submission(findings=[{"subject": "auditors", "claim": "They do not sign", "evidence": [evidence]}])
        await fanfold.submit(plan.id, "s1", given)
        report = await fanfold.synthesize(plan.id)

    assert report.coverage.quotes == {Verdict.verified: 1}
    assert "They do not sign" in report.markdown
    assert f"`{UNKEPT}`" in report.markdown
    assert not [entry.key for entry in await inner.entries("") if SENTENCE in (entry.value or "")]


# -- on disk ------------------------------------------------------------------------------------------------------

WORD = "Xylographers"
FILES = {
    "a.md": f"# Auditors\n\n{SENTENCE} {WORD} keep every deprecated ledger of {{n}} for ever.\n",
    "app.py": "import warnings\n\n\ndef old():\n    warnings.warn('old is deprecated by xylographers', "
    "DeprecationWarning)\n    return old\n",
    "keys.py": 'PASSWORD = "hunter2xylographersQ9z7Kp4"\n',
    "requirements.txt": "flask  # xylographers want it\n",
}
CHECKS = ("passages", "secrets", "dependencies", "upgrades", "tests")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    root = tmp_path / "code"
    root.mkdir()
    for name, text in FILES.items():
        (root / name).write_text(text)
    return root


def held_by(home: Path) -> str:
    """All bytes of the database and the log beside it."""
    files = [home / "journal.db", home / "journal.db-wal"]
    return "".join(file.read_bytes().decode("utf-8", "replace") for file in files)


async def run_of_rules(home: Path, code: Path, *, keep_text: bool) -> tuple[Report, str]:
    """A run of all checks and its report, and whatever the journal's files hold while it is open."""
    async with open_journal(home) as disk:
        journal = disk if keep_text else WithoutText(disk)
        async with Orchestrator(roots={"code": code}, journal=journal) as fanfold:
            plan = await fanfold.plan(Task(task="Which ledgers do auditors keep?", checks=CHECKS))
            run = await fanfold.dispatch(plan.id)
            return await fanfold.synthesize(run.id), held_by(home)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("keep_text", [True, False])
async def test_no_sentence_of_a_file_is_anywhere_in_the_journals_files(
    tmp_path: Path, code: Path, keep_text: bool
) -> None:
    report, held = await run_of_rules(tmp_path / "home", code, keep_text=keep_text)

    assert len(report.ledger) >= 4
    assert ("xylographers" in held.lower()) is keep_text
    assert (SENTENCE in held) is keep_text
    assert UNKEPT in held or keep_text
    assert "requirements.txt" in held


async def test_notes_are_kept_without_quotes_once_they_were_looked_up(inner: MemoryJournal) -> None:
    async def check(findings: object) -> tuple[Finding, ...]:
        given = Result(subtask="s1", status=Status.partial, reason="x", findings=tuple(findings))  # type: ignore[arg-type]
        work = partial(verified, (given,), ROOTS, {})
        (checked,) = await anyio.to_thread.run_sync(work)
        return checked.findings

    attempt = Attempt("r-1", Subtask(id="s1", title="s1", objective="Look"))
    notes = JournalNotes(WithoutText(inner), attempt, check=check)
    (noted,) = await notes.found(finding(locator="L9", verdict=Verdict.unchecked))

    assert (noted.evidence[0].verdict, noted.evidence[0].quote) == (Verdict.moved, SENTENCE)
    (entry,) = await inner.entries("r-1/notes/")
    assert '"verdict":"moved"' in (entry.value or "")
    assert SENTENCE not in (entry.value or SENTENCE)
