"""`fanfold plan`: a plan to read, edit and run; and what a run left open."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.server.cli.process import Done, Fanfold, in_process

from fanfold_server.cli.outcome import Exit
from fanfold_server.records import Plan

Capsys = pytest.CaptureFixture[str]


def planned(capsys: Capsys, code: Path, *options: str) -> Done:
    items = ["--item", "code:one", "--item", "code:two"]
    return in_process(capsys, "plan", "Old?", "--check", "upgrades", "--root", f"code={code}", *items, *options)


def edited(file: Path, change: Any) -> None:
    plan = json.loads(file.read_text())
    change(plan)
    file.write_text(json.dumps(plan))


def test_a_plan_is_shown_and_priced_and_nothing_runs(fanfold: Fanfold, small_code: Path, capsys: Capsys) -> None:
    done = planned(capsys, small_code)
    assert done.code == Exit.complete
    assert [line.split(":")[0] for line in done.out.splitlines() if line.startswith("- ")] == ["- s1", "- s2"]
    assert done.err.startswith("Run it with: fanfold run --plan p-")
    assert fanfold.results() == {}


def test_it_runs_by_its_id_over_the_roots_that_it_was_made_over(
    fanfold: Fanfold, small_code: Path, capsys: Capsys
) -> None:
    plan_id = planned(capsys, small_code).err.split()[-1]
    done = in_process(capsys, "run", "--plan", plan_id)
    assert done.code == Exit.complete
    assert "app.old" in done.out
    assert len(fanfold.results()) == 2


def test_an_edited_file_is_the_next_version_and_keeps_what_stayed(
    fanfold: Fanfold, small_code: Path, capsys: Capsys, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    planned(capsys, small_code, "-o", str(file))
    in_process(capsys, "run", "--plan", str(file))
    before = fanfold.results()

    edited(file, lambda plan: plan["subtasks"][0].update(title="The first one"))
    done = in_process(capsys, "run", "--plan", str(file))

    new = {key: value for key, value in fanfold.results().items() if key not in before}
    plan = Plan.model_validate_json(next(v for _, v in fanfold.records("p").values() if '"version":2' in v))
    assert done.code == Exit.complete
    assert (plan.kept, plan.subtasks[0].title) == (("s2",), "The first one")
    assert "assumed: 1 of the subtasks keep what they found." in done.err
    assert sorted(json.loads(value)["seconds"] > 0 for _, value in new.values()) == [False, True]


def test_an_edit_that_cannot_be_run_says_where_and_runs_nothing(
    fanfold: Fanfold, small_code: Path, capsys: Capsys, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    planned(capsys, small_code, "-o", str(file))
    edited(file, lambda plan: plan["subtasks"][1]["scope"].update(places=["code:three"]))
    done = in_process(capsys, "run", "--plan", str(file))
    assert done.code == Exit.usage
    assert "error: subtasks[1].places" in done.err
    assert fanfold.results() == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plan: plan["subtasks"][0].pop("objective"), "holds no plan: subtasks.0.objective"),
        (lambda plan: plan["task"].update(task="Something else?"), "The task of the edited plan is not that"),
        (lambda plan: plan.update(mode="sideways"), "holds no plan: mode"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_by_the_field(
    fanfold: Fanfold, small_code: Path, capsys: Capsys, tmp_path: Path, change: Any, said: str
) -> None:
    file = tmp_path / "plan.json"
    planned(capsys, small_code, "-o", str(file))
    edited(file, change)
    done = in_process(capsys, "run", "--plan", str(file))
    assert done.code == Exit.usage
    assert said in done.err
    assert fanfold.results() == {}


def test_a_plan_from_another_journal_is_drawn_up_anew(
    fanfold: Fanfold, small_code: Path, capsys: Capsys, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    planned(capsys, small_code, "-o", str(file))
    other = str(tmp_path / "elsewhere")
    done = in_process(capsys, "run", "--plan", str(file), "--root", f"code={small_code}", "--home", other)
    assert done.code == Exit.complete
    assert "app.old" in done.out


def test_what_a_run_left_open_is_planned_and_the_rest_is_kept(
    fanfold: Fanfold, small_code: Path, capsys: Capsys
) -> None:
    plan_id = planned(capsys, small_code).err.split()[-1]
    in_process(capsys, "run", "--plan", plan_id)
    run_id = next(iter(fanfold.results())).partition("/")[0]
    nothing = in_process(capsys, "plan", "--follow-up", run_id)
    assert nothing.code == Exit.error
    assert "left nothing open" in nothing.err


def test_a_task_and_a_plan_do_not_go_together(fanfold: Fanfold, capsys: Capsys) -> None:
    both = in_process(capsys, "run", "Old?", "--plan", "p-1")
    neither = in_process(capsys, "plan")
    unknown = in_process(capsys, "run", "--plan", "no-such-file")
    assert (both.code, neither.code, unknown.code) == (Exit.usage,) * 3
    assert "is neither a file nor a plan's id" in unknown.err
