"""Every error that fanfold raises on purpose.

```
FanfoldError                what went wrong, in which field, and the remedy
├── InputError              an argument is missing, malformed, out of bounds or contradicts another
├── UnknownNameError        a name (plan, run, subtask, root, tool, ref) that does not exist
├── ScopeError              a worker asked for a place or tool that its scope does not hold
├── CannotDoError           no engine at hand can do this task
├── ApprovalNeededError     a person has to approve the plan before anything of it is started
├── SettledError            the subtask or run has ended already
├── NothingUsableError      a run has ended, and nothing in it can be built on
├── OverBudgetError         a call might cost more than is left
├── ServerError             an MCP server whose tools a worker needs cannot be used
├── ModelError              a model gave no reply, or none that can be used
│   ├── KeyRefusedError     the key is missing, refused, or may not do this
│   ├── RejectedError       the server will not take such a request, however often it is made
│   │   └── TooLongError    it does not fit the model's window
│   ├── FaultError          the connection, the server or its answer failed; another try may go well
│   └── BusyError           the server asks to wait (429, 529)
└── JournalError            the state folder cannot be used
    └── NewerJournalError   it was written by a later version
```

Bugs are every other exception. Failures of a worker are no exceptions at all: they are Results.
"""

from collections.abc import Iterator
from typing import cast

from .accounts import MICROS, Amount, Full


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


class ApprovalNeededError(FanfoldError):
    """Raised when a plan goes beyond what a person lets pass unasked, and none has approved it. Nothing was started.

    Attributes:
        plan_id: the plan.
        why: what of it goes beyond which setting, in a sentence or two.
        command: what a person runs to approve it.
    """

    def __init__(self, problem: str, *, plan_id: str, why: str, command: str, remedy: str) -> None:
        self.plan_id, self.why, self.command = plan_id, why, command
        super().__init__(problem, field="plan_id", remedy=remedy)


class SettledError(FanfoldError):
    """Raised when the subtask or run has ended already and can take nothing more."""


class NothingUsableError(FanfoldError):
    """Raised when all subtasks of a run have ended and none gave anything that could be built on."""


class OverBudgetError(FanfoldError):
    """Raised when a call might cost more than is left, and no money in flight may come back.

    Attributes:
        full: the account that would be overdrawn, and how it stands.
    """

    def __init__(self, full: Full, worst: Amount) -> None:
        self.full = full
        name, setting = full.account.name, full.account.setting
        remedy = f"Raise {setting}, or ask for less." if setting else "Ask for less."
        super().__init__(_overdrawn(full, worst, name), field=setting or name, remedy=remedy)


def _overdrawn(full: Full, worst: Amount, name: str) -> str:
    used, limit = full.standing.spent + full.standing.held, full.account.limit
    if full.unit == "usd":
        left = f"${used.usd:.4f} of ${(limit.micros or 0) / MICROS:.4f}"
        return f"The next call may cost ${worst.usd:.4f}, and {name} has spent {left}."
    most = limit.tokens if full.unit == "tokens" else limit.calls
    took, more = (used.tokens, worst.tokens) if full.unit == "tokens" else (used.calls, worst.calls)
    return f"The next call may take {more:,} {full.unit}, and {name} has used {took:,} of {most:,}."


class ServerError(FanfoldError):
    """Raised when an MCP server that a worker needs does not start, does not answer, has gone, or has changed."""


class ModelError(FanfoldError):
    """Raised when a model gave no reply, or none that can be used.

    Attributes:
        charged: whether it may have cost something all the same; nobody knows how much.
    """

    def __init__(self, problem: str, *, charged: bool = False, field: str = "", remedy: str = "") -> None:
        super().__init__(problem, field=field, remedy=remedy)
        self.charged = charged


class KeyRefusedError(ModelError):
    """Raised when the key is missing or refused, or may not use this model (401, 402, 403)."""


class RejectedError(ModelError):
    """Raised when the server will not take such a request, however often it is made (400, 404, 413, 422)."""


class TooLongError(RejectedError):
    """Raised when a request does not fit the model's window."""


class FaultError(ModelError):
    """Raised when the connection, the server or its answer failed; another try may go well."""


class BusyError(ModelError):
    """Raised when the server asks to wait (429, 529).

    Attributes:
        seconds: how long; 0 if it does not say.
        rates: what it said of its limits.
        overloaded: whether everybody is asked to wait (529), not this key alone.
    """

    def __init__(
        self,
        problem: str,
        *,
        seconds: float = 0.0,
        rates: tuple[object, ...] = (),
        overloaded: bool = False,
        field: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(problem, field=field, remedy=remedy)
        self.seconds, self.rates, self.overloaded = seconds, rates, overloaded


class JournalError(FanfoldError):
    """Raised when the state folder cannot be read or written."""


class NewerJournalError(JournalError):
    """Raised when a later version of fanfold wrote the state folder; it is left untouched."""


MAX_ERROR_CHARS = 3_900


def unwrapped(error: Exception) -> Exception:
    """The first error that task groups have wrapped, where all of them are for a caller; else the error as it is.

    A group of FanfoldErrors would pass for a bug, and a group with a bug in it is one.
    """
    errors = list(_leaves(error))
    return errors[0] if all(isinstance(one, FanfoldError) for one in errors) else error


def _leaves(error: Exception) -> Iterator[Exception]:
    if not isinstance(error, ExceptionGroup):
        yield error
        return
    for each in cast("ExceptionGroup[Exception]", error).exceptions:
        yield from _leaves(each)
