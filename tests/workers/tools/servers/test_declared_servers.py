"""A file of MCP servers is read as hosts write it; what cannot be used is named, with the remedy."""

import json
from pathlib import Path
from typing import Any

import pytest

from fanfold_workers.errors import FanfoldError, InputError, UnknownNameError
from fanfold_workers.tools.servers import Declared, read_servers

ONE = "Give a command for a child process, or a url for one that listens."
CORRECT = "Correct it there; JSON has no comments and no comma after the last entry."
GIT = {"command": "uvx", "args": ["mcp-server-git"]}


def file_of(folder: Path, document: object) -> Path:
    path = folder / "mcp.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def read(folder: Path, *, only: tuple[str, ...] | None = None, **servers: Any) -> dict[str, Declared]:
    environ = {"TOKEN": "t0ken", "EMPTY": ""}
    return read_servers(file_of(folder, {"mcpServers": servers}), only, environ=environ)


def refused(path: Path, only: tuple[str, ...] | None = None) -> str:
    with pytest.raises(FanfoldError) as error:
        read_servers(path, only, environ={})
    assert error.value.remedy
    return str(error.value).replace(str(path), "mcp.json")


def test_a_command_and_a_url_are_read_and_what_hosts_add_is_passed_over(tmp_path: Path) -> None:
    servers = read(
        tmp_path,
        git={**GIT, "env": {"A": "1"}, "cwd": "/code", "autoApprove": ["git_log"], "timeout": 9, "type": "stdio"},
        docs={"url": "https://docs.example/mcp", "headers": {"X-Key": "k"}, "type": "http", "description": "…"},
        off={"disabled": True, "command": 1},
    )
    assert list(servers.values()) == [
        Declared("git", "uvx", ("mcp-server-git",), {"A": "1"}, "/code"),
        Declared("docs", url="https://docs.example/mcp", headers={"X-Key": "k"}),
    ]


def test_the_shape_of_vs_code_and_a_byte_order_mark_are_read_too(tmp_path: Path) -> None:
    path = file_of(tmp_path, "\ufeff" + json.dumps({"inputs": [], "servers": {"git": GIT}}))
    assert list(read_servers(path, environ={})) == ["git"]


def test_variables_are_filled_in_from_the_environment_passed_in(tmp_path: Path) -> None:
    (server,) = read(
        tmp_path,
        s={
            "command": "${EMPTY}run",
            "args": ["--key=${TOKEN}", "${MISSING:-else}", "$TOKEN {TOKEN} ${a-b}"],
            "env": {"KEY": "${env:TOKEN}", "NONE": "${EMPTY:-else}"},
        },
    ).values()
    assert (server.command, server.args) == ("run", ("--key=t0ken", "else", "$TOKEN {TOKEN} ${a-b}"))
    assert server.env == {"KEY": "t0ken", "NONE": ""}
    (server,) = read(tmp_path, s={"url": "https://${TOKEN}.example/", "headers": {"A": "Bearer ${TOKEN}"}}).values()
    assert (server.url, server.headers) == ("https://t0ken.example/", {"A": "Bearer t0ken"})


def test_secrets_are_not_in_what_is_printed_of_a_server(tmp_path: Path) -> None:
    (server,) = read(tmp_path, s={"command": "run", "args": ["${TOKEN}"], "env": {"KEY": "${TOKEN}x"}}).values()
    assert "t0ken" not in repr(server)
    assert server.masked("it was t0kenx") == "it was …"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({**GIT, "args": "mcp-server-git"}, ".args: It must be a list of texts. Correct it there."),
        ({**GIT, "args": ["a", 1]}, ".args.1: It must be text, in quotes. Correct it there."),
        ({**GIT, "args": ["a\0"]}, ".args.0: It holds a NUL character or half a surrogate pair. Correct it there."),
        (
            {**GIT, "args": ["a\ud800"]},
            ".args.0: It holds a NUL character or half a surrogate pair. Correct it there.",
        ),
        ({**GIT, "env": {"PORT": 80}}, ".env.PORT: It must be text, in quotes. Correct it there."),
        ({**GIT, "env": ["PORT"]}, ".env: It must be an object of texts by name. Correct it there."),
        ([], ": It must be an object with a command or a url. Correct it there."),
        ({}, f": It has neither a command nor a url. {ONE}"),
        ({**GIT, "url": "http://h"}, f": It has both a command and a url. {ONE}"),
        ({"url": "ftp://h"}, ".url: It is not an http or https address. Write it out: https://host/mcp."),
        ({"url": "http://h:port"}, ".url: It is not an http or https address. Write it out: https://host/mcp."),
        ({"url": "http://h", "type": "stdio"}, ".type: stdio does not go with a url. Leave type out, or correct it."),
        (
            {"url": "http://h", "type": "sse"},
            '.type: The old transport sse is not spoken. Name its streamable address as url, with "type": "http".',
        ),
        (
            {**GIT, "env": {"KEY": "${MISSING}"}},
            ".env.KEY: The variable MISSING is not set. Set it, or write ${MISSING:-otherwise}.",
        ),
        (
            {**GIT, "args": ["-k", "${input:key}"]},
            ".args.1: ${input:key} asks a person. Put the value in a variable and write ${NAME}.",
        ),
    ],
)
def test_an_entry_that_cannot_be_used_is_named_with_the_remedy(tmp_path: Path, entry: Any, said: str) -> None:
    assert refused(file_of(tmp_path, {"mcpServers": {"git": entry}})) == f"servers file: mcpServers.git{said}"


@pytest.mark.parametrize("name", ["", "a__b", "a_", "_a", "a.b", "a b", "ä", "a" * 33, "a\n"])
def test_a_name_that_tools_could_not_begin_with_is_refused(tmp_path: Path, name: str) -> None:
    assert "That cannot name a server. Use letters" in refused(file_of(tmp_path, {"mcpServers": {name: GIT}}))
    assert read(tmp_path, **{"a" * 32: GIT, "a_b-c": GIT}).keys() == {"a" * 32, "a_b-c"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"mcpServers": {\n  // comment\n}}',
            f"It is not JSON: Expecting property name enclosed in double quotes at line 2, column 3. {CORRECT}",
        ),
        ("[" * 100_000, "It is nested too deeply."),
        ("[]", "It has no object mcpServers (or servers)."),
        ("{}", "It has no object mcpServers (or servers)."),
        ('{"mcpServers": []}', "mcpServers: It is not an object that holds servers by name."),
        (" " * 1_000_001, "mcp.json is over 1,000,000 bytes. Copy its mcpServers into a file of their own."),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert refused(file_of(tmp_path, text)).startswith(f"servers file: {said}")


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    assert refused(path) == "servers file: mcp.json is not there. Name a JSON file that declares MCP servers."
    path.write_bytes(b'{"a": "\xff"}')
    assert refused(path) == "servers file: Byte 7 is not UTF-8. Save it as UTF-8."
    assert "is no file" in refused(tmp_path)


def test_from_a_hosts_own_file_only_the_servers_named_are_taken_and_checked(tmp_path: Path) -> None:
    assert list(read(tmp_path, only=("b", "a"), a=GIT, b=GIT, broken={"url": 1})) == ["b", "a"]
    assert read(tmp_path, only=(), a=GIT) == {}
    with pytest.raises(UnknownNameError) as error:
        read(tmp_path, only=("nope",), a=GIT, b=GIT)
    assert str(error.value) == "servers file: mcpServers: There is no server nope. Name some of: a, b."
    with pytest.raises(InputError, match=r"mcpServers\.a: It is disabled there\. Enable it there"):
        read(tmp_path, only=("a",), a={**GIT, "disabled": True})


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "fanfold", "args": ["serve"]},
        {"command": "/home/me/.venv/bin/fanfold"},
        {"command": "C:\\venv\\Scripts\\fanfold.exe"},
        {"command": "uvx", "args": ["fanfold"]},
        {"command": "uvx", "args": ["--from", "fanfold==1.0", "other"]},
        {"command": "uv", "args": ["run", "--directory", "/code", "fanfold", "serve"]},
        {"command": "env", "args": ["A=1", "/venv/bin/fanfold"]},
        {"command": "python", "args": ["-m", "fanfold_server"]},
        {"command": "python3", "args": ["/code/server/fanfold_server/__main__.py"]},
    ],
)
def test_fanfold_itself_is_never_taken(tmp_path: Path, entry: Any) -> None:
    assert list(read(tmp_path, me=entry, git=GIT)) == ["git"]
    with pytest.raises(InputError, match=r"mcpServers\.me: That is fanfold itself\. Name other servers"):
        read(tmp_path, only=("me",), me=entry)


def test_a_server_that_only_looks_at_fanfold_is_taken(tmp_path: Path) -> None:
    looking = {
        "a": {"command": "uvx", "args": ["mcp-server-git", "--repository", "fanfold"]},
        "b": {"command": "mcp-server-git", "args": ["--repository", "/code/fanfold"]},
        "c": {"command": "npx", "args": ["-y", "server-filesystem", "/code/fanfold"]},
    }
    assert list(read(tmp_path, **looking)) == ["a", "b", "c"]
