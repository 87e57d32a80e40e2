"""The HTTP face: which address does what."""

import os
import sys
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager

import anyio
from aiohttp import web
from benchmarks.endpoint import wire
from benchmarks.endpoint.config import Config, from_json
from benchmarks.endpoint.exchange import Exchange
from benchmarks.endpoint.ledger import STATS
from benchmarks.endpoint.prompt import Refusal, invalid
from benchmarks.endpoint.simulation import Simulation, not_found

HOST = "127.0.0.1"
BACKLOG = 4_096
KEPT_SECONDS = 3_600.0
"""Idle connections stay open, so that no request meets a close of ours by chance."""
STOP_SECONDS = 0.05
"""What is being answered at the end is cut off after so long; 0 would wait for it."""
MODELS = "/v1/models/"


class Server:
    """Serves one simulation after another; a reset begins a new one."""

    def __init__(self, config: Config) -> None:
        self.simulation = Simulation(config, anyio.current_time())
        self._refusals = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        try:
            return await self._route(request)
        except Refusal as refusal:
            return self._error(refusal)

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        at = f"{request.method} {request.path}"
        if at == "POST /v1/messages":
            return await self._messages(request)
        if at == "POST /v1/messages/count_tokens":
            counted = self.simulation.count(await request.content.read(), _key(request))
            return web.json_response({"input_tokens": counted})
        if at.startswith(f"GET {MODELS}"):
            return web.json_response(self.simulation.model(request.path.removeprefix(MODELS), _key(request)))
        if at == "GET /stats":
            stats = self.simulation.ledger.stats(anyio.current_time())
            return web.Response(body=STATS.dump_json(stats), content_type="application/json")
        if at == "POST /reset":
            return await self._reset(request)
        raise not_found("Not Found")

    async def _messages(self, request: web.BaseRequest) -> web.StreamResponse:
        arrived, simulation = anyio.current_time(), self.simulation
        raw = await request.content.read()
        with simulation.ledger.flight(request.protocol):
            try:
                call = simulation.admit(raw, _key(request), arrived)
                return await Exchange(request, simulation, call).run()
            except Refusal as refusal:
                simulation.ledger.statuses[refusal.status] += 1
                raise

    async def _reset(self, request: web.BaseRequest) -> web.StreamResponse:
        """Begin anew, with another config if one is sent. What is in flight ends as it began."""
        raw = await request.content.read()
        try:
            config = from_json(raw) if raw else self.simulation.config
        except ValueError as error:
            raise invalid(str(error)) from error
        self.simulation = Simulation(config, anyio.current_time())
        return web.json_response({"type": "reset"})

    def lost(self, client: Hashable) -> None:
        """A connection is gone."""
        self.simulation.ledger.left(client, anyio.current_time())

    def _error(self, refusal: Refusal) -> web.Response:
        self._refusals += 1
        name = wire.request_id(f"refused_{self._refusals}")
        body = wire.error(refusal.kind, refusal.message, name)
        headers = {"request-id": name, **refusal.headers}
        return web.Response(body=body, status=refusal.status, headers=headers, content_type="application/json")


def _key(request: web.BaseRequest) -> str:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    return request.headers.get("x-api-key", bearer)


class Listener(web.Server):
    """Tells the server at once when a connection is lost; aiohttp tells a handler nothing."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.handle, access_log=None, keepalive_timeout=KEPT_SECONDS)
        self._server = server

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        self._server.lost(handler)
        super().connection_lost(handler, exc)


@asynccontextmanager
async def serving(config: Config) -> AsyncGenerator[int]:
    """Serves on a free port of the loopback interface for as long as the block lasts; the port."""
    runner = web.ServerRunner(Listener(Server(config)), handle_signals=False, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0, backlog=BACKLOG).start()
        yield int(runner.addresses[0][1])
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


async def until_closed() -> None:
    """Returns when stdin has been closed, by hand or because whoever started us has died."""
    try:
        while True:
            await anyio.wait_readable(sys.stdin)
            if not os.read(sys.stdin.fileno(), 65_536):
                return
    except PermissionError:  # a file, which cannot be waited for and never says more
        return
