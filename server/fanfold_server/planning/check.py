"""The check in code: what is wrong with a set of subtasks, whoever drew it up. Calls block.

Everything it finds is a Problem; nothing is raised, so that whoever wrote the plan can mend all of it at once. An
error keeps the plan from being dispatched, so only what cannot be meant is one; what may be meant is a warning. A
lead model that made errors is told of all of it once, and then its plan stands as it is.

=========================== ======= =================================================================================
code                        level   what is wrong
=========================== ======= =================================================================================
blank                       error   a subtask says nothing
says_nothing                error   an objective nobody can understand who sees it alone ("as above", "TODO")
duplicate_id                error   two subtasks have one id
waits_for_itself            error   a subtask depends on itself
unknown_dependency          error   it depends on a subtask that is not there
cycle                       error   subtasks wait for one another
single_with_many            error   the mode is single, and there are several subtasks
dependency_in_parallel      error   the mode is parallel, and something waits
staged_without_dependency   error   the mode is staged, and nothing waits
leans_without_dependency    error   it takes for given what another finds, named so that nothing else can be meant
leans_without_dependency    warning the same, where something else could be meant
unknown_item                error   an item that rules cannot find in any root
uncovered_item              error   an item that no subtask covers
doubly_covered_item         error   an item that several cover with objectives that nothing tells apart
doubly_covered_item         warning an item that several cover with different objectives and no word of why
duplicate                   error   a lead's subtask that is another's double, and no stated attempt
duplicate                   warning the same in anybody else's plan, where it may be meant as an attempt
near_duplicate              warning nearly the same objective over scopes that overlap, no method or attempt stated
over_max_workers            error   more subtasks than max_workers, or than a lead may plan
too_many_workers            warning more than such a scope or such a task is worth
deep_chain                  warning many stages one after another
unknown_place               error   a root or place that is not there, or holds nothing to read
place_leaves_root           error   a place spelt so that it could lead out of its root
outside_roots               error   a place that the task's own roots do not hold
unknown_tool                error   a tool that is not there
server_unknown              error   a tool of a server that is not there
unknown_check               error   a check that is not there
check_not_in_tools          error   a check that is not among the subtask's tools
checks_without_places       error   checks with nothing to read
tools_without_places        error   tools that read files, with nothing to read
web_not_available           error   the web, where it is off
group_too_large             error   a group of items with more places than a subtask holds
scope_too_wide              warning a whole root, for what is about a path below it
tools_not_needed            warning tools beside checks that answer the subtask
web_not_needed              warning the web, where nothing says what for
contradictory_task          warning the task wants workers and wants none
tool_not_there              warning the task asks for a tool that is not there
unreadable_text             warning much of the task is no text
server_failed               warning a declared server could not be used
=========================== ======= =================================================================================
"""

from collections import Counter
from collections.abc import Iterator

from fanfold_server.records import Problem

from .candidate import Candidate
from .coverage import coverage
from .extent import extent
from .known import known
from .leaning import leaning
from .ordering import ordering
from .sense import sense
from .trouble import error
from .twins import doubles


def check(candidate: Candidate) -> Iterator[Problem]:
    """All that is wrong, errors and warnings, with the field as the caller spells it."""
    yield from known(candidate)
    yield from _ids(candidate)
    yield from ordering(candidate)
    yield from sense(candidate)
    yield from coverage(candidate)
    yield from leaning(candidate)
    yield from doubles(candidate)
    yield from extent(candidate)


def _ids(candidate: Candidate) -> Iterator[Problem]:
    subtasks = candidate.subtasks
    for name, count in Counter(subtask.id for subtask in subtasks).items():
        if count > 1:
            which = [n for n, subtask in enumerate(subtasks) if subtask.id == name]
            remedy = "Give each its own id, or leave the ids out."
            yield error("duplicate_id", f"subtasks[{which[1]}].id", f"{count} subtasks are called {name!r}.", remedy)
