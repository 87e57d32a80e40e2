"""One admitted request and its connection: waits, sends, and breaks off where the fault says so."""

from contextlib import suppress
from dataclasses import dataclass

import anyio
from aiohttp import web
from benchmarks.endpoint import wire
from benchmarks.endpoint.prompt import Refusal
from benchmarks.endpoint.simulation import Admitted, Simulation

LOOK_SECONDS = 0.05
"""How often a request that is never answered looks whether its client has gone."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Answers one request."""

    request: web.BaseRequest
    simulation: Simulation
    call: Admitted

    async def run(self) -> web.StreamResponse:
        """The response, sent or broken off.

        Raises:
            Refusal: if the fault is an error status.
        """
        if self.call.fault == "error":
            raise Refusal(500, "api_error", "Internal server error", self.call.headers)
        if self.call.fault == "dropped":
            return self._hang_up(web.Response())
        if self.call.fault == "forever":
            while not self._gone:  # noqa: ASYNC110 - aiohttp does not tell a handler when its client goes
                await anyio.sleep(LOOK_SECONDS)
            return web.Response()
        return await (self._stream() if self.call.prompt.streams else self._whole())

    async def _whole(self) -> web.StreamResponse:
        await anyio.sleep_until(self.call.ends)
        self._begun()
        body = wire.message(self.call)
        if self.call.fault == "truncated":
            body = body[: len(body) * 2 // 3]
        response = web.Response(body=body, headers=self._headers, content_type="application/json")
        if self.call.fault == "cut":
            return await self._cut_body(body)
        return await self._end(response)

    async def _cut_body(self, body: bytes) -> web.StreamResponse:
        """A response that promises more than comes."""
        response = web.StreamResponse(headers={**self._headers, "Content-Type": "application/json"})
        response.content_length = len(body)
        await self._write(response, body[: len(body) // 2])
        return await self._end(response)

    async def _stream(self) -> web.StreamResponse:
        headers = {**self._headers, "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        await anyio.sleep_until(self.call.begins)
        self._begun()
        await self._write(response, wire.opening(self.call))
        await anyio.sleep_until(self.call.ends)
        events = wire.rest(self.call, self.simulation.config.delta_chars)
        if self.call.fault == "truncated":
            events = wire.truncated(events)
        if self.call.fault == "cut":
            events = events[: len(events) // 2 + 1]
        await self._write(response, b"".join(events))
        return await self._end(response)

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        """Send some of it, if anybody is there to read it."""
        if not self._gone:
            with suppress(ConnectionError):
                await response.prepare(self.request)
                await response.write(data)

    async def _end(self, response: web.StreamResponse) -> web.StreamResponse:
        """Send what is left, unless the connection is to break, and write the bill."""
        call = self.call
        if not self._gone and call.fault != "cut":
            with suppress(ConnectionError):
                await response.prepare(self.request)
                await response.write_eof()
        ledger = self.simulation.ledger
        ledger.statuses[200] += not self._gone
        ledger.bill(call.digest, call.usage, whole=not call.fault, gone=self._gone, now=anyio.current_time())
        return self._hang_up(response) if call.fault == "cut" else response

    def _begun(self) -> None:
        self.simulation.begun(self.call, anyio.current_time())

    @property
    def _headers(self) -> dict[str, str]:
        return {"request-id": wire.request_id(self.call.id), **self.call.headers}

    @property
    def _gone(self) -> bool:
        """Whether the client has closed the connection."""
        transport = self.request.transport
        return transport is None or transport.is_closing()

    def _hang_up(self, response: web.StreamResponse) -> web.StreamResponse:
        if self.request.transport is not None:
            self.request.transport.close()
        return response
