"""`fanfold servers`: whose tools workers may use, and what has changed since it was accepted."""

from collections.abc import Mapping

from fanfold_server.opening import servers_of
from fanfold_server.settings import Settings
from fanfold_server.store import open_journal
from fanfold_workers.tools.servers import Servers, ServerTool

from .outcome import Exit
from .terminal import one_line, put, say

SHOWN_CHARS = 300


async def servers(settings: Settings, environ: Mapping[str, str], accept: str) -> int:
    """Print each server's tools; with `accept`, take those of one server as they are now."""
    declared = servers_of(settings, environ)
    if not declared:
        say("No servers are declared. Name a file of them: --servers FILE.")
        return Exit.complete
    async with open_journal(settings.home) as journal, Servers(declared, journal) as others:
        if accept:
            changed = await others.accept(accept)
            say(f"Accepted {accept} as it is now: {', '.join(changed) or 'nothing had changed'}.")
            return Exit.complete
        tools = await others.tools()
        for name in declared:
            _print(name, [tool for tool in tools.values() if tool.server == name], others.failed.get(name, ""))
        for note in others.notes:
            say(f"note: {note}")
        return Exit.error if others.failed else Exit.complete


def counted_tools(count: int) -> str:
    """`1 tool`, `12 tools`."""
    return f"{count} tool{'s' * (count != 1)}"


def _print(server: str, tools: list[ServerTool], why: str) -> None:
    put(f"{server}: {why or counted_tools(len(tools))}")
    for tool in tools:
        put(f"  {tool.name}  {one_line(tool.pinned.description)[:SHOWN_CHARS]}")
        if tool.changed:
            put(f"    CHANGED since it was accepted: {one_line(tool.offer.description)[:SHOWN_CHARS]}")
            put(f"    accept it with: fanfold servers --accept {server}")
