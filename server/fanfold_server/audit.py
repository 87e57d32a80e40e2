"""An audit trail on disk: a file to which one line of JSON is appended for each call of a tool.

A line is written, by the operating system's account, before its call is answered; it is not forced to the disk, so a
failure of power may take the last seconds. Any number of processes may share a file. It is opened anew for each
batch, so that one that was moved away is followed by a new one.
"""

import errno
import json
import os
import stat
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import anyio
import anyio.to_thread

from fanfold_workers.errors import FanfoldError, InputError
from fanfold_workers.tools.audit import Called
from fanfold_workers.tools.inspections.masking import MASK, without_logins
from fanfold_workers.tools.inspections.secrets import hits_in

MAX_ARGUMENT_CHARS = 2_000
"""Of a call's arguments, as JSON, so much is written."""
# Without O_NONBLOCK a pipe that nobody reads would be waited for.
_APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_WINDOWS_OWN = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
_LOCK_AT, _LOCK_TRIES, _LOCK_PAUSE = 2**31 - 2, 5_000, 0.002


@dataclass(slots=True, eq=False)
class _Entry:
    """A call that waits to be written; `refused` is why it could not be."""

    called: Called
    settled: bool = False
    refused: Exception | None = None


@dataclass(slots=True, eq=False)
class AuditFile:
    """Appends calls to a file; see Audit.

    Attributes:
        path: the file. One that is made is its owner's alone to read (mode 0600; on Windows as its folder says).
    """

    path: Path
    _waiting: list[_Entry] = field(default_factory=list[_Entry])
    _turn: anyio.Lock = field(default_factory=anyio.Lock)
    _threads: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
    _lost: int = 0
    _torn: bool = False

    def check(self) -> None:
        """Open the file, made if need be, and close it again.

        Raises:
            InputError: if that fails, naming `audit`.
        """
        try:
            os.close(self._opened())
        except OSError as error:
            msg = f"{self.path} cannot be written to: {error.strerror or error}."
            raise InputError(msg, field="audit", remedy="Name a file in a folder that you can write to.") from error

    async def __call__(self, called: Called, /) -> None:
        """Append a line for the call, together with those that wait by then.

        Raises:
            FanfoldError: if it cannot be written.
        """
        entry = _Entry(called)
        self._waiting.append(entry)
        async with self._turn:
            if not entry.settled:
                await self._write()
        if entry.refused:
            problem = getattr(entry.refused, "strerror", None) or entry.refused
            msg = f"The call was not written to {self.path}, so its answer is withheld: {problem}."
            remedy = "Free some space or mend the file's rights, then dispatch with retry."
            raise FanfoldError(msg, field="audit", remedy=remedy) from entry.refused

    async def _write(self) -> None:
        batch, self._waiting = self._waiting, []
        try:
            await anyio.to_thread.run_sync(self._append, [entry.called for entry in batch], limiter=self._threads)
        except Exception as error:  # whatever it was, each of them must hear that it is not written
            self._lost += len(batch)
            for entry in batch:
                entry.refused = error
        for entry in batch:
            entry.settled = True

    def _append(self, calls: Sequence[Called]) -> None:
        lines = [line_of(called) for called in calls]
        if self._lost:
            lines.insert(0, json.dumps({"at": _stamp(datetime.now(UTC)), "lost": self._lost}))
        data = b"\n" * self._torn + "".join(f"{line}\n" for line in lines).encode()
        descriptor = self._opened()
        try:
            with _alone(descriptor):
                self._put(descriptor, data)
        finally:
            os.close(descriptor)
        self._lost = 0

    def _put(self, descriptor: int, data: bytes) -> None:
        """One write, which no other comes between; a disk that is nearly full takes a part and refuses the rest."""
        written = 0
        try:
            while written < len(data):
                written += os.write(descriptor, data[written:])
        finally:
            if written:
                self._torn = data[written - 1] != ord("\n")

    def _opened(self) -> int:
        descriptor = os.open(self.path, _APPENDING | _WINDOWS_OWN, 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no regular file")
        return descriptor


@contextmanager
def _alone(descriptor: int) -> Generator[None]:
    """Held by one process at a time where appending is no single step: on Windows."""
    if sys.platform != "win32":
        yield
        return
    import msvcrt

    for left in reversed(range(_LOCK_TRIES)):
        os.lseek(descriptor, _LOCK_AT, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            break
        except OSError:
            if not left:
                raise
            time.sleep(_LOCK_PAUSE)
    try:
        yield
    finally:
        os.lseek(descriptor, _LOCK_AT, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)


def line_of(called: Called) -> str:
    """The call as one line of JSON, every character of which can be seen. The arguments come last."""
    known = {
        "at": _stamp(called.at),
        "run": called.run,
        "subtask": called.subtask,
        "attempt": called.attempt,
        "tool": called.tool,
        "outcome": called.outcome,
        "error": _masked(called.error),
        "seconds": round(called.seconds, 3),
        "characters": called.characters,
        "findings": called.findings,
        "examined": called.examined,
    }
    text = json.dumps(known, ensure_ascii=False)
    return _seen(f'{text[:-1]}, "arguments": {_arguments(called.arguments)}}}')


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _arguments(given: Mapping[str, object]) -> str:
    """The arguments as JSON: as they are, or where they are too long or no JSON, the beginning of their text."""
    try:
        text = json.dumps(given, ensure_ascii=False, default=repr)
    except (TypeError, ValueError, RecursionError):
        return json.dumps("[They are no JSON.]")
    shown = _masked(text)
    if (more := len(shown) - MAX_ARGUMENT_CHARS) > 0:
        return json.dumps(f"{shown[:MAX_ARGUMENT_CHARS]}… [{more:,} more characters]", ensure_ascii=False)
    try:
        json.loads(shown, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return json.dumps(shown, ensure_ascii=False)
    return shown


def _refuse(constant: str) -> NoReturn:
    """NaN and its like, which only Python takes for JSON."""
    raise ValueError(constant)


def _masked(text: str) -> str:
    """The text without the secrets that the check of that name would find in it."""
    data = text.encode("utf-8", "surrogatepass")
    for hit in reversed(list(hits_in("arguments.json", data))):
        end = hit.end
        if hit.kind == "secrets.private_key":
            stop = data.find(b"-----END", end)
            shown, end = f"{hit.shown}{MASK}", stop if stop > 0 else len(data)
        else:
            shown = hit.shown
        data = data[: hit.start] + shown.encode() + data[end:]
    return without_logins(data.decode("utf-8", "surrogatepass"))


def _seen(text: str) -> str:
    """JSON in which what does not show (a turned direction of writing, half a character) is spelled out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
