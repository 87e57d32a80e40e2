"""How the system opens what lies beneath one folder, and never anything else.

```
Anchor                  a folder held open: open a file below it, scan a folder below it
├── FolderAnchor        by the folder's descriptor (Linux, macOS, BSD), with one of two openers:
│   ├── by_openat2      one system call that refuses `..`, links and magic links on the whole way (Linux ≥ 5.6)
│   └── by_steps        one `openat` a component with O_NOFOLLOW, where openat2 is missing or forbidden
└── PathAnchor          by path, checked before and after (Windows): see windows.py
```
Neither opener looks at a path first and opens it later, so no swap of a link in between can redirect it.
Hard links and mounts inside the folder are part of it. Opening never waits: not for a FIFO, not for a lease.
"""

import ctypes
import errno
import os
import struct
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Protocol

Opener = Callable[[int, str, int], int]
"""(descriptor of a folder, path below it, flags of open) -> a descriptor. Raises OSError."""

READING = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_LARGEFILE", 0)
)
SCANNING = READING | getattr(os, "O_DIRECTORY", 0)

_OPENAT2 = 437  # the same on every architecture that names calls in the common table; a probe sorts out the rest
_RESOLVE = 0x08 | 0x04 | 0x02  # RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
_STEPPING = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_TRIES = 10


class Anchor(Protocol):
    """A folder held open. Paths are relative, of parts joined by `/`, none of them `..` or empty; `.` is itself."""

    def open(self, path: str, /) -> int:
        """A descriptor of what is there, of whatever kind; the caller closes it. Raises OSError."""
        ...

    def scan(self, path: str, /) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        """The entries of a folder; what they tell must be asked before the context ends. Raises OSError."""
        ...


class FolderAnchor:
    """A folder by its descriptor, opened once: renaming or replacing it later changes nothing.

    The descriptor is closed when the last user lets go of the object, so never under a call that runs.

    Raises:
        OSError: when the folder cannot be opened.
    """

    __slots__ = ("__weakref__", "_folder", "_opener")

    def __init__(self, directory: str | os.PathLike[str], opener: Opener | None = None) -> None:
        self._folder = os.open(directory, SCANNING)
        weakref.finalize(self, os.close, self._folder)
        self._opener = opener or best_opener(self._folder)

    def fileno(self) -> int:
        """The folder's descriptor, for a child process that is to read the same folder."""
        return self._folder

    def open(self, path: str, /) -> int:
        """See Anchor."""
        return self._opener(self._folder, path, READING)

    @contextmanager
    def scan(self, path: str, /) -> Generator[Iterator[os.DirEntry[str]]]:
        """See Anchor."""
        folder = self._opener(self._folder, path, SCANNING)
        try:
            with os.scandir(folder) as entries:
                yield entries
        finally:
            os.close(folder)


def best_opener(folder: int) -> Opener:
    """`by_openat2` if it works here (a sandbox may forbid it), else `by_steps`."""
    try:
        os.close(by_openat2(folder, ".", SCANNING))
    except (OSError, AttributeError):
        return by_steps
    return by_openat2


def by_openat2(folder: int, path: str, flags: int) -> int:
    """Open in one system call that never leaves the folder and follows no link. Raises OSError."""
    name, how, code = os.fsencode(path), _how(flags), 0
    for _ in range(_TRIES):
        opened = _syscall()(_OPENAT2, folder, name, how, len(how))
        if opened >= 0:
            return opened
        code = ctypes.get_errno()
        if code not in {errno.EINTR, errno.EAGAIN}:
            break
    raise OSError(code, os.strerror(code))


@cache
def _syscall() -> Callable[..., int]:
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t)
    call.restype = ctypes.c_long
    return call


@cache
def _how(flags: int) -> bytes:
    return struct.pack("=QQQ", flags, 0, _RESOLVE)


def by_steps(folder: int, path: str, flags: int) -> int:
    """Open component by component, each relative to the one before, following no link. Raises OSError."""
    *folders, last = path.split("/")
    if ".." in folders or last == "..":
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    here = folder
    try:
        for part in folders:
            below = os.open(part, _STEPPING | _NO_LINK, dir_fd=here)
            if here != folder:
                os.close(here)
            here = below
        return os.open(last, flags | _NO_LINK, dir_fd=here)
    finally:
        if here != folder:
            os.close(here)
