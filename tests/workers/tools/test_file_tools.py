"""list, read and search: what a worker sees of the files in its scope."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from fanfold_workers.contract import Examined
from fanfold_workers.errors import FanfoldError, InputError, ScopeError, UnknownNameError
from fanfold_workers.tools import listing, reading, searching
from fanfold_workers.tools.disk import DiskRoot
from fanfold_workers.tools.files import Files
from fanfold_workers.tools.roots import MAX_READ_BYTES, File, MemoryRoot, Root
from fanfold_workers.tools.toolbox import Answer, Tool

TREE = {
    "README.md": "# Title\n\nHello, world.\n",
    "bin.dat": "a\0b",
    "src/app.py": "import os\n\n\ndef main():\n    return os.name\n\n\ndef helper():\n    return 1\n",
    "src/deep/util.py": "def main():\n    pass\n",
}


def files(tree: Mapping[str, str] = TREE, *places: str) -> Files:
    root: Root = MemoryRoot("r", tree)
    return Files({"r": root}, places or ("r",))


def use(tool: Tool[Any], over: Files, **arguments: object) -> Answer:
    return tool.run(over, tool.arguments(**arguments))


def refusal(tool: Tool[Any], over: Files, **arguments: object) -> str:
    with pytest.raises(FanfoldError) as refused:
        use(tool, over, **arguments)
    return str(refused.value)


# ---- list ----


def test_a_list_names_the_files_with_their_sizes() -> None:
    assert use(listing.TOOL, files()) == Answer(
        snapshot("""\
4 files:
r:README.md  23 B
r:bin.dat  3 B
r:src/app.py  72 B
r:src/deep/util.py  21 B\
""")
    )
    assert use(listing.TOOL, files(), under="r:src", glob="/*.py").text == snapshot("""\
1 file:
r:src/app.py  72 B\
""")
    assert use(listing.TOOL, files(), glob="*.rs").text == "No files match."


def test_a_long_list_is_cut_and_says_where_the_rest_is() -> None:
    tree = {f"p{n % 3}/q/f{n:04}.txt": "x" * n for n in range(2_000)}
    text = use(listing.TOOL, files(tree)).text.splitlines()
    assert (len(text), text[0], text[1], text[501:]) == snapshot(
        (
            505,
            "2,000 files, the first 500 of them:",
            "r:p0/q/f0000.txt  0 B",
            ["1,500 more, by folder; narrow it with `under` or `glob`:", "  r:p1  667", "  r:p2  666", "  r:p0  167"],
        )
    )


def test_a_folder_that_was_not_looked_into_is_named_and_counted() -> None:
    closed = replace(files(), roots={"r": Closed("r", TREE)})
    assert use(listing.TOOL, closed, glob="*.md").text == snapshot("""\
2 files:
r:README.md  23 B
r:vanished.md  3 B
1 folder could not be looked into, at least in part:
  r:private/\
""")
    assert use(searching.TOOL, closed, pattern="Hello").examined == snapshot(
        Examined(
            done=3, in_scope=5, left_out=("2 could not be read (r:private/, r:vanished.md)", "1 binary, not counted")
        )
    )


class Closed(MemoryRoot):
    """A root with a folder that cannot be looked into, and a file that cannot be read."""

    def walk(self, under: str = "", /) -> Iterator[File]:
        """See Root."""
        yield from super().walk(under)
        yield File("private/", 0)
        yield File("vanished.md", 3)


# ---- read ----


def test_a_read_numbers_the_lines() -> None:
    assert use(reading.TOOL, files(), place="r:src/app.py", start=4, count=2) == snapshot(
        Answer(
            text="""\
r:src/app.py, lines 4-5 of 9; go on with start=6
     4	def main():
     5	    return os.name\
""",
            examined=Examined(done=1, in_scope=1),
        )
    )
    assert use(reading.TOOL, files(), place="r:README.md").text.split("\n") == [
        "r:README.md, lines 1-3 of 3",
        "     1\t# Title",
        "     2\t",
        "     3\tHello, world.",
    ]


def test_a_page_says_where_to_go_on_and_the_next_one_goes_on() -> None:
    tree = {"f": "".join(f"{n}\n" for n in range(1, 1_001))}
    shown: list[str] = []
    start = 1
    while True:
        head, *lines = use(reading.TOOL, files(tree), place="r:f", start=start, count=300).text.split("\n")
        shown += [line.split("\t")[1] for line in lines]
        if "go on" not in head:
            break
        start = int(head.rpartition("=")[2])
    assert (shown, head) == ([str(n) for n in range(1, 1_001)], "r:f, lines 901-1,000 of 1,000")


def test_a_page_stops_at_256_kb_and_a_line_at_2000_characters() -> None:
    tree = {"f": f"{'é' * 3_000}\n" * 200}
    answer = use(reading.TOOL, files(tree), place="r:f")
    lines = answer.text.split("\n")
    assert len(answer.text.encode()) < 257 * 1024
    assert (lines[0], lines[1]) == (
        "r:f, lines 1-64 of 200; go on with start=65",
        f"     1\t{'é' * 2_000} … [1,000 more characters of this line not shown]",
    )
    assert answer.examined == Examined(done=1, in_scope=1, left_out=("64 lines of r:f cut at 2,000 characters",))


def test_any_line_of_a_large_file_can_be_reached() -> None:
    tree = {"f": "".join(f"line {n}\n" for n in range(1, 400_001)) + "end"}
    assert use(reading.TOOL, files(tree), place="r:f", start=399_999, count=9).text == snapshot("""\
r:f, lines 399,999-400,001 of 400,001
399999	line 399999
400000	line 400000
400001	end\
""")


def test_a_file_of_one_endless_line_is_cut_not_swallowed() -> None:
    head, line = use(reading.TOOL, files({"f": "x" * 5_000_000}), place="r:f").text.split("\n")
    assert (head, line[:12], line[2_000:]) == snapshot(
        ("r:f, lines 1-1 of 1", "     1\txxxxx", "xxxxxxx … [4,998,000 more characters of this line not shown]")
    )


def test_what_cannot_be_read_says_why_and_what_to_do() -> None:
    over = files(TREE | {"empty": ""}, "r:src", "r:bin.dat", "r:empty")
    assert [
        refusal(reading.TOOL, over, place="r:bin.dat"),
        refusal(reading.TOOL, over, place="r:src/app.py", start=100),
        refusal(reading.TOOL, over, place="r:empty", start=2),
        refusal(reading.TOOL, over, place="r:src"),
        refusal(reading.TOOL, over, place="r:README.md"),
        refusal(reading.TOOL, over, place="r:src/../README.md"),
    ] == snapshot(
        [
            "read.place: r:bin.dat is binary. Choose a text file.",
            "read.start: r:src/app.py has 9 lines. Start at 9 or before.",
            "read.start: r:empty has 0 lines. Start at 1 or before.",
            "place: r:src is not there. List the folder for what is.",
            "place: r:README.md is outside this scope. Stay within r:src, r:bin.dat, r:empty.",
            "place: r:src/../README.md is outside this scope. Stay within r:src, r:bin.dat, r:empty.",
        ]
    )
    assert use(reading.TOOL, over, place="r:empty").text == "r:empty is empty."


@settings(max_examples=60)
@given(st.text(max_size=80), st.integers(1, 6), st.integers(1, 6))
def test_the_lines_shown_are_the_lines_of_the_file(text: str, start: int, count: int) -> None:
    text = "x" + text.replace("\0", "")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    over = files({"f": text})
    if start > len(lines):
        assert f"has {len(lines)} lines" in refusal(reading.TOOL, over, place="r:f", start=start)
        return
    shown = use(reading.TOOL, over, place="r:f", start=start, count=count).text.split("\n")[1:]
    assert [int(line.split("\t", 1)[0]) for line in shown] == list(range(start, start + len(shown)))
    assert len(shown) == min(count, len(lines) - start + 1)
    for line, real in zip(shown, lines[start - 1 :], strict=False):
        assert all(a in {b, "�"} for a, b in zip(line.split("\t", 1)[1], real, strict=True))


# ---- search ----


def test_a_search_shows_the_lines_that_match_with_their_numbers() -> None:
    assert use(searching.TOOL, files(), pattern=r"^def \w+") == snapshot(
        Answer(
            text="""\
3 lines match in 2 of 3 text files.
r:src/app.py (2)
     4: def main():
     8: def helper():
r:src/deep/util.py (1)
     1: def main():
Left out: 1 binary, not counted.\
""",
            examined=Examined(done=3, in_scope=3, left_out=("1 binary, not counted",)),
        )
    )
    assert use(searching.TOOL, files(), pattern="NAME|hello", ignore_case=True, context=1).text == snapshot("""\
2 lines match in 2 of 3 text files.
r:README.md (1)
     2-
     3: Hello, world.
r:src/app.py (1)
     4- def main():
     5:     return os.name
     6-
Left out: 1 binary, not counted.\
""")
    assert use(searching.TOOL, files(), pattern="main", glob="/*.py", under="r:src").text == snapshot("""\
1 line matches in 1 of 1 text file.
r:src/app.py (1)
     4: def main():\
""")
    assert use(searching.TOOL, files(), pattern="nowhere").text == snapshot("""\
No line matches in 3 text files.
Left out: 1 binary, not counted.\
""")


def test_matches_beyond_those_shown_are_counted() -> None:
    tree = {f"f{n}": "hit\n" * 50 for n in range(10)} | {"g": "hit\n" * 5_000}
    assert use(searching.TOOL, files(tree), pattern="hit", matches=5, per_file=2).text == snapshot("""\
1,500 or more lines match in 11 of 11 text files; 5 shown.
r:f0 (50, the first 2 shown)
     1: hit
     2: hit
r:f1 (50, the first 2 shown)
     1: hit
     2: hit
r:f2 (50, the first 1 shown)
     1: hit\
""")


@pytest.mark.parametrize("pattern", ["(", "a(?=b)", r"(a)\1", "[z-a]", "a{9999}", "((a{100}){100}){100}", "*", "\\"])
def test_a_pattern_that_is_none_is_refused_with_the_remedy(pattern: str) -> None:
    said = refusal(searching.TOOL, files(), pattern=pattern)
    assert said.startswith("search.pattern: It is not a regular expression of RE2: ")
    assert said.endswith("do without look-around and back-references.")


def test_patterns_made_to_stall_do_not() -> None:
    over = files({"f": "a" * 100_000 + "\n" + "x" * 100_000})
    started = time.monotonic()
    for pattern in ("(a+)+$b", "(x+x+)+y", "(a|aa)*b", "(.*)*,"):
        assert use(searching.TOOL, over, pattern=pattern).text == "No line matches in 1 text file."
    assert time.monotonic() - started < 5


def test_a_search_out_of_time_says_what_it_did_not_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MAX_SECONDS", -1.0)
    assert use(searching.TOOL, files(), pattern="main") == snapshot(
        Answer(
            text="""\
No line matches in 0 text files.
Left out: 4 not reached in time (r:README.md, r:bin.dat, r:src/app.py, …).\
""",
            examined=Examined(
                in_scope=4, left_out=("4 not reached in time (r:README.md, r:bin.dat, r:src/app.py, …)",)
            ),
        )
    )


@dataclass(frozen=True)
class Made:
    """A root of one file, made as it is read: so large that it has no end, or so slow that time runs out."""

    made: Callable[[int, int], bytes]
    size: int = 1
    name: str = "r"

    def walk(self, under: str = "", /) -> Iterator[File]:
        """See Root."""
        return iter([File("f", self.size)])

    def children(self, under: str = "", /) -> list[str]:
        """See Root."""
        return ["f"]

    def read(self, path: str, /, limit: int = MAX_READ_BYTES, offset: int = 0) -> bytes:
        """See Root."""
        return self.made(limit, offset)


def late(limit: int, offset: int) -> bytes:
    time.sleep(0.06)
    return b"main"


def test_a_file_not_searched_to_its_end_is_not_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MAX_SECONDS", 0.05)
    assert use(searching.TOOL, Files({"r": Made(late)}, ("r",)), pattern="main").examined == Examined(
        done=0, in_scope=1, left_out=("1 not searched to the end in time (r:f)",)
    )


def test_a_file_too_large_to_search_is_not_examined_and_a_binary_one_not_counted() -> None:
    text, binary = Made(lambda limit, _: b"x" * limit, 2**25), Made(lambda limit, _: b"\0" * limit, 2**25)
    assert [use(searching.TOOL, Files({"r": root}, ("r",)), pattern="x").examined for root in (text, binary)] == [
        Examined(done=0, in_scope=1, left_out=("1 over 16 MB (r:f)",)),
        Examined(done=0, in_scope=0, left_out=("1 binary, not counted",)),
    ]


def test_a_file_without_end_is_paged_as_far_as_pages_go() -> None:
    endless = Files({"r": Made(lambda limit, _: b"x" * limit)}, ("r",))
    assert refusal(reading.TOOL, endless, place="r:f", start=2) == (
        "read.start: Only the first 256 MB of r:f can be paged. Ask for an earlier line."
    )


def test_an_answer_stays_small_however_much_matches() -> None:
    tree = {f"f{n}": f"{'x' * 390}\n" * 500 for n in range(3)}
    text = use(searching.TOOL, files(tree), pattern="x", matches=1_000, per_file=1_000).text
    assert text.startswith("1,500 lines match in 3 of 3 text files; 151 shown.\n")
    assert len(text) < 61_000


def test_a_search_leaves_scope_to_the_scope() -> None:
    with pytest.raises(ScopeError):
        use(searching.TOOL, files(TREE, "r:src"), pattern="x", under="r:README.md")
    with pytest.raises(UnknownNameError):
        use(searching.TOOL, files(TREE, "r:none"), pattern="x")
    with pytest.raises(InputError, match="glob"):
        use(searching.TOOL, files(), pattern="x", glob="!x")


def test_long_lines_are_shown_around_the_match() -> None:
    tree = {"f": "é" * 5_000 + "needle" + "é" * 300_000 + "\nneedle"}
    text = use(searching.TOOL, files(tree), pattern="needle").text.split("\n")
    assert (text[0], text[2], text[3]) == (
        "2 lines match in 1 of 1 text file.",
        f"     1: …{'é' * 120}needle{'é' * 274}…",
        "     2: needle",
    )


@settings(max_examples=60)
@given(
    st.lists(st.text("ab \r\x0cé", max_size=6), max_size=12),
    st.sampled_from(["a", "^a", "b$", "^$", "a*", "é.", "."]),
)
def test_a_search_finds_the_lines_that_match_and_no_others(lines: list[str], pattern: str) -> None:
    text = "\n".join(lines)
    real = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n") if text else []
    expected = [n for n, line in enumerate(real, 1) if re.search(pattern, line)]
    answer = use(searching.TOOL, files({"f": text}), pattern=pattern, per_file=1_000, matches=1_000)
    shown = [int(line.split(":")[0]) for line in answer.text.split("\n")[2:]]
    assert shown == expected
    assert answer.examined == Examined(done=1, in_scope=1)


@settings(max_examples=30)
@given(st.integers(0, 4), st.sets(st.integers(1, 30), min_size=1))
def test_context_shows_each_line_once_in_order(context: int, hits: set[int]) -> None:
    tree = {"f": "".join("hit\n" if n in hits else "-\n" for n in range(1, 31))}
    lines = use(searching.TOOL, files(tree), pattern="hit", context=context, per_file=50).text.split("\n")[2:]
    numbers = [int(line[:6]) for line in lines if line.strip() != "--"]
    assert numbers == [n for n in range(1, 31) if any(abs(n - hit) <= context for hit in hits)]
    assert {int(line[:6]) for line in lines if line[6:7] == ":"} == hits


def test_what_is_not_text_never_reaches_an_answer(tmp_path: Path) -> None:
    (tmp_path / "a\x1b\n\x9b.txt").write_bytes(b"x \x1b[31m \xed\xa0\x80 \x00"[:-1] + "\x9b".encode())
    over = Files({"r": DiskRoot("r", tmp_path)}, ("r",))
    for answer in (
        use(listing.TOOL, over),
        use(searching.TOOL, over, pattern="x"),
        use(reading.TOOL, over, place="r:a\x1b\n\x9b.txt"),
    ):
        assert answer.text.replace("\n", "").replace("\t", "").isprintable()
        assert str(tmp_path) not in answer.text


def test_the_tools_describe_themselves_to_a_model() -> None:
    for tool in (listing.TOOL, reading.TOOL, searching.TOOL):
        schema = tool.arguments.model_json_schema()
        assert (schema["additionalProperties"], len(tool.description) < 1_000) == (False, True)
        assert all("type" in each or "anyOf" in each for each in schema["properties"].values())
