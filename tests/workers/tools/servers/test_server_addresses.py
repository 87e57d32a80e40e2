"""Servers that listen at an address: what is sent along, and what is told when nobody answers."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator

import pytest
from tests.workers.tools.servers.server_cases import HERE, over

from fanfold_workers.errors import ServerError
from fanfold_workers.tools.servers import Declared
from fanfold_workers.tools.toolbox import Answer

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])
WORD = {"X-Word": "sesame-sesame"}


@pytest.fixture
def listening() -> Generator[tuple[int, str]]:
    """A server's pid and address."""
    command = [sys.executable, str(HERE / "modern_server.py"), "http"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, f"http://127.0.0.1:{process.stdout.readline().strip()}/mcp"
        finally:
            process.kill()


async def test_an_address_is_called_with_its_headers_and_a_refusal_is_told_with_its_status(
    listening: tuple[int, str],
) -> None:
    pid, url = listening
    let_in, kept_out = Declared("a", url=url, headers=WORD), Declared("b", url=url, headers={"X-Word": "wrong-word"})
    async with over(let_in, kept_out) as servers:
        assert "a__add" in await servers.tools()
        assert await servers.call("a__add", {"a": 1, "b": 2}) == Answer("3")
        assert list(servers.failed) == ["b"]
        assert "It answered with HTTP status 401." in servers.failed["b"]

        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ServerError, match=r"^servers\.a: It ended in the middle of a call, which may"):
            await servers.call("a__add", {"a": 1, "b": 2})
        with pytest.raises(ServerError, match=r"^servers\.a: All connection attempts failed\."):
            await servers.call("a__add", {"a": 1, "b": 2})
        with pytest.raises(ServerError, match=r"^servers\.a: It has ended 2 times"):
            await servers.call("a__add", {"a": 1, "b": 2})


async def test_an_address_where_nobody_is_or_something_else_is_told() -> None:
    async with over(Declared("nobody", url="http://127.0.0.1:9/mcp?key=secret")) as servers:
        assert await servers.tools() == {}
        assert servers.failed["nobody"].startswith("servers.nobody: All connection attempts failed.")
        assert "secret" not in servers.failed["nobody"]
