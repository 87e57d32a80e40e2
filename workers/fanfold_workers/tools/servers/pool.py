"""All servers of others together: their tools under one roof, and their answers."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self, cast

import anyio
from anyio.abc import TaskGroup

from fanfold_workers.errors import InputError, ServerError, UnknownNameError
from fanfold_workers.journal import Journal
from fanfold_workers.tools.legible import in_line, legible
from fanfold_workers.tools.toolbox import Answer, RemoteTool

from .declared import Declared
from .line import MAX_OFFERS, Offer, Opener, Refusal
from .pins import Pins, digest
from .server import CALL_SECONDS, START_SECONDS, Server, over_the_sdk

SEPARATOR = "__"
"""Between a server's name and its tool's; no name of fanfold's own tools has one."""
MAX_NAME_CHARS = 64
"""What providers of models take, and scopes too."""
MAX_DESCRIPTION_CHARS = 4_000
MAX_SCHEMA_CHARS = 50_000
MAX_ERROR_CHARS = 2_000
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class ServerTool(RemoteTool):
    """A tool of one of these servers.

    Attributes:
        offer: how its server describes it now.
        pinned: how it was described when it was pinned.
        changed: whether that is something else; such a tool is not called.
    """

    offer: Offer
    pinned: Offer
    changed: bool


@dataclass(slots=True)
class Servers:
    """Other MCP servers, each started when it is first needed. Use it as an async context manager, in one task.

    Attributes:
        declared: how to reach each, by name.
        journal: where tools are pinned.
        start_seconds: a server must have listed its tools so long after its start.
        call_seconds: a server must answer a call within so long, unless the caller's own scope ends before.
        opener: opens a line to a server.
        failed: why a server's tools could not be listed, by its name, as of the last time.
    """

    declared: Mapping[str, Declared]
    journal: Journal
    start_seconds: float = START_SECONDS
    call_seconds: float = CALL_SECONDS
    opener: Opener = over_the_sdk
    failed: dict[str, str] = field(default_factory=dict[str, str], init=False)
    _group: TaskGroup = field(init=False)
    _servers: dict[str, Server] = field(default_factory=dict[str, Server], init=False)
    _tools: dict[str, tuple[tuple[Offer, ...], dict[str, ServerTool]]] = field(
        default_factory=dict[str, tuple[tuple[Offer, ...], dict[str, ServerTool]]], init=False
    )
    _notes: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]], init=False)

    async def __aenter__(self) -> Self:
        self._group = await anyio.create_task_group().__aenter__()
        self._servers = {
            name: Server(declared, self._group, self.start_seconds, self.call_seconds, self.opener)
            for name, declared in self.declared.items()
        }
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._group.cancel_scope.cancel()
        return await self._group.__aexit__(kind, error, trace)

    @property
    def notes(self) -> tuple[str, ...]:
        """Which tools are left out, and why, one line each."""
        return tuple(note for name in self._servers for note in self._notes.get(name, ()))

    async def tools(self) -> Mapping[str, ServerTool]:
        """The tools of all servers, listed anew, by name: servers as declared, tools as each lists them.

        A server that fails is named in `failed`, with the reason, and does not hinder the others.

        Raises:
            JournalError: when the disk refuses.
        """
        found = await anyio.amap(self._listed, list(self._servers))
        return {name: tool for tools in found for name, tool in tools.items()}

    async def call(self, name: str, arguments: Mapping[str, object]) -> Answer:
        """Call a tool, by the name it has here.

        Raises:
            UnknownNameError: if there is no such tool.
            InputError: if the arguments are no JSON object, or the tool or its server refuses them.
            ServerError: if its server cannot be used, or the tool has changed since it was pinned.
            JournalError: when the disk refuses.
        """
        tool = await self._tool(name)
        given = _checked(name, arguments)
        if tool.changed:
            msg = "It has changed since it was pinned, and may say or do something else now."
            remedy = f"Look at it, and accept it with `fanfold servers --accept {tool.server}`."
            raise ServerError(msg, field=name, remedy=remedy)
        outcome = await self._servers[tool.server].call(tool.offer.name, given)
        if isinstance(outcome, Refusal):
            raise InputError(outcome.text[:MAX_ERROR_CHARS] or "It failed and does not say why.", field=name)
        return outcome

    async def accept(self, server: str) -> tuple[str, ...]:
        """Pin the tools of a server as they are now; the names of those that had changed.

        Raises:
            UnknownNameError: if there is no such server.
            ServerError: if it cannot be used.
            JournalError: when the disk refuses.
        """
        if server not in self._servers:
            msg = f"There is no server {in_line(server, 80)}."
            raise UnknownNameError(msg, field="server", remedy=_choice(self._servers))
        tools = await self._offered(server, fresh=True)
        changed = await Pins(self.journal, server).accept({name: tool.offer for name, tool in tools.items()})
        self._tools.pop(server, None)
        return changed

    async def _listed(self, server: str) -> Mapping[str, ServerTool]:
        self.failed.pop(server, None)
        try:
            return await self._offered(server, fresh=True)
        except ServerError as error:
            self.failed[server] = str(error)
            return {}

    async def _tool(self, name: str) -> ServerTool:
        server, _, _ = name.partition(SEPARATOR)
        if server not in self._servers:
            msg = f"There is no tool {in_line(name, 100)}."
            raise UnknownNameError(msg, field="tool", remedy=f"Its server, before __: {_choice(self._servers)}")
        tools = await self._offered(server)
        if name in tools and tools[name].changed:
            self._tools.pop(server, None)  # another process may have accepted it since
            tools = await self._offered(server)
        if name not in tools:
            msg = f"The server {server} has no tool {in_line(name, 100)}."
            raise UnknownNameError(msg, field="tool", remedy=_choice(tools))
        return tools[name]

    async def _offered(self, server: str, *, fresh: bool = False) -> dict[str, ServerTool]:
        offers = await self._servers[server].offers(fresh=fresh)
        known = self._tools.get(server)
        if known and known[0] is offers:
            return known[1]
        named, notes = named_offers(server, offers)
        pins = await Pins(self.journal, server).newest(named)
        tools = {
            name: ServerTool(
                name,
                # As it was accepted: what a changed one says of itself now is for a person, not for a model.
                _cut(legible(pins[name].offer.description)),
                pins[name].offer.schema,
                server,
                partial(self.call, name),
                offer,
                pins[name].offer,
                changed=pins[name].digest != digest(offer),
                read_only=offer.read_only,
            )
            for name, offer in named.items()
        }
        self._tools[server], self._notes[server] = (offers, tools), notes
        return tools


def named_offers(server: str, offers: Iterable[Offer]) -> tuple[dict[str, Offer], tuple[str, ...]]:
    """Tools by the names that they have here, and what is left out for which reason.

    A name that fits as it is goes before one that had to be made fit.
    """
    named: dict[str, Offer] = {}
    notes: list[str] = []
    offers = list(offers)
    if len(offers) > MAX_OFFERS:
        notes.append(f"{server} has over {MAX_OFFERS:,} tools; the rest are left out.")
    kept = offers[:MAX_OFFERS]
    order = sorted(kept, key=lambda offer: fitted(server, offer.name) != f"{server}{SEPARATOR}{offer.name}")
    for offer in order:
        name = fitted(server, offer.name)
        if why := _unfit(name, offer, named):
            notes.append(f"{server}: the tool {in_line(offer.name, 80) or '(nameless)'} is left out: {why}.")
        else:
            named[name] = offer
    mine = {id(offer): name for name, offer in named.items()}
    return {mine[id(offer)]: offer for offer in kept if id(offer) in mine}, tuple(notes)


def fitted(server: str, tool: str) -> str:
    """`<server>__<tool>` in letters, digits, `_` and `-`, at most 64; "" if nothing of the tool's name remains."""
    room = MAX_NAME_CHARS - len(server) - len(SEPARATOR)
    name = _UNFIT.sub("_", tool)
    if not name.strip("_-"):
        return ""
    if len(name) > room:
        name = f"{name[: room - 9]}_{hashlib.sha256(tool.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    return f"{server}{SEPARATOR}{name}"


def _unfit(name: str, offer: Offer, named: Mapping[str, Offer]) -> str:
    if not name:
        return "its name has neither letters nor digits"
    if name in named:
        return f"{name} is taken by another"
    if len(offer.schema) > MAX_SCHEMA_CHARS:
        return f"its schema is over {MAX_SCHEMA_CHARS:,} characters"
    if json.loads(offer.schema).get("type") != "object":
        return "its arguments are no JSON object"
    return ""


def _checked(name: str, arguments: object) -> Mapping[str, object]:
    """The arguments, if they are a JSON object that can be sent: a lone surrogate would break the line."""
    try:
        given: Any = json.loads(json.dumps(arguments, allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError):
        given = None
    if isinstance(given, dict):
        return cast("dict[str, object]", given)
    msg = "They are not a JSON object."
    raise InputError(msg, field=f"{name}.arguments", remedy="Give arguments by name, as the tool's schema has them.")


def _choice(names: Iterable[str]) -> str:
    known = ", ".join(names)
    return f"Use one of: {known[:1_000]}." if known else "There are none: declare servers in the servers file."


def _cut(text: str) -> str:
    return text if len(text) <= MAX_DESCRIPTION_CHARS else f"{text[: MAX_DESCRIPTION_CHARS - 1]}…"
