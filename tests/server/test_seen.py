"""What workers were told, read from the journal, and what becomes of their quotes of it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fanfold_server import seen as module
from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.seen import seen_by
from fanfold_server.synthesis.verify import as_seen, verified
from fanfold_workers.accounts import Account, Limit
from fanfold_workers.agent import AgentWorker
from fanfold_workers.aside import inline
from fanfold_workers.contract import Evidence, Finding, Result, Scope, Status, Subtask, Verdict, numbered
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Ask, FunctionModel, Reply, Source, calling
from fanfold_workers.models.stack import stacked
from fanfold_workers.tools.catalog import shipped
from fanfold_workers.tools.roots import MemoryRoot
from fanfold_workers.tools.toolbox import Answer, RemoteTool
from fanfold_workers.work import Step

CARD = Card("simulated", 200_000, 8_000, Price(1, 5, 0.1, 1.25))
TOOLS = ("read", "search", "docs__read")
SUBTASK = Subtask(id="s1", title="t", objective="o", scope=Scope(places=("code",), tools=TOOLS, servers=("docs",)))
URL = "https://example.com/pumps"
ANSWERS = {"guide.md": "The pump was rebuilt in 1953.", "log.md": '{"note": "It \\"leaks\\" again."}'}


class Notes:
    """Notes that nobody reads."""

    begun = True

    def key(self, kind: str) -> str:
        return f"r-1/{kind}/s1/001"

    async def found(self, *findings: Finding) -> tuple[Finding, ...]:
        return numbered("s1", findings)

    def step(self, step: Step) -> None:
        pass


async def read(arguments: Any) -> Answer:
    return Answer(ANSWERS[arguments["path"]])


async def worked(journal: MemoryJournal, *replies: Reply, files: dict[str, str] | None = None) -> None:
    """A worker did its subtask, with a model that replied so."""
    waiting, report = iter(replies), calling(("report", {"summary": "Done.", "gaps": []}))

    async def reply(ask: Ask) -> Reply:
        return next(waiting, report)

    purse = (Account("r-1", Limit(micros=10_000_000), "max_usd_per_run"),)
    worker = AgentWorker(
        model=stacked(FunctionModel(reply), CARD, journal),
        card=CARD,
        journal=journal,
        tools=shipped(),
        roots={"code": MemoryRoot("code", files or {"a.py": "TIMEOUT = 1\nRETRIES = 3\n"})},
        purses=lambda run: purse,
        remote={"docs__read": RemoteTool("docs__read", "Reads.", "{}", "docs", read)},
        offered=("docs__read",),
        aside=inline,
    )
    assert (await worker.work(SUBTASK, Notes())).summary == "Done."


def result_of(*quotes: tuple[str, str]) -> Result:
    evidence = tuple(Evidence(source=source, quote=quote) for source, quote in quotes)
    findings = (Finding(subject="x", claim="y", evidence=evidence),)
    return Result(subtask="s1", status=Status.partial, reason="r", findings=findings)


async def verdicts(journal: MemoryJournal, *quotes: tuple[str, str], now: str = "nothing of old\n") -> list[Verdict]:
    """Looked up in the files as they are now, then in what the worker saw."""
    roots = {"code": MemoryRoot("code", {"a.py": now})}
    checked = verified([result_of(*quotes)], roots, {})
    seen = await seen_by(journal, [Attempt("r-1", SUBTASK)], checked, aside=inline)
    (again,) = as_seen(checked, roots, {}, seen)
    return [evidence.verdict for finding in again.findings for evidence in finding.evidence]


async def test_quotes_of_another_servers_tool_are_looked_up_in_what_it_answered_the_worker() -> None:
    journal = MemoryJournal()
    both = calling(("docs__read", {"path": "guide.md"}), ("docs__read", {"path": "log.md"}))
    await worked(journal, both)

    assert await verdicts(
        journal,
        ("docs__read", "The pump was rebuilt in 1953."),
        ("docs:log.md", 'It "leaks" again.'),
        ("t0.1", 'It "leaks" again.'),
        ("docs:guide.md", "The pump was stolen in 1961 by its owner."),
        ("guide.md", "The pump was rebuilt in 1963."),
    ) == [Verdict.verified, Verdict.verified, Verdict.verified, Verdict.missing, Verdict.altered]


async def test_several_lines_that_a_worker_read_are_found_without_the_numbers_it_was_shown() -> None:
    journal = MemoryJournal()
    await worked(journal, calling(("read", {"place": "code:a.py"})))

    assert await verdicts(journal, ("code:a.py", "TIMEOUT = 1\nRETRIES = 3")) == [Verdict.altered]


@pytest.mark.parametrize("tool", [("read", {"place": "code:a.py"}), ("search", {"pattern": "RETR"})])
async def test_a_quote_of_a_file_that_changed_after_the_worker_read_it_is_no_invention(tool: Any) -> None:
    journal = MemoryJournal()
    await worked(journal, calling(tool))

    invented = ("code:a.py", "RETRIES = None  # for ever")
    assert await verdicts(journal, ("code:a.py", "RETRIES = 3"), invented) == [Verdict.altered, Verdict.missing]
    assert await verdicts(journal, ("code:a.py", "RETRIES = 3"), now="RETRIES = 3\n") == [Verdict.verified]


async def test_quotes_of_pages_are_looked_up_in_what_was_cited_and_fetched() -> None:
    cited, fetched = "https://example.com/cited", "https://example.com/fetched"
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "It never leaks."}}
    block = {
        "type": "web_fetch_tool_result",
        "content": {"type": "web_fetch_result", "url": fetched, "content": document},
    }
    reply = calling(("search", {"pattern": "x"}))
    content = json.dumps([block, *json.loads(reply.content)])
    sources = (Source(cited, "Pumps", "The pump was rebuilt in 1953."), Source(fetched, "Leaks"))
    journal = MemoryJournal()
    await worked(journal, replace(reply, content=content, sources=sources))

    assert await verdicts(
        journal,
        (cited, "rebuilt in 1953"),
        (cited, "The pump was stolen in 1961."),
        (fetched, "It never leaks."),
        (fetched, "The pump was stolen in 1961."),
        ("https://example.com/other", "It never leaks."),
    ) == [Verdict.verified, Verdict.unchecked, Verdict.verified, Verdict.missing, Verdict.unchecked]


async def test_nothing_is_read_for_workers_whose_quotes_all_stand() -> None:
    journal = MemoryJournal()
    await worked(journal, calling(("docs__read", {"path": "guide.md"})))
    roots = {"code": MemoryRoot("code", {"a.py": "RETRIES = 3\n"})}
    checked = verified([result_of(("code:a.py", "RETRIES = 3"), ("text:s1", "so"))], roots, {})

    assert await seen_by(journal, [Attempt("r-1", SUBTASK)], checked, aside=inline) == {}


async def test_a_host_that_left_nothing_in_the_journal_has_its_quotes_unchecked() -> None:
    assert await verdicts(MemoryJournal(), ("docs__read", "The pump was rebuilt.")) == [Verdict.unchecked]


async def test_beyond_what_is_read_of_a_run_quotes_are_unchecked_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = MemoryJournal()
    await worked(journal, *(calling(("docs__read", {"path": path})) for path in ANSWERS))
    whole = await seen_by(journal, [Attempt("r-1", SUBTASK)], [result_of(("docs", "stolen"))], aside=inline)
    entries = await journal.entries("r-1/turns/")
    monkeypatch.setattr(module, "MAX_CHARS", sum(len(entry.value or "") for entry in entries) - 200)
    part = await seen_by(journal, [Attempt("r-1", SUBTASK)], [result_of(("docs", "stolen"))], aside=inline)

    assert (whole["s1"].whole, part["s1"].whole) == (True, False)
    assert await verdicts(journal, ("docs", "The pump was stolen in 1961.")) == [Verdict.unchecked]


async def test_where_there_is_no_room_for_all_tries_the_latest_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = MemoryJournal()
    await worked(journal, calling(("docs__read", {"path": "guide.md"})))
    for entry in await journal.entries("r-1/turns/s1/001/"):
        later = (entry.value or "").replace("1953", "1971")
        await journal.record(entry.key.replace("/001/", "/002/"), later)
    entries = await journal.entries("r-1/turns/s1/002/")
    monkeypatch.setattr(module, "MAX_CHARS", sum(len(entry.value or "") for entry in entries))

    quotes = ("docs", "rebuilt in 1971."), ("docs", "rebuilt in 1953.")
    assert (await verdicts(journal, *quotes))[0] is Verdict.verified
    assert (await verdicts(journal, *quotes))[1] is not Verdict.verified


async def test_what_an_earlier_try_saw_counts_too() -> None:
    journal = MemoryJournal()
    await worked(journal, calling(("docs__read", {"path": "guide.md"})))
    checked = [result_of(("docs", "The pump was rebuilt in 1953."))]

    seen = await seen_by(journal, [Attempt("r-1", SUBTASK, number=2)], checked, aside=inline)

    (again,) = as_seen(checked, {}, {}, seen)
    assert again.findings[0].evidence[0].verdict is Verdict.verified
