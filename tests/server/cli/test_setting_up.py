"""The options of the settings: what their help says, and what a wrong one comes to."""

import os
import re
from pathlib import Path

import pytest
from tests.server.cli.process import Fanfold, in_process

from fanfold_server.settings.given import CONFIG, OPTIONS, SPELLINGS
from fanfold_workers.models.catalog import LEAD, WORKER

NAMES = {CONFIG[0]: CONFIG[1], **{SPELLINGS[key][0]: SPELLINGS[key][1] for key in OPTIONS if key in SPELLINGS}}
DEFAULTS = {
    "--engine": "auto",
    "--lead-model": LEAD,
    "--worker-model": WORKER,
    "--max-usd": "5",
    "--approve-above-usd": "none",
    "--approve-above-workers": "none",
    "--worker-seconds": "its subtask's",
    "--run-seconds": "none",
    "--enough": "1",
    "--grace-seconds": "30",
    "--servers": "none",
    "--audit": "none",
}


@pytest.mark.parametrize("command", ["run", "resume", "serve", "doctor"])
def test_the_help_of_an_option_names_its_variable_and_its_default(
    fanfold: Fanfold, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    text = " ".join(in_process(capsys, command, "--help").out.split())

    for option, variable in NAMES.items():
        (said,) = re.findall(rf" {option}\b[^(]*\(({variable}; .*?)\)\.", text)
        assert said.startswith(f"{variable}; {DEFAULTS.get(option, '')}")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["run", "x", "--max-usd", "nan"], "--max-usd: nan is not a number from 0 to 10,000."),
        (["resume", "r-1", "--max-usd-per-run", "1e9"], "--max-usd: 1e9 is not a number from 0 to 10,000."),
        (["serve", "--engine", "model"], "--engine: It asks for a model, but ANTHROPIC_API_KEY is not set."),
        (["run", "x", "--servers", "."], "--servers: "),
        (["serve", "--config", "/no/where"], "--config: /no/where cannot be read: "),
    ],
)
def test_a_wrong_option_is_wrong_usage_and_named(
    fanfold: Fanfold, capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    done = in_process(capsys, *arguments)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {error}")


def test_a_run_takes_its_roots_from_the_file_of_settings(
    fanfold: Fanfold, small_code: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small_code.parent / "set.toml"
    config.write_text('[roots]\ncode = "small"\n')

    done = in_process(capsys, "run", "Old?", "--check", "upgrades", "--config", str(config))

    assert "app.old" in done.out


def test_doctor_goes_on_after_a_setting_that_cannot_be(fanfold: Fanfold, tmp_path: Path) -> None:
    """One in the system's place as well, which nobody named."""
    place = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "FANFOLD_CONFIG": ""}
    for folder in (tmp_path / "fanfold", tmp_path / "Library" / "Application Support" / "fanfold"):
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text("width 8")

    done = fanfold("doctor", **place)

    failed = [line[6:].split()[0] for line in done.out.splitlines() if line.startswith("fail")]
    assert (done.code, failed) == (1, ["config.toml"])
    assert "at line 1, column 7" in done.out
    assert re.search(r"^ok +home ", done.out, re.MULTILINE)


def test_doctor_is_told_of_options(fanfold: Fanfold, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "doctor", "--engine", "magic")

    assert re.search(r"^fail +--engine +magic is not one of auto, model, rules\.", done.out, re.MULTILINE)


def test_what_is_stored_can_be_looked_at_whatever_is_set_wrong(
    fanfold: Fanfold, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_ENGINE", "model")
    monkeypatch.setenv("FANFOLD_ROOTS", os.pathsep.join(["gone=/nowhere"]))

    runs, show = in_process(capsys, "runs"), in_process(capsys, "show", "s-none")

    assert (runs.code, show.code) == (0, 1)
    assert "There is nothing stored under s-none" in show.err
