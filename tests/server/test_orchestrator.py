"""The three verbs as a script calls them, over a journal in memory and in virtual time."""

from collections import Counter

import anyio
import pytest
from trio.testing import MockClock

from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Draft, Handed, RunState, Task
from fanfold_server.runs import plan_of
from fanfold_server.submission import Submission
from fanfold_workers.aside import inline
from fanfold_workers.contract import Finding, Result, Status, Subtask, Verdict
from fanfold_workers.errors import CannotDoError, InputError, SettledError, UnknownNameError
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.tools.roots import MemoryRoot


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class Counted:
    """A worker function that counts its calls, takes so many seconds, and fails where it is told to."""

    def __init__(self, seconds: float = 0, failing: tuple[str, ...] = ()) -> None:
        self.calls: Counter[str] = Counter()
        self.seconds, self.failing = seconds, failing

    async def work(self, subtask: Subtask) -> Result:
        self.calls[subtask.item] += 1
        await anyio.sleep(self.seconds)
        if subtask.item in self.failing:
            raise RuntimeError("not today")
        finding = Finding(subject=subtask.item, claim=f"{subtask.item} is fine", confidence=0.9)
        return Result.ended(subtask.id, findings=(finding,))


def fanfold(
    worker: Counted | None = None, journal: MemoryJournal | None = None, **roots: dict[str, str]
) -> Orchestrator:
    return Orchestrator(
        roots={name: MemoryRoot(name, files) for name, files in roots.items()},
        worker=worker.work if worker else None,
        journal=journal or MemoryJournal(),
        aside=inline,
    )


ITEMS = Task(task="Say whether each is fine", items=("apples", "pears", "plums"))
DRAFTS = Task(
    task="Compare the shops",
    subtasks=(
        Draft(id="north", title="North", objective="What does the north shop sell?", places=("notes:north.md",)),
        Draft(id="south", title="South", objective="What does the south shop sell?", places=("notes:south.md",)),
    ),
)
NOTES = {"north.md": "The north shop sells tea.\n", "south.md": "The south shop sells rope.\n"}


def claim(text: str, source: str = "notes:north.md", quote: str = "The north shop sells tea.") -> dict[str, object]:
    evidence = [{"source": source, "locator": "L1", "quote": quote}]
    return {"subject": "shop", "claim": text, "confidence": 0.9, "evidence": evidence}


async def test_a_task_goes_through_the_three_verbs_with_a_worker_of_ones_own():
    worker = Counted(seconds=3)
    async with fanfold(worker) as it:
        plan = await it.plan(ITEMS)
        run = await it.dispatch(plan.id)
        report = await it.synthesize(run.id)
    assert (run.state, run.counts, run.waiting_for) == (RunState.done, {Status.ok: 3}, ())
    assert worker.calls == {"apples": 1, "pears": 1, "plums": 1}
    assert report.coverage.findings == 3
    assert {line.subject for line in report.ledger} == {"apples", "pears", "plums"}


async def test_the_same_task_gives_the_same_plan_unless_a_fresh_one_is_asked_for():
    async with fanfold(Counted()) as it:
        first, again, fresh = await it.plan(ITEMS), await it.plan(ITEMS), await it.plan(ITEMS, fresh=True)
    assert first == again
    assert fresh.id != first.id
    assert fresh.subtasks == first.subtasks


async def test_two_calls_at_once_do_the_work_once_and_both_see_it_done():
    worker = Counted(seconds=5)
    async with fanfold(worker) as it:
        plan = await it.plan(ITEMS)
        runs = await anyio.amap(it.dispatch, [plan.id, plan.id])
    assert [run.state for run in runs] == [RunState.done, RunState.done]
    assert set(worker.calls.values()) == {1}


async def test_two_orchestrators_over_one_journal_do_the_work_once():
    worker, journal = Counted(seconds=5), MemoryJournal()
    async with fanfold(worker, journal) as one, fanfold(worker, journal) as other:
        plan = await one.plan(ITEMS)
        runs = await anyio.amap(lambda it: it.dispatch(plan.id), [one, other])
    assert [run.state for run in runs] == [RunState.done, RunState.done]
    assert set(worker.calls.values()) == {1}


async def test_a_call_waits_only_as_long_as_it_is_asked_to_and_the_run_goes_on():
    worker = Counted(seconds=100)
    async with fanfold(worker) as it:
        plan = await it.plan(ITEMS)
        begun = anyio.current_time()
        first = await it.dispatch(plan.id, wait=30)
        assert anyio.current_time() - begun == 30
        assert (first.state, first.waiting_for) == (RunState.running, ("s1", "s2", "s3"))
        last = await it.dispatch(plan.id)
    assert last.state is RunState.done
    assert set(worker.calls.values()) == {1}


async def test_a_caller_that_is_cancelled_leaves_the_run_going():
    worker = Counted(seconds=100)
    async with fanfold(worker) as it:
        plan = await it.plan(ITEMS)
        with anyio.move_on_after(10):
            await it.dispatch(plan.id)
        run = await it.dispatch(plan.id)
    assert (run.state, set(worker.calls.values())) == (RunState.done, {1})


async def test_a_retry_does_the_failed_subtasks_again_and_nothing_else():
    worker = Counted(failing=("pears",))
    async with fanfold(worker) as it:
        plan = await it.plan(ITEMS)
        first = await it.dispatch(plan.id)
        worker.failing = ()
        second = await it.dispatch(plan.id, retry=True)
        third = await it.dispatch(plan.id, retry=True)
    assert first.counts == {Status.ok: 2, Status.failed: 1}
    assert second.counts == third.counts == {Status.ok: 3}
    assert worker.calls == {"apples": 1, "pears": 2, "plums": 1}


async def test_a_retry_repeated_until_done_is_one_retry():
    worker = Counted(failing=("pears",))
    async with fanfold(worker) as it:
        plan = await it.plan(ITEMS)
        await it.dispatch(plan.id)
        worker.seconds = 100
        assert (await it.dispatch(plan.id, retry=True, wait=40)).state is RunState.running
        await anyio.sleep(200)
        assert (await it.dispatch(plan.id, retry=True, wait=40)).counts == {Status.ok: 2, Status.failed: 1}
    assert worker.calls["pears"] == 2


async def test_a_run_whose_owner_died_reads_interrupted_and_goes_on_where_it_stopped():
    worker, journal = Counted(seconds=10), MemoryJournal()
    async with fanfold(worker, journal) as it:
        plan = await it.plan(ITEMS)
        await journal.record(f"runs/{plan.id.replace('p-', 'r-')}", plan.id)
        await journal.record(
            f"{plan.id.replace('p-', 'r-')}/results/s1/001",
            Result.ended("s1", summary="from before the crash").model_dump_json(),
        )
        assert (await it.view(plan)).state is RunState.interrupted
        run = await it.dispatch(plan.id)
    assert run.counts == {Status.ok: 3}
    assert worker.calls == {"pears": 1, "plums": 1}


async def test_leaving_in_mid_run_records_nothing_false_and_the_next_one_finishes_it():
    journal = MemoryJournal()
    async with fanfold(Counted(seconds=100), journal) as it:
        plan = await it.plan(ITEMS)
        await it.dispatch(plan.id, wait=10)
    worker = Counted()
    async with fanfold(worker, journal) as it:
        assert (await it.view(plan)).state is RunState.interrupted
        run = await it.dispatch(plan.id)
    assert run.counts == {Status.ok: 3}


async def test_a_cancelled_run_ends_at_once_with_a_reason_for_each_subtask():
    async with fanfold(Counted(seconds=1000)) as it:
        plan = await it.plan(Task(task="Say", items=tuple(f"item {n}" for n in range(12)), max_workers=12))
        await it.dispatch(plan.id, wait=10)
        begun = anyio.current_time()
        run = await it.cancel(plan.id.replace("p-", "r-"))
        assert anyio.current_time() - begun < 1
        results = await it.runs.results(await it.runs.attempts(plan))
    assert (run.state, run.counts) == (RunState.done, {Status.cancelled: 8, Status.skipped: 4})
    assert all(result.reason for result in results.values())


async def test_a_run_is_cancelled_from_another_process_too():
    journal = MemoryJournal()
    async with fanfold(Counted(seconds=1000), journal) as one, fanfold(Counted(), journal) as other:
        plan = await one.plan(ITEMS)
        await one.dispatch(plan.id, wait=10)
        run = await other.cancel(plan.id.replace("p-", "r-"))
    assert (run.state, run.counts) == (RunState.done, {Status.cancelled: 3})


async def test_a_cancelled_run_can_be_retried():
    worker = Counted(seconds=1000)
    async with fanfold(worker) as it:
        plan = await it.plan(ITEMS)
        await it.dispatch(plan.id, wait=10)
        await it.cancel(plan.id.replace("p-", "r-"))
        worker.seconds = 1
        run = await it.dispatch(plan.id, retry=True)
    assert run.counts == {Status.ok: 3}


async def test_a_hosts_own_sub_agents_deposit_findings_and_false_quotes_are_marked():
    async with fanfold(notes=NOTES) as it:
        plan = await it.plan(DRAFTS)
        true = await it.submit(plan.id, "north", Submission(findings=[claim("sells tea")]))
        false = claim("sells gold", "notes:south.md", "Gold bars are traded under the counter at midnight.")
        lie = await it.submit(plan.id, "south", Submission(findings=[false]))
        run = await it.dispatch(plan.id, wait=60)
        report = await it.synthesize(plan.id)
    assert [f.evidence[0].verdict for f in true.accepted] == [Verdict.verified]
    assert [f.evidence[0].verdict for f in lie.accepted] == [Verdict.missing]
    assert run.state is RunState.done
    assert "sells tea" in report.markdown


async def test_a_subtask_nobody_came_for_is_a_gap():
    async with fanfold(notes=NOTES) as it:
        plan = await it.plan(DRAFTS)
        await it.submit(plan.id, "north", Submission(findings=[claim("sells tea")]))
        run = await it.dispatch(plan.id, wait=5)
        report = await it.synthesize(run.id)
    assert (run.state, run.waiting_for) == (RunState.waiting, ("south",))
    assert [gap.subtask for gap in report.gaps] == ["south"]


async def test_a_later_submission_makes_a_new_report_and_the_same_question_the_same():
    async with fanfold(notes=NOTES) as it:
        plan = await it.plan(DRAFTS)
        await it.submit(plan.id, "north", Submission(findings=[claim("sells tea")]))
        first, again = await it.synthesize(plan.id), await it.synthesize(plan.id)
        await it.submit(plan.id, "south", Submission(text="The south shop sells rope."))
        later = await it.synthesize(plan.id)
    assert first == again
    assert later.id != first.id
    assert later.gaps == ()


async def test_a_finding_that_cannot_be_read_costs_the_others_nothing():
    async with fanfold(notes=NOTES) as it:
        plan = await it.plan(DRAFTS)
        bad = [claim("sells tea"), {"subject": "shop", "claim": "x", "severity": "grave"}, "sells soap", {"who": 1}]
        first = await it.submit(plan.id, "north", Submission(findings=bad, text="Mind the dog."))
        assert [(r.field, r.problem) for r in first.refused][:2] == [
            ("findings[1].severity", "must be one of critical, high, medium, low, info"),
            ("findings[2]", "is a str, not an object with subject, claim and evidence"),
        ]
        assert first.result is None
        partial = await it.synthesize(plan.id)
        second = await it.submit(plan.id, "north", Submission(findings=[claim("sells soap")]))
    assert "never reported" in partial.markdown or any("never reported" in gap.gap for gap in partial.gaps)
    assert [f.id for f in second.result.findings] == ["north.1", "north.2"]
    assert second.result.text == "Mind the dog."
    assert second.result.status is Status.ok


async def test_a_second_submission_for_a_finished_subtask_changes_nothing():
    async with fanfold(notes=NOTES) as it:
        plan = await it.plan(DRAFTS)
        await it.submit(plan.id, "north", Submission(findings=[claim("sells tea")]))
        with pytest.raises(SettledError, match="subtask_id: The subtask north has its result already"):
            await it.submit(plan.id, "north", Submission(findings=[claim("sells soap")]))
        with pytest.raises(UnknownNameError, match="Use one of: north, south"):
            await it.submit(plan.id, "west", Submission(text="?"))
        with pytest.raises(UnknownNameError, match="plan_id"):
            await it.submit("p-000000000000", "north", Submission(text="?"))
        results = await it.runs.results(await it.runs.attempts(plan))
    assert [f.claim for f in results["north"].findings] == ["sells tea"]


async def test_a_submission_with_nothing_in_it_has_failed():
    async with fanfold(notes=NOTES) as it:
        plan = await it.plan(DRAFTS)
        receipt = await it.submit(plan.id, "north", Submission(status=Status.ok))
    assert (receipt.result.status, receipt.result.reason) == (Status.failed, "its submission came back empty")


async def test_results_from_anywhere_are_joined_without_a_run():
    handed = [
        Handed(title=name, result=Result.ended(name, text=f"The {name} bridge was built by Ana Duarte in 1911."))
        for name in ("east", "west")
    ]
    async with fanfold() as it:
        run = await it.hand_in("Who built the bridges?", handed)
        report = await it.synthesize(run)
        page = await it.refs.read(f"{run}/east/text")
        with pytest.raises(InputError, match="Two results are called east"):
            await it.hand_in("?", [handed[0], handed[0]])
        with pytest.raises(InputError, match="nothing to join"):
            await it.hand_in("?", [])
    assert "Ana Duarte" in report.markdown
    assert page.text == "The east bridge was built by Ana Duarte in 1911."


async def test_a_report_over_nothing_is_refused_with_the_remedy():
    async with fanfold(Counted()) as it:
        plan = await it.plan(ITEMS)
        with pytest.raises(CannotDoError, match=f"Call dispatch with plan_id {plan.id}"):
            await it.synthesize(plan.id)
        with pytest.raises(InputError, match="max_chars: 10 is not from 500"):
            await it.synthesize(plan.id, max_chars=10)
        with pytest.raises(UnknownNameError, match="run_id: There is no run r-123"):
            await it.synthesize("r-123")


async def test_a_plan_with_errors_starts_nothing():
    looped = (Draft(id="a", title="A", depends_on=("b",)), Draft(id="b", title="B", depends_on=("a",)))
    worker = Counted()
    async with fanfold(worker) as it:
        plan = await it.plan(Task(task="Go round", subtasks=looped))
        with pytest.raises(InputError, match="cannot run"):
            await it.dispatch(plan.id)
    assert worker.calls == {}


async def test_a_finished_run_answers_at_once():
    async with fanfold(Counted(seconds=50)) as it:
        plan = await it.plan(ITEMS)
        await it.dispatch(plan.id)
        begun = anyio.current_time()
        run = await it.dispatch(plan.id)
        assert anyio.current_time() == begun
    assert run.state is RunState.done
    assert plan_of(run.id) == plan.id


async def test_whatever_is_stored_can_be_paged_and_searched_by_its_ref():
    async with fanfold(Counted()) as it:
        plan = await it.plan(ITEMS)
        run = await it.dispatch(plan.id)
        report = await it.synthesize(run.id)
        texts = {
            ref: await it.refs.text(ref)
            for ref in ("runs", plan.id, f"{plan.id}/s1", run.id, f"{run.id}/s2", report.id, f"{report.id}/ledger")
        }
        first = await it.refs.read(report.id, limit=20)
        rest = await it.refs.read(report.id, offset=first.next_offset or 0, limit=100_000)
        found = await it.refs.read(f"{run.id}/s2", find="PEARS")
        for ref in ("nonsense", "r-1", f"{run.id}/s9", f"{plan.id}/s9", "s-1", f"{report.id}/nothing"):
            with pytest.raises(UnknownNameError, match="nothing stored under"):
                await it.refs.text(ref)
        with pytest.raises(InputError, match="limit"):
            await it.refs.read("runs", limit=0)
    assert run.id in texts["runs"]
    assert "submit" in texts[f"{plan.id}/s1"]
    assert "s2: ok by function, attempt 1" in texts[f"{run.id}/s2"]
    assert len(texts[f"{report.id}/ledger"].splitlines()) == 3
    assert first.text + rest.text == texts[report.id] == report.markdown
    assert found.matches
    assert "pears is fine" in found.text
