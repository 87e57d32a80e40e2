"""The six tools as hosts see them, and the door through which their calls come in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import Field

from fanfold_server.mcp.answers import Answer, Dispatched, PageRead, Planned, Submitted, Synthesized
from fanfold_server.mcp.arguments import (
    CancelArguments,
    DispatchArguments,
    PlanArguments,
    ReadArguments,
    SubmitArguments,
    SynthesizeArguments,
    input_schema,
    output_schema,
    read_arguments,
)
from fanfold_workers.contract import Value
from fanfold_workers.errors import FanfoldError

if TYPE_CHECKING:
    from fanfold_server.mcp.calls import Calls

Door = Callable[[], Awaitable["Calls"]]
"""Whoever answers the calls, made ready at the first of them."""

ALWAYS = {"anthropic/alwaysLoad": True}
"""For what sub-agents call: Claude Code hides other tools from them behind a search."""
ROOMY = {"anthropic/maxResultSizeChars": 250_000}
"""For what is as long as the caller asked: Claude Code refuses more than 25,000 tokens otherwise."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One tool: its name (its work is the method of Calls by that name), what it takes, what it answers."""

    name: str
    title: str
    arguments: type[Value]
    answer: type[Answer]
    annotations: ToolAnnotations
    meta: dict[str, Any] | None = None


def _hints(*, writes: bool = True, destroys: bool = False, repeats: bool = True) -> ToolAnnotations:
    return ToolAnnotations(
        read_only_hint=not writes, destructive_hint=destroys, idempotent_hint=repeats, open_world_hint=False
    )


VERBS = (
    Verb("plan", "Split a task", PlanArguments, Planned, _hints()),
    Verb("dispatch", "Run a plan's workers", DispatchArguments, Dispatched, _hints()),
    Verb("submit", "Deposit findings", SubmitArguments, Submitted, _hints(repeats=False), ALWAYS),
    Verb("synthesize", "Join what was found", SynthesizeArguments, Synthesized, _hints(), ROOMY),
    Verb("read", "Read more", ReadArguments, PageRead, _hints(writes=False), ALWAYS | ROOMY),
    Verb("cancel", "Stop a run", CancelArguments, Dispatched, _hints(destroys=True)),
)


class CheckedTool(Tool):
    """A tool whose raw arguments go to our own model instead of the SDK's.

    The SDK derives a model from a function's signature that ignores unknown arguments and reads `true` as 1, and it
    puts the pydantic text of a failure before the host. Overriding `run` is the narrowest place to do otherwise:
    what is listed, how calls arrive and how results leave stay the SDK's.
    """

    verb: Verb = Field(exclude=True)
    door: Callable[[], Awaitable[Any]] = Field(exclude=True)

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult | InputRequiredResult:
        """The result of one call, or a question to the person behind the host, who answers with the call repeated.

        Raises:
            ToolError: what the caller can mend, in the error's own words.
            UnexpectedToolError: a bug; its text stays in the server's log.
        """
        try:
            given = read_arguments(self.name, self.verb.arguments, arguments)
            calls = await self.door()
            answer: Answer | InputRequiredResult = await getattr(calls, self.name)(given, context)
        except FanfoldError as error:
            raise ToolError(str(error)) from error
        except MCPError:
            raise
        except Exception as error:
            msg = f"{self.name} failed by a bug of fanfold's. Call it again; if it persists, see the server's stderr."
            raise UnexpectedToolError(msg) from error
        if isinstance(answer, InputRequiredResult):
            return answer
        text = TextContent(type="text", text=answer.as_text())
        return CallToolResult(content=[text], structured_content=answer.model_dump(mode="json"))


def make_tool(verb: Verb, door: Door) -> CheckedTool:
    """The tool of a verb."""
    return CheckedTool(
        fn=make_tool,
        name=verb.name,
        title=verb.title,
        description=told(verb.name),
        parameters=input_schema(verb.arguments),
        fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=output_schema(verb.answer)),
        is_async=True,
        context_kwarg=None,
        annotations=verb.annotations,
        meta=verb.meta,
        verb=verb,
        door=door,
    )


def told(name: str) -> str:
    """What a model is told: a tool's description, or the server's instructions."""
    return (Path(__file__).parent / "prompts" / f"{name}.md").read_text("utf-8").strip()
