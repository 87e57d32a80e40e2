"""Text on its way to a person: never a control code of a stranger's making, never an encoding error."""

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Mapping
from typing import TextIO

import click

from fanfold_workers.tools.legible import legible

_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks that reorder what stands on the line."""


def harmless(text: str) -> str:
    """The text without control codes (but tab and newline) and without marks that reorder a line."""
    return _BIDI.sub("\ufffd", legible(text))


def one_line(text: str) -> str:
    """The text harmless and on one line."""
    return " ".join(harmless(text).split())


def is_lively(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the stream is a terminal on which a cursor can be moved."""
    return stream.isatty() and environ.get("TERM", "") not in {"dumb", "unknown"}


def say(text: str, *, color: str | None = None) -> None:
    """One line on stderr; coloured on a terminal unless NO_COLOR is set."""
    line = harmless(text)
    if color and is_lively(sys.stderr) and not os.environ.get("NO_COLOR"):
        line = click.style(line, fg=color)
    with contextlib.suppress(OSError):
        click.echo(line, file=sys.stderr)


class UnheardError(Exception):
    """Raised when whoever read our output has gone (`| head`). click takes a BrokenPipeError for itself."""


def put(text: str) -> None:
    """The text on stdout, with a newline at its end: as it is into a file or pipe, harmless on a terminal.

    Raises:
        UnheardError: if whoever read it has gone.
    """
    put_styled(harmless(text) if sys.stdout.isatty() else text)


def put_styled(text: str) -> None:
    """The text on stdout with such control codes as it has, all of them of our own making; see `put`."""
    try:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise UnheardError from error


def put_paged(text: str) -> None:
    """The text on stdout, through the user's pager where it is longer than the terminal is high."""
    if sys.stdin.isatty() and sys.stdout.isatty() and text.count("\n") >= shutil.get_terminal_size().lines - 1:
        click.echo_via_pager(harmless(text))
    else:
        put(text)


def forgive_encodings() -> None:
    """Let a terminal that lacks a character show its code in place of an error."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
