"""What a scope's places allow, over several roots, and files as text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold_workers.errors import InputError, ScopeError, UnknownNameError
from fanfold_workers.tools.files import Document, Files, split_place
from fanfold_workers.tools.roots import MAX_READ_BYTES, File, MemoryRoot, Root

TREE = {"d/a.py": "aa", "d/b/c.md": "c", "d-x/e.py": "e", "f.txt": "f"}


class BytesRoot:
    """A root of raw bytes, for what is not UTF-8."""

    name = "b"

    def __init__(self, data: bytes) -> None:
        self.data = data

    def walk(self, under: str = "", /) -> list[File]:  # type: ignore[override]
        return [File("f", len(self.data))]

    def children(self, under: str = "", /) -> list[str]:
        return ["f"]

    def read(self, path: str, /, limit: int = MAX_READ_BYTES, offset: int = 0) -> bytes:
        return self.data[offset:][:limit]


def over(*places: str) -> Files:
    roots: dict[str, Root] = {name: MemoryRoot(name, TREE) for name in ("r", "s")}
    return Files(roots, places)


def of_bytes(data: bytes) -> Files:
    return Files({"b": BytesRoot(data)}, ("b",))  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]


def places(files: Files, under: str = "", glob: str = "") -> list[str]:
    return [document.place for document in files.walk(under, glob)]


def test_a_scope_holds_its_places_and_what_is_below_them() -> None:
    files = over("r:d", "s:f.txt")
    assert list(files.walk()) == [Document("r:d/a.py", 2), Document("r:d/b/c.md", 1), Document("s:f.txt", 1)]
    assert files.read("r:d/b/c.md") == b"c"
    for outside in ("r", "r:f.txt", "r:d-x/e.py", "s", "s:d/a.py", "t:d", "r:d/../f.txt", "r:d/b/../../f.txt", "R:d"):
        with pytest.raises(ScopeError, match="outside this scope"):
            files.read(outside)
        with pytest.raises(ScopeError, match="outside this scope"):
            places(files, outside)


def test_places_that_overlap_give_each_file_once() -> None:
    assert places(over("r:d/b", "r:d", "r:d/", "r:./d//b", "r:f.txt", "r:f.txt")) == [
        "r:d/a.py",
        "r:d/b/c.md",
        "r:f.txt",
    ]
    assert places(over("r", "r:d")) == ["r:d-x/e.py", "r:d/a.py", "r:d/b/c.md", "r:f.txt"]


def test_a_scope_without_places_holds_nothing() -> None:
    assert places(over()) == []
    with pytest.raises(ScopeError, match="this one has none"):
        over().read("r:f.txt")


def test_a_place_in_no_known_root_names_the_roots_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"no root called t\. Use one of: r, s"):
        places(over("t:x"))


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("*.py", ["r:d-x/e.py", "r:d/a.py"]),
        ("/*.txt", ["r:f.txt"]),
        ("*.{py,md}", ["r:d-x/e.py", "r:d/a.py", "r:d/b/c.md"]),
        ("./d/**", ["r:d/a.py", "r:d/b/c.md"]),
        ("b", ["r:d/b/c.md"]),
        ("{d,d-x}/{a,e}.py", ["r:d-x/e.py", "r:d/a.py"]),
        ("[!a].py", ["r:d-x/e.py"]),
        ("none", []),
    ],
)
def test_a_glob_is_read_as_git_reads_it_with_braces(glob: str, found: list[str]) -> None:
    assert places(over("r"), glob=glob) == found


def test_a_glob_counts_from_the_place_not_the_root() -> None:
    assert places(over("r:d", "s:d/a.py"), glob="/*.py") == ["r:d/a.py", "s:d/a.py"]
    assert places(over("r"), "r:d", "/*.py") == ["r:d/a.py"]


@pytest.mark.parametrize("glob", ["!*.py", "#x", "[", "\\", " ", "{a,b}" * 20, "{" * 250 + "}" * 250, "x" * 501])
def test_a_glob_that_makes_no_sense_is_refused(glob: str) -> None:
    with pytest.raises(InputError, match=r"glob: .* is no glob"):
        places(over("r"), glob=glob)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
        (b"\xef\xbb\xbfx\n", "x\n"),
        ("é\r\nx".encode("utf-16"), "é\nx"),
        ("é".encode("utf-16-be").join([b"\xfe\xff", b""]), "é"),
        (b"caf\xe9", "caf�"),
        (b"\xed\xa0\x80", "���"),
        (b"a\x0cb\x0b\xc2\x85c", "a\x0cb\x0b\x85c"),
        (b"\0\1", None),
        (b"x" * 8191 + b"\0", None),
        (b"x" * 8192 + b"\0", "x" * 8192 + "\0"),
        (b"", ""),
    ],
)
def test_a_file_is_text_with_python_s_lines_or_binary(data: bytes, text: str | None) -> None:
    assert of_bytes(data).text("b:f") == text
    assert list(of_bytes(data).pieces("b:f")) == [text]


def test_a_character_cut_by_the_limit_is_left_out() -> None:
    assert of_bytes("aé".encode()).text("b:f", 2) == "a"
    assert of_bytes("aé".encode()).text("b:f", 3) == "aé"


@settings(max_examples=50)
@given(st.text(max_size=60), st.integers(1, 9))
def test_the_pieces_of_a_file_are_the_file(text: str, size: int) -> None:
    data = text.replace("\0", "").encode()
    whole = of_bytes(data).text("b:f")
    assert "".join(piece or "" for piece in of_bytes(data).pieces("b:f", size)) == whole


@given(st.text(st.sampled_from("ab:/. "), max_size=12))
def test_a_place_split_twice_is_the_same(place: str) -> None:
    root, path = split_place(place)
    assert split_place(f"{root}:{path}") == (root, path)


@pytest.mark.parametrize("path", ["../f.txt", "/f.txt", "d/../f.txt"])
def test_a_root_in_memory_is_as_shut_as_one_on_disk(path: str) -> None:
    root = MemoryRoot("r", TREE)
    for call in (root.read, root.children):
        with pytest.raises(ScopeError):
            call(path)
    with pytest.raises(UnknownNameError):
        root.read("none")
    assert (root.read("f.txt", 1), root.read("d/a.py", 5, 1), root.children("d")) == (b"f", b"a", ["a.py", "b/"])
