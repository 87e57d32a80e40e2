"""A model behind the Messages API: what it is sent, what comes back, over real sockets."""

import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import anyio
import pytest
from dirty_equals import IsInstance, IsStr

from fanfold_workers.errors import FaultError, KeyRefusedError
from fanfold_workers.models.anthropic import Anthropic, Connection
from fanfold_workers.models.model import (
    Answered,
    Ask,
    Rate,
    Replied,
    Reply,
    Said,
    Tokens,
    ToolAnswer,
    ToolCall,
    ToolSpec,
)

from .anthropic_server import MESSAGE, Server, events, http, serving

HELLO = Ask("Be brief.", (Said("Hello?"),), max_tokens=100)
WEATHER = ToolSpec(
    "weather", "The weather at a place.", '{"type": "object", "properties": {"city": {"type": "string"}}}'
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def mocked(llmock: Any) -> AsyncGenerator[Anthropic]:
    """A model at llmock, an endpoint that nobody here wrote."""
    async with Connection(base_url=llmock.base_url("anthropic")) as connection:
        yield Anthropic(connection, "claude-opus-4-6")


async def asked(server: Server, ask: Ask = HELLO, key: str = "") -> Reply:
    async with Connection(key=key, base_url=server.url) as connection:
        return await Anthropic(connection, "claude-test").ask(ask)


async def test_a_question_is_answered(llmock: Any, mocked: Anthropic) -> None:
    llmock.reply("Nine lives.")
    assert await mocked.ask(HELLO) == Reply(
        "Nine lives.",
        usage=Tokens(input=IsInstance(int), output=IsInstance(int)),
        content='[{"type": "text", "text": "Nine lives."}]',
        model="claude-opus-4-6",
    )


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_are_called_and_their_answers_go_back(llmock: Any, mocked: Anthropic, *, streamed: bool) -> None:
    llmock.call_tool("weather", {"city": "Zürich"}, text="Let me see.").reply("It rains.")
    first = replace(HELLO, tools=(WEATHER,), begun=(lambda: None) if streamed else None)
    called = await mocked.ask(first)
    (call,) = called.calls
    turns = (*first.turns, Replied(called.content), Answered((ToolAnswer(call.id, "rain"),), "Say so."))
    said = await mocked.ask(replace(first, turns=turns))

    assert (called.text, called.stop) == ("Let me see.", "tool_use")
    assert call == ToolCall(IsStr(regex="toolu_.+"), "weather", {"city": "Zürich"})
    assert (said.text, said.stop) == ("It rains.", "end_turn")
    assert llmock.last_request.body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hello?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": call.id, "name": "weather", "input": {"city": "Zürich"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": call.id, "content": "rain"},
                {"type": "text", "text": "Say so."},
            ],
        },
    ]


async def test_who_wants_to_know_is_told_once_when_the_answer_begins(llmock: Any, mocked: Anthropic) -> None:
    begun: list[str] = []
    llmock.reply("one two three four")
    streamed = await mocked.ask(replace(HELLO, begun=lambda: begun.append("begun")))
    llmock.reply("one two three four")
    whole = await mocked.ask(HELLO)

    assert streamed == whole
    assert begun == ["begun"]
    assert [request.stream for request in llmock.requests] == [True, False]


async def test_what_the_server_says_of_its_limits_comes_with_the_reply(llmock: Any, mocked: Anthropic) -> None:
    llmock.limits(rpm=60)
    reply = await mocked.ask(HELLO)
    assert reply.rates == (Rate("requests", 60, 59, IsInstance(float)),)


async def test_nothing_is_tried_twice_by_the_sdk(llmock: Any, mocked: Anthropic) -> None:
    llmock.fail(500, times=5)
    with pytest.raises(FaultError):
        await mocked.ask(HELLO)
    assert len(llmock.requests) == 1


async def test_many_calls_share_one_client(llmock: Any, mocked: Anthropic) -> None:
    worker = Anthropic(mocked.connection, "claude-haiku-4-5-20251001")
    replies = await anyio.amap(lambda model: model.ask(HELLO), [mocked, worker] * 10)
    assert [reply.model for reply in replies] == ["claude-opus-4-6", "claude-haiku-4-5-20251001"] * 10
    assert await mocked.connection.client() is await mocked.connection.client()


async def test_without_a_key_the_error_comes_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-from-the-environment")
    async with Connection() as connection:
        with pytest.raises(KeyRefusedError) as caught:
            await Anthropic(connection, "claude-test").ask(HELLO)
    assert str(caught.value) == (
        "ANTHROPIC_API_KEY: There is no key for the model. "
        "Set ANTHROPIC_API_KEY in the environment, or base_url for a server that needs none."
    )
    assert not caught.value.charged


async def test_a_server_of_ones_own_is_not_shown_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-from-the-environment")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "also-from-the-environment")
    async with serving(http(200, MESSAGE)) as server:
        await asked(server)
        await asked(server, key="sk-given")
    assert [sent.headers["authorization"] for sent in server.requests] == ["Bearer no-key", "Bearer sk-given"]
    assert all(b"environment" not in sent.data for sent in server.requests)


async def test_where_a_key_is_sent_does_not_hang_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://elsewhere.invalid")
    async with Connection(key="sk-given") as connection:
        client = await connection.client()
    assert str(client.base_url) == "https://api.anthropic.com"


async def test_the_same_ask_is_the_same_bytes() -> None:
    ask = replace(HELLO, tools=(WEATHER,), schema='{"type": "object", "properties": {}}', effort="low", shared=True)
    async with serving(http(200, MESSAGE)) as server:
        await asked(server, ask)
        await asked(server, ask)
    first, second = server.requests
    assert first.line == "POST /v1/messages HTTP/1.1"
    assert first.data == second.data


async def test_half_a_surrogate_pair_does_not_stop_a_request() -> None:
    async with serving(http(200, MESSAGE)) as server:
        await asked(server, replace(HELLO, turns=(Said("caf\u00e9 \ud83d!"),)))
    assert server.requests[0].body["messages"][0]["content"][0]["text"] == "café ?!"


async def test_on_trio_the_slower_transport_does() -> None:
    code = """
import sys, trio
from fanfold_workers.models.anthropic import Anthropic, Connection
from fanfold_workers.models.model import Ask, Said

async def main():
    async with Connection(base_url=sys.argv[1]) as connection:
        print((await Anthropic(connection, "claude-test").ask(Ask("", (Said("Hello?"),)))).text)

trio.run(main)
"""
    async with serving(http(200, MESSAGE)) as server:
        done = await anyio.run_process([sys.executable, "-W", "error", "-c", code, server.url])
    assert done.stdout == b"Hello.\n"


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import sys, fanfold_workers.models.anthropic; print({'anthropic', 'httpx2', 'aiohttp'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


async def test_a_cancelled_caller_hangs_up() -> None:
    async with serving(b"", hangs=True) as server, Connection(base_url=server.url) as connection:
        await connection.client()
        with anyio.move_on_after(0.2):
            await Anthropic(connection, "claude-test").ask(HELLO)
        with anyio.fail_after(5):
            await server.left.wait()


async def test_a_stream_is_left_without_a_trace_when_its_caller_is_cancelled() -> None:
    begun = anyio.Event()
    start = {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}}
    head = events(start).removesuffix(b"0\r\n\r\n")

    async with serving(head, hangs=True) as server, Connection(base_url=server.url) as connection:
        async with anyio.create_task_group() as group:
            group.start_soon(Anthropic(connection, "claude-test").ask, replace(HELLO, begun=begun.set))
            await begun.wait()
            group.cancel_scope.cancel()
        with anyio.fail_after(5):
            await server.left.wait()


async def test_the_server_counts_the_tokens_of_a_request() -> None:
    async with serving(http(200, {"input_tokens": 4_711})) as server, Connection(base_url=server.url) as connection:
        counted = await Anthropic(connection, "claude-test").count(HELLO)
    assert counted == 4_711
    assert server.requests[0].line == "POST /v1/messages/count_tokens HTTP/1.1"
    assert server.requests[0].body == {
        "model": "claude-test",
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}],
    }


async def test_the_server_tells_a_models_window_and_output_limit() -> None:
    known = {"id": "qwen/qwen3", "max_input_tokens": 200_000, "max_tokens": 64_000}
    async with serving(http(200, known)) as server, Connection(base_url=server.url) as connection:
        described = await Anthropic(connection, "qwen/qwen3").describe()
    assert described == (200_000, 64_000)
    assert server.requests[0].line == "GET /v1/models/qwen%2Fqwen3 HTTP/1.1"


@pytest.mark.parametrize(
    "answer", [http(404, {}), http(405, b""), http(500, b"oops"), http(200, b"no json"), http(200, []), http(200, {})]
)
async def test_a_server_that_cannot_count_or_describe_is_no_trouble(answer: bytes) -> None:
    async with serving(answer) as server, Connection(base_url=server.url) as connection:
        model = Anthropic(connection, "claude-test")
        assert await model.count(HELLO) is None
        assert await model.describe() is None


async def test_without_a_key_nobody_counts_and_whoever_asks_for_sizes_is_told() -> None:
    model = Anthropic(Connection(), "claude-test")
    assert await model.count(HELLO) is None
    with pytest.raises(KeyRefusedError):
        await model.describe()


async def test_a_refused_key_is_told_by_whoever_asks_for_sizes() -> None:
    async with serving(http(401, {})) as server, Connection(key="k", base_url=server.url) as connection:
        with pytest.raises(KeyRefusedError):
            await Anthropic(connection, "claude-test").describe()


@pytest.mark.parametrize(
    ("connection", "name"),
    [
        (Connection(key="k"), "https://api.anthropic.com"),
        (Connection(base_url="http://127.0.0.1:11434/"), "http://127.0.0.1:11434"),
        (Connection("bedrock"), "bedrock"),
    ],
)
def test_a_connection_is_named_by_its_address_and_never_shows_its_key(connection: Connection, name: str) -> None:
    assert connection.name == name
    assert "key" not in repr(connection)
