"""What the README says is run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
SCRIPTS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [line[2:] for line in re.findall(r"^\$ fanfold .*$", README, re.MULTILINE)]
BIN = Path(sys.executable).parent


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A home of its own, with the commands of this environment first."""
    return {
        **os.environ,
        "HOME": str(tmp_path),
        "FANFOLD_HOME": str(tmp_path),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }


def run(command: list[str], environ: dict[str, str], cwd: Path = ROOT) -> str:
    done = subprocess.run(
        command, env=environ, cwd=cwd, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
    )
    assert done.returncode in (0, 3), done.stderr
    return done.stdout


def script(tmp_path: Path, needle: str) -> Path:
    (text,) = [text for text in SCRIPTS if needle in text]
    path = tmp_path / "script.py"
    path.write_text(text, "utf-8")
    return path


def test_the_client_script_answers_from_the_documents_with_a_quote_that_exists(environ, tmp_path):
    answer = run([sys.executable, str(script(tmp_path, "StdioServerParameters"))], environ)
    quotes = re.findall(r"[A-Z][^.\n]{40,}\.", (ROOT / "docs" / "architecture.md").read_text("utf-8"))
    assert "docs:architecture.md" in answer
    assert any(quote in answer for quote in quotes)


def test_the_script_with_a_worker_of_ones_own_reports_every_item(environ, tmp_path):
    answer = run([sys.executable, str(script(tmp_path, "async def worker"))], environ)
    for claim in ("ash has 3 letters", "beech has 5 letters", "chestnut has 8 letters"):
        assert claim in answer


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_runs(command, environ, tmp_path):
    sample = tmp_path / "sample"
    sample.mkdir()
    (sample / "requirements.txt").write_text("requests\nflask==3.0.0\n", "utf-8")
    run(["bash", "-c", command], environ, cwd=sample)


def test_the_readme_names_every_check_and_no_other():
    from fanfold_workers.tools.catalog import shipped

    table = re.search(r"\| check \|.*?\n\n", README, re.DOTALL)
    assert re.findall(r"^\| `(\w+)`", table.group(), re.MULTILINE) == [
        n for n, tool in shipped().items() if tool.inspection
    ]


def test_the_desktop_configuration_starts_a_server_when_it_is_copied(environ, tmp_path):
    config = json.loads((ROOT / "claude_desktop_config.example.json").read_text("utf-8"))
    (tmp_path / "fanfold" / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "fanfold" / ".venv" / "bin" / "fanfold").symlink_to(BIN / "fanfold")
    (tmp_path / "Documents").mkdir()
    server = config["mcpServers"]["fanfold"]
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        },
    }
    done = subprocess.run(
        [server["command"], *server["args"]],
        input=json.dumps(hello) + "\n",
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(done.stdout.splitlines()[0])["result"]["serverInfo"]["name"] == "fanfold"
