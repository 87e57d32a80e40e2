"""Several workers on one subtask: what each is measured by, and what is taken from whom."""

from collections.abc import Sequence

from fanfold_server.synthesis.attempts import Comparison, compared, told
from fanfold_server.synthesis.material import checked, weighed
from fanfold_server.synthesis.texts import Drawn
from fanfold_workers.contract import Evidence, Examined, Finding, Result, Scope, Subtask
from fanfold_workers.tools.roots import MemoryRoot

ROOTS = {"r": MemoryRoot("r", {"a.md": "The limit is 30 seconds.\nIt is never read.\n"})}
LIMIT = Evidence(source="r:a.md", locator="L1", quote="The limit is 30 seconds.")
READ = Evidence(source="r:a.md", locator="L2", quote="It is never read.")
FALSE = Evidence(source="r:a.md", locator="L1", quote="Nothing of the kind was ever written here.")


def subtask(
    name: str, objective: str = "Find the limit", item: str = "a", place: str = "r", tool: str = ""
) -> Subtask:
    scope = Scope(places=(place,), tools=(tool,) if tool else ())
    return Subtask(id=name, title=f"Try {name}", objective=objective, item=item, scope=scope)


def said(claim: str, *evidence: Evidence) -> Finding:
    return Finding(subject="limit", claim=claim, confidence=0.9, evidence=evidence)


def result(name: str, *findings: Finding, done: int = 4) -> Result:
    return Result.ended(name, engine="host", findings=findings, examined=Examined(done=done, in_scope=4))


def comparisons(subtasks: Sequence[Subtask], results: Sequence[Result]) -> tuple[Comparison, ...]:
    known = weighed(subtasks, checked(subtasks, results, ROOTS), Drawn({}, {}), {})
    return compared(subtasks, known.results, known.trust, known.noted)


TRIES = [
    subtask("s1", tool="read"),
    subtask("s2", "find  the LIMIT.", tool="search"),
    subtask("s3", "Find the owner"),
]
RESULTS = [
    result("s1", said("The limit is 30 seconds."), said("The limit is 90 minutes.", FALSE), done=2),
    result("s2", said("The limit is 30 s.", LIMIT), said("Nobody reads the limit.", READ)),
    result("s3", said("The owner is the core team.")),
]


def test_attempts_at_one_subtask_are_measured_and_the_strongest_comes_first() -> None:
    (comparison,) = comparisons(TRIES, RESULTS)
    assert [
        (a.subtask, a.status, a.verified, a.examined, a.findings, a.unsupported, a.confirmed, a.own, a.taken)
        for a in comparison.attempts
    ] == [("s2", "ok", 1.0, 1.0, 2, 0, 1, 1, 2), ("s1", "partial", 0.0, 0.5, 2, 1, 1, 0, 0)]
    assert comparison.attempts[0].leads == ("quotes verified", "scope examined", "its own that stand", "how it ended")


def test_of_each_claim_the_finding_with_the_best_quote_is_taken_whoever_has_it() -> None:
    (comparison,) = comparisons(TRIES, RESULTS)
    assert [(e.finding, e.others) for e in comparison.elements] == [("s2.1", ("s1.1",)), ("s2.2", ())]
    weaker = result("s2", said("The limit is 30 s."), said("Nobody reads the limit.", READ))
    better = result("s1", said("The limit is 30 seconds.", LIMIT))
    (comparison,) = comparisons(TRIES, [better, weaker])
    assert [(e.finding, e.others) for e in comparison.elements] == [("s1.1", ("s2.1",)), ("s2.2", ())]
    assert [a.taken for a in comparison.attempts] == [1, 1]


def test_what_no_source_bears_out_is_not_taken() -> None:
    (comparison,) = comparisons(TRIES, RESULTS)
    assert "s1.2" not in {element.finding for element in comparison.elements}


def test_other_items_other_places_and_tries_without_a_result_are_not_compared() -> None:
    others = [subtask("s1"), subtask("s2", item="b"), subtask("s3", place="r:b"), subtask("s4", "Find the limits")]
    assert comparisons(others, [result(one.id, said("x is y")) for one in others]) == ()
    assert comparisons([subtask("s1"), subtask("s2")], [result("s1", said("x is y"))]) == ()


def test_attempts_that_are_alike_lead_on_nothing_and_stand_in_plan_order() -> None:
    alike = [result(name, said("The limit is 30 s.", LIMIT)) for name in ("s2", "s1")]
    (comparison,) = comparisons([subtask("s1"), subtask("s2")], alike)
    assert [(a.subtask, a.leads, a.confirmed, a.own) for a in comparison.attempts] == [
        ("s1", (), 1, 0),
        ("s2", (), 1, 0),
    ]


def test_the_table_says_what_came_from_whom() -> None:
    (comparison,) = comparisons(TRIES, RESULTS)
    assert told(comparison) == (
        "**Find the limit** (a): 2 attempts\n\n"
        "| attempt | engine | ended | quotes verified | examined | confirmed | own | taken | leads on |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| Try s2 (s2) | host | ok | 100% | 100% | 1 of 2 | 1 | 2 |"
        " quotes verified, scope examined, its own that stand, how it ended |\n"
        "| Try s1 (s1) | host | partial | 0% | 50% | 1 of 2 | 0 | 0 |  |\n\n"
        "- From s2: The limit is 30 s [s2.1], also [s1.1]; Nobody reads the limit [s2.2]"
    )


def test_a_title_cannot_break_the_table() -> None:
    evil = [subtask("s1").model_copy(update={"title": "a | b\n\n# c"}), subtask("s2")]
    (comparison,) = comparisons(evil, [result(one.id, said("x | y")) for one in evil])
    assert r"| a \| b \# c (s1) |" in told(comparison)
    assert len(told(comparison).splitlines()) == 8
