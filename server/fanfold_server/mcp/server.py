"""The MCP server around an orchestrator."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from string import Template
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult

from fanfold_server.mcp.resources import add_resources
from fanfold_server.mcp.tools import VERBS, Door, make_tool, told

if TYPE_CHECKING:
    from fanfold_server.mcp.calls import Calls
    from fanfold_server.orchestrator import Orchestrator

Opener = Callable[[], Awaitable["Calls"]]


class FanfoldServer(MCPServer):
    """The SDK's server, but for what it says of a tool that does not exist."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """See MCPServer.

        Raises:
            ToolError: also for an unknown tool; the SDK's own text repeats a name of any length and names no remedy.
        """
        known = [verb.name for verb in VERBS]
        if name not in known:
            msg = f"name: There is no tool {name[:80]}. Use one of: {', '.join(known)}."
            raise ToolError(msg)
        return await super().call_tool(name, arguments, context)


def build_server(orchestrator: "Orchestrator", *, wait: float | None = None) -> MCPServer:
    """A server over an entered orchestrator.

    Args:
        orchestrator: does the work; whoever entered it also leaves it, after the server.
        wait: seconds a tool call may take, in place of what its host is known to bear.
    """

    async def ready() -> "Calls":
        from fanfold_server.mcp.calls import Calls  # heavy: not for those who only list tools

        return Calls(orchestrator, wait)

    return build_lazily(_once(ready))


def build_lazily(door: Door) -> MCPServer:
    """A server whose orchestrator is made ready at the first call."""
    server = FanfoldServer(
        "fanfold",
        title="fanfold",
        description="Plan a wide task, dispatch it to parallel workers, synthesize what they find.",
        instructions=told("instructions"),
        version=version("fanfold"),
        tools=[make_tool(verb, door) for verb in VERBS],
        # What a caller did wrong is the caller's to read; stderr is for bugs.
        log_level="WARNING",
    )
    add_resources(server, door)

    @server.prompt(title="Fan a task out")
    def fan_out(task: str) -> str:
        """Split a wide task, have it worked on in parallel, and answer from what was found."""
        return Template(told("fan_out")).substitute(task=task)

    return server


def _once(ready: Door) -> Door:
    made: list[Calls] = []

    async def door() -> "Calls":
        if not made:
            made.append(await ready())
        return made[0]

    return door
