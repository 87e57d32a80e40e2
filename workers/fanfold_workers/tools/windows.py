r"""Opening beneath a folder where the system opens by path alone: Windows.

What is promised here: no content of a file outside the folder is ever returned, since a file is asked for its
final path once it is open, by its handle. What is not, as it is elsewhere: in the moment between the look at a
path's components and the scan of a folder, somebody who can write inside the root may swap a junction in and
have names and sizes from outside listed (never contents); and a root that is renamed or replaced is not noticed.
"""

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from .beneath import READING

_REPARSE = 0x400
_FLAGS = READING | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
_ODD = re.compile(r'[<>:"|?*\\\x00-\x1f]|[ .]$')
_DEVICE = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?$", re.IGNORECASE)


def is_plain_name(name: str) -> bool:
    r"""Whether Windows takes it as one file's name: no drive, `\`, stream, wildcard, device, end dot or space."""
    return bool(name) and not _ODD.search(name) and not _DEVICE.match(name)


def final_path(descriptor: int) -> str:
    """Where an open file really is, asked of its handle. Raises OSError."""
    if sys.platform != "win32":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    import ctypes
    import msvcrt

    ask = ctypes.WinDLL("kernel32", use_last_error=True).GetFinalPathNameByHandleW
    ask.argtypes = (ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_uint32, ctypes.c_uint32)
    ask.restype = ctypes.c_uint32
    room = ctypes.create_unicode_buffer(33_000)
    size = ask(msvcrt.get_osfhandle(descriptor), room, len(room), 0)
    if not 0 < size < len(room):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    return room.value


class PathAnchor:
    """A folder by its path: every component is looked at, and what was opened is asked where it is.

    Raises:
        OSError: when the folder is not there, or is none.
    """

    __slots__ = ("_final_path", "_folder")

    def __init__(self, directory: str | os.PathLike[str], final_path: Callable[[int], str] = final_path) -> None:
        self._folder = os.path.realpath(directory, strict=True)
        self._final_path = final_path
        with os.scandir(self._folder):
            pass

    def open(self, path: str, /) -> int:
        """See Anchor."""
        opened = os.open(self._plain(path), _FLAGS)
        try:
            if not _is_inside(self._final_path(opened), self._folder):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        except BaseException:
            os.close(opened)
            raise
        return opened

    @contextmanager
    def scan(self, path: str, /) -> Generator[Iterator[os.DirEntry[str]]]:
        """See Anchor."""
        with os.scandir(self._plain(path)) as entries:
            yield entries

    def _plain(self, path: str) -> str:
        here = Path(self._folder)
        for part in () if path == "." else path.split("/"):
            if not is_plain_name(part):
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
            here /= part
            status = here.lstat()
            if stat.S_ISLNK(status.st_mode) or getattr(status, "st_file_attributes", 0) & _REPARSE:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return str(here)


def _is_inside(path: str, folder: str) -> bool:
    inner, outer = _comparable(path), _comparable(folder)
    return inner.startswith(outer.rstrip(os.sep) + os.sep)


def _comparable(path: str) -> str:
    path = (
        path.replace("\\\\?\\UNC\\", "\\\\", 1) if path.startswith("\\\\?\\UNC\\") else path.removeprefix("\\\\?\\")
    )
    return os.path.normcase(path)
