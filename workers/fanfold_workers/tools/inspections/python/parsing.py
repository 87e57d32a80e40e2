"""Python source to a syntax tree, whatever the source: hostile or odd input is refused with a reason."""

import ast
import warnings
from threading import Lock

_WARNINGS = Lock()
"""The filters of warnings belong to the whole process; inspections run in several threads."""


def parsed(text: str) -> ast.Module | str:
    """The tree, or in a few words why there is none."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text.removeprefix("\ufeff"))
        except (SyntaxError, ValueError):
            return "does not parse on this Python"
        except (RecursionError, MemoryError):
            return "nested too deeply"
