"""A parent and eight sub-agents of a host, no key anywhere: the sub-agents' work never passes through the parent."""

import json
import re
from typing import Any

import anyio
import pytest

COLOURS = ("red", "blue", "green", "grey", "pink", "gold", "cyan", "teal")
FILES = {f"{colour}.md": "".join(f"line {n} is {colour}\n" for n in range(1, 101)) for colour in COLOURS}
LIARS, LOST = ("blue", "grey", "gold"), "teal"
OWN = [{"title": f"What is {c}?", "objective": f"Which lines are {c}?", "places": [f"docs:{c}.md"]} for c in COLOURS]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def work(colour: str) -> dict[str, Any]:
    """A hundred findings and a long account; a liar's first quote is altered, its second made up."""
    quotes = FILES[f"{colour}.md"].splitlines()
    if colour in LIARS:
        quotes[:2] = [f"line one is {colour}", "the treasure lies under the old oak tree"]
    findings = [
        {
            "subject": f"{colour} {n}",
            "claim": f"In {colour}.md the line {n} is {colour}.",
            "evidence": [{"source": f"docs:{colour}.md", "locator": f"L{n}", "quote": quote}],
        }
        for n, quote in enumerate(quotes, 1)
    ]
    return {"findings": findings, "text": f"I looked at every line of {colour}.md, twice. " * 200, "status": "ok"}


async def test_a_parent_gets_a_checked_digest_and_none_of_the_bulk(hosted, mode):
    produced: list[int] = []
    told: dict[str, dict[str, int]] = {}

    async def sub_agent(prompt: str) -> None:
        ref = re.search(r"ref='([^']+)'", prompt)
        assert ref
        instructions = (await sub_agents.call("read", ref=ref[1]))["text"]
        colour = re.search(r"Scope: docs:(\w+)\.md", instructions)[1]
        if colour != LOST:
            ids = {name: re.search(rf'{name}: "([^"]+)"', instructions)[1] for name in ("plan_id", "subtask_id")}
            produced.append(len(json.dumps(work(colour))))
            told[colour] = (await sub_agents.call("submit", **ids, **work(colour)))["quotes"]

    async with hosted(mode=mode, name="claude-code", files=FILES) as parent:
        sub_agents = type(parent)(parent.client, parent.fanfold)
        planned = await parent.call("plan", task="Which lines are which colour?", subtasks=OWN)
        await anyio.amap(sub_agent, [piece["worker_prompt"] for piece in planned["subtasks"]])
        standing = await parent.call("dispatch", plan_id=planned["plan_id"])
        digest = await parent.call(standing["next"]["tool"], **standing["next"]["arguments"])
        ledger = await sub_agents.call("read", room=200_000, ref=digest["ledger_ref"], limit=100_000)
    assert {colour: told.get(colour) for colour in COLOURS} == {
        **{colour: {"verified": 100} for colour in COLOURS},
        **{colour: {"verified": 98, "altered": 1, "missing": 1} for colour in LIARS},
        LOST: None,
    }
    assert (standing["waiting_for"], standing["counts"]) == (["s8"], {"ok": 7})
    assert digest["engine"] == "host"
    assert [(gap["kind"], gap["subtask"]) for gap in digest["gaps"]] == [("never_came", "s8")]
    quotes = digest["coverage"]["quotes"]
    assert (quotes["altered"], quotes["missing"]) == (len(LIARS), len(LIARS))
    assert sum("unsupported" in line for line in ledger["text"].splitlines()) >= 3
    received = sum(len(text) for text in parent.received)
    assert received < 15_000 < sum(produced) / 10
