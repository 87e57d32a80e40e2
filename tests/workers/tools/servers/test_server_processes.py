"""Real servers as child processes, of both eras: what they answer, how they fail, and that they go."""

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot
from mcp.client import stdio
from tests.workers.tools.servers.server_cases import alive, gone, over, plain, python

from fanfold_workers.errors import FanfoldError, InputError, ServerError
from fanfold_workers.tools.servers import Declared, Servers
from fanfold_workers.tools.toolbox import Answer

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])
MODERN = python("modern", "modern_server.py", env={"GIVEN": "by its entry"})


async def said(servers: Servers, tool: str, **arguments: Any) -> str:
    with pytest.raises(FanfoldError) as error:
        await servers.call(tool, arguments)
    return f"{type(error.value).__name__} {error.value}"


async def test_a_server_of_the_newest_era_answers_without_seeing_our_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-ours")
    async with over(MODERN) as servers:
        tools = await servers.tools()
        assert list(tools)[:3] == ["modern__environ", "modern__add", "modern__everything"]
        assert [name for name, tool in tools.items() if tool.read_only] == ["modern__add"]
        assert json.loads(tools["modern__add"].schema)["required"] == ["a", "b"]
        environ = json.loads((await servers.call("modern__environ", {})).text)
        assert environ["GIVEN"] == "by its entry"
        assert environ.keys() - {"GIVEN", "LC_CTYPE"} <= {"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"}

        assert await servers.call("modern__everything", {}) == Answer(
            "some text\na memo\n[resource memo://3]\n[image left out]\n[binary resource left out]"
        )
        assert await servers.call("modern__structured", {}) == Answer('{"rows":[1,2]}')
        cut = "cut: the first 400,000 of 400,001 characters"
        answer = await servers.call("modern__long", {"chars": 400_001})
        assert answer == Answer(f"{'x' * 400_000}\n[{cut}]", gaps=(f"The answer was {cut}.",))
        assert "InputError modern__add: " in await said(servers, "modern__add", a="one", b=2)
        assert await said(servers, "modern__fail") == "InputError modern__fail: Error executing tool fail"


async def test_a_server_of_the_handshake_era_answers_and_its_faults_are_told() -> None:
    async with over(plain(), call_seconds=0.5) as servers:
        assert await servers.call("plain__echo", {"text": "ä\u2028€"}) == Answer("ä\u2028€")
        assert await servers.call("plain__surrogate", {}) == Answer("before \ufffd after")
        faults = ["refuse", "absent", "bytes", "protocol_error", "nonsense", "hang", "noise"]
        told = [(await said(servers, f"plain__{tool}")).partition(" Try once more")[0] for tool in faults]
        assert told == snapshot(
            [
                "InputError plain__refuse: That file is not there.",
                "InputError plain__absent: Unknown tool: absent",
                "ServerError servers.plain: It did not answer within 0.5 s. 1 of its lines were no messages.",
                "ServerError servers.plain: It did not answer as it should: The disk is full.",
                "ServerError servers.plain: It did not answer as it should: content: Input should be a valid list.",
                "ServerError servers.plain: It did not answer within 0.5 s. 1 of its lines were no messages.",
                "ServerError servers.plain: It did not answer within 0.5 s. 2 of its lines were no messages.",
            ]
        )
        with pytest.raises(InputError, match="They are not a JSON object"):
            await servers.call("plain__echo", {"text": "\ud800"})
        assert await servers.call("plain__echo", {"text": "still there"}) == Answer("still there")


async def test_what_does_not_start_is_told_and_does_not_hinder_the_others() -> None:
    modes = [plain(mode, name=mode) for mode in ("dies", "silent", "garbage")]
    nowhere = Declared("nowhere", "/no/such/command")
    async with over(plain(), *modes, nowhere, start_seconds=2.5) as servers:
        tools = await servers.tools()
        assert {tool.server for tool in tools.values()} == {"plain"}
        failed = {name: why.partition(" Try once more")[0].partition(": ")[2] for name, why in servers.failed.items()}
        assert failed == snapshot(
            {
                "nowhere": "/no/such/command was not found.",
                "dies": "It ended before it answered. It said last: \"No module named 'nowhere'\".",
                "silent": "It did not answer within 2.5 s of its start.",
                "garbage": "It did not answer within 2.5 s of its start. 1 of its lines were no messages.",
            }
        )


async def test_fanfold_under_another_name_is_known_by_what_it_says_of_itself() -> None:
    async with over(python("itself", "modern_server.py", "fanfold")) as servers:
        assert await servers.tools() == {}
        assert servers.failed["itself"].startswith("servers.itself: That is fanfold itself. ")


async def test_calls_run_side_by_side_and_a_cancelled_one_leaves_the_others_alone() -> None:
    async with over(plain()) as servers:
        with anyio.move_on_after(0.1) as scope:
            await servers.call("plain__hang", {})
        assert scope.cancelled_caught
        async with anyio.create_task_group() as group:
            group.start_soon(servers.call, "plain__hang", {})
            assert await servers.call("plain__echo", {"text": "beside"}) == Answer("beside")
            group.cancel_scope.cancel()


async def test_a_server_that_dies_is_started_once_more_and_its_last_words_are_told_without_its_secrets() -> None:
    async with over(plain(KEY="sk-secret")) as servers:
        first = int((await servers.call("plain__pid", {})).text)
        assert await said(servers, "plain__die") == (
            "ServerError servers.plain: It ended in the middle of a call, which may have been carried out."
            ' It said last: "my key was …". Try once more; else mend plain in the servers file, or do without it.'
        )
        second = int((await servers.call("plain__pid", {})).text)
        assert first != second
        assert not alive(first)
        await said(servers, "plain__die")
        assert "It has ended 2 times and is not started again." in await said(servers, "plain__pid")
        assert not alive(second)


async def test_one_that_was_killed_while_nobody_called_is_started_again_for_the_next_caller() -> None:
    async with over(plain()) as servers:
        pid = int((await servers.call("plain__pid", {})).text)
        os.kill(pid, signal.SIGKILL)
        assert await gone(pid)
        await anyio.sleep(0.5)  # until the end of its stdout has been read
        assert await servers.call("plain__echo", {"text": "back"}) == Answer("back")


async def test_no_process_is_left_even_of_one_that_will_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "PROCESS_TERMINATION_TIMEOUT", 0.2)
    monkeypatch.setattr(stdio, "FORCE_KILL_TIMEOUT", 0.2)
    async with over(plain(), plain("stays", name="stays")) as servers:
        pids = [int((await servers.call(f"{name}__pid", {})).text) for name in ("plain", "stays")]
        assert [alive(pid) for pid in pids] == [True, True]
    assert [await gone(pid) for pid in pids] == [True, True]


async def test_what_a_server_says_on_stderr_goes_to_our_log_and_nowhere_else(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fanfold_workers.tools.servers")
    async with over(plain(KEY="sk-secret")) as servers:
        await said(servers, "plain__die")
    assert [record.message for record in caplog.records if "servers" in record.name] == ["plain: my key was …"]
    assert capfd.readouterr() == ("", "")


async def test_a_description_that_changes_under_a_running_server_is_noticed(tmp_path: Path) -> None:
    description = tmp_path / "description"
    description.write_text("Says it.")
    async with over(plain("", str(description))) as servers:
        assert (await servers.tools())["plain__echo"].description == "Says it."
        description.write_text("Says it, and more.")
        assert (await servers.tools())["plain__echo"].changed
        with pytest.raises(ServerError, match="It has changed since it was pinned"):
            await servers.call("plain__echo", {"text": "x"})
        assert await servers.accept("plain") == ("plain__echo",)
        assert await servers.call("plain__echo", {"text": "x"}) == Answer("x")


async def test_tools_are_listed_anew_when_the_server_announces_a_change(tmp_path: Path) -> None:
    description = tmp_path / "description"
    description.write_text("Says it.")
    async with over(plain("", str(description))) as servers:
        await servers.call("plain__echo", {"text": "x"})
        description.write_text("Says it, and more.")
        await servers.call("plain__announce", {})
        await anyio.wait_all_tasks_blocked()
        assert "It has changed since it was pinned" in await said(servers, "plain__echo", text="x")


async def test_a_list_of_tools_may_have_pages_or_not_exist() -> None:
    async with over(plain("pages", name="pages"), plain("prompts", name="prompts")) as servers:
        assert [name for name in await servers.tools() if "echo" in name] == ["pages__echo", "pages__echo_again"]
        assert (servers.failed, servers.notes) == ({}, ())


async def test_declaring_servers_does_not_import_the_sdk() -> None:
    code = "import sys, fanfold_workers.tools.servers; print('mcp' in sys.modules)"
    ran = await anyio.run_process([sys.executable, "-c", code], stderr=subprocess.STDOUT)
    assert ran.stdout == b"False\n"
