"""What a plan names that has to be there: roots, places, tools, checks, servers, the web. `check` has the codes."""

from collections.abc import Iterator

from fanfold_server.records import Problem
from fanfold_workers.contract import Subtask
from fanfold_workers.tools.files import split_place
from fanfold_workers.tools.servers import SEPARATOR

from .candidate import Candidate
from .choosing import inspections
from .survey import leaves, upwards
from .trouble import did_you_mean, error, some


def known(candidate: Candidate) -> Iterator[Problem]:
    """What is named and is not there, or is there and may not be named."""
    task = candidate.task
    for n, place in enumerate(task.roots):
        yield from _place(candidate, f"roots[{n}]", place)
    for n, name in enumerate(task.checks):
        yield from _check(candidate, f"checks[{n}]", name)
    for n, subtask in enumerate(candidate.subtasks):
        field = f"subtasks[{n}]"
        yield from _places(candidate, f"{field}.places", subtask)
        yield from _checks(candidate, field, subtask)
        yield from _tools(candidate, f"{field}.tools", subtask)
        yield from _web(candidate, f"{field}.web", subtask)


def _places(candidate: Candidate, field: str, subtask: Subtask) -> Iterator[Problem]:
    roots = candidate.task.roots
    for n, place in enumerate(subtask.scope.places):
        if place in roots:
            continue
        problems = list(_place(candidate, f"{field}[{n}]", place))
        yield from problems
        if roots and not problems and set(roots).isdisjoint(upwards(place)):
            what = f"{place!r} is outside what the task may read: {some(roots)}."
            yield error("outside_roots", f"{field}[{n}]", what, "Name a place below one of these.")
    if subtask.checks and not subtask.scope.places:
        what = f"{subtask.id!r} names checks and has nothing to read."
        yield error("checks_without_places", field, what, "Name places, or configure a root with --root NAME=DIR.")


def _place(candidate: Candidate, field: str, place: str) -> Iterator[Problem]:
    name, survey = split_place(place)[0], candidate.survey
    if name not in survey.roots:
        roots = sorted(survey.roots)
        remedy = f"Use one of: {some(roots)}." if roots else "Configure one with --root NAME=DIR."
        what = f"There is no root called {name!r}."
        yield error("unknown_place", field, what, did_you_mean(survey.near(place), remedy))
    elif leaves(place):
        remedy = "Name a path below it, with forward slashes."
        yield error("place_leaves_root", field, f"{place!r} could lead out of its root.", remedy)
    elif not survey.has(place):
        remedy = did_you_mean(survey.near(place), f"Name something under {name}.")
        yield error("unknown_place", field, f"{place!r} is not there.", remedy)


def _checks(candidate: Candidate, field: str, subtask: Subtask) -> Iterator[Problem]:
    for n, name in enumerate(subtask.checks):
        if name not in candidate.task.checks:
            yield from _check(candidate, f"{field}.checks[{n}]", name)
        if name not in subtask.scope.tools:
            what = f"The check {name!r} is not among its tools."
            remedy = f"Add {name!r} to them, or leave tools out."
            yield error("check_not_in_tools", f"{field}.tools", what, remedy)


def _check(candidate: Candidate, field: str, name: str) -> Iterator[Problem]:
    checks = inspections(candidate.tools)
    if name in checks:
        return
    is_tool = name in candidate.tools
    what = f"{name!r} is a tool, not a check." if is_tool else f"There is no check called {name!r}."
    remedy = did_you_mean(candidate.survey.like(name, checks), f"Use some of: {', '.join(checks) or 'none'}.")
    yield error("unknown_check", field, what, remedy)


def _tools(candidate: Candidate, field: str, subtask: Subtask) -> Iterator[Problem]:
    names = (*candidate.tools, *candidate.remote)
    for n, name in enumerate(subtask.scope.tools):
        if name not in names and name not in subtask.checks:
            yield _unknown_tool(candidate, f"{field}[{n}]", name, names)
    of_files = [
        name for name in subtask.scope.tools if name in candidate.tools and not candidate.tools[name].inspection
    ]
    if of_files and not subtask.scope.places:
        what = f"{subtask.id!r} may call {some(of_files)} and has nothing to read."
        remedy = "Name places, or leave these tools out; a root is configured with --root NAME=DIR."
        yield error("tools_without_places", field, what, remedy)


def _unknown_tool(candidate: Candidate, field: str, name: str, names: tuple[str, ...]) -> Problem:
    like = candidate.survey.like(name, names)
    server, mark, _ = name.partition(SEPARATOR)
    servers = sorted(set(candidate.remote.values()))
    if mark and server not in servers:
        what = f"There is no tool called {name!r}: no server {server!r} is at hand."
        remedy = (
            f"Use tools of: {some(servers)}." if servers else "Leave it out; servers are declared in servers.json."
        )
        return error("server_unknown", field, what, did_you_mean(like, remedy))
    remedy = did_you_mean(like, f"Use some of: {', '.join(names) or 'none'}.")
    return error("unknown_tool", field, f"There is no tool called {name!r}.", remedy)


def _web(candidate: Candidate, field: str, subtask: Subtask) -> Iterator[Problem]:
    if subtask.scope.web and candidate.web is False:
        remedy = "Leave web out; a person turns it on with FANFOLD_WEB=1."
        yield error("web_not_available", field, f"{subtask.id!r} wants the web, which is off.", remedy)
