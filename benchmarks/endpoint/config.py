"""Everything about the endpoint that can be set. Wrong values raise where they are written."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
PerMinute = Annotated[int, Field(ge=1)] | None
Fault = Literal["error", "dropped", "cut", "truncated", "null_stop", "forever"]
FAULTS: tuple[Fault, ...] = ("error", "dropped", "cut", "truncated", "null_stop", "forever")
MindName = Literal["auto", "echo", "script", "worker", "structured", "synthesis", "summary"]
_FORBID = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_FORBID)
class Latency:
    """How long answers take, counted from the arrival of the request.

    Attributes:
        median: seconds of a typical answer.
        sigma: spread of the lognormal; 0 for none.
        tail_share, tail_factor: this share of the requests takes so many times longer.
        first_byte: seconds until a stream begins; the rest of it comes at the end.
        scale: all of it times this.
    """

    median: Seconds = 0.0
    sigma: Annotated[float, Field(ge=0)] = 0.0
    tail_share: Share = 0.0
    tail_factor: Annotated[float, Field(ge=1)] = 1.0
    first_byte: Seconds = 0.0
    scale: Seconds = 1.0


@dataclass(frozen=True, slots=True, config=_FORBID)
class Straggler:
    """A conversation whose answers take a time of their own.

    Attributes:
        objective: what its first message says in `<objective>`.
        seconds: how long they take, whatever was drawn for them.
        tries: only for the first so many requests of each turn; for all if None.
    """

    objective: str
    seconds: Seconds
    tries: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True, slots=True, config=_FORBID)
class Faults:
    """Shares of the admitted requests that go wrong; a request has one fault at most.

    Attributes:
        error: 500, at once, not billed.
        dropped: the connection is closed at once without a byte, not billed.
        cut: the connection breaks in the middle of the body or stream; billed.
        truncated: a whole HTTP response whose JSON is cut; billed.
        null_stop: a reply without a stop reason; a stream ends without saying why. Billed.
        forever: never answered; not billed.
    """

    error: Share = 0.0
    dropped: Share = 0.0
    cut: Share = 0.0
    truncated: Share = 0.0
    null_stop: Share = 0.0
    forever: Share = 0.0


@dataclass(frozen=True, slots=True, config=_FORBID)
class RateLimits:
    """Token buckets, refilled evenly; None for no limit. They start full.

    Attributes:
        requests, input_tokens, output_tokens: what a minute allows. Tokens read from the cache are free. The output
            is charged at admission, as it is known by then.
        burst_seconds: a full bucket holds what so many seconds allow. What one request needs beyond that is forgiven.
    """

    requests: PerMinute = None
    input_tokens: PerMinute = None
    output_tokens: PerMinute = None
    burst_seconds: Annotated[float, Field(gt=0)] = 60.0


@dataclass(frozen=True, slots=True, config=_FORBID)
class Storm:
    """A time in which requests are refused.

    Attributes:
        start, end: seconds after the reset; the end is excluded.
        share: how many of them.
        status: 529 (everybody is asked to wait) or 429 (this key is).
        retry_after: whole seconds; until the end of the storm if None.
    """

    start: Seconds
    end: Seconds
    share: Share = 1.0
    status: Literal[429, 529] = 529
    retry_after: Annotated[int, Field(ge=0)] | None = None


@dataclass(frozen=True, slots=True, config=_FORBID)
class ModelCard:
    """What a model takes, in tokens.

    Attributes:
        window: input and answer together.
        max_output: the most that `max_tokens` may be.
        cache_minimum: shorter prefixes are not cached.
    """

    window: int = 200_000
    max_output: int = 128_000
    cache_minimum: int = 1_024


@dataclass(frozen=True, slots=True, config=_FORBID)
class Call:
    """A tool call of a scripted turn."""

    name: str
    input: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, config=_FORBID)
class Turn:
    """A scripted reply. `$objective`, `$places` and `$id` stand for the tags of the first user message.

    Attributes:
        text: its words; none if "".
        calls: tools it calls.
        stop_reason: `tool_use` if it calls any, else `end_turn`, unless given.
        output_tokens: what it is billed for; counted if None.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    stop_reason: str | None = None
    output_tokens: Annotated[int, Field(ge=0)] | None = None


@dataclass(frozen=True, slots=True, config=_FORBID)
class Knowledge:
    """What the minds `synthesis` and `summary` know of the texts that they are shown. Nobody who asks is told.

    Attributes:
        facts: sentences that are worth a finding, as they stand in the texts.
        forget: this share of them goes unnoticed: always the same ones, by the seed and the fact.
        side: which side of a conflict is right: the `first` that is shown, the `last`, or `none`: it stays open.
    """

    facts: tuple[str, ...] = ()
    forget: Share = 0.0
    side: Literal["first", "last", "none"] = "first"


@dataclass(frozen=True, slots=True, config=_FORBID)
class Config:
    """All of it.

    Attributes:
        seed: latencies, faults and storms hang on this and on the request alone.
        key: what tells requests apart when chance is drawn: `body`, every byte; `conversation`, the text of the first
            user message and how many turns were answered, so that clients which word the rest differently meet the
            same. The n-th request of the same key is another draw, so that a retry can succeed and a duplicate has
            luck of its own; `behaviour.seconds` says which, before or after.
        mind: who answers. `echo`: words. `script`: the `script`. `worker`: calls tools, notes findings, reports.
            `structured`: JSON that fits the schema, as a planner or composer. `synthesis`: draws, folds, settles or
            writes, as the schema's title asks. `summary`: the facts it knows of what it is shown, as many as there
            is room for. `auto`: synthesis if the schema has such a title, structured if there is another, a worker
            (the script, if there is one) if there is a tool `report`, else echo.
        output_tokens: about how many tokens an echo has.
        script: replies for the turns of each conversation; the last one repeats.
        knows: what there is to find in texts.
        latency, stragglers, faults, limits, storms: see their types.
        models: models that exist; any does, with the card `any_model`, if there are none.
        structured_output: whether `output_config.format` is taken (else 400).
        count_tokens, serves_models: whether those two endpoints exist (else 404).
        require_key, refused_keys: whether a key is needed, and keys that get 401.
        cache_seconds: how long an entry of the prompt cache lives after its last use; one asked for with the ttl
            `1h` lives an hour.
        delta_chars: characters in one event of a stream.
    """

    seed: int = 0
    key: Literal["body", "conversation"] = "body"
    mind: MindName = "auto"
    output_tokens: Annotated[int, Field(ge=0)] = 20
    script: tuple[Turn, ...] = ()
    knows: Knowledge = Knowledge()
    latency: Latency = Latency()
    stragglers: tuple[Straggler, ...] = ()
    faults: Faults = Faults()
    limits: RateLimits = RateLimits()
    storms: tuple[Storm, ...] = ()
    models: dict[str, ModelCard] = Field(default_factory=dict)
    any_model: ModelCard = ModelCard()
    structured_output: bool = True
    count_tokens: bool = True
    serves_models: bool = True
    require_key: bool = False
    refused_keys: tuple[str, ...] = ()
    cache_seconds: Seconds = 300.0
    delta_chars: Annotated[int, Field(ge=1)] = 400

    def card(self, model: str) -> ModelCard | None:
        """The model's card, None if there is no such model."""
        return self.models.get(model) if self.models else self.any_model


_CONFIG = TypeAdapter(Config)


def from_json(text: bytes | str) -> Config:
    """The config that the JSON says, with defaults for what it leaves out.

    Raises:
        ValueError: if it is not JSON, or names an unknown or wrong field.
    """
    return _CONFIG.validate_json(text or b"{}")


def to_json(config: Config) -> bytes:
    """The config as JSON."""
    return _CONFIG.dump_json(config)
