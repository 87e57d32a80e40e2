"""What is known of models: windows, output limits, prices.

Figures of 2026-11-26, from the provider's pages "Models overview", "Pricing" and "Prompt caching"
(https://platform.claude.com/docs/en/about-claude/pricing). A user's own figures go before these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fanfold_workers.accounts import Amount
from fanfold_workers.errors import InputError

from .model import Tokens

DATE = "2026-11-26"
LEAD, WORKER = "claude-opus-5-5", "claude-sonnet-5-5"
"""The pair if nobody says otherwise: a strong lead, and workers at half its price."""
SEARCH_USD = 0.01
"""One web search; fetching costs its tokens alone."""
SEARCH_TOKENS, FETCH_TOKENS = 10_000, 20_000
"""What the results of one search are taken to read, and the most of one page that is asked for."""
CACHE_WRITE = 1.25
"""What writing to the cache costs, in prices of plain input, where only that is known."""
UNKNOWN_WINDOW, UNKNOWN_OUTPUT = 200_000, 8_192
"""Taken for a model that neither this table, nor a setting, nor the server knows."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    input: float
    output: float
    cache_read: float
    cache_write: float


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of one model.

    Attributes:
        model: its id, as the server takes it.
        window: tokens that a request and its answer may have together.
        max_output: tokens of an answer.
        price: what it costs.
        cache_minimum: a shared prefix of fewer tokens is not cached.
        long_from, long_price: above so many input tokens a call costs this; 0 for no such step.
    """

    model: str
    window: int
    max_output: int
    price: Price
    cache_minimum: int = 1_024
    long_from: int = 0
    long_price: Price = Price(0, 0, 0, 0)

    def cost(self, usage: Tokens) -> Amount:
        """What a call with this usage costs, rounded up to a millionth of a dollar."""
        price = self._price(usage.read)
        usd = (
            usage.input * price.input
            + usage.output * price.output
            + usage.cache_read * price.cache_read
            + usage.cache_write * price.cache_write
        )
        # A price for a million tokens is a price in millionths for one.
        return Amount(_up(usd) + _up(usage.searches * SEARCH_USD * 1e6), usage.read + usage.output, 1)

    def worst(self, tokens: int, max_tokens: int, *, cached: bool, searches: int = 0) -> Amount:
        """The most a call can cost that reads so many tokens and answers so many at most."""
        usage = Tokens(output=max_tokens, searches=searches)
        read = Tokens(cache_write=tokens) if cached else Tokens(input=tokens)
        return self.cost(replace(usage, input=read.input, cache_write=read.cache_write))

    def _price(self, read: int) -> Price:
        return self.long_price if self.long_from and read > self.long_from else self.price


def _up(micros: float) -> int:
    """Rounded up, but for what floats add to a whole number: prices have six decimals at most."""
    return -int(-round(micros, 6) // 1)


def _card(model: str, price: tuple[float, float, float], window: int, output: int, minimum: int) -> Card:
    dollars_in, dollars_out, read = price
    return Card(model, window, output, Price(dollars_in, dollars_out, read, dollars_in * CACHE_WRITE), minimum)


_M, _K = 1_000_000, 1_000
_HAIKU = _card("claude-haiku-5-5", (0.10, 0.50, 0.01), _M, 128 * _K, 1_024)
CARDS: Mapping[str, Card] = {
    card.model: card
    for card in (
        _card("claude-fable-5-1", (10, 50, 0.25), _M, 128 * _K, 512),
        _card("claude-fable-5", (10, 50, 1), _M, 128 * _K, 512),
        _card("claude-opus-5-5", (4, 20, 0.20), _M, 128 * _K, 512),
        _card("claude-opus-5", (5, 25, 0.50), _M, 128 * _K, 512),
        _card("claude-opus-4-8", (5, 25, 0.50), _M, 128 * _K, 1_024),
        _card("claude-opus-4-7", (5, 25, 0.50), _M, 128 * _K, 2_048),
        _card("claude-opus-4-6", (5, 25, 0.50), _M, 128 * _K, 4_096),
        _card("claude-opus-4-5", (5, 25, 0.50), 200 * _K, 64 * _K, 4_096),
        _card("claude-sonnet-5-5", (2, 10, 0.10), _M, 128 * _K, 1_024),
        _card("claude-sonnet-5", (2, 10, 0.20), _M, 128 * _K, 1_024),
        _card("claude-sonnet-4-6", (3, 15, 0.30), _M, 64 * _K, 2_048),
        _card("claude-sonnet-4-5", (3, 15, 0.30), 200 * _K, 64 * _K, 1_024),
        replace(_HAIKU, long_from=100 * _K, long_price=Price(0.50, 2.50, 0.05, 0.625)),
        _card("claude-haiku-4-5", (1, 5, 0.10), 200 * _K, 64 * _K, 4_096),
    )
}


@dataclass(frozen=True, slots=True)
class Figures:
    """A user's own figures of a model; None where the table's, or the server's, will do.

    Attributes:
        input, output, cache_read, cache_write: US dollars for a million tokens.
        window, max_output: tokens.
    """

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    window: int | None = None
    max_output: int | None = None


def card_of(model: str, figures: Figures | None = None) -> Card:
    """The card of a model: the user's figures over the table's.

    Cache prices that are not given follow the input price: 1.25 times to write, a tenth to read.

    Raises:
        InputError: if its price is known to nobody.
    """
    known, given = _known(model), figures or Figures()
    if known is None and (given.input is None or given.output is None):
        msg = f"Nobody here knows what {model[:80]} costs, so no budget could hold it."
        remedy = f'Add [models."{model[:80]}"] with input and output (US dollars a million tokens; 0 if it is yours).'
        raise InputError(msg, field=f"models.{model[:80]}", remedy=remedy)
    base = known or _card(model, (0, 0, 0), UNKNOWN_WINDOW, UNKNOWN_OUTPUT, 1_024)
    return replace(
        base,
        model=model,
        price=_price(base.price, given),
        # Whoever states a price means it for calls of any length.
        long_from=0 if given.input is not None or given.output is not None else base.long_from,
        window=given.window or base.window,
        max_output=given.max_output or base.max_output,
    )


def _price(base: Price, given: Figures) -> Price:
    if given.input is None:
        read, write = base.cache_read, base.cache_write
    else:
        read, write = given.input / 10, given.input * CACHE_WRITE
    return Price(
        input=base.input if given.input is None else given.input,
        output=base.output if given.output is None else given.output,
        cache_read=read if given.cache_read is None else given.cache_read,
        cache_write=write if given.cache_write is None else given.cache_write,
    )


def _known(model: str) -> Card | None:
    """The card of this id, with or without a date or a cloud's name around it (`anthropic.claude-…-v1:0`)."""
    if model in CARDS:
        return CARDS[model]
    plain = model.rpartition("anthropic.")[2].rpartition("/")[2].partition("@")[0].partition(":")[0]
    fitting = [name for name in CARDS if plain == name or _is_dated(plain, name)]
    return CARDS[fitting[0]] if fitting else None


def _is_dated(model: str, name: str) -> bool:
    rest = model.removeprefix(name)
    return rest != model and rest.startswith(("-20", "-v"))
