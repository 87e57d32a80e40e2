"""An MCP server on the SDK: over stdio, or with `http` over HTTP for those who bring the word; it prints its port.

With `fanfold` it says that it is fanfold.
"""

import os
import socket
import sys
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.types import (
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
    ToolAnnotations,
)

server = MCPServer("fanfold" if "fanfold" in sys.argv else "modern")


@server.tool(description="Its environment.")
def environ() -> dict[str, str]:
    return dict(os.environ)


@server.tool(description="Adds.", annotations=ToolAnnotations(read_only_hint=True))
def add(a: int, b: int) -> int:
    return a + b


@server.tool(description="Some of everything.")
def everything() -> CallToolResult:
    return CallToolResult(
        content=[
            TextContent(text="some text"),
            ImageContent(data="aGk=", mime_type="image/png"),
            EmbeddedResource(resource=TextResourceContents(uri="memo://1", text="a memo")),
            EmbeddedResource(resource=BlobResourceContents(uri="memo://2", blob="aGk=")),
            ResourceLink(name="more", uri="memo://3"),
        ],
        structured_content={"left": "out"},
    )


@server.tool(description="Only structured.")
def structured() -> CallToolResult:
    return CallToolResult(content=[], structured_content={"rows": [1, 2]})


@server.tool(description="A long text.")
def long(chars: int) -> str:
    return "x" * chars


@server.tool(description="Fails.")
def fail() -> str:
    raise ValueError("y" * 5_000)


async def http() -> None:
    app = server.streamable_http_app()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (b"x-word", b"sesame-sesame") not in scope["headers"]:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # whoever reads the port calls at once
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    await uvicorn.Server(uvicorn.Config(guarded, log_level="error")).serve([listener])


if __name__ == "__main__":
    if "http" in sys.argv:
        import anyio

        anyio.run(http)
    else:
        server.run()
