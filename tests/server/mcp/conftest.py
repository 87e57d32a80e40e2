"""A client in memory, a server, and an orchestrator over doubles, in one line."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp.types import CallToolResult, Implementation, TextContent

from fanfold_server.mcp import build_server
from fanfold_server.orchestrator import Orchestrator
from fanfold_workers.aside import inline
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.tools.roots import MemoryRoot

DOCS = {"a.md": "alpha is red\nbeta is blue\n", "b.md": "gamma is green\n", "c.md": "delta is grey\n"}


@dataclass
class Host:
    """A host that holds its server to the limits on every answer."""

    client: Client
    fanfold: Orchestrator
    received: list[str] = field(default_factory=list)

    async def call(self, tool: str, room: int = 10_000, **arguments: Any) -> dict[str, Any]:
        """The structured answer; the call must succeed and both forms must fit."""
        result = await self.client.call_tool(tool, arguments)
        text = text_of(result)
        assert not result.is_error, text
        assert isinstance(result.structured_content, dict)
        assert len(text) < room
        self.received.append(text)
        return result.structured_content

    async def refused(self, tool: str, **arguments: Any) -> str:
        """The error's text; the call must fail."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error
        assert len(text_of(result)) < 4_000
        return text_of(result)


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


Hosted = Callable[..., AbstractAsyncContextManager[Host]]


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both eras of the protocol."""
    return str(request.param)


@pytest.fixture
def hosted() -> Hosted:
    """A connected host: `async with hosted(mode=…, name=…, wait=…, files=…, person=…, **orchestrator)`."""

    @asynccontextmanager
    async def connect(
        mode: str = "auto",
        name: str = "some-host",
        wait: float | None = None,
        files: Mapping[str, str] = DOCS,
        person: ElicitationFnT | None = None,
        **parts: Any,
    ) -> AsyncGenerator[Host]:
        roots = {"docs": MemoryRoot("docs", files)}
        parts = {"journal": MemoryJournal(), "aside": inline, **parts}
        async with Orchestrator(roots=roots, **parts) as fanfold:
            info = Implementation(name=name, version="1")
            server = build_server(fanfold, wait=wait)
            async with Client(server, mode=mode, client_info=info, elicitation_callback=person) as client:
                yield Host(client, fanfold)

    return connect
