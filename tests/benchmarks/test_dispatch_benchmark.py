"""What `benchmarks/dispatch.py` rests on: the endpoint's n-th draw, its stragglers, who hangs up, and the oracle."""

import math
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import httpx2
import pytest
from anthropic import AsyncAnthropic, DefaultAioHttpClient
from benchmarks import dispatch
from benchmarks.dispatch_contender import critical, graph
from benchmarks.endpoint import behaviour
from benchmarks.endpoint.client import Endpoint, endpoint
from benchmarks.endpoint.config import Config, Latency, Straggler
from benchmarks.endpoint.ledger import Asked

SLOW = "What of the slow one?"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def simulated() -> AsyncGenerator[Endpoint]:
    async with endpoint() as running:
        yield running


@pytest.fixture(scope="module")
async def claude(simulated: Endpoint) -> AsyncGenerator[AsyncAnthropic]:
    http = DefaultAioHttpClient(timeout=httpx2.Timeout(30, connect=30))
    async with AsyncAnthropic(base_url=simulated.url, api_key="a-key", max_retries=0, http_client=http) as client:
        yield client


async def ask(claude: AsyncAnthropic, objective: str, system: str = "Be brief.") -> float:
    """Seconds that the answer took."""
    since = time.monotonic()
    said = f"<objective>\n{objective}\n</objective>"
    await claude.messages.create(
        model="simulated", max_tokens=100, system=system, messages=[{"role": "user", "content": said}]
    )
    return time.monotonic() - since


async def one(server: Endpoint) -> Asked:
    """The only request there was."""
    (asked,) = (await server.settled()).requests
    return asked


# -- the endpoint ----------------------------------------------------------------------------------------------------


async def test_each_try_of_a_call_draws_anew_and_an_oracle_knows_it_before(
    simulated: Endpoint, claude: AsyncAnthropic
) -> None:
    config = Config(seed=3, key="conversation", latency=Latency(median=0.02, sigma=1))
    sums: list[list[float]] = []
    for _ in range(2):
        await simulated.reset(config)
        sums.append([])
        for _ in range(3):
            await ask(claude, "What of this?")
            sums[-1].append((await one(simulated)).seconds)
    luck = (await one(simulated)).luck
    foretold = [behaviour.seconds(config.latency, 3, luck, number) for number in (1, 2, 3)]
    assert len(set(foretold)) == 3
    assert sums[0] == sums[1] == [pytest.approx(sum(foretold[:n])) for n in (1, 2, 3)]


async def test_a_duplicate_sent_meanwhile_has_the_second_draw_and_its_own_time(
    simulated: Endpoint, claude: AsyncAnthropic
) -> None:
    config = Config(key="conversation", latency=Latency(median=0.1, sigma=0.5))
    await simulated.reset(config)
    async with anyio.create_task_group() as group:
        group.start_soon(ask, claude, "What of this?")
        await anyio.sleep(0.03)
        group.start_soon(ask, claude, "What of this?")
    asked = await one(simulated)
    both = [behaviour.seconds(config.latency, config.seed, asked.luck, number) for number in (1, 2)]
    assert (asked.asked, asked.seconds) == (2, pytest.approx(sum(both)))
    assert asked.came[1] > asked.came[0]


@pytest.mark.parametrize(("tries", "slow"), [(1, [True, False]), (None, [True, True])])
async def test_a_straggler_is_slow_for_as_many_tries_as_were_set(
    simulated: Endpoint, claude: AsyncAnthropic, tries: int | None, slow: list[bool]
) -> None:
    await simulated.reset(Config(key="conversation", stragglers=(Straggler(SLOW, 0.3, tries),)))
    assert [await ask(claude, SLOW) >= 0.3 for _ in range(2)] == slow
    assert await ask(claude, "What of another?") < 0.3
    assert {asked.objective for asked in (await simulated.settled()).requests} == {SLOW, "What of another?"}


async def test_whoever_hangs_up_is_seen_at_once_and_billed_all_the_same(
    simulated: Endpoint, claude: AsyncAnthropic
) -> None:
    await simulated.reset(Config(latency=Latency(median=0.6)))
    async with anyio.create_task_group() as group:
        group.start_soon(ask, claude, "What of this?")
        while not (flying := await simulated.stats()).attended:  # noqa: ASYNC110
            await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    while (left := await simulated.stats()).attended:  # noqa: ASYNC110
        await anyio.sleep(0.01)
    assert (flying.hung_up, left.in_flight) == (None, 1)
    assert left.hung_up
    assert left.hung_up < 0.6
    assert left.start < left.start + left.hung_up < time.monotonic()
    assert (left.billed, (await simulated.settled()).usage) == (0, left.due)
    assert left.due.input_tokens > 0


async def test_whoever_has_been_answered_does_not_count_as_having_hung_up(simulated: Endpoint) -> None:
    await simulated.reset(Config())
    http = DefaultAioHttpClient()
    async with AsyncAnthropic(base_url=simulated.url, api_key="a-key", http_client=http) as passing:
        await ask(passing, "What of this?")
    await anyio.sleep(0.05)
    assert (await simulated.stats()).hung_up is None


# -- the benchmark ---------------------------------------------------------------------------------------------------


def test_the_oracle_ends_with_the_first_answer_of_the_two_slowest_or_the_slowest_of_the_rest() -> None:
    calls = [dispatch.Try(30, 3, math.inf), dispatch.Try(20, 9, math.inf), dispatch.Try(8, 1, math.inf)]
    assert dispatch.oracle(calls, [0, 0]) == 9
    assert dispatch.oracle(calls, [7, 7]) == 16
    assert dispatch.oracle(calls, [math.inf, math.inf]) == 30
    assert dispatch.oracle(calls[1:], [0, 0]) == 9
    assert dispatch.oracle(calls[2:], []) == 8


def test_the_critical_path_is_the_longest_chain() -> None:
    drafts, seconds = graph(1)
    chain = sum(seconds[f"c{n}"] for n in range(10))
    assert critical(drafts, seconds) >= chain
    assert critical(drafts, dict.fromkeys(seconds, 1.0)) == 10
    assert graph(1) == (drafts, seconds) != graph(2)


async def test_a_tiny_run_beats_its_straggler_and_is_read_from_its_journal(
    simulated: Endpoint, tmp_path: Path
) -> None:
    slow = Straggler(dispatch.objectives(8)[4], 20.0, 1)
    config = Config(key="conversation", script=dispatch.ONE_TURN, latency=Latency(median=0.2), stragglers=(slow,))
    outcome = await dispatch.contend(simulated, "ours", 8, config, home=str(tmp_path), warmed=False)
    stats = await simulated.stats()
    (doubled,) = (call for call in stats.requests if call.asked == 2)
    assert (outcome.seconds < 10, dispatch.ok(outcome), doubled.objective) == (True, 8, slow.objective)
    assert [call.age < math.inf for call in dispatch.tries(config, stats)].count(True) == 1
    assert dispatch.run_in(tmp_path) == outcome.run
    assert dispatch.replies_in(tmp_path) == {call.digest for call in stats.requests}
    assert len(dispatch.results_in(tmp_path)) == 8
    assert outcome.ended - outcome.seconds - 1 < dispatch.at_of(tmp_path, "runs/%") < outcome.ended
