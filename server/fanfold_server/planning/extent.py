"""How much a plan takes: workers, and what each of them may touch. See `check` for the codes."""

import re
from collections.abc import Iterator

from fanfold_server.records import Draft, Problem, Task
from fanfold_workers.contract import EffortClass, Subtask
from fanfold_workers.tools.files import split_place

from .candidate import Candidate
from .naming import Names
from .reading import is_talk, named, one_line
from .trouble import error, some, warning

HOST_CAP = 20
"""Subtasks beyond which a plan is warned about that names fewer items: each is an agent that somebody pays for."""
LEAD_CAP, LEAD_ITEMS = 50, 300
"""Subtasks of a plan by the lead; and if the task names more items than that, unless it allows more."""
FEW_FILES, FEW_BYTES, FEW_WORKERS = 100, 1_000_000, 4
"""A scope within both needs no more workers than this; a moderate task takes 2 to 4."""
ONE_FILES, ONE_BYTES = 5, 64_000
"""A scope within both is one look."""

_WEB = re.compile(
    r"https?:|www\.|\b(?:web\w*|internet|online|sites?|urls?|pages?|search|google|documentation|docs|upstream|vendors?|"
    r"official|published|releases?|changelogs?|advisor\w+|cves?|pypi|npm|registry|registries|github|news|latest|current\w*|"
    r"recent\w*|today|market|prices?|pricing|literature|papers?|articles?|research\w*|sources?|compan\w+|compar\w+|"
    r"netz|seiten?|aktuell\w*|neueste\w*|quellen?|preise?|recherch\w+|veröffentlich\w*|vergleich\w*|"
    r"actuel\w*|récent\w*|prix|dernières?|officiel\w*|actual\w*|recientes?|precios?|ofici\w*|fuentes?)\b",
    re.IGNORECASE,
)
"""Words of a task or subtask that the web may have the answer to."""
_OTHER_SCRIPT = re.compile(r"[\u0370-\u1fff\u2e80-\uffdf]")
"""Letters of languages whose words are not known here."""


def most_for_lead(task: Task) -> int:
    """As many subtasks as the lead may plan."""
    return task.max_workers or max(LEAD_CAP, min(LEAD_ITEMS, len(task.items)))


def extent(candidate: Candidate) -> Iterator[Problem]:
    """More workers than it takes, and scopes wider than their objectives."""
    yield from _number(candidate)
    yield from _effort(candidate)
    if candidate.by_rules:
        return
    names = Names(candidate.survey, tuple(sorted(candidate.survey.roots)))
    for n, (draft, subtask) in enumerate(zip(candidate.drafts, candidate.subtasks, strict=False)):
        yield from _wide(candidate, names, f"subtasks[{n}].places", draft, subtask)
        yield from _idle(candidate, f"subtasks[{n}]", draft, subtask)


def _number(candidate: Candidate) -> Iterator[Problem]:
    count, most, task = len(candidate.subtasks), candidate.most, candidate.task
    if most is not None and count > most:
        limit = f"max_workers, {most}" if task.max_workers else f"the {most} that a lead may plan"
        remedy = f"Merge some, or raise max_workers to {count}."
        yield error("over_max_workers", "subtasks", f"{count} subtasks are more than {limit}.", remedy)
    elif task.max_workers is None and candidate.paid and count > max(HOST_CAP, len(task.items)):
        remedy = "Merge some; or pass max_workers to say that it is meant."
        what = f"{count} subtasks are many: each takes an agent of its own."
        yield warning("too_many_workers", "subtasks", what, remedy)


def _effort(candidate: Candidate) -> Iterator[Problem]:
    """More workers than it is worth. How much other servers and the web hold is not known, so they are left out."""
    subtasks = candidate.subtasks
    count = len(subtasks)
    if not candidate.paid or count < 2:
        return
    if is_talk(candidate.task.task):
        yield _many(f"{count} workers for small talk or a sum.", "Answer it yourself.")
    elif not any(subtask.scope.web or subtask.scope.servers for subtask in subtasks):
        yield from _small(candidate, count)


def _small(candidate: Candidate, count: int) -> Iterator[Problem]:
    places = {place for subtask in candidate.subtasks for place in subtask.scope.places}
    reach = candidate.survey.reach(sorted(places))
    size = f"{reach.files:,} {'file' if reach.files == 1 else 'files'}, {reach.bytes:,} bytes"
    light = all(subtask.effort is EffortClass.light for subtask in candidate.subtasks)
    if reach.files and reach.within(ONE_FILES, ONE_BYTES):
        yield _many(f"{count} workers for {size}: one look reads all of it.", "Do it yourself, or use one subtask.")
    elif count > FEW_WORKERS and reach.files and reach.within(FEW_FILES, FEW_BYTES):
        yield _many(f"{count} workers for {size}.", "Two to four workers are enough.")
    elif count > FEW_WORKERS and light and len(places) == 1 and count > len(candidate.task.items):
        yield _many(
            f"{count} workers for one light look each at {some(sorted(places))}.", "Let one do several of them."
        )


def _many(what: str, remedy: str) -> Problem:
    return warning("too_many_workers", "subtasks", what, remedy)


def _wide(candidate: Candidate, names: Names, field: str, draft: Draft, subtask: Subtask) -> Iterator[Problem]:
    """A whole root where a path below it is what the subtask is about."""
    whole = {place for place in draft.places if not split_place(place)[1]}
    if not whole:
        return
    label = draft.item or draft.title
    found = names.find(label) if label else None
    narrow = [place for place in found.places if split_place(place)[1]] if found else []
    narrow = narrow or _spoken_of(names, draft, sorted(candidate.survey.roots))
    if narrow and {split_place(place)[0] for place in narrow} <= whole:
        what = f"{subtask.id!r} may read all of {some(sorted(whole))} for {one_line(label or some(narrow), 100)!r}."
        yield warning("scope_too_wide", field, what, f"Narrow it to {some(narrow)}.")


def _spoken_of(names: Names, draft: Draft, roots: list[str]) -> list[str]:
    """Places that the objective names by path, if there is nothing else in it that could be meant."""
    found = [item for name in named(draft.objective, roots) if (item := names.find(name))]
    places = [place for item in found for place in item.places]
    return list(dict.fromkeys(places)) if all(split_place(place)[1] for place in places) else []


def _idle(candidate: Candidate, field: str, draft: Draft, subtask: Subtask) -> Iterator[Problem]:
    """Tools, servers or the web in a subtask that never comes to use them."""
    scope = subtask.scope
    spare = [name for name in scope.tools if name not in subtask.checks]
    if subtask.checks and spare and set(subtask.checks) <= set(scope.tools):
        what = f"{subtask.id!r} is answered by its checks, and may call {some(spare)} too."
        yield warning(
            "tools_not_needed", f"{field}.tools", what, "Leave them out; or leave checks empty, if it takes a mind."
        )
    if scope.web and (subtask.checks or (draft.places and not _speaks_of_web(candidate, subtask))):
        what = f"{subtask.id!r} may use the web, and nothing in it says what for."
        yield warning("web_not_needed", f"{field}.web", what, "Leave web out, or say what to look up there.")


def _speaks_of_web(candidate: Candidate, subtask: Subtask) -> bool:
    task = candidate.task
    texts = (task.task, task.context, subtask.title, subtask.objective, subtask.expected, subtask.done_when)
    return any(_WEB.search(text) or _OTHER_SCRIPT.search(text) for text in texts)
