"""What earlier runs on this machine took: plain records, so that estimating needs no journal."""

from collections.abc import Sequence
from dataclasses import dataclass

from fanfold_workers.contract import EffortClass


@dataclass(frozen=True, slots=True)
class Observed:
    """What one subtask of an earlier run took.

    Attributes:
        engine: who did it: `rules`, `model:<id>`, `function`.
        effort: its class.
        checks: the inspections it named.
        files, bytes: what it could read, as counted when it was planned, each file as far as a worker reads it.
        tokens, usd, seconds: what it took; 0 where that is not known.
        whole: whether it came to an end of its own. If not it was cut off, and would have taken at least that.
        waits: positions, among the subtasks of its run, of those that had to end first.
    """

    engine: str
    effort: EffortClass = EffortClass.normal
    checks: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0
    tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    whole: bool = True
    waits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """What an earlier run took, all of whose subtasks have ended.

    Attributes:
        run: its id.
        subtasks: those that were begun, in plan order.
        ended: how many subtasks it had in all.
        planned: whether a model planned it.
        reports: how many reports were made of it.
        tokens, usd: all that fanfold's own models took for it.
        joining_tokens, joining_usd: of that, what workers did not take: planning and reports.
        seconds: for how long some worker was at it.
        comparable: whether an estimate can be held against it: every subtask was begun and none was cut off.
    """

    run: str
    subtasks: tuple[Observed, ...]
    ended: int = 0
    planned: bool = False
    reports: int = 0
    tokens: int = 0
    usd: float = 0.0
    joining_tokens: int = 0
    joining_usd: float = 0.0
    seconds: float = 0.0
    comparable: bool = True


History = Sequence[Past]
"""Earlier runs, the latest first."""
