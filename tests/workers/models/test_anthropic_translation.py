"""From an Ask to the request, and from the answer to a Reply: whole objects, no sockets."""

import json
from dataclasses import replace
from typing import Any

import pytest
from inline_snapshot import snapshot

from fanfold_workers.errors import FaultError
from fanfold_workers.models.anthropic_reply import Draft, rates, reply
from fanfold_workers.models.anthropic_request import Dialect, count_request, encoded, request
from fanfold_workers.models.model import (
    Answered,
    Ask,
    Rate,
    Replied,
    Reply,
    Said,
    Source,
    Tokens,
    ToolAnswer,
    ToolCall,
    ToolSpec,
    Web,
    calling,
)

SCHEMA = json.dumps({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]})
READ = ToolSpec("read", "Reads a file.", '{"type": "object", "properties": {"path": {"type": "string"}}}')
ASKED = Ask("Be exact.", (Said("What is there?"),), max_tokens=500)


def test_a_request_says_everything_that_the_ask_does() -> None:
    turns = (
        Said("What is there?"),
        Replied(calling(("read", {"path": "a"}), ("read", {"path": "b"}), text="I look.").content),
        Answered((ToolAnswer("call_1", "red"), ToolAnswer("call_2", "no such file", failed=True)), "Two turns left."),
    )
    ask = replace(ASKED, turns=turns, tools=(READ,), schema=SCHEMA, effort="low", shared=True, ongoing=True)
    assert request(ask, "claude-test") == snapshot(
        {
            "model": "claude-test",
            "max_tokens": 500,
            "tools": [
                {
                    "name": "read",
                    "description": "Reads a file.",
                    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
                }
            ],
            "system": [{"type": "text", "text": "Be exact.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "What is there?"}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "I look."},
                        {"type": "tool_use", "id": "call_1", "name": "read", "input": {"path": "a"}},
                        {"type": "tool_use", "id": "call_2", "name": "read", "input": {"path": "b"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "call_1", "content": "red"},
                        {"type": "tool_result", "tool_use_id": "call_2", "content": "no such file", "is_error": True},
                        {"type": "text", "text": "Two turns left.", "cache_control": {"type": "ephemeral"}},
                    ],
                },
            ],
            "output_config": {
                "effort": "low",
                "format": {
                    "type": "json_schema",
                    "schema": {
                        "type": "object",
                        "properties": {"n": {"type": "integer", "description": "{minimum: 1}"}},
                        "additionalProperties": False,
                        "required": ["n"],
                    },
                },
            },
        }
    )


def test_what_an_ask_does_not_have_is_not_sent() -> None:
    assert request(Ask("", (Said("Hello?"),), max_tokens=9), "claude-test") == {
        "model": "claude-test",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}],
    }


def test_without_a_system_the_tools_are_what_is_shared() -> None:
    body = request(replace(ASKED, system="", tools=(READ, READ), shared=True), "claude-test")
    assert [tool.get("cache_control") for tool in body["tools"]] == [None, {"type": "ephemeral"}]
    assert "cache_control" not in request(replace(ASKED, tools=(READ,)), "claude-test")["tools"][0]


def test_the_web_is_searched_and_read_within_bounds() -> None:
    ask = replace(ASKED, web=Web(allowed=("docs.python.org",), uses=3))
    assert request(ask, "claude-test")["tools"] == snapshot(
        [
            {
                "type": "web_search_20250305",
                "name": "web_search",
                "max_uses": 3,
                "allowed_domains": ["docs.python.org"],
            },
            {
                "type": "web_fetch_20250910",
                "name": "web_fetch",
                "max_uses": 3,
                "allowed_domains": ["docs.python.org"],
                "max_content_tokens": 20000,
                "citations": {"enabled": True},
            },
        ]
    )
    assert request(replace(ask, web=Web(blocked=("x.org",))), "m")["tools"][0]["blocked_domains"] == ["x.org"]


@pytest.mark.parametrize(("dialect", "cited"), [(Dialect(), False), (Dialect(format=False), True)])
def test_pages_are_cited_unless_the_api_holds_the_answer_to_a_schema(dialect: Dialect, *, cited: bool) -> None:
    ask = replace(ASKED, web=Web(), schema=SCHEMA)
    assert request(ask, "claude-test", dialect)["tools"][1]["citations"] == {"enabled": cited}


def test_a_server_that_takes_neither_schema_nor_effort_is_told_in_words() -> None:
    ask = replace(ASKED, schema=SCHEMA, effort="high", shared=True)
    plain = request(ask, "claude-test", Dialect(format=False, effort=False))
    assert "output_config" not in plain
    assert plain["system"] == snapshot(
        [
            {"type": "text", "text": "Be exact."},
            {
                "type": "text",
                "text": """\
Answer with one JSON value and nothing else that fits this schema:
{"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}\
""",
                "cache_control": {"type": "ephemeral"},
            },
        ]
    )


@pytest.mark.parametrize("schema", ["{}", '{"type": ["string", "null"]}', '{"type": "array", "items": true}'])
def test_a_schema_that_the_api_cannot_hold_an_answer_to_is_put_in_words(schema: str) -> None:
    body = request(replace(ASKED, schema=schema), "claude-test")
    assert "output_config" not in body
    assert body["system"][-1]["text"].endswith(schema)


def test_neighbours_of_one_side_become_one_message_and_what_is_empty_is_left_out() -> None:
    empty = '[{"type": "text", "text": ""}]'
    turns = (
        Said("one"),
        Said(""),
        Replied(empty),
        Said("two"),
        Replied('[{"type": "x"}]'),
        Replied('[{"type": "y"}]'),
    )
    assert request(replace(ASKED, turns=turns, ongoing=True), "claude-test")["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": [{"type": "x"}, {"type": "y"}]},
    ]


def test_an_empty_tool_answer_is_said_to_be_empty() -> None:
    """The API refuses a failed call without words."""
    body = request(replace(ASKED, turns=(Answered((ToolAnswer("call_1", "", failed=True),)),)), "claude-test")
    assert body["messages"][0]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1", "content": "(empty)", "is_error": True}
    ]


def test_what_is_counted_is_what_is_sent() -> None:
    ask = replace(ASKED, tools=(READ,), schema=SCHEMA, effort="low", shared=True)
    body = request(ask, "claude-test")
    assert count_request(ask, "claude-test") == {name: part for name, part in body.items() if name != "max_tokens"}


def test_a_request_goes_out_in_characters_not_in_escapes() -> None:
    assert encoded({"text": "Zürich \ud83d\ude00 \ud83d"}) == '{"text":"Zürich ?? ?"}'.encode()
    assert encoded({"text": "😀"}) == '{"text":"😀"}'.encode()


THOUGHTFUL: dict[str, Any] = {
    "type": "message",
    "model": "claude-test-20261101",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "text", "text": "I look "},
        {"type": "text", "text": "it up."},
        {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "q"}},
        {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a", "lines": [1, 2.5]}},
    ],
    "stop_reason": "tool_use",
    "usage": {
        "input_tokens": 10,
        "output_tokens": 20,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 4_000,
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    },
}


def test_a_message_becomes_a_reply_that_keeps_its_blocks_as_they_came() -> None:
    known = (Rate("requests", 9, 8, 1.5),)
    assert reply(THOUGHTFUL, ASKED, known) == Reply(
        text="I look it up.",
        calls=(ToolCall("toolu_1", "read", {"path": "a", "lines": [1, 2.5]}),),
        stop="tool_use",
        usage=Tokens(input=10, output=20, cache_read=4_000, cache_write=300, searches=2),
        content=json.dumps(THOUGHTFUL["content"]),
        model="claude-test-20261101",
        rates=known,
    )
    assert request(replace(ASKED, turns=(Said("?"), Replied(reply(THOUGHTFUL, ASKED).content))), "claude-test")[
        "messages"
    ][1]["content"] == THOUGHTFUL["content"]  # fmt: skip


def test_a_message_that_says_little_is_a_reply_all_the_same() -> None:
    least = {"content": [], "stop_reason": "end_turn", "model": None, "usage": None}
    assert reply(least, ASKED) == Reply("")
    assert reply({**least, "usage": {"input_tokens": None, "server_tool_use": None}}, ASKED) == Reply("")


@pytest.mark.parametrize(
    ("said", "stop"),
    [
        ("max_tokens", "max_tokens"),
        ("pause_turn", "pause_turn"),
        ("refusal", "refusal"),
        ("model_context_window_exceeded", "model_context_window_exceeded"),
        ("length", "max_tokens"),
        ("stop", "end_turn"),
        ("something_new", "end_turn"),
    ],
)
def test_why_it_stopped_is_taken_over_or_put_in_words_that_are_known(said: str, stop: str) -> None:
    assert reply({"content": [], "stop_reason": said}, ASKED).stop == stop


def test_an_unknown_stop_with_calls_is_a_stop_for_them() -> None:
    assert reply({**THOUGHTFUL, "stop_reason": "something_new"}, ASKED).stop == "tool_use"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('```json\n{"n": 1}\n```', '{"n": 1}'),
        ('\n```\n{"n": "```"}\n```  \n', '{"n": "```"}'),
        ('{"n": 1}', '{"n": 1}'),
        ("Look: ```json\n{}\n```", "Look: ```json\n{}\n```"),
    ],
)
def test_json_is_taken_out_of_its_fence(text: str, read: str) -> None:
    message = {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
    assert reply(message, replace(ASKED, schema=SCHEMA)).text == read
    assert reply(message, ASKED).text == text


def page(url: str, title: str | None) -> dict[str, Any]:
    document = {"type": "document", "title": title, "source": {"type": "text", "data": "..."}}
    result = {"type": "web_fetch_result", "url": url, "content": document}
    return {"type": "web_fetch_tool_result", "tool_use_id": "s", "content": result}


def cited(*citations: dict[str, Any]) -> dict[str, Any]:
    return {"type": "text", "text": "So.", "citations": list(citations)}


def of_document(index: int, title: str | None, quote: str) -> dict[str, Any]:
    return {"type": "char_location", "document_index": index, "document_title": title, "cited_text": quote}


def sources(*blocks: dict[str, Any], earlier: tuple[dict[str, Any], ...] = ()) -> tuple[Source, ...]:
    turns = (Said("?"), Replied(json.dumps(earlier)), Said("And?"))
    return reply({"content": blocks, "stop_reason": "end_turn"}, replace(ASKED, turns=turns)).sources


def test_pages_are_named_in_order_with_what_was_cited_from_them() -> None:
    results = [
        {"type": "web_search_result", "url": f"https://{n}.org", "title": n, "encrypted_content": "x"} for n in "abc"
    ]
    location = {"type": "web_search_result_location", "url": "https://b.org", "title": "b", "encrypted_index": "x"}
    found = sources(
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": results},
        cited({**location, "cited_text": "first"}, {**location, "cited_text": "first"}),
        cited({**location, "cited_text": "second"}, {**location, "url": "https://z.org", "title": None}),
    )
    assert found == (
        Source("https://a.org", "a"),
        Source("https://b.org", "b", "first"),
        Source("https://b.org", "b", "second"),
        Source("https://c.org", "c"),
        Source("https://z.org"),
    )


def test_a_citation_of_a_fetched_page_finds_its_address() -> None:
    found = sources(
        page("https://a.org", "Twin"),
        page("https://b.org", "Twin"),
        cited(of_document(2, "Twin", "from b"), of_document(9, "Old", "from old"), of_document(9, "Gone", "lost")),
        earlier=(page("https://old.org", "Old"),),
    )
    assert found == (
        Source("https://a.org", "Twin"),
        Source("https://b.org", "Twin", "from b"),
        Source("https://old.org", "Old", "from old"),
    )


def test_a_quote_is_not_given_to_the_wrong_page() -> None:
    found = sources(page("https://a.org", "Twin"), page("https://b.org", "Twin"), cited(of_document(7, "Twin", "?")))
    assert found == (Source("https://a.org", "Twin"), Source("https://b.org", "Twin"))


def test_what_could_not_be_looked_up_is_no_source() -> None:
    found = sources(
        {"type": "web_search_tool_result", "content": {"type": "web_search_tool_result_error", "error_code": "e"}},
        {"type": "web_fetch_tool_result", "content": {"type": "web_fetch_tool_result_error", "error_code": "e"}},
    )
    assert found == ()


def test_limits_are_read_from_the_headers() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "1970-01-01T00:16:41.5Z",
        "anthropic-ratelimit-input-tokens-limit": "30000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "1970-01-01T00:16:00+00:00",
        "anthropic-ratelimit-output-tokens-limit": "many",
        "anthropic-ratelimit-tokens-limit": "9",
    }
    assert rates(headers, 1_000.0) == (Rate("requests", 50, 49, 1.5), Rate("input", 30_000, 0, 0.0))
    assert rates({}, 1_000.0) == ()


def streamed(*events: dict[str, Any]) -> object:
    draft = Draft()
    for event in events:
        draft.take(event)
    return draft.message()


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


START = {"type": "message_start", "message": {"model": "m", "content": [], "stop_reason": None, "stop_sequence": None,
         "usage": {"input_tokens": 10, "cache_read_input_tokens": 7, "output_tokens": 1}}}  # fmt: skip
CALL = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}}


def ending(reason: str) -> list[dict[str, Any]]:
    usage = {"output_tokens": 42, "input_tokens": None, "server_tool_use": {"web_search_requests": 1}}
    return [{"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}, {"type": "message_stop"}]


def test_a_stream_adds_up_to_the_message_that_would_have_come_in_one_piece() -> None:
    found = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
    message = streamed(
        START,
        {"type": "ping"},
        *block(0, {"type": "thinking", "thinking": "", "signature": ""},
               {"type": "thinking_delta", "thinking": "H"}, {"type": "thinking_delta", "thinking": "m."},
               {"type": "signature_delta", "signature": "c2ln"}),
        *block(1, {"type": "redacted_thinking", "data": "xyz"}),
        *block(2, {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}},
               {"type": "input_json_delta", "partial_json": '{"query":'},
               {"type": "input_json_delta", "partial_json": '"q"}'}),
        *block(3, found),
        *block(4, {"type": "text", "text": "", "citations": None},
               {"type": "text_delta", "text": "It is "}, {"type": "citations_delta", "citation": {"cited_text": "a"}},
               {"type": "text_delta", "text": "so."}, {"type": "citations_delta", "citation": {"cited_text": "b"}},
               {"type": "delta_of_tomorrow", "value": 1}),
        *block(5, CALL, {"type": "input_json_delta", "partial_json": ""}),
        {"type": "event_of_tomorrow"},
        *ending("tool_use"),
    )  # fmt: skip
    assert message == snapshot(
        {
            "model": "m",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "xyz"},
                {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []},
                {"type": "text", "text": "It is so.", "citations": [{"cited_text": "a"}, {"cited_text": "b"}]},
                {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}},
            ],
            "stop_reason": "tool_use",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 10,
                "cache_read_input_tokens": 7,
                "output_tokens": 42,
                "server_tool_use": {"web_search_requests": 1},
            },
        }
    )


def test_a_call_that_broke_off_at_the_greatest_length_is_no_call() -> None:
    cut = block(1, CALL, {"type": "input_json_delta", "partial_json": '{"path": "a'})
    spoken = block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "I look."})
    said = reply(streamed(START, *spoken, *cut, *ending("max_tokens")), ASKED)
    assert (said.text, said.calls, said.stop) == ("I look.", (), "max_tokens")
    assert json.loads(said.content) == [{"type": "text", "text": "I look."}]
    with pytest.raises(FaultError):
        streamed(START, *spoken, *cut, *ending("tool_use"))


@pytest.mark.parametrize(
    ("refusal", "format_left", "effort_left"),
    [
        ("output_config.format: Extra inputs are not permitted", False, True),
        ("output_config.format.schema: too complex", False, True),
        ("This model does not support structured outputs", False, True),
        ("output_config.effort: Input should be 'low', 'medium' or 'high'", True, False),
        ("This model does not support the effort parameter.", True, False),
        ("output_config: Extra inputs are not permitted", False, False),
        ("Unknown parameter: 'output_config'", False, False),
    ],
)
def test_a_refusal_tells_what_to_do_without(refusal: str, *, format_left: bool, effort_left: bool) -> None:
    ask = replace(ASKED, schema=SCHEMA, effort="max")
    assert Dialect().without(refusal, ask) == Dialect(format=format_left, effort=effort_left)


@pytest.mark.parametrize(
    "refusal",
    ["tools.0.custom.input_schema: JSON schema is invalid", "messages: at least one message is required", ""],
)
def test_a_refusal_about_something_else_is_none_of_that(refusal: str) -> None:
    assert (
        Dialect().without(refusal.replace("JSON schema", "it"), replace(ASKED, schema=SCHEMA, effort="max")) is None
    )


def test_what_was_not_asked_for_is_not_left_out() -> None:
    assert Dialect().without("output_config.format: no", ASKED) is None
    assert Dialect(format=False).without("output_config.format: no", replace(ASKED, schema=SCHEMA)) is None
