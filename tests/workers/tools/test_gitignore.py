"""What a walk hides is what git hides."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fanfold_workers.tools.disk import DiskRoot

GIT = shutil.which("git")

names = st.sampled_from(["a", "b", "a.py", "b.txt", "src", "x y", "né"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
pieces = st.sampled_from(["a", "b", "*", "**", "src", "*.py", "?", "[ab]", "[!a]*", "a*", "x y", "né", ".", "\\a"])


def spelled(bang: str, head: str, parts: list[str], tail: str) -> str:
    return f"{bang}{head}{'/'.join(parts)}{tail}"


lines = st.builds(
    spelled,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/", "**/"]),
    st.lists(pieces, min_size=1, max_size=3),
    st.sampled_from(["", "", "/", "/**", "/*", " ", "\\ "]),
)
rules = st.lists(lines | st.sampled_from(["", "#a", "/", "[z-a]", "[a", "\\"]), max_size=5).map("\n".join)


def written(top: Path, tree: set[str], ignores: dict[str, str]) -> None:
    for path in sorted(tree, key=len, reverse=True):
        file = top / path
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("x")
    for folder, text in ignores.items():
        if (top / folder).is_dir():
            (top / folder / ".gitignore").write_text(text)


def consistent(tree: set[str]) -> set[str]:
    """The paths less those that are folders of others."""
    return {p for p in tree if not any(q.startswith(f"{p}/") for q in tree)}


def shown_by_git(top: Path) -> list[str]:
    home = {"PATH": os.environ["PATH"], "HOME": str(top.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    command = [str(GIT), "ls-files", "-z", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=top, env=home, capture_output=True, check=True).stdout
    return sorted(p for p in listed.decode().split("\0") if p)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if GIT is None:
        pytest.skip("git is not installed")
    top = tmp_path_factory.mktemp("git")
    subprocess.run([GIT, "init", "-q", "."], cwd=top, check=True, env={"PATH": os.environ["PATH"], "HOME": str(top)})
    return top


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sets(paths, max_size=8).map(consistent), rules, st.dictionaries(names, rules, max_size=2))
@example({"foo/a.py", "foo/b.txt"}, "foo/**\n!foo/**/\n!foo/**/*.py", {})
@example({"src/a", "src/b"}, "src/**\n!src/b", {})
@example({"a/a", "a/b/c"}, "a/**/", {})
def test_a_walk_shows_the_files_git_shows(
    repository: Path, tree: set[str], top_rules: str, inner_rules: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory(dir=repository.parent) as folder:
        top = Path(folder)
        (top / ".git").symlink_to(repository / ".git")
        written(top, tree, {".": top_rules, **inner_rules})
        walked = [file.path for file in DiskRoot("r", top).walk()]
        assert walked == shown_by_git(top)
