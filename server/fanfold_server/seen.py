"""What workers with a mind were told, from the journal, so that quotes of it can be looked up.

Their replies and what their tools answered stand under `r-…/turns/<subtask>/<try>/`. A worker that keeps no text of
files leaves nothing there, and nor does a host's own: then nothing is known, and their quotes stay unchecked.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.synthesis.sight import Seen, Told, in_doubt, named
from fanfold_workers.agent.builtin import NAMES
from fanfold_workers.agent.calls import OUTCOMES, Outcome, digest
from fanfold_workers.aside import Aside, in_thread
from fanfold_workers.contract import Result
from fanfold_workers.journal import Journal
from fanfold_workers.models.model import Reply, ToolCall
from fanfold_workers.models.record import loaded
from fanfold_workers.tools.servers import SEPARATOR

MAX_CHARS = 20_000_000
"""Characters of replies and tool answers read for one run; what is beyond them stays unknown."""
MAX_NAME_CHARS, MAX_ASKED_CHARS = 4_100, 20_000

_REPLY = re.compile(r"t\d+\.reply/")
_TOOLS = re.compile(r"tools(\d+)\.([0-9a-f]+)$")
_LINE = re.compile(r"^ *\d+\t", re.MULTILINE)
_HIT = re.compile(r" *\d+[:-](?: |$)| +--$")
_BLOCK = re.compile(r"(.+) \(\d[\d,]*\+?(?:, the first \d+ shown)?\)$")

Turns = Mapping[str, str]
"""What one try left in the journal, by the rest of the key."""


async def seen_by(
    journal: Journal, attempts: Iterable[Attempt], results: Iterable[Result], *, aside: Aside = in_thread
) -> dict[str, Seen]:
    """What the workers of a run were told, by subtask: of those only that have a quote in doubt.

    Hand it results that `verified` has looked at, and its answer to `as_seen`; from results that nobody has looked
    at yet it reads more than it needs. All tries of a subtask count, the latest first. At most 20 million characters
    are read, the same share for each subtask; where that was not enough, `Seen.whole` says so.

    Raises:
        JournalError: when the disk refuses.
    """
    doubted = in_doubt(results)
    wanted = {attempt.subtask.id: attempt for attempt in attempts if attempt.subtask.id in doubted}
    seen: dict[str, Seen] = {}
    left = MAX_CHARS
    for n, (subtask, attempt) in enumerate(wanted.items()):
        tries, took, whole = await _tries(journal, f"{attempt.run}/turns/{subtask}/", left // (len(wanted) - n))
        left -= took
        if tries:
            seen[subtask] = Seen(await aside(partial(_told, tries)), whole)
    return seen


async def _tries(journal: Journal, prefix: str, room: int) -> tuple[list[Turns], int, bool]:
    """What the tries left, the latest first; how many characters that is; and whether it is all."""
    tries: dict[str, dict[str, str]] = {}
    took = 0
    keys = [e.key.removeprefix(prefix) for e in await journal.entries(prefix, keys_only=True) if e.value is not None]
    wanted = [key.partition("/") for key in keys]
    for number, _, rest in sorted(wanted, key=lambda key: (-int(key[0]), key[2])):
        if not (_REPLY.match(rest) or _TOOLS.match(rest)):
            continue
        value = await journal.recall(f"{prefix}{number}/{rest}") or ""
        took += len(value)
        if took > room:
            return list(tries.values()), room, False
        tries.setdefault(number, {})[rest] = value
    return list(tries.values()), took, True


def _told(tries: Sequence[Turns]) -> tuple[Told, ...]:
    """All that was told. Blocking."""
    return tuple(told for turns in tries for told in (*_by_pages(turns), *_by_tools(turns)))


def _replies(turns: Turns) -> Iterator[Reply]:
    return (loaded(value) for name, value in turns.items() if _REPLY.match(name))


# -- pages that the provider looked up -------------------------------------------------------------------------------


def _by_pages(turns: Turns) -> Iterator[Told]:
    """The words cited of pages, and pages that were fetched. What a search showed, the provider alone knows."""
    replies = list(_replies(turns))
    fetched = {url: text for reply in replies for url, text in _fetched(reply.content)}
    for url, text in fetched.items():
        yield Told(text or "", about=frozenset({named(url)}), whole=text is not None)
    for one in (source for reply in replies for source in reply.sources):
        if one.quote or one.url not in fetched:
            yield Told(one.quote, about=frozenset({named(one.url)}), whole=fetched.get(one.url) is not None)


def _fetched(content: str) -> Iterator[tuple[str, str | None]]:
    """Address and text of the pages fetched, None for one that is no text; see `anthropic_reply`."""
    if "web_fetch_result" not in content:
        return
    for block in cast("list[dict[str, Any]]", json.loads(content)):
        result: Any = block.get("content")
        if block.get("type") == "web_fetch_tool_result" and isinstance(result, dict) and "url" in result:
            page = cast("dict[str, Any]", result)
            source = page.get("content", {}).get("source", {})
            yield str(page["url"]), str(source["data"]) if source.get("type") == "text" else None


# -- tools -----------------------------------------------------------------------------------------------------------


def _by_tools(turns: Turns) -> Iterator[Told]:
    calls = {digest(reply.calls): reply.calls for reply in _replies(turns) if reply.calls}
    for name, value in turns.items():
        if (match := _TOOLS.match(name)) and match[2] in calls:
            outcomes = OUTCOMES.validate_json(value)
            for n, (call, outcome) in enumerate(zip(calls[match[2]], outcomes, strict=True)):
                if call.name not in NAMES:
                    yield from _answer(call, outcome, f"t{int(match[1])}.{n}")


def _answer(call: ToolCall, outcome: Outcome, ref: str) -> Iterator[Told]:
    """What a tool answered; of fanfold's own, also what it showed of each file."""
    words = list(_strings(call.arguments))
    asked = " ".join(words)[:MAX_ASKED_CHARS]
    server, separator, own = call.name.partition(SEPARATOR)
    if separator:
        about = frozenset(named(word) for word in words if 3 < len(word) <= MAX_NAME_CHARS)
        yield Told(outcome.text, frozenset({call.name, own, server, ref}), about, asked)
        return
    yield Told(outcome.text, frozenset({call.name, ref}), asked=asked)
    if not outcome.failed:
        for place, text in _shown(call, outcome):
            yield Told(text, about=frozenset({named(place)}), asked=asked, whole=False)


def _shown(call: ToolCall, outcome: Outcome) -> Iterator[tuple[str, str]]:
    """The places that a tool of fanfold's own showed something of, and what, without the numbers of its lines."""
    if call.name == "read":
        yield str(call.arguments.get("place", "")), _LINE.sub("", outcome.text.partition("\n")[2])
    elif call.name == "search":
        yield from _blocks(outcome.text)
    for finding in outcome.findings:
        yield from ((one.source, one.quote) for one in finding.evidence if one.quote)


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """The answer of `search`, file by file."""
    place, lines = "", list[str]()
    for line in text.split("\n"):
        if hit := _HIT.match(line):
            lines.append(line[hit.end() :])
        elif block := _BLOCK.match(line):
            if place:
                yield place, "\n".join(lines)
            place, lines = block[1], []
    if place:
        yield place, "\n".join(lines)


def _strings(value: object) -> Iterator[str]:
    """Every text within arguments."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in cast("Mapping[str, object]", value).values():
            yield from _strings(one)
    elif isinstance(value, list | tuple):
        for one in cast("Sequence[object]", value):
            yield from _strings(one)
