"""What a run left open is planned and done; what it found is kept, and nothing of it is paid for again."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio
import pytest

from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Draft, GapKind, Task
from fanfold_server.revising import Change
from fanfold_workers.aside import inline
from fanfold_workers.contract import Examined, Finding, Result, Status, Subtask
from fanfold_workers.errors import CannotDoError, InputError, UnknownNameError
from fanfold_workers.journal import MemoryJournal

NAMES = ("alder", "birch", "cedar", "dogwood", "elm", "fir", "ginkgo", "hazel", "ivy", "juniper")
TASK = Task(task="Which trees grow?", subtasks=tuple(Draft(id=name, title=f"Does {name} grow?") for name in NAMES))


def found(subtask: Subtask, claim: str = "It grows.", **more: object) -> Result:
    finding = Finding(subject=subtask.id.removesuffix("-rest"), claim=claim)
    return Result.model_validate({"subtask": subtask.id, "status": Status.ok, "findings": (finding,)} | more)


@dataclass
class Workers:
    """Workers that end as they are told to, and otherwise find something.

    Attributes:
        ends: by subtask.
        done: what they did, by id; told: the subtasks as they heard them.
    """

    ends: Mapping[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    done: Counter[str] = field(default_factory=Counter[str])
    told: dict[str, Subtask] = field(default_factory=dict[str, Subtask])

    async def do(self, subtask: Subtask) -> Result:
        self.done[subtask.id] += 1
        self.told[subtask.id] = subtask
        return found(subtask, **self.ends.get(subtask.id, {}))


FAILED: dict[str, object] = {"status": Status.failed, "reason": "it broke", "findings": ()}
HALF: dict[str, object] = {
    "status": Status.partial,
    "reason": "examined 3 of 10 woods",
    "examined": Examined(done=3, in_scope=10, unit="woods"),
}
ROUGH = {"alder": FAILED, "birch": FAILED, "cedar": FAILED, "dogwood": HALF, "elm": HALF}


def orchestrator(workers: Workers, journal: MemoryJournal | None = None) -> Orchestrator:
    return Orchestrator(journal=journal or MemoryJournal(), worker=workers.do, aside=inline)


async def test_exactly_what_failed_or_was_not_examined_is_done_and_nothing_else_again() -> None:
    workers = Workers(ROUGH)
    async with orchestrator(workers) as fanfold:
        run = await fanfold.dispatch((await fanfold.plan(TASK)).id)
        workers.ends, before = {}, workers.done.copy()
        plan = await fanfold.follow_up(run.id)
        after = await fanfold.dispatch(plan.id)
        report = await fanfold.synthesize(after.id)
    assert workers.done - before == Counter(["alder", "birch", "cedar", "dogwood-rest", "elm-rest"])
    assert (plan.follows, plan.version, plan.estimate.workers) == (run.id, 2, 5)
    assert plan.kept == NAMES[3:]
    assert plan.reason == "3 to do again, 2 to finish; 7 keep what they found."
    assert [gap for gap in report.gaps if gap.kind is not GapKind.unanswered] == []
    assert {entry.subject for entry in report.entries} == set(NAMES)


async def test_who_finishes_is_told_what_was_found_and_what_was_left() -> None:
    left: dict[str, object] = HALF | {"gaps": ("The north wood was locked.",)}
    workers = Workers({"elm": left})
    async with orchestrator(workers) as fanfold:
        run = await fanfold.dispatch((await fanfold.plan(TASK)).id)
        await fanfold.dispatch((await fanfold.follow_up(run.id)).id)
    told = workers.told["elm-rest"]
    assert [prior.result.findings[0].claim for prior in told.prior] == ["It grows."]
    assert "examined 3 of 10 woods" in told.objective
    assert "The north wood was locked." in told.objective
    assert told.objective.endswith("Does elm grow?")


async def test_who_does_it_again_is_told_how_it_ended_before() -> None:
    workers = Workers({"elm": FAILED})
    async with orchestrator(workers) as fanfold:
        run = await fanfold.dispatch((await fanfold.plan(TASK)).id)
        again = await fanfold.dispatch((await fanfold.follow_up(run.id)).id)
        await fanfold.dispatch((await fanfold.follow_up(again.id)).id)
    assert workers.told["elm"].objective == "Does elm grow?\n\nAn earlier try ended failed: it broke"
    assert workers.done["elm"] == 3


async def test_a_gap_stays_until_whoever_finishes_it_finds_something() -> None:
    workers = Workers({"elm": HALF, "elm-rest": FAILED})
    async with orchestrator(workers) as fanfold:
        run = await fanfold.dispatch((await fanfold.plan(TASK)).id)
        after = await fanfold.dispatch((await fanfold.follow_up(run.id)).id)
        kinds = {gap.subtask: gap.kind for gap in (await fanfold.synthesize(after.id)).gaps}
        assert kinds == {"elm": GapKind.not_examined, "elm-rest": GapKind.not_done}
        workers.ends = {}
        third = await fanfold.dispatch((await fanfold.follow_up(after.id)).id)
        assert (await fanfold.synthesize(third.id)).gaps == ()
    assert workers.done["elm"] == 1


async def test_a_conflict_that_no_report_settled_is_looked_into_by_one_who_is_told_both_sides() -> None:
    workers = Workers()
    age = {"kind": "measure", "attribute": "age"}

    def says(value: str) -> dict[str, object]:
        return {"findings": (Finding(subject="the oak", claim=f"It is {value} years old.", value=value, **age),)}

    workers.ends = {"elm": says("300"), "fir": says("700")}
    async with orchestrator(workers) as fanfold:
        run = await fanfold.dispatch((await fanfold.plan(TASK)).id)
        assert [c.settled for c in (await fanfold.synthesize(run.id)).conflicts] == [""]
        plan = await fanfold.follow_up(run.id)
        await fanfold.dispatch(plan.id)
    assert plan.reason == "1 to look into; 10 keep what they found."
    told = workers.told["conflict-1"]
    assert {prior.result.subtask for prior in told.prior} == {"elm", "fir"}
    assert "300" in told.objective
    assert "700" in told.objective


async def test_a_run_that_left_nothing_open_is_not_followed_up() -> None:
    async with orchestrator(Workers()) as fanfold:
        run = await fanfold.dispatch((await fanfold.plan(TASK)).id)
        with pytest.raises(CannotDoError, match="left nothing open") as refused:
            await fanfold.follow_up(run.id)
    assert refused.value.remedy == f"Call synthesize with run_id {run.id}."


async def test_a_run_that_was_cancelled_or_never_begun_is_done_from_there() -> None:
    workers = Workers()
    async with orchestrator(workers) as fanfold:
        first = await fanfold.plan(TASK)
        await fanfold.cancel(first.id)
        plan = await fanfold.follow_up(first.id)
        await fanfold.dispatch(plan.id)
    assert workers.done == Counter(NAMES)
    assert plan.kept == ()


async def test_what_was_taken_over_cost_the_new_run_nothing_and_stays_after_a_restart() -> None:
    journal, workers = MemoryJournal(), Workers(ROUGH)
    async with orchestrator(workers, journal) as fanfold:
        run = await fanfold.dispatch((await fanfold.plan(TASK)).id)
        workers.ends = {}
        plan = await fanfold.follow_up(run.id)
        await fanfold.dispatch(plan.id)
    before = workers.done.copy()
    async with orchestrator(workers, journal) as fanfold:
        again = await fanfold.follow_up(run.id)
        seen = await fanfold.dispatch(again.id)
        results = await fanfold.runs.results(await fanfold.runs.attempts(plan))
    assert again == plan
    assert (seen.usd, seen.total) == (0, 12)
    assert workers.done == before
    assert sum(result.usage.usd for result in results.values()) == 0


# -- changed by hand ---------------------------------------------------------------------------------------------


async def test_a_changed_plan_does_what_changed_and_keeps_what_was_found() -> None:
    workers = Workers()
    async with orchestrator(workers) as fanfold:
        plan = await fanfold.plan(TASK)
        await fanfold.dispatch(plan.id)
        before = workers.done.copy()
        changes = [
            Change(id="elm", objective="Where does the elm grow?"),
            Change(id="fir", remove=True),
            Change(title="Does the larch grow?"),
        ]
        revised = await fanfold.revise(plan.id, changes)
        run = await fanfold.dispatch(revised.id)
    assert (revised.revises, revised.version) == (plan.id, 2)
    assert [s.title for s in revised.subtasks if s.id not in revised.kept] == [
        "Does elm grow?",
        "Does the larch grow?",
    ]
    assert workers.told["elm"].objective == "Where does the elm grow?"
    assert (workers.done - before).total() == 2
    assert run.counts == {Status.ok: 10}


async def test_who_leans_on_what_changed_is_done_again_too() -> None:
    workers = Workers()
    drafts = (
        Draft(id="a", title="Find it"),
        Draft(id="b", title="Mend it", depends_on=("a",)),
        Draft(id="c", title="Rest"),
    )
    async with orchestrator(workers) as fanfold:
        plan = await fanfold.plan(Task(task="Find, then mend", subtasks=drafts))
        await fanfold.dispatch(plan.id)
        await fanfold.dispatch((await fanfold.revise(plan.id, [Change(id="a", objective="Find it all")])).id)
    assert workers.done == Counter(a=2, b=2, c=1)


async def test_what_ended_after_the_change_is_kept_as_well() -> None:
    workers = Workers()
    async with orchestrator(workers) as fanfold:
        plan = await fanfold.plan(TASK)
        revised = await fanfold.revise(plan.id, [Change(id="elm", remove=True)])
        await fanfold.dispatch(plan.id)
        await fanfold.dispatch(revised.id)
    assert workers.done == Counter(NAMES)


async def test_no_change_makes_no_version() -> None:
    async with orchestrator(Workers()) as fanfold:
        plan = await fanfold.plan(TASK)
        assert await fanfold.revise(plan.id, []) == plan
        assert await fanfold.revise(plan.id, edited=plan) == plan


async def test_a_change_is_checked_as_any_plan_is() -> None:
    async with orchestrator(Workers()) as fanfold:
        plan = await fanfold.plan(TASK)
        revised = await fanfold.revise(plan.id, [Change(id="elm", depends_on=("oak",))])
    assert not revised.ready
    assert [problem.field for problem in revised.problems] == ["subtasks[4].depends_on"]


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ([Change(id="oak", remove=True)], "changes[0].id", "There is no subtask oak to remove."),
        ([Change(id="elm", title="a"), Change(id="elm", title="b")], "changes[1].id", "changed twice"),
        ([Change(id=name, remove=True) for name in NAMES], "changes", "No subtask would be left."),
    ],
)
async def test_a_change_that_cannot_be_is_refused_by_name(changes: list[Change], field: str, problem: str) -> None:
    async with orchestrator(Workers()) as fanfold:
        plan = await fanfold.plan(TASK)
        with pytest.raises((InputError, UnknownNameError), match=problem) as refused:
            await fanfold.revise(plan.id, changes)
    assert refused.value.field == field


async def test_a_quote_of_what_a_worker_was_told_is_looked_up_where_the_first_run_keeps_it() -> None:
    """The attempts whose tool answers are read are those of the run that found them."""
    journal, workers = MemoryJournal(), Workers(ROUGH)
    async with orchestrator(workers, journal) as fanfold:
        run = await fanfold.dispatch((await fanfold.plan(TASK)).id)
        second = await fanfold.dispatch((await fanfold.follow_up(run.id)).id)
        third = await fanfold.dispatch((await fanfold.follow_up(second.id)).id)
        plan = await fanfold.runs.plan(third.id)
        runs = {a.subtask.id: a.run for a in await fanfold.runs.found_in(await fanfold.runs.attempts(plan))}
    assert (runs["fir"], runs["elm-rest"], runs["alder"]) == (run.id, second.id, third.id)


async def test_a_version_read_says_which_it_is_and_what_it_keeps() -> None:
    async with orchestrator(Workers({"elm": HALF})) as fanfold:
        run = await fanfold.dispatch((await fanfold.plan(TASK)).id)
        plan = await fanfold.follow_up(run.id)
        lines = (await fanfold.refs.text(plan.id)).splitlines()
    assert lines[0].startswith(f"{plan.id}, version 2: ")
    assert "- elm: Does elm grow? [] kept" in lines
    assert "- elm-rest: Rest of: Does elm grow? [] after elm" in lines


async def test_a_change_to_a_plan_that_is_at_work_says_so() -> None:
    hold = anyio.Event()
    workers = Workers()

    async def slow(subtask: Subtask) -> Result:
        await hold.wait()
        return await workers.do(subtask)

    async with Orchestrator(journal=MemoryJournal(), worker=slow, aside=inline) as fanfold:
        plan = await fanfold.plan(TASK)
        await fanfold.dispatch(plan.id, wait=0.1)
        revised = await fanfold.revise(plan.id, [Change(id="elm", remove=True)])
        hold.set()
    assert any("is going on: cancel it first" in text for text in revised.assumptions)


async def test_where_the_run_before_was_pruned_all_of_it_is_done() -> None:
    first, journal, workers = MemoryJournal(), MemoryJournal(), Workers({"elm": HALF})
    async with orchestrator(workers, first) as fanfold:
        run = await fanfold.dispatch((await fanfold.plan(TASK)).id)
        plan = await fanfold.follow_up(run.id)
    await journal.record(f"plans/{plan.id}", plan.model_dump_json())
    workers.ends, workers.done = {}, Counter()
    async with orchestrator(workers, journal) as fanfold:
        seen = await fanfold.dispatch(plan.id)
    assert seen.counts == {Status.ok: 11}
    assert workers.done == Counter([*NAMES, "elm-rest"])
