"""A server that nobody here wrote: mcp-server-git from PyPI, over a repository of its own."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.workers.tools.servers.server_cases import over

from fanfold_workers.errors import InputError
from fanfold_workers.tools.servers import read_servers


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    if find_spec("mcp_server_git") is None and "CI" not in os.environ:
        pytest.skip("mcp-server-git is not installed: it is a dependency for development")
    (tmp_path / "a.txt").write_text("alpha\n")
    as_whom = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for arguments in (
        ["init", "--quiet"],
        ["add", "."],
        [*as_whom, "commit", "--quiet", "-m", "Lay the first stone"],
    ):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_git_server_of_the_protocols_own_authors_is_declared_listed_and_called(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("host") / "mcp.json"
    file.write_text(
        '{"mcpServers": {"git": {"command": "${PYTHON}", "args": ["-m", "mcp_server_git", "-r", "${REPOSITORY}"]}}}'
    )
    declared = read_servers(file, environ={"PYTHON": sys.executable, "REPOSITORY": str(repository)})
    async with over(*declared.values()) as servers:
        tools = await servers.tools()
        assert {"git__git_status", "git__git_log", "git__git_diff"} <= tools.keys()
        assert (servers.failed, servers.notes) == ({}, ())

        log = await tools["git__git_log"].call({"repo_path": str(repository)})
        assert "Lay the first stone" in log.text
        (repository / "a.txt").write_text("beta\n")
        diff = await servers.call("git__git_diff_unstaged", {"repo_path": str(repository)})
        assert "-alpha\n+beta" in diff.text
        with pytest.raises(InputError, match=r"^git__git_log: "):
            await servers.call("git__git_log", {"repo_path": "/nowhere"})
