"""Events on disk: told again as they were, and bounded."""

import json

import anyio
import pytest
from trio.testing import MockClock

from fanfold_server.dispatch.attempt import Attempt
from fanfold_server.dispatch.events import Event
from fanfold_server.dispatch.trail import Follower, Trail, dumped, loaded, recorded
from fanfold_workers.contract import Evidence, Finding, Severity, Status, Subtask
from fanfold_workers.journal import MemoryJournal


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def event(kind="found", note="It is heavy", status=None, **fields) -> Event:
    return Event(kind, "s1", "Apples", note, status, 3, 50, **fields)


def test_an_event_is_told_again_as_it_was_with_its_weightiest_findings_in_short():
    findings = tuple(
        Finding(id=f"s1.{n}", subject="apples", claim="heavy", severity=severity, evidence=(Evidence(source="a:b"),))
        for n, severity in enumerate(("info", "critical", "low", "high", "medium"), 1)
        for severity in (Severity(severity),)
    )
    told = event(status=Status.partial, usd=0.25, findings=findings)
    (again,) = loaded(f"[{dumped(told, 1.5)}]")
    assert again == told
    assert [(f.id, f.severity.value, f.evidence) for f in again.findings] == [
        ("s1.2", "critical", ()),
        ("s1.4", "high", ()),
        ("s1.5", "medium", ()),
    ]


@pytest.mark.parametrize("kind", ["started", "turn", "tool", "found", "spent"])
def test_a_line_says_how_far_the_run_is_what_it_cost_and_what_is_new(kind):
    assert event(kind, usd=0.42).line() == f"3/50, $0.42 Apples: {kind} - It is heavy"
    assert len(event(kind, note="n" * 1_000).line()) < 200


async def test_what_happens_within_half_a_second_is_one_record_and_the_rest_is_written_at_the_end():
    journal = MemoryJournal()
    trail = Trail(journal, "r-1/events/me/")
    async with anyio.create_task_group() as group:
        group.start_soon(trail.keep)
        for n in range(3):
            trail.hear(event(note=str(n)))
        await anyio.sleep(0.6)
        trail.hear(event(note="last"))
        group.cancel_scope.cancel()
    entries = await journal.entries("r-1/events/")
    assert [len(json.loads(entry.value or "")) for entry in entries] == [3, 1]
    assert [one.note for _, one in await recorded(journal, "r-1")] == ["0", "1", "2", "last"]


async def test_of_steps_only_so_many_are_written_down_and_of_all_else_everything(monkeypatch):
    monkeypatch.setattr("fanfold_server.dispatch.trail.MOST_STEPS", 2)
    journal = MemoryJournal()
    trail = Trail(journal, "r-1/events/me/")
    for kind in ("turn", "tool", "turn", "found", "tool", "ended"):
        trail.hear(event(kind))
    await trail.flush()
    assert [one.kind for _, one in await recorded(journal, "r-1")] == ["turn", "tool", "found", "ended"]


async def test_a_follower_tells_what_is_new_once_and_nothing_from_before():
    journal, heard = MemoryJournal(), []
    trail = Trail(journal, "r-1/events/other/")
    trail.hear(event(note="before"))
    await trail.flush()
    follower = Follower(journal, "r-1", lambda one: heard.append(one.note))
    await follower.begin()
    for note in ("first", "second"):
        trail.hear(event(note=note))
        await trail.flush()
    await follower.look()
    await follower.look()
    assert heard == ["first", "second"]


def test_a_try_that_goes_on_shares_the_conversation_and_has_its_own_result_and_account():
    subtask = Subtask(id="s1", title="t", objective="o")
    third = Attempt("r-1", subtask, 3, origin=2)
    assert (third.key, third.place("spent"), third.place("closing")) == (
        "r-1/results/s1/003",
        "r-1/spent/s1/003",
        "r-1/closing/s1/003",
    )
    assert (third.place("turns"), third.notes, third.place("prior")) == (
        "r-1/turns/s1/002",
        "r-1/notes/s1/002/",
        "r-1/prior/s1/002",
    )
