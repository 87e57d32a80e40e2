"""What holds for every plan, whatever the task and the tree."""

from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.planning.planning_cases import TOOLS, planned, roots

from fanfold_server.planning import FunctionPlanner, Split
from fanfold_server.planning.grouping import grouped
from fanfold_server.planning.items import Item
from fanfold_server.planning.survey import Survey
from fanfold_server.records import Draft, Mode, Plan, Task
from fanfold_workers.errors import CannotDoError, InputError
from fanfold_workers.tools.files import split_place

NAMES = st.sampled_from(
    ["a", "b", "flask", "Flask", "django-5.2", "django", "tests", "json", "x y", "é", ".env", "z" * 70]
)
FILES = st.sampled_from(["setup.py", "__init__.py", "main.py", "README.md", "LICENSE", "data.bin", "RECORD"])
PATHS = st.one_of(FILES, st.builds("{}/{}".format, NAMES, FILES), st.builds("{}/{}/{}".format, NAMES, NAMES, FILES))
TREES = st.dictionaries(PATHS, st.integers(0, 5).map(lambda n: "x" * 10**n), max_size=12)
ROOTS = st.dictionaries(st.sampled_from(["repos", "docs", "site"]), TREES, max_size=2)
ODD = st.sampled_from(
    ["..", "../x", "/etc", "repos:../x", "repos:", "docs/", "a\\b", "$x", "\u202e", "What is it?", "- -"]
)
ITEMS = st.lists(st.one_of(NAMES, ODD, st.text(min_size=1, max_size=20).filter(str.strip)), max_size=8).map(tuple)
WORDS = st.sampled_from(
    [
        "secrets",
        "tests",
        "not",
        "and",
        ",",
        "these repositories",
        "How do I log?",
        "\n- flask",
        "\n- tests",
        "repos/a",
        "`b`",
    ]
)
ODDMENTS = st.lists(st.one_of(WORDS, st.text(max_size=8)), min_size=1, max_size=6).map(" ".join)
TEXTS = st.one_of(ODDMENTS.map("Find secrets {}".format), ODDMENTS.filter(str.strip))
IDS = st.sampled_from(["s1", "s2", "a", "b", "c"])
PLACES = st.sampled_from(["repos", "repos:flask", "repos:FLASK", "repos:a", "docs", "docs:../x", "nope", "site:b/a"])
DRAFTS = st.builds(
    Draft,
    id=st.none() | IDS,
    objective=st.sampled_from(["", "look", "Look!", "find bugs", "Find Flask", "\u200b"]),
    item=st.sampled_from(["", "flask", "a", "b"]),
    places=st.lists(PLACES, max_size=2).map(tuple),
    checks=st.lists(st.sampled_from(["secrets", "nope"]), max_size=1).map(tuple),
    depends_on=st.lists(IDS, max_size=2).map(tuple),
)


def tree(files: dict[str, str]) -> dict[str, str]:
    """The files, less those that stand where another needs a folder."""
    return {path: text for path, text in files.items() if not any(other.startswith(f"{path}/") for other in files)}


def plan_of(task: Task, trees: dict[str, dict[str, str]], **given_: Any) -> Plan | None:
    async def work() -> Plan | None:
        try:
            return await planned(task, {name: tree(files) for name, files in trees.items()}, **given_)
        except (CannotDoError, InputError):
            return None

    return anyio.run(work)


def holds(plan: Plan, trees: dict[str, dict[str, str]]) -> None:
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    assert plan.estimate.workers == len(plan.subtasks)
    assert plan.estimate.seconds_low <= plan.estimate.seconds_high
    assert plan.estimate.tokens_low <= plan.estimate.tokens_high
    if not plan.ready:
        return
    ids = [subtask.id for subtask in plan.subtasks]
    assert ids
    assert len(set(ids)) == len(ids)
    done: set[str] = set()
    for _ in ids:
        done |= {subtask.id for subtask in plan.subtasks if set(subtask.depends_on) <= done}
    assert done == set(ids)
    survey = Survey(roots(**{name: tree(files) for name, files in trees.items()}))
    assert all(survey.has(place) for subtask in plan.subtasks for place in subtask.scope.places)
    assert all(set(subtask.checks) <= set(subtask.scope.tools) <= set(TOOLS) for subtask in plan.subtasks)


@settings(deadline=None, max_examples=150)
@given(TEXTS, ITEMS, ROOTS, st.none() | st.integers(1, 4), st.booleans())
def test_every_plan_by_rules_can_be_dispatched_or_says_why_not(
    text: str, items: tuple[str, ...], trees: dict[str, dict[str, str]], most: int | None, takes_any: bool
) -> None:
    task = Task(task=text, items=items, max_workers=most)
    plan = plan_of(task, trees, takes_any=takes_any)
    if plan is None:
        return
    holds(plan, trees)
    assert plan == plan_of(task, trees, takes_any=takes_any)
    if plan.ready:
        assert len(plan.subtasks) <= (most or 300)
        names = [name for subtask in plan.subtasks for name in subtask.item.split("\n") if name]
        assert len(set(names)) == len(names)
        places = [place for subtask in plan.subtasks for place in subtask.scope.places if subtask.checks]
        assert len(set(places)) == len(places) or plan.subtasks[0].checks == ("passages",)


@settings(deadline=None, max_examples=150)
@given(st.lists(DRAFTS, min_size=1, max_size=6).map(tuple), ROOTS, st.lists(NAMES, max_size=2).map(tuple))
def test_every_plan_of_a_draft_can_be_dispatched_or_says_why_not(
    own: tuple[Draft, ...], trees: dict[str, dict[str, str]], items: tuple[str, ...]
) -> None:
    task = Task(task="Look into these", subtasks=own, items=items)
    plan = plan_of(task, trees)
    assert plan is not None
    holds(plan, trees)
    assert len(plan.subtasks) == len(own)
    for draft, subtask in zip(own, plan.subtasks, strict=True):
        assert subtask.id == (draft.id or subtask.id)
        assert (subtask.item, subtask.depends_on, subtask.checks) == (draft.item, draft.depends_on, draft.checks)
        assert subtask.scope.places == draft.places or not draft.places
    if plan.ready and items:
        texts = [f"{subtask.item} {subtask.objective}".casefold() for subtask in plan.subtasks]
        spoken_of = [any(Item(name).key.split("-")[0] in text for text in texts) for name in items]
        assert all(spoken_of) or any(not subtask.item.strip() for subtask in plan.subtasks)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", ""]), st.integers(0, 50)), min_size=1, max_size=30),
    st.integers(1, 12),
)
def test_groups_hold_every_item_once_and_are_balanced(sizes: list[tuple[str, int]], most: int) -> None:
    trees = {name: {f"f{n}": "x" * size for n, (r, size) in enumerate(sizes) if r == name} for name in ("a", "b")}
    survey = Survey(roots(**trees))
    items = [Item(f"i{n}", (f"{r}:f{n}",) if r else ()) for n, (r, _) in enumerate(sizes)]
    groups = grouped(items, most, survey)
    assert sorted((item for group in groups for item in group), key=items.index) == items
    assert len(groups) == min(most, len(items))
    for kind in {r for r, _ in sizes} if most >= 3 else ():
        loads = [
            sum(survey.reach(i.places).bytes + 1 for i in g)
            for g in groups
            if split_place((*g[0].places, ":")[0])[0] == kind
        ]
        assert max(loads) - min(loads) <= max(size for r, size in sizes if r == kind) + 1


async def test_a_planner_of_the_caller_s_own_is_checked_like_any_other() -> None:
    async def split(task: Task) -> Split:
        return Split((Draft(objective=task.task, depends_on=("s2",)),), Mode.parallel, "because", engine="function")

    plan = await planned("Look", planner=FunctionPlanner(split))
    assert (plan.engine, plan.reason, [p.field for p in plan.problems]) == (
        "function",
        "because",
        ["subtasks[0].depends_on"],
    )
