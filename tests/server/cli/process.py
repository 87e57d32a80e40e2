"""The command line as a process of its own."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fanfold_server.cli.app import fanfold as command
from fanfold_server.cli.outcome import exit_code

ITEMS = 10


@dataclass(frozen=True)
class Done:
    """How a process ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


@dataclass
class Fanfold:
    """`fanfold` over one home."""

    home: Path
    started: list["subprocess.Popen[str]"] = field(default_factory=list["subprocess.Popen[str]"])

    def start(self, *arguments: str, **env: str) -> "subprocess.Popen[str]":
        own = ("FANFOLD_", "ANTHROPIC_")  # what a developer has set up, a key that would be charged included
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        process = subprocess.Popen(
            [sys.executable, "-m", "fanfold_server", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**inherited, "FANFOLD_HOME": str(self.home), "FANFOLD_CONFIG": os.devnull, **env},
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End what a failed test has left."""
        for process in self.started:
            process.kill()
            if not all(pipe is None or pipe.closed for pipe in (process.stdout, process.stderr)):
                process.communicate()

    def __call__(self, *arguments: str, **env: str) -> Done:
        return ended(self.start(*arguments, **env))

    def records(self, prefix: str) -> dict[str, tuple[float, str]]:
        """What is recorded under the prefix: when, and the value. Read without fanfold."""
        if not (self.home / "journal.db").exists():
            return {}
        with contextlib.closing(sqlite3.connect(self.home / "journal.db", timeout=10)) as journal:
            if not journal.execute("SELECT 1 FROM sqlite_master WHERE name = 'entries'").fetchone():
                return {}
            rows = journal.execute(
                "SELECT key, at, value FROM entries WHERE value IS NOT NULL AND substr(key, 1, ?) = ?",
                (len(prefix), prefix),
            ).fetchall()
        return {key: (at, value) for key, at, value in rows}

    def results(self) -> dict[str, tuple[float, str]]:
        return {key: record for key, record in self.records("r-").items() if "/results/" in key}


def ended(process: "subprocess.Popen[str]", seconds: float = 60) -> Done:
    out, err = process.communicate(timeout=seconds)
    return Done(process.returncode, out, err)


def until_results(fanfold: Fanfold, process: "subprocess.Popen[str]", count: int) -> str:
    """Wait until so many results are on disk; the run's id."""
    for _ in range(3_000):
        found = fanfold.results() if process.poll() is None else None
        if found is None:
            pytest.fail(f"it ended too early: {process.communicate()}")
        if len(found) >= count:
            return next(iter(found)).partition("/")[0]
        time.sleep(0.01)
    return pytest.fail("nothing came")


def interrupted(process: "subprocess.Popen[str]", number: int = signal.SIGINT) -> Done:
    process.send_signal(number)
    return ended(process, 10)


def in_process(capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    """What `main` does, but for the exit and the seconds that a process takes to start."""
    capsys.readouterr()
    code = exit_code(lambda: command.main([*arguments], prog_name="fanfold", standalone_mode=False))
    return Done(code, *capsys.readouterr())


def closing(done: Done) -> str:
    """The run's last line, without what differs from time to time."""
    line = done.err.splitlines()[-1]
    return re.sub(r"\b([rs])-[0-9a-f]{12}", r"\1-…", re.sub(r"\d+\.\d s", "… s", line))
