"""The stored texts as resources, for hosts in which a person attaches them; models read the same through `read`."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError

from fanfold_workers.errors import FanfoldError

if TYPE_CHECKING:
    from fanfold_server.mcp.calls import Calls

MAX_RESOURCE_CHARS = 100_000
"""The rest is for `read`, which pages: a resource comes whole into a conversation."""

Read = Callable[[str], Awaitable[str]]


def add_resources(server: MCPServer, door: "Callable[[], Awaitable[Calls]]") -> None:
    """Offer recent runs, runs, results, plans, worker prompts, reports and ledgers."""

    async def read(ref: str) -> str:
        try:
            page = await (await door()).fanfold.refs.read(ref, 0, MAX_RESOURCE_CHARS)
        except FanfoldError as error:
            raise ResourceNotFoundError(str(error)) from error
        if page.next_offset is None:
            return page.text
        return f"{page.text}\n[{page.total:,} characters in all; the tool read goes on from {page.next_offset}]"

    _add_runs(server, read)
    _add_plans_and_reports(server, read)


def _add_runs(server: MCPServer, read: Read) -> None:
    @server.resource("fanfold://runs", name="runs", title="Recent runs")
    async def runs() -> str:
        """Recent runs, newest first, and how each stands."""
        return await read("runs")

    @server.resource("fanfold://runs/{run_id}", name="run", title="A run")
    async def run(run_id: str) -> str:
        """How each subtask of a run ended."""
        return await read(run_id)

    @server.resource("fanfold://runs/{run_id}/{subtask_id}", name="result", title="A worker's result")
    async def result(run_id: str, subtask_id: str) -> str:
        """What one worker found, with evidence and verdicts."""
        return await read(f"{run_id}/{subtask_id}")


def _add_plans_and_reports(server: MCPServer, read: Read) -> None:
    @server.resource("fanfold://plans/{plan_id}", name="plan", title="A plan")
    async def plan(plan_id: str) -> str:
        """A plan's subtasks, assumptions and problems."""
        return await read(plan_id)

    @server.resource("fanfold://plans/{plan_id}/{subtask_id}", name="worker_prompt", title="A worker's instructions")
    async def worker_prompt(plan_id: str, subtask_id: str) -> str:
        """What a sub-agent that does this subtask is told."""
        return await read(f"{plan_id}/{subtask_id}")

    @server.resource("fanfold://reports/{report_id}", name="report", title="A report")
    async def report(report_id: str) -> str:
        """A report, in Markdown."""
        return await read(report_id)

    @server.resource("fanfold://reports/{report_id}/ledger", name="ledger", title="A report's ledger")
    async def ledger(report_id: str) -> str:
        """What became of each finding, one line each."""
        return await read(f"{report_id}/ledger")
