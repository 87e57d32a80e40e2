"""Plans that wait for a person's approval, on a terminal and without one."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Self

import anyio.to_thread
import pytest
from benchmarks.endpoint.client import Endpoint, endpoint
from benchmarks.endpoint.config import Config
from tests.server.cli.process import Done, Fanfold, in_process

from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Draft, Task

posix = pytest.mark.skipif(sys.platform == "win32", reason="it takes a pseudo-terminal")

ABOVE_ONE = {"FANFOLD_APPROVE_ABOVE_WORKERS": "1"}
ONLY = ["--no-report"]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def plan_id(fanfold: Fanfold, small_code: Path) -> str:
    """A plan of two subtasks for agents, and one for rules."""
    ruled = Draft(title="Secrets", checks=("secrets",), places=("code",))
    drafts = (Draft(title="Look at a"), Draft(title="Look at b"), ruled)

    async def make() -> str:
        async with Orchestrator(home=fanfold.home, roots={"code": small_code}) as it:
            return (await it.plan(Task(task="Look \x1b[2J at both", subtasks=drafts))).id

    return anyio.run(make)


def approvals(fanfold: Fanfold) -> list[tuple[str, str]]:
    return [(key, json.loads(value)["by"]) for key, (_, value) in fanfold.records("approved/").items()]


# -- without a terminal ----------------------------------------------------------------------------------------------


def test_a_script_approves_by_saying_so_and_nothing_else_does(
    fanfold: Fanfold, plan_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    unsaid = in_process(capsys, "approve", plan_id)
    before = approvals(fanfold)
    said = in_process(capsys, "approve", plan_id, "--yes")
    again, run = in_process(capsys, "approve", plan_id), plan_id.replace("p-", "r-")

    assert (unsaid.code, unsaid.out, before) == (2, "", [])
    assert unsaid.err.splitlines()[-1] == (
        "error: There is nobody here to ask. Run it in a terminal; its --help says how scripts of your own approve."
    )
    assert (said.code, said.out) == (0, "")
    assert re.sub(r"[\d.]+ x", "… x", said.err).splitlines() == [
        f"plan {plan_id}: parallel, 3 subtasks, 2 of them for agents",
        "task: Look \ufffd[2J at both",
        "- Look at a",
        "- Look at b",
        "- Secrets",
        "estimate: nothing by fanfold's own models, up to … x what one agent would use",
        f"Approved. Start it with: fanfold resume {run}, or have your host call dispatch again.",
    ]
    assert approvals(fanfold) == [(f"approved/{plan_id}", "fanfold approve --yes")]
    assert (again.code, again.err.splitlines()[-1]) == (0, "It was approved already, by fanfold approve --yes.")


def test_what_cannot_be_approved_is_refused(fanfold: Fanfold, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "approve", "p-none", "--yes")

    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "There is no plan p-none." in done.err
    assert approvals(fanfold) == []


def test_help_says_what_an_unasked_yes_means(fanfold: Fanfold, capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(in_process(capsys, "approve", "--help").out.split())

    assert "Where there is no terminal to ask on it takes --yes, which is for scripts of your own" in text
    assert "a model among them, that may run it as you approves as you" in text


def test_a_plan_says_whether_it_waits_and_who_approved_it(
    fanfold: Fanfold, plan_id: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unset = in_process(capsys, "show", plan_id).out.splitlines()[1]
    monkeypatch.setenv("FANFOLD_APPROVE_ABOVE_WORKERS", "1")
    waiting = in_process(capsys, "show", plan_id).out.splitlines()[1]
    in_process(capsys, "approve", plan_id, "--yes")
    approved = in_process(capsys, "show", plan_id).out.splitlines()[1]

    assert unset.startswith("Task: ")
    assert waiting == (
        "Waits for a person's approval. 2 of its subtasks take an agent, more than approve_above_workers lets pass "
        f"(1). The person says so by: fanfold approve {plan_id}"
    )
    assert re.fullmatch(r"Approved by fanfold approve --yes, \d{4}-.* UTC, with no cost estimated\.", approved)


def test_doctor_says_which_plans_wait(fanfold: Fanfold, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "doctor", "--approve-above-usd", "2.5", "--approve-above-workers", "20")

    assert "approval     a plan above $2.5 or 20 agents waits for a person's approval\n" in done.out


def test_a_run_is_not_gone_on_with_before_it_is_approved(fanfold: Fanfold, plan_id: str) -> None:
    run = plan_id.replace("p-", "r-")
    refused = fanfold("resume", run, *ONLY, **ABOVE_ONE)
    started = fanfold.records("runs/")
    fanfold("approve", plan_id, "--yes")
    done = fanfold("resume", run, *ONLY, **ABOVE_ONE)

    assert (refused.code, refused.out, started) == (1, "", {})
    assert refused.err.startswith(
        f"error: {plan_id} waits for a person's approval. 2 of its subtasks take an agent, "
    )
    assert refused.err.rstrip().endswith(f"fanfold approve {plan_id} --home {fanfold.home}")
    assert (done.code, list(fanfold.records("runs/"))) == (3, [f"runs/{run}"])


# -- with models -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def models() -> AsyncGenerator[Endpoint]:
    async with endpoint(Config()) as running:
        yield running


async def test_a_run_above_the_threshold_pays_no_worker_until_it_is_approved_and_then_needs_no_root(
    fanfold: Fanfold, small_code: Path, models: Endpoint
) -> None:
    env = {"FANFOLD_BASE_URL": models.url, "ANTHROPIC_API_KEY": "simulated", "FANFOLD_APPROVE_ABOVE_USD": "0"}

    async def ran(*arguments: str) -> Done:
        return await anyio.to_thread.run_sync(lambda: fanfold(*arguments, **env))

    refused = await ran("run", "Look at each for secrets", "--root", f"code={small_code}")
    planned, left = (await models.settled()).asked, fanfold.results()
    plan = re.findall(r"fanfold approve (p-\w+)", refused.err)[-1]
    await ran("approve", plan, "--yes")
    done = await ran("resume", plan.replace("p-", "r-"))

    assert (refused.code, refused.out, left) == (1, "", {})
    assert "more than approve_above_usd lets pass ($0)" in refused.err
    assert done.code in (0, 3), done.err
    assert "model:claude-opus-5-5" in done.out
    assert (await models.settled()).asked > planned > 0


# -- on a terminal ---------------------------------------------------------------------------------------------------


class Terminal:
    """A command on a pseudo-terminal, and somebody who types."""

    def __init__(self, *arguments: str, **env: str) -> None:
        import pty

        self.master, slave = pty.openpty()
        command = [sys.executable, "-m", "fanfold_server", *arguments]
        own = {**os.environ, "TERM": "dumb", **env}
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=own)
        os.close(slave)
        self.seen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def until(self, text: str) -> None:
        """Read until this is there, or the end."""
        while text not in self.seen and select.select([self.master], [], [], 30)[0]:
            try:
                part = os.read(self.master, 65_536)
            except OSError:
                return
            self.seen += part.decode("utf-8", "replace")

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def ended(self) -> int:
        self.until("\x00never")
        return self.process.wait(30)


@posix
@pytest.mark.parametrize(
    ("answer", "approves"), [("y", True), (" YES ", True), ("", False), ("no", False), ("yy", False)]
)
def test_only_a_yes_at_the_terminal_approves(fanfold: Fanfold, plan_id: str, answer: str, approves: bool) -> None:
    with Terminal("approve", plan_id) as terminal:
        terminal.type("y\n")  # before anything was asked
        terminal.until("Approve it? [y/N] ")
        terminal.type(f"{answer}\n")
        code = terminal.ended()

    assert "\x1b[2J" not in terminal.seen
    assert code == (0 if approves else 1)
    assert approvals(fanfold) == ([(f"approved/{plan_id}", "fanfold approve")] if approves else [])
    assert ("Approved. Start it with" in terminal.seen, "Not approved" in terminal.seen) == (approves, not approves)


@posix
@pytest.mark.parametrize(("answer", "starts"), [("y", True), ("n", False)])
def test_a_run_that_waits_asks_the_person_at_the_terminal(
    fanfold: Fanfold, plan_id: str, answer: str, starts: bool
) -> None:
    run = plan_id.replace("p-", "r-")
    with Terminal("resume", run, *ONLY, **ABOVE_ONE) as terminal:
        terminal.until("Start 2 agents all the same? [y/N] ")
        terminal.type(f"{answer}\n")
        code = terminal.ended()

    assert "2 of its subtasks take an agent, more than approve_above_workers lets pass (1)." in terminal.seen
    assert code == (3 if starts else 1)
    assert approvals(fanfold) == ([(f"approved/{plan_id}", "person at a terminal")] if starts else [])
    assert list(fanfold.records("runs/")) == ([f"runs/{run}"] if starts else [])


@posix
def test_ctrl_c_at_the_question_ends_it_at_once(fanfold: Fanfold, plan_id: str) -> None:
    with Terminal("approve", plan_id) as terminal:
        terminal.until("Approve it? [y/N] ")
        begun = time.monotonic()
        terminal.process.send_signal(signal.SIGINT)
        code = terminal.ended()

    assert (code, approvals(fanfold)) == (130, [])
    assert time.monotonic() - begun < 10
    assert "Traceback" not in terminal.seen
    assert "Fatal" not in terminal.seen
