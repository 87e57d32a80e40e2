"""Every error that fanfold raises on purpose.

```
FanfoldError                what went wrong, in which field, and the remedy
├── InputError              an argument is missing, malformed, out of bounds or contradicts another
├── UnknownNameError        a name (plan, run, subtask, root, tool, ref) that does not exist
├── ScopeError              a worker asked for a place or tool that its scope does not hold
├── CannotDoError           no engine at hand can do this task
├── SettledError            the subtask or run has ended already
└── JournalError            the state folder cannot be used
    └── NewerJournalError   it was written by a later version
```

Bugs are every other exception. Failures of a worker are no exceptions at all: they are Results.
"""


class FanfoldError(Exception):
    """What went wrong, in which field, and what to do about it.

    Attributes:
        field: the argument or setting at fault, as the caller spells it; "" where none is.
        problem: one sentence.
        remedy: one sentence that begins with a verb.
    """

    def __init__(self, problem: str, *, field: str = "", remedy: str = "") -> None:
        self.field, self.problem, self.remedy = field, problem, remedy
        text = f"{field}: {problem}" if field else problem
        super().__init__((f"{text} {remedy}" if remedy else text)[:MAX_ERROR_CHARS])


class InputError(FanfoldError):
    """Raised when an argument is missing, malformed, out of bounds or contradicts another."""


class UnknownNameError(FanfoldError):
    """Raised when a plan, run, subtask, root, tool or ref of that name does not exist."""


class ScopeError(FanfoldError):
    """Raised when a worker asks for a place or a tool that its scope does not hold."""


class CannotDoError(FanfoldError):
    """Raised when no engine at hand can do the task; the remedies are named."""


class SettledError(FanfoldError):
    """Raised when the subtask or run has ended already and can take nothing more."""


class JournalError(FanfoldError):
    """Raised when the state folder cannot be read or written."""


class NewerJournalError(JournalError):
    """Raised when a later version of fanfold wrote the state folder; it is left untouched."""


MAX_ERROR_CHARS = 3_900
