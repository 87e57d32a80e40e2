"""Whether what is said makes sense: tasks at odds with themselves, subtasks that say nothing. `check` has the codes.

Words of the task are read, never obeyed: what it says of workers and tools changes no limit.
"""

import re
from collections.abc import Iterator

from fanfold_server.records import Problem

from .candidate import Candidate
from .reading import visible
from .trouble import error, some, warning

UNREADABLE, FEW = 0.1, 10
"""A task of which more than this part is no text is warned about, if that is more than a few characters."""

_NOTHING = re.compile(
    r"\W*(?:to ?do|tbd|tba|n/?a|none|null|placeholder|lorem ipsum.*|(?:same |see )?(?:as )?(?:above|below|before)|"
    r"(?:see|same as|as in|like) (?:the )?(?:task|title|previous(?: one)?|subtask \d+|s\d+)|"
    r"do (?:it|this|your part|the task)|siehe (?:oben|aufgabe)|wie oben|voir (?:ci-dessus|plus haut)|idem|ditto|"
    r"ver arriba|(?:lo )?mismo|come sopra)\W*",
    re.IGNORECASE,
)
"""An objective that is nothing but this can be understood by nobody who sees it alone."""
_USE = (
    r"(?:us(?:e|ing)|with|start|spawn|run|take|launch|nimm|nutze|verwende|benutze|mit|starte|"
    r"utili[sz]\w+|avec|lance[rz]?|usa|con|lanza|usar)"
)
_COUNTED = re.compile(
    rf"\b{_USE}\s+(?:at most |up to |only |exactly |höchstens |genau )?"
    r"(?P<count>\d{1,6}|no|zero|any|two|three|four|five|ten|keine|zwei|drei|zehn|aucun|deux|trois|dix|ningún|dos|tres|diez)\s+"
    r"(?:sub-?)?(?:workers?|agents?|arbeiter|agenten|agentes?|trabajador(?:es)?)\b"
    r"|\b(?P<none>without|ohne|sans|sin)\s+(?:any\s+)?(?:workers?|agents?|arbeiter|agenten|agentes?)\b",
    re.IGNORECASE,
)
_ZERO = frozenset({"0", "no", "zero", "keine", "aucun", "ningún"})
_A_TOOL = r"(?:tools?|werkzeuge?|outils?|herramientas?)"
_TOOL = re.compile(
    rf"\b{_USE}\s+(?:(?:the|a|das|den|l[ae]|el|l['\u2019])\s*)?(?:{_A_TOOL}\s+[`'\"](?P<after>[\w.-]{{2,64}})[`'\"]"
    rf"|[`'\"]?(?P<before>[\w.-]{{2,64}})[`'\"]?[ -]{_A_TOOL}\b)"
    rf"|\b{_A_TOOL} (?:called |named |namens |appelé |llamada )?(?P<named>[a-z0-9]+(?:_+[a-z0-9]+)+)\b",
    re.IGNORECASE,
)


def sense(candidate: Candidate) -> Iterator[Problem]:
    """What is wrong with the words of the task and of its subtasks."""
    yield from _unreadable(candidate)
    yield from _counts(candidate)
    yield from _tools(candidate)
    for n, draft in enumerate(candidate.drafts):
        said = (draft.objective, draft.title, draft.item)
        if not any(map(visible, said)):
            yield error("blank", f"subtasks[{n}].objective", "It says nothing.", "Say what to find out.")
        elif _NOTHING.fullmatch(next(text for text in said if visible(text))):
            what = f"{next(text for text in said if visible(text))!r} can be understood by nobody who sees it alone."
            yield error("says_nothing", f"subtasks[{n}].objective", what, "Say what to find out, and in what.")


def _unreadable(candidate: Candidate) -> Iterator[Problem]:
    text = candidate.task.task
    odd = sum(not (char.isprintable() or char in "\n\r\t") for char in text)
    if odd > max(FEW, UNREADABLE * len(text)):
        what = f"{odd:,} of its {len(text):,} characters are no text; they were left out."
        yield warning("unreadable_text", "task", what, "Put the file under a root and say what to find out of it.")


def _counts(candidate: Candidate) -> Iterator[Problem]:
    """A task that wants workers and wants none."""
    found = list(_COUNTED.finditer(candidate.task.task))
    none = [match[0] for match in found if match["none"] or match["count"].casefold() in _ZERO]
    others = [match[0] for match in found if match[0] not in none]
    if none and others:
        what = f"It says {none[0]!r} and {others[0]!r}; neither was taken from its words."
        yield warning("contradictory_task", "task", what, "Say in max_workers how many there may be.")


def _tools(candidate: Candidate) -> Iterator[Problem]:
    """Tools that the task's words ask for and that do not exist."""
    known = {name.casefold() for name in (*candidate.tools, *candidate.remote, *candidate.remote.values())}
    names = [m["after"] or m["before"] or m["named"] for m in _TOOL.finditer(candidate.task.task)]
    missing = [name for name in dict.fromkeys(names) if _is_name(name) and name.casefold() not in known]
    if missing:
        what = f"It asks for tools that are not here: {some(missing)}. The plan does without them."
        remedy = f"There are: {some([*candidate.tools, *candidate.remote], 20) or 'none'}."
        yield warning("tool_not_there", "task", what, remedy)


def _is_name(name: str) -> bool:
    """Whether it is spelt as tools are, rather than a word that happens to stand before `tool`."""
    return "_" in name or name.casefold() in {"bash", "shell", "grep", "curl", "python", "browser", "sql"}
