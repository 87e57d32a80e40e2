"""A worker without a model: it runs the checks its subtask names, one after another, and reports what they saw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from fanfold_workers.aside import Aside, in_thread
from fanfold_workers.contract import Examined, Line, Result, Status, Subtask, Usage
from fanfold_workers.errors import FanfoldError
from fanfold_workers.tools.audit import Audit, audited
from fanfold_workers.tools.roots import Root
from fanfold_workers.tools.toolbox import Answer, Runner, Tool, Toolbox
from fanfold_workers.work import Notes, Step

ENGINE = "rules"


@dataclass(frozen=True, slots=True)
class RulesWorker:
    """Does the subtasks that name checks.

    Attributes:
        tools: every tool there is, by name; the subtask's scope decides which may run.
        roots: every configured root, by name.
        aside: where blocking work runs.
        runner: runs the tools instead, if there is one.
        audit: hears of each call, if anybody should.
    """

    tools: Mapping[str, Tool[Any]]
    roots: Mapping[str, Root]
    aside: Aside = field(default=in_thread)
    runner: Runner | None = None
    audit: Audit | None = None

    @property
    def engine(self) -> str:
        """See Worker."""
        return ENGINE

    def accepts(self, subtask: Subtask, /) -> bool:
        """Whether the subtask names checks."""
        return bool(subtask.checks)

    async def work(self, subtask: Subtask, notes: Notes, /) -> Result:
        """Run each check, noting its findings at once. A check that fails leaves the others alone."""
        started = anyio.current_time()
        own = Toolbox(self.tools, self.roots, subtask.scope, self.aside, self.runner)
        toolbox = audited(own, self.audit, notes)
        answers: list[Answer] = []
        failed: list[str] = []
        for check in subtask.checks:
            for under in self._unders(subtask, check):
                notes.step(_step(check, under, answers))
                try:
                    answer = await toolbox.call(check, {"question": subtask.objective, "under": under})
                except FanfoldError as error:
                    failed.append(f"{check} did not run{f' in {under}' if under else ''}: {error}")
                    continue
                await notes.found(*answer.findings)
                answers.append(answer)
        return _result(subtask, answers, failed, anyio.current_time() - started)

    def _unders(self, subtask: Subtask, check: str) -> tuple[str, ...]:
        """Where a check looks: everywhere at once, or at each project of a group by itself."""
        by_itself = check in self.tools and self.tools[check].project and len(subtask.scope.places) > 1
        return subtask.scope.places if by_itself else ("",)


def _step(check: str, under: str, answers: list[Answer]) -> Step:
    examined = _total([answer.examined for answer in answers])
    return Step("tool", f"{check} {under}".strip(), examined, Usage(tool_calls=len(answers)))


def _result(subtask: Subtask, answers: list[Answer], failed: list[str], seconds: float) -> Result:
    examined = _total([answer.examined for answer in answers])
    found = sum(len(answer.findings) for answer in answers)
    gaps = _lines([gap for answer in answers for gap in answer.gaps] + failed)
    fields: dict[str, Any] = {
        "engine": ENGINE,
        "gaps": gaps,
        "examined": examined,
        "usage": Usage(tool_calls=len(answers) + len(failed)),
        "seconds": seconds,
    }
    if failed:
        status = Status.partial if answers else Status.failed
        return Result(subtask=subtask.id, status=status, reason="; ".join(failed)[:2_000], **fields)
    looked = (
        f"{', '.join(subtask.checks)}: {found} findings in {examined.done} of {examined.in_scope} {examined.unit}."
    )
    return Result.ended(subtask.id, summary=looked, **fields)


def _total(parts: list[Examined]) -> Examined:
    total = sum(parts[1:], start=parts[0]) if parts else Examined()
    return total.model_copy(update={"unit": "file readings"}) if len(parts) > 1 else total


def _lines(texts: list[str]) -> tuple[Line, ...]:
    return tuple(dict.fromkeys(text.strip()[:300] for text in texts if text.strip()))[:200]
