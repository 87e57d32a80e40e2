"""Servers to start, and whether they have gone again."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio

from fanfold_workers.journal import MemoryJournal
from fanfold_workers.tools.servers import Declared, Servers

HERE = Path(__file__).parent


def python(name: str, script: str, *args: str, env: Mapping[str, str] | None = None) -> Declared:
    """A server of this folder, as a child process."""
    return Declared(name, sys.executable, (str(HERE / script), *args), env or {})


def plain(*args: str, name: str = "plain", **env: str) -> Declared:
    """The misbehaving one; it starts in 50 ms."""
    return python(name, "plain_server.py", *args, env=env)


def over(*declared: Declared, **limits: Any) -> Servers:
    return Servers({one.name: one for one in declared}, MemoryJournal(), **limits)


def alive(pid: int) -> bool:
    """Whether there is such a process, be it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def gone(pid: int) -> bool:
    """Whether it goes within a second."""
    with anyio.move_on_after(1):
        while alive(pid):  # noqa: ASYNC110  it is no child of ours
            await anyio.sleep(0.01)
    return not alive(pid)
