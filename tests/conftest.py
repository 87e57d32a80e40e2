"""No test ever meets the key, the settings or the servers of whoever runs it."""

import os
from collections.abc import Generator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _nobodys_settings(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("ANTHROPIC_", "FANFOLD_"))]:
            patch.delenv(name)
        patch.setenv("FANFOLD_CONFIG", os.devnull)
        patch.setenv("FANFOLD_HOME", str(tmp_path_factory.mktemp("home") / "state"))
        yield
