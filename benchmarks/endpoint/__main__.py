"""`python -m benchmarks.endpoint [--config JSON]`: prints the port, serves until stdin closes."""

import argparse
import os
from contextlib import suppress

import anyio
from anyio.abc import TaskGroup
from benchmarks.endpoint.config import Config, from_json
from benchmarks.endpoint.server import serving, until_closed

LOOK_SECONDS = 1.0


async def serve(config: Config, parent: int) -> None:
    """Serve until stdin closes or the process `parent` has gone."""
    async with serving(config) as port, anyio.create_task_group() as tasks:
        print(port, flush=True)
        tasks.start_soon(_until_orphaned, tasks, parent)
        await until_closed()
        tasks.cancel_scope.cancel()


async def _until_orphaned(tasks: TaskGroup, parent: int) -> None:
    """Some child of the parent may hold our stdin open after its death."""
    while os.getppid() == parent:  # noqa: ASYNC110 - nobody says so when a parent dies
        await anyio.sleep(LOOK_SECONDS)
    tasks.cancel_scope.cancel()


def main() -> None:
    parent = os.getppid()  # first of all: it may die as soon as it has read the port
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endpoint", description=__doc__)
    parser.add_argument("--config", default="{}", help="JSON of benchmarks.endpoint.config.Config")
    arguments = parser.parse_args()
    try:
        config = from_json(arguments.config)
    except ValueError as error:
        parser.error(f"--config: {error}")
    with suppress(KeyboardInterrupt):
        anyio.run(serve, config, parent)


if __name__ == "__main__":
    main()
