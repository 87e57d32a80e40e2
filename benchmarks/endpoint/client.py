"""Starts an endpoint and asks it what it counted. For tests and benchmarks."""

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx2
from anyio.abc import ByteReceiveStream, Process
from benchmarks.endpoint.config import Config, to_json
from benchmarks.endpoint.ledger import STATS, Stats

REPOSITORY = Path(__file__).parents[2]
START_SECONDS, STOP_SECONDS, LOOK_SECONDS = 30.0, 5.0, 0.02


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running endpoint.

    Attributes:
        url: what an SDK takes as its `base_url`.
        pid: of its process.
    """

    url: str
    pid: int
    _http: httpx2.AsyncClient

    async def stats(self) -> Stats:
        """What it counted since the last reset."""
        answer = await self._http.get("/stats")
        return STATS.validate_json(answer.raise_for_status().content)

    async def settled(self) -> Stats:
        """What it counted, once nothing is in flight any more. It asks often: not for while something is measured."""
        while (stats := await self.stats()).in_flight:  # noqa: ASYNC110 - another process counts
            await anyio.sleep(LOOK_SECONDS)
        return stats

    async def reset(self, config: Config | None = None) -> None:
        """Begin anew: counts, buckets, cache and clock; with the same config if there is no other."""
        answer = await self._http.post("/reset", content=to_json(config) if config else b"")
        answer.raise_for_status()


@asynccontextmanager
async def endpoint(config: Config | None = None) -> AsyncGenerator[Endpoint]:
    """An endpoint in a process of its own, for as long as the block lasts."""
    command = [sys.executable, "-m", "benchmarks.endpoint"]
    async with await anyio.open_process(command, stderr=None, stdin=subprocess.PIPE, cwd=REPOSITORY) as process:
        try:
            url = f"http://127.0.0.1:{await _port(process)}"
            async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=START_SECONDS) as http:
                running = Endpoint(url, process.pid, http)
                await running.reset(config)
                yield running
        finally:
            await _stop(process)


async def _port(process: Process) -> int:
    """The first line that the process prints.

    Raises:
        RuntimeError: if it ended without one.
    """
    assert process.stdout
    line = b""
    with anyio.fail_after(START_SECONDS):
        while not line.endswith(b"\n"):
            line += await _more(process.stdout)
    return int(line)


async def _more(stream: ByteReceiveStream) -> bytes:
    try:
        return await stream.receive()
    except anyio.EndOfStream as error:
        msg = "The endpoint ended before it said its port."
        raise RuntimeError(msg) from error


async def _stop(process: Process) -> None:
    """Close its stdin, and kill it if that is not enough."""
    with anyio.CancelScope(shield=True):
        if process.stdin:
            await process.stdin.aclose()
        with anyio.move_on_after(STOP_SECONDS):
            await process.wait()
        if process.returncode is None:
            process.kill()
