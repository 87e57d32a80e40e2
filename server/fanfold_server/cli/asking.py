"""A question to the person at the terminal."""

import contextlib
import os
import sys
import threading

import anyio
import anyio.from_thread
import anyio.lowlevel
import click

from .terminal import harmless

YES = frozenset({"y", "yes"})


def somebody_is_there() -> bool:
    """Whether a person can read a question and answer it."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


async def says_yes(question: str) -> bool:
    """Whether the person at the terminal says yes; anything else, the end of input included, is a no.

    Cancelled as any wait is: the thread that reads is left behind and ends with the process. It reads the descriptor
    itself, since one that holds a buffered stream's lock keeps Python from ending.
    """
    answered, said = anyio.Event(), [b""]
    token = anyio.lowlevel.current_token()

    def heard() -> None:
        answered.set()

    def read() -> None:
        with contextlib.suppress(OSError):
            said[0] = os.read(sys.stdin.fileno(), 1_000)
        with contextlib.suppress(anyio.RunFinishedError):
            anyio.from_thread.run_sync(heard, token=token)

    _drop_what_was_typed_before()
    click.echo(f"{harmless(question)} [y/N] ", nl=False, err=True)
    threading.Thread(target=read, name="answer", daemon=True).start()
    await answered.wait()
    return said[0].decode("utf-8", "replace").strip().lower() in YES


def _drop_what_was_typed_before() -> None:
    """What somebody typed before there was a question answers nothing."""
    if sys.platform == "win32":
        import msvcrt

        while msvcrt.kbhit():
            msvcrt.getwch()
    else:
        import termios

        with contextlib.suppress(termios.error, OSError):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
