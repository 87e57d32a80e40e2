"""What becomes of a quote whose source is no file: looked up in what the worker was told, if that was kept."""

import time
import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fanfold_server.synthesis.sight import Seen, Sight, Told, named
from fanfold_server.synthesis.source import Source, plain
from fanfold_server.synthesis.verify import as_seen, judged, verified
from fanfold_workers.contract import Evidence, Finding, Result, Status, Verdict
from fanfold_workers.tools.roots import MemoryRoot

PAGE = "https://example.com/pumps"
GUIDE = "The pump was rebuilt in 1953 by two brothers.\nIt has never been taken apart since.\n"
ROOTS = {"code": MemoryRoot("code", {"a.py": "TIMEOUT = 30\nRETRIES = 3\n"})}


def answer(text: str, *about: str, tool: str = "docs__read", asked: str = "", whole: bool = True) -> Told:
    server, _, own = tool.partition("__")
    return Told(text, frozenset({tool, server, own}), frozenset(map(named, about)), asked or " ".join(about), whole)


def page(text: str, url: str = PAGE, *, whole: bool = False) -> Told:
    return Told(text, about=frozenset({named(url)}), whole=whole)


def looked_up(source: str, quote: str, *told: Told, locator: str = "", whole: bool = True, others=()) -> Evidence:
    finding = Finding(subject="x", claim="y", evidence=(Evidence(source=source, quote=quote, locator=locator),))
    result = Result(subtask="s1", status=Status.partial, reason="r", findings=(finding,))
    seen = {"s1": Seen(told, whole), "s2": Seen(tuple(others))}
    (checked,) = verified([result], ROOTS, {}, seen)
    return checked.findings[0].evidence[0]


def verdict(source: str, quote: str, *told: Told, **more) -> Verdict:
    return looked_up(source, quote, *told, **more).verdict


# -- tools of other servers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    ["docs__read", "docs", "read", "docs:guide.md", "docs__read(guide.md)", "mcp:docs", "guide.md", "docs guide.md"],
)
def test_a_quote_of_another_servers_tool_is_verified_in_what_the_tool_answered(source: str) -> None:
    assert verdict(source, "rebuilt in 1953 by two brothers", answer(GUIDE, "guide.md")) is Verdict.verified


def test_a_quote_that_the_named_tool_never_answered_is_missing() -> None:
    assert verdict("docs__read", "The pump was stolen in 1961.", answer(GUIDE, "guide.md")) is Verdict.missing


def test_a_quote_that_is_nearly_what_the_tool_answered_is_altered_and_shows_what_it_did() -> None:
    seen = looked_up("docs", "The pump was rebuilt in 1963 by two brothers.", answer(GUIDE, "guide.md"))
    assert (seen.verdict, seen.actual) == (Verdict.altered, "The pump was rebuilt in 1953 by two brothers.")


def test_a_source_that_names_nothing_the_worker_used_stays_unchecked() -> None:
    assert verdict("the town's archive", "The pump was stolen.", answer(GUIDE, "guide.md")) is Verdict.unchecked
    assert verdict("git__log", "The pump was stolen.", answer(GUIDE, "guide.md")) is Verdict.unchecked


def test_a_quote_is_not_called_missing_where_part_of_the_answers_is_not_at_hand() -> None:
    quote = "The pump was stolen in 1961."
    assert verdict("docs", quote, answer(GUIDE, whole=False)) is Verdict.unchecked
    assert verdict("docs", quote, answer(GUIDE), whole=False) is Verdict.unchecked


def test_a_quote_from_another_tool_than_it_names_is_neither_verified_nor_called_an_invention() -> None:
    log = answer("fix: the pump leaks no more", tool="git__log")
    assert verdict("docs", "the pump leaks no more", answer(GUIDE), log) is Verdict.unchecked


def test_what_a_colleague_was_told_and_handed_on_is_not_called_an_invention() -> None:
    colleague = answer("The pump was painted green in 1970.", "colours.md")
    seen = verdict("docs", "The pump was painted green", answer(GUIDE, "guide.md"), others=[colleague])
    assert seen is Verdict.unchecked


def test_an_answer_that_only_repeats_what_was_asked_proves_nothing() -> None:
    echo = answer('No results for "the pump was stolen".', asked="the pump was stolen")
    assert verdict("docs", "the pump was stolen", echo) is Verdict.unchecked


def test_a_quote_is_found_in_an_answer_of_json_as_a_reader_reads_it() -> None:
    told = answer('[{"text": "She said: \\"no\\",\\nand left \\u2014 at once."}]')
    assert verdict("docs", 'She said: "no", and left - at once.', told) is Verdict.verified


def test_a_quote_is_found_in_json_within_json() -> None:
    told = answer('{"body": "{\\"note\\": \\"the \\\\\\"old\\\\\\" pump\\"}"}')
    assert verdict("docs", 'the "old" pump', told) is Verdict.verified


# -- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [PAGE, f"{PAGE}/", f"{PAGE}#history", "http://EXAMPLE.com/pumps"])
def test_a_quote_of_a_page_is_verified_in_the_words_that_were_cited_of_it(source: str) -> None:
    assert verdict(source, "rebuilt in 1953", page(GUIDE)) is Verdict.verified


def test_of_a_page_that_was_cited_in_part_nothing_is_missing() -> None:
    assert verdict(PAGE, "The pump was stolen in 1961.", page(GUIDE)) is Verdict.unchecked


def test_of_a_page_that_was_fetched_whole_an_invention_is_missing() -> None:
    assert verdict(PAGE, "The pump was stolen in 1961.", page(GUIDE, whole=True)) is Verdict.missing


def test_a_quote_of_a_page_is_verified_in_a_search_result_beside_its_address_and_not_far_from_it() -> None:
    results = answer(
        f"1. {PAGE}\n   The pump was rebuilt in 1953.\n" + "padding " * 1_000 + "\nIt was painted green."
    )
    assert verdict(PAGE, "The pump was rebuilt in 1953.", results) is Verdict.verified
    assert verdict(PAGE, "It was painted green.", results) is Verdict.unchecked


# -- files that have changed -----------------------------------------------------------------------------------------


def test_a_quote_of_a_file_that_has_changed_since_is_altered_and_shows_what_stands_there_now() -> None:
    read = Told("CONNECTIONS_PER_HOST = 4\n", about=frozenset({"code:a.py"}))
    seen = looked_up("code:a.py", "CONNECTIONS_PER_HOST = 4", read, locator="L1")
    assert (seen.verdict, seen.actual, seen.locator) == (Verdict.altered, "TIMEOUT = 30", "L1")


def test_a_quote_of_a_file_that_has_gone_since_is_altered() -> None:
    read = Told("CONNECTIONS_PER_HOST = 4\n", about=frozenset({"code:gone.py"}))
    seen = looked_up("code:gone.py", "CONNECTIONS_PER_HOST = 4", read, locator="L1")
    assert (seen.verdict, seen.actual) == (Verdict.altered, "")


def test_what_a_tool_showed_of_another_file_excuses_no_invention() -> None:
    read = Told("CONNECTIONS_PER_HOST = 4\n", about=frozenset({"code:b.py"}))
    assert verdict("code:a.py", "CONNECTIONS_PER_HOST = 4", read, locator="L1") is Verdict.missing


def test_what_stands_in_its_file_is_judged_by_the_file_alone() -> None:
    assert verdict("code:a.py", "RETRIES = 3", page(GUIDE), locator="L2") is Verdict.verified


def test_a_verdict_on_prose_is_left_alone() -> None:
    prose = Evidence(source="text:s1", quote="The pump", verdict=Verdict.unchecked)
    finding = Finding(subject="x", claim="y", evidence=(prose,))
    result = Result(subtask="s1", status=Status.partial, reason="r", findings=(finding,))
    assert as_seen([result], ROOTS, {}, {"s1": Seen((answer(GUIDE, "text:s1"),))}) == (result,)


# -- what always holds -----------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)
"""Bidirectional marks, control codes, combining characters and the rest of Unicode among them."""


@settings(max_examples=300)
@given(TEXTS, st.data())
def test_a_quote_copied_from_what_was_seen_is_never_missing(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    parts = text[:start], text[start:end], text[end:]
    assume(plain("".join(parts)).replace(" ", "") == "".join(map(plain, parts)).replace(" ", ""))  # no character cut
    told = answer(text)
    seen = verdict("docs", parts[1], told)
    assert seen in {Verdict.verified, Verdict.unchecked}
    assert seen is Verdict.verified or len(plain(parts[1]).strip(". []")) < 4
    in_file = judged(Evidence(source="code:x", quote=parts[1], locator="L1"), Source(text))
    assert in_file.verdict in {Verdict.verified, Verdict.moved, Verdict.unchecked}


@settings(max_examples=300)
@given(TEXTS, st.text(min_size=1, max_size=60).filter(lambda quote: plain(quote).strip()))
def test_what_was_never_seen_is_never_verified(text: str, words: str) -> None:
    quote = f"zq{words}qz"
    assume(plain(quote) not in plain(text) and "***" not in quote)
    assert verdict("docs", quote, answer(text)) is not Verdict.verified
    assert judged(Evidence(source="code:x", quote=quote), Source(text)).verdict is not Verdict.verified


@given(TEXTS)
def test_a_text_is_read_the_same_twice(text: str) -> None:
    assert plain(plain(text)) == plain(text)
    assert unicodedata.is_normalized("NFC", plain(text))


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("the pump", "the \u202epump\u202c"),
        ("the \u2067pump\u2069", "the pump"),
        ("the pump", "the pu\u00admp"),
        ("the pump\ufffd[0m", "the pump\x1b[0m"),
        ("one\ufffdtwo three", "one\x0ctwo three"),
        ("of\ufb01ce hours", "office hours"),
        ("caf\u00e9 hours", "cafe\u0301 hours"),
        ("wait\u2026 what", "wait... what"),
        ("\uff28\uff49\uff01 said he", "Hi! said he"),
    ],
)
def test_what_nobody_sees_makes_no_difference(quote: str, text: str) -> None:
    assert judged(Evidence(source="code:x", quote=quote, locator="L1"), Source(text)).verdict is Verdict.verified


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("10\u00b2 metres", "102 metres"),
        ("the pump\U000e0068\U000e0069", "the pump"),
        ("404: none left", "403: none left"),
        ("9090:80 open", "8080:80 open"),
        ("It Was Green", "it was green"),
        ("resume the work", "r\u00e9sum\u00e9 the work"),
    ],
)
def test_what_somebody_sees_does(quote: str, text: str) -> None:
    assert judged(Evidence(source="code:x", quote=quote, locator="L1"), Source(text)).verdict is not Verdict.verified


# -- bounds ----------------------------------------------------------------------------------------------------------

HARD = {
    "one long word": "a" * 10_000_000,
    "one word again and again": "a " * 5_000_000,
    "strings that never end": '\\"' * 5_000_000,
}


@pytest.mark.parametrize("text", HARD.values(), ids=HARD.keys())
def test_ten_megabytes_are_searched_in_bounded_time_however_they_are_made(text: str) -> None:
    quotes = [
        *(f"{'a' * n}b{'a' * n}" for n in range(950, 1_000, 10)),
        "a " * 500 + "b",
        "b " + "a " * 900,
        "nothing of the sort stands there",
    ]
    begun = time.process_time()
    source, sight = Source(f"{text}\nthe end"), Sight(Seen((answer(text),)))
    for quote in quotes:
        judged(Evidence(source="code:x", quote=quote, locator="L2"), source)
        sight.told("docs", quote)
    assert time.process_time() - begun < 20
