"""The audit trail on disk: whole lines, whoever writes them, and no call without one."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from benchmarks.endpoint.client import endpoint
from benchmarks.endpoint.config import Config
from hypothesis import given
from hypothesis import strategies as st
from tests.server.cli.process import Fanfold, in_process

from fanfold_server.audit import MAX_ARGUMENT_CHARS, AuditFile, line_of
from fanfold_workers.errors import FanfoldError, InputError
from fanfold_workers.tools.audit import Called


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


CALLED = Called(
    at=datetime(2026, 3, 1, 9, 30, 0, 250_400, UTC),
    run="r-1",
    subtask="s1",
    attempt=2,
    tool="search",
    arguments={"pattern": "TIMEOUT"},
    outcome="ok",
    seconds=0.012_34,
    characters=70,
    findings=3,
    examined=2,
)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def arguments(**given: object) -> Any:
    return json.loads(line_of(replace(CALLED, arguments=given)))["arguments"]


# -- a line --------------------------------------------------------------------------------------------------------


def test_a_line_tells_who_called_what_and_what_came_of_it() -> None:
    assert line_of(CALLED) == (
        '{"at": "2026-03-01T09:30:00.250Z", "run": "r-1", "subtask": "s1", "attempt": 2, "tool": "search", '
        '"outcome": "ok", "error": "", "seconds": 0.012, "characters": 70, "findings": 3, "examined": 2, '
        '"arguments": {"pattern": "TIMEOUT"}}'
    )


def test_long_arguments_are_cut_and_say_so() -> None:
    just = MAX_ARGUMENT_CHARS - len('{"a": ""}')
    assert arguments(a="é" * just) == {"a": "é" * just}
    cut = arguments(a="é" * (just + 1_234))
    assert cut == f'{{"a": "{"é" * (just + 2)}… [1,234 more characters]'


def test_secrets_are_masked_in_arguments_and_in_errors() -> None:
    token, key = "glpat-" + "9aK3mZ7pQ1xR5tV8wB2n", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj"
    lines = "\n".join(key[n:] + key[:n] for n in range(8))
    secrets = {
        "pattern": token,
        "password": "Xk39dkLq02mZpQ81vv",
        "url": "https://joe:sEcrEt4711@example.com/x",
        "text": f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----",
    }
    line = line_of(replace(CALLED, arguments=secrets, error=f"nothing matches {token}"))
    assert [word for word in (token, "39dkLq02", "sEcrEt4711", key) if word in line] == []
    assert json.loads(line)["arguments"].keys() == secrets.keys()
    assert line.count("************") == 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@given(json_values | st.dictionaries(st.text(), json_values, max_size=4), st.text())
def test_whatever_a_model_sends_is_one_line_of_json_that_can_be_read(given: Any, name: str) -> None:
    line = line_of(replace(CALLED, arguments=given, tool=name, error=name))
    assert line.isprintable()
    json.loads(line, parse_constant=lambda _: pytest.fail("that is no JSON"))


def test_arguments_without_an_end_are_named_as_such() -> None:
    endless: dict[str, Any] = {}
    endless["a"] = endless
    deep: dict[str, Any] = {}
    for _ in range(50_000):
        deep = {"a": deep}
    assert [arguments(a=endless), arguments(a=deep)] == ["[They are no JSON.]"] * 2


# -- a file --------------------------------------------------------------------------------------------------------


async def test_a_file_is_made_for_its_owner_alone_and_appended_to(tmp_path: Path) -> None:
    audit = AuditFile(tmp_path / "audit.jsonl")
    audit.check()
    await audit(CALLED)
    await AuditFile(audit.path)(replace(CALLED, tool="read"))
    assert [line["tool"] for line in read(audit.path)] == ["search", "read"]
    if sys.platform != "win32":
        assert stat.S_IMODE(audit.path.stat().st_mode) == 0o600


async def test_calls_made_at_once_share_a_write_and_each_is_there_when_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit, opened = AuditFile(tmp_path / "audit.jsonl"), os.open
    threads: list[threading.Thread] = []

    def seen(path: Any, *how: Any, **more: Any) -> int:
        if path == audit.path and how[0] & os.O_WRONLY:
            threads.append(threading.current_thread())
        return opened(path, *how, **more)

    monkeypatch.setattr(os, "open", seen)

    async def call(number: int) -> bool:
        await audit(replace(CALLED, attempt=number))
        return any(line["attempt"] == number for line in read(audit.path))

    assert all(await anyio.amap(call, range(100)))
    assert [line["attempt"] for line in read(audit.path)] == list(range(100))
    assert 1 <= len(threads) <= 3
    assert threading.current_thread() not in threads


async def test_a_file_that_was_moved_away_is_followed_by_a_new_one(tmp_path: Path) -> None:
    audit = AuditFile(tmp_path / "audit.jsonl")
    await audit(CALLED)
    audit.path.rename(tmp_path / "old.jsonl")
    await audit(CALLED)
    assert (len(read(tmp_path / "old.jsonl")), len(read(audit.path))) == (1, 1)


async def test_a_call_that_cannot_be_written_fails_and_the_gap_is_told_in_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    audit = AuditFile(folder / "audit.jsonl")
    await audit(CALLED)
    shutil.rmtree(folder)
    for _ in range(2):
        with pytest.raises(FanfoldError, match=r"^audit: The call was not written to .*audit\.jsonl.*retry\.$"):
            await audit(CALLED)
    folder.mkdir()
    await audit(replace(CALLED, tool="read"))
    await audit(CALLED)
    lines = read(audit.path)
    assert [line.get("lost") for line in lines] == [2, None, None]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[0]["at"])


WRITER = """
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
import anyio
import anyio.to_thread
from fanfold_server.audit import AuditFile
from fanfold_workers.tools.audit import Called

async def main():
    audit = AuditFile(Path(sys.argv[1]))
    async def call(n):
        await audit(Called(datetime.now(UTC), "r-1", sys.argv[2], n, "search", {"pattern": "x" * (n % 1_500)}, "ok"))
    input()
    for start in range(0, 1_000, 20):
        await anyio.amap(call, range(start, start + 20))

anyio.run(main)
"""


def test_two_processes_append_to_one_file_and_every_line_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], stdin=subprocess.PIPE) for name in "ab"
    ]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
    lines = read(path)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert sorted((line["subtask"], line["attempt"]) for line in lines) == [
        (p, n) for p in "ab" for n in range(1_000)
    ]
    assert all(line["arguments"] == {"pattern": "x" * (line["attempt"] % 1_500)} for line in lines)


FULL = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
import anyio
import anyio.to_thread
from fanfold_server.audit import AuditFile
from fanfold_workers.errors import FanfoldError
from fanfold_workers.tools.audit import Called

async def main():
    audit = AuditFile(Path(sys.argv[1]))
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, most))
    for n in range(9):
        if n == 6:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        try:
            await audit(Called(datetime.now(UTC), "r-1", "s1", n, "search", {}, "ok"))
        except FanfoldError:
            print(n)

anyio.run(main)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it has no limit on the size of files")
def test_a_line_that_a_full_disk_cut_short_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, timeout=60)
    refused = [int(number) for number in done.stdout.split()]
    lines = path.read_text("utf-8").splitlines()
    whole = [json.loads(line) for line in lines if line.endswith("}")]
    assert (refused[0] > 2, refused[-1], done.stderr) == (True, 5, "")
    assert len(lines) == len(whole) + 1
    kept = [n for n in range(9) if n not in refused]
    assert [line.get("attempt", -line.get("lost", 0)) for line in whole] == sorted([*kept, -len(refused)], key=_place)


def _place(number: int) -> float:
    """Where a line stands: that of the gap before the sixth."""
    return 5.5 if number < 0 else number


# -- a file that cannot be -----------------------------------------------------------------------------------------


def test_a_file_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^audit: .*none/audit\.jsonl cannot be written to: No such file"
    ) as refused:
        AuditFile(tmp_path / "none" / "audit.jsonl").check()
    assert refused.value.remedy == "Name a file in a folder that you can write to."


@pytest.mark.skipif(sys.platform == "win32", reason="it has no named pipes among its files")
def test_a_pipe_is_refused_without_waiting_for_its_reader(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match=r"^audit: "):
        AuditFile(pipe).check()
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(InputError, match="it is no regular file"):
            AuditFile(pipe).check()
    finally:
        os.close(reader)


# -- a run ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def fanfold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Fanfold]:
    fanfold = Fanfold(tmp_path / "home")
    monkeypatch.setenv("FANFOLD_HOME", str(fanfold.home))
    yield fanfold
    fanfold.close()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        (tmp_path / "code" / name).mkdir(parents=True)
        (tmp_path / "code" / name / "requirements.txt").write_text("flask\n")
    return tmp_path / "code"


def test_a_run_leaves_a_line_for_each_check(fanfold: Fanfold, code: Path, tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    items = ["--item", "code:one", "--item", "code:two"]
    done = fanfold(
        "run", "Pinned?", "--check", "dependencies", "--root", f"code={code}", *items, "--audit", str(audit)
    )
    run = re.findall(r"^run (r-\w+):", done.err, re.MULTILINE)[-1]
    lines = read(audit)
    assert done.code == 0, done.err
    assert {line["run"] for line in lines} == {run}
    assert {f"{run}/results/{line['subtask']}/{line['attempt']:03}" for line in lines} == fanfold.results().keys()
    assert [(line["tool"], line["outcome"], line["examined"], line["findings"] > 0) for line in lines] == [
        ("dependencies", "ok", 1, True)
    ] * 2
    assert "flask" not in audit.read_text()
    if sys.platform != "win32":
        assert stat.S_IMODE(audit.stat().st_mode) == 0o600


def test_a_run_does_not_begin_if_its_audit_cannot_be_written(
    fanfold: Fanfold, code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = in_process(
        capsys, "run", "Pinned?", "--root", f"code={code}", "--audit", str(tmp_path / "none" / "a.jsonl")
    )
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("error: audit: ")
    assert "Name a file in a folder that you can write to." in done.err
    assert not fanfold.records("plans/")


async def test_workers_that_are_models_leave_lines_too(fanfold: Fanfold, code: Path, tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    async with endpoint(Config()) as models:
        env = {"FANFOLD_BASE_URL": models.url, "ANTHROPIC_API_KEY": "simulated", "FANFOLD_AUDIT": str(audit)}
        command = ("run", "Look at each for secrets", "--root", f"code={code}")
        done = await anyio.to_thread.run_sync(lambda: fanfold(*command, **env))
    lines = read(audit)
    assert done.code in (0, 3), done.err
    assert {line["run"] for line in lines} == set(re.findall(r"^run (r-\w+):", done.err, re.MULTILINE))
    assert {"list", "read"} <= {line["tool"] for line in lines}
    assert {"note_findings", "report", "read_again"}.isdisjoint(line["tool"] for line in lines)
