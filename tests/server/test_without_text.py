"""A whole run with `keep_text` off: no sentence of a file is on disk, and what was found can still be told."""

from pathlib import Path

import anyio
import pytest

from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Draft, Task
from fanfold_server.store import open_journal
from fanfold_workers.contract import UNKEPT, Evidence, Finding, Result, Subtask, Verdict
from fanfold_workers.journal import MemoryJournal

SENTENCE = "The lighthouse keeper counted ninety-three gulls before breakfast."


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def look(subtask: Subtask) -> Result:
    evidence = (Evidence(source="notes:log.md", locator="L1", quote=SENTENCE),)
    false = (Evidence(source="notes:log.md", locator="L1", quote="Nobody ever counted a single gull in there."),)
    findings = (
        Finding(subject="gulls", claim="Somebody counts birds", evidence=evidence),
        Finding(subject="gulls", claim="Nobody counts birds", evidence=false),
    )
    return Result.ended(subtask.id, findings=findings)


async def test_quotes_are_looked_up_before_they_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "log.md").write_text(f"{SENTENCE}\n")
    task = Task(task="Who counts?", subtasks=(Draft(id="s1", title="Log", places=("notes:log.md",)),))
    async with (
        open_journal(tmp_path / "home") as journal,
        Orchestrator(roots={"notes": tmp_path / "notes"}, worker=look, journal=journal, keep_text=False) as fanfold,
    ):
        run = await fanfold.dispatch((await fanfold.plan(task)).id)
        report = await fanfold.synthesize(run.id)
        shown = await fanfold.refs.text(f"{run.id}/s1")
    verdicts = {line.claim: line.verdict for line in report.ledger}
    assert verdicts == {"Somebody counts birds": Verdict.verified, "Nobody counts birds": Verdict.missing}
    assert f"notes:log.md L1 [verified] {UNKEPT}" in shown
    written = b"".join([path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()])
    assert b"Somebody counts birds" in written
    assert b"lighthouse" not in written
    assert b"single gull" not in written


async def test_a_worker_that_goes_on_without_its_conversation_keeps_what_it_had_noted() -> None:
    journal, starts = MemoryJournal(), []

    class Noting:
        engine = "noting"

        async def work(self, subtask, notes):
            starts.append(notes.begun)
            await notes.found(Finding(subject="gulls", claim=f"seen in life {len(starts)}"))
            await anyio.sleep(60 if len(starts) == 1 else 0)
            return Result.ended(subtask.id, summary="done")

        def accepts(self, subtask):
            return True

    task = Task(task="Who counts?", subtasks=(Draft(id="s1", title="Log"),))
    async with Orchestrator(worker=Noting(), journal=journal, keep_text=False) as fanfold:
        plan = await fanfold.plan(task)
        await fanfold.dispatch(plan.id, wait=0.2)
    async with Orchestrator(worker=Noting(), journal=journal, keep_text=False) as fanfold:
        run = await fanfold.dispatch(plan.id)
        (result,) = (await fanfold.runs.results(await fanfold.runs.attempts(plan))).values()
    assert run.counts == {"ok": 1}
    assert [(f.id, f.claim) for f in result.findings] == [("s1.1", "seen in life 1"), ("s1.2", "seen in life 2")]
