"""Every call of a tool is written down before it is answered, and those that are refused as well."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from tests.workers.agent.agent_cases import DONE, REPORT, SAID, SEARCH, House, Kept, Script, noting, subtask_of
from trio.testing import MockClock

from fanfold_workers.aside import inline
from fanfold_workers.contract import Examined, Finding, Scope, Status, Subtask
from fanfold_workers.errors import FanfoldError, InputError, ServerError
from fanfold_workers.models.model import calling
from fanfold_workers.rules import RulesWorker
from fanfold_workers.tools.audit import Called, Executor, audited
from fanfold_workers.tools.files import Files
from fanfold_workers.tools.roots import MemoryRoot
from fanfold_workers.tools.toolbox import Answer, Inspect, RemoteTool, Tool, Toolbox


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@dataclass
class Book:
    """An audit in a list, which takes two seconds to write, or refuses to."""

    refuses: bool = False
    calls: list[Called] = field(default_factory=list)

    async def write(self, called: Called) -> None:
        await anyio.sleep(2)
        if self.refuses:
            msg = "The disk is full."
            raise FanfoldError(msg, field="audit", remedy="Free some space.")
        self.calls.append(called)

    @property
    def outcomes(self) -> list[tuple[str, str, str]]:
        return [(called.tool, called.outcome, called.error) for called in self.calls]


def look(files: Files, given: Inspect) -> Answer:
    seen = [document.place for document in files.walk(given.under)]
    return Answer("x" * 70, (Finding(subject="s", claim="c"),) * 3, Examined(done=len(seen), in_scope=9))


def crash(files: Files, given: Inspect) -> Answer:
    msg = "no\nluck"
    raise RuntimeError(msg)


def remote(name: str, call: Any) -> RemoteTool:
    return RemoteTool(f"far__{name}", "", "{}", "far", call)


async def slow(arguments: Mapping[str, object]) -> Answer:
    await anyio.sleep(60)
    return Answer("done")


async def gone(arguments: Mapping[str, object]) -> Answer:
    msg = "It has gone."
    raise ServerError(msg)


async def unwilling(arguments: Mapping[str, object]) -> Answer:
    msg = "Not on a Sunday."
    raise InputError(msg, field="far__unwilling")


TOOLS = {name: Tool(name, "", Inspect, run, inspection=True) for name, run in {"look": look, "crash": crash}.items()}
REMOTE = {tool.name: tool for tool in (remote("slow", slow), remote("gone", gone), remote("unwilling", unwilling))}
ROOTS = {"r": MemoryRoot("r", {"a/x.py": "1", "a/y.py": "2", "b/z.py": "3"})}


def executor(book: Book) -> Executor:
    scope = Scope(places=("r:a",), tools=("look", "crash", *REMOTE), servers=("far",))
    return audited(Toolbox(TOOLS, ROOTS, scope, aside=inline, remote=REMOTE), book.write, Kept())


async def failing(book: Book, name: str, **arguments: object) -> None:
    with pytest.raises((FanfoldError, RuntimeError)):
        await executor(book).call(name, arguments)


async def test_an_answered_call_is_written_down_with_its_sizes_and_none_of_its_text() -> None:
    book, before = Book(), datetime.now(UTC)
    await executor(book).call("look", {"question": "why?"})
    (called,) = book.calls
    assert before <= called.at <= datetime.now(UTC)
    assert replace(called, at=before) == Called(
        at=before,
        run="r-1",
        subtask="s1",
        attempt=1,
        tool="look",
        arguments={"question": "why?"},
        outcome="ok",
        characters=70,
        findings=3,
        examined=2,
    )


async def test_an_answer_waits_until_its_call_is_written_down() -> None:
    started = anyio.current_time()
    await executor(Book()).call("look", {})
    assert anyio.current_time() - started == 2


async def test_without_an_audit_a_worker_has_the_bare_toolbox() -> None:
    toolbox = Toolbox(TOOLS, ROOTS, Scope())
    assert audited(toolbox, None, Kept()) is toolbox


async def test_calls_that_are_refused_are_written_down_with_the_reason() -> None:
    book = Book()
    await failing(book, "rm\n-rf", place="r:b")
    await failing(book, "look", under="r:b/z.py")
    await failing(book, "look", over=1)
    await failing(book, "look", under="r:a/none")
    assert [(tool, outcome, error.partition(".")[0]) for tool, outcome, error in book.outcomes] == [
        ("rm\ufffd-rf", "refused", "tool: The tool rm\ufffd-rf is not in this scope"),
        ("look", "refused", "place: r:b/z"),
        ("look", "refused", "look"),
        ("look", "refused", "place: r:a/none is not there"),
    ]
    assert [called.arguments for called in book.calls][:2] == [{"place": "r:b"}, {"under": "r:b/z.py"}]


async def test_calls_that_fail_are_told_from_those_that_are_refused() -> None:
    book = Book()
    for name in ("crash", "far__gone", "far__unwilling"):
        await failing(book, name)
    assert book.outcomes == [
        ("crash", "failed", "RuntimeError: no\ufffdluck"),
        ("far__gone", "failed", "It has gone."),
        ("far__unwilling", "failed", "far__unwilling: Not on a Sunday."),
    ]


async def test_a_long_name_and_a_long_error_are_cut() -> None:
    book = Book()
    await failing(book, "look" * 100)
    await failing(book, "look", **{"x" * 999: 1, "under": "r:" + "y" * 999})
    assert [len(called.tool) for called in book.calls] == [100, 4]
    assert max(len(called.error) for called in book.calls) <= 300


async def test_a_call_that_is_cut_off_is_written_down_all_the_same() -> None:
    book = Book()
    with anyio.move_on_after(7) as scope:
        await executor(book).call("far__slow", {"n": 1})
    (called,) = book.calls
    assert (scope.cancelled_caught, called.outcome, called.seconds) == (True, "cancelled", 7)


async def test_an_answer_that_cannot_be_written_down_is_withheld() -> None:
    with pytest.raises(FanfoldError, match=r"^audit: The disk is full\. Free some space\.$"):
        await executor(Book(refuses=True)).call("look", {})


async def test_a_call_is_cut_off_even_if_that_cannot_be_written_down() -> None:
    with anyio.move_on_after(7) as scope:
        await executor(Book(refuses=True)).call("far__slow", {})
    assert scope.cancelled_caught


# -- workers -------------------------------------------------------------------------------------------------------


async def rules(book: Book, *checks: str) -> Any:
    subtask = Subtask(
        id="s1", title="t", objective="What?", checks=checks, scope=Scope(places=("r:a",), tools=("look",))
    )
    return await RulesWorker(TOOLS, ROOTS, inline, audit=book.write).work(subtask, Kept())


async def test_the_rules_worker_leaves_a_line_for_each_check_also_for_one_outside_its_scope() -> None:
    book = Book()
    await rules(book, "look", "crash")
    assert [(called.tool, called.outcome) for called in book.calls] == [("look", "ok"), ("crash", "refused")]


async def test_a_check_that_cannot_be_written_down_counts_as_failed_and_the_result_says_why() -> None:
    result = await rules(Book(refuses=True), "look")
    assert (result.status, result.reason) == (
        Status.failed,
        "look did not run: audit: The disk is full. Free some space.",
    )


async def test_a_model_that_asks_outside_its_scope_is_written_down_and_its_notes_are_not() -> None:
    book, house = Book(), House()
    calls = [SEARCH, ("read", {"place": "home:passwords"}), ("delete", {"place": "code:m1.py"}), noting(SAID)]
    await house.done(Script([calling(*calls), calling(REPORT)]), subtask_of("search", "read"), audit=book.write)
    assert sorted((called.tool, called.outcome, called.arguments) for called in book.calls) == [
        ("delete", "refused", {"place": "code:m1.py"}),
        ("read", "refused", {"place": "home:passwords"}),
        ("search", "ok", {"pattern": "TIMEOUT"}),
    ]
    assert {(called.run, called.subtask, called.attempt) for called in book.calls} == {("r-1", "s1", 1)}


async def test_a_worker_that_goes_on_leaves_no_second_line_for_what_it_remembers() -> None:
    book, house = Book(), House()
    for _ in range(2):
        await house.done(Script(DONE), audit=book.write)
    assert [called.tool for called in book.calls] == ["search"]


async def test_a_model_is_told_that_its_call_could_not_be_written_down_instead_of_the_answer() -> None:
    script = Script([calling(SEARCH), calling(REPORT)])
    result = await House().done(script, audit=Book(refuses=True).write)
    assert script.answers(1) == ["audit: The disk is full. Free some space."]
    assert result.status is not Status.ok
