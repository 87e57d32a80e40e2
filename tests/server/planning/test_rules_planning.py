"""What the rules make of a task."""

import pytest
from inline_snapshot import snapshot
from tests.server.planning.planning_cases import DOCS, REPOS, SITE, STDLIB, planned, scopes, told

from fanfold_server.records import Mode
from fanfold_workers.contract import EffortClass, Scope, Subtask
from fanfold_workers.errors import CannotDoError, InputError

CHECKS = "secrets, dependencies, tests, upgrades, passages"
AUDIT = "Audit these repositories for secrets, dependency problems and missing tests"


async def test_each_repository_gets_one_worker_with_the_checks_the_task_names() -> None:
    plan = await planned(AUDIT, {"repos": REPOS})
    assert plan.subtasks[1] == Subtask(
        id="s2",
        title="django-5.2: secrets, dependencies, tests",
        objective=f"{AUDIT}\n\nHere: django-5.2 (repos:django-5.2).",
        boundaries="The other 2 workers cover the other items.",
        expected="Findings, each with file, line and a verbatim quote.",
        done_when="Every file in its places has been through each check.",
        effort=EffortClass.light,
        item="django-5.2",
        checks=("secrets", "dependencies", "tests"),
        scope=Scope(places=("repos:django-5.2",), tools=("secrets", "dependencies", "tests")),
    )
    assert scopes(plan) == {
        "click": ("repos:click",),
        "django-5.2": ("repos:django-5.2",),
        "flask": ("repos:flask",),
    }
    assert (plan.mode, plan.engine, plan.problems) == (Mode.parallel, "rules", ())
    assert plan.assumptions == snapshot(
        (
            (
                "Checks: secrets (the task says 'secrets'), dependencies (the task says 'dependency'), "
                "tests (the task says 'tests')."
            ),
            "Items: repos: one per project folder.",
            "Left out of repos: README.md: in none of the folders.",
        )
    )


async def test_an_environment_is_split_by_its_modules_and_distributions() -> None:
    plan = await planned(
        "Can this environment move to the next Python?",
        {"stdlib": STDLIB, "site": SITE},
        roots=("stdlib", "site"),
    )
    assert scopes(plan) == {
        "abc": ("stdlib:abc.py",),
        "cgi": ("stdlib:cgi.py",),
        "json": ("stdlib:json",),
        "os": ("stdlib:os.py",),
        "google_cloud": ("site:google/cloud", "site:google_cloud-2.0.dist-info"),
        "google_re2": ("site:google/re2", "site:google_re2-1.1.dist-info"),
        "Old": ("site:old", "site:Old-0.1.dist-info"),
        "requests": ("site:requests", "site:requests-2.34.2.dist-info"),
        "typing_extensions": ("site:typing_extensions.py", "site:typing_extensions-4.16.0.dist-info"),
        "loose.py": ("site:loose.py",),
    }
    assert {subtask.checks for subtask in plan.subtasks} == {("upgrades",)}
    assert plan.assumptions == snapshot(
        (
            "Checks: upgrades (the task says 'next Python').",
            (
                "Items: stdlib: one per package or top-level module; site: one per installed distribution, with the "
                "files its RECORD names."
            ),
            (
                "Left out of stdlib: test: the library's own tests use on purpose what it deprecates; LICENSE.txt, "
                "lib-dynload/: not importable from here."
            ),
            "Left out of site: mine: nothing of theirs but metadata is here.",
        )
    )


async def test_a_library_s_tests_are_part_of_it_for_any_other_check() -> None:
    plan = await planned("Find secrets", {"stdlib": STDLIB})
    assert "test" in scopes(plan)


@pytest.mark.parametrize("name", ["Django", "repos/django", "repos:django-5.2", "DJANGO-5.2", "`django`", "django/"])
async def test_an_item_is_found_by_any_usual_spelling_of_its_name(name: str) -> None:
    plan = await planned(AUDIT, {"repos": REPOS}, items=(name, "flask"))
    assert scopes(plan) == {name: ("repos:django-5.2",), "flask": ("repos:flask",)}
    assert plan.ready


async def test_an_item_deep_in_a_root_or_a_module_by_its_stem_is_found() -> None:
    plan = await planned("Find secrets", {"repos": REPOS, "stdlib": STDLIB}, items=("django/DJANGO/core", "cgi"))
    assert scopes(plan) == {
        "django/DJANGO/core": ("repos:django-5.2/django/core.py",),
        "cgi": ("stdlib:cgi.py",),
    }


async def test_an_item_that_is_nowhere_is_an_error_with_near_matches() -> None:
    plan = await planned(AUDIT, {"repos": REPOS}, items=("djnago", "flask", "zzz"))
    assert told(plan) == [
        "error items[0]: 'djnago' is not in repos. Did you mean django-5.2?",
        "error items[2]: 'zzz' is not in repos. Name something that is there, or leave the item out.",
    ]
    assert not plan.ready


@pytest.mark.parametrize(
    "name", ["../etc", "repos:../etc", "repos//etc", "/etc/passwd", "..", ".", "a\\..\\b", "\u202e"]
)
async def test_an_item_that_leads_out_of_a_root_is_nowhere(name: str) -> None:
    plan = await planned(AUDIT, {"repos": REPOS}, items=(name,))
    assert [p.field for p in plan.problems] == ["items[0]"]
    assert not plan.subtasks


async def test_items_that_name_the_same_thing_are_merged_and_it_is_said() -> None:
    plan = await planned(AUDIT, {"repos": REPOS}, items=("flask", "Flask", "repos/flask", "click"))
    assert list(scopes(plan)) == ["flask", "click"]
    assert plan.assumptions[-2:] == (
        "Items: 2 places named in `items`.",
        "2 that name again what another does were merged into it.",
    )


async def test_a_place_named_in_the_text_is_looked_at_alone() -> None:
    plan = await planned("Are there secrets in repos/flask or `click`?", {"repos": REPOS})
    assert scopes(plan) == {"repos/flask": ("repos:flask",), "click": ("repos:click",)}


async def test_a_place_misspelt_in_the_text_is_an_error_rather_than_everything() -> None:
    plan = await planned("Are there secrets in repos:flsk?", {"repos": REPOS})
    assert told(plan) == ["error task: 'repos:flsk' is not in repos. Did you mean flask?"]


async def test_a_list_of_places_in_the_task_is_its_items() -> None:
    plan = await planned("Find secrets in:\n- **flask**\n- click: its settings\n", {"repos": REPOS})
    assert scopes(plan) == {"flask": ("repos:flask",), "click": ("repos:click",)}


async def test_a_list_in_the_context_counts_too_and_an_unknown_entry_is_an_error() -> None:
    plan = await planned("Find secrets", {"repos": REPOS}, context="1. flask\n2. click\n3) djnago")
    assert told(plan) == ["error task: 'djnago' is not in repos. Did you mean django-5.2?"]


async def test_a_list_of_checks_is_no_list_of_items() -> None:
    plan = await planned("Audit for:\n- secrets\n- tests", {"repos": {**REPOS, "tests/setup.py": "x"}})
    assert list(scopes(plan)) == ["click", "django-5.2", "flask", "tests"]
    assert plan.subtasks[0].checks == ("secrets", "tests")


async def test_a_single_bullet_that_names_a_place_is_taken_for_it() -> None:
    assert list(scopes(await planned("Find secrets\n- flask", {"repos": REPOS}))) == ["flask"]


async def test_bullets_that_name_nothing_leave_the_task_as_it_is() -> None:
    plan = await planned("Find secrets\n- be quick\n- be kind\n- flask", {"repos": REPOS})
    assert list(scopes(plan)) == ["click", "django-5.2", "flask"]


async def test_an_item_outside_the_roots_of_the_task_is_nowhere() -> None:
    plan = await planned(
        "Find secrets", {"repos": REPOS, "stdlib": STDLIB}, roots=("repos",), items=("stdlib:cgi.py",)
    )
    assert told(plan)[0].startswith("error items[0]: 'stdlib:cgi.py' is not in repos.")


async def test_more_items_than_workers_are_grouped_by_size() -> None:
    tree = {f"p{n}/setup.py": "x" * (100 * n) for n in range(1, 8)}
    plan = await planned("Find secrets", {"repos": tree}, max_workers=3)
    assert [subtask.item.split("\n") for subtask in plan.subtasks] == [["p1", "p2", "p7"], ["p3", "p6"], ["p4", "p5"]]
    assert "7 items in 3 groups of about the same number of bytes." in plan.assumptions


async def test_groups_never_mix_two_roots() -> None:
    plan = await planned(
        "Can this environment move to the next Python?", {"stdlib": STDLIB, "site": SITE}, max_workers=5
    )
    assert len(plan.subtasks) == 5
    assert all(len({place.partition(":")[0] for place in places}) == 1 for places in scopes(plan).values())


async def test_one_repository_is_looked_at_as_a_whole() -> None:
    plan = await planned("Find secrets", {"app": {"setup.py": "", **DOCS}})
    assert scopes(plan) == {"app": ("app",)}


async def test_a_monorepo_is_one_repository_unless_the_task_speaks_of_several() -> None:
    tree = {"mono": {"package.json": "{}", **REPOS}}
    assert scopes(await planned("Find secrets", tree)) == {"mono": ("mono",)}
    assert list(scopes(await planned("Find secrets in these packages", tree))) == ["click", "django-5.2", "flask"]


async def test_a_package_is_looked_at_as_a_whole_and_so_is_a_folder_with_a_few_scripts() -> None:
    package = {"__init__.py": "", "a.py": "x", "b.py": "x"}
    folder = {"a.py": "x", "b.py": "x", **{f"{n}.md": "x" for n in range(5)}}
    plan = await planned("Find secrets", {"package": package, "folder": folder})
    assert scopes(plan) == {"folder": ("folder",), "package": ("package",)}


async def test_folders_are_looked_at_one_by_one_if_the_task_speaks_of_folders() -> None:
    plan = await planned("Find secrets in each of the folders", {"data": {"a/x": "1", "b/x": "2", "c": "3"}})
    assert scopes(plan) == {"a": ("data:a",), "b": ("data:b",)}


async def test_a_large_repository_is_split_by_its_folders_hidden_files_included() -> None:
    tree = {f"{d}/{n}.txt": "x" for d in ("src", "web") for n in range(1_100)}
    tree |= {"package.json": "{}", ".env": "KEY=1", ".github/ci.yml": "on: push"}
    plan = await planned("Find secrets", {"app": tree})
    assert scopes(plan) == {
        "src": ("app:src",),
        "web": ("app:web",),
        "app (top-level and hidden files)": ("app:.env", "app:.github", "app:package.json"),
    }


async def test_a_large_repository_stays_whole_for_a_check_that_needs_all_of_it() -> None:
    tree = {f"{d}/{n}.txt": "x" for d in ("src", "tests") for n in range(1_100)}
    plan = await planned("Which modules are untested?", {"app": {"package.json": "{}", **tree}})
    assert scopes(plan) == {"app": ("app",)}


async def test_a_question_over_a_named_root_is_answered_with_passages() -> None:
    plan = await planned("How do I configure logging?", {"docs": DOCS, "repos": REPOS}, roots=("docs",))
    assert [(s.checks, s.objective, s.scope.places) for s in plan.subtasks] == [
        (("passages",), "How do I configure logging?", ("docs",))
    ]
    assert plan.mode is Mode.parallel
    assert plan.assumptions == (
        "Checks: passages, since the task is a question: the passages that answer it best are quoted.",
        "Items: docs: one for all of it.",
    )


async def test_a_question_is_looked_up_in_the_only_root_there_is() -> None:
    assert (await planned("How do I configure logging?", {"docs": DOCS})).subtasks[0].checks == ("passages",)


async def test_a_question_that_could_be_looked_up_anywhere_is_refused() -> None:
    with pytest.raises(CannotDoError, match="name the `roots` to search"):
        await planned("How do I configure logging?", {"docs": DOCS, "repos": REPOS})


async def test_how_to_run_tests_is_a_question_and_no_order_to_check_them() -> None:
    plan = await planned("How do I run the tests?", {"docs": DOCS})
    assert plan.subtasks[0].checks == ("passages",)
    assert "these checks were not taken from its words: tests" in plan.assumptions[1]


async def test_questions_as_items_are_searched_one_by_one() -> None:
    asked = ("How do I log?", "How do I test?")
    plan = await planned("Answer these from the documentation", {"docs": DOCS}, items=asked)
    assert [(s.objective, s.scope.places) for s in plan.subtasks] == [(question, ("docs",)) for question in asked]


async def test_a_question_that_one_look_answers_is_handed_back_with_its_subtask() -> None:
    plan = await planned("How do I log?", {"docs": {"log.md": "Call log()."}})
    assert (plan.mode, plan.reason) == (Mode.single, "Do it yourself: one look at docs answers it.")
    assert [s.scope.places for s in plan.subtasks] == [("docs",)]


@pytest.mark.parametrize("talk", ["Hello!", "thanks, all", "what is 2 + 2?", "(3+4)*12", "How are you?"])
async def test_small_talk_and_sums_are_handed_back(talk: str) -> None:
    plan = await planned(talk, {"repos": REPOS})
    assert (plan.mode, [s.scope for s in plan.subtasks], plan.ready) == (Mode.single, [Scope()], True)


CANNOT = [
    ("Is anything wrong, apart from secrets?", {"repos": REPOS}, {}),
    ("1+" * 50 + "1", {"repos": REPOS}, {}),
    ("Compare these:\n- pgvector\n- qdrant", {"repos": REPOS}, {}),
    ("compare vector databases", {}, {}),
    ("Compare vector databases", {"repos": REPOS}, {}),
    ("write a poem", {"repos": REPOS}, {"roots": ("repos",)}),
    ("Audit everything, but not secrets", {"repos": REPOS}, {}),
    ("Summarise each", {"repos": REPOS}, {"items": ("flask", "click")}),
]


@pytest.mark.parametrize(("task", "trees", "fields"), CANNOT)
async def test_what_takes_a_mind_is_refused_with_the_remedies(
    task: str, trees: object, fields: dict[str, object]
) -> None:
    with pytest.raises(CannotDoError) as caught:
        await planned(task, trees, **fields)  # type: ignore[arg-type]
    assert str(caught.value) == snapshot(
        "task: This takes a mind: the rules engine only runs checks, and nothing here asks for one it has. Have your "
        "own sub-agents do it: call plan again with `subtasks` (an objective each), let each sub-agent do one and "
        "deposit it with `submit`. Or name `roots` and `checks` for the rules engine (checks: secrets, dependencies, "
        "tests, upgrades, passages). With ANTHROPIC_API_KEY set, fanfold's own models plan and do such tasks."
    )


async def test_a_check_with_nothing_to_read_says_how_to_configure_a_root() -> None:
    with pytest.raises(CannotDoError, match="--root NAME=DIR"):
        await planned(AUDIT)


@pytest.mark.parametrize("task", ["\x00\x01", "\u200b\u200b", "\x7f \x9f"])
async def test_a_task_of_nothing_visible_is_refused(task: str) -> None:
    with pytest.raises(InputError, match=r"^task: There is nothing in it"):
        await planned(task, {"repos": REPOS})


async def test_control_characters_do_not_reach_the_workers() -> None:
    plan = await planned("Find \x1bsecrets\x00\nnow", {"repos": REPOS})
    assert plan.subtasks[0].objective == "Find  secrets \nnow\n\nHere: click (repos:click)."


async def test_the_longest_task_is_planned_and_its_cut_is_said() -> None:
    plan = await planned("Find secrets. " + "word " * 19_000, {"repos": REPOS})
    assert max(len(subtask.objective) for subtask in plan.subtasks) < 1_200
    assert plan.assumptions[-1] == "Each objective carries the beginning of the task, not all of it."


async def test_an_empty_root_is_an_error() -> None:
    plan = await planned("Find secrets", {"repos": {}})
    assert told(plan) == ["error roots: There is nothing to read in repos. Name another place."]


async def test_unknown_roots_and_checks_are_problems_with_near_matches() -> None:
    plan = await planned("Look", {"repos": REPOS}, roots=("repo", "repos:flsk"), checks=("secret", "read", "xyz"))
    assert told(plan) == [
        "error roots[0]: There is no root called 'repo'. Did you mean repos?",
        "error roots[1]: 'repos:flsk' is not there. Did you mean repos:flask?",
        "error checks[0]: There is no check called 'secret'. Did you mean secrets?",
        f"error checks[1]: 'read' is a tool, not a check. Use some of: {CHECKS}.",
        f"error checks[2]: There is no check called 'xyz'. Use some of: {CHECKS}.",
    ]
    assert plan.subtasks == ()


async def test_named_checks_need_no_words_in_the_task() -> None:
    plan = await planned("Look at these", {"repos": REPOS}, checks=("tests", "tests"))
    assert {subtask.checks for subtask in plan.subtasks} == {("tests",)}


async def test_a_worker_that_takes_anything_gets_topics_without_checks() -> None:
    plan = await planned("Compare vector databases", takes_any=True, items=("pgvector", "Qdrant", "qdrant"))
    assert [(s.item, s.objective, s.scope, s.checks) for s in plan.subtasks] == [
        ("pgvector", "Compare vector databases\n\nHere: pgvector.", Scope(), ()),
        ("Qdrant", "Compare vector databases\n\nHere: Qdrant.", Scope(), ()),
    ]


async def test_a_worker_that_takes_anything_gets_places_where_items_name_them() -> None:
    plan = await planned("Describe each", {"repos": REPOS}, takes_any=True, items=("flask", "Django"))
    assert scopes(plan) == {"flask": ("repos:flask",), "Django": ("repos:django-5.2",)}
    assert {subtask.scope.tools for subtask in plan.subtasks} == {("list", "read")}


async def test_a_worker_that_takes_anything_answers_questions_itself() -> None:
    plan = await planned("Which of these repositories is best?", {"repos": REPOS}, takes_any=True)
    assert [(subtask.item, subtask.checks) for subtask in plan.subtasks] == [
        ("click", ()),
        ("django-5.2", ()),
        ("flask", ()),
    ]


async def test_a_worker_that_takes_anything_gets_topics_from_a_list() -> None:
    plan = await planned("Compare:\n- pgvector\n- qdrant", takes_any=True)
    assert list(scopes(plan)) == ["pgvector", "qdrant"]
    assert list(scopes(await planned("Compare:\n- speed", takes_any=True))) == ["Compare: - speed"]


async def test_a_worker_that_takes_anything_gets_the_whole_task_if_nothing_divides_it() -> None:
    plan = await planned("Compare vector databases", {"repos": REPOS}, takes_any=True)
    assert (plan.mode, [s.item for s in plan.subtasks]) == (Mode.single, ["Compare vector databases"])


async def test_a_worker_that_takes_anything_gets_a_thousand_items_one_by_one() -> None:
    plan = await planned("Look each up", takes_any=True, items=tuple(f"topic {n}" for n in range(1_000)))
    assert len(plan.subtasks) == 1_000


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_five_thousand_items_that_name_each_thing_five_times_are_planned() -> None:
    tree = {f"p{n}/setup.py": "x" for n in range(1_000)}
    names = tuple(f"p{n % 1_000}" for n in range(5_000))
    plan = await planned("Find secrets", {"repos": tree}, items=names)
    assert len(plan.subtasks) == 300
    assert sorted(name for s in plan.subtasks for name in s.item.split("\n")) == sorted(f"p{n}" for n in range(1_000))


async def test_a_root_that_does_not_exist_is_named_before_anything_else_is_said() -> None:
    plan = await planned("Compare vector databases", {"docs": DOCS}, roots=("nowhere",))
    assert [(p.level, p.field) for p in plan.problems] == [("error", "roots[0]")]
    assert not plan.ready
