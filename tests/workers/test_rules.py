"""The worker without a model."""

from dataclasses import dataclass, field

import pytest
from trio.testing import MockClock

from fanfold_workers.aside import inline
from fanfold_workers.contract import Examined, Finding, Scope, Status, Subtask, numbered
from fanfold_workers.errors import InputError
from fanfold_workers.rules import RulesWorker
from fanfold_workers.tools.files import Files
from fanfold_workers.tools.roots import MemoryRoot
from fanfold_workers.tools.toolbox import Answer, Inspect, Tool
from fanfold_workers.work import Step


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@dataclass
class Kept:
    """Notes in a list."""

    findings: list[Finding] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    async def found(self, *findings: Finding) -> tuple[Finding, ...]:
        noted = numbered("s1", findings, len(self.findings) + 1)
        self.findings.extend(noted)
        return noted

    def step(self, step: Step) -> None:
        self.steps.append(step)


def sighted(files: Files, args: Inspect) -> Answer:
    """One finding that names all files seen in one go."""
    seen = tuple(document.place for document in files.walk(args.under))
    finding = Finding(subject=" + ".join(seen), claim=f"asked {args.question}")
    return Answer("", (finding,), Examined(done=len(seen), in_scope=len(seen)), gaps=("no links were followed",))


def broken(files: Files, args: Inspect) -> Answer:
    msg = "It is out of order."
    raise InputError(msg, remedy="Mend it.")


def partly(files: Files, args: Inspect) -> Answer:
    return Answer("", examined=Examined(done=1, in_scope=3, left_out=("2 over 256 kB",)))


TOOLS = {
    name: Tool(name, name, Inspect, run, inspection=True, project=name == "each")
    for name, run in {"all": sighted, "each": sighted, "broken": broken, "partly": partly}.items()
}
ROOTS = {"repos": MemoryRoot("repos", {"a/x.py": "1", "b/y.py": "2", "c/z.py": "3"})}


async def work(*checks: str, places: tuple[str, ...] = ("repos:a", "repos:b"), tools: tuple[str, ...] = tuple(TOOLS)):
    scope = Scope(places=places, tools=tools)
    subtask = Subtask(id="s1", title="t", objective="What is there?", checks=checks, scope=scope)
    notes = Kept()
    return await RulesWorker(TOOLS, ROOTS, inline).work(subtask, notes), notes.findings


async def test_a_check_looks_at_all_of_its_scope_and_at_nothing_else():
    result, found = await work("all")
    assert [(f.id, f.subject, f.claim) for f in found] == [
        ("s1.1", "repos:a/x.py + repos:b/y.py", "asked What is there?")
    ]
    assert (result.status, result.examined.done, result.gaps) == (Status.ok, 2, ("no links were followed",))


async def test_a_check_of_projects_looks_at_each_project_of_a_group_by_itself():
    result, found = await work("each")
    assert [f.subject for f in found] == ["repos:a/x.py", "repos:b/y.py"]
    assert (result.status, result.usage.tool_calls) == (Status.ok, 2)


async def test_a_check_that_fails_leaves_the_others_alone_and_is_named():
    result, found = await work("broken", "all")
    assert len(found) == 1
    assert (result.status, result.reason) == (Status.partial, "broken did not run: It is out of order. Mend it.")


async def test_nothing_but_failed_checks_is_a_failure():
    result, _ = await work("broken")
    assert result.status is Status.failed


async def test_a_check_outside_the_scope_does_not_run():
    result, found = await work("all", tools=("each",))
    assert (result.status, found) == (Status.failed, [])
    assert "The tool all is not in this scope" in result.reason


async def test_a_place_that_is_gone_is_a_failure_that_names_it():
    result, _ = await work("all", places=("repos:gone",))
    assert result.status is Status.failed
    assert "repos:gone" in result.reason


async def test_work_that_did_not_see_all_is_partial_and_says_what_it_left_out():
    result, _ = await work("partly")
    assert (result.status, result.reason) == (Status.partial, "examined 1 of 3 files (2 over 256 kB)")


async def test_a_subtask_without_checks_takes_a_mind():
    worker = RulesWorker(TOOLS, ROOTS, inline)
    assert not worker.accepts(Subtask(id="s1", title="t", objective="Think."))
