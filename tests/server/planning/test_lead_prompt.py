"""The examples in the lead's prompt are plans, and each is what the prompt says of it."""

import json
import re
from importlib.resources import files
from typing import Any

import pytest

from fanfold_workers.models.tokens import count

from .planning_cases import planned, told
from .test_lead import Lead

PROMPT = (files("fanfold_server.planning") / "prompts" / "lead.md").read_text("utf-8")
TREE = {f"{name}/{n}.py": "x" * 40_000 for name in ("api", "jobs") for n in range(3)}
EXAMPLES: list[tuple[str, str, str]] = re.findall(
    r"^(Good|Bad)(?: \((\w+)\))?: [^\n]*\n```json\n(.*?)```", PROMPT, re.M | re.S
)
GOOD = [json.loads(text) for kind, _, text in EXAMPLES if kind == "Good"]
BAD = {code: json.loads(text) for kind, code, text in EXAMPLES if kind == "Bad"}


async def made_of(answer: dict[str, Any]):
    lead = Lead(answer, answer)
    tree = {"repos": TREE}
    return await planned("Look at api and jobs", tree, planner=lead.planner(**tree), takes_any=True)


@pytest.mark.parametrize("n", range(len(GOOD)))
async def test_a_good_example_has_nothing_against_it(n: int):
    assert told(await made_of(fitted(GOOD[n]))) == []


@pytest.mark.parametrize("code", BAD)
async def test_a_bad_example_is_caught_by_the_check_that_the_prompt_names(code: str):
    made = await made_of(fitted(BAD[code]))
    assert {problem.code for problem in made.problems if problem.level == "error"} == {code}


def fitted(answer: dict[str, Any]) -> dict[str, Any]:
    """The example over the tools that the planning tests have."""
    text = json.dumps(answer).replace('"search"', '"list"')
    return json.loads(text)


def test_there_are_good_examples_and_bad_ones():
    assert (len(GOOD) >= 1, len(BAD) >= 3, len(EXAMPLES)) == (True, True, PROMPT.count("```json"))


def test_the_prompt_is_lean():
    assert count(PROMPT) < 1_800
