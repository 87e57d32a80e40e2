"""Which checks a task's words ask for."""

import pytest
from tests.server.planning.planning_cases import TOOLS

from fanfold_server.planning.matching import matches, stem

ASKED = [
    ("Audit these repositories for secrets, dependency problems and missing tests", "secrets dependencies tests"),
    ("Find API-keys", "secrets"),
    ("SECRETS/TESTS", "secrets tests"),
    ("Can this environment move to the next Python?", "upgrades"),
    ("Which modules have no tests?", "tests"),
    ("modules without tests", "tests"),
    ("code that is not covered by tests", "tests"),
    ("Dependencies that aren't pinned", "dependencies"),
    ("not only secrets but also tests", "secrets tests"),
    ("The latest attestation protests", ""),
    ("Is `secrets.py` fine, and tests/test_api.py?", ""),
    ("write a poem", ""),
    ("", ""),
]
WAVED_OFF = [
    ("Find secrets but ignore tests", "secrets", "tests"),
    ("not secrets", "", "secrets"),
    ("everything except secrets and dependencies, and report untested code", "tests", "secrets dependencies"),
    ("don't look for secrets; list dependencies", "dependencies", "secrets"),
    ("don\u2019t check the tests. Find credentials.", "secrets", "tests"),
    ("leave tests out, find secrets", "secrets", "tests"),
    ("leave out the tests, find secrets", "secrets", "tests"),
    ("no secrets please, just dependencies", "dependencies", "secrets"),
    ("without checking tests find credentials", "secrets", "tests"),
    ("dependencies rather than secrets", "dependencies", "secrets"),
    ("secrets, with tests excluded", "secrets", "tests"),
    ("skip secrets, tests, and dependencies", "", "secrets dependencies tests"),
    ("dependencies, not secrets, and missing tests", "dependencies tests", "secrets"),
    ("Find secrets but ignore secrets in tests", "secrets", "tests"),
]


@pytest.mark.parametrize(("text", "checks"), ASKED)
def test_a_check_is_taken_from_the_words_that_ask_for_it(text: str, checks: str) -> None:
    found = matches(text, TOOLS)
    assert (list(found.wanted), dict(found.waved_off)) == (checks.split(), {})


@pytest.mark.parametrize(("text", "wanted", "waved"), WAVED_OFF)
def test_what_a_task_waves_off_is_not_checked(text: str, wanted: str, waved: str) -> None:
    found = matches(text, TOOLS)
    assert (list(found.wanted), list(found.waved_off)) == (wanted.split(), waved.split())


def test_the_words_that_were_matched_are_kept_as_the_task_spells_them() -> None:
    assert dict(matches("Look for API-Keys", TOOLS).wanted) == {"secrets": "API Keys"}


def test_a_file_tool_is_never_matched() -> None:
    assert not matches("list and read everything", TOOLS).wanted


@pytest.mark.parametrize(
    ("word", "singular"),
    [("Dependencies", "dependency"), ("keys", "key"), ("classes", "class"), ("status", "status"), ("is", "is")],
)
def test_plurals_are_matched_by_their_singular(word: str, singular: str) -> None:
    assert stem(word) == singular


def test_a_hundred_thousand_characters_are_matched_at_once() -> None:
    assert list(matches("not the " * 12_000 + "secrets", TOOLS).waved_off) == ["secrets"]
