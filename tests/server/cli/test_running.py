"""`fanfold run`: its report, its words on the way, its exit code."""

import json
from pathlib import Path

import pytest
from tests.server.cli.process import Done, Fanfold, closing, in_process

from fanfold_server.cli.output import write_whole
from fanfold_server.records import Report


def run_small(fanfold: Fanfold, code: Path, *options: str, **env: str) -> Done:
    items = ["--item", "code:one", "--item", "code:two"]
    return fanfold("run", "Old?", "--check", "upgrades", "--root", f"code={code}", *items, *options, **env)


def test_the_report_is_on_stdout_and_all_else_on_stderr(fanfold: Fanfold, small_code: Path) -> None:
    done = run_small(fanfold, small_code)

    assert done.code == 0
    assert done.out.startswith("# Old?\n")
    assert "app.old" in done.out
    assert "`code:two/app.py` L5" in done.out
    assert "\x1b" not in done.out + done.err
    assert [line.split(":")[0].split(" ")[0] for line in done.err.splitlines()] == [
        "plan",
        "assumed",
        "assumed",
        "run",
        "1/2",
        "2/2",
        "run",
    ]
    assert closing(done) == "run r-…: 2/2 ok in … s; report s-…; ledger: fanfold show s-…/ledger"


def test_the_whole_report_goes_to_a_file_as_json(fanfold: Fanfold, small_code: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text("the report before")
    file.chmod(0o640)

    done = run_small(fanfold, small_code, "--format", "json", "-o", str(file), "--max-chars", "900")

    report = Report.model_validate_json(file.read_text())
    assert (done.code, done.out) == (0, "")
    assert (report.question, report.max_chars, len(report.markdown) <= 900) == ("Old?", 900, True)
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "report.json", "small"]


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "taken" / "inside").mkdir(parents=True)

    with pytest.raises(OSError):  # noqa: PT011  which one depends on the system
        write_whole(tmp_path / "taken", "text")

    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_file_that_could_not_be_read_makes_the_run_partial(fanfold: Fanfold, small_code: Path) -> None:
    (small_code / "two" / "broken.py").write_text("def (:\n")

    done = run_small(fanfold, small_code)

    assert done.code == 3
    assert closing(done).startswith("run r-…: 1/2 ok, 1 partial in … s; report s-…;")
    assert "app.old" in done.out


def test_each_run_looks_anew(fanfold: Fanfold, small_code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "Old?", "--check", "upgrades", "--root", f"code={small_code}"]
    first = in_process(capsys, *arguments)
    (small_code / "two" / "app.py").write_text("x = 1\n")

    second = in_process(capsys, *arguments)

    assert ("app.old" in first.out, "app.old" in second.out) == (True, False)


@pytest.mark.parametrize("command", [["run", "Old?", "--check", "upgrades"], ["doctor"]])
def test_a_reader_who_leaves_early_is_no_error(fanfold: Fanfold, small_code: Path, command: list[str]) -> None:
    process = fanfold.start(*command, "--root", f"code={small_code}")
    assert process.stdout
    process.stdout.close()
    process.stdout = None
    assert process.stderr

    err = process.stderr.read()
    code = process.wait(30)
    process.stderr.close()

    assert code == 141
    assert "error" not in err.lower()
    assert "BrokenPipe" not in err


def test_a_terminal_without_unicode_gets_codes_for_what_it_lacks(fanfold: Fanfold, small_code: Path) -> None:
    app = small_code / "two" / "app.py"
    app.write_text(app.read_text().replace("old is", "älter 漢字 is"), encoding="utf-8")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    done = run_small(fanfold, small_code, **ascii_only)

    assert done.code == 0
    assert r"\xe4lter \u6f22\u5b57" in done.out


WRONG = {
    "a check that does not exist": (
        ["run", "x", "--check", "nope", "--root", "."],
        2,
        ["error: --check: There is no check called 'nope'. Use some of:", "upgrades"],
    ),
    "a root that is not there": (
        ["run", "x", "--root", "/nowhere/at/all"],
        2,
        ["error: --root: The directory of the root all does not exist. Name a directory: all=DIR."],
    ),
    "a root that is a file": (["run", "x", "--root", f"a={__file__}"], 2, ["error: --root: ", "is a file"]),
    "a blank task": (["run", " ", "--root", "."], 2, ["error: TASK: "]),
    "a task that takes a mind": (
        ["run", "Rewrite the login page", "--root", "."],
        1,
        ["error: TASK: ", "upgrades", "fanfold serve"],
    ),
    "an output that is a directory": (
        ["run", "x", "--root", ".", "-o", "."],
        2,
        ["error: -o: . is a directory. Name a file in it."],
    ),
    "an output in no directory": (["run", "x", "--root", ".", "-o", "no/where"], 2, ["error: -o: There is no"]),
    "a number out of bounds": (
        ["run", "x", "--max-chars", "3"],
        2,
        ["error: Invalid value for '--max-chars': 3 is not in the range", "See `fanfold run --help`."],
    ),
    "a command that is none": (["audit"], 2, ["error: No such command 'audit'"]),
    "no task": (["run"], 2, ["error: It takes a TASK, or --plan PLAN. See `fanfold run --help`."]),
    "an unknown run": (["resume", "r-none"], 1, ["error: RUN: There is no run r-none. `fanfold runs` lists"]),
    "an unknown ref": (["show", "s-none"], 1, ["error: REF: There is nothing stored under s-none."]),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_line_that_names_the_field_and_the_remedy(
    fanfold: Fanfold, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    arguments, code, words = WRONG[what]

    done = in_process(capsys, *arguments)

    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1), done.err
    assert [word for word in words if word not in done.err] == [], done.err


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_home_that_is_a_file_is_told_and_traced_only_on_demand(
    fanfold: Fanfold, tmp_path: Path, debug: str
) -> None:
    home = tmp_path / "file"
    home.write_text("not a folder")

    done = fanfold("runs", FANFOLD_HOME=str(home), FANFOLD_DEBUG=debug)

    assert done.code == 1
    assert ("Traceback" in done.err) == bool(debug)
    assert done.err.splitlines()[-1].startswith("error: home: ")
    assert home.read_text() == "not a folder"


def test_json_on_stdout_is_nothing_but_json(fanfold: Fanfold, small_code: Path) -> None:
    done = run_small(fanfold, small_code, "--format", "json", "-o", "-")

    assert json.loads(done.out)["question"] == "Old?"
