"""A server is started when needed, once more when it has died; no call hangs, and none takes another with it."""

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio.testing

from fanfold_workers.errors import ServerError
from fanfold_workers.tools.servers.declared import Declared
from fanfold_workers.tools.servers.line import Ears, FunctionServer, Line, Offer, Refusal
from fanfold_workers.tools.servers.server import Server
from fanfold_workers.tools.toolbox import Answer

DECLARED = Declared("s", "no-command", env={"KEY": "sk-12345"})


VIRTUAL = pytest.param(("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}), id="virtual")


@pytest.fixture(params=[VIRTUAL, "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


async def answers(tool: str, arguments: Mapping[str, object]) -> Answer | Refusal:
    """Says which tool was called; `hang` never answers, `die` ends the line, `crash` is a bug of the SDK's."""
    await anyio.lowlevel.checkpoint()
    if tool == "hang":
        await anyio.sleep_forever()
    if tool == "die":
        raise ConnectionError
    if tool == "crash":
        msg = "no\nsuch thing as sk-12345"
        raise RuntimeError(msg)
    return Answer(tool)


@asynccontextmanager
async def served(opener: Any, **limits: float) -> AsyncGenerator[Server]:
    async with anyio.create_task_group() as group:
        yield Server(DECLARED, group, opener=opener, **limits)
        group.cancel_scope.cancel()


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises(ServerError) as error:
        await call
    assert error.value.field == "servers.s"
    return str(error.value)


async def together(*calls: Callable[[], Awaitable[object]]) -> list[object]:
    return list(await anyio.amap(lambda call: call(), calls))


async def test_it_is_started_by_the_first_who_needs_it_and_only_once() -> None:
    fake = FunctionServer(answers, (Offer("t", "", "{}"),))
    async with served(fake) as server:
        assert fake.starts == 0
        said = await together(*[functools.partial(server.call, f"t{n}", {}) for n in range(20)])
        assert said == [Answer(f"t{n}") for n in range(20)]
        assert await server.offers() == fake.tools
        assert fake.starts == 1


async def test_eight_calls_run_at_a_time() -> None:
    begun: list[str] = []
    full, go = anyio.Event(), anyio.Event()

    async def meet(tool: str, arguments: Mapping[str, object]) -> Answer:
        begun.append(tool)
        if len(begun) == 8:
            full.set()
        await go.wait()
        return Answer(tool)

    async with served(FunctionServer(meet)) as server, anyio.create_task_group() as group:
        for n in range(9):
            group.start_soon(server.call, f"t{n}", {})
        await full.wait()
        await anyio.wait_all_tasks_blocked()
        assert len(begun) == 8
        go.set()
    assert len(begun) == 9


@pytest.mark.parametrize("anyio_backend", [VIRTUAL])
async def test_one_that_does_not_start_in_time_is_given_up_on_the_second_and_closed_however_long_that_takes() -> None:
    closed: list[float] = []

    @asynccontextmanager
    async def never(declared: Declared, ears: Ears) -> AsyncGenerator[Line]:
        began = anyio.current_time()
        try:
            await anyio.sleep_forever()
            yield FunctionServer(answers)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(7)
            closed.append(anyio.current_time() - began)

    async with served(never) as server:
        began = anyio.current_time()
        assert await refused(server.call("t", {})) == (
            "servers.s: It did not answer within 20 s of its start."
            " Try once more; else mend s in the servers file, or do without it."
        )
        assert (anyio.current_time() - began, closed) == (20, [])
        await anyio.sleep(10)
        assert closed == [27]


@pytest.mark.parametrize("anyio_backend", [VIRTUAL])
async def test_a_call_ends_at_its_deadline_or_with_the_callers_scope_and_leaves_the_others_alone() -> None:
    fake = FunctionServer(answers)
    async with served(fake) as server:
        began = anyio.current_time()

        async def leave() -> object:
            with anyio.move_on_after(5) as scope:
                await server.call("hang", {})
            return scope.cancelled_caught, anyio.current_time() - began

        async def wait() -> object:
            said = await refused(server.call("hang", {}))
            return "It did not answer within 60 s." in said, anyio.current_time() - began

        assert await together(leave, wait, functools.partial(server.call, "t", {})) == [
            (True, 5),
            (True, 60),
            Answer("t"),
        ]
        assert fake.starts == 1


async def test_a_caller_who_is_cancelled_takes_his_call_with_him() -> None:
    begun, over = anyio.Event(), anyio.Event()

    async def watched(tool: str, arguments: Mapping[str, object]) -> Answer:
        try:
            begun.set()
            await anyio.sleep_forever()
        finally:
            over.set()

    async with served(FunctionServer(watched)) as server:
        async with anyio.create_task_group() as group:
            group.start_soon(server.call, "t", {})
            await begun.wait()
            group.cancel_scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert over.is_set()


@pytest.mark.parametrize("anyio_backend", [VIRTUAL])
async def test_the_callers_who_wait_for_their_turn_can_leave() -> None:
    async with served(FunctionServer(answers)) as server, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(server.call, "hang", {})
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(5) as scope:
            await server.call("t", {})
        assert scope.cancelled_caught
        group.cancel_scope.cancel()


async def test_one_that_has_ended_is_started_once_more_and_then_refused_at_once() -> None:
    fake = FunctionServer(answers)
    async with served(fake) as server:
        await server.call("t", {})
        fake.ears.lost.set()  # unasked
        assert await server.call("t", {}) == Answer("t")
        fake.ears.said.append("out of memory")
        assert await refused(server.call("die", {})) == (
            "servers.s: It ended in the middle of a call, which may have been carried out."
            ' It said last: "out of memory". Mend s in the servers file and start fanfold again, or do without it.'
        )
        assert await refused(server.call("t", {})) == (
            'servers.s: It has ended 2 times and is not started again. It said last: "out of memory".'
            " Mend s in the servers file and start fanfold again, or do without it."
        )
        assert "ended 2 times" in await refused(server.offers())
        assert fake.starts == 2


async def test_a_death_ends_every_call_that_runs() -> None:
    begun = anyio.Event()

    async def dying(tool: str, arguments: Mapping[str, object]) -> Answer:
        if tool == "die":
            await begun.wait()
        else:
            begun.set()
            await fake.ears.lost.wait()
        raise ConnectionError

    fake = FunctionServer(dying)
    async with served(fake) as server:
        said = await together(lambda: refused(server.call("t", {})), lambda: refused(server.call("die", {})))
    assert ["It ended in the middle of a call" in str(text) for text in said] == [True, True]


async def test_what_a_line_raises_is_told_on_one_line_without_secrets_and_ends_nothing_else() -> None:
    fake = FunctionServer(answers)
    async with served(fake) as server:
        assert await refused(server.call("crash", {})) == (
            "servers.s: It did not answer as it should: no such thing as …."
            " Try once more; else mend s in the servers file, or do without it."
        )
        assert await server.call("t", {}) == Answer("t")
        assert fake.starts == 1


async def test_tools_are_listed_again_when_asked_for_or_when_the_server_says_so() -> None:
    fake = FunctionServer(answers, (Offer("old", "", "{}"),))
    async with served(fake) as server:
        old = await server.offers(fresh=True)
        fake.tools = (Offer("new", "", "{}"),)
        assert await server.offers() is old
        assert await server.offers(fresh=True) == fake.tools
        fake.tools = old
        fake.ears.changed = True
        assert await server.offers() == old


async def test_callers_are_told_when_it_is_closed_under_them() -> None:
    said: list[str] = []

    async def call(server: Server) -> None:
        said.append(await refused(server.call("hang", {})))

    async with anyio.create_task_group() as callers, served(FunctionServer(answers)) as server:
        callers.start_soon(call, server)
        await anyio.wait_all_tasks_blocked()
    assert "It ended in the middle of a call" in said[0]
