import json
from typing import Any

import pytest
from inline_snapshot import snapshot
from mcp.shared.exceptions import MCPError

from fanfold_server.mcp.arguments import PlanArguments, read_arguments
from fanfold_server.planning import FunctionPlanner, Split
from fanfold_server.records import Task
from fanfold_workers.contract import Finding, Result, Severity, Subtask
from fanfold_workers.errors import InputError

SUBTASKS = [{"title": "Look at a", "objective": "What is red?"}, {"title": "Look at b"}, {"title": "Look at c"}]


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """One is enough here: the same face is waited for in virtual time on trio."""
    return str(request.param)


async def worker(subtask: Subtask) -> Result:
    found = Finding(subject=subtask.item or subtask.id, claim=f"{subtask.title} was seen.", severity=Severity.low)
    return Result.ended(subtask.id, findings=(found,))


async def test_a_host_is_shown_six_tools_and_what_each_may_do(hosted, mode):
    async with hosted(mode=mode) as host:
        tools = (await host.client.list_tools()).tools
    assert {
        tool.name: (
            tool.title,
            tool.annotations.read_only_hint,
            tool.annotations.destructive_hint,
            tool.annotations.idempotent_hint,
            sorted(tool.meta or {}),
        )
        for tool in tools
    } == snapshot(
        {
            "plan": ("Split a task", False, False, True, []),
            "dispatch": ("Run a plan's workers", False, False, True, []),
            "submit": ("Deposit findings", False, False, False, ["anthropic/alwaysLoad"]),
            "synthesize": ("Join what was found", False, False, True, ["anthropic/maxResultSizeChars"]),
            "read": ("Read more", True, False, True, ["anthropic/alwaysLoad", "anthropic/maxResultSizeChars"]),
            "cancel": ("Stop a run", False, True, True, []),
        }
    )


async def test_every_tool_and_argument_is_described_within_what_hosts_show(hosted):
    async with hosted() as host:
        tools = (await host.client.list_tools()).tools
        assert len(host.client.instructions or "") < 2_048
    for tool in tools:
        assert 100 < len(tool.description) < 2_048
        assert tool.input_schema["additionalProperties"] is False
        assert all(part["description"] for part in tool.input_schema["properties"].values())
        assert tool.output_schema["properties"]["summary"] == {"type": "string"}
        assert not any(word in json.dumps(tool.input_schema) for word in ("$ref", "anyOf", "pattern", '"title": "'))


@pytest.mark.parametrize(
    ("tool", "arguments", "names"),
    [
        ("plan", {}, "task: It takes one of task, revise and follow_up"),
        ("plan", {"task": " \n "}, "task: It is blank"),
        ("plan", {"task": 7}, "task: "),
        ("plan", {"task": "x" * 100_001}, "task: "),
        ("plan", {"task": "x", "colour": "red"}, "colour: There is no such argument of plan. plan takes: task"),
        ("plan", {"task": "x", "max_workers": True}, "max_workers: "),
        ("plan", {"task": "x", "max_workers": 1.5}, "max_workers: "),
        ("plan", {"task": "x", "max_workers": 0}, "max_workers: "),
        ("plan", {"task": "x", "max_workers": 10**30}, "max_workers: "),
        ("plan", {"task": "x", "fresh": "yes"}, "fresh: "),
        ("plan", {"task": "x", "wait_seconds": -1}, "wait_seconds: "),
        ("plan", {"task": "x", "items": "a, b"}, "items: "),
        ("plan", {"task": "x", "items": ["a", ""]}, "items[1]: It is blank"),
        ("plan", {"task": "x", "subtasks": [{"title": "a", "name": "b"}]}, "subtasks[0].name: "),
        ("plan", {"task": "x", "subtasks": [{"title": "a", "id": "no good"}]}, "subtasks[0].id: "),
        ("plan", {"task": "x", "roots": ["/etc"]}, "roots[0]: "),
        ("plan", {"task": "x", "y" * 10_000: 1}, "yyy"),
        ("dispatch", {"plan_id": "p-none"}, "plan_id: There is no plan p-none"),
        ("dispatch", {"plan_id": "p-none", "retry": 1}, "retry: "),
        ("submit", {"plan_id": "p-none", "subtask_id": "s1", "text": "x"}, "plan_id: There is no plan"),
        ("submit", {"plan_id": "p-none", "subtask_id": "s1"}, "findings: Nothing was handed in"),
        ("submit", {"plan_id": "p-none", "subtask_id": "s1", "status": "fine"}, "status: "),
        ("synthesize", {}, "run_id: Give exactly one of run_id, plan_id and results"),
        ("synthesize", {"run_id": "r-1", "plan_id": "p-1"}, "plan_id: Give exactly one"),
        ("synthesize", {"run_id": "r-none"}, "run_id: There is no run r-none"),
        ("synthesize", {"run_id": "r-none", "max_chars": 10}, "max_chars: "),
        ("synthesize", {"run_id": "r-none", "compose": "poem"}, "compose: "),
        ("synthesize", {"results": []}, "results: There is nothing to join"),
        ("synthesize", {"results": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]}, "results: Two results"),
        ("synthesize", {"results": [{"findings": [{"subject": "x"}]}]}, "results[0].findings[0].claim: "),
        ("read", {"ref": "nothing"}, "ref: There is nothing stored under nothing"),
        ("read", {"ref": "runs", "offset": -1}, "offset: "),
        ("read", {"ref": "runs", "limit": 10**9}, "limit: "),
        ("cancel", {"run_id": "r-none"}, "run_id: There is no run r-none"),
        ("cancel", {"run": "r-none"}, "run_id: It is missing"),
    ],
)
async def test_bad_input_is_refused_with_the_field_and_nothing_is_started(hosted, caplog, tool, arguments, names):
    async with hosted(worker=worker) as host:
        said = await host.refused(tool, **arguments)
        assert said.startswith(names)
        assert len(said) > len(names) + 10
        assert await host.fanfold.journal.entries("") == []
    assert caplog.text == ""  # the caller's slips are no matter for the server's log


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), True, "1", [1], {}, 10**4000])
def test_only_a_finite_number_is_a_number(odd):
    with pytest.raises(InputError, match=r"^(wait_seconds|arguments): .{20}"):
        read_arguments("plan", PlanArguments, {"task": "x", "wait_seconds": odd})


def test_arguments_nested_without_end_are_refused():
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InputError, match=r"^arguments: "):
        read_arguments("plan", PlanArguments, {"task": "x", "items": deep})


async def test_a_tool_that_does_not_exist_is_refused_with_those_that_do(hosted, mode):
    async with hosted(mode=mode) as host:
        said = await host.refused("x" * 50_000)
    assert said.endswith("Use one of: plan, dispatch, submit, synthesize, read, cancel.")


async def test_arrays_inside_strings_and_nulls_are_read_as_hosts_mean_them(hosted):
    async with hosted(worker=worker) as host:
        plain = await host.call("plan", task="[1] is a task", items=["a", "b", "c"])
        odd = await host.call("plan", task="[1] is a task", items='["a", "b", "c"]', context=None, max_workers=None)
    assert odd["plan_id"] == plain["plan_id"]


async def test_half_a_surrogate_pair_is_repaired(hosted):
    async with hosted(worker=worker) as host:
        planned = await host.call("plan", task="odd \ud800 text", items=["a", "b", "c\udfff"])
        page = await host.call("read", ref=planned["plan_id"])
    assert "odd \ufffd text" in page["text"]


async def test_the_whole_line_from_a_task_to_a_report(hosted, mode):
    async with hosted(mode=mode, worker=worker) as host:
        planned = await host.call("plan", task="Look at each", items=["a", "b", "c"])
        run = await host.call(planned["next"]["tool"], **planned["next"]["arguments"])
        assert (run["done"], run["counts"], run["total"]) == (True, {"ok": 3}, 3)
        assert [claim["subject"] for claim in run["findings"]] == ["a", "b", "c"]
        report = await host.call(run["next"]["tool"], **run["next"]["arguments"])
        assert report["coverage"]["findings"] == 3
        ledger = await host.call("read", ref=report["ledger_ref"])
    assert [line.split()[0] for line in ledger["text"].splitlines()] == ["s1.1", "s2.1", "s3.1"]


async def test_a_report_names_what_failed_and_how_to_do_it_again(hosted):
    async def unlucky(subtask: Subtask) -> Result:
        if subtask.id == "s2":
            msg = "out of luck"
            raise RuntimeError(msg)
        return await worker(subtask)

    async with hosted(worker=unlucky) as host:
        plan_id = (await host.call("plan", task="Look at each", items=["a", "b", "c"]))["plan_id"]
        run = await host.call("dispatch", plan_id=plan_id)
        report = await host.call("synthesize", plan_id=plan_id)
        again = await host.call("dispatch", plan_id=plan_id, retry=True)
        result = await host.call("read", ref=f"{run['run_id']}/s2")
    assert (run["done"], run["counts"]) == (True, {"ok": 2, "failed": 1})
    assert (report["warnings"], report["next"]) == (
        ["Not done: 1 failed. dispatch with retry does them again."],
        None,
    )
    assert [(gap["kind"], gap["subtask"]) for gap in report["gaps"]] == [("not_done", "s2")]
    assert again["counts"] == {"ok": 2, "failed": 1}
    assert "attempt 2" in result["text"]


async def test_sub_agents_are_only_prompted_for_what_fanfold_does_not_do_itself(hosted):
    mixed = [{"title": "Mine", "checks": ["passages"]}, {"title": "Yours"}, {"title": "Yours too"}]
    async with hosted() as host:
        planned = await host.call("plan", task="Look", subtasks=mixed)
        run = await host.call(planned["next"]["tool"], **planned["next"]["arguments"])
    prompts = [piece["worker_prompt"] for piece in planned["subtasks"]]
    assert [bool(prompt) for prompt in prompts] == [False, True, True]
    assert planned["summary"] == (
        "2 of 3 subtasks for your own sub-agents: start one for each, all in one turn, with its worker_prompt and "
        "nothing else. Each deposits its findings with submit. Call dispatch for the others first."
    )
    assert (run["state"], run["waiting_for"], sum(run["counts"].values())) == ("waiting", ["s2", "s3"], 1)


async def test_both_forms_of_an_answer_say_the_same(hosted):
    async with hosted() as host:
        planned = await host.call("plan", task="Look", subtasks=SUBTASKS)
        plan_id = planned["plan_id"]
        false = {"subject": "a", "claim": "b", "evidence": [{"source": "docs:a.md", "quote": "alpha is rad"}]}
        answers = [
            planned,
            await host.call("dispatch", plan_id=plan_id),
            await host.call("submit", plan_id=plan_id, subtask_id="s1", findings=[false, {"claim": 1}]),
            await host.call("submit", plan_id=plan_id, subtask_id="s1", findings=[false], status="partial"),
            await host.call("synthesize", plan_id=plan_id, compose="rules"),
            await host.call("read", ref=plan_id, limit=50),
            await host.call("cancel", run_id=plan_id.replace("p-", "r-")),
        ]
    for answer, text in zip(answers, host.received, strict=True):
        missing = [leaf for leaf in leaves(answer) if leaf not in text]
        assert missing == []


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    if isinstance(value, list):
        return [leaf for part in value for leaf in leaves(part)]
    return [str(value)] if value and not isinstance(value, bool) else []


async def test_a_bug_is_hidden_from_the_host_and_kept_for_the_log(hosted, mode, caplog):
    async def broken(task: Task) -> Split:
        msg = "the password is swordfish"
        raise RuntimeError(msg)

    async with hosted(mode=mode, planner=FunctionPlanner(broken)) as host:
        said = await host.refused("plan", task="Look")
    assert said == snapshot(
        "plan failed by a bug of fanfold's. Call it again; if it persists, see the server's stderr."
    )
    assert "swordfish" in caplog.text


async def test_a_submission_that_belongs_elsewhere_or_comes_twice_changes_nothing(hosted):
    async with hosted() as host:
        plan_id = (await host.call("plan", task="Look", subtasks=SUBTASKS))["plan_id"]
        await host.call("submit", plan_id=plan_id, subtask_id="s1", text="First.")
        before = await host.fanfold.journal.entries("")
        assert (
            await host.refused("submit", plan_id=plan_id, subtask_id="s9", text="x")
            == "subtask_id: The plan has no subtask s9. Use one of: s1, s2, s3."
        )
        assert "subtask_id: The subtask s1 has its result already (ok)" in await host.refused(
            "submit", plan_id=plan_id, subtask_id="s1", text="Second."
        )
        assert await host.fanfold.journal.entries("") == before


async def test_what_a_submission_got_wrong_is_told_and_can_be_put_right(hosted):
    async with hosted() as host:
        plan_id = (await host.call("plan", task="Look", subtasks=SUBTASKS))["plan_id"]
        good = {
            "subject": "alpha",
            "claim": "It is red.",
            "evidence": [{"source": "docs:a.md", "quote": "alpha is red"}],
        }
        first = await host.call(
            "submit", plan_id=plan_id, subtask_id="s1", findings=[good, {**good, "severity": "awful"}]
        )
        assert (first["done"], first["accepted"], first["quotes"]) == (False, 1, {"verified": 1})
        assert first["refused"] == snapshot(
            [{"field": "findings[1].severity", "problem": "must be one of critical, high, medium, low, info"}]
        )
        second = await host.call("submit", plan_id=plan_id, subtask_id="s1", findings=[{**good, "severity": "high"}])
        assert (second["done"], second["status"], second["next"]) == (True, "ok", None)
        result = await host.call("read", ref=second["refs"][0])
    assert result["text"].count("It is red.") == 2


async def test_texts_from_anywhere_are_joined_without_a_plan(hosted):
    async with hosted() as host:
        report = await host.call(
            "synthesize",
            question="What colours?",
            results=[{"title": "First", "text": "Alpha is red."}, {"id": "second", "text": "Beta is blue."}],
        )
        again = await host.call("synthesize", run_id=report["run_id"])
        text = await host.call("read", ref=f"{report['run_id']}/second/text")
    assert again["report_id"] == report["report_id"]
    assert text["text"] == "Beta is blue."


async def test_a_report_that_came_before_everybody_submitted_says_so(hosted):
    async with hosted() as host:
        plan_id = (await host.call("plan", task="Look", subtasks=SUBTASKS))["plan_id"]
        assert "Nothing has come in" in await host.refused("synthesize", plan_id=plan_id)
        await host.call("submit", plan_id=plan_id, subtask_id="s2", text="It is green.")
        early = await host.call("synthesize", plan_id=plan_id)
    assert early["warnings"] == ["2 subtasks have not been submitted: s1, s3. They are gaps in the report."]


async def test_a_text_is_read_page_by_page_to_its_end(hosted):
    whole = 'A "quoted" line\n' * 4_000
    async with hosted() as host:
        run = (await host.call("synthesize", results=[{"text": whole}]))["run_id"]
        page = await host.call("read", ref=f"{run}/t1/text")
        pages = [page["text"]]
        while page["next"]:
            page = await host.call("read", **page["next"]["arguments"])
            pages.append(page["text"])
        found = await host.call("read", ref=f"fanfold://runs/{run}/t1/text", find="LINE", offset=60_000)
        large = await host.call("read", room=75_000, ref=f"{run}/t1/text", limit=50_000)
    assert "".join(pages) == whole
    assert found["matches"] == 4_000
    assert found["text"].startswith("[60011]")
    assert len(large["text"]) == 50_000


async def test_resources_hold_what_read_shows(hosted, mode):
    async with hosted(mode=mode, worker=worker) as host:
        plan = (await host.call("plan", task="Look at each", items=["a", "b", "c"]))["plan_id"]
        run = (await host.call("dispatch", plan_id=plan))["run_id"]
        report = (await host.call("synthesize", run_id=run))["report_id"]
        places = {
            "fanfold://runs": "runs",
            f"fanfold://runs/{run}": run,
            f"fanfold://runs/{run}/s1": f"{run}/s1",
            f"fanfold://plans/{plan}": plan,
            f"fanfold://plans/{plan}/s1": f"{plan}/s1",
            f"fanfold://reports/{report}": report,
            f"fanfold://reports/{report}/ledger": f"{report}/ledger",
        }
        for address, ref in places.items():
            (content,) = (await host.client.read_resource(address)).contents
            assert content.text == (await host.call("read", ref=ref))["text"]
            assert (await host.call("read", ref=address))["text"] == content.text
        listed = (await host.client.list_resource_templates()).resource_templates
    assert {one.uri_template for one in listed} == snapshot(
        {
            "fanfold://runs/{run_id}",
            "fanfold://runs/{run_id}/{subtask_id}",
            "fanfold://plans/{plan_id}",
            "fanfold://plans/{plan_id}/{subtask_id}",
            "fanfold://reports/{report_id}",
            "fanfold://reports/{report_id}/ledger",
        }
    )


@pytest.mark.parametrize("address", ["fanfold://runs/r-none", "fanfold://reports/s-none/ledger", "fanfold://x/../y"])
async def test_a_resource_that_does_not_exist_is_an_error_of_the_protocol(hosted, mode, address):
    async with hosted(mode=mode) as host:
        with pytest.raises(MCPError) as failure:
            await host.client.read_resource(address)
    assert failure.value.error.code == -32602


async def test_a_person_can_start_with_a_prompt(hosted, mode):
    async with hosted(mode=mode) as host:
        got = await host.client.get_prompt("fan_out", {"task": "Compare $5 and 100% of ${x}"})
    assert got.messages[0].content.text.endswith("Task: Compare $5 and 100% of ${x}")


async def test_a_file_below_a_root_is_joined_by_reference(hosted):
    async with hosted(files={"a.md": "The north shop sells tea.\n", "b.md": "The south shop sells rope.\n"}) as host:
        results = [{"id": "north", "place": "docs:a.md"}, {"id": "south", "place": "docs:b.md"}]
        report = await host.call("synthesize", question="What do they sell?", results=results)
        nowhere = await host.refused("synthesize", results=[{"place": "docs:c.md"}])
        twice = await host.refused("synthesize", results=[{"place": "docs:a.md", "text": "tea"}])
    assert "sells tea" in report["report"]
    assert "sells rope" in report["report"]
    assert nowhere.startswith("results[0].place: ")
    assert twice == "results[0].place: It has text and names a file. Give one of the two."
