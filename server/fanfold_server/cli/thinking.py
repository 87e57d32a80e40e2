"""What doctor sees of models, of the money they may spend, and of other MCP servers: each is really asked."""

from collections.abc import AsyncIterator, Mapping

import anyio

from fanfold_server.minds import Mind, today
from fanfold_server.opening import orchestrator_of
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.settings import Settings
from fanfold_workers.errors import FanfoldError, JournalError
from fanfold_workers.models.model import Ask, Role, Said

from .line import Line
from .servers import counted_tools

ASK_SECONDS = 60.0
ASK_TOKENS = 64
NO_MODEL = "none: the host's own sub-agents or the rules engine do the work"


async def asked(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Line]:
    """A line for each model, the ceilings, and each server."""
    try:
        fanfold = orchestrator_of(settings, environ)
        async with fanfold:
            async for line in _lines(fanfold):
                yield line
    except JournalError:  # told of already
        return
    except FanfoldError as error:
        yield Line("fail", error.field or "models", error.problem, error.remedy)


async def _lines(fanfold: Orchestrator) -> AsyncIterator[Line]:
    if fanfold.mind is None:
        yield Line("ok", "models", NO_MODEL)
    else:
        for line in [await _model(fanfold.mind, "lead"), await _model(fanfold.mind, "worker")]:
            yield line
        yield await _ceilings(fanfold.mind)
    for line in await _servers(fanfold):
        yield line


async def _model(mind: Mind, role: Role) -> Line:
    """One cheap call, paid from the day's account as any other."""
    card = mind.lead if role == "lead" else mind.worker
    ask = Ask("", (Said("Answer with one word: ready."),), max_tokens=ASK_TOKENS, role=role, purse=mind.purse("")[1:])
    try:
        with anyio.fail_after(ASK_SECONDS):
            reply = await mind.model.ask(ask)
    except TimeoutError:
        remedy = "Check the network, and base_url if you set one."
        return Line("fail", f"{role} model", f"{card.model}: no answer within {ASK_SECONDS:g} s", remedy)
    except FanfoldError as error:
        remedy = f"{error.remedy} ({error.field})" if error.field else error.remedy
        return Line("fail", f"{role} model", f"{card.model}: {error.problem}", remedy)
    price = f"${card.price.input:g} and ${card.price.output:g} a million tokens"
    cost = card.cost(reply.usage).usd
    return Line("ok", f"{role} model", f"{card.model} answers (that cost ${cost:.6f}); {price}")


async def _ceilings(mind: Mind) -> Line:
    spent = (await mind.journal.standing(today())).spent.usd
    run, day = mind.minds.max_usd_per_run, mind.minds.max_usd_per_day
    seen = f"${run:g} a run, ${day:g} a day; ${spent:.4f} spent today"
    if spent < day:
        return Line("ok", "ceilings", seen)
    return Line("warn", "ceilings", seen, "Wait until tomorrow, or raise max_usd_per_day.")


async def _servers(fanfold: Orchestrator) -> list[Line]:
    tools = await fanfold.servers.tools()
    lines: list[Line] = []
    for name in fanfold.servers.declared:
        if why := fanfold.servers.failed.get(name):
            lines.append(Line("fail", f"server {name}", why, "Mend its entry in the servers file."))
            continue
        own = [tool for tool in tools.values() if tool.server == name]
        changed = [tool.name for tool in own if tool.changed]
        seen = counted_tools(len(own)) + (f", {len(changed)} changed since they were accepted" if changed else "")
        remedy = f"Look at them, then: fanfold servers --accept {name}" if changed else ""
        lines.append(Line("warn" if changed else "ok", f"server {name}", seen, remedy))
    return lines
