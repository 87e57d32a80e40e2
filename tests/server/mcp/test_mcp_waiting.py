"""How long calls take, in virtual time: an hour's wait is asserted to the second."""

from dataclasses import dataclass, replace

import anyio
import pytest
import trio.testing
from inline_snapshot import snapshot

from fanfold_server.dispatch.policy import Policy
from fanfold_server.mcp.hosts import patience
from fanfold_server.planning import FunctionPlanner, Split
from fanfold_server.records import Draft, Task
from fanfold_workers.contract import Finding, Result, Severity, Subtask
from fanfold_workers.journal import Entry, MemoryJournal

ITEMS = ["a", "b", "c"]
OWN = [{"title": "Look at a"}, {"title": "Look at b"}, {"title": "Look at c"}]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


async def endless(subtask: Subtask) -> Result:
    await anyio.sleep(10_000)
    return Result.ended(subtask.id, text="late")


async def slow(subtask: Subtask) -> Result:
    """A worker that takes 90 s for s1, 180 s for s2 and so on."""
    await anyio.sleep(90.0 * int(subtask.id.removeprefix("s")))
    found = Finding(subject=subtask.item, claim=f"{subtask.item} was seen.", severity=Severity.high)
    return Result.ended(subtask.id, findings=(found,))


@pytest.mark.parametrize(
    ("name", "asked", "wait", "seconds"),
    [
        ("some-host", None, None, 40),
        ("", None, None, 40),
        ("claude-ai", None, None, 40),
        ("claude-code", None, None, 240),
        ("codex-mcp-client", None, None, 240),
        ("gemini-cli-mcp-client-fanfold", None, None, 240),
        ("goose", None, None, 240),
        ("some-host", 5, None, 5),
        ("some-host", 0, None, 0),
        ("some-host", 3_600, None, 40),
        ("claude-code", 3_600, None, 240),
        ("some-host", None, 90, 90),
        ("claude-code", None, 90, 90),
        ("claude-code", 7.5, 90, 7.5),
    ],
)
def test_hosts_are_held_as_long_as_they_are_known_to_bear(name, asked, wait, seconds):
    assert patience(name, asked, wait) == seconds


@pytest.mark.parametrize(
    ("name", "asked", "seconds"), [("some-host", None, 40), ("Claude-Code", 60, 60), ("some-host", 0, 0)]
)
async def test_a_call_answers_when_its_hosts_patience_is_over(hosted, mode, name, asked, seconds):
    async with hosted(mode=mode, name=name, worker=endless) as host:
        plan_id = (await host.call("plan", task="Look", items=ITEMS))["plan_id"]
        begun = anyio.current_time()
        run = await host.call("dispatch", plan_id=plan_id, **({} if asked is None else {"wait_seconds": asked}))
        assert anyio.current_time() - begun == seconds
        assert (run["state"], run["done"]) == ("running", False)


async def test_synthesize_waits_for_the_run_as_long_as_the_host_bears(hosted):
    async with hosted(worker=endless) as host:
        plan_id = (await host.call("plan", task="Look", items=ITEMS))["plan_id"]
        await host.call("dispatch", plan_id=plan_id, wait_seconds=0)
        unfinished = await host.call("synthesize", plan_id=plan_id)
        assert anyio.current_time() == 40
        assert (unfinished["report_id"], unfinished["report"]) == (None, "")


async def test_still_running_is_short_and_the_identical_call_goes_on(hosted, mode):
    async with hosted(mode=mode, worker=slow) as host:
        plan_id = (await host.call("plan", task="Look", items=ITEMS))["plan_id"]
        answer = await host.call("dispatch", room=600, plan_id=plan_id)
        assert answer == (
            {
                "summary": "Still running: 0 of 3 subtasks have ended. Repeat the identical call.",
                "engine": "function",
                "warnings": [],
                "refs": [plan_id.replace("p-", "r-")],
                "next": {
                    "tool": "dispatch",
                    "arguments": {"plan_id": plan_id},
                    "why": "Goes on waiting; nothing is started twice.",
                },
                "run_id": plan_id.replace("p-", "r-"),
                "state": "running",
                "done": False,
                "counts": {},
                "total": 3,
                "waiting_for": [],
                "waiting_total": 0,
                "findings": [],
                "eta_seconds": None,
                "usd": 0.0,
                "usd_low": 0.0,
                "usd_high": 0.0,
                "multiple": 0.0,
            }
        )
        said = []
        while not answer["done"]:
            answer = await host.call(answer["next"]["tool"], **answer["next"]["arguments"])
            said.append((answer["counts"].get("ok", 0), answer["eta_seconds"], len(answer["findings"])))
        assert said == [(0, None, 0), (1, 240, 1), (1, 320, 0), (2, 100, 1), (2, 120, 0), (3, None, 1)]
        assert anyio.current_time() == 270
    assert answer["next"]["tool"] == "synthesize"


@pytest.mark.parametrize("tool", ["dispatch", "synthesize"])
async def test_a_mere_still_running_stays_under_600_characters(hosted, tool):
    drafts = [{"id": "i" * 60 + str(n), "title": "t" * 300} for n in range(100)]

    async with hosted(worker=endless) as host:
        plan_id = (await host.call("plan", task="x" * 5_000, subtasks=drafts))["plan_id"]
        run = await host.call("dispatch", plan_id=plan_id, wait_seconds=1)
        longest = {"question": "q" * 20_000, "max_chars": 9_999, "compose": "rules"} if tool == "synthesize" else {}
        which = {"run_id": run["run_id"]} if tool == "synthesize" else {"plan_id": plan_id}
        await host.call(tool, room=600, **which, **longest)


async def test_a_plan_that_takes_long_is_waited_for_by_the_same_call(hosted):
    made = []

    async def careful(task: Task) -> Split:
        await anyio.sleep(100)
        made.append(task.task)
        return Split((Draft(title="One"), Draft(title="Two"), Draft(title="Three")))

    async with hosted(planner=FunctionPlanner(careful)) as host:
        answers = [await host.call("plan", room=600, task="Look", fresh=True) for _ in range(2)]
        assert {answer["summary"] for answer in answers} == {"Still planning. Repeat the identical call."}
        assert answers[0]["next"]["arguments"] == {"task": "Look", "fresh": True}
        planned = await host.call("plan", task="Look", fresh=True)
        assert (planned["subtasks_total"], made, anyio.current_time()) == (3, ["Look"], 100)
        long = await host.call("plan", room=600, task="Look" * 100, wait_seconds=1)
        assert (long["next"]["tool"], long["next"]["arguments"]) == ("plan", None)


@dataclass(slots=True)
class Aged(MemoryJournal):
    """A journal in which everything was recorded two hours ago."""

    async def entries(self, prefix: str, /, *, newest: int | None = None, keys_only: bool = False) -> list[Entry]:
        found = await MemoryJournal.entries(self, prefix, newest=newest, keys_only=keys_only)
        return [replace(entry, at=entry.at - 7_200) for entry in found]


async def test_an_old_plan_says_how_old_it_is(hosted):
    async with hosted(worker=slow, journal=Aged()) as host:
        old = await host.call("plan", task="Look", items=ITEMS)
    async with hosted(worker=slow) as host:
        new = await host.call("plan", task="Look", items=ITEMS)
    assert (old["warnings"], new["warnings"]) == (
        ["Planned 120 minutes ago; files may have changed since. fresh=true plans anew."],
        [],
    )


async def test_a_host_is_not_kept_from_starting_its_own_sub_agents(hosted):
    async with hosted(name="claude-code") as host:
        plan_id = (await host.call("plan", task="Look", subtasks=OWN))["plan_id"]
        answer = await host.call("dispatch", plan_id=plan_id)
        assert anyio.current_time() == 0
        assert answer["waiting_for"] == ["s1", "s2", "s3"]
        assert answer["summary"] == (
            "0 of 3 subtasks have ended; 3 wait for your sub-agents. Start one for each, all in one turn, with its "
            f"worker_prompt: read {plan_id}/s1 and so on. Each deposits with submit."
        )


async def test_a_host_whose_sub_agents_run_in_its_background_can_wait_for_them(hosted):
    async with hosted(name="claude-code") as host:
        plan_id = (await host.call("plan", task="Look", subtasks=OWN))["plan_id"]

        async def sub_agent(n: int) -> None:
            await anyio.sleep(10 * n)
            await host.call("submit", plan_id=plan_id, subtask_id=f"s{n}", text="Seen.")

        async with anyio.create_task_group() as group:
            for n in (1, 2, 3):
                group.start_soon(sub_agent, n)
            answer = await host.call("dispatch", plan_id=plan_id, wait_seconds=240)
        assert (answer["done"], answer["counts"]) == (True, {"ok": 3})
        assert 30 <= anyio.current_time() < 31


async def test_a_host_that_gives_up_on_a_call_leaves_the_run_running(hosted, mode):
    async with hosted(mode=mode, worker=slow) as host:
        plan_id = (await host.call("plan", task="Look", items=ITEMS))["plan_id"]
        with anyio.move_on_after(10):
            await host.call("dispatch", plan_id=plan_id)
        await anyio.sleep(260)
        done = await host.call("dispatch", plan_id=plan_id)
        assert (done["done"], anyio.current_time()) == (True, 270)


async def test_cancel_stops_a_run_and_keeps_what_has_ended(hosted):
    async with hosted(worker=slow) as host:
        plan_id = (await host.call("plan", task="Look", items=ITEMS))["plan_id"]
        for _ in range(3):
            run = await host.call("dispatch", plan_id=plan_id)
        stopped = await host.call("cancel", run_id=run["run_id"])
        report = await host.call("synthesize", run_id=run["run_id"])
    assert (stopped["done"], stopped["counts"]) == (True, {"ok": 1, "cancelled": 2})
    assert report["coverage"]["findings"] == 1


async def test_progress_is_one_line_for_each_thing_that_happens(hosted, mode):
    lines: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        lines.append((progress, total, message))

    async with hosted(mode=mode, name="claude-code", worker=slow) as host:
        plan_id = (await host.call("plan", task="Look", items=ITEMS))["plan_id"]
        await host.client.call_tool("dispatch", {"plan_id": plan_id}, progress_callback=hear)
    said = [message for _, _, message in lines]
    assert (sorted(said[:3], key=str), said[3:]) == snapshot(
        (["0/3 a: started", "0/3 b: started", "0/3 c: started"], ["1/3 a: ok", "2/3 b: ok"])
    )
    assert [progress for progress, _, _ in lines] == sorted({progress for progress, _, _ in lines})


async def test_a_thousand_workers_do_not_flood_their_host(hosted):
    lines: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        lines.append(message or "")

    async def brief(subtask: Subtask) -> Result:
        await anyio.sleep(1)
        return Result.ended(subtask.id, summary="x" * 1_000)

    drafts = [{"title": "long \n title " * 20} for _ in range(1_000)]
    async with hosted(name="claude-code", worker=brief, policy=Policy(width=100)) as host:
        plan_id = (await host.call("plan", task="Look", subtasks=drafts))["plan_id"]
        answer = await host.client.call_tool("dispatch", {"plan_id": plan_id}, progress_callback=hear)
    assert answer.structured_content["counts"] == {"ok": 1_000}
    assert 5 < len(lines) < 25
    assert all(0 < len(line) <= 180 and "\n" not in line for line in lines)
