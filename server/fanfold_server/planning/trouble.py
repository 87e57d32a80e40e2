"""Problems of a plan, cut to what a record holds."""

from collections.abc import Sequence

from fanfold_server.records import Problem

from .reading import one_line

MAX_PROBLEMS = 100


def error(code: str, field: str, problem: str, remedy: str) -> Problem:
    """A problem that keeps the plan from being dispatched; `code` is one of those in `check`'s table."""
    return Problem(
        level="error",
        field=one_line(field, 300),
        problem=one_line(problem, 1_000),
        remedy=one_line(remedy, 1_000),
        code=code,
    )


def warning(code: str, field: str, problem: str, remedy: str) -> Problem:
    """A problem that does not."""
    return error(code, field, problem, remedy).model_copy(update={"level": "warning"})


def capped(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Each problem once, errors first, at most MAX_PROBLEMS, the last of which counts what was left out."""
    once = sorted(dict.fromkeys(problems), key=lambda problem: problem.level != "error")
    if len(once) <= MAX_PROBLEMS:
        return tuple(once)
    rest = once[MAX_PROBLEMS - 1 :]
    more = f"{len(rest)} more problems of the same kinds are not listed."
    first = rest[0]
    last = Problem(level=first.level, field=first.field, problem=more, remedy="Mend these first.", code=first.code)
    return (*once[: MAX_PROBLEMS - 1], last)


def did_you_mean(names: Sequence[str], otherwise: str) -> str:
    """A remedy that offers near matches, or else another."""
    return f"Did you mean {' or '.join(names)}?" if names else otherwise


def some(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
