"""The types at the border are strict, and a result never lies about how it ended."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fanfold_workers.contract import (
    Evidence,
    Examined,
    Finding,
    Limits,
    Result,
    Scope,
    Severity,
    Status,
    Subtask,
    Usage,
    Value,
    Verdict,
    numbered,
)

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
said = words.map(str.strip).filter(bool)
counts = st.integers(0, 10_000)
shares = st.floats(0, 1)
locators = st.sampled_from(["", "L1", "L3-L9", "c0-10"])
evidence = st.builds(Evidence, source=said, locator=locators, quote=words, verdict=st.sampled_from(Verdict))
findings = st.builds(
    Finding,
    kind=st.sampled_from(["claim", "secrets.key", "a.b_c.d0"]),
    subject=said,
    claim=said,
    attribute=words,
    value=words,
    severity=st.sampled_from(Severity),
    confidence=shares,
    evidence=st.lists(evidence, max_size=2).map(tuple),
    count=st.integers(1, 99),
)
examined = st.builds(
    Examined, done=counts, in_scope=counts, unit=words, left_out=st.lists(said, max_size=3).map(tuple)
)
scopes = st.builds(
    Scope, places=st.lists(ids | st.builds("{}:{}".format, ids, words.map(lambda w: w.replace("\0", "")))).map(tuple)
)
subtasks = st.builds(
    Subtask,
    id=ids,
    title=said,
    objective=said,
    item=words,
    scope=scopes,
    depends_on=st.lists(ids, max_size=2).map(tuple),
    limits=st.builds(Limits, seconds=st.floats(0.001, 86_400), tool_calls=st.integers(1, 10_000)),
)
endings = st.fixed_dictionaries(
    {},
    optional={
        "findings": st.lists(findings, max_size=2).map(tuple),
        "text": words | st.just("  \n"),
        "summary": words,
        "examined": examined,
        "usage": st.builds(Usage, tool_calls=counts, usd=st.floats(0, 1e6)),
        "seconds": st.floats(0, 1e6),
        "attempt": st.integers(1, 9),
        "gaps": st.lists(said, max_size=2).map(tuple),
    },
)
VALUES: list[Value] = [
    Evidence(source="r:a"),
    Examined(),
    Finding(subject="s", claim="c"),
    Limits(),
    Scope(),
    Subtask(id="s", title="t", objective="o"),
    Usage(),
    Result(subtask="s", status=Status.failed, reason="r"),
]


@settings(max_examples=60)
@given(subtasks | findings | endings.map(lambda fields: Result.ended("s1", **fields)))
def test_a_value_survives_the_way_through_json(value: Value) -> None:
    assert type(value).model_validate_json(value.model_dump_json()) == value


@given(endings)
def test_a_result_that_ends_ok_has_looked_at_all_and_has_something_to_say(fields: dict[str, Any]) -> None:
    result = Result.ended("s1", **fields)
    looked: Examined = fields.get("examined", Examined())
    spoke = bool(fields.get("findings") or fields.get("text", "").strip() or fields.get("summary", "").strip())
    whole = looked.done >= looked.in_scope
    best = (
        Status.ok if whole and (spoke or looked.done) else Status.partial if spoke or looked.done else Status.failed
    )
    assert (result.status, bool(result.reason)) == (best, best is not Status.ok)


@given(endings, st.sampled_from(Status), words)
def test_no_result_can_be_made_that_claims_more_than_the_best_true_status(
    fields: dict[str, Any], status: Status, reason: str
) -> None:
    best = Result.ended("s1", **fields).status
    try:
        made = Result(subtask="s1", status=status, reason=reason, **fields)
    except ValidationError:
        assert not reason.strip() or status is Status.ok
    else:
        assert made.status is not Status.ok or best is Status.ok
        assert made.status is Status.ok or made.reason.strip()


def test_many_reasons_for_what_was_left_out_still_make_a_result() -> None:
    left_out = tuple(f"{n} {'x' * 290}" for n in range(50))
    result = Result.ended("s1", summary="s", examined=Examined(done=1, in_scope=60, left_out=left_out))
    assert (result.status, len(result.reason)) == (Status.partial, 2_000)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_an_unknown_field_is_refused_and_a_value_cannot_be_changed(value: Value) -> None:
    fields = value.model_dump()
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        type(value).model_validate({**fields, "surprise": 1})
    with pytest.raises(ValidationError, match="frozen"):
        setattr(value, next(iter(fields)), None)


WRONG: list[tuple[type[Value], dict[str, Any]]] = [
    (Examined, {"done": True}),
    (Examined, {"done": 1.0}),
    (Examined, {"done": "1"}),
    (Examined, {"done": -1}),
    (Usage, {"usd": float("nan")}),
    (Usage, {"usd": float("inf")}),
    (Usage, {"usd": -0.01}),
    (Limits, {"seconds": float("nan")}),
    (Limits, {"seconds": 0}),
    (Limits, {"seconds": True}),
    (Limits, {"tool_calls": True}),
    (Limits, {"tool_calls": 0}),
    (Finding, {"subject": "s", "claim": "c", "confidence": float("nan")}),
    (Finding, {"subject": "s", "claim": "c", "confidence": 1.1}),
    (Finding, {"subject": " ", "claim": "c"}),
    (Finding, {"subject": "s", "claim": "c", "count": False}),
    (Finding, {"subject": "s", "claim": "c", "kind": "Not A Kind"}),
    (Evidence, {"source": "r:a", "locator": "line 3"}),
    (Evidence, {"source": ""}),
    (Evidence, {"source": "\ud800"}),
    (Scope, {"places": ("/etc/passwd",)}),
    (Scope, {"places": ("../x",)}),
    (Scope, {"places": ("r:a\0b",)}),
    (Scope, {"tools": ("rm -rf",)}),
    (Subtask, {"id": "a/b", "title": "t", "objective": "o"}),
    (Subtask, {"id": "", "title": "t", "objective": "o"}),
    (Subtask, {"id": "a\n", "title": "t", "objective": "o"}),
    (Subtask, {"id": "a", "title": "t", "objective": "  "}),
    (Result, {"subtask": "s", "status": Status.ok}),
    (Result, {"subtask": "s", "status": Status.failed}),
    (Result, {"subtask": "s", "status": Status.failed, "reason": "  "}),
    (Result, {"subtask": "s", "status": "fine", "reason": "r"}),
    (Result, {"subtask": "s", "status": Status.ok, "text": " \n"}),
    (Result, {"subtask": "s", "status": Status.ok, "text": "t", "examined": Examined(done=3, in_scope=214)}),
    (Result, {"subtask": "s", "status": Status.failed, "reason": "r", "attempt": 0}),
]


@pytest.mark.parametrize(("kind", "fields"), WRONG)
def test_a_value_that_is_wrong_is_refused(kind: type[Value], fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        kind.model_validate(fields)


FOUND = {"subject": "s", "claim": "c"}
WORK = {"id": "s", "title": "t", "objective": "o"}
FAILED = {"subtask": "s", "status": Status.failed, "reason": "r"}
SIZED: list[tuple[type[Value], dict[str, Any], str, Any, int]] = [
    (Scope, {}, "places", ("r",), 500),
    (Scope, {}, "tools", ("t",), 100),
    (Finding, FOUND, "claim", "x", 2_000),
    (Finding, FOUND, "subject", "x", 300),
    (Finding, FOUND, "evidence", (Evidence(source="r:a"),), 20),
    (Evidence, {"source": "r:a"}, "quote", "x", 2_000),
    (Evidence, {"source": "r:a"}, "source", "x", 4_100),
    (Examined, {}, "left_out", ("x",), 50),
    (Subtask, WORK, "objective", "x", 8_000),
    (Subtask, WORK, "id", "x", 64),
    (Result, FAILED, "text", "x", 2_000_000),
    (Result, FAILED, "reason", "x", 2_000),
    (Result, FAILED, "gaps", ("x",), 200),
]


@pytest.mark.parametrize(("kind", "fields", "name", "one", "most"), SIZED)
def test_a_field_holds_its_most_and_not_one_more(
    kind: type[Value], fields: dict[str, Any], name: str, one: Any, most: int
) -> None:
    assert getattr(kind(**{**fields, name: one * most}), name) == one * most
    with pytest.raises(ValidationError):
        kind(**{**fields, name: one * (most + 1)})


def test_what_was_examined_adds_up_and_says_each_reason_once() -> None:
    first = Examined(done=1, in_scope=3, left_out=("2 too large",))
    assert first + first + Examined(done=5, in_scope=5, left_out=("1 binary",)) == Examined(
        done=7, in_scope=11, left_out=("2 too large", "1 binary")
    )


def test_findings_are_numbered_within_their_subtask() -> None:
    plain = Finding(subject="s", claim="c")
    assert [finding.id for finding in numbered("s3", [plain, plain], start=4)] == ["s3.4", "s3.5"]
