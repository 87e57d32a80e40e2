"""What `benchmarks/estimates.py` shows, small and in virtual time: estimates come right as runs come in."""

import anyio
import pytest
from benchmarks.estimates import FAMILIES, FILES, Played, World, fanfold, play, rows, within
from trio.testing import MockClock

from fanfold_server.history import WHAT
from fanfold_workers.aside import inline
from fanfold_workers.journal import MemoryJournal


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
def virtual(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal's clock is the workers'."""
    monkeypatch.setattr("fanfold_workers.journal.time", anyio.current_time)


async def played(family: str, seed: int, further: int) -> list[Played]:
    world = World(f"{family} {seed}", 1.0)
    async with fanfold(world, journal=MemoryJournal(), aside=inline) as it:
        return await play(it, world, family, 5, further)


@pytest.mark.usefixtures("virtual")
async def test_after_five_runs_four_of_five_come_out_within_p10_and_p90() -> None:
    every = [one for family in ("comparisons", "mixed") for one in await played(family, 0, 8)]
    for what in WHAT:
        assert sum(within(every, "first", what, 1.0)) >= 0.8 * len(every), rows("all", every, 1.0)


@pytest.mark.usefixtures("virtual")
async def test_five_runs_make_the_range_narrower() -> None:
    every = await played("comparisons", 1, 2)
    for one in every:
        for what in WHAT:
            before, after = (
                getattr(estimate, f"{what}_high") / getattr(estimate, f"{what}_low")
                for estimate in (one.nothing, one.first)
            )
            assert after < before


def test_runs_differ_and_can_be_repeated() -> None:
    world = World("audits 0", 1.0)
    objective = f"Normal look at {min(FILES).partition('/')[0]}: what does it say?"

    def turns(run: int) -> int:
        world.run = run
        return world.turns(objective)

    once = [turns(run) for run in range(20)]
    assert once == [turns(run) for run in range(20)]
    assert len(set(once)) > 3
    assert len(FAMILIES) == 4
