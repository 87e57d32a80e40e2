"""What tests of whatever is kept in a journal are run over."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from fanfold_server.store import open_journal
from fanfold_workers.journal import Journal, MemoryJournal


@pytest.fixture(params=["memory", "sqlite"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Journal, None]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    async with open_journal(tmp_path / "home") as journal:
        yield journal
