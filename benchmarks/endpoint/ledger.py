"""What the endpoint counts, and how it tells of it."""

from collections import Counter
from collections.abc import Generator, Hashable
from contextlib import contextmanager
from dataclasses import dataclass as plain
from dataclasses import field

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

THROTTLED = (429, 529)
FIRST_ROUND = 1.0
"""Seconds after the first request in which nobody can know yet what is allowed."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, named as the API names them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0

    def __add__(self, other: "Usage", /) -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_creation_input_tokens + other.cache_creation_input_tokens,
            self.cache_read_input_tokens + other.cache_read_input_tokens,
        )


@dataclass(slots=True)
class Asked:
    """What became of one request body, however often it was sent.

    Attributes:
        digest: sixteen hex digits of the body; see `behaviour.digest`.
        objective: what it says in `<objective>`; "" if it says nothing there, or was refused before that was read.
        luck: what chance hangs on besides the seed and the try; see `behaviour.seconds`. "" as above.
        form: which question of synthesis it is, else the title of its schema; "" if it has none, or as above.
        came: when it came, each time, in seconds since the reset.
        asked: how often it came.
        throttled: how often it was refused with 429 or 529.
        admitted: how often it was to be answered; a fault may have come between.
        answered: how often it was answered in full.
        seconds: latencies that were drawn for it, together.
        usage: what it was billed.
    """

    digest: str
    objective: str = ""
    luck: str = ""
    form: str = ""
    came: list[float] = field(default_factory=list[float])
    asked: int = 0
    throttled: int = 0
    admitted: int = 0
    answered: int = 0
    seconds: float = 0.0
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Stats:
    """What was counted since the reset. All times are seconds since then.

    Attributes:
        start: the reset, by `time.monotonic()`, which all processes of a machine share on Linux and macOS.
        seconds: how long ago the reset was.
        asked: requests to /v1/messages.
        statuses: HTTP statuses they got; a dropped connection has none.
        faults: faults that were made, by name.
        answered: replies sent in full and without a fault. That they left here does not prove that they were read.
        repeats: requests that came again after they had been answered in full.
        billed: replies that cost something, in full or not; `usage` is their sum.
        vanished: billed replies whose client had gone before the end.
        in_flight, peak: requests being answered now, and the most there were at once.
        attended: those in flight whose client is still there.
        hung_up: when a client last left before it had its answer, or a fault broke its connection; None if never.
        usage: billed tokens.
        due: tokens of all that was admitted, as they will be billed in the end if there are no faults, whether or
            not anybody waits for the answer.
        throttled: how many requests got 429 or 529 in each second.
        throttled_late: how many of them later than one second after the first request.
        over_window: requests refused because they and their answers do not fit the window.
        early: requests sent again before the retry-after that they had been promised was over.
        first, last: when the first and the last request came; None if none did.
        ended: when the last reply was sent.
        asides: requests to other addresses: `count_tokens`, `models`.
        requests: what became of each body, in the order of their first arrival.
    """

    start: float
    seconds: float
    asked: int
    statuses: dict[int, int]
    faults: dict[str, int]
    answered: int
    repeats: int
    billed: int
    vanished: int
    in_flight: int
    peak: int
    attended: int
    hung_up: float | None
    usage: Usage
    due: Usage
    throttled: tuple[int, ...]
    throttled_late: int
    over_window: int
    early: int
    first: float | None
    last: float | None
    ended: float | None
    asides: dict[str, int]
    requests: tuple[Asked, ...]

    def of(self, digest: str) -> Asked:
        """What became of the body with this digest."""
        return next((each for each in self.requests if each.digest == digest), Asked(digest))


STATS = TypeAdapter(Stats)


@plain(slots=True)
class Ledger:
    """Counts. Times that it is given are on one clock; it tells them from `start`."""

    start: float
    in_flight: int = 0
    peak: int = 0
    billed: int = 0
    vanished: int = 0
    repeats: int = 0
    early: int = 0
    over_window: int = 0
    throttled_late: int = 0
    first: float | None = None
    last: float | None = None
    ended: float | None = None
    hung_up: float | None = None
    due: Usage = field(default_factory=Usage)
    statuses: Counter[int] = field(default_factory=Counter[int])
    faults: Counter[str] = field(default_factory=Counter[str])
    throttled: Counter[int] = field(default_factory=Counter[int])
    asides: Counter[str] = field(default_factory=Counter[str])
    asked: dict[str, Asked] = field(default_factory=dict[str, Asked])
    _promised: dict[str, float] = field(default_factory=dict[str, float])
    _clients: set[Hashable] = field(default_factory=set[Hashable])

    @contextmanager
    def flight(self, client: Hashable) -> Generator[None]:
        """Counts a request of this connection as in flight for as long as the block lasts."""
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        self._clients.add(client)
        try:
            yield
        finally:
            self.in_flight -= 1
            self._clients.discard(client)

    def left(self, client: Hashable, now: float) -> None:
        """A connection was lost."""
        if client in self._clients:
            self._clients.discard(client)
            self.hung_up = now - self.start

    def came(self, digest: str, now: float) -> None:
        """A request came."""
        one = self.asked.setdefault(digest, Asked(digest))
        one.asked += 1
        one.came.append(now - self.start)
        self.repeats += one.answered > 0
        self.early += now < self._promised.get(digest, 0)
        self.last = now - self.start
        self.first = self.last if self.first is None else self.first

    def known(self, digest: str, objective: str, luck: str, form: str) -> None:
        """What it wants, what its luck hangs on, and the form of its answer."""
        one = self.asked[digest]
        one.objective, one.luck, one.form = objective, luck, form

    def admitted(self, digest: str, seconds: float, usage: Usage, fault: str | None) -> None:
        """It is to be answered after so many seconds, or to meet a fault."""
        one = self.asked[digest]
        one.admitted += 1
        one.seconds += seconds
        self.due += usage
        if fault:
            self.faults[fault] += 1

    def refused(self, digest: str, status: int, retry_after: int, now: float) -> None:
        """It was asked to wait so many seconds."""
        self.asked[digest].throttled += 1
        self._promised[digest] = now + retry_after
        self.throttled[int(now - self.start)] += 1
        self.throttled_late += now - self.start > (self.first or 0) + FIRST_ROUND

    def bill(self, digest: str, usage: Usage, *, whole: bool, gone: bool, now: float) -> None:
        """Its reply is over: sent whole, spoiled by a fault, or with nobody there to read it."""
        one = self.asked[digest]
        one.usage += usage
        one.answered += whole and not gone
        self.billed += 1
        self.vanished += gone
        self.ended = now - self.start

    def stats(self, now: float) -> Stats:
        """All of it."""
        requests = tuple(self.asked.values())
        return Stats(
            start=self.start,
            seconds=now - self.start,
            asked=sum(each.asked for each in requests),
            statuses=dict(self.statuses),
            faults=dict(self.faults),
            answered=sum(each.answered for each in requests),
            repeats=self.repeats,
            billed=self.billed,
            vanished=self.vanished,
            in_flight=self.in_flight,
            peak=self.peak,
            attended=len(self._clients),
            hung_up=self.hung_up,
            usage=sum((each.usage for each in requests), Usage()),
            due=self.due,
            throttled=tuple(self.throttled[n] for n in range(max(self.throttled, default=-1) + 1)),
            throttled_late=self.throttled_late,
            over_window=self.over_window,
            early=self.early,
            first=self.first,
            last=self.last,
            ended=self.ended,
            asides=dict(self.asides),
            requests=requests,
        )
