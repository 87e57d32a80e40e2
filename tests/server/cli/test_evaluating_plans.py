"""`fanfold eval plan`: what it prints, what it compares with, what it refuses."""

import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio.to_thread
import pytest
from benchmarks.endpoint.client import Endpoint, endpoint
from benchmarks.endpoint.config import Config
from tests.server.cli.process import Done, Fanfold, in_process


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def models() -> AsyncGenerator[Endpoint]:
    async with endpoint(Config(refused_keys=("wrong",))) as running:
        yield running


class Ran:
    """`fanfold` with simulated models, in this process."""

    def __init__(self, models: Endpoint, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.models, self.capsys, self.patch = models, capsys, patch

    async def __call__(self, *arguments: str, key: str = "simulated") -> Done:
        self.patch.setenv("FANFOLD_BASE_URL", self.models.url)
        self.patch.setenv("ANTHROPIC_API_KEY", key)
        return await anyio.to_thread.run_sync(lambda: in_process(self.capsys, *arguments))


@pytest.fixture
def ran(
    fanfold: Fanfold, models: Endpoint, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Ran:
    return Ran(models, capsys, monkeypatch)


def test_a_line_for_each_class_and_what_differs_from_the_last_time(
    fanfold: Fanfold, capsys: pytest.CaptureFixture[str]
) -> None:
    first = in_process(capsys, "eval", "plan")
    again = in_process(capsys, "eval", "plan", "--cases", "narrow")

    assert (first.code, again.code) == (0, 0)
    lines = first.out.splitlines()
    assert lines[0] == "engine: rules"
    assert lines[1].split()[:9] == [
        "class", "cases", "score", "mode", "workers", "coverage", "overlap", "independence", "scope",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[2:13]] == [
        "narrow", "comparison", "audit", "research", "methods", "review", "migration", "vague", "trick",
        "orders", "all",
    ]  # fmt: skip
    assert re.search(r"^all .* \d+ \(\d+ expected\)$", first.out, re.MULTILINE)
    assert "No earlier results of rules to compare with" in first.out
    assert re.search(r"^No case differs from \d{4}-", again.out, re.MULTILINE)


def test_one_changed_case_is_named_with_its_score(
    fanfold: Fanfold, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told = json.loads(in_process(capsys, "eval", "plan", "--cases", "narrow", "--json").out)
    for one in told["results"]:
        if one["id"] == "narrow-python-version":
            one |= {"total": 0.5, "scores": {**one["scores"], "scope": 0.0, "mode": 0.0}}
    (tmp_path / "before.json").write_text(json.dumps(told))

    done = in_process(capsys, "eval", "plan", "--cases", "narrow", "--against", str(tmp_path / "before.json"))

    assert "0 worse, 1 better" in done.out
    assert "better  narrow-python-version: 0.50 -> 1.00 (mode 0.00 -> 1.00, scope 0.00 -> 1.00)" in done.out, done.out


def test_json_has_every_case_the_sums_and_the_changes(fanfold: Fanfold, capsys: pytest.CaptureFixture[str]) -> None:
    in_process(capsys, "eval", "plan", "--cases", "audit-fleet-secrets")
    told = json.loads(in_process(capsys, "eval", "plan", "--cases", "audit-fleet-secrets", "--json").out)

    assert (told["engine"], told["changes"]) == ("rules", [])
    assert told["against"]
    (result,) = told["results"]
    assert (result["id"], result["state"], result["subtasks"], result["total"]) == (
        "audit-fleet-secrets",
        "scored",
        24,
        1.0,
    )
    assert [line["kind"] for line in told["classes"]] == ["audit", "all"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--cases", "narow"], "--cases: No case fits 'narow'. Name a class"),
        (["--against", "gone.json"], "--against: gone.json cannot be read"),
        (["--answers", "gone.jsonl"], "--answers: gone.jsonl cannot be read"),
        (["--record", "answers.jsonl"], "--record keeps what a model answers"),
        (["--model", "claude-opus-5-5", "--engine", "rules"], "--engine rules asks no model"),
        (["--model", "claude-opus-5-5"], "ANTHROPIC_API_KEY is not set"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line_with_the_remedy(
    fanfold: Fanfold, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    done = in_process(capsys, "eval", "plan", *arguments)

    assert (done.code, done.out) == (1 if "narow" in arguments else 2, "")
    assert done.err.startswith("error: ")
    assert told in done.err
    assert len(done.err.splitlines()) == 1


async def test_a_model_is_priced_first_recorded_and_replayed_without_it(
    ran: Ran, models: Endpoint, tmp_path: Path
) -> None:
    answers = str(tmp_path / "answers.jsonl")
    cases = ["--cases", "narrow-two-facts,audit-items-named"]
    done = await ran("eval", "plan", "--model", "claude-opus-5-5", "--record", answers, *cases)
    asked = (await models.settled()).asked
    again = await ran("eval", "plan", "--answers", answers, *cases, key="")

    assert done.code == 0, done.err
    assert re.search(
        r"^2 cases, planned by claude-opus-5-5: [\d,]+ tokens to read\. About \$0\.\d\d .*; \$\d+\.\d\d at most, .*"
        r"It stops at \$5 \(max_usd_per_run\)\.$",
        done.err,
        re.MULTILINE,
    )
    assert re.match(r"engine: model:claude-opus-5-5, \$0\.\d{4}\n", done.out)
    assert asked >= 2
    assert again.code == 0, again.err
    assert again.out.startswith("engine: model:claude-opus-5-5, recorded answers\n")
    assert "No case differs from" in again.out
    assert (await models.settled()).asked == asked


async def test_a_ceiling_of_little_leaves_cases_unplanned_and_says_so(ran: Ran, models: Endpoint) -> None:
    wanted = ["--cases", "narrow-two-facts", "--max-usd", "0.01"]
    done = await ran("eval", "plan", "--model", "claude-opus-5-5", *wanted)

    assert done.code == 3
    assert "That may not be enough for all of them: raise it with --max-usd." in done.err
    assert re.search(r"failed +narrow-two-facts: max_usd_per_run: The next call may cost", done.out)
    assert (await models.settled()).asked == 0


async def test_a_refused_key_is_one_line_and_nothing_is_spent(ran: Ran) -> None:
    done = await ran("eval", "plan", "--engine", "model", "--cases", "narrow-two-facts", key="wrong")

    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("error: ANTHROPIC_API_KEY: ")
    assert "wrong" not in done.err
