"""Whatever passes the check can be dispatched, as it is; whatever does not pass starts nothing."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.planning.planning_cases import REPOS, planned, scopes
from trio.testing import MockClock

from fanfold_server.orchestrator import Orchestrator
from fanfold_server.planning import FunctionPlanner, Split
from fanfold_server.records import Draft, Mode, Plan, RunState, Task
from fanfold_workers.aside import inline
from fanfold_workers.contract import EffortClass, Result, Status, Subtask
from fanfold_workers.errors import InputError
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.tools.roots import MemoryRoot

IDS = st.sampled_from(["s1", "s2", "s3", "find", "fix-it"])
WORDS = st.sampled_from(
    [
        "",
        "Find bugs",
        "Find the bugs.",
        "Fix what s1 found",
        "Merge the results of find",
        "TODO",
        "Read click",
        "\u200b",
    ]
)
DRAFTS = st.builds(
    Draft,
    id=st.none() | IDS,
    title=st.sampled_from(["", "Find bugs", "First attempt", "a"]),
    objective=WORDS,
    boundaries=st.sampled_from(["", "s1 covers click."]),
    done_when=st.sampled_from(["", "All files were read."]),
    effort=st.sampled_from(EffortClass),
    item=st.sampled_from(["", "flask", "click", "flask, click"]),
    places=st.lists(st.sampled_from(["repos", "repos:flask", "repos:click", "repos:zz", "docs"]), max_size=2).map(
        tuple
    ),
    tools=st.lists(st.sampled_from(["read", "secrets", "rm"]), max_size=1).map(tuple),
    checks=st.lists(st.sampled_from(["secrets"]), max_size=1).map(tuple),
    web=st.booleans(),
    depends_on=st.lists(IDS, max_size=2).map(tuple),
    if_unmet=st.sampled_from(["skip", "run"]),
)
ASKED = ["Look at the settings", "Count the tests", "Read the history", "List who calls it", "Explain the errors"]
MODES = st.none() | st.sampled_from(Mode)


@st.composite
def sound(draw: st.DrawFn) -> tuple[tuple[Draft, ...], Mode | None]:
    """Parts that ask different things and wait for earlier ones at most, in the mode that this is."""
    asked = draw(st.lists(st.sampled_from(ASKED), min_size=1, max_size=5, unique=True))
    drafts = tuple(
        Draft(
            title=draw(st.text(max_size=5)),
            objective=objective,
            done_when=draw(st.text(max_size=5)),
            effort=draw(st.sampled_from(EffortClass)),
            places=(draw(st.sampled_from(["repos:flask", "repos:click"])),),
            depends_on=tuple(
                draw(st.sets(st.sampled_from([f"s{k + 1}" for k in range(n)]), max_size=2)) if n else ()
            ),
        )
        for n, objective in enumerate(asked)
    )
    shape = Mode.staged if any(draft.depends_on for draft in drafts) else Mode.parallel
    return drafts, draw(st.sampled_from([None, shape]))


ODD = st.tuples(st.lists(DRAFTS, min_size=1, max_size=4).map(tuple), MODES)


class Idle:
    """Does nothing, and keeps who was there in which order."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self.told: dict[str, Subtask] = {}

    async def work(self, subtask: Subtask) -> Result:
        assert set(subtask.depends_on) <= set(self.ended)
        self.began.append(subtask.id)
        self.told[subtask.id] = subtask
        await anyio.sleep(1)
        self.ended.append(subtask.id)
        return Result.ended(subtask.id, summary="Done.")


def in_virtual_time(work: Callable[[], Any]) -> None:
    anyio.run(work, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})


@settings(deadline=None, max_examples=120)
@given(sound() | sound() | ODD, st.sampled_from([(), (), ("flask", "click")]))
def test_a_plan_that_passes_the_check_can_be_dispatched(
    drawn: tuple[tuple[Draft, ...], Mode | None], items: tuple[str, ...]
) -> None:
    drafts, mode = drawn

    async def split(task: Task) -> Split:
        return Split(drafts, mode, engine="function", places=("repos",))

    async def work() -> None:
        idle = Idle()
        task = Task(task="How do they work?", items=items, subtasks=() if mode else drafts)
        root, planner = MemoryRoot("repos", REPOS), FunctionPlanner(split) if mode else None
        async with Orchestrator(
            roots={"repos": root}, worker=idle.work, planner=planner, journal=MemoryJournal(), aside=inline
        ) as it:
            plan = await it.plan(task)
            assert Plan.model_validate_json(plan.model_dump_json()) == plan
            assert [s.id for s in plan.subtasks] == [d.id or s.id for d, s in zip(drafts, plan.subtasks, strict=True)]
            assert [s.effort for s in plan.subtasks] == [d.effort for d in drafts]
            if not plan.ready:
                with pytest.raises(InputError, match="cannot run"):
                    await it.dispatch(plan.id)
                assert idle.began == []
                return
            run = await it.dispatch(plan.id)
        assert (run.state, run.counts) == (RunState.done, {Status.ok: len(drafts)})
        assert sorted(idle.ended) == sorted(subtask.id for subtask in plan.subtasks)
        for subtask in plan.subtasks:
            assert idle.told[subtask.id].model_copy(update={"prior": (), "limits": subtask.limits}) == subtask

    in_virtual_time(work)


@pytest.mark.parametrize("most", [None, 12])
async def test_fifty_repositories_are_fifty_disjoint_read_only_scopes_or_a_few_groups_of_them(
    most: int | None,
) -> None:
    tree = {f"repo{n:02}/{name}": "x" * n for n in range(50) for name in ("setup.py", "src/main.py", ".env")}
    plan = await planned("Audit these repositories for secrets", {"repos": tree}, max_workers=most)
    places = [place for subtask in plan.subtasks for place in subtask.scope.places]
    assert (len(plan.subtasks), plan.ready, plan.problems) == (most or 50, True, ())
    assert sorted(places) == [f"repos:repo{n:02}" for n in range(50)]
    assert all(s.scope.tools == ("secrets",) and not s.scope.web and not s.scope.servers for s in plan.subtasks)
    assert {name for item in scopes(plan) for name in item.split("\n")} == {f"repo{n:02}" for n in range(50)}


ONE_LOOK = [
    ("How do I log?", {"docs": {"log.md": "Call log()."}}, {}),
    ("What is 2 + 2?", {"docs": {"log.md": "Call log()."}}, {}),
    ("Find secrets", {"app": {"setup.py": "x"}}, {}),
    ("What does it say about logging?", {"docs": {"log.md": "Call log()."}}, {"takes_any": True}),
]


@pytest.mark.parametrize(("task", "trees", "fields"), ONE_LOOK)
async def test_what_one_look_answers_is_single(task: str, trees: dict[str, dict[str, str]], fields: dict[str, Any]):
    plan = await planned(task, trees, **fields)
    assert (plan.mode, len(plan.subtasks), plan.ready) == (Mode.single, 1, True)
