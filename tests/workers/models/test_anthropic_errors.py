"""What a failed call looks like to whoever asked: its kind, its words, whether it may have cost something."""

import json
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import anyio
import pytest
from dirty_equals import IsFloat, IsStr

from fanfold_workers.errors import (
    BusyError,
    FaultError,
    InputError,
    KeyRefusedError,
    ModelError,
    RejectedError,
    TooLongError,
)
from fanfold_workers.models import anthropic_connection
from fanfold_workers.models.anthropic import Anthropic, Connection
from fanfold_workers.models.model import Ask, Rate, Said, ToolSpec

from .anthropic_server import MESSAGE, events, failing, http, serving

HELLO = Ask("", (Said("Hello?"),))
STREAMED = replace(HELLO, begun=lambda: None)
KEY = "sk-ant-secret"
START: dict[str, Any] = {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}}
WORD = [
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Half"}},
]
STOP = [
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def mocked(llmock: Any) -> AsyncGenerator[Anthropic]:
    """A model at llmock, an endpoint that nobody here wrote."""
    async with Connection(base_url=llmock.base_url("anthropic")) as connection:
        yield Anthropic(connection, "claude-opus-4-6")


async def failure(answer: bytes, ask: Ask = HELLO) -> ModelError:
    """The error that this answer comes to, as text without the server's address."""
    async with serving(answer) as server, Connection(key=KEY, base_url=server.url) as connection:
        with pytest.raises(ModelError) as caught:
            await Anthropic(connection, "claude-test").ask(ask)
    error = caught.value
    assert "\n" not in str(error)
    assert KEY not in str(error)
    assert error.remedy
    error.problem = error.problem.replace(server.url, "SERVER")
    return error


@pytest.mark.parametrize(
    ("answer", "kind", "field", "problem"),
    [
        (failing(401, f"invalid: {KEY}"), KeyRefusedError, "ANTHROPIC_API_KEY", "401: invalid: (the key)."),
        (failing(402, "Pay."), KeyRefusedError, "ANTHROPIC_API_KEY", "402: Pay."),
        (failing(403, "Not you"), KeyRefusedError, "ANTHROPIC_API_KEY", "403: Not you."),
        (failing(400, "Your credit balance is too low"), KeyRefusedError, "ANTHROPIC_API_KEY", IsStr()),
        (failing(413, "Request exceeds the maximum size"), TooLongError, "request", IsStr()),
        (failing(400, "prompt is too long: 210000 tokens > 200000 maximum"), TooLongError, "request", IsStr()),
        (http(400, {"error": "exceeds the available context size"}), TooLongError, "request", IsStr()),
        (failing(400, "temperature: no"), RejectedError, "", "400: temperature: no."),
        (failing(422, "line one\nline two"), RejectedError, "", "422: line one line two."),
        (http(405, b"<h1>No</h1>"), RejectedError, "", "405: <h1>No</h1>."),
        (failing(500, "Internal server error"), FaultError, "", "500: Internal server error."),
        (failing(503, "Down!"), FaultError, "", "503: Down!"),
        (failing(408, "Slow"), FaultError, "", "408: Slow."),
        (failing(409, "Locked"), FaultError, "", "409: Locked."),
        (http(502, b""), FaultError, "", "502: Error code: 502."),
    ],
)  # fmt: skip
async def test_a_refusal_tells_whom_to_blame_and_costs_nothing(
    answer: bytes, kind: type[ModelError], field: str, problem: str
) -> None:
    error = await failure(answer)
    assert type(error) is kind
    assert (error.field, error.charged) == (field, False)
    assert error.problem.removeprefix("SERVER answered ") == problem


async def test_a_long_refusal_is_shortened() -> None:
    error = await failure(failing(400, "no " * 1_000))
    assert len(error.problem) < 550


@pytest.mark.parametrize(("role", "setting"), [("lead", "lead_model"), ("worker", "worker_model")])
async def test_an_unknown_model_names_the_setting_that_asked_for_it(role: Any, setting: str) -> None:
    error = await failure(failing(404, "model: claude-test"), replace(HELLO, role=role))
    assert type(error) is RejectedError
    assert (error.field, error.problem, error.remedy) == (
        setting,
        "SERVER answered 404: model: claude-test. The model asked for is claude-test.",
        f"Set {setting} to a model that is there, or base_url to the address without /v1/messages.",
    )


async def test_a_busy_server_says_how_long_to_wait(llmock: Any, mocked: Anthropic) -> None:
    llmock.rate_limit(retry_after=2.5).fail(529, retry_after=7)
    with pytest.raises(BusyError) as rated:
        await mocked.ask(HELLO)
    with pytest.raises(BusyError) as overloaded:
        await mocked.ask(STREAMED)
    assert (rated.value.seconds, rated.value.overloaded, rated.value.charged) == (2.5, False, False)
    assert (overloaded.value.seconds, overloaded.value.overloaded, overloaded.value.charged) == (7.0, True, False)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"retry_after": "12"}, 12.0),
        ({"retry_after": "12", "retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "in an hour"}, IsFloat(gt=3_500, lt=3_601)),
        ({"retry_after": formatdate(0, usegmt=True)}, 0.0),
        ({"retry_after": "inf"}, 0.0),
        ({"retry_after": "-3"}, 0.0),
        ({"retry_after": "soon"}, 0.0),
    ],
)
async def test_the_wait_may_be_given_in_seconds_or_as_a_date(headers: dict[str, str], seconds: float) -> None:
    dated = {
        name: value.replace("in an hour", formatdate(time.time() + 3_600, usegmt=True))
        for name, value in headers.items()
    }
    error = await failure(failing(429, "Slow down", **dated))
    assert isinstance(error, BusyError)
    assert error.seconds == seconds


async def test_a_refusal_for_a_rate_says_what_the_limits_are() -> None:
    soon = "2099-01-01T00:00:00Z"
    limits = {f"anthropic_ratelimit_input_tokens_{name}": value for name, value in
              (("limit", "50000"), ("remaining", "0"), ("reset", soon))}  # fmt: skip
    error = await failure(failing(429, "Slow down", **limits))
    assert isinstance(error, BusyError)
    assert error.rates == (Rate("input", 50_000, 0, IsFloat(gt=1e9)),)


async def test_a_spend_limit_is_no_reason_to_wait() -> None:
    """It comes as 429, and no wait would end it."""
    spent = {
        "type": "rate_limit_error",
        "message": "Spent.",
        "details": {"error_code": "enforced_spend_limit_reached"},
    }
    error = await failure(http(429, {"type": "error", "error": spent}))
    assert type(error) is KeyRefusedError


CUT = {
    "half of the body is missing": (http(200, MESSAGE, missing=50), HELLO),
    "the connection drops before an answer": (b"", HELLO),
    "the headers are cut": (b"HTTP/1.1 200 OK\r\ncontent-le", HELLO),
    "what came is no HTTP": (b"220 mail.example.org ESMTP\r\n", HELLO),
    "the body is no JSON": (http(200, b"<html>Please log in</html>"), HELLO),
    "the JSON is cut": (http(200, b'{"type": "message", "content": [{"ty'), HELLO),
    "the body is no text": (http(200, b'{"a": "\xff"}'), HELLO),
    "the body is empty": (http(200, b""), HELLO),
    "the JSON is a list": (http(200, [MESSAGE]), HELLO),
    "there is no content": (http(200, {"object": "chat.completion", "choices": []}), HELLO),
    "a block has no text": (http(200, {**MESSAGE, "content": [{"type": "text"}]}), HELLO),
    "a call has no name": (http(200, {**MESSAGE, "content": [{"type": "tool_use", "id": "1"}]}), HELLO),
    "it does not say why it stopped": (http(200, {**MESSAGE, "stop_reason": None}), HELLO),
    "the stream is cut": (events(START, *WORD, ended=False), STREAMED),
    "the stream just ends": (events(START, *WORD), STREAMED),
    "the stream ends after the reason": (events(START, *WORD, *STOP[:2]), STREAMED),
    "the stream ends before it began": (events(), STREAMED),
    "the server is overloaded in the middle": (events(START, *WORD, OVERLOADED), STREAMED),
    "an event is no JSON": (events(START, *WORD, b"event: content_block_delta\ndata: {\n\n", *STOP), STREAMED),
    "an event is no text": (events(START, *WORD, b"event: x\ndata: \xff\n\n", *STOP), STREAMED),
    "an event is no object": (events(START, b"event: content_block_stop\ndata: []\n\n"), STREAMED),
    "a delta has no block": (events(START, WORD[1], *STOP), STREAMED),
    "a message comes in place of a stream": (http(200, MESSAGE), STREAMED),
}


@pytest.mark.parametrize("what", CUT)
async def test_an_answer_that_is_cut_off_may_have_cost_something(what: str) -> None:
    error = await failure(*CUT[what])
    assert type(error) is FaultError
    assert error.charged
    assert error.remedy == "Try again."


@pytest.mark.parametrize("fault", ["disconnect", "truncate", "corrupt"])
async def test_streams_that_llmock_breaks_are_faults_too(llmock: Any, mocked: Anthropic, fault: str) -> None:
    getattr(llmock, fault)(after_chunks=4)
    with pytest.raises(FaultError) as caught:
        await mocked.ask(STREAMED)
    assert caught.value.charged
    assert (await mocked.ask(STREAMED)).stop == "end_turn"


async def test_a_prompt_too_long_for_llmock_is_too_long(llmock: Any, mocked: Anthropic) -> None:
    llmock.limits(context_window=10)
    with pytest.raises(TooLongError):
        await mocked.ask(replace(HELLO, turns=(Said("many words " * 100),)))


async def test_what_happens_after_a_message_has_ended_does_not_lose_it() -> None:
    answer = events(START, *WORD, *STOP, OVERLOADED, ended=False)
    async with serving(answer) as server, Connection(base_url=server.url) as connection:
        assert (await Anthropic(connection, "claude-test").ask(STREAMED)).text == "Half"


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}", "http://nowhere.invalid", "htp://127.0.0.1"])
async def test_a_server_that_is_not_there_has_cost_nothing(address: str, free_tcp_port: int) -> None:
    async with Connection(base_url=address.format(port=free_tcp_port)) as connection:
        with pytest.raises(FaultError) as caught:
            await Anthropic(connection, "claude-test").ask(HELLO)
    assert not caught.value.charged
    assert caught.value.problem.startswith(f"{address.format(port=free_tcp_port)} cannot be reached: ")
    assert caught.value.remedy == "Check the network, and base_url if the server is your own."


async def test_a_server_that_is_silent_for_too_long_may_have_cost_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic_connection, "READ_SECONDS", 0.3)
    async with serving(b"", hangs=True) as server, Connection(base_url=server.url) as connection:
        with pytest.raises(FaultError) as caught, anyio.fail_after(5):
            await Anthropic(connection, "claude-test").ask(HELLO)
    assert caught.value.charged


@pytest.mark.parametrize(
    ("provider", "environment", "error", "words"),
    [
        ("bedrock", {"AWS_REGION": "eu-west-1"}, InputError, "anthropic[bedrock]"),
        ("bedrock", {}, KeyRefusedError, "AWS_BEARER_TOKEN_BEDROCK"),
        (
            "vertex",
            {"CLOUD_ML_REGION": "global", "ANTHROPIC_VERTEX_PROJECT_ID": "p"},
            InputError,
            "anthropic[vertex]",
        ),
        ("vertex", {}, KeyRefusedError, "CLOUD_ML_REGION"),
        ("foundry", {}, KeyRefusedError, "ANTHROPIC_FOUNDRY_API_KEY"),
    ],
)
async def test_a_cloud_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, provider: Any, environment: dict[str, str], error: type[Exception], words: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with Connection(provider) as connection:
        with pytest.raises(error) as caught:
            await Anthropic(connection, "claude-test").ask(HELLO)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("provider", "line", "auth"),
    [
        ("bedrock", "POST /model/claude-test/invoke HTTP/1.1", {"authorization": "Bearer cloud-key"}),
        ("foundry", "POST /v1/messages HTTP/1.1", {"api-key": "cloud-key"}),
    ],
)
async def test_a_cloud_is_asked_its_own_way_with_credentials_of_its_own(
    monkeypatch: pytest.MonkeyPatch, provider: Any, line: str, auth: dict[str, str]
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "cloud-key")
    monkeypatch.setenv("ANTHROPIC_FOUNDRY_API_KEY", "cloud-key")
    async with serving(http(200, MESSAGE)) as server, Connection(provider, KEY, server.url) as connection:
        model = Anthropic(connection, "claude-test")
        assert (await model.ask(HELLO)).text == "Hello."
        assert await model.describe() is None
    (sent,) = server.requests
    assert sent.line == line
    assert auth.items() <= sent.headers.items()
    assert KEY not in str(sent)


async def test_what_a_cloud_cannot_count_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    async with Connection("bedrock") as connection:
        assert await Anthropic(connection, "claude-test").count(HELLO) is None


async def test_a_bug_of_ours_is_not_taken_for_a_fault_of_the_server() -> None:
    broken = replace(HELLO, tools=(ToolSpec("read", "Reads.", "{no json"),))
    async with serving(http(200, MESSAGE)) as server, Connection(base_url=server.url) as connection:
        model = Anthropic(connection, "claude-test")
        with pytest.raises(json.JSONDecodeError):
            await model.ask(broken)
        with pytest.raises(json.JSONDecodeError):
            await model.count(broken)
