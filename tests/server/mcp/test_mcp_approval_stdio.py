"""A person who is asked through a host over real pipes."""

import os
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult

from fanfold_server.mcp.asking import KEY

DRAFTS = [{"title": "Look at a"}, {"title": "Look at b"}]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_one_no_and_one_yes(tmp_path: Path, mode: str) -> None:
    answers = [ElicitResult(action="decline"), ElicitResult(action="accept", content={KEY: True})]
    questions: list[str] = []

    async def person(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        questions.append(params.message)
        return answers[len(questions) - 1]

    settings = {"FANFOLD_HOME": str(tmp_path), "FANFOLD_CONFIG": os.devnull, "FANFOLD_APPROVE_ABOVE_WORKERS": "1"}
    own = ("FANFOLD_", "ANTHROPIC_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(own)} | settings
    server = StdioServerParameters(command=sys.executable, args=["-m", "fanfold_server", "serve"], env=env)
    async with Client(server, mode=mode, elicitation_callback=person, read_timeout_seconds=60) as client:
        plan = await client.call_tool("plan", {"task": "Look", "subtasks": DRAFTS})
        assert plan.structured_content
        plan_id = plan.structured_content["plan_id"]
        first, second, third = [await client.call_tool("dispatch", {"plan_id": plan_id}) for _ in range(3)]
        seen = await client.call_tool("read", {"ref": plan_id})

    assert (first.is_error, second.is_error, third.is_error) == (True, False, False)
    assert f"plan_id: The person declined, or the host did in their place. {plan_id} waits" in said(first)
    assert f"fanfold approve {plan_id} --home {tmp_path}" in said(first)
    assert "Approved by elicitation: mcp, " in said(seen)
    assert len(questions) == 2


def said(result: CallToolResult) -> str:
    return "".join(getattr(part, "text", "") for part in result.content)
