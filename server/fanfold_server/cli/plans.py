"""`fanfold plan`, and plans as files: drawn up, read by a person, edited, run."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from fanfold_server.opening import orchestrator_of
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Plan, Task
from fanfold_server.revising import draft_of
from fanfold_server.runs import directories_of, plan_of
from fanfold_server.settings import Settings
from fanfold_server.store import open_journal
from fanfold_workers.errors import InputError, UnknownNameError
from fanfold_workers.journal import Journal

from .outcome import Exit
from .output import Output, write_whole
from .terminal import put, say

MAX_FILE_BYTES = 200_000_000


async def plan(settings: Settings, task: Task | None, follow_up: str, output: Output, again: str) -> int:
    """Print the plan of a task, or of what a run left open; with a file for output, write it there as JSON."""
    output.check()
    async with open_journal(settings.home) as journal:
        settings = await with_roots_of(follow_up, settings, journal) if follow_up else settings
        async with orchestrator_of(settings, os.environ, journal=journal) as fanfold:
            made = await fanfold.plan(task, fresh=True) if task else await fanfold.follow_up(follow_up)
            text = await fanfold.refs.text(made.id)
    put(text)
    where = made.id
    if output.file:
        _write(output.file, made)
        where = str(output.file)
        say(f"Edit {where} if you like; it is checked again.")
    say(f"Run it with: fanfold run --plan {where}{again}")
    return Exit.complete if made.ready else Exit.error


def _write(file: Path, plan: Plan) -> None:
    try:
        write_whole(file, plan.model_dump_json(indent=2) + "\n")
    except OSError as error:
        msg = f"{file} cannot be written: {error.strerror or error}."
        raise InputError(msg, field="-o", remedy=f"`fanfold show {plan.id} --format json` has the plan.") from error


async def with_roots_of(ref: str, settings: Settings, journal: Journal) -> Settings:
    """The settings with the roots that a plan or run began with, less those that are named anew.

    Raises:
        InputError: if the directory of one is gone.
    """
    began_with = await directories_of(journal, ref)
    for name, directory in began_with.items():
        if name not in settings.roots and not directory.is_dir():
            msg = f"The directory of the root {name}, {directory}, is gone."
            raise InputError(msg, field="--root", remedy=f"Say where it is now: --root {name}=DIR.")
    roots: Mapping[str, Path] = {**began_with, **settings.roots}
    return replace(settings, roots=roots)


def given(ref: str) -> Plan | str:
    """The id of a plan, or the plan in a file.

    Raises:
        InputError: if it is neither, or the file holds no plan.
    """
    file = Path(ref)
    if not file.is_file():
        if ref.startswith(("p-", "r-")):
            return plan_of(ref)
        msg = f"{ref} is neither a file nor a plan's id."
        raise InputError(msg, field="--plan", remedy="Name the file that `fanfold plan -o` wrote, or p-….")
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            msg = f"{file} is larger than any plan."
            raise InputError(msg, field="--plan", remedy="Name the file that `fanfold plan -o` wrote.")
        return Plan.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        msg = f"{file} holds no plan: {where}: {first['msg']}."
        raise InputError(
            msg, field="--plan", remedy=f"Put {where} right, or write it anew: fanfold plan -o."
        ) from error
    except OSError as error:
        msg = f"{file} cannot be read: {error.strerror or error}."
        raise InputError(msg, field="--plan", remedy="Name a file that you can read.") from error


async def taken(fanfold: Orchestrator, one: Plan | str) -> Plan:
    """The plan to run: the one of that id, or the next version of it where somebody edited the file.

    A plan that this journal does not know is drawn up anew from what the file says.
    """
    if isinstance(one, str):
        return await fanfold.runs.plan(one)
    try:
        return await fanfold.revise(one.id, edited=one)
    except UnknownNameError:
        task = one.task.model_copy(update={"subtasks": tuple(map(draft_of, one.subtasks))})
        return await fanfold.plan(task, fresh=True)
