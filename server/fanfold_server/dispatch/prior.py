"""What a subtask's prerequisites came to, handed on by way of the journal: workers never talk to one another."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from fanfold_workers.contract import Prior, Result, Status
from fanfold_workers.journal import Journal

from .attempt import Attempt

_KEYS = TypeAdapter(list[str])


@dataclass(frozen=True, slots=True)
class Prerequisites:
    """What the subtasks of a run lean on.

    Attributes:
        journal: where it is kept which tries a subtask was told of: it must hear the same when it goes on.
        attempts: of the run, by subtask id.
        results: what has ended.
    """

    journal: Journal
    attempts: Mapping[str, Attempt]
    results: Mapping[str, Result]

    async def of(self, attempt: Attempt) -> tuple[Prior, ...]:
        """What the attempt's prerequisites came to, in the order in which it names them."""
        names = attempt.subtask.depends_on
        if not names:
            return ()
        told = _KEYS.dump_json([self.attempts[name].key for name in names]).decode()
        place = attempt.place("prior")
        first = await self.journal.record(place, told)
        results = self.results if first else await self._told(await self.journal.recall(place) or "[]")
        return tuple(_prior(self.attempts[name], results.get(name)) for name in names)

    async def _told(self, keys: str) -> Mapping[str, Result]:
        values = [await self.journal.recall(key) for key in _KEYS.validate_json(keys)]
        return {r.subtask: r for value in values if value and (r := Result.model_validate_json(value))}


def _prior(attempt: Attempt, result: Result | None) -> Prior:
    absent = Result(subtask=attempt.subtask.id, status=Status.skipped, reason="it has no result")
    return Prior(title=attempt.subtask.title, result=result or absent)
