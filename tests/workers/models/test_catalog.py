"""What models cost: known ones by any name of theirs, others by the user's own figures."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from fanfold_workers.accounts import Amount, Limit
from fanfold_workers.errors import InputError
from fanfold_workers.models.catalog import CARDS, LEAD, WORKER, Card, Figures, Price, card_of
from fanfold_workers.models.model import Tokens


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("claude-opus-5-5-20261101", "claude-opus-5-5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("global.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ("anthropic/claude-fable-5", "claude-fable-5"),
    ],
)
def test_a_model_is_known_by_its_dated_ids_and_its_names_in_the_clouds(name: str, known: str):
    card = card_of(name)
    assert card == replace(CARDS[known], model=name)


@pytest.mark.parametrize(
    "name", ["gpt-9", "claude-opus-9", "claude-opus-5-50", "my-claude-opus-5-5", "claude-opus-5-5x"]
)
def test_a_model_of_unknown_price_is_refused_with_the_setting_that_would_tell_it(name: str):
    with pytest.raises(InputError) as raised:
        card_of(name)
    assert raised.value.field == f"models.{name}"


def test_the_refusal_says_what_to_write_where():
    with pytest.raises(InputError) as raised:
        card_of("gpt-9", Figures(input=1.0))
    assert str(raised.value) == snapshot(
        "models.gpt-9: Nobody here knows what gpt-9 costs, so no budget could hold it. "
        'Add [models."gpt-9"] with input and output (US dollars a million tokens; 0 if it is yours).'
    )


def test_the_users_figures_go_before_the_tables():
    mine = card_of("claude-opus-5-5", Figures(output=1.0, window=50_000))
    known = CARDS["claude-opus-5-5"]
    assert mine == replace(known, window=50_000, price=replace(known.price, output=1.0))
    all_mine = Figures(input=1.0, output=2.0, cache_read=3.0, cache_write=4.0, window=5, max_output=6)
    assert card_of("claude-opus-5-5", all_mine) == replace(
        known, price=Price(1.0, 2.0, 3.0, 4.0), window=5, max_output=6
    )


def test_cache_prices_follow_an_input_price_of_the_users():
    assert card_of("claude-opus-5-5", Figures(input=8.0)).price == Price(8.0, 20, 0.8, 10.0)
    assert card_of("mine", Figures(input=8.0, output=9.0, cache_read=0.0)).price == Price(8.0, 9.0, 0.0, 10.0)


def test_an_unknown_model_with_figures_gets_careful_sizes():
    card = card_of("mine", Figures(input=0.0, output=0.0))
    assert (card.window, card.max_output, card.price) == (200_000, 8_192, Price(0, 0, 0, 0))


HAIKU = card_of("claude-haiku-5-5")


def test_haikus_longer_calls_cost_more_from_the_first_token():
    assert HAIKU.cost(Tokens(input=100_000, output=1_000)) == Amount(10_000 + 500, 101_000, 1)
    assert HAIKU.cost(Tokens(input=100_001, output=1_000)) == Amount(50_001 + 2_500, 101_001, 1)
    # All that is read counts, wherever it came from.
    assert HAIKU.cost(Tokens(input=1, cache_read=60_000, cache_write=40_000)).micros == 28_001


def test_a_user_who_states_a_price_means_it_for_calls_of_any_length():
    mine = card_of("claude-haiku-5-5", Figures(input=0.10, output=0.50))
    assert mine.cost(Tokens(input=1_000_000)).micros == 100_000
    assert card_of("claude-haiku-5-5", Figures(window=500_000)).cost(Tokens(input=1_000_000)).micros == 500_000


@pytest.mark.parametrize(
    ("model", "usage", "micros"),
    [
        ("claude-opus-5-5", Tokens(input=1), 4),
        ("claude-opus-5-5", Tokens(output=1), 20),
        ("claude-opus-5-5", Tokens(cache_write=1), 5),
        ("claude-opus-5-5", Tokens(cache_read=1), 1),
        ("claude-opus-5-5", Tokens(cache_read=5), 1),
        ("claude-opus-5-5", Tokens(cache_read=6), 2),
        ("claude-fable-5-1", Tokens(1_000_000, 1_000_000, 1_000_000, 1_000_000), 72_750_000),
        ("claude-sonnet-5-5", Tokens(12_345, 678, 9_012, 3_456), 24_690 + 6_780 + 902 + 8_640),
        ("claude-opus-5-5", Tokens(searches=7), 70_000),
        ("claude-opus-5-5", Tokens(), 0),
    ],
)
def test_costs_are_exact_in_millionths_of_a_dollar_rounded_up(model: str, usage: Tokens, micros: int):
    assert card_of(model).cost(usage) == Amount(micros, usage.read + usage.output, 1)


@pytest.mark.parametrize(
    ("usage", "micros"),
    [(Tokens(946, 116, 540, 184), 181), (Tokens(searches=35), 350_000)],
    ids=["tokens", "searches"],
)
def test_costs_that_are_whole_millionths_are_not_rounded_up(usage: Tokens, micros: int):
    assert HAIKU.cost(usage).micros == micros


tokens = st.integers(0, 200_000)


@given(
    st.sampled_from(sorted(CARDS)),
    st.booleans(),
    st.tuples(tokens, tokens, tokens),
    tokens,
    st.integers(0, 5),
    tokens,
)
def test_no_call_within_its_estimate_costs_more_than_its_worst(
    model: str, cached: bool, read: tuple[int, int, int], output: int, searches: int, slack: int
):
    plain, from_cache, to_cache = read if cached else (read[0], 0, 0)
    usage = Tokens(plain, output, from_cache, to_cache, searches)
    worst = CARDS[model].worst(usage.read + slack, output + slack, cached=cached, searches=searches)
    cost = CARDS[model].cost(usage)
    assert cost.over(Limit(worst.micros, worst.tokens, worst.calls)) == ""


def test_the_pair_if_nobody_says_otherwise_is_in_the_table_and_its_workers_cost_half():
    lead, worker = card_of(LEAD), card_of(WORKER)
    assert (worker.price.input, worker.price.output) == (lead.price.input / 2, lead.price.output / 2)


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.model)
def test_the_table_is_sound(card: Card):
    price = card.price
    assert 0 < price.cache_read < price.input < price.cache_write == 1.25 * price.input < price.output
    assert 0 < card.cache_minimum < card.max_output < card.window
