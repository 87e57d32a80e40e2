"""Lines over the MCP SDK's client. The one module here that imports the SDK, which takes up to a second."""

import json
import logging
import os
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from threading import Thread
from types import TracebackType
from typing import Any, Self, TextIO, cast

import anyio
import anyio.to_thread
import httpx2
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp.types import (
    CONNECTION_CLOSED,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    CallToolResult,
    EmbeddedResource,
    Implementation,
    ResourceLink,
    TextContent,
    TextResourceContents,
    Tool,
    ToolListChangedNotification,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from fanfold_workers.errors import ServerError
from fanfold_workers.tools.legible import in_line, legible
from fanfold_workers.tools.toolbox import Answer

from .declared import Declared
from .line import MAX_OFFERS, Ears, Line, Offer, Refusal

MAX_ANSWER_CHARS = 400_000
MAX_PAGES = 100
"""Pages of a list of tools; each has as many as its server likes."""
MAX_STDERR_LINE = 4_096
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_log = logging.getLogger(__name__)


@asynccontextmanager
async def opened(declared: Declared, ears: Ears) -> AsyncGenerator[Line]:
    """A line to a server, which ends with it. Must be left in the task that entered it.

    Raises:
        ServerError: if it is fanfold itself.
        Exception: whatever else kept the line from opening, or broke it.
    """

    async def hear(message: object) -> None:
        ears.garbage += isinstance(message, Exception)
        ears.changed |= isinstance(message, ToolListChangedNotification)

    transport: Any = _Heard(_process(declared, ears) if declared.command else _address(declared, ears), ears)
    me = Implementation(name="fanfold", version=version("fanfold"))
    try:
        async with Client(transport, client_info=me, message_handler=hear, cache=None) as client:
            if client.server_info and client.server_info.name == "fanfold":
                msg = "That is fanfold itself."
                raise ServerError(msg)
            yield _SdkLine(client)
    except Exception as error:
        raise _told(error) from error


@dataclass(frozen=True, slots=True)
class _SdkLine:
    client: Client

    async def offers(self) -> tuple[Offer, ...]:
        offers: list[Offer] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            try:
                page = await self.client.list_tools(cursor=cursor)
            except MCPError as error:
                if error.code == METHOD_NOT_FOUND:  # it has prompts or resources only
                    break
                raise _told(error) from error
            offers += [_offer(tool) for tool in page.tools]
            cursor = page.next_cursor
            if not cursor or len(offers) > MAX_OFFERS:
                break
        return tuple(offers[: MAX_OFFERS + 1])

    async def call(self, tool: str, arguments: Mapping[str, object], /) -> Answer | Refusal:
        try:
            result = await self.client.call_tool(tool, dict(arguments))
        except MCPError as error:
            if error.code == INVALID_PARAMS:
                return Refusal(legible(error.message))
            raise _told(error) from error
        except ValidationError as error:
            raise _told(error) from error
        text = _text(result)
        return Refusal(text) if result.is_error else _answer(text)


def _told(error: Exception) -> Exception:
    """The same in our own terms: what was at the bottom of it, and ConnectionError if the line is dead."""
    while isinstance(error, ExceptionGroup):
        error = cast("ExceptionGroup[Exception]", error).exceptions[0]
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return ValueError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    # Over HTTP a session that the server has forgotten is dead, too.
    if isinstance(error, MCPError) and (error.code == CONNECTION_CLOSED or error.message == "Session terminated"):
        return ConnectionError(error.message)
    return error


# -- what came over it ---------------------------------------------------------------------------------------


def _offer(tool: Tool) -> Offer:
    read_only = tool.annotations is not None and tool.annotations.read_only_hint is True
    return Offer(tool.name, tool.description or "", _json(tool.input_schema), read_only)


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _text(result: CallToolResult) -> str:
    parts: list[str] = []
    left_out: list[str] = []
    for block in result.content:
        if isinstance(block, TextContent):
            parts.append(block.text)
        elif isinstance(block, ResourceLink):
            parts.append(f"[resource {block.uri}]")
        elif isinstance(block, EmbeddedResource):
            if isinstance(resource := block.resource, TextResourceContents):
                parts.append(resource.text)
            else:
                left_out.append("[binary resource left out]")
        else:
            left_out.append(f"[{block.type} left out]")
    if not any(part.strip() for part in parts) and result.structured_content is not None:
        parts = [_json(result.structured_content)]
    return legible("\n".join((*parts, *left_out)))


def _answer(text: str) -> Answer:
    if len(text) <= MAX_ANSWER_CHARS:
        return Answer(text)
    cut = f"cut: the first {MAX_ANSWER_CHARS:,} of {len(text):,} characters"
    return Answer(f"{text[:MAX_ANSWER_CHARS]}\n[{cut}]", gaps=(f"The answer was {cut}.",))


# -- how it is reached ---------------------------------------------------------------------------------------


@asynccontextmanager
async def _process(declared: Declared, ears: Ears) -> AsyncGenerator[Any]:
    """A child process. It inherits what the SDK calls safe and gets what its entry names: no key of ours."""
    parameters = StdioServerParameters(
        command=declared.command,
        args=list(declared.args),
        env=dict(declared.env),
        cwd=declared.cwd or None,
        encoding_error_handler="replace",  # "strict" would end the line with an exception
    )
    thread, stderr = _listening(declared, ears)
    try:
        with stderr:
            async with stdio_client(parameters, errlog=stderr) as streams:
                stderr.close()  # the child holds it now, and with it closes
                yield streams
    finally:
        with anyio.move_on_after(0.5, shield=True):  # so that its last words are in when somebody asks why it ended
            await anyio.to_thread.run_sync(thread.join, 0.4)


def _listening(declared: Declared, ears: Ears) -> tuple[Thread, TextIO]:
    """A pipe for a child's stderr, and the thread that hears it; on Windows no event loop can read a pipe."""
    source, sink = os.pipe()

    def listen() -> None:
        with os.fdopen(source, "rb") as lines:
            while line := lines.readline(MAX_STDERR_LINE):
                if text := in_line(declared.masked(line.decode(errors="replace").strip()), 500):
                    ears.said.append(text)
                    _log.info("%s: %s", declared.name, text)

    thread = Thread(target=listen, name=f"stderr of {declared.name}", daemon=True)
    thread.start()
    return thread, os.fdopen(sink, "w")


@asynccontextmanager
async def _address(declared: Declared, ears: Ears) -> AsyncGenerator[Any]:
    async def note(response: httpx2.Response) -> None:
        if response.request.method == "POST":  # to GET and DELETE many servers answer 405, rightly
            ears.status = response.status_code if response.status_code >= 400 else 0

    async with (
        # Reading may take as long as a call may: whoever calls has a deadline.
        httpx2.AsyncClient(
            headers=dict(declared.headers), timeout=httpx2.Timeout(30, read=None), event_hooks={"response": [note]}
        ) as http,
        streamable_http_client(declared.url, http_client=http) as streams,
    ):
        yield streams


@dataclass(slots=True)
class _Heard:
    """A transport that tells when nothing more will come. The SDK tells only those who have a request under way."""

    transport: AbstractAsyncContextManager[Any]
    ears: Ears

    async def __aenter__(self) -> tuple[Any, Any]:
        source, sink = await self.transport.__aenter__()
        return _Source(source, self.ears), sink

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self.transport.__aexit__(kind, error, trace)


@dataclass(slots=True)
class _Source:
    """The SDK's stream of messages. Whoever reads it closes it when it has ended."""

    stream: Any
    ears: Ears

    @property
    def last_context(self) -> Any:
        return getattr(self.stream, "last_context", None)

    async def receive(self) -> Any:
        return await self.stream.receive()

    async def aclose(self) -> None:
        self.ears.lost.set()
        await self.stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        item = await self.stream.__anext__()
        return _mended(item) if isinstance(item, ValidationError) else item

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _mended(error: ValidationError) -> SessionMessage | ValidationError:
    """The message that could not be read, if all it has is half a surrogate pair: U+FFFD stands for it then.

    JavaScript writes those where it cuts a text within a character. Unread, its caller would wait until his deadline.
    """
    line = error.errors(include_url=False)[0]["input"]
    if not (isinstance(line, str) and _HALF.search(line)):
        return error
    try:
        whole = legible(json.dumps(json.loads(line), ensure_ascii=False))
        return SessionMessage(jsonrpc_message_adapter.validate_json(whole))
    except (ValueError, RecursionError):
        return error
