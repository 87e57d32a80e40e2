"""Results handed in by reference."""

from pathlib import Path

import pytest

from fanfold_server.handed_files import handed_text
from fanfold_workers.contract import MAX_TEXT_CHARS
from fanfold_workers.errors import FanfoldError, InputError, ScopeError, UnknownNameError
from fanfold_workers.tools.disk import DiskRoot
from fanfold_workers.tools.roots import MemoryRoot

ROOTS = {
    "notes": MemoryRoot(
        "notes",
        {
            "a/one.md": "It rained.\r\nThen it stopped.\n",
            "binary": "\0\1",
            "empty.txt": "",
            "just.txt": "x" * MAX_TEXT_CHARS,
            "long.txt": "x" * (MAX_TEXT_CHARS + 1),
        },
    )
}
SPLIT = "Split the file, and hand each part in as a result of its own."


def test_a_file_is_read_as_the_text_it_holds() -> None:
    read = [handed_text(f"notes:{path}", ROOTS, field="f") for path in ("a/one.md", "empty.txt", "just.txt")]
    assert read == ["It rained.\nThen it stopped.\n", "", "x" * MAX_TEXT_CHARS]


@pytest.mark.parametrize(
    ("place", "kind", "told"),
    [
        ("notes", InputError, "notes is a root, not a file. Name a file below it: root:path/to/file."),
        ("other:a", UnknownNameError, "There is no root called other. Use one of: notes."),
        ("notes:b", UnknownNameError, "notes:b is not there. Name a file below a root: root:path/to/file."),
        ("notes:a", UnknownNameError, "notes:a is not there. Name a file below a root: root:path/to/file."),
        ("notes:../b", ScopeError, "notes:../b is outside this scope. Name a file below a root: root:path/to/file."),
        ("notes:binary", InputError, "notes:binary is binary. Hand in its text."),
        ("notes:long.txt", InputError, f"notes:long.txt is longer than 2,000,000 characters. {SPLIT}"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_field_and_a_remedy(
    place: str, kind: type[FanfoldError], told: str
) -> None:
    with pytest.raises(kind) as error:
        handed_text(place, ROOTS, field="results[3].place")
    assert str(error.value) == f"results[3].place: {told}"


def test_nothing_outside_a_root_is_read(tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("a secret")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "notes.txt").write_text("a note")
    roots = {"r": DiskRoot("r", tmp_path / "inside")}
    assert handed_text("r:notes.txt", roots, field="f") == "a note"
    for place in ("r:../outside.txt", f"r:/{tmp_path.as_posix()}/outside.txt", "r:a/../../outside.txt", "r:."):
        with pytest.raises(FanfoldError, match=r"^f: "):
            handed_text(place, roots, field="f")


def test_a_file_that_only_seems_short_enough_is_not_cut_in_silence() -> None:
    # Nine bytes a line, of which three characters are kept.
    roots = {
        "r": MemoryRoot(
            "r", {"a": "\U0001f409\U0001f409\r\n" * 900_000, "b": "\ufeff" + "\U0001f409" * MAX_TEXT_CHARS}
        )
    }
    assert len(handed_text("r:b", roots, field="f")) == MAX_TEXT_CHARS
    with pytest.raises(InputError, match="is longer than 2,000,000 characters"):
        handed_text("r:a", roots, field="f")
