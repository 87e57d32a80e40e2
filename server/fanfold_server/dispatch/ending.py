"""Why a run is wound up before all of it is done, and what its subtasks are then told."""

from dataclasses import dataclass

from fanfold_workers.contract import Status

from .policy import Policy


@dataclass(frozen=True, slots=True)
class End:
    """Why a run is wound up.

    Attributes:
        why: for a person, as a clause: `the run was cancelled`.
        cut: the status of whoever was at work.
        at_once: whether those at work are cut now; if not, nothing new starts and they still get the policy's grace.
    """

    why: str
    cut: Status = Status.cancelled
    at_once: bool = True

    @property
    def unstarted(self) -> str:
        """The reason of a subtask that was never started."""
        return f"{self.why} before it started"


CANCELLED = End("the run was cancelled")


def overdue(policy: Policy) -> End:
    """The run has taken as long as it may."""
    return End(f"the run's {policy.run_seconds:g} s were over", Status.timed_out)


def plenty(policy: Policy, usable: int, total: int) -> End:
    """There is enough: whoever is at work still gets the grace."""
    if policy.enough_of:
        named = ", ".join(policy.enough_of[:5]) + (", …" if len(policy.enough_of) > 5 else "")
        return End(f"all that was asked for ({named}) had ended", at_once=False)
    return End(f"enough had ended ({usable} of {total})", at_once=False)


def out_of_grace(before: End, policy: Policy) -> End:
    """The grace after enough is over."""
    return End(f"{before.why} and {policy.grace_seconds:g} s of grace were over")
