"""Tokens are estimated above the truth, within bounds that are stated."""

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fanfold_workers.models.model import Answered, Ask, Replied, Said, ToolAnswer, ToolSpec, Turn, saying
from fanfold_workers.models.tokens import (
    HIGHEST,
    KEPT,
    LEAST_TOKENS,
    LOWEST,
    MARGIN,
    Meter,
    ask_tokens,
    count,
    prefix_tokens,
    turn_tokens,
)

texts = st.text(st.characters(exclude_categories=[]))
"""Half surrogate pairs too."""


def size(text: str) -> int:
    """In bytes: the most tokens that any tokenizer can make of it which makes at least one byte a token."""
    return len(text.encode("utf-8", "surrogatepass"))


@given(texts | st.text(" \n\t") | st.text("abcXYZ") | st.text("漢字é"))
def test_three_times_the_count_is_never_under_the_number_of_bytes(text: str):
    assert 3 * count(text) >= size(text)


@given(texts, texts)
def test_a_longer_text_never_counts_less(one: str, two: str):
    assert max(count(one), count(two)) <= count(one + two) <= count(one) + count(two)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 1),
        ("Hello", 2),
        ("Which of these repositories have no tests?", 15),
        ("    return {name: value[0] for name, value in rows}\n", 23),
        ("0123456789", 11),
        ("Größe", 4),
        ("漢字", 5),
        ("\ud800", 3),
    ],
)
def test_the_same_text_always_has_the_same_count(text: str, tokens: int):
    assert count(text) == tokens


turns = st.one_of(
    st.builds(Said, texts),
    st.builds(Replied, texts.map(lambda text: saying(text).content)),
    st.builds(Answered, st.lists(st.builds(ToolAnswer, st.just("call_1"), texts)).map(tuple), texts),
)


def said(turn: Turn) -> int:
    """Bytes of what is said in a turn."""
    if isinstance(turn, Answered):
        return size(turn.text) + sum(size(each.text) for each in turn.answers)
    return size(json.loads(turn.content)[0]["text"]) if isinstance(turn, Replied) else size(turn.text)


@given(
    st.builds(
        Ask,
        system=texts,
        turns=st.lists(turns).map(tuple),
        tools=st.lists(st.builds(ToolSpec, texts, texts, texts)).map(tuple),
        schema=texts,
    )
)
def test_three_times_the_count_of_a_request_is_never_under_the_bytes_of_all_that_is_in_it(ask: Ask):
    tools = [size(tool.name) + size(tool.description) + size(tool.schema) for tool in ask.tools]
    assert 3 * ask_tokens(ask) >= size(ask.system) + size(ask.schema) + sum(tools) + sum(map(said, ask.turns))
    assert ask_tokens(ask) == prefix_tokens(ask) + sum(map(turn_tokens, ask.turns))


def test_escapes_in_a_reply_are_not_counted_as_what_the_model_said():
    said = "漢字" * 100
    assert turn_tokens(Replied(saying(said).content)) < 2 * turn_tokens(Said(said))


def test_tools_take_more_than_their_text():
    bare = Ask("Be brief.", (Said("hello"),))
    tool = ToolSpec("look", "Looks.", "{}")
    once, twice = (prefix_tokens(replace(bare, tools=(tool,) * number)) for number in (1, 2))
    assert once - prefix_tokens(bare) == 350 + (twice - once)
    assert twice - once == 30 + count("lookLooks.{}")


def test_before_anything_is_known_the_count_stands_as_it_is():
    assert 1_000 <= Meter().corrected(1_000) <= 1_001


ratios = st.floats(LOWEST, HIGHEST)
counts = st.integers(LEAST_TOKENS, 1_000_000)


@given(st.lists(st.tuples(counts, ratios), min_size=1, max_size=KEPT), st.data())
def test_an_estimate_is_above_the_truth_for_text_like_that_seen_and_not_far_above_it(
    seen: list[tuple[int, float]], data: st.DataObject
):
    meter = Meter()
    for counted, ratio in seen:
        meter.learn(counted, int(counted * ratio))
    highest = max(ratio for _, ratio in seen)
    counted = data.draw(counts)
    alike = data.draw(st.floats(min(ratio for _, ratio in seen), highest))
    assert meter.corrected(counted) >= int(counted * alike)
    assert meter.corrected(counted) <= counted * highest * MARGIN + 1


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000))), st.integers(0, 1_000_000))
def test_an_estimate_never_leaves_its_bounds_whatever_calls_used(seen: list[tuple[int, int]], counted: int):
    meter = Meter()
    for each in seen:
        meter.learn(*each)
    assert counted * LOWEST <= meter.corrected(counted) <= counted * HIGHEST + 1
    assert meter.corrected(counted) <= meter.at_most(counted) + 1


@given(st.text("qxzQXZ漢é0%", min_size=1), st.lists(st.tuples(counts, ratios), max_size=3))
def test_what_a_count_may_be_at_most_covers_any_text_until_calls_have_taught_better(
    text: str, seen: list[tuple[int, float]]
):
    meter = Meter()
    assert meter.at_most(count(text)) >= size(text)
    for counted, ratio in seen:
        meter.learn(counted, int(counted * ratio))
    assume(seen)
    assert meter.at_most(10_000) == int(meter.corrected(10_000) * 1.25)


def test_short_calls_teach_nothing():
    meter = Meter()
    meter.learn(LEAST_TOKENS - 1, 5 * LEAST_TOKENS)
    meter.learn(LEAST_TOKENS, 0)
    assert meter.corrected(1_000) == Meter().corrected(1_000)
    meter.learn(LEAST_TOKENS, 2 * LEAST_TOKENS)
    assert meter.corrected(1_000) == 2_101


def test_text_that_is_no_longer_seen_is_forgotten():
    meter = Meter()
    meter.learn(1_000, 2_000)
    for _ in range(KEPT - 1):
        meter.learn(1_000, 1_000)
    assert meter.corrected(1_000) == 2_101
    meter.learn(1_000, 1_000)
    assert meter.corrected(1_000) == 1_051
