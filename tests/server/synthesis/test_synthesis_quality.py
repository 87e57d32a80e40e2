"""How much a finding weighs by whose page it quotes, and by who else says so."""

import pytest

from fanfold_server.settings.checks import QUALITIES
from fanfold_server.synthesis import synthesize
from fanfold_server.synthesis.quality import BY_DOMAIN, FACTORS, factor, quality_of
from fanfold_server.synthesis.weigh import LOST, NO_EVIDENCE, OPEN, primary, proved, reliability, told_by
from fanfold_workers.aside import inline
from fanfold_workers.contract import Evidence, Finding, Result, Verdict


def finding(*quotes: tuple[str, Verdict]) -> Finding:
    evidence = tuple(Evidence(source=source, quote="so it is", verdict=verdict) for source, verdict in quotes)
    return Finding(subject="x", claim="y", evidence=evidence)


@pytest.mark.parametrize(
    ("source", "quality"),
    [
        ("https://docs.python.org/3/library/os.html", "primary"),
        ("https://www.nasa.gov/x", "primary"),
        ("https://www.legislation.gov.uk/x", "primary"),
        ("https://raw.githubusercontent.com/a/b/main/c.py", "primary"),
        ("https://github.com/a/b/blob/main/c.py", "primary"),
        ("https://github.com/a/b/issues/12", "forum"),
        ("https://gitlab.com/a/b/-/issues/12", "forum"),
        ("https://de.wikipedia.org/wiki/Pumpe", "secondary"),
        ("https://STACKOVERFLOW.com/q/1", "forum"),
        ("https://discuss.python.org/t/1", "forum"),
        ("http://www.ehow.com/x", "farm"),
        ("https://somebody.example/x", "unknown"),
        ("https://python.org.example.com/x", "unknown"),
        ("https://notpython.org/x", "unknown"),
        ("https://docs.python.org@example.com/x", "unknown"),
        ("https://docs.python.org.:443/x", "primary"),
        ("https://[::1/x", "unknown"),
        ("https://127.0.0.1/x", "unknown"),
        ("repos:django/setup.py", "primary"),
        ("docs__read", "primary"),
        ("text:s1", "primary"),
    ],
)
def test_a_source_is_classed_by_the_domain_that_it_is_really_at(source: str, quality: str) -> None:
    assert quality_of(source) == quality


def test_a_persons_own_classes_go_before_the_list_and_hold_for_all_below() -> None:
    own = {"python.org": "forum", "wiki.example.com": "primary"}
    assert quality_of("https://docs.python.org/3/", own) == "forum"
    assert quality_of("https://a.wiki.example.com/", own) == "primary"
    assert quality_of("https://example.com/", own) == "unknown"


def test_the_settings_know_every_class_and_the_list_no_other() -> None:
    assert tuple(FACTORS) == QUALITIES
    assert set(BY_DOMAIN.values()) <= FACTORS.keys()
    assert sorted(FACTORS.values(), reverse=True) == list(FACTORS.values())


def test_the_makers_page_outweighs_a_forum_and_that_a_quote_which_the_maker_never_wrote() -> None:
    maker = proved(finding(("https://docs.python.org/3/", Verdict.verified)))
    forum = proved(finding(("https://stackoverflow.com/q/1", Verdict.verified)))
    altered = proved(finding(("https://docs.python.org/3/", Verdict.altered)))
    assert maker > forum > altered > proved(finding(("https://docs.python.org/3/", Verdict.missing))) == 0


def test_a_poor_source_proves_no_less_than_none() -> None:
    assert proved(finding(("https://ehow.com/x", Verdict.unchecked))) == NO_EVIDENCE == proved(finding())


def test_the_best_quote_counts_and_a_second_poor_one_takes_nothing_away() -> None:
    good = ("https://docs.python.org/3/", Verdict.verified)
    assert proved(finding(good, ("https://ehow.com/x", Verdict.missing))) == proved(finding(good)) == 1.0


def test_what_is_no_address_weighs_as_it_did() -> None:
    assert factor("repos:a.py") == factor("git__log") == 1.0


def test_it_is_known_whose_findings_a_worker_was_told_near_or_far() -> None:
    leans = {"s2": ("s1",), "s3": ("s2",), "s4": ()}
    assert told_by("s3", leans) == {"s1", "s2"}
    assert told_by("s4", leans) == told_by("s1", leans) == frozenset()


def test_a_disputed_claim_counts_more_than_one_that_lost_and_less_than_an_undisputed_one() -> None:
    assert LOST < OPEN < 1


def test_how_much_of_what_a_worker_quotes_is_primary_is_known_where_it_quotes_pages() -> None:
    pages = finding(("https://docs.python.org/", Verdict.verified), ("https://reddit.com/r/x", Verdict.verified))
    assert primary(Result.ended("s1", findings=(pages,))) == 0.5
    assert primary(Result.ended("s1", findings=(finding(("repos:a.py", Verdict.verified)),))) is None


def cites(name: str, *pages: str) -> Result:
    return Result.ended(name, findings=(finding(*((page, Verdict.unchecked) for page in pages)),))


async def test_the_report_says_how_far_each_worker_went_to_primary_sources_where_that_is_known() -> None:
    maker, forum = "https://docs.python.org/3/", "https://reddit.com/r/x"
    results = [cites("s1", maker), cites("s2", maker, forum), cites("s3", "repos:a.py")]
    report = await synthesize("q", [], results, {}, aside=inline)
    assert [one.primary for one in report.reliability] == [1.0, 0.5, None]
    assert "Primary sources: 50% (s2) to 100% of the pages that each of 2 workers quotes." in report.markdown
    alone = await synthesize("q", [], results[1:], {}, aside=inline)
    assert "Primary sources: 50% of the pages that s2 quotes." in alone.markdown
    unknown = await synthesize("q", [], results[2:], {}, aside=inline)
    assert "Primary sources" not in unknown.markdown


def test_a_persons_own_classes_decide_what_is_primary_and_it_weighs_nothing() -> None:
    result = cites("s1", "https://wiki.example.com/x")
    mine, listed = reliability(result, own={"example.com": "primary"}), reliability(result)
    assert (mine.primary, listed.primary, mine.weight) == (1.0, 0.0, listed.weight)
