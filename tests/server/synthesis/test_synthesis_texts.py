"""Findings drawn from prose without a model."""

import random
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold_server.synthesis import synthesize
from fanfold_server.synthesis.salience import Prose
from fanfold_server.synthesis.sentences import stretches
from fanfold_server.synthesis.texts import drawn
from fanfold_workers.aside import inline
from fanfold_workers.contract import Result, Verdict

WHO = ["The operator", "The board", "The crew", "The auditor", "The council", "The depot"]
DOES = ["reviews", "funds", "documents", "approves", "delays", "monitors"]
WHAT = ["the pumping schedule", "meter data", "the budget", "rolling stock", "library funding", "the annual plan"]
WHEN = ["before each quarter", "in the dry season", "as the permit requires", "after consultation", "where it can"]
FACTS = [
    "The pump house in Varnholt was rebuilt after the flood by two brothers.",
    "Nobody has rung the chapel bell since the wedding of the miller's daughter.",
    "A retired sailor painted every shutter blue.",
    "Wolves came down to the village the winter the river froze.",
    "Her grandfather paid for the ferry with stolen silver.",
    "The dentist lends out ladders and broken umbrellas.",
]


def background(rng: random.Random, count: int) -> list[str]:
    return [f"{rng.choice(WHO)} {rng.choice(DOES)} {rng.choice(WHAT)} {rng.choice(WHEN)}." for _ in range(count)]


def handed(seed: int) -> list[Result]:
    rng = random.Random(seed)
    results: list[Result] = []
    for number, fact in enumerate(FACTS):
        sentences = background(rng, 60)
        sentences.insert(rng.randrange(60), fact)
        results.append(Result.ended(f"t{number}", text=" ".join(sentences), engine="host"))
    return results


async def test_one_ordinary_sentence_is_found_in_each_of_many_worn_texts() -> None:
    report = await synthesize("What happened here?", [], handed(1), {}, max_chars=4_000, aside=inline)
    first = {line.subtask: line.claim for line in reversed(report.ledger)}
    assert sorted(first.values()) == sorted(FACTS)
    assert all(fact.replace("'", "'") in report.markdown for fact in FACTS)


async def test_each_text_has_its_turn_before_any_has_a_second() -> None:
    rich = Result.ended("rich", text=" ".join(FACTS))
    results = [
        rich,
        *(Result.ended(f"poor{n}", text=text) for n, text in enumerate(("It rained a bit.", "Yes it did."))),
    ]
    report = await synthesize("What happened?", [], results, {}, aside=inline)
    order = [entry.evidence[0].source for entry in report.entries]
    assert sorted(order[:3]) == ["text:poor0", "text:poor1", "text:rich"]
    assert order[3:] == ["text:rich"] * (len(FACTS) - 1)


async def test_a_drawn_finding_quotes_its_text_at_its_place() -> None:
    (result, *_) = handed(3)
    report = await synthesize("What?", [], [result], {}, aside=inline)
    evidence = report.entries[0].evidence[0]
    start, end = map(int, evidence.locator[1:].split("-"))
    assert (evidence.source, evidence.verdict, result.text[start:end]) == (
        "text:t0",
        Verdict.verified,
        evidence.quote,
    )


def test_what_was_asked_is_preferred() -> None:
    text = "Bees won a medal in Vienna. Wolves came down to the village that hard winter. Cats sleep on warm roofs."
    first = [
        drawn(q, {"a": text}, max_chars=500).findings["a"][0].claim for q in ("wolves in winter?", "Who keeps bees?")
    ]
    assert first == ["Wolves came down to the village that hard winter.", "Bees won a medal in Vienna."]


def test_boilerplate_in_every_text_is_not_drawn() -> None:
    notice = "This report was produced in accordance with the applicable terms and may not be redistributed."
    texts = {f"t{n}": f"{notice}\n\n{fact}\n\n{notice}" for n, fact in enumerate(FACTS)}
    claims = {f.claim for those in drawn("What?", texts, max_chars=4_000).findings.values() for f in those}
    assert claims == set(FACTS)


def test_prose_is_cut_at_its_structure() -> None:
    text = (
        "# Heading\n\nDr. Smith went to St. Ives, e.g. by train. He paid 3.50 there! Why?\n"
        "A hard\nwrapped line.\n\n- first item\n- second item: yes\n\n| a | b |\n|---|---|\n```\ncode. Here.\n```\n"
        "\u8fd9\u662f\u4e00\u53e5\u3002\u90a3\u662f\u4e8c\u53e5\u3002"
    )
    assert [text[s.start : s.end] for s in stretches(text) if not (s.heading or s.code)] == [
        "Dr. Smith went to St. Ives, e.g. by train.",
        "He paid 3.50 there!",
        "Why?",
        "A hard\nwrapped line.",
        "first item",
        "second item: yes",
        "a | b |",
        "\u8fd9\u662f\u4e00\u53e5\u3002",
        "\u90a3\u662f\u4e8c\u53e5\u3002",
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=300), min_size=1, max_size=4), st.integers(500, 5_000))
async def test_the_spans_of_a_text_tile_it(texts: list[str], max_chars: int) -> None:
    named = {f"t{n}": text for n, text in enumerate(texts)}
    came = drawn("What is it?", named, max_chars=max_chars)
    for name, text in named.items():
        spans = came.spans[name]
        assert [s.start for s in spans] + [len(text)] == [0, *(s.end for s in spans)]
        assert sorted(int(s.finding) for s in spans if s.finding) == [*range(1, len(came.findings[name]) + 1)]


async def test_a_summary_is_prose_when_a_result_brought_nothing_else() -> None:
    report = await synthesize("q", [], [Result.ended("s1", summary="The answer is forty-two.")], {}, aside=inline)
    assert [entry.claim for entry in report.entries] == ["The answer is forty-two."]
    assert (report.coverage.spans, report.coverage.spans_drawn) == (1, 1)


# -- scripts without spaces ---------------------------------------------------------------------------------------


def letters(text: str) -> str:
    """The text in characters of a script without spaces, a few for each word."""
    out: list[str] = []
    for word in re.findall(r"\w+|[.]", text.casefold()):
        rng = random.Random(word)
        out += "\u3002" if word == "." else (chr(0x4E00 + int(rng.random() ** 2 * 2_000)) for _ in word[::3])
    return "".join(out)


def test_one_ordinary_sentence_is_found_in_each_text_of_a_script_without_spaces() -> None:
    texts = {result.subtask: letters(result.text) for result in handed(1)}
    first = {those[0].claim for those in drawn("?", texts, max_chars=4_000).findings.values()}
    assert first == {letters(fact) for fact in FACTS}


def test_a_script_without_spaces_and_one_with_them_may_share_a_sentence() -> None:
    text = "\u7cfb\u7edf\u4f7f\u7528 Redis 7.0\u3002\u7cfb\u7edf\u6b63\u5e38\u3002\u7cfb\u7edf\u6b63\u5e38\u3002"
    found = drawn("Redis?", {"a": text}, max_chars=500).findings["a"]
    assert found[0].claim == "\u7cfb\u7edf\u4f7f\u7528 Redis 7.0\u3002"


def test_every_character_of_a_script_without_spaces_is_a_word_once_and_marks_are_none() -> None:
    prose = Prose(["\u7f13\u5b58\uff0c\u542f\u7528\u3002", "\u7f13\u5b58 on", "cache on"])
    assert prose.rarity("\u7f13") == prose.rarity("on") < prose.rarity("cache") == prose.rarity("\u542f")
    assert prose.rarity("\uff0c") == 1.0
