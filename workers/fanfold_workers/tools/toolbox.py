"""What one worker may call, and the executor that decides whether it may, whatever a model says."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import StringConstraints, ValidationError

from fanfold_workers.aside import Aside, in_thread
from fanfold_workers.contract import Examined, Finding, Place, Scope, Value
from fanfold_workers.errors import InputError, ScopeError
from fanfold_workers.hedging import Flight, Hedges, hedged

from .files import Files
from .legible import in_line
from .roots import Root

A = TypeVar("A", bound=Value)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool call came to.

    Attributes:
        text: for a model to read.
        findings: what an inspection found, without ids.
        examined: files looked at of files in reach.
        gaps: what it cannot tell, one line each.
    """

    text: str
    findings: tuple[Finding, ...] = ()
    examined: Examined = field(default_factory=Examined)
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """Something a worker can call.

    Attributes:
        name: as scopes and models spell it.
        description: what it does and when to use it, for a model.
        arguments: the type of its arguments; its JSON schema is what a model is shown.
        run: the work: blocking, reads through Files alone, raises FanfoldError for what the caller can mend.
        inspection: whether it is a check the rules engine can run by itself.
        hints: words in a task that ask for this check.
        project: whether it takes what it sees for one project, so that it must look at each place of a scope by
            itself and no project may be split.
    """

    name: str
    description: str
    arguments: type[A]
    run: Callable[[Files, A], Answer]
    inspection: bool = False
    hints: tuple[str, ...] = ()
    project: bool = False


@dataclass(frozen=True, slots=True)
class RemoteTool:
    """A tool of another MCP server.

    Attributes:
        name: `<server>__<tool>`, as scopes and models spell it.
        description: what its server says of it.
        schema: JSON schema of its arguments, as JSON; the server checks them.
        server: whose it is; a scope must name that too.
        call: the work.
        read_only: whether its server says that it changes nothing, so that it may be called twice.
    """

    name: str
    description: str
    schema: str
    server: str
    call: Callable[[Mapping[str, object]], Awaitable[Answer]]
    read_only: bool = field(default=False, kw_only=True)


class Inspect(Value):
    """What every inspection takes.

    Attributes:
        question: what the caller wants to know; most inspections need none.
        under: one place of the scope to stay within; all of it if "".
    """

    question: Annotated[str, StringConstraints(max_length=8_000)] = ""
    under: Place | Literal[""] = ""


Runner = Callable[[Tool[Any], Files, Value], Awaitable[Answer]]
"""Runs a tool that may run, without holding up the event loop."""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of one scope over the roots of one installation.

    Attributes:
        tools: every tool that exists, by name.
        roots: every configured root, by name.
        scope: what of both this worker may use.
        aside: where blocking work runs.
        runner: runs the tools instead, if there is one: on several cores, say.
        remote: tools of other MCP servers, by name.
        hedges: how long their calls take, so that one that only reads and is far slower than others of its name is
            made a second time; None for never. fanfold's own tools are not: they wait for nobody.
    """

    tools: Mapping[str, Tool[Any]]
    roots: Mapping[str, Root]
    scope: Scope
    aside: Aside = field(default=in_thread)
    runner: Runner | None = None
    remote: Mapping[str, RemoteTool] = field(default_factory=dict[str, RemoteTool])
    hedges: Hedges | None = None

    async def call(self, name: str, arguments: Mapping[str, object]) -> Answer:
        """Run one tool.

        Raises:
            ScopeError: if the scope does not name the tool or its server, or the call reaches outside its places.
            ServerError: if the server of a remote tool cannot be used.
            InputError: if the arguments do not fit the tool.
            UnknownNameError: if a place does not exist.
        """
        if name not in self.scope.tools or name not in (self.remote.keys() | self.tools.keys()):
            allowed = ", ".join(tool for tool in self.scope.tools if tool in self.tools or tool in self.remote)
            msg = f"The tool {in_line(name, 100)} is not in this scope."
            raise ScopeError(msg, field="tool", remedy=f"Use one of: {allowed}." if allowed else _NO_TOOLS)
        if remote := self.remote.get(name):
            return await self._called(remote, arguments)
        tool = self.tools[name]
        given = _checked(tool, arguments)
        files = Files(self.roots, self.scope.places)
        if self.runner:
            return await self.runner(tool, files, given)
        return await self.aside(lambda: tool.run(files, given))

    async def _called(self, tool: RemoteTool, arguments: Mapping[str, object]) -> Answer:
        if tool.server not in self.scope.servers:
            msg = f"The server {in_line(tool.server, 100)} is not in this scope."
            raise ScopeError(msg, field="servers", remedy=f"Use one of: {', '.join(self.scope.servers) or 'none'}.")
        if not (tool.read_only and self.hedges):
            return await tool.call(arguments)

        async def once(flight: Flight) -> Answer:
            with flight:
                return await tool.call(arguments)

        answer, _ = await hedged(self.hedges.of(tool.name), once)
        return answer


def _checked(tool: Tool[A], arguments: Mapping[str, object]) -> A:
    known = ", ".join(tool.arguments.model_fields)
    try:
        return tool.arguments.model_validate_json(json.dumps(arguments))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        problem = in_line(f"{first['msg']}.", 500)
        raise InputError(problem, field=f"{tool.name}.{in_line(where)}", remedy=f"It takes: {known}.") from error
    except (TypeError, ValueError, RecursionError) as error:
        msg = "They are not JSON."
        raise InputError(msg, field=f"{tool.name}.arguments", remedy=f"It takes: {known}.") from error


_NO_TOOLS = "Ask for a scope with tools: this one has none."
