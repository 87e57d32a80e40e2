"""The simulated Messages endpoint, seen through the real SDK on the transport that fanfold uses."""

import json
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncGenerator, Mapping
from statistics import median
from typing import Any, Literal

import anthropic
import anyio
import httpx2
import pytest
from anthropic import AsyncAnthropic, DefaultAioHttpClient
from anthropic.types import Message, ToolUseBlock
from benchmarks.endpoint import behaviour, tokens
from benchmarks.endpoint.client import REPOSITORY, Endpoint, endpoint
from benchmarks.endpoint.config import Call, Config, Faults, Latency, ModelCard, RateLimits, Storm, Turn
from benchmarks.endpoint.filling import Filler
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fanfold_workers.contract import Scope
from fanfold_workers.tools.catalog import shipped
from fanfold_workers.tools.roots import MemoryRoot
from fanfold_workers.tools.toolbox import Toolbox

MODEL = "claude-sonnet-5-5"
PREFIX = "Every worker is told the same. " * 300


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def simulated() -> AsyncGenerator[Endpoint]:
    async with endpoint() as running:
        yield running


@pytest.fixture(scope="module")
async def claude(simulated: Endpoint) -> AsyncGenerator[AsyncAnthropic]:
    transport = DefaultAioHttpClient(timeout=httpx2.Timeout(30, connect=30))
    async with AsyncAnthropic(
        base_url=simulated.url, api_key="a-key", max_retries=0, http_client=transport
    ) as client:
        yield client


def says(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


async def ask(claude: AsyncAnthropic, text: str = "Hello", **more: Any) -> Message:
    """One whole reply."""
    return await claude.messages.create(**{"model": MODEL, "max_tokens": 1_000, "messages": [says(text)], **more})


async def read(claude: AsyncAnthropic, text: str = "Hello", **more: Any) -> Message:
    """One reply from a stream."""
    async with claude.messages.stream(
        **{"model": MODEL, "max_tokens": 1_000, "messages": [says(text)], **more}
    ) as stream:
        return await stream.get_final_message()


def text_of(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def calls_of(message: Message) -> list[ToolUseBlock]:
    return [block for block in message.content if block.type == "tool_use"]


def answered(message: Message, *results: str) -> list[dict[str, Any]]:
    """The next two messages: the reply, and what its calls came to."""
    blocks = [
        {"type": "tool_result", "tool_use_id": call.id, "content": text}
        for call, text in zip(calls_of(message), results, strict=True)
    ]
    return [{"role": "assistant", "content": message.to_dict()["content"]}, {"role": "user", "content": blocks}]


# -- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [ask, read])
async def test_every_answer_says_that_it_is_simulated(simulated: Endpoint, claude: AsyncAnthropic, how: Any) -> None:
    await simulated.reset(Config(output_tokens=50))
    message = await how(claude, "<id>q7</id> Who is there?")
    assert message.model == "claude-sonnet-5-5-simulated"
    assert text_of(message).startswith("This is a simulated answer to q7:")
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == tokens.count(text_of(message))
    assert 45 <= message.usage.output_tokens <= 55


async def test_a_stream_and_a_whole_reply_say_and_cost_the_same(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(mind="script", script=(Turn(text="One.", calls=(Call("look", {"at": ["a"]}),)),)))
    whole, streamed = await ask(claude), await read(claude)
    assert [block.type for block in streamed.content] == ["text", "tool_use"]
    assert [(call.name, call.input) for call in calls_of(streamed)] == [("look", {"at": ["a"]})]
    assert text_of(streamed) == text_of(whole) == "One."
    assert (streamed.stop_reason, streamed.usage.output_tokens) == (whole.stop_reason, whole.usage.output_tokens)


async def test_max_tokens_cuts_the_answer(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(output_tokens=100))
    message = await ask(claude, max_tokens=12)
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 12)
    assert tokens.count(text_of(message)) == 12


@given(st.text(), st.integers(0, 50))
def test_a_cut_text_is_never_longer_than_asked(text: str, most: int) -> None:
    assert tokens.count(tokens.cut(text, most)) <= most


def test_tokens_are_not_proportional_to_bytes() -> None:
    texts = ["the cat sat on the mat", "3.14159265358979323846", "漢字仮名交じり文漢字仮名交じり文漢字仮名交"]
    ratios = [tokens.count(text) / len(text) for text in texts]
    assert ratios == sorted(ratios)
    assert ratios[0] < 0.35
    assert ratios[2] == 1


# -- chance ----------------------------------------------------------------------------------------------------------


async def test_the_same_requests_take_the_same_time_in_any_order(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    config = Config(latency=Latency(median=0.05, sigma=0.5, tail_share=0.2, tail_factor=3))
    taken: list[list[float]] = []
    for order in (range(8), reversed(range(8))):
        await simulated.reset(config)
        await anyio.amap(lambda n: ask(claude, f"Question {n}"), list(order))
        stats = await simulated.settled()
        taken.append(sorted(one.seconds for one in stats.requests))
    assert taken[0] == taken[1]
    assert len(set(taken[0])) == 8


async def test_clients_that_word_the_rest_differently_can_meet_the_same_luck(
    simulated: Endpoint, claude: AsyncAnthropic
) -> None:
    taken: list[float] = []
    for system in ("Be brief.", "Take your time."):
        await simulated.reset(Config(key="conversation", latency=Latency(median=0.01, sigma=1)))
        await ask(claude, "Question", system=system)
        (one,) = (await simulated.stats()).requests
        taken.append(one.seconds)
    assert taken[0] == taken[1]


async def test_an_answer_comes_when_its_latency_says(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(latency=Latency(median=0.3, first_byte=0.1)))
    started = time.monotonic()
    async with claude.messages.stream(model=MODEL, max_tokens=50, messages=[says("Hello")]) as stream:
        assert (await anext(aiter(stream))).type == "message_start"
        begun = time.monotonic() - started
        await stream.get_final_message()
    assert 0.1 <= begun < 0.3
    assert 0.3 <= time.monotonic() - started < 1


def test_latencies_have_the_median_and_the_tail_that_were_set() -> None:
    latency = Latency(median=2, sigma=0.3, tail_share=0.05, tail_factor=10)
    drawn = [behaviour.seconds(latency, 1, n) for n in range(4_000)]
    assert 1.9 < median(drawn) < 2.15
    assert 0.04 < sum(each > 8 for each in drawn) / len(drawn) < 0.06


def test_faults_have_the_shares_that_were_set_and_never_meet() -> None:
    drawn = [behaviour.fault(Faults(error=0.1, cut=0.2), n) for n in range(4_000)]
    assert 0.08 < drawn.count("error") / len(drawn) < 0.12
    assert 0.18 < drawn.count("cut") / len(drawn) < 0.22
    assert set(drawn) == {"error", "cut", None}


# -- faults, as the SDK shows them -----------------------------------------------------------------------------------

BROKEN = (httpx2.RemoteProtocolError, httpx2.ReadError, anthropic.APIConnectionError)


@pytest.mark.parametrize("how", [ask, read])
@pytest.mark.parametrize(
    ("fault", "shown", "billed"),
    [
        ("error", anthropic.InternalServerError, 0),
        ("dropped", anthropic.APIConnectionError, 0),
        ("cut", BROKEN, 1),
        ("truncated", json.JSONDecodeError, 1),
        ("forever", anthropic.APITimeoutError, 0),
    ],
)
async def test_a_fault_is_an_exception(
    simulated: Endpoint, claude: AsyncAnthropic, how: Any, fault: str, shown: Any, billed: int
) -> None:
    await simulated.reset(Config(faults=Faults(**{fault: 1.0})))
    with pytest.raises(shown):
        await how(claude, timeout=0.5)
    stats = await simulated.settled()
    assert (stats.asked, stats.answered, stats.billed, stats.faults) == (1, 0, billed, {fault: 1})


@pytest.mark.parametrize("how", [ask, read])
async def test_a_reply_without_a_stop_reason_is_no_exception(
    simulated: Endpoint, claude: AsyncAnthropic, how: Any
) -> None:
    await simulated.reset(Config(faults=Faults(null_stop=1)))
    assert (await how(claude)).stop_reason is None
    assert (await simulated.stats()).answered == 0


async def test_a_retry_can_go_well_and_whoever_retries_meets_the_same(
    simulated: Endpoint, claude: AsyncAnthropic
) -> None:
    runs: list[list[bool]] = []
    for _ in range(2):
        await simulated.reset(Config(faults=Faults(error=0.5)))
        runs.append([await _goes_well(claude) for _ in range(12)])
    assert runs[0] == runs[1]
    assert 2 < sum(runs[0]) < 10


async def _goes_well(claude: AsyncAnthropic) -> bool:
    try:
        await ask(claude)
    except anthropic.InternalServerError:
        return False
    return True


# -- limits ----------------------------------------------------------------------------------------------------------


async def _refused(claude: AsyncAnthropic, **more: Any) -> anthropic.APIStatusError:
    with pytest.raises(anthropic.APIStatusError) as caught:
        await ask(claude, **more)
    return caught.value


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (RateLimits(requests=60, burst_seconds=1), "60 requests"),
        (RateLimits(input_tokens=600, burst_seconds=1), "600 input tokens"),
        (RateLimits(output_tokens=600, burst_seconds=1), "600 output tokens"),
    ],
)
async def test_a_full_bucket_says_truly_when_to_come_again(
    simulated: Endpoint, claude: AsyncAnthropic, limits: RateLimits, named: str
) -> None:
    await simulated.reset(Config(limits=limits))
    await ask(claude)
    refused = await _refused(claude)
    assert isinstance(refused, anthropic.RateLimitError)
    assert refused.type == "rate_limit_error"
    assert f"{named} per minute" in str(refused)
    assert refused.response.headers["retry-after"] == "1"
    await anyio.sleep(1)
    await ask(claude)
    stats = await simulated.stats()
    assert (stats.throttled[0], stats.early, stats.throttled_late, stats.answered) == (1, 0, 0, 2)


async def test_every_reply_tells_of_the_limits(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(limits=RateLimits(requests=50, input_tokens=40_000, output_tokens=8_000)))
    reply = await claude.messages.with_raw_response.create(model=MODEL, max_tokens=99, messages=[says("Hello")])
    told = {name: value for name, value in reply.headers.items() if name.startswith("anthropic-ratelimit")}
    used = (await reply.parse()).usage
    resets = {name: told.pop(name) for name in list(told) if name.endswith("reset")}
    left_in, left_out = 40_000 - used.input_tokens, 8_000 - used.output_tokens
    assert told == {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-input-tokens-limit": "40000",
        "anthropic-ratelimit-input-tokens-remaining": str(left_in),
        "anthropic-ratelimit-output-tokens-limit": "8000",
        "anthropic-ratelimit-output-tokens-remaining": str(left_out),
        "anthropic-ratelimit-tokens-limit": "48000",
        "anthropic-ratelimit-tokens-remaining": str(left_in + left_out),
    }
    assert all(value.endswith("Z") for value in resets.values())


async def test_whoever_does_not_wait_is_counted(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(limits=RateLimits(requests=60, burst_seconds=1)))
    await ask(claude)
    await _refused(claude)
    await _refused(claude)
    assert (await simulated.stats()).early == 1


async def test_a_storm_passes(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(storms=(Storm(0, 0.9),)))
    refused = await _refused(claude)
    assert (refused.status_code, refused.type) == (529, "overloaded_error")
    assert refused.response.headers["retry-after"] == "1"
    await anyio.sleep(1)
    await ask(claude)
    assert (await simulated.stats()).statuses == {529: 1, 200: 1}


async def test_half_a_storm_refuses_about_half(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(storms=(Storm(0, 60, share=0.5, status=429, retry_after=3),)))
    outcomes: list[int] = []
    for n in range(40):
        try:
            await ask(claude, f"Question {n}")
        except anthropic.RateLimitError as error:
            outcomes.append(int(error.response.headers["retry-after"]))
    assert 10 < len(outcomes) < 30
    assert set(outcomes) == {3}


async def test_a_prompt_over_the_window_is_refused_as_the_api_does(
    simulated: Endpoint, claude: AsyncAnthropic
) -> None:
    await simulated.reset(Config(any_model=ModelCard(window=500)))
    refused = await _refused(claude, text="word " * 400, max_tokens=200)
    size = 400 + tokens.BASE + tokens.MESSAGE
    assert isinstance(refused, anthropic.BadRequestError)
    assert isinstance(refused.body, dict)
    assert {key: refused.body[key] for key in ("type", "error")} == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": f"prompt is too long: {size} tokens > 300 maximum"},
    }
    await ask(claude, text="word " * 400, max_tokens=500 - size)


# -- the prompt cache ------------------------------------------------------------------------------------------------


def _cached(system: str = PREFIX) -> dict[str, Any]:
    return {"system": [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]}


async def _fifty(claude: AsyncAnthropic) -> list[Message]:
    return await anyio.amap(lambda n: ask(claude, f"Question {n}", **_cached()), list(range(50)))


async def test_fifty_at_once_write_the_shared_prefix_fifty_times(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(latency=Latency(median=0.8)))
    usages = [message.usage for message in await _fifty(claude)]
    assert {usage.cache_read_input_tokens for usage in usages} == {0}
    assert {usage.cache_creation_input_tokens for usage in usages} == {2_100 + tokens.BASE}
    assert (await simulated.stats()).peak == 50


async def test_whoever_waits_for_the_first_to_begin_reads(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(latency=Latency(median=0.5, first_byte=0.1)))
    async with claude.messages.stream(
        model=MODEL,
        max_tokens=100,
        messages=[says("The first")],
        **_cached(),
    ) as first:
        begun = await anext(aiter(first))
        assert begun.type == "message_start"
        usages = [message.usage for message in (await _fifty(claude))[:49]]
        await first.get_final_message()
    assert begun.message.usage.cache_creation_input_tokens == 2_100 + tokens.BASE
    assert {usage.cache_read_input_tokens for usage in usages} == {2_100 + tokens.BASE}
    assert {usage.cache_creation_input_tokens for usage in usages} == {0}
    assert all(0 < usage.input_tokens < 20 for usage in usages)


async def test_a_conversation_reads_what_its_turn_before_wrote(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config())
    turns: list[Any] = [says(PREFIX)]
    first = await ask(claude, messages=turns, cache_control={"type": "ephemeral"})
    turns += [{"role": "assistant", "content": "Yes."}, says("And then?")]
    second = await ask(claude, messages=turns, cache_control={"type": "ephemeral"})
    assert second.usage.cache_read_input_tokens == first.usage.cache_creation_input_tokens
    assert second.usage.cache_creation_input_tokens == 3 + 2 * tokens.MESSAGE + 2


@pytest.mark.parametrize(
    "other",
    [
        {"output_config": {"effort": "low"}},
        {"tools": [{"name": "look", "description": "Look.", "input_schema": {"type": "object"}}]},
        {"model": "claude-opus-5-5"},
    ],
)
async def test_another_effort_tool_or_model_is_another_prefix(
    simulated: Endpoint, claude: AsyncAnthropic, other: dict[str, Any]
) -> None:
    await simulated.reset(Config())
    await ask(claude, **_cached())
    assert (await ask(claude, **_cached(), **other)).usage.cache_read_input_tokens == 0
    assert (await ask(claude, **_cached())).usage.cache_read_input_tokens


async def test_short_prefixes_are_not_cached_and_entries_die(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(cache_seconds=0.4))
    short = (await ask(claude, **_cached("Be brief."))).usage
    assert (short.cache_creation_input_tokens, short.cache_read_input_tokens) == (0, 0)
    reads: list[int | None] = []
    for pause in (0, 0.1, 0.6):
        await anyio.sleep(pause)
        reads.append((await ask(claude, **_cached())).usage.cache_read_input_tokens)
    assert [bool(read) for read in reads] == [False, True, False]


# -- minds -----------------------------------------------------------------------------------------------------------


async def test_a_script_answers_turn_by_turn(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    script = (Turn(calls=(Call("look", {"under": "$places"}),)), Turn(text="$id: done.", output_tokens=77))
    await simulated.reset(Config(mind="script", script=script))
    turns = [says("<id>s1</id> <places>repos:alpha</places>")]
    first = await ask(claude, messages=turns)
    (call,) = calls_of(first)
    assert (call.name, call.input, first.stop_reason) == ("look", {"under": "repos:alpha"}, "tool_use")
    second = await ask(claude, messages=[*turns, *answered(first, "nothing")])
    assert (text_of(second), second.stop_reason, second.usage.output_tokens) == ("s1: done.", "end_turn", 77)


FINDINGS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "subject": {"type": "string"},
            "claim": {"type": "string"},
            "severity": {"type": "string", "enum": ["high", "medium", "low", "info"]},
            "confidence": {"type": "number"},
            "evidence": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in ("source", "locator", "quote")},
                    "required": ["source", "quote"],
                },
            },
        },
        "required": ["subject", "claim", "severity", "confidence", "evidence"],
    },
}
NOTE = {"type": "object", "properties": {"findings": FINDINGS}}
REPORT = {
    "type": "object",
    "properties": {
        "summary": {"type": "string"},
        "findings": FINDINGS,
        "gaps": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["summary", "gaps"],
}
FILES = {
    "alpha/requirements.txt": "flask==3.0\nleftpad\n",
    "alpha/config.py": 'AWS = "AKIAQ3EGJ7KLMNPRST24"\n',
    "alpha/test_a.py": "def test_a():\n    pass\n",
}


def _tools() -> list[Any]:
    """What a worker of fanfold is offered."""
    own = [
        {"name": "note_findings", "description": "Note.", "input_schema": NOTE},
        {"name": "report", "description": "End.", "input_schema": REPORT},
    ]
    kept = ("list", "read", "search", "secrets", "dependencies", "tests")
    shown = [
        {"name": name, "description": tool.description, "input_schema": tool.arguments.model_json_schema()}
        for name, tool in shipped().items()
        if name in kept
    ]
    return [*shown, *own]


async def _worked(claude: AsyncAnthropic, toolbox: Toolbox) -> list[list[tuple[str, Mapping[str, Any]]]]:
    """A worker's conversation to its report; each turn's calls."""
    turns: list[Any] = [says("<objective>Audit it.</objective>\n<places>\nrepos:alpha\n</places>")]
    made: list[list[tuple[str, Mapping[str, Any]]]] = []
    for _ in range(6):
        reply = await ask(claude, messages=turns, tools=_tools(), max_tokens=4_000)
        made.append([(call.name, dict(call.input)) for call in calls_of(reply)])
        results = [await _ran(toolbox, name, arguments) for name, arguments in made[-1]]
        turns += answered(reply, *results)
        if made[-1][0][0] == "report":
            break
    return made


async def _ran(toolbox: Toolbox, name: str, arguments: Mapping[str, Any]) -> str:
    if name in {"note_findings", "report"}:
        return "Done."
    answer = await toolbox.call(name, arguments)
    return f'<tool_output tool="{name}">\n{answer.text}\n</tool_output>'


async def test_a_worker_looks_reads_notes_and_reports(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config())
    tools = shipped()
    scope = Scope(places=("repos:alpha",), tools=tuple(tools))
    toolbox = Toolbox(tools, {"repos": MemoryRoot("repos", FILES)}, scope)
    looked, read, noted, reported = await _worked(claude, toolbox)
    assert [name for name, _ in looked] == ["list", "secrets", "dependencies", "tests"]
    assert looked[0] == ("list", {"under": "repos:alpha"})
    assert read == [("read", {"place": "repos:alpha/requirements.txt"})]
    ((_, note),) = noted
    quotes = [evidence for finding in note["findings"] for evidence in finding["evidence"]]
    assert {"source": "repos:alpha/requirements.txt", "locator": "L2", "quote": "leftpad"} in quotes
    assert all(each["quote"] in FILES[each["source"].removeprefix("repos:")] for each in quotes)
    assert "AKIAQ3" not in json.dumps(note)
    ((name, report),) = reported
    assert (name, set(report)) == ("report", {"summary", "findings", "gaps"})
    assert report["summary"].startswith("Simulated worker: 3 files listed, 1 read")


async def test_a_worker_that_is_told_to_report_now_does(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config())
    turns: list[Any] = [says("<places>repos:alpha</places>")]
    first = await ask(claude, messages=turns, tools=_tools())
    turns += answered(first, *["repos:alpha/a.py  9 B"] * len(calls_of(first)))
    turns[-1]["content"].append({"type": "text", "text": "Call `report` now."})
    (call,) = calls_of(await ask(claude, messages=turns, tools=_tools()))
    assert call.name == "report"


async def test_a_worker_takes_findings_over_where_it_may(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config())
    ref = {"type": "object", "properties": {"ref": {"type": "string"}}, "required": ["ref"]}
    note = {"type": "object", "properties": {"findings": FINDINGS, "adopt": {"type": "array", "items": ref}}}
    tools: list[Any] = [
        {"name": name, "input_schema": schema}
        for name, schema in (("secrets", {"type": "object"}), ("note_findings", note), ("report", REPORT))
    ]
    turns: list[Any] = [says("Audit.")]
    first = await ask(claude, messages=turns, tools=tools)
    found = (
        "1 secrets.\nhigh secrets.key r:a.py L2: A key.\n[Take findings over with adopt: ref 't0.0', lines from 1]"
    )
    (call,) = calls_of(await ask(claude, messages=[*turns, *answered(first, found)], tools=tools))
    assert (call.name, call.input) == ("note_findings", {"findings": [], "adopt": [{"ref": "t0.0"}]})


class Piece(BaseModel):
    title: str
    objective: str
    places: list[str] = []
    severity: Literal["low", "high"] | None
    rank: int
    parts: list["Piece"] | None = None


class Planned(BaseModel):
    mode: Literal["single", "parallel"]
    reason: str
    subtasks: list[Piece]


class Composed(BaseModel):
    headline: str
    markdown: str
    cited: list[str]
    sure: bool


def _format(kind: type[BaseModel]) -> dict[str, Any]:
    return {"format": {"type": "json_schema", "schema": anthropic.transform_schema(kind)}}


async def test_a_planner_answers_with_a_subtask_for_each_item(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config())
    text = "<task>Audit.</task><items>\n- alpha\n2. beta\n</items><places>repos:alpha\nrepos:beta</places>"
    plan = Planned.model_validate_json(text_of(await ask(claude, text, output_config=_format(Planned))))
    assert plan.mode == "parallel"
    assert [(piece.title, piece.places) for piece in plan.subtasks] == [
        ("Look at alpha", ["repos:alpha"]),
        ("Look at beta", ["repos:beta"]),
    ]
    assert plan.subtasks[0].objective == "Simulated plan: look at alpha for this: Audit."


async def test_a_planner_without_items_shares_out_what_lies_in_the_places(
    simulated: Endpoint, claude: AsyncAnthropic
) -> None:
    await simulated.reset(Config())
    names = "\n".join(f"  repos:{name}" for name in ("alpha", "beta", "gamma"))
    text = f"<items>\nNone given.\n</items><places>\nrepos (1,200 files, 9 bytes)\n{names}\n  … 9 more\n</places>"
    message = await ask(claude, f"{text} At most 2 subtasks.", output_config=_format(Planned))
    plan = Planned.model_validate_json(text_of(message))
    assert [piece.places for piece in plan.subtasks] == [["repos:alpha", "repos:beta"], ["repos:gamma"]]


async def test_a_planner_without_items_takes_the_places(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config())
    schema = json.dumps(Planned.model_json_schema())
    system = f"Answer with JSON alone that fits this schema: {schema}"
    message = await ask(claude, "<places>repos:alpha, repos:beta</places>", system=system)
    plan = Planned.model_validate_json(text_of(message))
    assert [piece.places for piece in plan.subtasks] == [["repos:alpha"], ["repos:beta"]]


@pytest.mark.parametrize(
    "shown",
    [
        "[s1.1] flask is old\n[s2.10] no tests in x[0]",
        '<finding id="s1.1">flask is old</finding>\n<finding id="s2.10">no tests</finding> [9]',
        "1. **flask is old** [s1.1]\n2. no tests [s2.10], or some [s3.1]\n## Left out\n- some [s3.1]",
    ],
)
async def test_a_composer_cites_what_it_was_shown_and_nothing_else(
    simulated: Endpoint, claude: AsyncAnthropic, shown: str
) -> None:
    await simulated.reset(Config())
    message = await ask(claude, shown, system="Cite as [id].", output_config=_format(Composed))
    written = Composed.model_validate_json(text_of(message))
    assert written.cited == ["s1.1", "s2.10"]
    assert "- Simulated: flask is old" in written.markdown
    assert written.markdown.count("[") == 2


def test_a_filler_keeps_what_fits_and_makes_up_the_rest() -> None:
    schema = Planned.model_json_schema()
    filled = Filler(schema).object(schema, {"mode": "odd", "subtasks": [{"title": "One", "rank": True, "else": 1}]})
    assert filled == {
        "mode": "single",
        "reason": "simulated reason",
        "subtasks": [{"title": "One", "objective": "simulated objective", "severity": "low", "rank": 1}],
    }


async def test_a_server_without_structured_output_refuses_a_format(
    simulated: Endpoint, claude: AsyncAnthropic
) -> None:
    await simulated.reset(Config(structured_output=False))
    refused = await _refused(claude, output_config=_format(Composed))
    assert (refused.status_code, refused.type) == (400, "invalid_request_error")
    assert "output_config.format" in str(refused)


# -- the other addresses, and what is refused ------------------------------------------------------------------------


async def test_counted_tokens_are_those_that_are_billed(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config())
    request: dict[str, Any] = {
        "model": MODEL,
        "system": "Be brief.",
        "tools": _tools(),
        "messages": [says("<places>repos:alpha</places>")],
    }
    counted = await claude.messages.count_tokens(**request)
    assert (await ask(claude, **request)).usage.input_tokens == counted.input_tokens
    await simulated.reset(Config(count_tokens=False))
    with pytest.raises(anthropic.NotFoundError):
        await claude.messages.count_tokens(**request)


async def test_models_tell_of_their_windows(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(models={MODEL: ModelCard(window=1_000_000, max_output=64_000)}))
    known = await claude.models.retrieve(MODEL)
    assert (known.max_input_tokens, known.max_tokens) == (1_000_000, 64_000)
    assert known.display_name == "claude-sonnet-5-5 (simulated)"
    with pytest.raises(anthropic.NotFoundError):
        await claude.models.retrieve("claude-nobody")
    await simulated.reset(Config(serves_models=False))
    with pytest.raises(anthropic.NotFoundError):
        await claude.models.retrieve(MODEL)


async def test_an_unknown_model_is_not_found(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(models={"claude-opus-5-5": ModelCard()}))
    refused = await _refused(claude)
    assert (refused.status_code, refused.type, refused.api_message) == (404, "not_found_error", f"model: {MODEL}")


async def test_a_refused_key_is_unauthorized(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config(refused_keys=("a-key",)))
    refused = await _refused(claude)
    assert (refused.status_code, refused.type) == (401, "authentication_error")


async def test_a_missing_key_is_unauthorized_where_one_is_needed(simulated: Endpoint) -> None:
    body = {"model": MODEL, "max_tokens": 9, "messages": [says("Hello")]}
    async with httpx2.AsyncClient(base_url=simulated.url) as http:
        for needed, status in ((True, 401), (False, 200)):
            await simulated.reset(Config(require_key=needed))
            assert (await http.post("/v1/messages", json=body)).status_code == status


CALL = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, "user first"),
        ({"messages": [says("")]}, "non-empty"),
        ({"max_tokens": 999_999}, "maximum allowed number of output tokens"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}]}, "unexpected"),
        (
            {"messages": [says("a"), {"role": "assistant", "content": [CALL]}, says("b")]},
            "messages.2: `tool_use` ids were found without `tool_result` blocks immediately after: ['t1']",
        ),
        ({"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}] * 5}, "maximum of 4"),
    ],
)
async def test_what_the_api_would_not_take_is_refused(
    simulated: Endpoint, claude: AsyncAnthropic, wrong: dict[str, Any], why: str
) -> None:
    await simulated.reset(Config())
    refused = await _refused(claude, timeout=30, **wrong)
    assert (refused.status_code, refused.type) == (400, "invalid_request_error")
    assert why in str(refused)


# -- what is counted, and the process --------------------------------------------------------------------------------


async def test_the_statistics_add_up(simulated: Endpoint, claude: AsyncAnthropic) -> None:
    await simulated.reset(Config())
    messages = [await ask(claude, text) for text in ("One", "Two", "Two")]
    stats = await simulated.stats()
    assert (stats.asked, stats.answered, stats.billed, stats.repeats, stats.statuses) == (3, 3, 3, 1, {200: 3})
    assert [(one.asked, one.answered) for one in stats.requests] == [(1, 1), (2, 2)]
    assert stats.usage.input_tokens == sum(message.usage.input_tokens for message in messages)
    assert stats.usage.output_tokens == sum(message.usage.output_tokens for message in messages)
    assert stats.first is not None
    assert stats.last is not None
    assert stats.ended is not None
    assert 0 <= stats.first < stats.last <= stats.ended <= stats.seconds


async def test_a_body_is_known_by_its_digest(simulated: Endpoint) -> None:
    await simulated.reset(Config())
    body = json.dumps({"model": MODEL, "max_tokens": 9, "messages": [says("Hello")]}).encode()
    async with httpx2.AsyncClient(base_url=simulated.url) as http:
        assert (await http.post("/v1/messages", content=body)).status_code == 200
    assert (await simulated.stats()).of(behaviour.digest(body)).answered == 1


@pytest.mark.parametrize("how", [ask, read])
async def test_a_client_that_leaves_is_billed_and_has_no_answer(
    simulated: Endpoint, claude: AsyncAnthropic, how: Any
) -> None:
    await simulated.reset(Config(latency=Latency(median=0.4, first_byte=0.1)))
    with anyio.move_on_after(0.2):
        await how(claude)
    assert (await simulated.stats()).in_flight == 1
    stats = await simulated.settled()
    assert (stats.billed, stats.vanished, stats.answered) == (1, 1, 0)
    assert stats.usage.output_tokens > 0


async def test_an_unknown_setting_is_named(simulated: Endpoint) -> None:
    async with httpx2.AsyncClient(base_url=simulated.url) as http:
        answer = await http.post("/reset", content=b'{"latency": {"mean": 1}}')
    assert answer.status_code == 400
    assert "latency.mean" in answer.text


COMMAND = [sys.executable, "-m", "benchmarks.endpoint"]


def test_it_ends_when_its_stdin_closes() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
        assert process.stdin
        assert process.stdout
        assert _listens(int(process.stdout.readline()))
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("stdin", ["subprocess.PIPE", "held_open_by_itself"])
def test_it_ends_when_its_parent_is_killed(stdin: str) -> None:
    program = textwrap.dedent(f"""
        import os, subprocess, time
        held_open_by_itself, writable = os.pipe()
        os.set_inheritable(writable, True)
        subprocess.Popen({COMMAND!r}, stdin={stdin}, close_fds=False)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=REPOSITORY) as parent:
        assert parent.stdout
        port = int(parent.stdout.readline())
        assert _listens(port)
        parent.kill()
    for _ in range(100):
        if not _listens(port):
            return
        time.sleep(0.1)
    pytest.fail("it outlived its parent")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
