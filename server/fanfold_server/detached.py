"""A run in a process of its own, which goes on when the host that asked for it exits.

It is `fanfold resume RUN --no-report` in a new session, with nothing to read and nothing to say but to its log. It is
set up as whoever starts it was, by the environment; the key travels in no argument.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from fanfold_server.dispatch.policy import Policy
from fanfold_server.settings import Settings
from fanfold_server.store import DAY_SECONDS

LAST_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Detached:
    """A process that does a run.

    Attributes:
        process: its handle.
        log: what it says.
    """

    process: "subprocess.Popen[bytes]"
    log: Path

    def failure(self) -> str | None:
        """See Started."""
        if not self.process.poll():
            return None
        return self.log.read_text("utf-8", "replace")[-LAST_CHARS:].strip() if self.log.exists() else ""


_STARTED: list[Detached] = []
"""Kept until they have ended, so that each is reaped."""


@dataclass(frozen=True, slots=True)
class Launcher:
    """Starts a process for a run.

    Attributes:
        settings: how this one was set up.
        environ: its environment.
    """

    settings: Settings
    environ: Mapping[str, str]

    async def __call__(self, run: str, policy: Policy) -> Detached:
        """The process, just started."""
        return await anyio.to_thread.run_sync(self._start, run, policy)

    def _start(self, run: str, policy: Policy) -> Detached:
        named = [part for name in policy.enough_of for part in ("--enough-of", name)]
        # -P: nothing is imported from the folder it happens to be in.
        command = [sys.executable, "-P", "-m", "fanfold_server", "resume", run, "--no-report", *named]
        log = log_of(self.settings.home, run)
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._drop_old(log.parent)
        with log.open("ab") as said:
            process = _apart(command, {**self.environ, **self._variables(policy)}, self.settings.home, said)
        _STARTED[:] = [one for one in _STARTED if one.process.poll() is None]
        _STARTED.append(started := Detached(process, log))
        return started

    def _drop_old(self, logs: Path) -> None:
        """Logs are kept as long as runs are."""
        oldest = time.time() - self.settings.keep_days * DAY_SECONDS
        for log in logs.glob("*.log"):
            with contextlib.suppress(OSError):
                if log.stat().st_mtime < oldest:
                    log.unlink()

    def _variables(self, policy: Policy) -> dict[str, str]:
        """What this process was told by options, as variables; blank ones count as not given."""
        s = self.settings
        given: dict[str, object] = {
            "FANFOLD_HOME": s.home,
            "FANFOLD_CONFIG": s.config,
            "FANFOLD_ENGINE": s.engine,
            "FANFOLD_LEAD_MODEL": s.lead_model,
            "FANFOLD_WORKER_MODEL": s.worker_model,
            "FANFOLD_MAX_USD_PER_RUN": s.max_usd_per_run,
            "FANFOLD_APPROVE_ABOVE_USD": s.approve_above_usd,
            "FANFOLD_APPROVE_ABOVE_WORKERS": s.approve_above_workers,
            "FANFOLD_SERVERS": s.servers_file,
            "FANFOLD_AUDIT": s.audit,
            "FANFOLD_KEEP_TEXT": int(s.keep_text),
            "FANFOLD_WIDTH": policy.width,
            "FANFOLD_WORKER_SECONDS": policy.worker_seconds,
            "FANFOLD_RUN_SECONDS": policy.run_seconds,
            "FANFOLD_ENOUGH": policy.enough,
            "FANFOLD_GRACE_SECONDS": policy.grace_seconds,
            "FANFOLD_HEDGE": int(policy.hedge),
        }
        return {name: "" if value is None else str(value) for name, value in given.items()}


def log_of(home: Path, run: str) -> Path:
    """Where the process of a run says what it has to say."""
    return home / "logs" / f"{run}.log"


def _apart(command: list[str], environ: Mapping[str, str], home: Path, said: BinaryIO) -> "subprocess.Popen[bytes]":
    """A process in a session of its own: no signal to its parent's group, and no end of its parent's, reaches it."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    plain = {name: value for name, value in environ.items() if not name.startswith("-")}
    return subprocess.Popen(  # noqa: S603  our own command
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        cwd=home,
        env={**os.environ, **plain},
        start_new_session=sys.platform != "win32",
        creationflags=flags,
        close_fds=True,
    )
