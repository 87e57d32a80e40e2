"""A worker in a house of its own, with a model that plays from a script."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fanfold_workers.accounts import Account, Limit
from fanfold_workers.agent import AgentWorker
from fanfold_workers.aside import inline
from fanfold_workers.contract import Finding, Limits, Result, Scope, Subtask, numbered
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.models.catalog import Card, Price
from fanfold_workers.models.model import Answered, Ask, FunctionModel, Model, Reply, Tokens, calling
from fanfold_workers.models.stack import stacked
from fanfold_workers.tools.catalog import shipped
from fanfold_workers.tools.roots import MemoryRoot
from fanfold_workers.tools.toolbox import RemoteTool
from fanfold_workers.work import Step

CARD = Card("simulated", 200_000, 8_000, Price(1, 5, 0.1, 1.25))
FILES = {f"m{n}.py": f"TIMEOUT = {n}\n" for n in range(5)}
TOOLS = ("list", "read", "search", "secrets")
SAID = {
    "subject": "m1.py",
    "claim": "It waits one second.",
    "severity": "low",
    "confidence": 0.9,
    "evidence": [{"source": "code:m1.py", "locator": "L1", "quote": "TIMEOUT = 1"}],
}
SEARCH = ("search", {"pattern": "TIMEOUT"})
REPORT = ("report", {"summary": "All wait.", "gaps": []})


@dataclass
class Kept:
    """Notes in a list."""

    findings: list[Finding] = field(default_factory=list)
    begun: bool = True
    steps: list[Step] = field(default_factory=list)

    def key(self, kind: str) -> str:
        return f"r-1/{kind}/s1/001"

    async def found(self, *findings: Finding) -> tuple[Finding, ...]:
        noted = numbered("s1", findings, len(self.findings) + 1)
        self.findings.extend(noted)
        return noted

    def step(self, step: Step) -> None:
        self.steps.append(step)


Line = Reply | BaseException | Callable[[Ask], Reply]


@dataclass
class Script:
    """Replies one after another; the last again and again. `asked` is what the model was asked."""

    lines: Sequence[Line]
    asked: list[Ask] = field(default_factory=list)

    async def __call__(self, ask: Ask) -> Reply:
        line = self.lines[min(len(self.asked), len(self.lines) - 1)]
        self.asked.append(ask)
        if isinstance(line, BaseException):
            raise line
        return line(ask) if callable(line) else line

    def answers(self, turn: int) -> list[str]:
        """What the model was told of its calls before that request."""
        last = [t for t in self.asked[turn].turns if isinstance(t, Answered)][-1]
        return [answer.text for answer in last.answers]

    def said(self, turn: int) -> str:
        """What was said to it besides, last before that request."""
        last = self.asked[turn].turns[-1]
        return getattr(last, "text", "")


@dataclass
class House:
    """One journal, one root, and workers over them."""

    journal: MemoryJournal = field(default_factory=MemoryJournal)
    files: Mapping[str, str] = field(default_factory=lambda: FILES)
    remote: Mapping[str, RemoteTool] = field(default_factory=dict)
    usd: float = 10.0
    kept: Kept = field(default_factory=Kept)

    def worker(self, model: Model, card: Card = CARD, **changes: Any) -> AgentWorker:
        purse = (Account("r-1", Limit(micros=int(self.usd * 1e6)), "max_usd_per_run"),)
        return AgentWorker(
            model=stacked(model, card, self.journal),
            card=card,
            journal=self.journal,
            tools=shipped(),
            roots={"code": MemoryRoot("code", self.files)},
            purses=lambda run: purse,
            remote=self.remote,
            offered=tuple(self.remote),
            aside=inline,
            **changes,
        )

    async def done(self, script: Script, subtask: Subtask | None = None, **changes: Any) -> Result:
        worker = self.worker(FunctionModel(script), **changes)
        return await worker.work(subtask or subtask_of(), self.kept)


def subtask_of(*tools: str, limits: Limits | None = None, **scope: Any) -> Subtask:
    given = Scope(**({"places": ("code",), "tools": tools or TOOLS} | scope))
    return Subtask(
        id="s1", title="Timeouts", objective="How long do they wait?", scope=given, limits=limits or Limits()
    )


def noting(*findings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return "note_findings", {"findings": list(findings)}


def used(read: int, written: int = 100) -> Tokens:
    return Tokens(input=read, output=written)


DONE = calling(SEARCH, noting(SAID)), calling(REPORT)
