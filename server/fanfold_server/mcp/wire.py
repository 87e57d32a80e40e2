"""The pipes between host and server, taken out of reach of everything else in the process."""

import os
import sys
from dataclasses import dataclass
from typing import BinaryIO, TextIO


@dataclass(frozen=True, slots=True)
class Wire:
    """The pipes from and to the host, for the protocol alone."""

    source: BinaryIO
    sink: TextIO


def own_wire() -> Wire:
    """Stdin and stdout for the protocol alone, for as long as the process lives.

    Whatever else reads file descriptor 0, children included, sees an empty file; what writes to 1 writes to stderr.
    """
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # there is no stderr
        os.dup2(nothing, 1)
    os.close(nothing)
    if sys.platform == "win32":
        from mcp.os.win32.utilities import rebind_std_handle_to_fd

        for number in (0, 1):
            rebind_std_handle_to_fd(number)
    return Wire(source, sink)
