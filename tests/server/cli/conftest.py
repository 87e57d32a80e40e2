"""Folders to run over: a small one, and one whose inspection takes a while."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.server.cli.process import ITEMS, Fanfold


@pytest.fixture
def fanfold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Fanfold]:
    fanfold = Fanfold(tmp_path / "home")
    for name in [name for name in os.environ if name.startswith(("FANFOLD_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FANFOLD_HOME", str(fanfold.home))
    monkeypatch.setenv("FANFOLD_CONFIG", os.devnull)
    yield fanfold
    fanfold.close()


@pytest.fixture(scope="session")
def slow_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten folders, each of which takes an inspection about a tenth of a second."""
    root = tmp_path_factory.mktemp("code")
    lines = "\n".join(f"def f{n}(a, b):\n    return a + b * {n}" for n in range(1_000))
    warned = "import warnings\n\ndef old():\n    warnings.warn('old is deprecated, use new', DeprecationWarning)\n"
    for n in range(ITEMS):
        folder = root / f"part{n:02}"
        folder.mkdir()
        (folder / f"mod{n}.py").write_text(f"{warned}\n{lines}\n")
    return root


@pytest.fixture
def slow_run(slow_code: Path) -> list[str]:
    """A run over it, an item at a time."""
    items = [part for folder in sorted(slow_code.iterdir()) for part in ("--item", f"code:{folder.name}")]
    return ["run", "What is deprecated?", "--check", "upgrades", "--root", f"code={slow_code}", *items]


@pytest.fixture
def small_code(tmp_path: Path) -> Path:
    root = tmp_path / "small"
    (root / "one").mkdir(parents=True)
    (root / "two").mkdir()
    (root / "one" / "requirements.txt").write_text("flask\n")
    (root / "two" / "app.py").write_text(
        "import warnings\n\n\ndef old():\n    warnings.warn('old is deprecated', DeprecationWarning)\n"
    )
    return root
