"""The real process on real pipes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

ENVELOPE = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
}
INITIALIZE = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}

# The server as it is, with a worker of the test's own: s1 ends at once, the others when the file `go` is there.
SLOW = """
import anyio, os, sys
from pathlib import Path
from fanfold_server.mcp import build_server
from fanfold_server.mcp.stdio import serve
from fanfold_server.mcp.wire import own_wire
from fanfold_server.orchestrator import Orchestrator
from fanfold_workers.contract import Result

home = Path(os.environ["FANFOLD_HOME"])

async def worker(subtask):
    with (home / "log").open("a") as log:
        log.write(subtask.id + "\\n")
    while subtask.id != "s1" and not (home / "go").exists():
        await anyio.sleep(0.02)
    return Result.ended(subtask.id, text="Seen.")

async def main():
    async with Orchestrator(home=home, worker=worker) as fanfold:
        await serve(build_server(fanfold), own_wire())

anyio.run(main)
"""

# Prints, logs and warnings from a thread, from the moment when the wire has been claimed (fd 1 is fd 2 then).
NOISY = """
import logging, os, sys, threading, time, warnings
from fanfold_server.cli import main

def noise():
    while not os.path.sameopenfile(1, 2):
        time.sleep(0.001)
    while True:
        print("a print", flush=True)
        os.write(1, b"a write\\n")
        logging.error("a log line")
        warnings.warn("a warning")
        time.sleep(0.005)

threading.Thread(target=noise, daemon=True).start()
sys.argv = ["fanfold", "serve"]
main()
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Wire:
    """The host's ends of the pipes."""

    child: "subprocess.Popen[bytes]"

    def send(self, message: dict[str, Any] | bytes) -> None:
        assert self.child.stdin
        self.child.stdin.write((message if isinstance(message, bytes) else json.dumps(message).encode()) + b"\n")
        self.child.stdin.flush()

    def ask(self, number: int, method: str, **params: Any) -> dict[str, Any]:
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return self.next()

    def call(self, number: int, tool: str, **arguments: Any) -> dict[str, Any]:
        answer = self.ask(number, "tools/call", name=tool, arguments=arguments)
        assert answer["id"] == number
        result: dict[str, Any] = answer["result"]["structuredContent"]
        return result

    def next(self) -> dict[str, Any]:
        assert self.child.stdout
        answer: dict[str, Any] = json.loads(self.child.stdout.readline())
        return answer

    def hang_up(self) -> int:
        assert self.child.stdin
        self.child.stdin.close()
        return self.child.wait(20)


@contextmanager
def serving(home: Path, *command: str) -> Iterator[Wire]:
    """A child on pipes, with FANFOLD_HOME; dead at the end."""
    env = {**os.environ, "FANFOLD_HOME": str(home)}
    pipe = subprocess.PIPE
    command = command or ("-m", "fanfold_server", "serve")
    with subprocess.Popen([sys.executable, *command], stdin=pipe, stdout=pipe, stderr=pipe, env=env) as child:
        try:
            yield Wire(child)
        finally:
            child.kill()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_of_either_era_is_served_over_pipes(tmp_path, mode):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("alpha is red\n")
    serve = ["-m", "fanfold_server", "serve", "--root", f"docs={tmp_path / 'docs'}"]
    server = StdioServerParameters(command=sys.executable, args=serve, env={"FANFOLD_HOME": str(tmp_path / "home")})
    async with Client(server, mode=mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        own = [{"title": "One"}, {"title": "Two"}, {"title": "Three"}]
        planned = (await client.call_tool("plan", {"task": "Look", "subtasks": own})).structured_content
        quote = {"source": "docs:a.md", "locator": "L1", "quote": "alpha is red"}
        given = {"subject": "alpha", "claim": "It is red.", "evidence": [quote]}
        which = {"plan_id": planned["plan_id"], "subtask_id": "s1"}
        receipt = (await client.call_tool("submit", {**which, "findings": [given]})).structured_content
    assert names == ["plan", "dispatch", "submit", "synthesize", "read", "cancel"]
    assert (receipt["status"], receipt["quotes"]) == ("ok", {"verified": 1})


def test_a_host_that_discovers_and_then_initializes_is_served_in_both_eras(tmp_path):
    home = tmp_path / "home"
    with serving(home) as wire:
        assert "capabilities" in wire.ask(1, "server/discover", **ENVELOPE)["result"]
        assert wire.ask(2, "initialize", **INITIALIZE)["result"]["protocolVersion"] == "2025-06-18"
        wire.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert len(wire.ask(3, "tools/list")["result"]["tools"]) == 6
        assert len(wire.ask(4, "tools/list", **ENVELOPE)["result"]["tools"]) == 6
        assert not home.exists()  # no journal for who only looks
        assert wire.call(5, "read", ref="runs")["text"] == "No runs yet."
        assert wire.ask(6, "ping")["result"] == {}
        assert wire.hang_up() == 0


def test_a_cancelled_call_is_over_in_whichever_era_it_was_made(tmp_path):
    with serving(tmp_path, "-c", SLOW) as wire:
        wire.ask(1, "initialize", **INITIALIZE)
        plan_id = wire.call(2, "plan", task="Look", items=["a", "b"])["plan_id"]
        dispatch = {"name": "dispatch", "arguments": {"plan_id": plan_id}}
        for number, params in ((3, dispatch), (4, {**dispatch, **ENVELOPE})):
            wire.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
            wire.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})
        (tmp_path / "go").touch()
        assert wire.call(5, "dispatch", plan_id=plan_id)["counts"] == {"ok": 2}


def test_what_cannot_be_read_is_answered_and_the_rest_goes_on(tmp_path):
    with serving(tmp_path) as wire:
        wire.ask(1, "initialize", **INITIALIZE)
        wire.send(b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"read","arguments":')
        assert (wire.next()["id"], wire.send(b"")) == (2, None)
        wire.send(
            rb'{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"read","arguments":{"ref":"\ud800"}}}'
        )
        assert "nothing stored under \ufffd" in wire.next()["result"]["content"][0]["text"]
        wire.send(b'{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"plan","arguments":{"task":NaN}}}')
        assert wire.next()["id"] == 4
        assert wire.call(5, "read", ref="runs")["total"] == 12


def test_nothing_but_the_protocol_is_written_to_stdout(tmp_path):
    with serving(tmp_path, "-c", NOISY) as wire:
        assert wire.ask(1, "initialize", **INITIALIZE)["id"] == 1
        for number in range(2, 12):
            assert wire.call(number, "read", ref="runs")["ref"] == "runs"
        assert wire.child.stdin
        wire.child.stdin.close()
        assert wire.child.stdout
        assert wire.child.stdout.read() == b""
        assert wire.child.stderr
        said = wire.child.stderr.read()
    assert all(word in said for word in (b"a print", b"a write", b"a log line", b"a warning"))


def test_a_run_cut_off_by_its_host_is_taken_up_where_it_stood(tmp_path):
    with serving(tmp_path, "-c", SLOW) as wire:
        wire.ask(1, "initialize", **INITIALIZE)
        plan_id = wire.call(2, "plan", task="Look", items=["a", "b", "c"])["plan_id"]
        assert wire.call(3, "dispatch", plan_id=plan_id, wait_seconds=1)["counts"] == {"ok": 1}
        assert wire.hang_up() == 0
    with serving(tmp_path, "-c", SLOW) as wire:
        wire.ask(1, "initialize", **INITIALIZE)
        assert " interrupted 1/3 " in wire.call(2, "read", ref="runs")["text"]
        (tmp_path / "go").touch()
        assert wire.call(3, "dispatch", plan_id=plan_id)["counts"] == {"ok": 3}
    worked_on = (tmp_path / "log").read_text().split()
    assert (worked_on.count("s1"), worked_on.count("s2")) == (1, 2)


def test_a_journal_that_cannot_be_opened_is_an_error_of_the_call(tmp_path):
    home = tmp_path / "home"
    home.write_text("a file")
    with serving(home) as wire:
        wire.ask(1, "initialize", **INITIALIZE)
        for number in (2, 3):
            answer = wire.ask(number, "tools/call", name="read", arguments={"ref": "runs"})["result"]
            assert answer["isError"]
            assert "fanfold's" not in answer["content"][0]["text"]
        assert len(wire.ask(4, "tools/list")["result"]["tools"]) == 6


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child there")
def test_ctrl_c_ends_it_although_its_host_holds_the_pipe(tmp_path):
    with serving(tmp_path) as wire:
        wire.ask(1, "initialize", **INITIALIZE)
        wire.call(2, "read", ref="runs")
        begun = time.monotonic()
        wire.child.send_signal(signal.SIGINT)
        assert wire.child.wait(20) == 130
    assert time.monotonic() - begun < 5


def test_a_host_that_is_gone_before_the_last_answer_is_no_error(tmp_path):
    with serving(tmp_path, "-c", SLOW) as wire:
        wire.ask(1, "initialize", **INITIALIZE)
        plan_id = wire.call(2, "plan", task="Look", items=["a", "b"])["plan_id"]
        dispatch = {"name": "dispatch", "arguments": {"plan_id": plan_id}}
        wire.send({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": dispatch})
        assert wire.child.stdout
        wire.child.stdout.close()
        assert wire.hang_up() == 0
