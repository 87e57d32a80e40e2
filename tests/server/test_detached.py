"""A process of its own is set up as whoever starts it was."""

import os
import time
from dataclasses import replace
from pathlib import Path

from fanfold_server.detached import Detached, Launcher, log_of
from fanfold_server.dispatch.policy import Policy
from fanfold_server.opening import policy_of
from fanfold_server.settings import Settings


def test_options_and_policy_reach_the_process_by_its_environment(tmp_path: Path) -> None:
    (tmp_path / "servers.json").write_text("{}")
    options = {"lead_model": "one", "worker_model": "two", "max_usd_per_run": 3, "engine": "rules"}
    files = {"servers": str(tmp_path / "servers.json"), "audit": str(tmp_path / "audit.jsonl")}
    environ = {"FANFOLD_HOME": str(tmp_path), "FANFOLD_KEEP_TEXT": "0", "FANFOLD_CONFIG": os.devnull}
    settings = Settings.read(environ, **options, **files)
    policy = Policy(width=3, worker_seconds=9, run_seconds=60, enough=0.5, grace_seconds=0, hedge=False)

    variables = Launcher(settings, environ)._variables(policy)
    again = Settings.read(variables)

    assert policy_of(again) == policy
    same = {name: getattr(settings, name) for name in ("width", "worker_seconds", "run_seconds", "enough")}
    assert replace(again, **same, grace_seconds=settings.grace_seconds, hedge=settings.hedge) == settings


def test_what_was_not_set_stays_so(tmp_path: Path) -> None:
    settings = Settings.read({"FANFOLD_HOME": str(tmp_path), "FANFOLD_CONFIG": os.devnull})
    assert Settings.read(Launcher(settings, {})._variables(policy_of(settings))) == settings


async def test_a_process_that_fails_is_known_by_its_last_words(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = Settings.read({"FANFOLD_HOME": str(home), "FANFOLD_CONFIG": os.devnull})
    home.mkdir()
    started: Detached = await Launcher(settings, {})("r-ffffffffffff", Policy())
    assert started.process.wait(30) != 0
    assert started.log == log_of(home, "r-ffffffffffff")
    assert "There is no run r-ffffffffffff" in (started.failure() or "")


async def test_old_logs_go_when_another_run_is_started(tmp_path: Path) -> None:
    settings = Settings.read({"FANFOLD_HOME": str(tmp_path), "FANFOLD_CONFIG": os.devnull})
    old, new = log_of(tmp_path, "r-old"), log_of(tmp_path, "r-new")
    old.parent.mkdir()
    for log in (old, new):
        log.write_text("said")
    month_ago = time.time() - 31 * 86_400
    os.utime(old, (month_ago, month_ago))
    started = await Launcher(settings, {})("r-ffffffffffff", Policy())
    started.process.wait(30)
    assert (old.exists(), new.exists()) == (False, True)
