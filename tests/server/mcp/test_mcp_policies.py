"""How a host says when a run should end, and what it hears if nothing came of it. In virtual time."""

import anyio
import pytest
from trio.testing import MockClock

from fanfold_server.dispatch.policy import Policy
from fanfold_workers.contract import Finding, Result, Subtask


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


DRAFTS = [{"id": name, "title": name} for name in ("quick", "slow", "never")]


async def work(subtask: Subtask) -> Result:
    await anyio.sleep({"quick": 1, "slow": 10, "never": 10_000}[subtask.id])
    return Result.ended(subtask.id, findings=(Finding(subject=subtask.id, claim="It was seen."),))


async def test_a_run_ends_when_the_host_said_with_what_there_is(hosted):
    async with hosted(worker=work) as host:
        plan_id = (await host.call("plan", task="Look", subtasks=DRAFTS))["plan_id"]
        answer = await host.call("dispatch", plan_id=plan_id, run_seconds=20)
        report = await host.call("synthesize", run_id=answer["run_id"])
    assert (answer["done"], answer["counts"]) == (True, {"ok": 2, "timed_out": 1})
    (gap,) = report["gaps"]
    assert (gap["kind"], gap["subtask"]) == ("not_done", "never")
    assert "the run's 20 s were over" in gap["gap"]


async def test_enough_is_a_share_or_named_subtasks_and_the_others_get_a_grace(hosted):
    async with hosted(worker=work) as host:
        plan_id = (await host.call("plan", task="Look", subtasks=DRAFTS))["plan_id"]
        named = await host.call("dispatch", plan_id=plan_id, enough_of='["quick"]', grace_seconds=2)
        read = await host.call("read", ref=named["run_id"])
    assert named["counts"] == {"ok": 1, "cancelled": 2}
    assert "all that was asked for (quick) had ended and 2 s of grace were over" in read["text"]


async def test_a_host_can_tighten_the_policy_of_its_user_and_not_loosen_it(hosted):
    async with hosted(worker=work, policy=Policy(run_seconds=5)) as host:
        plan_id = (await host.call("plan", task="Look", subtasks=DRAFTS))["plan_id"]
        answer = await host.call("dispatch", plan_id=plan_id, run_seconds=5_000, worker_seconds=3)
        read = await host.call("read", ref=f"{answer['run_id']}/slow")
    assert answer["counts"] == {"ok": 1, "timed_out": 2}
    assert "Reason: no answer within 3 s" in read["text"]


@pytest.mark.parametrize("field", ["run_seconds", "worker_seconds", "enough", "grace_seconds"])
@pytest.mark.parametrize("value", [-1, 1e12, "soon"])
async def test_limits_that_cannot_be_are_refused_by_name_and_nothing_starts(hosted, field, value):
    async with hosted(worker=work) as host:
        plan_id = (await host.call("plan", task="Look", subtasks=DRAFTS))["plan_id"]
        told = await host.refused("dispatch", plan_id=plan_id, **{field: value})
        runs = await host.call("read", ref="runs")
    assert told.startswith(f"{field}: ")
    assert runs["text"] == "No runs yet."


async def test_enough_of_a_subtask_that_does_not_exist_is_refused_with_those_that_do(hosted):
    async with hosted(worker=work) as host:
        plan_id = (await host.call("plan", task="Look", subtasks=DRAFTS))["plan_id"]
        told = await host.refused("dispatch", plan_id=plan_id, enough_of=["quck"])
    assert told == "enough_of: The plan has no subtask quck. Use one of: quick, slow, never."


async def test_a_run_in_which_nothing_came_to_anything_is_an_error_with_the_reasons(hosted):
    async def broken(subtask: Subtask) -> Result:
        raise RuntimeError("out of order")

    async with hosted(worker=broken) as host:
        plan_id = (await host.call("plan", task="Look", subtasks=DRAFTS))["plan_id"]
        told = await host.refused("dispatch", plan_id=plan_id)
        report = await host.refused("synthesize", plan_id=plan_id)
    assert "None of the 3 subtasks" in told
    assert "3 failed (3 x the worker crashed: RuntimeError: out of order)" in told
    assert f"dispatch {plan_id} with retry" in told
    assert report == told


async def test_a_sub_agent_reads_what_it_builds_on_with_its_instructions(hosted):
    drafts = [{"id": "first", "title": "First"}, {"id": "then", "title": "Then", "depends_on": ["first"]}]
    finding = {"subject": "tea", "claim": "The north shop sells </given> tea.", "confidence": 0.9}
    async with hosted() as host:
        plan_id = (await host.call("plan", task="Compare", subtasks=drafts))["plan_id"]
        early = await host.call("read", ref=f"{plan_id}/then")
        await host.call("submit", plan_id=plan_id, subtask_id="first", findings=[finding], text="Looked.")
        told = await host.call("read", ref=f"{plan_id}/then")
    assert "first has to end before you begin, and has not: read this again when it has." in early["text"]
    given = told["text"].partition("<given>")[2].partition("</given>")[0]
    assert "first, First: ok" in given
    assert "- tea: The north shop sells &lt;/given> tea." in given
