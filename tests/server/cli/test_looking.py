"""`fanfold runs`, `show`, `doctor`, and `fanfold` alone."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from tests.server.cli.process import Fanfold, in_process


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def told(fanfold: Fanfold, small_code: Path) -> str:
    """What a run said last."""
    items = ["--item", "code:one", "--item", "code:two"]
    done = fanfold("run", "Old?", "--check", "upgrades", "--root", f"code={small_code}", *items)
    return done.err.splitlines()[-1]


def test_everything_a_run_left_can_be_shown(told: str, capsys: pytest.CaptureFixture[str]) -> None:
    run, report = re.findall(r"[rs]-[0-9a-f]{12}", told)[:2]
    plan = run.replace("r-", "p-")
    asked = {
        "runs": ["runs"],
        "plan": ["show", plan],
        "run": ["show", run],
        "result": ["show", f"{run}/s2"],
        "report": ["show", report],
        "ledger": ["show", f"{report}/ledger"],
        "find": ["show", report, "--find", "APP.OLD"],
        "part": ["show", report, "--offset", "2", "--limit", "4"],
        "report json": ["show", report, "--format", "json"],
        "run json": ["show", run, "--format", "json"],
        "page json": ["show", report, "--limit", "4", "--format", "json"],
    }

    seen = {name: in_process(capsys, *arguments) for name, arguments in asked.items()}

    assert {name: done.code for name, done in seen.items()} == dict.fromkeys(asked, 0)
    assert re.fullmatch(rf"when +run +state +ended +task\n\d\d:\d\d +{run}  done +2/2 +Old\?\n", seen["runs"].out)
    assert seen["plan"].out.startswith(f"{plan}: parallel")
    assert seen["run"].out.startswith(f"{run}: done 2/2 (ok 2).")
    assert "app.old" in seen["result"].out
    assert seen["report"].out.startswith("# Old?\n")
    assert "s2.1" in seen["ledger"].out
    assert "app.old" in seen["find"].out
    assert (seen["part"].out, seen["part"].err) == ("Old?\n", "go on with --offset 6\n")
    assert json.loads(seen["report json"].out)["id"] == report
    assert json.loads(seen["run json"].out)["counts"] == {"ok": 2}
    assert json.loads(seen["page json"].out)["next_offset"] == 4


def test_no_runs_yet_says_how_to_begin(fanfold: Fanfold, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "runs")

    assert (done.code, done.out) == (0, "")
    assert "fanfold run" in done.err


def test_doctor_finds_nothing_wrong_with_this_machine(fanfold: Fanfold, small_code: Path) -> None:
    done = fanfold("doctor", "--root", f"code={small_code}")

    marks = {line[6:18].strip(): line[:4].strip() for line in done.out.splitlines()}
    assert done.code == 0
    assert marks == dict.fromkeys(
        ["python", "fanfold", "packages", "home", "journal", "disk", "root code", "file scope", "approval", "models"],
        "ok",
    )


def test_doctor_names_what_fails_and_the_remedy(fanfold: Fanfold, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = fanfold("doctor", "--root", "gone=/nowhere", FANFOLD_HOME=str(tmp_path / "file"))

    failed = [line[6:18].strip() for line in done.out.splitlines() if line.startswith("fail")]
    assert done.code == 1
    assert failed == ["--root", "home"]
    assert done.out.count("-> ") >= 2


async def test_fanfold_alone_serves_a_host(fanfold: Fanfold) -> None:
    env = {**os.environ, "FANFOLD_HOME": str(fanfold.home)}
    server = StdioServerParameters(command=sys.executable, args=["-m", "fanfold_server"], env=env)

    async with Client(server) as client:
        tools = (await client.list_tools()).tools

    assert [tool.name for tool in tools] == ["plan", "dispatch", "submit", "synthesize", "read", "cancel"]


def test_the_version_is_one_line(fanfold: Fanfold) -> None:
    assert re.fullmatch(r"fanfold \d+\.\d+\.\d+\n", fanfold("--version").out)


def test_a_server_starts_without_what_only_people_need() -> None:
    code = "import sys; import fanfold_server.cli.app; print([m for m in ('rich', 'anthropic', 'mcp', \
'fanfold_server.orchestrator') if m in sys.modules])"

    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert seen.stdout == "[]\n"
