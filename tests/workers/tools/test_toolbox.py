"""A toolbox runs what its scope names, with arguments that fit, and nothing else."""

import threading
from collections.abc import Mapping
from typing import Annotated, Any
from unicodedata import category

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from tests.workers.models.doubles import virtual_time

from fanfold_workers.aside import inline
from fanfold_workers.contract import Finding, Scope, Value
from fanfold_workers.errors import FanfoldError, InputError, ScopeError
from fanfold_workers.hedging import Hedges
from fanfold_workers.tools.files import Files
from fanfold_workers.tools.roots import MemoryRoot
from fanfold_workers.tools.toolbox import Answer, RemoteTool, Tool, Toolbox


class Arguments(Value):
    """What the tool under test takes."""

    place: str
    most: Annotated[int, Field(ge=1, le=9)] = 1
    share: float = 0.5


def run(files: Files, arguments: Arguments) -> Answer:
    text = files.text(arguments.place) or ""
    return Answer(text[: arguments.most], findings=(Finding(subject="s", claim="c"),))


SHOW = Tool(name="show", description="Shows.", arguments=Arguments, run=run)
ROOTS = {"r": MemoryRoot("r", {"a": "inside", "d/b": "other"})}


def toolbox(*tools: str, places: tuple[str, ...] = ("r:a",)) -> Toolbox:
    return Toolbox({"show": SHOW}, ROOTS, Scope(places=places, tools=tools), aside=inline)


async def said(box: Toolbox, name: str, arguments: Any) -> str:
    with pytest.raises(FanfoldError) as refused:
        await box.call(name, arguments)
    return str(refused.value)


async def test_a_tool_in_scope_answers() -> None:
    answer = await toolbox("show").call("show", {"place": "r:a", "most": 2})
    assert answer == Answer("in", findings=(Finding(subject="s", claim="c"),))


async def test_a_tool_that_the_scope_does_not_name_is_refused() -> None:
    assert [
        await said(toolbox("other", "show"), "rm\nx", {}),
        await said(toolbox("other"), "other", {}),
        await said(toolbox(), "show", {"place": "r:a"}),
    ] == [
        "tool: The tool rm�x is not in this scope. Use one of: show.",
        "tool: The tool other is not in this scope. Ask for a scope with tools: this one has none.",
        "tool: The tool show is not in this scope. Ask for a scope with tools: this one has none.",
    ]


async def test_a_place_out_of_scope_is_refused_whatever_the_tool() -> None:
    with pytest.raises(ScopeError, match=r"r:d/b is outside this scope\. Stay within r:a\."):
        await toolbox("show").call("show", {"place": "r:d/b"})


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "show.place"),
        ({"place": 1}, "show.place"),
        ({"place": "r:a", "most": True}, "show.most"),
        ({"place": "r:a", "most": "2"}, "show.most"),
        ({"place": "r:a", "most": 10}, "show.most"),
        ({"place": "r:a", "most": 2.5}, "show.most"),
        ({"place": "r:a", "share": float("nan")}, "show.share"),
        ({"place": "r:a", "x\n" * 900: 1}, "show.x"),
        ({"place": "\ud800"}, "show.arguments"),
        ({"place": b"r:a"}, "show.arguments"),
        (["r:a"], "show.arguments"),
        (None, "show.arguments"),
    ],
)
async def test_arguments_that_do_not_fit_are_named_with_what_the_tool_takes(arguments: Any, field: str) -> None:
    with pytest.raises(InputError) as refused:
        await toolbox("show").call("show", arguments)
    error = refused.value
    assert (error.field[: len(field)], error.remedy) == (field, "It takes: place, most, share.")
    assert str(error).isprintable()
    assert len(str(error)) < 1_000


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["place", "most", "share", "x"]) | st.text(), json, max_size=4))
async def test_whatever_a_model_sends_comes_to_an_answer_or_an_error_that_helps(arguments: dict[str, Any]) -> None:
    try:
        said = (await toolbox("show").call("show", arguments)).text
    except FanfoldError as error:
        said = f"{error} {error.remedy or chr(0)}"
    assert {category(char) for char in said}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})


async def test_a_name_in_an_error_cannot_pass_for_another() -> None:
    assert await said(toolbox("show"), "show", {"place": "r:\u202egpj.exe\u2028"}) == (
        "place: r:�gpj.exe� is outside this scope. Stay within r:a."
    )


async def test_arguments_nested_without_end_are_refused() -> None:
    endless: dict[str, Any] = {}
    endless["place"] = endless
    assert await said(toolbox("show"), "show", endless) == (
        "show.arguments: They are not JSON. It takes: place, most, share."
    )


async def test_tools_run_beside_the_event_loop() -> None:
    seen: list[threading.Thread] = []

    def note(files: Files, arguments: Arguments) -> Answer:
        seen.append(threading.current_thread())
        return Answer("")

    box = Toolbox(
        {"note": Tool(name="note", description="", arguments=Arguments, run=note)}, ROOTS, Scope(tools=("note",))
    )
    assert await box.call("note", {"place": "r:a"}) == Answer("")
    assert seen != [threading.current_thread()]


async def log(arguments: Mapping[str, object]) -> Answer:
    return Answer(f"commits {sorted(arguments)}")


async def test_a_tool_of_another_server_is_called_if_the_scope_names_both() -> None:
    remote = {"git__log": RemoteTool("git__log", "Logs.", "{}", "git", log)}

    def box(tools: tuple[str, ...], servers: tuple[str, ...]) -> Toolbox:
        scope = Scope(tools=tools, servers=servers)
        return Toolbox({"show": SHOW}, ROOTS, scope, aside=inline, remote=remote)

    assert await box(("show", "git__log"), ("git",)).call("git__log", {"n": 1}) == Answer("commits ['n']")
    assert [
        await said(box(("show",), ("git",)), "git__log", {}),
        await said(box(("git__log",), ()), "git__log", {}),
        await said(box(("git__log",), ("jira",)), "git__log", {}),
        await said(box(("git__log", "git__push"), ("git",)), "git__push", {}),
    ] == [
        "tool: The tool git__log is not in this scope. Use one of: show.",
        "servers: The server git is not in this scope. Use one of: none.",
        "servers: The server git is not in this scope. Use one of: jira.",
        "tool: The tool git__push is not in this scope. Use one of: git__log.",
    ]


# -- slow calls ------------------------------------------------------------------------------------------------------


async def slow_of_eight(*, read_only: bool, hedges: Hedges | None) -> tuple[list[float], float]:
    """Eight calls of one tool, of which the last takes a minute; when it was made, and when it was answered."""
    made: list[float] = []
    started = anyio.current_time()

    async def log(arguments: Mapping[str, object]) -> Answer:
        slow = arguments["n"] == 7
        if slow:
            made.append(anyio.current_time() - started)
        await anyio.sleep(60 if slow and len(made) == 1 else 3)
        return Answer(f"commit {arguments['n']}")

    tool = RemoteTool("git__log", "Logs.", "{}", "git", log, read_only=read_only)
    answers: dict[int, tuple[Answer, float]] = {}

    async def call(number: int) -> None:
        # Each is another worker's.
        scope = Scope(tools=("git__log",), servers=("git",))
        box = Toolbox({}, ROOTS, scope, aside=inline, remote={"git__log": tool}, hedges=hedges)
        answers[number] = await box.call("git__log", {"n": number}), anyio.current_time() - started

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(call, number)
    assert [answers[n][0] for n in range(8)] == [Answer(f"commit {n}") for n in range(8)]
    return made, answers[7][1]


@pytest.mark.parametrize("anyio_backend", [virtual_time()])
async def test_a_slow_call_of_another_servers_tool_that_only_reads_is_made_a_second_time() -> None:
    assert await slow_of_eight(read_only=True, hedges=Hedges()) == ([0, pytest.approx(3.9)], pytest.approx(6.9))


@pytest.mark.parametrize("anyio_backend", [virtual_time()])
@pytest.mark.parametrize(("read_only", "hedges"), [(False, Hedges()), (True, None)])
async def test_a_tool_that_may_change_something_is_never_called_twice_nor_any_where_nobody_wants_it(
    read_only: bool, hedges: Hedges | None
) -> None:
    assert await slow_of_eight(read_only=read_only, hedges=hedges) == ([0], 60)
