"""A root shows what is inside it, and nothing else, whatever is asked and whatever happens meanwhile."""

import gc
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic

import anyio
import anyio.to_thread
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanfold_workers.aside import in_thread
from fanfold_workers.errors import FanfoldError, InputError, ScopeError, UnknownNameError
from fanfold_workers.tools.beneath import READING, Anchor, FolderAnchor, best_opener, by_openat2, by_steps
from fanfold_workers.tools.disk import DiskRoot
from fanfold_workers.tools.roots import File
from fanfold_workers.tools.windows import PathAnchor, is_plain_name

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="makes links and FIFOs")
linux = pytest.mark.skipif(sys.platform != "linux", reason="is about Linux")

OUTSIDE = b"OUTSIDE"
HANG_SECONDS = 10


def by_path(directory: str | os.PathLike[str]) -> Anchor:
    """The anchor for Windows, with Linux's own way to ask an open file where it is."""
    return PathAnchor(directory, lambda descriptor: str(Path(f"/proc/self/fd/{descriptor}").readlink()))


EVERYWHERE: dict[str, Callable[[str | os.PathLike[str]], Anchor]] = {
    "steps": partial(FolderAnchor, opener=by_steps),
    "best": FolderAnchor,
}
ON_LINUX: dict[str, Callable[[str | os.PathLike[str]], Anchor]] = {
    "openat2": partial(FolderAnchor, opener=by_openat2),
    "path": by_path,
}
ANCHORS = EVERYWHERE | (ON_LINUX if sys.platform == "linux" else {})

Rooted = Callable[[Path], DiskRoot]


@pytest.fixture(params=sorted(ANCHORS))
def rooted(request: pytest.FixtureRequest) -> Rooted:
    """Makes a root, in each of the ways a system may offer."""
    return lambda directory: DiskRoot("r", directory, anchor=ANCHORS[request.param])


def outcome(call: Callable[[], object]) -> object:
    """What a call returns, or the error it raises; an error that hangs on is a failure, too."""
    got: list[object] = []

    def run() -> None:
        try:
            got.append(call())
        except FanfoldError as error:
            got.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(HANG_SECONDS)
    assert got, "the call hangs"
    return got[0]


# ---- the jail, on random trees ----

ordinary = st.sampled_from(["a", "b", "c.py", "-", "x y", "né", "C:", "a:b", "a\\b", "...", " ", "nul", "\n", "~"])
targets = st.sampled_from([
    "..", "../..", "../outside", "../outside/secret", "/etc/passwd", "/proc/self/environ", "/proc/self/root",
    "a", "b/a", "./a", ".", "loop", "{outside}", "{outside}/secret", "{root}/a", "{root}/../outside/secret",
])  # fmt: skip
steps = ordinary | st.sampled_from(["..", ".", "", "loop", "secret", "outside", "link", "\0", "\udcff", "\ud800"])
asked = st.lists(steps, max_size=5).map("/".join) | st.sampled_from(["{outside}/secret", "/etc/passwd", "a/" * 3000])
trees = st.dictionaries(st.lists(ordinary, min_size=1, max_size=3).map("/".join), st.none() | targets, max_size=8)


def planted(base: Path, tree: dict[str, str | None]) -> Path:
    """A root with files (None) and links in it, and a secret beside it."""
    root, outside = base / "root", base / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret").write_bytes(OUTSIDE)
    (root / "loop").symlink_to("loop")
    (root / "link").symlink_to(outside)
    for path, target in tree.items():
        file = root / path
        if any(parent.is_symlink() for parent in file.parents):
            continue
        with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            file.parent.mkdir(parents=True, exist_ok=True)
            if target is not None:
                file.symlink_to(target.format(outside=outside, root=root))
            elif not file.is_symlink():
                file.write_bytes(b"inside")
    return root


def files_inside(folder: Path) -> Iterator[str]:
    for here, _, names in os.walk(folder):
        for name in names:
            file = Path(here) / name
            if not file.is_symlink():
                yield file.relative_to(folder).as_posix()


def told(root: DiskRoot, path: str) -> Iterator[tuple[str, bool]]:
    """All that a root says of a path, each with whether it is an answer or a refusal."""
    calls: tuple[Callable[[str], object], ...] = (root.read, root.children, lambda asked: list(root.walk(asked)))
    for call in calls:
        try:
            said, answered = repr(call(path)), True
        except (ScopeError, UnknownNameError) as error:
            said, answered = str(error), False
        yield said, answered


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(tree=trees, paths=st.lists(asked, max_size=8))
def test_nothing_outside_is_ever_returned(tree: dict[str, str | None], paths: list[str]) -> None:
    with tempfile.TemporaryDirectory() as base:
        folder = planted(Path(base).resolve(), tree)
        everything = (
            [p.replace("{outside}", f"{folder.parent}/outside") for p in paths] + list(tree) + ["link/secret"]
        )
        for anchor in ANCHORS.values():
            root = DiskRoot("r", folder, anchor=anchor)
            for path in everything:
                for said, answered in told(root, path):
                    assert "OUTSIDE" not in said
                    assert said.isprintable()
                    assert "secret" not in said or not answered
                    assert base not in said or base in path


@settings(deadline=None, max_examples=40)
@given(tree=trees)
def test_a_walk_shows_every_file_inside_once_in_order(tree: dict[str, str | None]) -> None:
    with tempfile.TemporaryDirectory() as base:
        folder = planted(Path(base), tree)
        for kind in ANCHORS.keys() - {"path"}:  # which takes no odd names
            walked = list(DiskRoot("r", folder, anchor=ANCHORS[kind]).walk())
            assert walked == [File(path, 6) for path in sorted(files_inside(folder))]


# ---- races ----


@contextmanager
def swapping(top: Path, outside: Path) -> Generator[None]:
    """While this lasts, `d` below the root is in turn a folder and a link to the outside, as fast as can be."""
    (top / "d").mkdir()
    (top / "d" / "f").write_bytes(b"inside")
    (top / ".link").symlink_to(outside)
    stop = threading.Event()

    def swap() -> None:
        there, real, link = top / "d", top / ".real", top / ".link"
        while not stop.is_set():
            there.rename(real)
            link.rename(there)
            there.rename(link)
            real.rename(there)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def raced(tmp_path: Path) -> Iterator[Path]:
    """A root under attack: the file `d/f` exists inside and, larger, outside."""
    top, outside = tmp_path / "root", tmp_path / "outside"
    top.mkdir()
    outside.mkdir()
    (outside / "f").write_bytes(OUTSIDE * 100)
    with swapping(top, outside):
        yield top


def seen(call: Callable[[], object], seconds: float, enough: object = None) -> set[object]:
    """All that a call comes to within some time, an error as its class; less time once it came to `enough`."""
    found: set[object] = set()
    end = monotonic() + seconds
    while monotonic() < end and enough not in found:
        try:
            found.add(call())
        except (OSError, FanfoldError) as error:
            found.add(type(error))
    return found


@pytest.mark.parametrize("kind", sorted(ANCHORS))
def test_a_link_swapped_in_meanwhile_is_never_followed(kind: str, raced: Path) -> None:
    root = DiskRoot("r", raced, anchor=ANCHORS[kind])
    assert seen(lambda: root.read("d/f"), 0.4) == {b"inside", UnknownNameError}


@pytest.mark.parametrize("kind", sorted(ANCHORS.keys() - {"path"}))
def test_a_link_swapped_in_meanwhile_is_never_walked(kind: str, raced: Path) -> None:
    root = DiskRoot("r", raced, anchor=ANCHORS[kind])
    walked = seen(lambda: tuple(file.size for file in root.walk()), 0.4)
    assert walked <= {(), (6,), (6, 6), UnknownNameError}
    assert (6,) in walked


def test_the_race_above_is_one_that_checking_first_loses(raced: Path) -> None:
    def check_then_open(folder: int, path: str, flags: int) -> int:
        if not (raced / path).resolve().is_relative_to(raced):
            raise OSError
        return os.open(raced / path, flags)

    root = DiskRoot("r", raced, anchor=partial(FolderAnchor, opener=check_then_open))
    assert OUTSIDE * 100 in seen(lambda: root.read("d/f"), 20, enough=OUTSIDE * 100)


def test_a_root_replaced_later_is_not_redirected(tmp_path: Path) -> None:
    top = tmp_path / "root"
    top.mkdir()
    (top / "f").write_bytes(b"inside")
    (tmp_path / "f").write_bytes(OUTSIDE)
    root = DiskRoot("r", top)
    top.rename(tmp_path / "moved")
    top.symlink_to(tmp_path)
    assert root.read("f") == b"inside"


# ---- what is no file ----


def test_fifos_sockets_and_folders_are_refused_at_once(rooted: Rooted, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket"))
        root = rooted(tmp_path)
        for name in ("fifo", "socket", "folder", ""):
            assert isinstance(outcome(lambda name=name: root.read(name)), UnknownNameError)
        assert isinstance(outcome(lambda: list(root.walk("fifo"))), UnknownNameError)
        assert outcome(lambda: list(root.walk())) == []


def test_a_fifo_called_gitignore_holds_nothing_up(rooted: Rooted, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".gitignore")
    (tmp_path / "a").write_text("x")
    assert outcome(lambda: list(rooted(tmp_path).walk())) == [File("a", 1)]


@linux
@pytest.mark.parametrize("path", ["root/etc/passwd", "cwd/pyproject.toml", "exe", "fd/0", "task/../status"])
def test_magic_links_are_never_followed(rooted: Rooted, path: str) -> None:
    with pytest.raises((UnknownNameError, ScopeError)):
        rooted(Path("/proc/self")).read(path)


@linux
def test_a_file_without_a_size_is_read_nevertheless() -> None:
    assert b"Name:" in DiskRoot("r", "/proc/self").read("status")


# ---- reading ----


def test_a_read_takes_at_most_the_bytes_asked_for(rooted: Rooted, tmp_path: Path) -> None:
    data = os.urandom(3 * 2**20)
    (tmp_path / "big").write_bytes(data)
    root = rooted(tmp_path)
    assert root.read("big") == data[: 256 * 1024]
    assert root.read("big", len(data) + 5) == data
    assert root.read("big", 10, 2**21) == data[2**21 : 2**21 + 10]
    assert root.read("big", 10, len(data) + 1) == b""
    assert root.read("./big", 0) == b""


@pytest.mark.parametrize("path", ["../x", "a/../../x", "..", "/etc/passwd", "a/.."])
def test_a_path_that_climbs_is_outside(rooted: Rooted, tmp_path: Path, path: str) -> None:
    assert [answered for _, answered in told(rooted(tmp_path), path)] == [False] * 3
    with pytest.raises(ScopeError, match="leaves the root r"):
        rooted(tmp_path).read(path)


def test_an_error_names_the_place_and_never_the_directory(rooted: Rooted, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    root = rooted(tmp_path)
    said: list[str] = []
    for path in ("none", "link", "none/x"):
        with pytest.raises(UnknownNameError) as refused:
            root.read(path)
        said.append(str(refused.value))
    assert said == [
        "place: r:none is not there, or is a link. List the folder for what is.",
        "place: r:link is not there, or is a link. List the folder for what is.",
        "place: r:none/x is not there, or is a link. List the folder for what is.",
    ]
    assert repr(root) == "DiskRoot('r')"


def test_what_may_not_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    root = DiskRoot("r", tmp_path, anchor=lambda d: Forbidding(d, "f"))
    with pytest.raises(UnknownNameError, match="r:f may not be read"):
        root.read("f")


# ---- the root itself ----


def test_a_directory_that_cannot_be_one_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "fifo")
    said: list[str] = []
    for name, path in (("a", "none"), ("b", "file"), ("c", "fifo"), ("d", "\0"), ("no/name", ".")):
        with pytest.raises(InputError) as refused:
            DiskRoot(name, tmp_path / path)
        said.append(str(refused.value))
    assert said == [
        "root: What the root a stands for does not exist. Name a folder that can be read: NAME=DIR.",
        "root: What the root b stands for is not a folder. Name a folder that can be read: NAME=DIR.",
        "root: What the root c stands for is not a folder. Name a folder that can be read: NAME=DIR.",
        "root: What the root d stands for cannot be opened. Name a folder that can be read: NAME=DIR.",
        "root: 'no/name' cannot name a root. Use 1 to 64 letters, digits, `.`, `_` or `-`: NAME=DIR.",
    ]


@linux
def test_a_root_lets_go_of_its_directory(tmp_path: Path) -> None:
    def held() -> int:
        gc.collect()
        opened = [fd for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
        return sum(fd.readlink().is_relative_to(tmp_path) for fd in opened)

    (tmp_path / "a").write_text("x")
    closed, dropped = DiskRoot("r", tmp_path), DiskRoot("r", tmp_path)
    walk = closed.walk()
    assert (next(walk), held()) == (File("a", 1), 2)
    closed.close()
    with pytest.raises(UnknownNameError, match="is closed"):
        closed.read("a")
    assert (list(walk), held()) == ([], 1)
    del dropped
    assert held() == 0


def test_many_threads_share_a_root(rooted: Rooted, tmp_path: Path) -> None:
    for n in range(20):
        (tmp_path / f"f{n}").write_text(f"{n}")
    root = rooted(tmp_path)
    everything: list[list[bytes]] = []
    reading = [
        threading.Thread(target=lambda: everything.append([root.read(f.path) for f in root.walk()]))
        for _ in "12345678"
    ]
    for thread in reading:
        thread.start()
    for thread in reading:
        thread.join()
    assert everything == [[str(n).encode() for n in sorted(range(20), key=str)]] * 8
    assert {root: 1}[root] == 1


# ---- walking ----


class Forbidding(FolderAnchor):
    """A folder in which one path may not be opened, as for a user without the right."""

    def __init__(self, directory: str | os.PathLike[str], path: str) -> None:
        def forbid(folder: int, asked_for: str, flags: int) -> int:
            if asked_for == path:
                raise PermissionError(1, "no")
            return by_steps(folder, asked_for, flags)

        super().__init__(directory, forbid)


def test_a_folder_that_may_not_be_listed_is_counted_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "z").write_text("x")
    root = DiskRoot("r", tmp_path, anchor=lambda d: Forbidding(d, "secret"))
    assert list(root.walk()) == [File("secret/", 0), File("z", 1)]
    with pytest.raises(UnknownNameError, match="may not be read"):
        root.read("secret/")


async def test_a_walk_nobody_waits_for_ends(tmp_path: Path) -> None:
    walking, ended = threading.Event(), threading.Event()

    def walk_on() -> None:
        try:
            while True:
                list(DiskRoot("r", tmp_path).walk())
                walking.set()
        finally:
            ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(in_thread, walk_on)
        await anyio.to_thread.run_sync(walking.wait, HANG_SECONDS)
        tasks.cancel_scope.cancel()
    assert await anyio.to_thread.run_sync(ended.wait, HANG_SECONDS)


def test_what_vanishes_on_the_way_is_left_out(rooted: Rooted, tmp_path: Path) -> None:
    for folder in "abc":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "f").write_text("x")
    walk = rooted(tmp_path).walk()
    first = next(walk)
    (tmp_path / "b" / "f").unlink()
    (tmp_path / "b").rmdir()
    (tmp_path / "b").symlink_to("a")
    assert [first, *walk] == [File("a/f", 1), File("c/f", 1)]


@linux
def test_names_that_are_no_text_are_counted_but_never_passed_on(rooted: Rooted, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).write_text("x")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xff")).mkdir()
    walked = list(rooted(tmp_path).walk())
    assert walked == [File("caf�", 0), File("d�/", 0)]
    for file in walked:
        with pytest.raises(UnknownNameError):
            rooted(tmp_path).read(file.path)


def test_a_tree_deeper_than_any_place_is_walked_as_far_as_places_go(rooted: Rooted, tmp_path: Path) -> None:
    name = "d" * 25
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(200):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    walked = list(rooted(tmp_path).walk())
    for _ in range(199):  # from the top, since no path reaches the end
        (tmp_path / name / name).rename(tmp_path / "next")
        (tmp_path / name).rmdir()
        (tmp_path / "next").rename(tmp_path / name)
    assert walked == [File(f"{name}/" * (3_900 // 26), 0)]


def test_a_walk_leaves_out_what_nobody_wrote(rooted: Rooted, tmp_path: Path) -> None:
    made = [".git/config", "__pycache__/a.pyc", "node_modules/x.js", "env/pyvenv.cfg", "env/lib/y.py", ".env", "a.py"]
    for path in made:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    root = rooted(tmp_path)
    assert [file.path for file in root.walk()] == [".env", "a.py"]
    assert root.children() == ["a.py", "env/"]
    assert [file.path for file in root.walk("env")] == ["env/lib/y.py", "env/pyvenv.cfg"]
    assert [file.path for file in root.walk("node_modules/")] == ["node_modules/x.js"]


def test_what_is_asked_for_by_name_is_walked_even_if_ignored(rooted: Rooted, tmp_path: Path) -> None:
    for path in ("build/a.py", "build/b.tmp", "src/c.tmp"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("x")
    (tmp_path / ".gitignore").write_text("build\n*.tmp\n")
    root = rooted(tmp_path)
    assert list(root.walk("src")) == []
    assert [file.path for file in root.walk("build")] == ["build/a.py", "build/b.tmp"]
    assert list(root.walk("src/c.tmp")) == [File("src/c.tmp", 1)]
    assert list(root.walk(".//src/")) == []


def test_rules_from_above_do_not_reach_into_another_repository(rooted: Rooted, tmp_path: Path) -> None:
    (tmp_path / "clone" / ".git").mkdir(parents=True)
    (tmp_path / "clone" / "sub").mkdir()
    (tmp_path / "clone" / "sub" / "a.log").write_text("x")
    (tmp_path / "b.log").write_text("x")
    (tmp_path / ".gitignore").write_text("*.log\n")
    root = rooted(tmp_path)
    assert [file.path for file in root.walk()] == [".gitignore", "clone/sub/a.log"]
    assert [file.path for file in root.walk("clone/sub")] == ["clone/sub/a.log"]


def test_names_below_a_folder_are_sorted_and_marked(rooted: Rooted, tmp_path: Path) -> None:
    (tmp_path / "p" / "q").mkdir(parents=True)
    (tmp_path / "p" / "q.txt").write_text("x")
    (tmp_path / "p" / ".hidden").write_text("x")
    (tmp_path / "p" / "link").symlink_to("q")
    root = rooted(tmp_path)
    assert root.children("p") == ["q.txt", "q/"]
    for path in ("p/q.txt", "none", "p/link"):
        with pytest.raises(UnknownNameError, match="is not a folder"):
            root.children(path)


# ---- the ways to open ----


@linux
def test_where_openat2_is_forbidden_the_steps_are_taken(tmp_path: Path) -> None:
    """A sandbox as containers have it: every openat2 is answered with EPERM."""
    (tmp_path / "f").write_text("inside")
    ran = subprocess.run(
        [sys.executable, "-c", FORBIDDEN, str(tmp_path)], capture_output=True, text=True, check=False
    )
    if "no seccomp" in ran.stdout:
        pytest.skip("no filter can be set here")
    assert (ran.stdout, ran.stderr) == ("by_steps b'inside'\n", "")


FORBIDDEN = """
import ctypes, errno, os, struct, sys
from fanfold_workers.tools.beneath import best_opener
from fanfold_workers.tools.disk import DiskRoot
code = b"".join(struct.pack("HBBI", *step) for step in (
    (0x20, 0, 0, 0), (0x15, 0, 1, 437), (0x06, 0, 0, 0x00050000 | errno.EPERM), (0x06, 0, 0, 0x7FFF0000)))
kept = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", 4, ctypes.addressof(kept))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
    print("no seccomp")
    sys.exit()
opener = best_opener(os.open(sys.argv[1], os.O_RDONLY))
print(opener.__name__, DiskRoot("r", sys.argv[1]).read("f"))
"""


@linux
@pytest.mark.parametrize("opener", [by_openat2, by_steps])
def test_an_opener_by_itself_goes_neither_up_nor_through_links(
    tmp_path: Path, opener: Callable[[int, str, int], int]
) -> None:
    (tmp_path / "root" / "d").mkdir(parents=True)
    (tmp_path / "f").write_bytes(OUTSIDE)
    (tmp_path / "root" / "up").symlink_to("..")
    folder = os.open(tmp_path / "root", os.O_RDONLY)
    try:
        for path in ("../f", "d/../../f", "up/f", "up", "..", "d/.."):
            if (opener, path) != (by_openat2, "d/.."):  # which stays inside
                with pytest.raises(OSError, match=r"link|Not a directory|Too many"):
                    os.close(opener(folder, path, READING))
    finally:
        os.close(folder)


@linux
def test_the_best_opener_is_one_call_where_the_kernel_has_it(tmp_path: Path) -> None:
    if tuple(map(int, os.uname().release.split(".")[:2])) < (5, 6):
        pytest.skip("an old kernel")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert best_opener(folder) in {by_openat2, by_steps}
        os.close(by_openat2(folder, ".", READING))
    except PermissionError:
        pytest.skip("a sandbox forbids it")
    finally:
        os.close(folder)


ODD = [
    "C:",
    "a:b",
    "a\\b",
    "con",
    "NUL.txt",
    "Com1",
    "lpt¹.x",
    "a ",
    "a.",
    "a?",
    "a*",
    "<",
    "|",
    "\x01",
    "",
    "aux .c",
]


@pytest.mark.parametrize("name", ODD)
def test_names_with_a_meaning_on_windows_are_no_file_names(name: str) -> None:
    assert not is_plain_name(name)


@pytest.mark.parametrize("name", ["a", ".git", "a b", "con1", "console", "né", "com", "a.b.c", "nul_", "~1"])
def test_ordinary_names_are(name: str) -> None:
    assert is_plain_name(name)
