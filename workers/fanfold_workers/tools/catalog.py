"""Every tool that ships with fanfold, by name."""

from collections.abc import Mapping
from typing import Any

from fanfold_workers.tools import listing, reading, searching
from fanfold_workers.tools.inspections import dependencies, passages, secrets, tests, upgrades
from fanfold_workers.tools.toolbox import Tool


def shipped() -> Mapping[str, Tool[Any]]:
    """All tools: the file tools first, then the inspections, in the order a person would list them."""
    tools: list[Tool[Any]] = [
        listing.TOOL,
        reading.TOOL,
        searching.TOOL,
        secrets.TOOL,
        dependencies.TOOL,
        tests.TOOL,
        upgrades.TOOL,
        passages.TOOL,
    ]
    return {tool.name: tool for tool in tools}
