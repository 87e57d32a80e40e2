"""What findings come to when they are put together: merged, joined, in conflict, ranked."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold_server.records import Conflict, Disposition, Report, Side
from fanfold_server.synthesis import synthesize
from fanfold_server.synthesis.conflicts import disputes
from fanfold_server.synthesis.join import merged
from fanfold_server.synthesis.material import checked, weighed
from fanfold_server.synthesis.texts import Drawn
from fanfold_server.synthesis.wording import key_of, same, words_of
from fanfold_workers.aside import inline
from fanfold_workers.contract import Evidence, Finding, Result, Severity, Status, Subtask
from fanfold_workers.tools.roots import MemoryRoot

LIB = MemoryRoot("lib", {"imp.py": "# removed in 3.12\n", "a.md": "The limit is 30 seconds.\n"})
ROOTS = {"lib": LIB}
TRUE = Evidence(source="lib:a.md", locator="L1", quote="The limit is 30 seconds.")
FALSE = Evidence(source="lib:a.md", locator="L1", quote="Nothing of the kind was ever written here.")


def found(kind: str, subject: str, claim: str, *evidence: Evidence, **fields: object) -> Finding:
    fields = {"confidence": 0.9} | fields
    return Finding.model_validate({"kind": kind, "subject": subject, "claim": claim, "evidence": evidence, **fields})


def said(subject: str, claim: str, *evidence: Evidence, **fields: object) -> Finding:
    return found("claim", subject, claim, *evidence, **{"confidence": 0.5} | fields)


async def report(*by_worker: Sequence[Finding], engine: str = "host", items: Sequence[str] = ()) -> Report:
    results = [Result.ended(f"s{n}", engine=engine, findings=tuple(f)) for n, f in enumerate(by_worker, 1)]
    subtasks = [Subtask(id=f"s{n}", title=f"part {n}", objective="o", item=item) for n, item in enumerate(items, 1)]
    return await synthesize("What is it?", subtasks, results, ROOTS, aside=inline)


def fates(of: Report) -> dict[str, Disposition]:
    return {line.finding: line.disposition for line in of.ledger}


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Get_Event-Loop()", "get event loop", True),
        ("  Kafka. ", "kafka", True),
        ("C++", "C", False),
        ("C#", "C", False),
        ("os.path", "ospath", False),
        ("python 3.10", "python 3.1", False),
        ("???", "???", True),
        ("the requests", "dependency requests", True),
        ("Flask v2.0", "flask 2.0", True),
        ("./src/app.py", "src/app.py", True),
        ("The", "", False),
    ],
)
def test_subjects_are_alike_but_for_case_spaces_and_punctuation(one: str, other: str, *, alike: bool) -> None:
    assert (key_of(one) == key_of(other)) is alike


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("The module imp was removed in 3.12", "the module imp is removed in 3.12.", True),
        ("It removes the cache on exit", "On exit it removed the cache", True),
        ("The limit is 30 seconds", "The limit is 60 seconds", False),
        ("It is deprecated since 3.110", "It is deprecated since 3.111", False),
        ("It supports streaming over HTTP", "It does not support streaming over HTTP", False),
        (
            "requests is not pinned in the manifest of django",
            "requests is not pinned in the manifest of flask",
            False,
        ),
        ("It has 1,200 lines", "It has 1200 lines.", True),
        ("It loads in 30 s", "It loads in 30 seconds", True),
        ("It came with v2.1", "It came with 2.1", True),
        ("It has three owners", "It has 3 owners", True),
        ("It removes the cache on exit", "It deletes the cache on exit", True),
        ("Streaming is unsupported", "Streaming is not supported", True),
        ("The store is empty at start", "I found that the store is empty at start", True),
        ("The store is empty at start", "The store is empty at start, which makes the first call slow", True),
        ("The store is empty at start", "The store is empty at start, so only if asked it is read", False),
        ("The store is empty at start", "The store should be empty at start", False),
        ("It encodes the address", "It decodes the address", False),
        ("It compresses all that it is given", "It decompresses all that it is given", False),
        ("In a.py b.run asserts nothing", "b.run asserts nothing in a.py", True),
        (
            "The store of the old client is empty at the start of every long session",
            "The store of the old client may be empty at the start of every long session",
            False,
        ),
        ("It is imported by core.handlers_one", "It is imported by core.handlers_two", False),
        ("It calls a.load before b.parse", "It calls b.parse before a.load", False),
        ("In a.py it asserts nothing", "It asserts nothing in a.py", True),
        ("Streaming is supported", "Streaming is unsupported", False),
    ],
)
def test_claims_say_the_same_only_if_nothing_that_counts_differs(one: str, other: str, *, alike: bool) -> None:
    assert same(words_of(one), words_of(other)) is alike


async def test_the_same_claim_by_three_workers_is_one_entry_with_their_support() -> None:
    claims = [
        "The module imp is removed in 3.12",
        "the module `imp` was removed in 3.12.",
        "In 3.12 the module imp is removed",
    ]
    joined = await report(*([said("imp", claim, count=2)] for claim in claims))
    assert [(e.findings, e.support, e.occurrences) for e in joined.entries] == [(("s1.1", "s2.1", "s3.1"), 3, 6)]
    assert fates(joined) == {"s1.1": "cited", "s2.1": "merged", "s3.1": "merged"}


async def test_one_worker_that_repeats_itself_is_no_support() -> None:
    joined = await report([said("imp", "It is removed"), said("Imp", "it is removed.")])
    assert [(e.support, e.occurrences) for e in joined.entries] == [(1, 2)]


async def test_a_deprecation_meets_its_uses_and_outranks_one_that_nobody_uses() -> None:
    joined = await report(
        [
            found("upgrades.deprecates", "cgi", "cgi is deprecated", severity=Severity.critical),
            found("upgrades.deprecates", "imp", "imp is deprecated", severity=Severity.medium),
        ],
        [found("upgrades.uses", "imp", "setuptools imports imp")],
        [found("upgrades.uses", "imp.find_module", "flask calls imp.find_module")],
        [found("upgrades.uses", "sys", "flask imports sys")],
        engine="rules",
    )
    assert [(e.subject, e.severity, e.also, e.marks) for e in joined.entries] == [
        (
            "imp",
            "high",
            ("s2: setuptools imports imp [s2.1]", "s3: flask calls imp.find_module [s3.1]"),
            ("no evidence",),
        ),
        ("cgi", "critical", (), ("no evidence", "no use found")),
    ]
    assert fates(joined)["s4.1"] is Disposition.context
    assert joined.headline.startswith("1 thing on the way out is in use.")


async def test_a_user_of_many_names_below_it_is_told_in_one_line() -> None:
    joined = await report(
        [found("upgrades.deprecates", "imp", "imp is deprecated")],
        [
            found("upgrades.uses", "imp", "Uses imp 5 times.", count=5),
            found("upgrades.uses", "imp.find_module", "Uses imp.find_module 3 times.", count=3),
            found("upgrades.uses", "imp.reload", "Uses imp.reload twice.", count=2),
        ],
        [found("upgrades.uses", "imp.reload", "Uses imp.reload twice.", count=2, confidence=0.6)],
        engine="rules",
    )
    assert [(e.also, e.occurrences, e.support) for e in joined.entries] == [
        (("s2: uses it 5 times, under 3 names. [s2.1]", "s3: Uses imp.reload twice. [s3.1]"), 8, 3)
    ]


async def test_a_use_that_provides_for_the_absence_of_the_thing_raises_nothing() -> None:
    joined = await report(
        [found("upgrades.deprecates", "imp", "imp is deprecated", severity=Severity.low)],
        [found("upgrades.uses", "imp", "six tries to import imp", confidence=0.6)],
        engine="rules",
    )
    assert [(e.severity, e.also, e.marks) for e in joined.entries] == [
        ("low", ("s2: six tries to import imp [s2.1]",), ("no evidence",))
    ]


@pytest.mark.parametrize("used", ["typing.IO", "_typing.io", "typing io"])
async def test_names_of_code_are_alike_only_as_they_stand(used: str) -> None:
    joined = await report(
        [found("upgrades.deprecates", "typing.io", "typing.io is deprecated")],
        [found("upgrades.uses", used, f"trio uses {used}")],
        engine="rules",
    )
    assert fates(joined) == {"s1.1": "cited", "s2.1": "context"}
    assert joined.headline.startswith("No use was found of anything on the way out.")


async def test_what_is_said_of_one_name_in_a_module_says_nothing_about_the_module() -> None:
    joined = await report(
        [found("upgrades.deprecates", "asyncio.get_event_loop", "get_event_loop is deprecated")],
        [found("upgrades.uses", "asyncio", "flask imports asyncio")],
        engine="rules",
    )
    assert fates(joined) == {"s1.1": "cited", "s2.1": "context"}


async def test_only_a_deprecation_holds_for_all_below_its_subject() -> None:
    joined = await report(
        [found("upgrades.counts", "asyncio", "asyncio has 30 modules")],
        [found("upgrades.uses", "asyncio.run", "flask calls asyncio.run")],
        engine="rules",
    )
    assert fates(joined) == {"s1.1": "cited", "s2.1": "context"}


async def test_what_rules_count_in_two_places_is_no_contradiction() -> None:
    lines = [[found("tests.few", "tests", f"{n} modules have no test")] for n in (3, 4)]
    assert (await report(*lines, engine="rules")).conflicts == ()
    assert len((await report(*lines, engine="host")).conflicts) == 1


async def test_a_finding_whose_quotes_are_all_missing_is_left_out_and_said_to_be() -> None:
    joined = await report([said("limit", "The limit is 90 days", FALSE)], [said("limit", "There is a limit", TRUE)])
    assert fates(joined) == {"s1.1": "unsupported", "s2.1": "cited"}
    assert [entry.claim for entry in joined.entries] == ["There is a limit"]
    assert "Left out: 1 finding whose quotes are not in their sources" in joined.markdown


async def test_a_finding_with_a_true_quote_outranks_one_with_none() -> None:
    joined = await report([said("a", "It is slow")], [said("b", "It is fast", TRUE)])
    assert [(e.claim, e.marks) for e in joined.entries] == [("It is fast", ()), ("It is slow", ("no evidence",))]


async def test_a_worker_whose_quotes_are_false_weighs_less_in_all_it_says() -> None:
    joined = await report(
        [said("a", "It is slow", TRUE), *(said("x", f"Lie number {n}", FALSE) for n in range(4))],
        [said("b", "It is fast", TRUE)],
    )
    assert [entry.claim for entry in joined.entries] == ["It is fast", "It is slow"]
    assert [(r.subtask, r.verified, r.weight) for r in joined.reliability] == [("s1", 0.2, 0.4286), ("s2", 1.0, 1.0)]


async def test_values_that_differ_stand_side_by_side_and_stay_open() -> None:
    joined = await report(
        [said("Kafka", "Its licence is Apache-2.0", attribute="licence", value="Apache-2.0")],
        [said("kafka", "It is under MIT", attribute="Licence", value="MIT")],
    )
    assert joined.conflicts == (
        Conflict(
            subject="Kafka",
            attribute="licence",
            sides=(
                Side(value="Apache-2.0", findings=("s1.1",), support=1, weight=0.2),
                Side(value="MIT", findings=("s2.1",), support=1, weight=0.2),
            ),
        ),
    )
    assert all("disputed" in entry.marks for entry in joined.entries)


async def test_a_conflict_is_settled_when_only_one_side_has_quotes_that_stand() -> None:
    joined = await report(
        [said("limit", "It is 90", FALSE, attribute="seconds", value="90")],
        [said("limit", "It is 30", TRUE, attribute="seconds", value="30")],
    )
    (conflict,) = joined.conflicts
    assert ([side.value for side in conflict.sides], bool(conflict.settled)) == (["30", "90"], True)


async def test_a_conflict_is_settled_by_twice_the_weight_and_more_workers() -> None:
    thirty = said("limit", "It is 30", TRUE, attribute="seconds", value="30")
    joined = await report([thirty], [thirty], [said("limit", "It is 90", attribute="seconds", value="90")])
    (conflict,) = joined.conflicts
    assert conflict.settled == "2 workers say so against 1, with weight 1.00 against 0.20."
    assert [e.marks for e in joined.entries] == [(), ("contradicted", "no evidence")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The default timeout is 30 seconds.", "The default timeout is 60 seconds."),
        ("It supports streaming over HTTP.", "It doesn't support streaming over HTTP."),
        ("It supports streaming over HTTP.", "It cannot support streaming over HTTP."),
        ("Caching is enabled by default.", "By default caching is disabled."),
        ("Logging in is required.", "Logging in is optional."),
        ("No test covers it.", "It is covered by a test."),
        ("It is flagged as vulnerable to CVE-2026-1.", "CVE-2026-1 is patched in it."),
        ("It takes 30 seconds to load.", "To load, it takes 45 s."),
    ],
)
async def test_claims_that_contradict_each_other_word_for_word_are_a_conflict(one: str, other: str) -> None:
    joined = await report([said("client", one)], [said("client", other)])
    assert [(c.subject, sorted(side.value for side in c.sides)) for c in joined.conflicts] == [
        ("client", sorted((one, other)))
    ]


@pytest.mark.parametrize(
    "claims",
    [
        ("Version 1 waits 30 seconds.", "Version 2 waits 60 seconds."),
        ("The default timeout is 30 seconds.", "The maximum size is 60 bytes."),
        ("Step 2 is done by hand.", "Step 3 is done by hand."),
        ("Caching is disabled.", "Caching should be enabled."),
        ("It may take 30 seconds.", "It may take 60 seconds."),
        ("Caching is enabled in tests.", "Caching is disabled in production."),
        ("It is vulnerable to CVE-2026-1.", "It is patched for CVE-2026-2."),
        ("Before 2.1 it was vulnerable to CVE-2026-1.", "It is patched for CVE-2026-1."),
        ("It is pinned to 2.1.0.", "It needs at least 2.0.0."),
        ("It was moved from 2.1.0, and is pinned to 2.4.1.", "It is pinned to 2.1.0."),
    ],
)
async def test_claims_about_different_cases_are_no_conflict(claims: tuple[str, str]) -> None:
    assert (await report(*([said("client", claim)] for claim in claims))).conflicts == ()


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [("2.1", "==2.1.0", False), ("v2.1", "2.1", False), ("2.1", "2.10", True)],
)
async def test_versions_are_compared_as_versions(one: str, other: str, *, differ: bool) -> None:
    joined = await report(
        [said("requests", "It is old.", attribute="pinned version", value=one)],
        [said("requests", "It is new.", attribute="version", value=other)],
    )
    assert len(joined.conflicts) == differ


async def test_versions_told_in_words_are_set_against_each_other() -> None:
    pinned = said("requests", "The lock file pins requests at version 2.4.1.")
    stated = said("requests", "It is old.", attribute="version", value="2.1")
    joined = await report([said("requests", "It is pinned to 2.1.0.")], [pinned], [stated])
    assert [(c.attribute, [(side.value, side.support) for side in c.sides]) for c in joined.conflicts] == [
        ("version", [("2.1.0", 2), ("2.4.1", 1)])
    ]


async def test_what_minds_see_in_two_repositories_is_no_contradiction() -> None:
    def seen(repository: str, version: str) -> list[Finding]:
        evidence = Evidence(source=f"repos:{repository}/setup.py", quote="anything")
        return [said("requests", f"requests is pinned to {version}.", evidence)]

    assert (await report(seen("django", "2.1.0"), seen("flask", "2.4.1"))).conflicts == ()
    assert len((await report(seen("django", "2.1.0"), seen("django", "2.4.1"))).conflicts) == 1


async def test_a_contradiction_is_told_once_however_many_rules_find_it() -> None:
    joined = await report(
        [said("limit", "The limit is 30.", attribute="seconds", value="30")],
        [said("limit", "The limit is 60.", attribute="seconds", value="60")],
    )
    assert [conflict.attribute for conflict in joined.conflicts] == ["seconds"]


async def test_claims_alike_in_words_that_give_different_values_are_not_made_one() -> None:
    joined = await report(
        [said("limit", "There is a limit.", attribute="seconds", value="30")],
        [said("limit", "There is a limit.", attribute="seconds", value="60")],
        [said("limit", "There is a limit.")],
    )
    assert sorted(len(entry.findings) for entry in joined.entries) == [1, 2]


async def test_what_says_the_same_as_one_of_several_belongs_with_them() -> None:
    joined = await report(
        [said("licence", "It is under MIT.", attribute="licence", value="MIT")],
        [said("licence", "Its terms are liberal.", attribute="licence", value="mit")],
        [said("licence", "The terms of it are liberal.")],
    )
    assert [entry.support for entry in joined.entries] == [3]


CLAIMS = [
    "Caching is enabled.", "Caching is disabled.", "caching is not enabled", "It takes 30 s.", "It takes 60 seconds.",
    "It is pinned to 2.1.0.", "It is pinned to 2.4.1.", "I found that caching is enabled, which is good.",
]  # fmt: skip
spoken = st.builds(
    said,
    st.sampled_from(["a", "A", "b"]),
    st.sampled_from(CLAIMS),
    st.sampled_from([TRUE, FALSE]),
    attribute=st.sampled_from(["", "limit"]),
    value=st.sampled_from(["", "30", "60"]),
)


@given(st.lists(st.lists(spoken, max_size=5), min_size=1, max_size=4), st.randoms())
@settings(deadline=None)
async def test_neither_joining_nor_disputing_depends_on_who_came_first(
    by_worker: list[list[Finding]], rng: random.Random
) -> None:
    results = [Result.ended(f"s{n}", engine="host", summary="x", findings=tuple(f)) for n, f in enumerate(by_worker)]
    noted = weighed([], checked([], results, ROOTS), Drawn({}, {}), {}).noted
    mixed = rng.sample(noted, len(noted))
    assert disputes(mixed) == disputes(noted)
    assert merged(mixed) == merged(noted)
    ids = [member.finding.id for claim in merged(noted) for member in claim.members]
    assert sorted(ids) == sorted(one.finding.id for one in noted)


async def test_one_worker_that_lists_cases_does_not_contradict_itself() -> None:
    lines = [said("client", "Call 1 takes long"), said("client", "Call 2 takes long")]
    assert (await report(lines)).conflicts == ()


async def test_two_repositories_that_pin_a_dependency_differently_do_not_disagree() -> None:
    pins = [found("dependencies.pin", "requests", f"pinned to {v}", attribute="pin", value=v) for v in "12"]
    apart = await report([pins[0]], [pins[1]], engine="rules", items=("django", "flask"))
    together = await report([pins[0]], [pins[1]], engine="rules", items=("django", "django"))
    assert (apart.conflicts, len(together.conflicts)) == ((), 1)


async def test_two_thousand_findings_about_one_subject_are_all_accounted_for() -> None:
    words = ["alpha", "beta", "gamma", "delta", "omega", "kappa", "sigma"]
    many = [
        [said("x", f"{words[i % 7]} {words[i // 7 % 7]} {words[(i + n) // 49 % 7]} does {i}", severity=Severity.low)
         for i in range(1_000)]
        for n in range(2)
    ]  # fmt: skip
    joined = await report(*many)
    assert len(joined.ledger) == 2_000


async def test_results_may_come_without_a_status_of_success() -> None:
    result = Result(
        subtask="s1", status=Status.timed_out, reason="no answer within 120 s.", findings=(said("a", "b"),)
    )
    joined = await synthesize("q", [], [result], {}, aside=inline)
    assert [gap.gap for gap in joined.gaps] == ["timed_out, no answer within 120 s."]
    assert [entry.claim for entry in joined.entries] == ["b"]
