"""Reading ahead: while a run goes on, what its first workers wrote is read for the report that somebody waits for."""

from dataclasses import dataclass

import anyio

from fanfold_server.records import Plan
from fanfold_server.runs import Runs
from fanfold_server.synthesis import Desk, EarlyReader
from fanfold_workers.aside import Aside
from fanfold_workers.contract import Result

LOOK_SECONDS = 0.5
"""How often it looks for further results."""
PATIENCE = 10
"""Looks at a run that nobody is at, one after another, before it leaves."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """Reads the results of a run as they come in.

    Attributes:
        runs: where they are.
        desk: where models are asked.
        aside: where cutting runs.
    """

    runs: Runs
    desk: Desk
    aside: Aside

    async def keep_reading(self, plan: Plan, question: str) -> None:
        """Read until all results are in or nobody is at the run any more, and until what was asked is answered."""
        reader = EarlyReader(self.desk, question, self.aside)
        attempts = await self.runs.attempts(plan)
        done = idle = 0
        async with anyio.create_task_group() as group:
            while done < len(attempts) and idle < PATIENCE:
                come: list[Result] = []
                while done < len(attempts) and (value := await self.runs.journal.recall(attempts[done].key)):
                    come.append(Result.model_validate_json(value))
                    done += 1
                for those in await reader.filled(come):
                    group.start_soon(reader.read, those)
                idle = 0 if await self.runs.attended(plan) else idle + 1
                await anyio.sleep(LOOK_SECONDS)
