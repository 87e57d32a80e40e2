"""A child process of processes.py: runs one inspection after another, over roots it was given as descriptors.

It says READY first. A request is its size in bytes, a newline, and a Request as JSON; a Reply comes back in the
same form.
"""

import os
import sys
import threading
import time
from typing import BinaryIO

from pydantic import TypeAdapter

from fanfold_workers.contract import Value
from fanfold_workers.errors import FanfoldError

from .beneath import FolderAnchor
from .catalog import shipped
from .disk import DiskRoot
from .files import Files
from .toolbox import Answer

ANSWER = TypeAdapter(Answer)
READY = b"ready\n"
"""What a child says once it can be asked."""
WATCH_SECONDS = 0.5


class Request(Value):
    """A tool by name, the places of the scope, and the tool's arguments as JSON."""

    tool: str
    places: tuple[str, ...]
    given: str


class Reply(Value):
    """An Answer as JSON, or what was raised: a FanfoldError taken apart, or a crash in one line."""

    answer: str = ""
    error: str = ""
    field: str = ""
    problem: str = ""
    remedy: str = ""
    crash: str = ""


def held(name: str, descriptor: int) -> DiskRoot:
    """The root of an inherited descriptor."""
    os.fchdir(descriptor)
    return DiskRoot(name, ".", anchor=lambda _: FolderAnchor("."))


def replied(request: Request, roots: dict[str, DiskRoot]) -> Reply:
    """Run the tool and put what comes of it in a Reply."""
    try:
        tool = shipped()[request.tool]
        given = tool.arguments.model_validate_json(request.given)
        answer = tool.run(Files(roots, request.places), given)
        return Reply(answer=ANSWER.dump_json(answer).decode())
    except FanfoldError as error:
        parts = {"field": error.field, "problem": error.problem, "remedy": error.remedy}
        return Reply(error=type(error).__name__, **parts)
    except Exception as error:
        return Reply(crash=f"{type(error).__name__}: {error}"[:2_000])


def serve(requests: BinaryIO, replies: BinaryIO, roots: dict[str, DiskRoot]) -> None:
    """Answer until the requests end."""
    replies.write(READY)
    replies.flush()
    while size := requests.readline():
        request = Request.model_validate_json(requests.read(int(size)))
        data = replied(request, roots).model_dump_json().encode()
        replies.write(b"%d\n%b" % (len(data), data))
        replies.flush()


def end_with(parent: int) -> None:
    """Exit once that process is no longer this one's parent: in the middle of a scan nothing else would tell."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(0)


def main() -> None:
    """Serve over stdin and stdout; whatever prints goes to stderr."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    threading.Thread(target=end_with, args=(int(sys.argv[1]),), daemon=True).start()
    named = (argument.rpartition("=") for argument in sys.argv[2:])
    roots = {name: held(name, int(descriptor)) for name, _, descriptor in named}
    try:
        serve(sys.stdin.buffer, replies, roots)
    except BrokenPipeError:
        os._exit(0)  # the parent is gone


if __name__ == "__main__":
    main()
