"""What a failed call comes to in our own error tree. Imports the SDK, so it is imported when a call has failed."""

import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp
import httpx2
from anthropic import AnthropicError, APIConnectionError, APIStatusError

from fanfold_workers.errors import BusyError, FanfoldError, FaultError, RejectedError, TooLongError

from .anthropic_connection import Connection
from .anthropic_reply import AGAIN, rates
from .model import Role

MAX_SAID_CHARS = 500
SPENT = frozenset({"contract_spend_limit_reached", "enforced_spend_limit_reached"})
"""Errors that come as 429, though no wait within a run ends them."""
LONG = re.compile(
    r"(prompt|input|request|context) is too (long|large)|context (window|length|limit|size)|maximum context",
    re.IGNORECASE,
)
ADD_CREDIT = "Add credit to the account that the key belongs to, or raise its limit."
ASK_LESS = "Ask about less, or choose a model with a larger window."
WAIT = "Try again later, or raise your rate limit with the provider."
UNSENT_BY_HTTPX = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
UNSENT_BY_AIOHTTP = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
UNSENT = (httpx2.UnsupportedProtocol, httpx2.ProxyError)
CLOUDS = frozenset({"google", "botocore", "boto3"})
"""Packages whose errors are about credentials."""


@dataclass(frozen=True, slots=True)
class Blame:
    """Whom a failure is about.

    Attributes:
        connection: the server.
        model: the model that was asked.
        role: for whom; it tells which setting names the model.
    """

    connection: Connection
    model: str
    role: Role = "worker"

    def failure(self, error: Exception) -> FanfoldError | None:
        """The error of ours that stands for this one; None for a bug."""
        if isinstance(error, APIStatusError):
            return self._answered(error)
        if isinstance(error, APIConnectionError | httpx2.HTTPError | aiohttp.ClientError):
            return self._cut(error)
        return self._cloud(error) if self.connection.provider != "anthropic" else None

    def _answered(self, error: APIStatusError) -> FanfoldError:
        status, headers = error.response.status_code, error.response.headers
        line = self._line(str(error.api_message or error.message))
        text = f"{self.connection.name} answered {status}: {line}"
        if status < 400:
            # The stream had begun.
            return FaultError(f"{self.connection.name} broke off its answer: {line}", charged=True, remedy=AGAIN)
        if status == 402 or error.error_code in SPENT or "credit balance is too low" in line:
            return self.connection.refused(text, ADD_CREDIT)
        if status in {401, 403}:
            return self.connection.refused(text)
        if status == 404:
            return self._unknown(text)
        if status == 413 or (status == 400 and LONG.search(line)):
            return TooLongError(text, field="request", remedy=ASK_LESS)
        if status in {429, 529}:
            now = time.time()
            wait, known = _wait(headers, now), rates(headers, now)
            return BusyError(text, seconds=wait, rates=known, overloaded=status == 529, remedy=WAIT)
        if status >= 500 or status in {408, 409, 499}:
            return FaultError(text, remedy=AGAIN)
        return RejectedError(text, remedy="Change what it objects to.")

    def _unknown(self, text: str) -> RejectedError:
        setting = "lead_model" if self.role == "lead" else "worker_model"
        remedy = f"Set {setting} to a model that is there"
        remedy += ", or base_url to the address without /v1/messages." if self.connection.base_url else "."
        return RejectedError(f"{text} The model asked for is {self.model[:80]}.", field=setting, remedy=remedy)

    def _cut(self, error: Exception) -> FaultError:
        texts = [str(cause) for cause in _causes(error)]
        why = self._line(next(filter(None, reversed(texts)), type(error).__name__))
        if _was_sent(error):
            text = f"{self.connection.name} did not answer, or not to the end: {why}"
            return FaultError(text, charged=True, remedy=AGAIN)
        remedy = "Check the network, and base_url if the server is your own."
        return FaultError(f"{self.connection.name} cannot be reached: {why}", remedy=remedy)

    def _cloud(self, error: Exception) -> FanfoldError | None:
        """What goes wrong in a cloud's own packages before anything is sent."""
        if any(isinstance(cause, ImportError) for cause in _causes(error)):
            return self.connection.missing()
        theirs = type(error).__module__.partition(".")[0] in CLOUDS
        if theirs or isinstance(error, AnthropicError | RuntimeError | ValueError):
            return self.connection.refused(self._line(str(error)))
        return None

    def _line(self, text: str) -> str:
        """A sentence of one line without the key, which servers like to repeat."""
        key = self.connection.key
        line = " ".join((text.replace(key, "(the key)") if key else text).split())
        line = line[:MAX_SAID_CHARS]
        return line if line.endswith((".", "!", "?")) else f"{line}."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__


def _was_sent(error: Exception) -> bool:
    """Whether the request may have reached the server, which may have done its work and charged for it.

    On aiohttp the SDK calls whatever becomes of a connection a ConnectError; only aiohttp's own error below it tells.
    """
    causes = [*_causes(error)]
    told = any(isinstance(cause, aiohttp.ClientError) for cause in causes)
    unsent = (*UNSENT, *(UNSENT_BY_AIOHTTP if told else UNSENT_BY_HTTPX))
    return not any(isinstance(cause, unsent) for cause in causes)


def _wait(headers: Mapping[str, str], now: float) -> float:
    """Seconds that the server asks to wait; 0 if it does not say, or not so that it can be read."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        return seconds if 0 <= seconds < math.inf else 0.0
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - now)
    except (KeyError, ValueError, OverflowError):
        return 0.0
