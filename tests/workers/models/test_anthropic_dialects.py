"""Servers that speak less than the whole API: they are asked again without what they do not take."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fanfold_workers.errors import BusyError, RejectedError
from fanfold_workers.models.anthropic import Anthropic, Connection
from fanfold_workers.models.model import Ask, Said, saying

from .anthropic_server import MESSAGE, Server, events, failing, http, serving

SCHEMA = '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}'
ASKED = Ask("Count.", (Said("How many?"),), schema=SCHEMA, effort="high")
NO_FORMAT = failing(400, "output_config.format: Extra inputs are not permitted")
NO_EFFORT = failing(422, "output_config.effort: this model takes none")
ONE = http(200, {**MESSAGE, "content": [{"type": "text", "text": '```json\n{"n": 1}\n```'}]})
PROSE = http(200, {**MESSAGE, "content": [{"type": "text", "text": "There is one."}]})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def taken(server: Server) -> list[tuple[list[str], int]]:
    """For each request, what of `output_config` it had, and how many blocks of system."""
    bodies = [sent.body for sent in server.requests]
    return [([*body.get("output_config", {})], len(body["system"])) for body in bodies]


async def test_a_schema_that_is_refused_is_put_in_words_and_the_refusal_remembered() -> None:
    async with serving(NO_FORMAT, ONE) as server, Connection(base_url=server.url) as connection:
        model = Anthropic(connection, "claude-test")
        first = await model.ask(ASKED)
        second = await model.ask(ASKED)
    assert first == second == replace(saying('{"n": 1}'), content=first.content, usage=first.usage, model=first.model)
    assert json.loads(first.content)[0]["text"].startswith("```json")
    assert taken(server) == [(["effort", "format"], 1), (["effort"], 2), (["effort"], 2)]


async def test_an_effort_that_is_refused_is_left_out_and_the_refusal_remembered() -> None:
    async with serving(NO_EFFORT, ONE) as server, Connection(base_url=server.url) as connection:
        model = Anthropic(connection, "claude-test")
        await model.ask(ASKED)
        await model.ask(ASKED)
        await model.ask(replace(ASKED, effort="low"))
    assert taken(server) == [(["effort", "format"], 1), (["format"], 1), (["format"], 1), (["effort", "format"], 1)]


async def test_both_may_be_refused_one_after_the_other() -> None:
    async with serving(NO_EFFORT, NO_FORMAT, ONE) as server, Connection(base_url=server.url) as connection:
        assert (await Anthropic(connection, "claude-test").ask(ASKED)).text == '{"n": 1}'
    assert taken(server) == [(["effort", "format"], 1), (["format"], 1), ([], 2)]


async def test_a_streamed_call_falls_back_too_and_begins_once() -> None:
    start: dict[str, Any] = {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}}
    stop: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    begun: list[None] = []
    streamed = replace(ASKED, begun=lambda: begun.append(None))
    answers = NO_FORMAT, events(start, stop, {"type": "message_stop"})
    async with serving(*answers) as server, Connection(base_url=server.url) as connection:
        await Anthropic(connection, "claude-test").ask(streamed)
    assert len(server.requests) == 2
    assert len(begun) == 1


async def test_a_refusal_that_leaving_out_does_not_cure_is_raised_and_forgotten() -> None:
    refusals = (NO_FORMAT, failing(400, "messages: too odd"), ONE)
    async with serving(*refusals) as server, Connection(base_url=server.url) as connection:
        model = Anthropic(connection, "claude-test")
        with pytest.raises(RejectedError, match="too odd"):
            await model.ask(ASKED)
        await model.ask(ASKED)
    assert taken(server) == [(["effort", "format"], 1), (["effort"], 2), (["effort", "format"], 1)]


async def test_other_errors_are_not_taken_for_a_refusal_of_the_schema() -> None:
    busy = failing(429, "output_config.format: busy")
    async with serving(busy, ONE) as server, Connection(base_url=server.url) as connection:
        with pytest.raises(BusyError):
            await Anthropic(connection, "claude-test").ask(ASKED)
    assert len(server.requests) == 1


async def test_a_server_that_ignores_a_schema_is_told_in_words_from_its_first_prose_on() -> None:
    async with serving(PROSE, ONE) as server, Connection(base_url=server.url) as connection:
        model = Anthropic(connection, "claude-test")
        assert (await model.ask(ASKED)).text == "There is one."
        assert (await model.ask(ASKED)).text == '{"n": 1}'
    assert taken(server) == [(["effort", "format"], 1), (["effort"], 2)]
