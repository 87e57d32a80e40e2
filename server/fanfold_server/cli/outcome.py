"""How a command ends: its exit code, and one line on stderr where something was wrong."""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import cast

import click

from fanfold_workers.errors import ApprovalNeededError, CannotDoError, FanfoldError, InputError

from .terminal import UnheardError, say


class Exit(IntEnum):
    """What a command's exit code says; see the package's docstring."""

    complete = 0
    error = 1
    usage = 2
    partial = 3
    interrupted = 130
    """Add 128 to a signal's number for any other signal than SIGINT."""


OPTIONS = {
    "max_chars": "--max-chars",
    "max_workers": "--max-workers",
    "items": "--item",
    "checks": "--check",
    "roots": "--root",
    "task": "TASK",
    "run_id": "RUN",
    "plan_id": "RUN",
    "ref": "REF",
}
"""Fields of the three verbs as the command line spells them."""

REMEDIES = {
    "RUN": "`fanfold runs` lists the runs there are.",
    "REF": "`fanfold runs` lists runs; `fanfold show` takes their ids and those named in a report.",
}


def exit_code(command: Callable[[], object]) -> int:
    """Do the command; its exit code. Whatever it raises becomes one line on stderr and a code."""
    try:
        code = command()
        return code if isinstance(code, int) else Exit.complete
    except (KeyboardInterrupt, click.Abort):
        return Exit.interrupted
    except Exception as error:
        return _told(_leaf(error))


def _told(error: Exception) -> int:
    if isinstance(error, UnheardError):
        return _unheard()
    if os.environ.get("FANFOLD_DEBUG", "") not in {"", "0"}:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, click.ClickException):
        say(f"error: {_usage(error)}", color="red")
        return error.exit_code
    if isinstance(error, FanfoldError):
        say(f"error: {_spelled(error)}", color="red")
        return Exit.usage if isinstance(error, InputError) else Exit.error
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    say(f"error: {what} (This is a bug of fanfold. FANFOLD_DEBUG=1 shows where.)", color="red")
    return Exit.error


def _leaf(error: Exception) -> Exception:
    """The first error that task groups have wrapped."""
    while isinstance(error, ExceptionGroup):
        error = cast("ExceptionGroup[Exception]", error).exceptions[0]
    return error


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if isinstance(context, click.Context) else "fanfold"
    return f"{error.format_message()} See `{path} --help`."


def _spelled(error: FanfoldError) -> str:
    name = OPTIONS.get(re.split(r"[.\[]", error.field)[0], error.field)
    if isinstance(error, ApprovalNeededError):
        return f"{error.problem} {error.remedy}"
    if isinstance(error, CannotDoError) and name == "TASK":
        remedy = _other_ways()
    else:
        remedy = error.remedy if isinstance(error, InputError) else REMEDIES.get(name, error.remedy)
    return " ".join(part for part in (f"{name}:" if name else "", error.problem, remedy) if part)


def _other_ways() -> str:
    from fanfold_workers.tools.catalog import shipped

    checks = ", ".join(name for name, tool in shipped().items() if tool.inspection)
    own = f"Name a --root and a --check ({checks}) for the rules engine"
    return f"{own}, or have a host with sub-agents do it: `fanfold serve` is what such a host starts."


def _unheard() -> int:
    """Whoever read our output has gone (`| head`): no word, and nothing left that the exit could flush."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + getattr(signal, "SIGPIPE", 13)
