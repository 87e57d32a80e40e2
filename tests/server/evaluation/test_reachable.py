"""No case asks for what no plan can be: for each one a plan is put together by rule that has full marks."""

from collections.abc import Sequence
from itertools import cycle, islice

import pytest

from fanfold_server.evaluation.case import Case, Words, cases
from fanfold_server.evaluation.scoring import scored
from fanfold_server.evaluation.world import world
from fanfold_server.records import Estimate, Mode, Plan
from fanfold_workers.contract import Scope, Subtask
from fanfold_workers.tools.files import split_place

PLANNED = [case for case in cases() if not case.expect.refused]
FILLING = ("amber", "birch", "cobalt", "dune", "ember", "fjord", "garnet", "heath", "indigo", "jade", "kelp", "larch")


def steps(case: Case, mode: Mode) -> dict[Words, list[Words]]:
    """What has to be done by itself, and what each waits for."""
    waits: dict[Words, list[Words]] = {}
    for before, after in case.expect.order if mode is Mode.staged else ():
        waits.setdefault(before, [])
        waits.setdefault(after, []).append(before)
    return waits


def items(case: Case, parts: int) -> list[Sequence[str]]:
    """The items, each once and by its plain name, in so many parts that hang together."""
    names = [item.split()[0].rstrip("/").replace(":", "/").rpartition("/")[2] for item in case.asked.items]
    once = list(dict.fromkeys(name.casefold() for name in names))
    size = -(-len(once) // parts) or 1
    return [once[n * size : (n + 1) * size] for n in range(parts)]


def places(case: Case, shares: list[Sequence[str]]) -> list[tuple[str, ...]]:
    """The scope in as many parts: what belongs to a part's items, or as it comes; all for all where that is right."""
    needed, parts = case.expect.needed or (), len(shares)
    if case.expect.shared or parts == 1:
        return [needed] * parts
    roots = world(case.world)
    files = [f"{root}:{f.path}" for root, path in map(split_place, needed) for f in roots[root].walk(path)]
    if case.asked.items:
        of = {name: n for n, names in enumerate(shares) for name in names}
        found: list[list[str]] = [[] for _ in shares]
        for file in files:
            words = file.replace(":", "/").replace(".", "/").split("/")
            if (n := next((of[word] for word in words if word in of), None)) is not None:
                found[n].append(file)
        return [tuple(some[:500]) for some in found]
    size = -(-len(files) // parts) or 1
    return [tuple(files[n * size : (n + 1) * size])[:500] for n in range(parts)]


def ideal(case: Case) -> Plan:
    """A plan with everything that the case expects, and nothing else."""
    expect = case.expect
    mode = next(mode for mode in (Mode.staged, Mode.parallel, Mode.single) if mode in expect.modes)
    if len(steps(case, mode)) > expect.most or expect.most == 1:
        mode = Mode.single
    waits = steps(case, mode)
    count = 1 if mode is Mode.single else max(expect.least, len(waits), 2)
    rest, names = [words for words in expect.covers if words not in waits], list(waits)
    shares = items(case, count)
    reach = places(case, shares)
    subtasks: list[Subtask] = []
    for n in range(count):
        own = [words[0] for words in (*names[n : n + 1], *islice(rest, n, None, count))]
        waiting = [f"s{names.index(words) + 1}" for words in waits.get(names[n], ())] if n < len(names) else []
        share = f"{shares[n][0]} … {shares[n][-1]}" if len(shares[n]) > 4 else "\n".join(shares[n])
        subtask = Subtask(
            id=f"s{n + 1}",
            title=f"Part {n}",
            objective=". ".join([*own, f"Part {' '.join(islice(cycle(FILLING), n, n + 3))} {n}"]),
            item=share,
            depends_on=tuple(waiting),
            scope=Scope(places=reach[n]),
        )
        subtasks.append(subtask)
    estimate = Estimate(workers=count)
    return Plan(id="p-1", task=case.asked, mode=mode, reason="By rule.", subtasks=tuple(subtasks), estimate=estimate)


@pytest.mark.parametrize("case", PLANNED, ids=[case.id for case in PLANNED])
def test_there_is_a_plan_with_full_marks(case: Case) -> None:
    scores = scored(case, ideal(case))

    assert {name: value for name, value in scores.by_name.items() if value is not None and value < 0.98} == {}
