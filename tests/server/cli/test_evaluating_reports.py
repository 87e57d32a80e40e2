"""`fanfold eval report` against a simulated endpoint: no figure here says anything about a model."""

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable

import anyio.to_thread
import pytest
from benchmarks.endpoint.client import Endpoint, endpoint
from benchmarks.endpoint.config import Config
from tests.server.cli.process import Done, Fanfold, in_process


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def models() -> AsyncGenerator[Endpoint]:
    async with endpoint(Config()) as running:
        yield running


@pytest.fixture
def ran(
    fanfold: Fanfold, models: Endpoint, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Awaitable[Done]]:
    """`fanfold eval report` with simulated models, in this process."""
    monkeypatch.setenv("FANFOLD_BASE_URL", models.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "simulated")

    async def ran(*arguments: str) -> Done:
        return await anyio.to_thread.run_sync(lambda: in_process(capsys, "eval", "report", *arguments))

    return ran


async def test_simulated_models_do_and_judge_every_task_both_ways_with_cost_beside_quality(
    ran: Callable[..., Awaitable[Done]], models: Endpoint
) -> None:
    done = await ran("--json")

    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert len(told["contests"]) >= 4
    for contest in told["contests"]:
        one, many = contest["sides"]
        assert (one["who"], many["who"]) == ("one agent", "fan-out")
        assert (one["failed"], many["failed"]) == ("", "")
        assert one["workers"] == 1
        assert many["workers"] > 1
        assert one["quotes"] == many["quotes"] == 1.0
        assert one["marks"] is not None
        assert 0 < one["usd"] < many["usd"]
    assert told["usd"] > sum(side["usd"] for contest in told["contests"] for side in contest["sides"])
    assert "each pair judged twice by claude-opus-5-5" in done.err
    assert set((await models.settled()).statuses) == {200}


async def test_the_table_has_both_answers_the_preference_and_the_price_of_the_difference(
    ran: Callable[..., Awaitable[Done]],
) -> None:
    done = await ran("--cases", "narrow")

    lines = done.out.splitlines()
    assert lines[0].startswith("lead: claude-opus-5-5, workers: claude-sonnet-5-5, $0.")
    assert [line.split()[0] for line in lines[1:6]] == ["case", *["narrow-gateway-timeout"] * 2, "all", "all"]
    assert re.search(r"^  narrow-gateway-timeout: neither: it hung on the order\. ", done.out, re.MULTILINE)
    assert re.search(
        r"^The fan-out cost [\d.]+ x what one agent cost, for [+-]\d\.\d\d in quality", done.out, re.MULTILINE
    )


async def test_without_money_there_is_no_answer_and_the_exit_code_says_so(
    ran: Callable[..., Awaitable[Done]],
) -> None:
    done = await ran("--cases", "narrow", "--max-usd", "0.001")

    assert done.code == 3
    assert "no answer" in done.out
    assert "max_usd_per_run" in done.out


def test_without_a_key_or_facts_it_says_what_is_missing(fanfold: Fanfold, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "eval", "report")

    assert done.code == 2
    assert "ANTHROPIC_API_KEY is not set" in done.err
