"""The tool `list`: which files there are."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from fanfold_workers.contract import Place, Value

from .files import Document, Files, join_place, split_place
from .ignoring import MAX_GLOB_CHARS
from .legible import in_line
from .toolbox import Answer, Tool

MAX_NAMES = 500
MAX_FOLDERS = 25

Under = Annotated[Place | Literal[""], Field(description="One place of the scope (`root:path`); all of it if empty.")]
Glob = Annotated[
    str,
    StringConstraints(max_length=MAX_GLOB_CHARS),
    Field(description="As in a .gitignore, from that place: `*.py` at any depth, `/docs/**/*.md`, `*.{js,ts}`."),
]


class ListArguments(Value):
    """What `list` takes."""

    under: Under = ""
    glob: Glob = ""


def run(files: Files, arguments: ListArguments) -> Answer:
    """The first 500 names with their sizes, and how many more there are, by folder.

    Raises:
        ScopeError, UnknownNameError, InputError: as Files.walk.
    """
    shown: list[Document] = []
    closed: list[str] = []
    more: Counter[str] = Counter()
    for document in files.walk(arguments.under, arguments.glob):
        if document.place.endswith("/"):
            closed.append(document.place)
        elif len(shown) < MAX_NAMES:
            shown.append(document)
        else:
            more[_folder(document, arguments.under)] += 1
    lines = [f"{in_line(each.place, 4_100)}  {_size(each.size)}" for each in shown]
    return Answer("\n".join([_summary(len(shown), more), *lines, *_rest(more), *_unseen(closed)]))


def _summary(shown: int, more: Counter[str]) -> str:
    total = shown + more.total()
    if not total:
        return "No files match."
    names = "1 file" if total == 1 else f"{total:,} files"
    return f"{names}, the first {shown} of them:" if more else f"{names}:"


def _rest(more: Counter[str]) -> list[str]:
    if not more:
        return []
    lines = [f"  {in_line(folder, 300)}  {count:,}" for folder, count in more.most_common(MAX_FOLDERS)]
    others = len(more) - len(lines)
    tail = [f"  … and {others:,} more folders"] if others > 0 else []
    return [f"{more.total():,} more, by folder; narrow it with `under` or `glob`:", *lines, *tail]


def _unseen(closed: list[str]) -> list[str]:
    if not closed:
        return []
    lines = [f"  {in_line(place, 300)}" for place in closed[:MAX_FOLDERS]]
    folders = "1 folder" if len(closed) == 1 else f"{len(closed):,} folders"
    return [f"{folders} could not be looked into, at least in part:", *lines]


def _folder(document: Document, under: str) -> str:
    """The folder just below `under` (or the root) that holds a document."""
    root, path = split_place(document.place)
    top = split_place(under)[1]
    depth = top.count("/") + 2 if top else 1
    return join_place(root, "/".join(path.split("/")[:-1][:depth]))


def _size(size: int) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1_000:
            return f"{size:,.0f} {unit}"
        size = round(size / 1_000)
    return f"{size:,} GB"


TOOL: Tool[ListArguments] = Tool(
    name="list",
    description=(
        "List the files in scope with their sizes, at most 500, and how many more each folder holds. "
        "Leaves out what .gitignore hides. Use it first, to see what there is; then `search` and `read`."
    ),
    arguments=ListArguments,
    run=run,
)
