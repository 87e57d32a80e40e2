"""Of many that share a prefix, one goes first. In virtual time."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import anyio
import pytest
from tests.workers.models.doubles import CARD, answer, asking, virtual_time

from fanfold_workers.errors import FaultError
from fanfold_workers.models.model import Ask, FunctionModel, Reply
from fanfold_workers.models.tokens import prefix_tokens
from fanfold_workers.models.warm import KEPT_SECONDS, Prefix, Warm


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return virtual_time()


LONG = "instructions " * 400
ASK = replace(asking(shared=True), system=LONG)


@dataclass
class Streaming:
    """Begins to answer after a while (or never, or fails then), and has answered ten seconds later.

    Attributes:
        began: when each call came, and whether it was streamed.
    """

    after: float | None = 0.5
    fails: bool = False
    start: float = field(default_factory=anyio.current_time)
    came: list[tuple[float, bool]] = field(default_factory=list)

    async def ask(self, ask: Ask, /) -> Reply:
        self.came.append((anyio.current_time() - self.start, ask.begun is not None))
        if self.after is not None:
            await anyio.sleep(self.after)
        if self.fails and ask.begun:
            raise FaultError("the connection broke")
        if ask.begun and self.after is not None:
            ask.begun()
        await anyio.sleep(10)
        return answer()


def warm(backend: Streaming) -> Warm:
    return Warm(backend, CARD, {})


async def at(seconds: float, model: Warm, ask: Ask = ASK, *, deadline: float = 3_600) -> None:
    """Ask so many seconds from now, whatever comes of it."""
    await anyio.sleep(seconds)
    with anyio.move_on_after(deadline):
        with contextlib.suppress(FaultError):
            await model.ask(ask)


async def together(*calls: Callable[[], object]) -> None:
    async with anyio.create_task_group() as group:
        for call in calls:
            group.start_soon(call)


async def test_the_first_streams_and_the_others_follow_when_its_answer_has_begun():
    model = warm(backend := Streaming(after=0.5))
    await together(partial(at, 0, model), *[partial(at, 0.1, model)] * 49, partial(at, 0.7, model))
    assert backend.came == [(0, True), *[(0.5, False)] * 49, (0.7, False)]


async def test_the_others_follow_when_the_first_fails():
    model = warm(backend := Streaming(after=0.75, fails=True))
    await together(partial(at, 0, model), *[partial(at, 0.1, model)] * 3)
    assert backend.came == [(0, True), *[(0.75, False)] * 3]


async def test_the_others_follow_when_the_first_is_cancelled():
    model = warm(backend := Streaming(after=None))
    await together(partial(at, 0, model, deadline=0.25), *[partial(at, 0.1, model)] * 3)
    assert backend.came == [(0, True), *[(0.25, False)] * 3]


async def test_nobody_waits_longer_than_two_seconds_for_the_first():
    model = warm(backend := Streaming(after=60))
    await together(partial(at, 0, model), partial(at, 0, model), partial(at, 1, model))
    assert backend.came == [(0, True), (2, False), (3, False)]


async def test_after_a_first_that_failed_the_next_goes_first():
    model = warm(backend := Streaming(after=0.5, fails=True))
    await together(*[partial(at, seconds, model) for seconds in (0, 1, 2)])
    assert backend.came == [(0, True), (1, True), (2, True)]


async def test_a_first_whose_answer_came_in_one_piece_has_warmed_the_prefix():
    came = []

    async def whole(ask: Ask) -> Reply:
        came.append(ask.begun is not None)
        await anyio.sleep(1)
        return answer()

    model = Warm(FunctionModel(whole), CARD, {})
    for _ in range(3):
        await model.ask(ASK)
    assert came == [True, False, False]


@pytest.mark.parametrize(
    "ask",
    [replace(ASK, shared=False), replace(ASK, system="short")],
    ids=["a prefix that nobody shares", "a prefix under the minimum"],
)
async def test_where_no_cache_pays_nobody_waits_or_streams(ask: Ask):
    model = warm(backend := Streaming(after=0.5))
    await together(*[partial(at, 0, model, ask)] * 5)
    assert backend.came == [(0, False)] * 5


async def test_the_models_own_minimum_decides():
    size = prefix_tokens(ASK)
    for minimum, streamed in ((size, True), (size + 1, False)):
        backend = Streaming()
        await Warm(backend, replace(CARD, cache_minimum=minimum), {}).ask(ASK)
        assert backend.came == [(0, streamed)]


async def test_another_prefix_has_a_first_of_its_own():
    model = warm(backend := Streaming(after=0.5))
    other = replace(ASK, system=LONG + "more")
    await together(partial(at, 0, model), partial(at, 0.1, model, other), partial(at, 0.2, model))
    assert backend.came == [(0, True), (0.1, True), (0.5, False)]


async def test_a_prefix_that_nobody_used_for_long_is_warmed_again():
    model = warm(backend := Streaming(after=0.5))
    begun, kept = 0.5, KEPT_SECONDS
    await together(*[partial(at, seconds, model) for seconds in (0, begun + kept - 1)])
    assert [streamed for _, streamed in backend.came] == [True, False]

    model = warm(backend := Streaming(after=0.5))
    await together(*[partial(at, seconds, model) for seconds in (0, begun + kept + 1)])
    assert [streamed for _, streamed in backend.came] == [True, True]


async def test_each_use_keeps_a_prefix_in_the_cache():
    model = warm(backend := Streaming(after=0.5))
    uses = [0, 200, 400, 600, 600 + KEPT_SECONDS + 1]
    await together(*[partial(at, seconds, model) for seconds in uses])
    assert backend.came == [(0, True), (200, False), (400, False), (600, False), (uses[-1], True)]


async def test_those_that_ask_the_same_model_share_what_is_warm():
    prefixes: dict[str, Prefix] = {}
    backend = Streaming(after=0.5)
    lead, worker = Warm(backend, CARD, prefixes), Warm(backend, CARD, prefixes)
    await together(partial(at, 0, lead), partial(at, 0.1, worker))
    assert backend.came == [(0, True), (0.5, False)]
