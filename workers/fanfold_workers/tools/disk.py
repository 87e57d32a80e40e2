"""A Root on the disk: fast, and shut."""

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from fanfold_workers.aside import stop_if_abandoned
from fanfold_workers.errors import InputError, UnknownNameError

from .beneath import Anchor, FolderAnchor
from .ignoring import MAX_RULES_BYTES, Rules
from .legible import in_line
from .roots import MAX_READ_BYTES, File, inner_path, not_there
from .windows import PathAnchor

MAX_PATH_CHARS = 3_900
"""Longer paths are no places; what has one counts as a folder not looked into."""
_AT_ONCE = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NEVER = frozenset({".git", ".hg", ".svn", ".jj", ".bzr", "_darcs", "CVS", "__pycache__", "node_modules"})
_MARKS = (".git", ".gitignore")
_TELLING = frozenset({*_MARKS, "pyvenv.cfg"})
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV, getattr(errno, "EMLINK", errno.ELOOP)})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to be walked: its path with a slash at the end ("" for the root), and the rules from above."""

    path: str
    rules: Rules
    asked_for: bool = False


def anchored(directory: str | os.PathLike[str]) -> Anchor:
    """The folder held open in the safest way this system has. Raises OSError."""
    return PathAnchor(directory) if sys.platform == "win32" else FolderAnchor(directory)


class DiskRoot:
    """A directory under a name. Its own path appears in no answer, error or repr.

    The directory is opened once: renaming, replacing or linking it elsewhere later does not redirect what is
    read. Links below it are never followed, nor are FIFOs, sockets or devices read or waited for. Hard links and
    mounts below it are part of it. One object serves any number of threads. On Windows see windows.py.

    A walk leaves out what a .gitignore in the root, or in any folder down to the file, hides; the files of git,
    hg, svn and their like; links; `__pycache__` and `node_modules`; and virtual environments (any folder with a
    `pyvenv.cfg`). Whatever of these is asked for by its path is walked all the same. Rules from above a folder
    with a `.git` of its own do not reach into it. Files and folders whose names are not text (or too long for a
    place) are yielded under a name that cannot be read, and so are counted.

    Args:
        name: how tasks call it, as an id of the contract.
        directory: where it is.
        anchor: how it is held open.

    Raises:
        InputError: when the name is none, or the directory is not one that can be read; nothing stays open.
    """

    __slots__ = ("__weakref__", "_anchor", "_name")

    def __init__(
        self,
        name: str,
        directory: str | os.PathLike[str],
        *,
        anchor: Callable[[str | os.PathLike[str]], Anchor] = anchored,
    ) -> None:
        if not _NAME.fullmatch(name):
            msg = f"{in_line(name)!r} cannot name a root."
            raise InputError(msg, field="root", remedy="Use 1 to 64 letters, digits, `.`, `_` or `-`: NAME=DIR.")
        self._name = name
        self._anchor: Anchor | None = None
        try:
            self._anchor = anchor(directory)
        except (OSError, ValueError) as error:
            raise _no_root(name, error) from None

    def __repr__(self) -> str:
        return f"DiskRoot({self._name!r})"

    @property
    def name(self) -> str:
        """See Root."""
        return self._name

    def fileno(self) -> int:
        """The directory's descriptor, for a child process that is to read the same one.

        Raises:
            OSError: where directories are not held by descriptor (Windows).
        """
        anchor = self._held()
        if isinstance(anchor, FolderAnchor):
            return anchor.fileno()
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    def close(self) -> None:
        """Let go of the directory, as dropping the object does; calls that run end as they would have."""
        self._anchor = None

    def read(self, path: str, /, limit: int = MAX_READ_BYTES, offset: int = 0) -> bytes:
        """See Root."""
        inner = inner_path(self._name, path)
        try:
            return self._content(self._held(), inner, limit, offset)
        except OSError as error:
            raise self._refusal(inner, error) from None

    def children(self, under: str = "", /) -> list[str]:
        """See Root; what a walk leaves out is left out here, too."""
        inner = inner_path(self._name, under)
        try:
            start = self._start(self._held(), inner)
            found = self._listed(self._held(), start)
        except OSError as error:
            raise self._refusal(inner, error, "is not a folder.") from None
        names = (each.path[len(start.path) :] for each in found)
        return [name for name in names if not name.startswith(".")]

    def walk(self, under: str = "", /) -> Iterator[File]:
        """See Root. Lazy: a folder is listed when its turn comes, one that vanished meanwhile is left out."""
        inner = inner_path(self._name, under)
        anchor = self._held()
        try:
            todo = self._listed(anchor, self._start(anchor, inner))[::-1]
        except NotADirectoryError:
            yield File(inner, self._size(anchor, inner))
            return
        except OSError as error:
            raise self._refusal(inner, error) from None
        while todo:
            each = todo.pop()
            if isinstance(each, File):
                yield each
            else:
                todo += self._survivors(anchor, each)[::-1]

    def _survivors(self, anchor: Anchor, folder: _Folder) -> list[File | _Folder]:
        try:
            return self._listed(anchor, folder)
        except OSError as error:
            return [] if error.errno in _GONE else [File(folder.path, 0)]

    def _listed(self, anchor: Anchor, folder: _Folder) -> list[File | _Folder]:
        """What a walk shows of a folder itself, in order."""
        stop_if_abandoned()
        with anchor.scan(folder.path.rstrip("/") or ".") as entries:
            listing = list(entries)
            names = {entry.name for entry in listing if entry.name in _TELLING}
            if "pyvenv.cfg" in names and not folder.asked_for:
                return []
            rules = self._rules(anchor, folder, names)
            shown = (_found(folder.path, rules, entry) for entry in listing if entry.name not in _NEVER)
            found = [each for each in shown if each is not None]
        if any(len(each.path) > MAX_PATH_CHARS for each in found):
            found = [each for each in found if len(each.path) <= MAX_PATH_CHARS]
            found.append(File(folder.path, 0))
        return sorted(found, key=attrgetter("path"))

    def _rules(self, anchor: Anchor, folder: _Folder, names: set[str]) -> Rules:
        rules = Rules() if ".git" in names else folder.rules
        if ".gitignore" not in names:
            return rules
        try:
            text = self._content(anchor, f"{folder.path}.gitignore", MAX_RULES_BYTES, 0).decode("utf-8", "replace")
        except (OSError, UnknownNameError):
            return rules
        return rules.within(folder.path, text)

    def _start(self, anchor: Anchor, inner: str) -> _Folder:
        """The folder to walk, with the rules of those above it, unless they hide what was asked for by name."""
        above, rules = "", Rules()
        with anchor.scan(inner or "."):  # so that a path that is none costs one call, however long it is
            pass
        for part in inner.split("/") if inner else ():
            stop_if_abandoned()
            rules = self._rules(anchor, _Folder(above, rules), {m for m in _MARKS if _exists(anchor, above + m)})
            above = f"{above}{part}/"
            if rules.hide(above):
                rules = Rules()
        return _Folder(above, rules, asked_for=True)

    def _size(self, anchor: Anchor, inner: str) -> int:
        try:
            descriptor = anchor.open(inner)
        except OSError as error:
            raise self._refusal(inner, error) from None
        try:
            return self._regular(descriptor, inner).st_size
        finally:
            os.close(descriptor)

    def _content(self, anchor: Anchor, inner: str, limit: int, offset: int) -> bytes:
        descriptor = anchor.open(inner or ".")
        try:
            size = self._regular(descriptor, inner).st_size
            if offset:
                os.lseek(descriptor, offset, os.SEEK_SET)
            return b"".join(_pieces(descriptor, limit, size - offset))
        finally:
            os.close(descriptor)

    def _regular(self, descriptor: int, inner: str) -> os.stat_result:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise not_there(self._name, inner, "is not a regular file.")
        return status

    def _held(self) -> Anchor:
        anchor = self._anchor
        if anchor is None:
            raise not_there(self._name, "", "is closed.")
        return anchor

    def _refusal(self, inner: str, error: OSError, gone: str = "is not there, or is a link.") -> UnknownNameError:
        if error.errno in _FORBIDDEN:
            return not_there(self._name, inner, "may not be read.")
        if error.errno in _GONE:
            return not_there(self._name, inner, gone)
        return not_there(self._name, inner, f"cannot be read: {os.strerror(error.errno or 0)}.")


def _found(folder: str, rules: Rules, entry: os.DirEntry[str]) -> File | _Folder | None:
    """What a walk shows of one entry: None for links, special files, what is hidden, and what has vanished."""
    path = folder + entry.name
    try:
        if not path.isprintable() and _undecoded(entry.name):
            return _unreadable(folder, entry)
        if entry.is_dir(follow_symlinks=False):
            return None if rules.hide(f"{path}/") else _Folder(f"{path}/", rules)
        if not entry.is_file(follow_symlinks=False) or rules.hide(path):
            return None
        return File(path, entry.stat(follow_symlinks=False).st_size)
    except OSError:
        return None


def _unreadable(folder: str, entry: os.DirEntry[str]) -> File | None:
    slash = "/" if entry.is_dir(follow_symlinks=False) else ""
    shown = f"{folder}{in_line(entry.name, 255)}{slash}"
    return File(shown, 0) if slash or entry.is_file(follow_symlinks=False) else None


def _undecoded(name: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in name)


def _exists(anchor: Anchor, path: str) -> bool:
    try:
        os.close(anchor.open(path))
    except OSError as error:
        return error.errno not in _GONE
    return True


def _pieces(descriptor: int, limit: int, expected: int) -> Iterator[bytes]:
    size = min(max(expected, 4096) + 1, _AT_ONCE)  # one byte more, so that the end shows without another buffer
    while limit > 0 and (piece := os.read(descriptor, min(limit, size))):
        stop_if_abandoned()
        limit -= len(piece)
        yield piece


def _no_root(name: str, error: Exception) -> InputError:
    code = error.errno if isinstance(error, OSError) else None
    problem = {
        errno.ENOENT: "does not exist",
        errno.ENOTDIR: "is not a folder",
        errno.EACCES: "may not be read",
        errno.EPERM: "may not be read",
    }.get(code or 0, "cannot be opened")
    msg = f"What the root {name} stands for {problem}."
    return InputError(msg, field="root", remedy="Name a folder that can be read: NAME=DIR.")
