"""The live view on a terminal, and what a stranger's text may do to one."""

import os
import select
import subprocess
import sys
import unicodedata
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from tests.server.cli.process import Fanfold

from fanfold_server.cli.live import view
from fanfold_server.cli.terminal import harmless, one_line
from fanfold_server.cli.watched import Watched
from fanfold_server.dispatch.events import Event
from fanfold_workers.contract import Status

REORDERING = frozenset({"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI"})

CHARACTERS = st.characters() | st.sampled_from("\x00\x07\x1b\x7f\x9b\u202e\u2066\ud800\n\t漢")
NASTY = st.lists(CHARACTERS, max_size=20).map("".join)
LONG = st.builds(str.__mul__, NASTY, st.integers(1, 20))

EVENTS = st.lists(
    st.builds(
        Event,
        kind=st.sampled_from(["started", "found", "ended"]),
        subtask=st.sampled_from([f"s{n}" for n in range(12)]),
        title=LONG,
        note=LONG,
        status=st.sampled_from([None, *Status]),
        ended=st.integers(0, 50),
        total=st.just(50),
    ),
    max_size=30,
)


def drawn(watched: Watched, columns: int, lines: int) -> list[str]:
    console = Console(width=columns, height=lines, file=StringIO(), force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(view(watched, lines))
    return captured.get().splitlines()


@given(EVENTS, st.integers(40, 120), st.integers(8, 40), LONG)
def test_the_view_never_overflows_and_never_changes_its_height(
    events: list[Event], columns: int, lines: int, task: str
) -> None:
    watched = Watched("r-1", one_line(task), 0, 50)
    before = len(drawn(watched, columns, lines))

    for event in events:
        watched.told(event)
    seen = drawn(watched, columns, lines)

    assert len(seen) == before < lines
    assert [line for line in seen if cell_len(line) > columns] == []
    assert [c for line in seen for c in line if unicodedata.category(c) in {"Cc", "Cs"}] == []


@given(NASTY)
def test_no_text_can_steer_a_terminal(text: str) -> None:
    shown = harmless(text)

    assert len(shown) == len(text)
    assert [c for c in shown if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\n"] == []
    assert [c for c in shown if unicodedata.bidirectional(c) in REORDERING] == []


@pytest.mark.skipif(sys.platform == "win32", reason="it takes a pseudo-terminal")
@pytest.mark.parametrize(("term", "lively"), [("xterm-256color", True), ("dumb", False)])
def test_the_view_is_drawn_only_where_a_cursor_can_move(
    fanfold: Fanfold, small_code: Path, term: str, lively: bool
) -> None:
    arguments = ["run", "Old?", "--check", "upgrades", "--root", f"code={small_code}"]

    seen = on_terminal(arguments, {**os.environ, "TERM": term, "NO_COLOR": "1"})

    assert ("\x1b[?25l" in seen) == lively
    assert ("\x1b" in seen) == lively
    assert ("1/1 after" in seen) != lively
    assert "# Old?" in seen
    assert seen.rstrip().splitlines()[-1].startswith("run r-")


@pytest.mark.skipif(sys.platform == "win32", reason="it takes a pseudo-terminal")
def test_what_strangers_wrote_is_harmless_on_a_terminal_and_verbatim_in_a_pipe(
    fanfold: Fanfold, small_code: Path
) -> None:
    done = fanfold("run", "Old \x1b]0;owned\x07?", "--check", "upgrades", "--root", f"code={small_code}")
    plan = done.err.split(":")[0].removeprefix("plan ")

    shown = on_terminal(["show", plan], {**os.environ, "TERM": "xterm"})
    piped = fanfold("show", plan)

    assert "\x1b" not in done.err + shown
    assert "Task: Old \ufffd]0;owned\ufffd?" in shown
    assert "Task: Old \x1b]0;owned\x07?" in piped.out


def on_terminal(arguments: list[str], env: dict[str, str]) -> str:
    """Everything the command writes to a terminal of 80 columns."""
    import pty

    master, slave = pty.openpty()
    command = [sys.executable, "-m", "fanfold_server", *arguments]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env={**env, "COLUMNS": "80"})
    os.close(slave)
    seen = b""
    try:
        while select.select([master], [], [], 30)[0]:
            try:
                part = os.read(master, 65536)
            except OSError:
                break
            if not part:
                break
            seen += part
    finally:
        os.close(master)
        process.kill()
        process.wait()
    return seen.decode("utf-8", "replace")
