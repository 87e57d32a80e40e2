"""Every problem that the check finds has a code that stands in the check's own table, with its level."""

import re

import pytest
from tests.server.planning.planning_cases import DOCS, REPOS, TOOLS, planned, roots

from fanfold_server.planning import check, make_plan
from fanfold_server.records import Draft, Plan, Task
from fanfold_workers.aside import inline

from .test_bad_plans import BAD, TOLERATED

LOOK = "Look into these"
TABLE = set(re.findall(r"^(\w+) +(error|warning) ", check.__doc__ or "", re.MULTILINE))


def hosted(*drafts: Draft, **fields: object) -> Task:
    return Task.model_validate({"task": LOOK, "subtasks": drafts, **fields})


HOSTED = {
    "duplicate_id": hosted(Draft(id="a", objective="Read the code"), Draft(id="a", objective="Ask the users")),
    "check_not_in_tools": hosted(Draft(objective="Look", checks=("tests",), tools=("read",))),
    "duplicate": hosted(Draft(objective="Find bugs"), Draft(objective="Find bugs")),
    "web_not_needed": hosted(Draft(objective="Count the lines", places=("repos:flask",), web=True)),
    "contradictory_task": Task(task="Use no workers; use 50 workers. Find secrets."),
    "tool_not_there": Task(task="Use the tool `grep_everything` to find secrets."),
    "unreadable_text": Task(task="Find secrets " + "\x00\x01" * 20),
    "unknown_item": Task(task="Find secrets", items=("nowhere",)),
    "server_failed": Task(task="Find secrets"),
    "group_too_large": Task(task="Find secrets", items=tuple(f"p{n}" for n in range(600)), max_workers=1),
}


async def found(task: Task) -> set[tuple[str, str]]:
    made = await make_plan(
        task,
        "p-1",
        roots=roots(repos={**REPOS, **{f"p{n}/setup.py": "x" for n in range(600)}}),
        tools=TOOLS,
        aside=inline,
        trouble={"jira": "It did not start."},
    )
    return {(problem.code, problem.level) for problem in made.problems}


@pytest.mark.parametrize("code", HOSTED)
async def test_a_problem_is_known_by_its_code(code: str) -> None:
    assert code in {name for name, _ in await found(HOSTED[code])}


async def test_the_table_has_every_code_and_no_other() -> None:
    seen = {pair for task in HOSTED.values() for pair in await found(task)}
    seen |= {(bad.code, "error") for bad in BAD.values()} | {(code, "warning") for code, _ in TOLERATED.values()}
    assert seen == TABLE


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_plan_from_before_there_were_codes_effort_and_ends_still_reads() -> None:
    made = await planned(LOOK, {"docs": DOCS}, subtasks=(Draft(objective="Look", depends_on=("zz",)),))
    told = made.model_dump(mode="json")
    for part in (*told["subtasks"], *told["task"]["subtasks"]):
        del part["effort"], part["done_when"]
    for problem in told["problems"]:
        del problem["code"]
    text = Plan.model_construct(**told).model_dump_json(warnings=False)
    assert Plan.model_validate_json(text) == made.model_copy(
        update={"problems": tuple(problem.model_copy(update={"code": ""}) for problem in made.problems)}
    )
