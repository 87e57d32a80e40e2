"""The back end for models behind the Messages API: Anthropic's own, its clouds', and any server that speaks it.

```
anthropic_connection.py  the one client of a server
anthropic_request.py     Ask -> JSON
anthropic_reply.py       JSON, or a stream of events -> Reply
anthropic_errors.py      what fails -> our own errors
```
"""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import anyio

from fanfold_workers.errors import FanfoldError, KeyRefusedError

from .anthropic_connection import Connection, Provider
from .anthropic_reply import Draft, loaded, no_message, rates, reply
from .anthropic_request import Block, Dialect, count_request, encoded, request
from .model import Ask, Reply, Role

if TYPE_CHECKING:
    import httpx2

    from .anthropic_connection import Client

__all__ = ["Anthropic", "Connection", "Provider"]

PATH = "/v1/messages"
FIGURES_SECONDS = 10.0
"""What is only good to know is waited for no longer than this."""
REFUSALS = frozenset({400, 422})


@dataclass(frozen=True, slots=True)
class Anthropic:
    """A Model: one model id at one server.

    Nothing is tried again here, save a request whose schema or effort the server does not take: it goes out again
    with the schema in words, or without effort. What was refused cost nothing, and is remembered.

    Attributes:
        connection: how the server is reached; shared by all models there.
        model: its id, as the server takes it.
    """

    connection: Connection
    model: str
    _dialects: dict[tuple[str, str, bool], Dialect] = field(
        default_factory=dict[tuple[str, str, bool], Dialect], init=False, repr=False, compare=False
    )

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model.

        Raises:
            InputError: if a cloud's extra packages are missing.
        """
        client = await self.connection.client()
        try:
            return await self._asked(client, ask)
        except FanfoldError:
            raise
        except Exception as error:
            if failure := self._failure(error, ask.role):
                raise failure from error
            raise

    async def count(self, ask: Ask) -> int | None:
        """Tokens of the request by the server's own count; None if it has none, or does not answer in ten seconds."""

        async def post(client: "Client") -> "httpx2.Response":
            body = count_request(ask, self.model, self._dialect(ask))
            return await self._post(client, f"{PATH}/count_tokens", body)

        tokens = (await self._figures(post)).get("input_tokens")
        return tokens if isinstance(tokens, int) else None

    async def describe(self) -> tuple[int, int] | None:
        """Tokens that the model takes, and that it may answer; None if the server does not say within ten seconds.

        Raises:
            KeyRefusedError: if the key is missing or refused.
        """

        async def get(client: "Client") -> "httpx2.Response":
            import httpx2

            return await client.get(f"/v1/models/{quote(self.model, safe='')}", cast_to=httpx2.Response)

        figures = await self._figures(get, tell=True) if self.connection.provider == "anthropic" else {}
        window, output = figures.get("max_input_tokens"), figures.get("max_tokens")
        return (window, output) if isinstance(window, int) and isinstance(output, int) else None

    async def _asked(self, client: "Client", ask: Ask) -> Reply:
        """The reply, in the first dialect that the server takes."""
        from anthropic import APIStatusError

        dialect = self._dialect(ask)
        while True:
            try:
                answer = await self._answer(client, ask, dialect)
            except APIStatusError as error:
                said = f"{error.api_message or ''} {error.message}"
                plainer = dialect.without(said, ask) if error.response.status_code in REFUSALS else None
                if plainer is None:
                    raise
                dialect = plainer
            else:
                self._learn(ask, dialect, answer)
                return answer

    async def _answer(self, client: "Client", ask: Ask, dialect: Dialect) -> Reply:
        body = request(ask, self.model, dialect)
        if ask.begun:
            message, headers = await self._streamed(client, body, ask.begun)
        else:
            response = await self._post(client, PATH, body)
            message, headers = loaded(response.content), response.headers
        return reply(message, ask, rates(headers, time.time()))

    async def _streamed(
        self, client: "Client", body: Block, begun: Callable[[], None]
    ) -> tuple[object, Mapping[str, str]]:
        from anthropic import AnthropicError, AsyncStream
        from httpx2 import HTTPError

        # As `object` its events stay dictionaries: as the SDK's own types they take twice the CPU.
        events, sent, draft = AsyncStream[object], self._sent({**body, "stream": True}), Draft()
        async with await client.post(PATH, cast_to=object, stream=True, stream_cls=events, **sent) as stream:
            try:
                async for event in stream:
                    if draft.take(event):
                        begun()
            # Once a message has ended all of it is here, whatever comes after it.
            except (AnthropicError, HTTPError):
                if not draft.ended:
                    raise
            except (json.JSONDecodeError, UnicodeDecodeError) as error:
                if not draft.ended:
                    raise no_message() from error
            return draft.message(), stream.response.headers

    async def _post(self, client: "Client", path: str, body: Block) -> "httpx2.Response":
        """The response as it came: the SDK's own types would cost a quarter more CPU."""
        import httpx2

        response: httpx2.Response = await client.post(path, cast_to=httpx2.Response, **self._sent(body))
        return response

    def _sent(self, body: Block) -> dict[str, Any]:
        data = encoded(body)
        return {"content": data} if self.connection.takes_bytes else {"body": json.loads(data)}

    async def _figures(
        self, send: Callable[["Client"], Awaitable["httpx2.Response"]], *, tell: bool = False
    ) -> dict[str, object]:
        """What the server says; nothing if it fails in whatever way, a refused key aside where that is to be told."""
        failure: FanfoldError | None = None
        try:
            client = await self.connection.client()
            with anyio.move_on_after(FIGURES_SECONDS):
                figures = loaded((await send(client)).content)
                return cast("dict[str, object]", figures) if isinstance(figures, dict) else {}
        except FanfoldError as error:
            failure = error
        except Exception as error:
            failure = self._failure(error, "worker")
            if failure is None:
                raise
        if tell and isinstance(failure, KeyRefusedError):
            raise failure
        return {}

    def _failure(self, error: Exception, role: Role) -> FanfoldError | None:
        from .anthropic_errors import Blame

        return Blame(self.connection, self.model, role).failure(error)

    def _dialect(self, ask: Ask) -> Dialect:
        return self._dialects.get(_kind(ask), Dialect())

    def _learn(self, ask: Ask, dialect: Dialect, answer: Reply) -> None:
        """Remember what the server does not take, or takes and ignores."""
        held = ask.schema and dialect.format and answer.stop == "end_turn" and not answer.calls
        if held and not _is_json(answer.text):
            dialect = Dialect(format=False, effort=dialect.effort)
        if dialect != Dialect():
            self._dialects[_kind(ask)] = dialect


def _kind(ask: Ask) -> tuple[str, str, bool]:
    """What a refusal is about: it may be this schema that is refused, this effort, or the two beside a web tool."""
    return ask.schema, ask.effort, ask.web is not None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
