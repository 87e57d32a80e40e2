"""Ctrl-C, SIGTERM, kill -9: what has ended is kept, `fanfold resume` does the rest, and nothing is done twice."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.server.cli.process import ITEMS, Fanfold, closing, ended, in_process, interrupted, until_results

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX sends them")


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(fanfold: Fanfold, slow_run: list[str]) -> None:
    process = fanfold.start(*slow_run, FANFOLD_WIDTH="1")
    run = until_results(fanfold, process, 2)

    stopped = interrupted(process)
    kept = fanfold.results()
    seen = fanfold("runs").out
    resumed = fanfold("resume", run)

    assert stopped.code == 130
    assert stopped.out == ""
    assert "Traceback" not in stopped.err
    assert stopped.err.splitlines()[-2:] == [
        f"Stopped; {len(kept)} of {ITEMS} subtasks are done and kept.",
        f"Go on with: fanfold resume {run}",
    ]
    assert re.search(rf"{run}  interrupted  {len(kept)}/{ITEMS}", seen)
    assert resumed.code == 0
    left = ITEMS - len(kept)
    assert closing(resumed).startswith(f"run r-…: {ITEMS}/{ITEMS} ok, {left} of them run here in … s;")
    assert {key: record for key, record in fanfold.results().items() if key in kept} == kept
    assert len(fanfold.results()) == ITEMS


def test_sigterm_stops_as_ctrl_c_does(fanfold: Fanfold, slow_run: list[str]) -> None:
    process = fanfold.start("--home", str(fanfold.home), *slow_run, FANFOLD_WIDTH="1", FANFOLD_HOME="/nowhere")
    run = until_results(fanfold, process, 1)

    stopped = interrupted(process, signal.SIGTERM)

    assert stopped.code == 143
    assert stopped.err.splitlines()[-1] == f"Go on with: fanfold resume {run} --home {fanfold.home}"


STUCK = """
import time
from fanfold_server.cli.stopping import until_stopped

async def work():
    print("at it", flush=True)
    while True:
        time.sleep(0.01)

until_stopped(work)
"""


def test_a_second_ctrl_c_quits_at_once_whatever_is_stuck() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "at it\n"
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 130
    finally:
        process.kill()
        process.communicate()


def test_a_killed_run_is_resumed_without_doing_anything_twice(fanfold: Fanfold, slow_run: list[str]) -> None:
    process = fanfold.start(*slow_run, FANFOLD_WIDTH="2")
    run = until_results(fanfold, process, 3)
    process.kill()
    ended(process)
    kept = fanfold.results()
    seen = fanfold("show", run).out.splitlines()[0]

    resumed = fanfold("resume", run, "-o", str(fanfold.home / "report.md"))
    after = fanfold.results()
    again = fanfold("resume", run)

    assert f"{run}: interrupted {len(kept)}/{ITEMS}" in seen
    assert (resumed.code, resumed.out) == (0, "")
    assert f"{len(kept)} of them done before." in resumed.err
    assert f", {ITEMS - len(kept)} of them run here in" in closing(resumed)
    assert {key: record for key, record in after.items() if key in kept} == kept
    assert len(after) == ITEMS
    assert fanfold.results() == after
    assert ", 0 of them run here in" in closing(again)
    assert again.out == (fanfold.home / "report.md").read_text()


def hold_until_another_works(fanfold: Fanfold, process: "subprocess.Popen[str]") -> None:
    """However long the other takes to start, there is something left for it."""
    for _ in range(100):
        process.send_signal(signal.SIGSTOP)
        before = len(fanfold.results())
        time.sleep(0.3)
        worked = len(fanfold.results()) > before
        process.send_signal(signal.SIGCONT)
        if worked:
            return
        time.sleep(0.01)  # it may have been stopped while it held the journal


def test_two_processes_share_a_run_and_do_its_work_once(fanfold: Fanfold, slow_run: list[str]) -> None:
    first = fanfold.start(*slow_run, FANFOLD_WIDTH="1")
    run = until_results(fanfold, first, 1)

    second = fanfold.start("resume", run, FANFOLD_WIDTH="1")
    hold_until_another_works(fanfold, first)
    one, two = ended(first), ended(second)

    shares = [re.search(r", (\d+) of them run here", closing(done)) for done in (one, two)]
    assert (one.code, two.code) == (0, 0)
    assert one.out == two.out
    assert all(shares), (one.err, two.err)
    assert sum(int(share[1]) for share in shares if share) == ITEMS
    assert len(fanfold.results()) == ITEMS


def test_a_root_that_has_moved_is_asked_for(
    fanfold: Fanfold, small_code: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = in_process(capsys, "run", "Old?", "--check", "upgrades", "--root", f"code={small_code}")
    run = re.findall(r"r-[0-9a-f]{12}", began.err)[-1]
    moved = small_code.rename(small_code.with_name("moved"))

    lost = in_process(capsys, "resume", run)
    found = in_process(capsys, "resume", run, "--root", f"code={moved}")

    assert (lost.code, found.code) == (2, 0)
    assert lost.err == (
        f"error: --root: The directory of the root code, {small_code}, is gone."
        " Say where it is now: --root code=DIR.\n"
    )
