"""What becomes of a request: refused, or admitted with a reply, a latency, a bill, perhaps a fault. No HTTP here."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from benchmarks.endpoint import behaviour, minds, tokens
from benchmarks.endpoint.cache import Cache, Split
from benchmarks.endpoint.config import Config, Fault, ModelCard, Storm
from benchmarks.endpoint.draft import MARK, Reply, reply
from benchmarks.endpoint.ledger import Ledger, Usage
from benchmarks.endpoint.limits import Buckets, Need
from benchmarks.endpoint.prompt import Prompt, Refusal, invalid, parse
from benchmarks.endpoint.synthesis import form


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that is to be answered.

    Attributes:
        digest: of its body.
        number: 1 for the first admission of such a request.
        prompt, reply: what was asked and what is answered.
        split: where its input comes from.
        arrived: when it came.
        begins, ends: when a stream begins, and when the answer is whole; on the same clock.
        fault: what goes wrong, if anything.
        headers: what the limits say.
    """

    digest: str
    number: int
    prompt: Prompt
    reply: Reply
    split: Split
    arrived: float
    begins: float
    ends: float
    fault: Fault | None
    headers: Mapping[str, str]

    @property
    def usage(self) -> Usage:
        """What it is billed."""
        return Usage(self.split.plain, self.reply.output_tokens, self.split.written, self.split.read)

    @property
    def id(self) -> str:
        return f"{self.digest}_{self.number}"

    @property
    def model(self) -> str:
        """Who answers: nobody's model."""
        return f"{self.prompt.model}-{MARK}"


@dataclass(slots=True)
class Simulation:
    """One endpoint from a reset to the next; `now` is always on the clock of `start`."""

    config: Config
    start: float
    ledger: Ledger = field(init=False)
    _cache: Cache = field(init=False)
    _buckets: Buckets = field(init=False)
    _asked: Counter[str] = field(default_factory=Counter[str], init=False)
    _admitted: Counter[str] = field(default_factory=Counter[str], init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.start)
        self._cache = Cache(self.config.cache_seconds)
        self._buckets = Buckets.full(self.config.limits, self.start)

    def admit(self, raw: bytes, key: str, now: float) -> Admitted:
        """What becomes of a request that came now, and that `key` was sent with.

        Raises:
            Refusal: if it gets an error.
        """
        digest = behaviour.digest(raw)
        self.ledger.came(digest, now)
        self._check_key(key)
        prompt = parse(raw)
        card = self._card(prompt.model)
        self._check(prompt, card)
        chance = self._chance(prompt, digest)
        self.ledger.known(digest, prompt.tag("objective"), chance, form(prompt) or prompt.form)
        self._weather(digest, chance, now)
        split = self._cache.split(prompt.pieces, card.cache_minimum, now)
        answer = reply(minds.answer(prompt, self.config), prompt.max_tokens, digest)
        self._take(digest, Need(split.plain + split.written, answer.output_tokens), now)
        return self._admit(digest, chance, prompt, answer, split, now)

    def begun(self, call: Admitted, now: float) -> None:
        """Its answer has begun: what it wrote to the cache is there."""
        self._cache.begin(call.split, now)

    def count(self, raw: bytes, key: str) -> int:
        """The input tokens of a request.

        Raises:
            Refusal: if it is none, or if this endpoint does not count.
        """
        self.ledger.asides["count_tokens"] += 1
        self._check_key(key)
        if not self.config.count_tokens:
            raise not_found("Not Found")
        prompt = parse(raw, counting=True)
        self._card(prompt.model)
        return tokens.total(prompt.pieces)

    def model(self, name: str, key: str) -> Mapping[str, Any]:
        """What is known of a model, as the API says it.

        Raises:
            Refusal: if there is no such model, or if this endpoint tells nothing of models.
        """
        self.ledger.asides["models"] += 1
        self._check_key(key)
        if not self.config.serves_models:
            raise not_found("Not Found")
        card = self._card(name)
        return {
            "id": name,
            "type": "model",
            "display_name": f"{name} ({MARK})",
            "created_at": "1970-01-01T00:00:00Z",
            "deprecated_at": None,
            "retires_at": None,
            "lifecycle": "active",
            "line": None,
            "capabilities": None,
            "max_input_tokens": card.window,
            "max_tokens": card.max_output,
        }

    def _check_key(self, key: str) -> None:
        if key in self.config.refused_keys or (self.config.require_key and not key):
            raise Refusal(401, "authentication_error", "invalid x-api-key")

    def _card(self, name: str) -> ModelCard:
        card = self.config.card(name)
        if card is None:
            raise not_found(f"model: {name}")
        return card

    def _check(self, prompt: Prompt, card: ModelCard) -> None:
        if prompt.formatted and not self.config.structured_output:
            raise invalid("output_config.format: Extra inputs are not permitted")
        if prompt.max_tokens > card.max_output:
            raise invalid(
                f"max_tokens: {prompt.max_tokens} > {card.max_output}, which is the maximum allowed number of output "
                f"tokens for {prompt.model}"
            )
        size, room = tokens.total(prompt.pieces), card.window - prompt.max_tokens
        if size > room:
            self.ledger.over_window += 1
            raise invalid(f"prompt is too long: {size} tokens > {room} maximum")

    def _chance(self, prompt: Prompt, digest: str) -> str:
        """What the request's luck hangs on."""
        if self.config.key == "body":
            return digest
        return behaviour.digest(f"{prompt.said[0]}\0{prompt.turn}".encode("utf-8", "surrogatepass"))

    def _weather(self, digest: str, chance: str, now: float) -> None:
        """Refuse the request if it comes into a storm."""
        self._asked[chance] += 1
        since = now - self.start
        for storm in self.config.storms:
            drawn = behaviour.draw(self.config.seed, chance, self._asked[chance], "storm")
            if storm.start <= since < storm.end and drawn < storm.share:
                raise self._throttled(digest, storm.status, _storm_ends(storm, since), "Overloaded", now)

    def _take(self, digest: str, need: Need, now: float) -> None:
        wait = self._buckets.take(need, now)
        if wait:
            words = wait.unit.replace("-", " ")
            message = f"This request would exceed the rate limit of {wait.per_minute:,} {words} per minute."
            raise self._throttled(digest, 429, wait.seconds, message, now)

    def _throttled(self, digest: str, status: int, seconds: int, message: str, now: float) -> Refusal:
        self.ledger.refused(digest, status, seconds, now)
        kind = "overloaded_error" if status == 529 else "rate_limit_error"
        return Refusal(status, kind, message, {"retry-after": str(seconds), **self._buckets.headers(now)})

    def _admit(self, digest: str, chance: str, prompt: Prompt, answer: Reply, split: Split, now: float) -> Admitted:
        self._admitted[chance] += 1
        key = (self.config.seed, chance, self._admitted[chance])
        latency, fault = self.config.latency, behaviour.fault(self.config.faults, *key)
        seconds = self._straggles(prompt, self._admitted[chance])
        seconds = behaviour.seconds(latency, *key) if seconds is None else seconds
        admitted = Admitted(
            digest=digest,
            number=self._admitted[chance],
            prompt=prompt,
            reply=answer,
            split=split,
            arrived=now,
            begins=now + min(seconds, latency.first_byte * latency.scale),
            ends=now + seconds,
            fault=fault,
            headers=self._buckets.headers(now),
        )
        self.ledger.admitted(digest, seconds, admitted.usage, fault)
        return admitted

    def _straggles(self, prompt: Prompt, number: int) -> float | None:
        """How long the request takes if it is a straggler's."""
        objective = prompt.tag("objective") if self.config.stragglers else ""
        named = (one for one in self.config.stragglers if one.objective == objective)
        return next((one.seconds for one in named if one.tries is None or number <= one.tries), None)


def _storm_ends(storm: Storm, since: float) -> int:
    return ceil(storm.end - since) if storm.retry_after is None else storm.retry_after


def not_found(message: str) -> Refusal:
    """A refusal of something that does not exist."""
    return Refusal(404, "not_found_error", message)
