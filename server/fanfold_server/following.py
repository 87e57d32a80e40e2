"""What a run left open, as subtasks: what failed is done again, what was left is finished, conflicts are looked into.

Everything else keeps what was found. Subtasks that finish or look into something depend on those whose Results they
build on, so that they are told what was found; nothing of it is asked again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fanfold_server.records import Conflict, Draft, Plan, Report
from fanfold_server.revising import draft_of
from fanfold_workers.contract import Place, Result, Status, Subtask
from fanfold_workers.tools.files import split_place
from fanfold_workers.tools.legible import in_line

MAX_CONFLICTS = 20
"""Conflicts looked into by one follow-up, the weightiest first."""
MAX_LEANS = 6
"""Subtasks whose Results a conflict's is told: the first of each side, then the others."""
MAX_OBJECTIVE, MAX_SAID, MAX_LINES = 8_000, 400, 20
RULES = "rules"
EARLIER = "\n\nAn earlier try ended"
LOOK_INTO = (
    "Workers disagree on {}. Find out from the sources which side is right, or in which sense each holds, and quote "
    "what decides it."
)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What to do after a run.

    Attributes:
        drafts: all subtasks of the run, changed where they are done again; then those that are new.
        kept: ids of those whose Results stand.
        rests: of each that finishes what another left, the other's id.
        again, finishing, conflicts: how many are done again, finish what another left, and look into a conflict.
        told: what was left out, and why.
    """

    drafts: tuple[Draft, ...]
    kept: tuple[str, ...]
    rests: Mapping[str, str]
    again: int
    finishing: int
    conflicts: int
    told: tuple[str, ...]

    @property
    def reason(self) -> str:
        """What there is to do, in a sentence."""
        parts = ((self.again, "to do again"), (self.finishing, "to finish"), (self.conflicts, "to look into"))
        to_do = ", ".join(f"{number} {what}" for number, what in parts if number)
        return f"{to_do}; {len(self.kept)} keep what they found."

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.again or self.finishing or self.conflicts)


def follow_up(plan: Plan, results: Mapping[str, Result], conflicts: Sequence[Conflict], *, minds: bool) -> FollowUp:
    """What to do after a run of the plan.

    Args:
        plan: what was run.
        results: what came of it, with what unfinished workers noted.
        conflicts: those that are open.
        minds: whether somebody does subtasks that take a mind: a model, or a host's sub-agents.
    """
    usable = {name for name, result in results.items() if result.usable}
    redone = [_again(s, results.get(s.id)) for s in plan.subtasks if s.id not in usable]
    names = {subtask.id for subtask in plan.subtasks}
    finished = {other for rest, other in plan.rests.items() if rest in usable}
    left = [s for s in plan.subtasks if s.id in usable - finished and _left(results[s.id])]
    ruled = [s for s in left if s.checks and not minds]
    rests = {_free(f"{s.id[:50]}-rest", names): s for s in left if s not in ruled}
    opened = conflicts[:MAX_CONFLICTS] if minds else ()
    looked = [_conflict(plan, conflict, _free(f"conflict-{n}", names)) for n, conflict in enumerate(opened, 1)]
    again = {draft.id: draft for draft in redone}
    return FollowUp(
        drafts=(
            *(again.get(s.id) or draft_of(s) for s in plan.subtasks),
            *(_rest(name, s, results[s.id]) for name, s in rests.items()),
            *looked,
        ),
        kept=tuple(s.id for s in plan.subtasks if s.id in usable),
        rests=dict(plan.rests) | {name: s.id for name, s in rests.items()},
        again=len(redone),
        finishing=len(rests),
        conflicts=len(looked),
        told=tuple(_told(len(ruled), len(conflicts) - len(looked), minds=minds)),
    )


def open_conflicts(reports: Sequence[Report]) -> list[Conflict]:
    """The conflicts that no report of a run settled, in the order of the first."""
    told = [{(c.subject, c.attribute): c for c in report.conflicts if not c.settled} for report in reports]
    return [one for about, one in told[0].items() if all(about in each for each in told)] if told else []


def _told(ruled: int, conflicts: int, *, minds: bool) -> Iterator[str]:
    if ruled:
        yield f"{ruled} checks did not examine all of their scope; the same check again would find the same."
    if conflicts and not minds:
        yield f"{conflicts} conflicts are open: to look into them takes a mind."
    elif conflicts:
        yield f"{conflicts} more conflicts are open: follow up again for those."


def _left(result: Result) -> bool:
    """Whether a usable result leaves something undone. What a check says of its own limits is nothing to be done."""
    if result.status is not Status.ok or result.examined.done < result.examined.in_scope:
        return True
    return bool(result.gaps) and result.engine != RULES


def _again(subtask: Subtask, result: Result | None) -> Draft:
    """A subtask to do again. A check's objective is its question, so nothing is added to it."""
    draft = draft_of(subtask)
    if subtask.checks or not result:
        return draft
    before = f"{EARLIER} {result.status}: {in_line(result.reason, MAX_SAID)}"
    own = draft.objective.partition(EARLIER)[0]
    return draft.model_copy(update={"objective": own[: MAX_OBJECTIVE - len(before)] + before})


def _rest(name: str, subtask: Subtask, result: Result) -> Draft:
    """What a worker left: the same question in the same scope, less what is known."""
    gaps = [f"- {in_line(gap, MAX_SAID)}" for gap in dict.fromkeys((*result.examined.left_out, *result.gaps))]
    said = [f"{result.status}, {in_line(result.reason, MAX_SAID)}"] if result.reason else []
    lines = (
        f"Finish what {subtask.id} began. Do only what it left; what it found is told to you and is not asked again.",
        *(f"How it ended: {one}" for one in said),
        *(("What it left open:", *gaps[:MAX_LINES]) if gaps else ()),
        "",
        "What it was to do:",
    )
    head = "\n".join(lines) + "\n"
    return draft_of(subtask).model_copy(
        update={
            "id": name,
            "title": f"Rest of: {subtask.title}"[:300],
            "objective": (head + subtask.objective)[:MAX_OBJECTIVE],
            "checks": (),
            "depends_on": (subtask.id,),
            "if_unmet": "run",
        }
    )


def _conflict(plan: Plan, conflict: Conflict, name: str) -> Draft:
    """Which side of a conflict is right, or how both hold: over the sources that the sides quote."""
    about = ", ".join(part for part in (conflict.subject, conflict.attribute) if part)
    sides = [
        f"- side {letter}, {side.support} workers: {in_line(side.value, MAX_SAID)}{_quoted(side.evidence)}"
        for letter, side in zip("abcdefgh", conflict.sides, strict=False)
    ]
    known = {subtask.id: subtask for subtask in plan.subtasks}
    first = [one for side in conflict.sides for one in side.findings[:1]]
    others = [one for side in conflict.sides for one in side.findings[1:]]
    whose = dict.fromkeys(finding.rpartition(".")[0] for finding in (*first, *others))
    leans = [subtask for subtask in whose if subtask in known][:MAX_LEANS]
    scopes = [known[one].scope for one in leans]
    places = _sources(conflict) or tuple(dict.fromkeys(place for scope in scopes for place in scope.places))
    tools = dict.fromkeys(tool for one in leans if not known[one].checks for tool in known[one].scope.tools)
    return Draft(
        id=name,
        title=f"Settle: {in_line(about, 200)}",
        objective="\n".join((LOOK_INTO.format(in_line(about, MAX_SAID)), *sides))[:MAX_OBJECTIVE],
        expected="One finding on the same subject that says what is so, with the quote that decides it.",
        places=places[:500],
        tools=tuple(tools)[:100],
        web=any(scope.web for scope in scopes),
        depends_on=tuple(leans),
        if_unmet="run",
    )


def _quoted(evidence: object) -> str:
    source = getattr(evidence, "source", "")
    return f" ({in_line(source, 200)})" if source else ""


def _sources(conflict: Conflict) -> tuple[Place, ...]:
    """The files that the sides quote, where each side quotes one."""
    quoted = [side.evidence.source for side in conflict.sides if side.evidence]
    files = [source for source in quoted if source and "://" not in source and split_place(source)[1]]
    return tuple(dict.fromkeys(files)) if len(files) == len(conflict.sides) else ()


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number where it is taken; it is taken from then on."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free
