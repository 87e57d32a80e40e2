"""A host changes a plan, and has done what a run left open."""

import json

NAMES = ("alpha", "beta", "gamma")
SUBTASKS = [{"id": name, "title": f"Which colour has {name}?"} for name in NAMES]
FINDING = {"subject": "it", "claim": "It has one."}


async def submitted(host, plan_id, *names, **fields):
    for name in names:
        await host.call("submit", plan_id=plan_id, subtask_id=name, findings=[FINDING], **fields)


async def test_a_changed_plan_shows_what_is_left_to_do_and_keeps_the_rest(hosted, mode):
    async with hosted(mode=mode) as host:
        first = await host.call("plan", task="Colours?", subtasks=SUBTASKS)
        await submitted(host, first["plan_id"], "alpha")
        changes = [{"id": "beta", "title": "Beta's colour?"}, {"id": "gamma", "remove": True}]
        second = await host.call("plan", revise=first["plan_id"], changes=changes)
        assert [(piece["id"], piece["title"]) for piece in second["subtasks"]] == [("beta", "Beta's colour?")]
        await submitted(host, second["plan_id"], "beta")
        report = await host.call("synthesize", run_id=second["plan_id"])
    assert report["coverage"]["findings"] == 2
    assert first["plan_id"] in " ".join(second["assumptions"])


async def test_changes_may_come_as_text_and_an_unknown_field_is_named(hosted):
    async with hosted() as host:
        plan = await host.call("plan", task="Colours?", subtasks=SUBTASKS)
        changes = json.dumps([{"id": "beta", "remove": True}])
        assert (await host.call("plan", revise=plan["plan_id"], changes=changes))["subtasks_total"] == 2
        refused = await host.refused("plan", revise=plan["plan_id"], changes=[{"id": "beta", "colour": "red"}])
    assert "changes[0].colour" in refused


async def test_a_follow_up_prompts_sub_agents_for_what_was_left_and_nothing_else(hosted, mode):
    async with hosted(mode=mode) as host:
        plan = await host.call("plan", task="Colours?", subtasks=SUBTASKS)
        await submitted(host, plan["plan_id"], "alpha")
        await submitted(host, plan["plan_id"], "beta", status="partial", text="One side of it was dark.")
        assert "is waiting" in await host.refused("plan", follow_up=plan["plan_id"])
        await host.call("cancel", run_id=plan["plan_id"])
        follow = await host.call("plan", follow_up=plan["plan_id"])
        assert [piece["id"] for piece in follow["subtasks"]] == ["gamma", "beta-rest"]
        assert follow["reason"] == "1 to do again, 1 to finish; 2 keep what they found."
        ref = follow["subtasks"][1]["worker_prompt"].split("ref='")[1].split("'")[0]
        prompt = (await host.call("read", ref=ref))["text"]
        assert "It has one." in prompt
        await submitted(host, follow["plan_id"], "gamma", "beta-rest", status="ok")
        report = await host.call("synthesize", run_id=follow["plan_id"])
    assert report["coverage"]["findings"] == 5


async def test_a_task_a_plan_to_change_and_a_run_to_follow_up_exclude_one_another(hosted):
    async with hosted() as host:
        for arguments in ({}, {"task": "Colours?", "revise": "p-1"}, {"revise": "p-1", "follow_up": "r-1"}):
            assert "It takes one of task, revise and follow_up." in await host.refused("plan", **arguments)
        assert "no plan to change" in await host.refused("plan", task="Colours?", changes=[{"id": "a"}])
        assert "There is no plan p-1." in await host.refused("plan", revise="p-1")
