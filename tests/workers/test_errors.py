"""Errors that task groups wrap reach callers as what they are, and bugs as bugs."""

import pytest

from fanfold_workers.errors import CannotDoError, InputError, unwrapped

FIRST, SECOND = CannotDoError("No.", field="a", remedy="b"), InputError("Nor that.", field="c", remedy="d")


@pytest.mark.parametrize(
    ("error", "is_"),
    [
        (FIRST, FIRST),
        (ExceptionGroup("", [FIRST, SECOND]), FIRST),
        (ExceptionGroup("", [ExceptionGroup("", [SECOND]), FIRST]), SECOND),
    ],
)
def test_errors_for_callers_come_out_of_their_groups(error: Exception, is_: Exception) -> None:
    assert unwrapped(error) is is_


@pytest.mark.parametrize("errors", [[ValueError("a bug")], [FIRST, ExceptionGroup("", [ValueError("a bug")])]])
def test_a_bug_among_them_is_not_hidden(errors: list[Exception]) -> None:
    group = ExceptionGroup("", errors)
    assert unwrapped(group) is group
