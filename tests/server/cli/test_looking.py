"""`fanfold runs`, `show`, `doctor`, and `fanfold` alone."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from tests.server.cli.process import Fanfold, in_process
from tests.server.test_history import RIGHT, WRONG, Shelf

from fanfold_server.records import Estimate
from fanfold_server.store import open_journal
from fanfold_workers.contract import Status


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


def priced(home: Path) -> None:
    """Three runs that cost something: as estimated, less than estimated, and one that nobody reported on."""

    async def put() -> None:
        async with open_journal(home) as journal:
            shelf = Shelf(journal)
            await shelf.put(*[Status.ok] * 3, estimate=RIGHT)
            await shelf.put(*[Status.ok] * 3, estimate=WRONG)
            await shelf.put(*[Status.partial] * 2, Status.failed, Status.refused, estimate=RIGHT, reports=0)
            await shelf.put(Status.timed_out, Status.skipped, missing=1, estimate=Estimate(workers=3))

    anyio.run(put)


def test_what_runs_cost_stands_beside_their_estimates_and_how_often_those_were_right(
    fanfold: Fanfold, capsys: pytest.CaptureFixture[str]
) -> None:
    priced(fanfold.home)

    head, stopped, unreported, less, right, last = in_process(capsys, "runs").out.splitlines()

    assert re.fullmatch(r"when +run +state +ended +cost \(p50-p90\) +task", head)
    assert re.search(r"waiting +2/3, 1 timed_out, 1 skipped +\$1.10 +Look$", stopped)
    assert re.search(r"done +4/4, 2 partial, 1 failed, 1 refused  \$2.10 \(\$1.50-2.00\) +Look$", unreported)
    assert re.search(r"done +3/3 +\$1.60 \(\$3.00-4.00\) under  Look$", less)
    assert re.search(r"done +3/3 +\$1.60 \(\$1.50-2.00\) in +Look$", right)
    assert last == (
        "Of the last 2 runs with a cost, within p10 and p90 of the estimate: dollars 1, tokens 1, seconds 0."
    )


def test_the_table_of_runs_fits_a_terminal_of_80_columns(
    fanfold: Fanfold, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanfold_server.store.rows.time", lambda: 1_700_000_000.0)
    priced(fanfold.home)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")

    *table, _ = re.sub(r"\x1b\[[0-9;]*m", "", in_process(capsys, "runs").out).splitlines()

    assert len(table) == 5
    assert max(map(len, table)) <= 80
    assert all(line.rstrip().endswith("Look") for line in table[1:])
    assert "$1.60 ($1.50-2.00) in" in table[-1]


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
