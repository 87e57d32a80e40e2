"""One contender of `benchmarks/folding.py`, in a process of its own: texts, and what is worth knowing in them.

    python -m benchmarks.folding_contender ours URL N '{"home": "DIR", "compose": "model", "max_chars": 8000}'
    python -m benchmarks.folding_contender by_hand URL N '{"max_chars": 8000}'

It prints one line of JSON. Which sentences are facts it does not look at: it makes the texts, and hands them over.
"""

import asyncio  # noqa: TID251 - what this is held against is a hand-written asyncio.gather
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from benchmarks.planted import planted

from fanfold_server.minds import Minds, Seat
from fanfold_server.orchestrator import Orchestrator
from fanfold_workers.models.anthropic import Anthropic, Connection
from fanfold_workers.models.catalog import LEAD, WORKER, Card, Figures, card_of

QUESTION = "What is worth knowing in these texts?"
WINDOW, MAX_OUTPUT = 200_000, 64_000
MAX_USD = 1e4


@dataclass(frozen=True)
class Told:
    """What a contender came to.

    Attributes:
        answer: what it has to say in the end.
        seconds: from the texts in memory to the answer.
        cpu: seconds of this process meanwhile, all threads.
        peak_mb: the most memory it ever had.
        usd: what its accounts say that it cost.
        refused: requests that the server would not take.
        report: file with the whole report, "" if there is none.
        drawn: quotes that a model answered when it was asked to draw from texts, by the journal.
    """

    answer: str
    seconds: float
    cpu: float
    peak_mb: float
    usd: float = 0.0
    refused: int = 0
    report: str = ""
    drawn: list[str] = field(default_factory=list[str])


def card(model: str) -> Card:
    """The catalog's, with the window that is played here."""
    return card_of(model, Figures(window=WINDOW, max_output=MAX_OUTPUT))


def minds(connection: Connection) -> Minds:
    """The catalog's pair at the endpoint, which tells neither its sizes nor its counts."""
    lead, worker = (Seat(Anthropic(connection, name), card(name), connection.name) for name in (LEAD, WORKER))
    return Minds(lead, worker, max_usd_per_run=MAX_USD, max_usd_per_day=MAX_USD, close=connection.aclose)


async def ours(url: str, count: int, options: Mapping[str, Any]) -> Told:
    """The product: texts handed in, one report."""
    texts = planted(count)
    connection = Connection(key="simulated", base_url=url)
    await connection.client()
    with TemporaryDirectory() as fresh:
        home = Path(options.get("home") or fresh)
        async with Orchestrator(home=home, minds=minds(connection)) as fanfold:
            wall, cpu = time.perf_counter(), time.process_time()
            run = await fanfold.hand_in(QUESTION, [text.handed for text in texts])
            report = await fanfold.synthesize(
                run, max_chars=int(options.get("max_chars", 8_000)), compose=options.get("compose", "model")
            )
            seconds, spent = time.perf_counter() - wall, time.process_time() - cpu
            usd = (await fanfold.view(await fanfold.runs.plan(run))).usd
            drawn = await _drawn(fanfold, run)
            if into := str(options.get("into", "")):
                await anyio.Path(into).write_text(report.model_dump_json(), encoding="utf-8")
    return Told(report.markdown, seconds, spent, peak(), usd, report=into, drawn=drawn)


async def _drawn(fanfold: Orchestrator, run: str) -> list[str]:
    """Every quote in an answer to a question of drawing, as the journal keeps it."""
    entries = await fanfold.journal.entries(f"{run}/calls/draw/")
    return [quote for entry in entries for quote in _quotes(json.loads(entry.value or "{}"))]


def _quotes(value: object) -> list[str]:
    """All that is called a quote, wherever it stands."""
    if isinstance(value, dict):
        own = [value["quote"]] if isinstance(value.get("quote"), str) else []
        return own + [quote for held in value.values() for quote in _quotes(held)]
    return [quote for held in value for quote in _quotes(held)] if isinstance(value, list) else []


# -- by hand ------------------------------------------------------------------------------------------------------

SUMMARY_CHARS, CHARS_A_TOKEN = 2_000, 4
MAP = "Summarise what is worth knowing in this text, in at most {chars:,} characters.\n\n{text}"
REDUCE = "Here are summaries of several texts. Summarise them, in at most {chars:,} characters.\n\n{text}"


async def by_hand(url: str, count: int, options: Mapping[str, Any]) -> Told:
    """What one writes by hand: gather a summary of each text, then summaries of summaries until one is left."""
    from anthropic import AsyncAnthropic, BadRequestError, DefaultAioHttpClient

    refused, texts = 0, planted(count)
    http = DefaultAioHttpClient(timeout=600)
    async with AsyncAnthropic(api_key="simulated", base_url=url, http_client=http) as client:

        async def say(template: str, text: str, chars: int) -> str:
            nonlocal refused
            most = chars // CHARS_A_TOKEN
            said = template.format(chars=chars, text=text[: (WINDOW - most - 100) * CHARS_A_TOKEN])
            try:
                message = await client.messages.create(
                    model=WORKER, max_tokens=most, messages=[{"role": "user", "content": said}]
                )
            except BadRequestError:
                refused += 1
                return ""
            return "".join(block.text for block in message.content if block.type == "text")

        wall, cpu = time.perf_counter(), time.process_time()
        summaries = await asyncio.gather(*(say(MAP, text.text, SUMMARY_CHARS) for text in texts))
        while len(packs := packed(summaries)) > 1:
            summaries = await asyncio.gather(*(say(REDUCE, pack, SUMMARY_CHARS) for pack in packs))
        answer = await say(REDUCE, packs[0], int(options.get("max_chars", 8_000)))
        return Told(answer, time.perf_counter() - wall, time.process_time() - cpu, peak(), refused=refused)


def packed(texts: list[str]) -> list[str]:
    """The texts joined in order, each pack as long as a request may be."""
    most, packs = (WINDOW - MAX_OUTPUT) * CHARS_A_TOKEN, [""]
    for text in texts:
        if packs[-1] and len(packs[-1]) + len(text) > most:
            packs.append("")
        packs[-1] += text + "\n\n"
    return packs


def peak() -> float:
    import resource  # which Windows has not

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)


CONTENDERS: dict[str, Callable[[str, int, Mapping[str, Any]], Awaitable[Told]]] = {"ours": ours, "by_hand": by_hand}


async def _told(name: str, url: str, count: str, *rest: str) -> Told:
    return await CONTENDERS[name](url, int(count), json.loads(rest[0]) if rest else {})


if __name__ == "__main__":
    print(json.dumps(asdict(anyio.run(_told, *sys.argv[1:]))))
