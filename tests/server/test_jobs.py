"""Work in the background: whoever waits for it is told what went wrong, in the error's own words."""

import anyio
import pytest

from fanfold_server.jobs import Jobs
from fanfold_workers.errors import CannotDoError


async def refused() -> None:
    raise CannotDoError("It cannot be.", field="task", remedy="Ask for less.")


async def test_an_error_that_several_tasks_ran_into_is_one_error_for_whoever_waits() -> None:
    async def work() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(refused)
            group.start_soon(refused)

    async with anyio.create_task_group() as group:
        job = Jobs(group).start("r-1", work)
        with pytest.raises(CannotDoError, match=r"It cannot be\."):
            await job.outcome()
