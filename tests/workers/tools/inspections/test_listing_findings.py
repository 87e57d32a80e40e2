"""What a model reads of an inspection's findings."""

from fanfold_workers.contract import Evidence, Finding, Severity
from fanfold_workers.tools.inspections.quoting import MAX_LISTED, listed


def found(number: int, *evidence: Evidence) -> Finding:
    return Finding(kind="secrets.key", subject="s", claim=f"key {number}", severity=Severity.low, evidence=evidence)


def test_findings_are_listed_with_their_places() -> None:
    where = Evidence(source="repos:a.py", locator="L12", quote="x")
    assert listed([found(1, where), found(2)], "No secret was found.", "secrets") == (
        "2 secrets.\nlow secrets.key repos:a.py L12: key 1\nlow secrets.key nowhere: key 2"
    )


def test_nothing_found_is_said_in_words() -> None:
    assert listed([], "No secret was found.", "secrets") == "No secret was found."


def test_a_long_list_says_how_many_more_there_are() -> None:
    lines = listed([found(n) for n in range(MAX_LISTED + 3)], "None.", "secrets").splitlines()
    assert lines[0] == f"{MAX_LISTED + 3} secrets."
    assert (len(lines), lines[-1]) == (MAX_LISTED + 2, "… and 3 more.")
