"""The whole line over MCP stdio with simulated models, and a worker's tool from a server that nobody here wrote."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from benchmarks.endpoint.client import Endpoint, endpoint
from benchmarks.endpoint.config import Call, Config, Turn
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def simulated() -> AsyncGenerator[Endpoint]:
    async with endpoint() as running:
        yield running


@pytest.fixture
async def models(simulated: Endpoint) -> Endpoint:
    """As if it had just been started."""
    await simulated.reset(Config(refused_keys=("wrong",)))
    return simulated


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Two small projects with something to find."""
    for name in ("ash", "beech"):
        (tmp_path / "code" / name).mkdir(parents=True)
        (tmp_path / "code" / name / "requirements.txt").write_text("flask\nrequests\n")
        (tmp_path / "code" / name / "app.py").write_text(f"TIMEOUT = 30\n\ndef {name}():\n    return TIMEOUT\n")
    return tmp_path / "code"


class Host:
    """A host that calls tools and reads their structured answers."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        if result.is_error:
            raise AssertionError(result.content[0].text)  # type: ignore[union-attr]
        return result.structured_content or {}

    async def until(self, key: str, tool: str, **arguments: Any) -> dict[str, Any]:
        while not (answer := await self.call(tool, **arguments)).get(key):
            pass
        return answer


@asynccontextmanager
async def hosted(models: Endpoint, home: Path, *options: str, key: str = "simulated") -> AsyncGenerator[Host]:
    env = {**os.environ, "FANFOLD_HOME": str(home), "FANFOLD_BASE_URL": models.url, "ANTHROPIC_API_KEY": key}
    command = ["-m", "fanfold_server", "serve", *options]
    server = StdioServerParameters(command=sys.executable, args=command, env=env)
    async with Client(server, read_timeout_seconds=120) as client:
        yield Host(client)


async def test_a_task_is_planned_worked_with_tools_and_inspections_and_written_by_models(
    models: Endpoint, code: Path, tmp_path: Path
) -> None:
    async with hosted(models, tmp_path / "home", "--root", f"code={code}") as host:
        plan = await host.until("plan_id", "plan", task="Audit each project for dependency problems", roots=["code"])
        run = await host.until("done", "dispatch", plan_id=plan["plan_id"])
        report = await host.until("report_id", "synthesize", run_id=run["run_id"])

    assert (plan["engine"], plan["subtasks_total"]) == ("model:claude-opus-5-5", 2)
    assert plan["estimate"]["usd_high"] > 0
    assert run["counts"] == {"ok": 2}
    assert 0 < run["usd"] < 1
    assert report["engine"] == "model:claude-opus-5-5"
    assert set(report["coverage"]["quotes"]) == {"verified"}
    assert report["coverage"]["cited"] > 0
    assert "imulated" in report["report"]  # the endpoint says that it is no model


async def test_what_was_paid_for_is_not_asked_again_by_the_next_server(
    models: Endpoint, code: Path, tmp_path: Path
) -> None:
    task = {"task": "Audit each project", "roots": ["code"]}
    async with hosted(models, tmp_path / "home", "--root", f"code={code}") as host:
        plan = await host.until("plan_id", "plan", **task)
        first = await host.until("done", "dispatch", plan_id=plan["plan_id"])
    asked = (await models.settled()).asked
    async with hosted(models, tmp_path / "home", "--root", f"code={code}") as host:
        assert (await host.until("plan_id", "plan", **task))["plan_id"] == plan["plan_id"]
        second = await host.until("done", "dispatch", plan_id=plan["plan_id"])

    assert (second["counts"], second["usd"]) == (first["counts"], first["usd"])
    assert (await models.stats()).asked == asked


async def test_a_host_cannot_have_more_spent_than_it_says_or_the_user_allows(
    models: Endpoint, code: Path, tmp_path: Path
) -> None:
    drafts = [{"title": name, "places": [f"code:{name}"]} for name in ("ash", "beech")]
    async with hosted(models, tmp_path / "home", "--root", f"code={code}", "--max-usd", "0.02") as host:
        plan = await host.call("plan", task="Compare them", subtasks=drafts)
        with pytest.raises((AssertionError, MCPError), match=r"None of the 2 subtasks .* 2 over_budget"):
            await host.until("done", "dispatch", plan_id=plan["plan_id"], max_usd=50)
        result = await host.call("read", ref=f"r-{plan['plan_id'].removeprefix('p-')}/s1")

    assert "max_usd_per_run: The next call may cost $" in result["text"]
    assert (await models.stats()).asked == 0


async def test_a_refused_key_is_an_error_of_the_call_with_its_remedy(
    models: Endpoint, code: Path, tmp_path: Path
) -> None:
    async with hosted(models, tmp_path / "home", "--root", f"code={code}", key="wrong") as host:
        with pytest.raises((AssertionError, MCPError), match="ANTHROPIC_API_KEY"):
            await host.call("plan", task="Audit each project", roots=["code"])


async def test_a_worker_uses_a_tool_of_a_server_that_nobody_here_wrote(
    models: Endpoint, code: Path, tmp_path: Path
) -> None:
    if find_spec("mcp_server_git") is None and "CI" not in os.environ:
        pytest.skip("mcp-server-git is not installed: it is a dependency for development")
    commit(code, "Plant two trees")
    entry = {"command": sys.executable, "args": ["-m", "mcp_server_git"]}
    (tmp_path / "servers.json").write_text(json.dumps({"mcpServers": {"git": entry}}))
    finding = {"subject": "history", "claim": "There is one commit.", "evidence": [{"source": "git__git_log"}]}
    turns = (
        Turn(
            calls=(Call("git__git_log", {"repo_path": str(code)}), Call("git__git_status", {"repo_path": str(code)}))
        ),
        Turn(calls=(Call("report", {"summary": "One commit.", "gaps": [], "findings": [finding]}),)),
    )
    await models.reset(Config(script=turns))
    draft = {"title": "History", "objective": "How many commits are there?", "tools": ["git__git_log"]}
    async with hosted(models, tmp_path / "home", "--servers", str(tmp_path / "servers.json")) as host:
        plan = await host.call("plan", task="How many commits are there?", subtasks=[draft])
        run = await host.until("done", "dispatch", plan_id=plan["plan_id"])
        unknown = await host.call("plan", task="Other", subtasks=[draft | {"tools": ["git__git_lag"]}])

    assert (plan["problems"], run["counts"]) == ([], {"ok": 1})
    assert "error in subtasks[0].tools[0]: There is no tool called 'git__git_lag'." in unknown["problems"][0]
    answered = _tool_answers(tmp_path / "home")
    assert "Plant two trees" in answered[0]["text"]
    assert "The tool git__git_status is not in this scope" in answered[1]["text"]


def commit(folder: Path, message: str) -> None:
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", message]):
        subprocess.run([*git, *words], check=True, capture_output=True)


def _tool_answers(home: Path) -> list[dict[str, Any]]:
    """What the tools of the first turn answered, as the journal has it."""
    with closing(sqlite3.connect(home / "journal.db")) as journal:
        rows = journal.execute("SELECT value FROM entries WHERE key LIKE '%/turns/%/tools000.%'").fetchall()
    return json.loads(rows[0][0])
