"""Where a report goes: stdout, or a file that is there whole or not at all."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from fanfold_server.records import Report
from fanfold_workers.errors import InputError

from .terminal import put

Form = Literal["markdown", "json"]


@dataclass(frozen=True, slots=True)
class Output:
    """A report's form and place.

    Attributes:
        form: `markdown`, or `json` for the whole report with its ledger.
        file: None for stdout.
    """

    form: Form = "markdown"
    file: Path | None = None

    def check(self) -> None:
        """Refuse a file that cannot be written before any work is done.

        Raises:
            InputError: if it is a directory, or its folder is missing or not writable.
        """
        if self.file is None:
            return
        if self.file.is_dir():
            msg = f"{self.file} is a directory."
            raise InputError(msg, field="-o", remedy="Name a file in it.")
        if not self.file.parent.is_dir():
            msg = f"There is no directory {self.file.parent}."
            raise InputError(msg, field="-o", remedy="Make it first, or name another file.")
        if not os.access(self.file if _is_device(self.file) else self.file.resolve().parent, os.W_OK):
            msg = f"{self.file} cannot be written."
            raise InputError(msg, field="-o", remedy="Name a file in a directory that you can write to.")

    def write(self, report: Report) -> None:
        """Put the report where it belongs.

        Raises:
            InputError: if the disk refuses the file.
            UnheardError: if whoever read stdout has gone.
        """
        text = report.model_dump_json(indent=1) if self.form == "json" else report.markdown
        if self.file is None:
            put(text)
            return
        try:
            write_whole(self.file, text if text.endswith("\n") else f"{text}\n")
        except OSError as error:
            msg = f"{self.file} cannot be written: {error.strerror or error}."
            raise InputError(msg, field="-o", remedy=f"`fanfold show {report.id}` has the report.") from error


def write_whole(file: Path, text: str) -> None:
    """Write the file at one stroke: whoever reads it sees the old text or the new, never a part.

    Raises:
        OSError: if the disk refuses; the old file then stands as it was.
    """
    data = text.encode("utf-8", "backslashreplace")
    if _is_device(file):
        file.write_bytes(data)
        return
    target = file.resolve()
    beside = target.with_name(f".{target.name[:100]}.{uuid4().hex[:8]}.tmp")
    try:
        with beside.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            beside.chmod(stat.S_IMODE(target.stat().st_mode))
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _is_device(file: Path) -> bool:
    """Whether it is there and no regular file: a terminal, a pipe."""
    return file.exists() and not file.is_file() and not file.is_dir()
