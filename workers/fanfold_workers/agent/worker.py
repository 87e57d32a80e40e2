"""The worker itself: from a Subtask to a Result, whatever happens on the way."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import anyio

from fanfold_workers.accounts import Account, Amount, Limit
from fanfold_workers.aside import Aside, in_thread
from fanfold_workers.contract import Finding, Line, Result, Status, Subtask, Usage
from fanfold_workers.errors import BusyError, FanfoldError, OverBudgetError, TooLongError
from fanfold_workers.given import handed_on
from fanfold_workers.hedging import Hedges
from fanfold_workers.journal import Journal
from fanfold_workers.models.catalog import Card
from fanfold_workers.models.model import Effort, Model, Reply, Said, ToolSpec, Web
from fanfold_workers.tools.audit import Audit, audited
from fanfold_workers.tools.files import Files
from fanfold_workers.tools.roots import Root
from fanfold_workers.tools.toolbox import RemoteTool, Runner, Tool, Toolbox
from fanfold_workers.work import Notes

from .builtin import SPECS
from .calls import Calls, used
from .coverage import Coverage
from .effort import within_effort
from .past import Past
from .session import Ending, Session, Setup
from .words import opening, prompt

MAX_OUTPUT = 16_000
"""Tokens of one answer: room for a report and the thinking before it, and no more money held than that."""
MOST_FILES = 20_000
"""Files in scope are counted up to here."""
WINDOW_SHARE = 0.9
"""The part of a window that is planned with: estimates of tokens are estimates."""

GIVEN_CHARS, GIVEN_PART, CHARS_A_TOKEN = 30_000, 8, 3
"""Of what prerequisites found so much is shown at once, and no more than an eighth of the window."""

Purses = Callable[[str], tuple[Account, ...]]
"""The accounts that pay for a run, by its id, narrowest first."""


@dataclass(frozen=True)
class AgentWorker:
    """Does subtasks that take a mind, by asking a model.

    Attributes:
        model: who is asked, with all that belongs around it.
        card: its window and its id.
        journal: where answers of tools go; replies are the model's wrappers' to record.
        tools: every tool there is, by name; the subtask's scope decides which may run.
        roots: every configured root, by name.
        purses: who pays.
        remote: tools of other MCP servers, by name.
        offered: names of those that any worker of the run may call: all are shown the same list.
        web: what those may look up whose scope says so; None for nothing.
        effort: how hard the model should try.
        hedge: whether a call that takes far longer than its siblings is made a second time: of the model, or of
            another server's tool that only reads.
        aside: where blocking work runs.
        runner: runs the tools instead, if there is one.
        audit: hears of each call of a tool, if anybody should.
        hedges: how long calls of other servers' tools take, for all workers of a process.
    """

    model: Model
    card: Card
    journal: Journal
    tools: Mapping[str, Tool[Any]]
    roots: Mapping[str, Root]
    purses: Purses
    remote: Mapping[str, RemoteTool] = field(default_factory=dict[str, RemoteTool])
    offered: tuple[str, ...] = ()
    web: Web | None = None
    effort: Effort = ""
    hedge: bool = True
    aside: Aside = field(default=in_thread)
    runner: Runner | None = None
    audit: Audit | None = None
    hedges: Hedges = field(default_factory=Hedges)

    @property
    def engine(self) -> str:
        """See Worker."""
        return f"model:{self.card.model}"

    def accepts(self, subtask: Subtask, /) -> bool:
        """Everything: what names checks too, where no rules engine stands before it."""
        return True

    async def work(self, subtask: Subtask, notes: Notes, /) -> Result:
        """Converse with the model until it reports. Whatever goes wrong, what was noted stays."""
        started = anyio.current_time()
        session = await self._session(subtask, notes)
        try:
            ending = await session.converse()
        except FanfoldError as error:
            ending = _ended_by(error)
        spent = session.spent
        if spent is None:
            spent = (await self.journal.standing(session.purse[0].name)).spent
        return self._result(subtask, session, ending, spent, anyio.current_time() - started)

    async def _session(self, subtask: Subtask, notes: Notes) -> Session:
        subtask = within_effort(subtask)
        toolbox = Toolbox(
            self.tools,
            self.roots,
            subtask.scope,
            aside=self.aside,
            runner=self.runner,
            remote=self.remote,
            hedges=self.hedges if self.hedge else None,
        )
        past = await Past.read(self.journal, notes)
        coverage = Coverage(await self._in_scope(subtask, past), subtask.scope.places)
        given = handed_on(subtask.prior)
        tools = audited(toolbox, self.audit, notes)
        calls = Calls(tools, notes, past, coverage, subtask.limits.tool_calls, given=given)
        known = (*self.tools, *self.remote)
        names = tuple(name for name in known if name in subtask.scope.tools)
        return Session(
            setup=self._setup,
            calls=calls,
            past=past,
            purse=self._purse(subtask, notes),
            limits=subtask.limits,
            web=subtask.scope.web,
            turns=[Said(opening(subtask, names, coverage.in_scope, given, self._given_chars))],
        )

    @property
    def _given_chars(self) -> int:
        """How much of what prerequisites found is shown at once; the rest can be read."""
        return min(GIVEN_CHARS, self.card.window * CHARS_A_TOKEN // GIVEN_PART)

    @cached_property
    def _setup(self) -> Setup:
        output = min(MAX_OUTPUT, self.card.max_output, self.card.window // 4)
        return Setup(
            model=self.model,
            system=prompt("system").template,
            tools=(*union(self.tools, self.remote, self.offered), *SPECS),
            web=self.web,
            window=int(self.card.window * WINDOW_SHARE),
            max_tokens=output,
            effort=self.effort,
            hedge=self.hedge,
        )

    def _purse(self, subtask: Subtask, notes: Notes) -> tuple[Account, ...]:
        own = Account(notes.key("spent"), Limit(tokens=subtask.limits.tokens), "limits.tokens")
        return (own, *self.purses(own.name.partition("/")[0]))

    async def _in_scope(self, subtask: Subtask, past: Past) -> int:
        """Files in scope, as they were when the work began; 0 where no tool of the scope looks at files."""
        if not any(name in self.tools for name in subtask.scope.tools):
            return 0
        if known := past.known.get("files"):
            return int(known)
        files = Files(self.roots, subtask.scope.places)
        try:
            count = await self.aside(lambda: _counted(files))
        except FanfoldError:  # a place that has gone: the tools will say so
            count = 0
        await past.keep("files", str(count))
        return count

    def _result(self, subtask: Subtask, session: Session, ending: Ending, spent: Amount, seconds: float) -> Result:
        calls = session.calls
        report = calls.report
        fields: dict[str, Any] = {
            "engine": self.engine[:100],
            "summary": report.summary[:20_000] if report else "",
            "text": ending.text,
            "gaps": _lines(report.gaps) if report else (),
            "examined": calls.coverage.examined,
            "usage": _usage(session.replies, calls.made, spent),
            "seconds": seconds,
            "findings": tuple(calls.noted),
        }
        status, reason = _standing(ending, calls.noted)
        if status is not Status.ok:
            return Result(subtask=subtask.id, status=status, reason=reason[:2_000], **fields)
        return Result.ended(subtask.id, **fields)


def _standing(ending: Ending, noted: list[Finding]) -> tuple[Status, str]:
    """The status, unless what was reported and examined says it better."""
    if ending.status is Status.ok and noted and not any(finding.evidence for finding in noted):
        return Status.partial, "none of its findings has evidence that could be looked up"
    return ending.status, ending.reason


def _ended_by(error: FanfoldError) -> Ending:
    text = " ".join(str(error).split())
    if isinstance(error, OverBudgetError):
        return Ending(Status.over_budget, text)
    if isinstance(error, TooLongError):
        return Ending(Status.truncated, text)
    if isinstance(error, BusyError):
        return Ending(Status.timed_out, text)
    return Ending(Status.failed, text)


def _usage(replies: list[Reply], made: int, spent: Amount) -> Usage:
    """What it took: all that was charged, also for tries that failed."""
    usage = used(replies, made)
    return usage.model_copy(update={"model_calls": max(usage.model_calls, spent.calls), "usd": spent.usd})


def _lines(texts: Iterable[object]) -> tuple[Line, ...]:
    lines = (" ".join(str(text).split())[:300] for text in texts)
    return tuple(dict.fromkeys(line for line in lines if line))[:200]


def _counted(files: Files) -> int:
    count = 0
    for document in files.walk():
        count += not document.place.endswith("/")
        if count >= MOST_FILES:
            break
    return count


def union(
    tools: Mapping[str, Tool[Any]], remote: Mapping[str, RemoteTool], offered: Iterable[str]
) -> tuple[ToolSpec, ...]:
    """All tools as a model sees them: fanfold's own, and of other servers those offered, in the order of names.

    Every worker of a run is shown the same, whatever its scope: the same bytes are cached once.
    """
    own = [ToolSpec(t.name, t.description, json.dumps(t.arguments.model_json_schema())) for t in tools.values()]
    theirs = [remote[name] for name in sorted(set(offered)) if name in remote]
    return (*own, *(ToolSpec(t.name, t.description, t.schema) for t in theirs))
