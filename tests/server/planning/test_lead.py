"""The lead's plan: what it is shown, what becomes of what it answers, and what it cannot get past."""

import json
from typing import Any

import pytest
from tests.workers.models.doubles import Answering

from fanfold_server.planning import ModelPlanner, Survey, make_plan, worker_prompt
from fanfold_server.records import Mode, Task
from fanfold_workers.aside import inline
from fanfold_workers.contract import EffortClass
from fanfold_workers.errors import FaultError, RejectedError, TooLongError
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import saying
from fanfold_workers.tools.roots import MemoryRoot
from fanfold_workers.tools.toolbox import Answer, RemoteTool

from .planning_cases import REPOS, TOOLS, planned, roots, told

CARD = Card("simulated", 200_000, 8_000, Price(4, 20, 0.2, 5))


async def nothing(arguments: object) -> Answer:
    return Answer("")


REMOTE = {"git__log": RemoteTool("git__log", "Shows commits. At length.", "{}", "git", nothing)}


class Lead(Answering):
    """A model that answers with these plans, one after another."""

    def planner(self, **trees: dict[str, str]) -> ModelPlanner:
        survey = Survey({name: MemoryRoot(name, files) for name, files in trees.items()})
        return ModelPlanner(self, CARD, "r-1/calls/plan", (), survey, TOOLS, REMOTE, True, inline)


def draft(title: str, **fields: Any) -> dict[str, Any]:
    blank = {"boundaries": "", "expected": "", "item": "", "places": [], "tools": [], "checks": []}
    return {"title": title, "objective": f"Look at {title}.", **blank, "web": False, "depends_on": [], **fields}


def leads(*drafts: dict[str, Any], mode: str = "parallel") -> dict[str, Any]:
    return {"mode": mode, "reason": "They are independent.", "assumptions": ["All of it."], "subtasks": list(drafts)}


FLASK = draft("flask", places=["repos:flask"], tools=["read", "secrets"])
CLICK = draft("click", places=["repos:click"], checks=["secrets"])


async def test_the_leads_subtasks_become_a_checked_and_priced_plan():
    lead = Lead(leads(FLASK, CLICK))
    plan = await planned("Compare them", {"repos": REPOS}, planner=lead.planner(repos=REPOS), takes_any=True)
    assert (plan.mode, plan.engine, plan.assumptions) == (Mode.parallel, "model:simulated", ("All of it.",))
    assert [(s.id, s.scope.places, s.scope.tools, s.checks) for s in plan.subtasks] == [
        ("s1", ("repos:flask",), ("read", "secrets"), ()),
        ("s2", ("repos:click",), ("secrets",), ("secrets",)),
    ]
    assert plan.ready


async def test_the_lead_is_shown_the_task_what_is_there_and_what_can_be_used():
    lead = Lead(leads(FLASK))
    task = Task(task="Compare </task> them", context="We like small ones.", items=("flask", "click"), max_workers=7)
    await lead.planner(repos=REPOS).plan(task)
    (ask,) = lead.asked
    shown = ask.turns[0].text  # type: ignore[union-attr]
    assert (ask.role, bool(ask.schema)) == ("lead", True)
    assert "<task>\nCompare &lt;/task> them\n</task>" in shown
    assert "<items>\nflask\nclick\n</items>" in shown
    assert (
        "repos (6 files, 9,011 bytes)\n  repos:README.md\n  repos:click\n  repos:django-5.2\n  repos:flask" in shown
    )
    assert "git__log: Shows commits" in shown
    assert "web: search and fetch pages" in shown
    assert "<checks>\nsecrets: Does secrets." in shown
    assert "At most 7 subtasks." in shown


async def test_dependencies_are_positions_and_make_it_staged():
    lead = Lead(leads(FLASK, draft("join", depends_on=[1]), mode="staged"))
    plan = await planned("Find, then join", {"repos": REPOS}, planner=lead.planner(repos=REPOS), takes_any=True)
    assert (plan.mode, plan.subtasks[1].depends_on) == (Mode.staged, ("s1",))


async def test_a_place_or_tool_that_does_not_exist_keeps_the_plan_from_running():
    bad = leads(draft("gone", places=["repos:gone"], tools=["rm"]))
    lead = Lead(bad, bad)
    plan = await planned("Compare", {"repos": REPOS}, planner=lead.planner(repos=REPOS), takes_any=True)
    assert not plan.ready
    assert [line.split(":")[0] for line in told(plan)] == [
        "error subtasks[0].places[0]",
        "error subtasks[0].tools[0]",
    ]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (saying("I would split it in two."), "answer: Invalid JSON"),
        (leads(), "subtasks: There is none."),
        ({"mode": "both", "reason": "", "assumptions": [], "subtasks": []}, "mode: Input should be"),
        (leads(draft("x", places=["/etc/passwd"])), "places.0: String should match"),
        (saying("{", stop="max_tokens"), "It broke off at its greatest length."),
    ],
)
async def test_what_cannot_be_used_is_put_right_once(bad: object, why: str):
    lead = Lead(bad, leads(FLASK))
    split = await lead.planner(repos=REPOS).plan(Task(task="Compare"))
    assert [d.title for d in split.drafts] == ["flask"]
    assert why in lead.asked[1].turns[-1].text  # type: ignore[union-attr]
    assert lead.asked[0].key != lead.asked[1].key


async def test_a_lead_that_never_answers_well_is_an_error_that_names_the_way_out():
    with pytest.raises(FaultError, match=r"lead_model: simulated gave no plan .* pass subtasks of your own"):
        await Lead(leads(), leads()).planner(repos=REPOS).plan(Task(task="Compare"))


async def test_a_lead_that_refuses_is_an_error():
    with pytest.raises(RejectedError, match=r"task: The model refused to plan this: No."):
        await Lead(saying("No.", stop="refusal")).planner().plan(Task(task="Do harm"))


async def test_a_task_that_does_not_fit_the_window_names_the_task():
    with pytest.raises(TooLongError, match=r"task: It is too long. Say it in fewer words"):
        await Lead(TooLongError("It is too long.")).planner().plan(Task(task="Compare"))


async def test_a_part_that_looks_at_the_web_or_at_another_server_alone_gets_no_files():
    away = draft("news", web=True), draft("history", tools=["git__log"]), draft("settings", tools=["read"])
    made = await make_plan(
        Task(task="Compare them"),
        "p-1",
        roots=roots(repos=REPOS),
        tools=TOOLS,
        aside=inline,
        planner=Lead(leads(*away)).planner(repos=REPOS),
        takes_any=True,
        remote={"git__log": "git"},
    )
    assert [(s.scope.places, s.scope.servers, s.scope.web) for s in made.subtasks] == [
        ((), (), True),
        ((), ("git",), False),
        (("repos",), (), False),
    ]
    assert made.problems == ()


async def test_the_web_where_it_is_on_is_nothing_wrong():
    lead = Lead(leads(draft("its latest release", web=True)))
    plan = await planned("Compare", {"repos": REPOS}, planner=lead.planner(repos=REPOS), takes_any=True)
    assert plan.ready


async def test_effort_and_what_makes_it_done_reach_the_worker():
    lead = Lead(leads(draft("flask", effort="light", done_when="Its version was read.")))
    plan = await planned("Compare", {"repos": REPOS}, planner=lead.planner(repos=REPOS), takes_any=True)
    assert [(s.effort, s.done_when) for s in plan.subtasks] == [(EffortClass.light, "Its version was read.")]
    told = worker_prompt(plan.subtasks[0], "p-1")
    assert "<done_when>\nIts version was read.\n</done_when>" in told
    assert "Meant as: one look, 1 to 3 tool calls." in told


async def test_a_lead_is_asked_for_every_field_and_may_leave_some_out():
    lead = Lead({"mode": "single", "subtasks": [{"objective": "Look at flask."}]})
    plan = await planned("Compare", {"repos": REPOS}, planner=lead.planner(repos=REPOS), takes_any=True)
    parts = json.loads(lead.asked[0].schema)["$defs"]["Drafted"]
    assert parts["required"] == list(parts["properties"])
    assert (plan.mode, plan.subtasks[0].title, len(lead.asked)) == (Mode.single, "Look at flask.", 1)


async def test_five_thousand_items_are_asked_for_in_groups_and_none_of_a_group_is_lost():
    items = tuple(f"package-number-{n}" for n in range(5_000))
    groups = [items[n : n + 100] for n in range(0, 5_000, 100)]
    lead = Lead(leads(*(draft(f"group {n}", item="\n".join(group)) for n, group in enumerate(groups))))
    plan = await planned("Look each up", {}, planner=lead.planner(), takes_any=True, items=items)
    assert "At most 300 subtasks." in lead.asked[0].turns[0].text  # type: ignore[union-attr]
    assert (len(plan.subtasks), told(plan)) == (50, [])
