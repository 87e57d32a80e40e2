"""Steps that a task puts one after another, and words that only look as if they did."""

import pytest
from tests.server.planning.planning_cases import DOCS, REPOS, planned, scopes

from fanfold_server.planning.sequence import steps
from fanfold_server.records import Mode
from fanfold_workers.contract import EffortClass
from fanfold_workers.errors import CannotDoError

SLOW = "Find the slow query, then fix it, then measure"

STATED = [
    (SLOW, ("Find the slow query", "fix it", "measure")),
    ("First list the modules. Then find dead code. Finally, write it up.", ("list the modules", "find dead code")),
    ("Please first read the log; after that, group the errors", ("read the log", "group the errors")),
    (
        "Zuerst die langsame Abfrage finden, dann beheben, schließlich messen",
        ("die langsame Abfrage finden", "beheben"),
    ),
    ("D'abord trouve la requête lente, ensuite corrige-la, puis vérifie.", ("trouve la requête lente", "corrige-la")),
    (
        "Primero encuentra la consulta lenta, luego arréglala y después mide",
        ("encuentra la consulta lenta", "arréglala"),
    ),
    ("Prima trova la query lenta, poi correggila, infine misura", ("trova la query lenta", "correggila")),
    (
        "Primeiro encontra a consulta, depois corrige, por fim verifica",
        ("encontra a consulta", "corrige", "verifica"),
    ),
    ("先找到慢查询\uff0c然后修复它\uff0c最后测量", ("找到慢查询", "修复它", "测量")),
    ("まず遅いクエリを見つけ、次に修正し、最後に測定する", ("遅いクエリを見つけ", "修正し", "測定する")),
]


@pytest.mark.parametrize(("text", "first"), STATED)
def test_steps_are_cut_where_the_words_say_so(text: str, first: tuple[str, ...]) -> None:
    assert steps(text)[: len(first)] == first


NO_STEPS = [
    "Compare flask and click",
    "If it fails, then report it",
    "Run the tests, and if they fail, then fix them",
    "Wenn es fehlschlägt, dann melde es",
    "Explain what happened back then",
    "Nothing has changed since then",
    "Find the bug and then some",
    "Which came first, the chicken or the egg?",
    "List the next steps of the project",
    "a, then b",
    "Do this, then that" + ", then another" * 10,
]


@pytest.mark.parametrize("text", NO_STEPS)
def test_words_that_only_look_like_a_sequence_are_left_alone(text: str) -> None:
    assert steps(text) == ()


async def test_find_fix_measure_becomes_stages_that_wait_for_one_another() -> None:
    plan = await planned(SLOW, {"docs": DOCS}, takes_any=True)
    assert (plan.mode, plan.engine, plan.problems) == (Mode.staged, "rules", ())
    assert [(s.id, s.title, s.depends_on) for s in plan.subtasks] == [
        ("s1", "Find the slow query", ()),
        ("s2", "fix it", ("s1",)),
        ("s3", "measure", ("s1", "s2")),
    ]
    assert plan.subtasks[1].objective == f"fix it\n\nThis is step 2 of 3 of: {SLOW}"
    assert plan.subtasks[1].boundaries == "The other steps are done by others: Find the slow query; measure."
    assert all(subtask.done_when and subtask.scope.places == ("docs",) for subtask in plan.subtasks)
    assert plan.assumptions[0] == "Steps: 3, as the task's words put them one after another."


async def test_steps_read_only_the_place_that_the_task_names() -> None:
    plan = await planned("In repos/flask, find the slow query, then fix it", {"repos": REPOS}, takes_any=True)
    assert {subtask.scope.places for subtask in plan.subtasks} == {("repos:flask",)}


async def test_a_place_misspelt_in_a_sequence_is_an_error() -> None:
    plan = await planned("In repos:flsk find the slow query, then fix it", {"repos": REPOS}, takes_any=True)
    assert [problem.code for problem in plan.problems] == ["unknown_item"]


async def test_more_steps_than_workers_are_not_cut() -> None:
    plan = await planned(SLOW, {"docs": DOCS}, takes_any=True, max_workers=2)
    assert (plan.mode, len(plan.subtasks)) == (Mode.single, 1)


async def test_items_come_before_steps() -> None:
    plan = await planned(SLOW, {"repos": REPOS}, takes_any=True, items=("flask", "click"))
    assert scopes(plan) == {"flask": ("repos:flask",), "click": ("repos:click",)}


async def test_steps_without_anybody_to_take_them_are_refused_as_before() -> None:
    with pytest.raises(CannotDoError, match="takes a mind"):
        await planned(SLOW, {"docs": DOCS})


async def test_checks_in_a_sequence_stay_checks() -> None:
    plan = await planned("Find secrets, then find untested modules", {"repos": REPOS})
    assert {subtask.checks for subtask in plan.subtasks} == {("secrets", "tests")}


async def test_the_effort_of_a_subtask_is_by_how_much_it_may_read() -> None:
    tree = {"small/setup.py": "x", "middle/setup.py": "x" * 100_000}
    tree |= {f"large/{n}.txt": "x" for n in range(2_001)} | {"large/setup.py": "x"}
    plan = await planned("Describe each of these projects", {"repos": tree}, takes_any=True)
    assert [(subtask.item, subtask.effort) for subtask in plan.subtasks] == [
        ("large", EffortClass.deep),
        ("middle", EffortClass.normal),
        ("small", EffortClass.light),
    ]
