"""Trees and tools that the planning tests share."""

from collections.abc import Mapping
from typing import Any

from fanfold_server.planning import Planner, make_plan
from fanfold_server.records import Plan, Task
from fanfold_workers.aside import inline
from fanfold_workers.tools.roots import MemoryRoot, Root
from fanfold_workers.tools.toolbox import Answer, Inspect, Tool


def _tool(name: str, *hints: str, inspection: bool = True) -> Tool[Any]:
    project = name in ("tests", "dependencies")
    return Tool(name, f"Does {name}.", Inspect, lambda files, given: Answer(""), inspection, hints, project)


TOOLS: Mapping[str, Tool[Any]] = {
    tool.name: tool
    for tool in (
        _tool("list", inspection=False),
        _tool("read", inspection=False),
        _tool("secrets", "secret", "credential", "api key"),
        _tool("dependencies", "dependency", "pinned"),
        _tool("tests", "tests", "untested"),
        _tool("upgrades", "upgrade", "next python", "deprecation"),
        _tool("passages", "passage", "documentation"),
    )
}

STDLIB = {
    "os.py": "x" * 900,
    "abc.py": "x" * 100,
    "cgi.py": "x" * 300,
    "json/__init__.py": "x" * 500,
    "json/decoder.py": "x" * 500,
    "test/__init__.py": "",
    "test/test_os.py": "x" * 5000,
    "lib-dynload/_x.so": "\0",
    "LICENSE.txt": "text",
}
SITE = {
    "requests/__init__.py": "import urllib3",
    "requests/api.py": "x" * 100,
    "requests-2.34.2.dist-info/RECORD": "requests/__init__.py,,\nrequests/api.py,,\n../../../bin/x,,\n"
    "requests-2.34.2.dist-info/RECORD,,\n",
    "typing_extensions.py": "x" * 50,
    "typing_extensions-4.16.0.dist-info/RECORD": "typing_extensions.py,sha256=abc,50\n"
    "__pycache__/typing_extensions.cpython-311.pyc,,\n",
    "google/re2/__init__.py": "a",
    "google/cloud/__init__.py": "b",
    "google_re2-1.1.dist-info/RECORD": "google/re2/__init__.py,,\n",
    "google_cloud-2.0.dist-info/RECORD": "google/cloud/__init__.py,,\n",
    "old/__init__.py": "c",
    "Old-0.1.dist-info/top_level.txt": "old\n",
    "mine-1.0.dist-info/RECORD": "__editable__.mine.pth,,\n",
    "__editable__.mine.pth": "elsewhere",
    "loose.py": "d",
    "a1_coverage.pth": "import coverage",
    "__pycache__/loose.cpython-311.pyc": "",
}
REPOS = {
    "django-5.2/pyproject.toml": "",
    "django-5.2/django/core.py": "x" * 4000,
    "flask/setup.py": "",
    "flask/flask.py": "x" * 3000,
    "click/pyproject.toml": "x" * 2000,
    "README.md": "all of them",
}
DOCS = {f"guide/{n}.md": f"How to configure thing {n}. " * 600 for n in range(8)}


def roots(**trees: Mapping[str, str]) -> dict[str, Root]:
    """A MemoryRoot for each tree, by name."""
    return {name: MemoryRoot(name, files) for name, files in trees.items()}


async def planned(
    task: str | Task,
    trees: Mapping[str, Mapping[str, str]] | None = None,
    *,
    planner: Planner | None = None,
    takes_any: bool = False,
    **fields: Any,
) -> Plan:
    """The plan of a task over some trees, with the tools of this module."""
    asked = task if isinstance(task, Task) else Task(task=task, **fields)
    return await make_plan(
        asked, "p-1", roots=roots(**(trees or {})), tools=TOOLS, aside=inline, planner=planner, takes_any=takes_any
    )


def scopes(plan: Plan) -> dict[str, tuple[str, ...]]:
    """What each subtask's item may read."""
    return {subtask.item: subtask.scope.places for subtask in plan.subtasks}


def told(plan: Plan) -> list[str]:
    """Its problems as `level field: problem remedy`."""
    return [f"{p.level} {p.field}: {p.problem} {p.remedy}" for p in plan.problems]
