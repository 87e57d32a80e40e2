"""What is said about a draft before anybody works on it."""

from typing import Any

import pytest
from tests.server.planning.planning_cases import DOCS, REPOS, planned, told

from fanfold_server.records import Draft, Mode
from fanfold_workers.contract import Scope, Subtask

LOOK = "Look into these"


def drafts(*objectives: str, **fields: Any) -> tuple[Draft, ...]:
    return tuple(Draft(objective=objective, **fields) for objective in objectives)


async def test_a_draft_is_kept_word_for_word_and_only_filled_with_defaults() -> None:
    draft = Draft(
        id="a", title="T $x", objective="Find $y\n  now", boundaries="b", expected="e", places=("repos:flask",)
    )
    plan = await planned(LOOK, {"repos": REPOS}, subtasks=(draft, Draft(title="Only a title", depends_on=("a",))))
    assert plan.subtasks == (
        Subtask(
            id="a",
            title="T $x",
            objective="Find $y\n  now",
            boundaries="b",
            expected="e",
            scope=Scope(places=("repos:flask",), tools=("list", "read")),
        ),
        Subtask(
            id="s2",
            title="Only a title",
            objective="Only a title",
            scope=Scope(places=("repos",), tools=("list", "read")),
            depends_on=("a",),
        ),
    )
    assert (plan.mode, plan.engine, plan.problems) == (Mode.staged, "host", ())


async def test_a_draft_without_places_reads_what_its_item_names() -> None:
    plan = await planned(
        LOOK, {"repos": REPOS}, subtasks=(Draft(objective="Look", item="Django"), *drafts("All of it"))
    )
    assert [s.scope.places for s in plan.subtasks] == [("repos:django-5.2",), ("repos",)]
    assert plan.assumptions == (
        "Subtasks: the caller's own, kept as they are.",
        "1 that name no places may read what their item names.",
        "1 that name no places may read repos.",
    )


async def test_ids_filled_in_never_meet_ids_given() -> None:
    own = (
        Draft(objective="one"),
        Draft(id="s1", objective="two"),
        Draft(id="s4", objective="three"),
        *drafts("four"),
    )
    assert [s.id for s in (await planned(LOOK, subtasks=own)).subtasks] == ["s1.2", "s1", "s4", "s4.2"]


async def test_two_subtasks_of_one_id_are_an_error() -> None:
    plan = await planned(LOOK, subtasks=drafts("Read the code", "Ask the users", id="a"))
    assert told(plan) == [
        "error subtasks[1].id: 2 subtasks are called 'a'. Give each its own id, or leave the ids out."
    ]


async def test_a_dependency_that_is_not_there_is_an_error_with_near_matches() -> None:
    own = (Draft(id="collect", objective="one"), Draft(id="b", objective="two", depends_on=("colect", "zz")))
    assert told(await planned(LOOK, subtasks=own)) == [
        "error subtasks[1].depends_on: There is no subtask 'colect'. Did you mean collect?",
        "error subtasks[1].depends_on: There is no subtask 'zz'. Use one of: collect, b.",
    ]


async def test_a_circle_is_named_from_its_first_subtask() -> None:
    own = (
        Draft(id="x", objective="start"),
        Draft(id="a", objective="one", depends_on=("b", "x")),
        Draft(id="b", objective="two", depends_on=("c",)),
        Draft(id="c", objective="three", depends_on=("a",)),
        Draft(id="d", objective="four", depends_on=("d",)),
    )
    assert told(await planned(LOOK, subtasks=own)) == [
        "error subtasks[4].depends_on: 'd' waits for itself. Leave its own id out.",
        (
            "error subtasks[1].depends_on: These wait for one another: a -> b -> c -> a. "
            "Take one of these dependencies out."
        ),
    ]


async def test_every_circle_is_found() -> None:
    own = tuple(Draft(id=f"n{n}", objective=f"look at {n}", depends_on=(f"n{n ^ 1}",)) for n in range(6))
    plan = await planned(LOOK, subtasks=own)
    assert [p.field for p in plan.problems] == [f"subtasks[{n}].depends_on" for n in (0, 2, 4)]


PLACES = [
    ("rpos:flask", "There is no root called 'rpos'. Did you mean repos?"),
    ("repos:flsk/setup.py", "'repos:flsk/setup.py' is not there. Did you mean repos:flask?"),
    ("repos:FLASK", "'repos:FLASK' is not there. Did you mean repos:flask?"),
    ("repos:zzz", "'repos:zzz' is not there. Name something under repos."),
    ("repos:../x", "'repos:../x' could lead out of its root. Name a path below it, with forward slashes."),
    ("repos:/etc", "'repos:/etc' could lead out of its root. Name a path below it, with forward slashes."),
    ("repos:a\\b", "'repos:a\\\\b' could lead out of its root. Name a path below it, with forward slashes."),
]


@pytest.mark.parametrize(("place", "problem"), PLACES)
async def test_a_place_that_cannot_be_read_is_an_error(place: str, problem: str) -> None:
    plan = await planned(LOOK, {"repos": REPOS}, subtasks=drafts("Look", places=("repos:flask", place)))
    assert told(plan) == [f"error subtasks[0].places[1]: {problem}"]


async def test_a_root_that_is_not_there_is_said_once() -> None:
    plan = await planned(LOOK, {"repos": REPOS}, roots=("repo",), subtasks=drafts("Look", "Ask the users"))
    assert told(plan) == ["error roots[0]: There is no root called 'repo'. Did you mean repos?"]


async def test_errors_come_before_warnings() -> None:
    own = drafts(*(f"Look at number {n}" for n in range(20)))
    plan = await planned(LOOK, subtasks=(*own, Draft(objective="And this", tools=("nope",))))
    assert [p.level for p in plan.problems] == ["error", "warning"]


async def test_unknown_tools_and_checks_are_errors() -> None:
    own = (
        Draft(objective="one", checks=("secret",)),
        Draft(objective="two", tools=("rea",)),
        Draft(objective="three", checks=("tests",), tools=("read",)),
    )
    assert told(await planned(LOOK, {"repos": REPOS}, subtasks=own)) == [
        "error subtasks[0].checks[0]: There is no check called 'secret'. Did you mean secrets?",
        "error subtasks[1].tools[0]: There is no tool called 'rea'. Did you mean read?",
        "error subtasks[2].tools: The check 'tests' is not among its tools. Add 'tests' to them, or leave tools out.",
    ]


async def test_a_check_with_nothing_to_read_is_an_error() -> None:
    plan = await planned(LOOK, subtasks=drafts("Look", checks=("secrets",)))
    assert [(p.level, p.field) for p in plan.problems] == [("error", "subtasks[0].places")]


async def test_the_same_work_twice_is_warned_about() -> None:
    own = drafts("Compare the performance of Qdrant.", "compare Qdrant's performances", "Compare the price of Qdrant")
    plan = await planned(LOOK, subtasks=(*own[:1], own[2], Draft(objective="Compare performance of QDRANT")))
    assert told(plan) == [
        (
            "warning subtasks[2]: It is nearly the same as subtasks[0] (s1): same scope, same objective. "
            "Merge the two, or say in boundaries what each leaves to the other. "
            "If they are attempts, say so in their titles."
        )
    ]


DIFFERENT = [
    ("Research pgvector: speed, price, filters", "Research qdrant: speed, price, filters"),
    ("Find the API changes in version 1.2", "Find the API changes in version 1.3"),
    ("Check module ast", "Check module abc"),
    ("Check the python311 wheels", "Check the python312 wheels"),
]


@pytest.mark.parametrize("pair", DIFFERENT)
async def test_objectives_that_differ_in_what_they_name_are_not_the_same(pair: tuple[str, str]) -> None:
    assert (await planned(LOOK, subtasks=drafts(*pair))).problems == ()


async def test_the_same_objective_in_two_places_is_not_the_same_work() -> None:
    own = tuple(Draft(objective="Look for bugs", places=(place,)) for place in ("repos:flask", "repos:click"))
    plan = await planned(LOOK, {"repos": {**REPOS, "flask/big.py": "x" * 90_000}}, subtasks=own)
    assert plan.problems == ()


@pytest.mark.parametrize("blank", ["", " ", "\u200b", "\x00\x1f"])
async def test_a_subtask_that_says_nothing_is_an_error(blank: str) -> None:
    plan = await planned(LOOK, subtasks=(Draft(objective=blank), *drafts("Look")))
    assert told(plan) == ["error subtasks[0].objective: It says nothing. Say what to find out."]


async def test_items_must_each_be_covered_by_one_subtask() -> None:
    own = (
        Draft(item="click", objective="a"),
        Draft(item="Click", objective="b"),
        Draft(objective="Compare Django 5.2"),
    )
    plan = await planned(LOOK, subtasks=own, items=("click", "flask", "django-5.2", "jango"))
    assert told(plan) == [
        (
            "error items[0]: 'click' is covered by 2 subtasks: s1, s2. "
            "Keep one of them, or leave `items` out if each looks at something else."
        ),
        "error items[1]: No subtask covers 'flask'. Add a subtask with this `item`, or take it out of `items`.",
        "error items[3]: No subtask covers 'jango'. Add a subtask with this `item`, or take it out of `items`.",
    ]


async def test_stages_of_one_item_do_not_cover_it_twice() -> None:
    own = (
        Draft(id="find", item="click", objective="Find"),
        Draft(id="verify", item="click", objective="Verify", depends_on=("find",)),
    )
    assert (await planned(LOOK, subtasks=own, items=("click",))).problems == ()


async def test_a_scope_wider_than_its_item_is_warned_about() -> None:
    own = (Draft(item="flask", objective="Look", places=("repos",)), *drafts("Look elsewhere", places=("repos",)))
    tree = {**REPOS, "flask/big.py": "x" * 90_000}
    assert told(await planned(LOOK, {"repos": tree}, subtasks=own)) == [
        "warning subtasks[0].places: 's1' may read all of repos for 'flask'. Narrow it to repos:flask."
    ]


async def test_more_subtasks_than_max_workers_are_an_error() -> None:
    plan = await planned(LOOK, subtasks=drafts("red", "green", "blue"), max_workers=2)
    assert told(plan) == [
        "error subtasks: 3 subtasks are more than max_workers, 2. Merge some, or raise max_workers to 3."
    ]


async def test_many_sub_agents_are_warned_about_unless_meant() -> None:
    own = drafts(*(f"Look at number {n}" for n in range(21)))
    assert told(await planned(LOOK, subtasks=own)) == [
        (
            "warning subtasks: 21 subtasks are many: each takes an agent of its own. "
            "Merge some; or pass max_workers to say that it is meant."
        )
    ]
    assert (await planned(LOOK, subtasks=own, max_workers=21)).problems == ()
    assert (await planned(LOOK, subtasks=own, takes_any=True)).problems == ()


async def test_many_workers_for_a_tiny_scope_are_warned_about() -> None:
    own = drafts("red", "green", "blue", "black", "white")
    assert [p.problem for p in (await planned(LOOK, {"docs": {"a.md": "x" * 10}}, subtasks=own)).problems] == [
        "5 workers for 1 file, 10 bytes: one look reads all of it."
    ]
    assert [p.remedy for p in (await planned(LOOK, {"docs": DOCS}, subtasks=own)).problems] == [
        "Two to four workers are enough."
    ]
    assert (await planned(LOOK, {"docs": DOCS}, subtasks=own[:4])).problems == ()
    assert (await planned(LOOK, {"docs": DOCS}, subtasks=own, takes_any=True)).problems == ()


async def test_a_single_small_subtask_is_handed_back() -> None:
    plan = await planned(LOOK, {"docs": {"a.md": "x"}}, subtasks=drafts("Look"))
    assert (plan.mode, plan.reason) == (Mode.single, "Do it yourself: a single small subtask (Look).")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_thousand_problems_are_counted_rather_than_listed() -> None:
    own = tuple(Draft(objective=f"Look at number {n}", depends_on=("nobody",)) for n in range(1_000))
    plan = await planned(LOOK, subtasks=own, max_workers=1_000)
    assert len(plan.problems) == 100
    assert plan.problems[-1].problem == "901 more problems of the same kinds are not listed."


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_ten_thousand_subtasks_are_checked_at_once() -> None:
    own = tuple(Draft(objective=f"Look at number {n} of {'many ' * 20}") for n in range(10_000))
    plan = await planned(LOOK, {"docs": DOCS}, subtasks=own, max_workers=10_000, takes_any=True)
    assert (len(plan.subtasks), plan.ready) == (10_000, True)
