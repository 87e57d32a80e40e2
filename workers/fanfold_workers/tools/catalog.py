"""Every tool that ships with fanfold, by name."""

from collections.abc import Mapping
from typing import Any

from fanfold_workers.tools.toolbox import Tool


def shipped() -> Mapping[str, Tool[Any]]:
    """All tools: the file tools first, then the inspections, in the order a person would list them."""
    return {}
