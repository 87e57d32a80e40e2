"""A result that is handed in by reference: the text of a file under a root, read when it is handed in."""

from collections.abc import Mapping

from fanfold_workers.contract import MAX_TEXT_CHARS
from fanfold_workers.errors import InputError, ScopeError, UnknownNameError
from fanfold_workers.tools.files import Files, split_place
from fanfold_workers.tools.legible import in_line
from fanfold_workers.tools.roots import Root

MAX_FILE_BYTES = 4 * MAX_TEXT_CHARS + 4
"""No more is read: a character takes four bytes at most, and the mark before the first of them no more."""


def handed_text(place: str, roots: Mapping[str, Root], *, field: str) -> str:
    """The text of the file at a place, as it stands now; at most 2,000,000 characters. Blocking.

    UTF-8, or UTF-16 with its mark; bad bytes become U+FFFD, every line ends in one newline.

    Args:
        place: `root:path/to/file`.
        roots: every configured root, by name; nothing outside them can be read.
        field: the argument that names the place, as its caller spells it: `results[3].place`.

    Raises:
        UnknownNameError: if the root is not known, or there is no regular file that may be read.
        ScopeError: if the path tries to leave the root.
        InputError: if a root alone is named, or the file is binary or too long.
    """
    if not split_place(place)[1]:
        msg = f"{in_line(place)} is a root, not a file."
        raise InputError(msg, field=field, remedy="Name a file below it: root:path/to/file.")
    try:
        files = Files(roots, (place,))
        text = files.text(place, MAX_FILE_BYTES)
        more = files.read(place, 1, MAX_FILE_BYTES)
    except (UnknownNameError, ScopeError) as error:
        remedy = (
            error.remedy if split_place(place)[0] not in roots else "Name a file below a root: root:path/to/file."
        )
        raise type(error)(error.problem, field=field, remedy=remedy) from None
    if text is None:
        msg = f"{in_line(place)} is binary."
        raise InputError(msg, field=field, remedy="Hand in its text.")
    if more or len(text) > MAX_TEXT_CHARS:
        msg = f"{in_line(place)} is longer than {MAX_TEXT_CHARS:,} characters."
        raise InputError(msg, field=field, remedy="Split the file, and hand each part in as a result of its own.")
    return text
