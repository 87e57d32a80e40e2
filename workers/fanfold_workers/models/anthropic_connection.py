"""The one client of a server that speaks the Messages API, for every model and every call of a process."""

from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import anyio

from fanfold_workers.aside import in_thread
from fanfold_workers.errors import InputError, KeyRefusedError

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.lib.bedrock import AsyncAnthropicBedrock
    from anthropic.lib.vertex import AsyncAnthropicVertex

    Client = AsyncAnthropic | AsyncAnthropicBedrock | AsyncAnthropicVertex

Provider = Literal["anthropic", "bedrock", "vertex", "foundry"]
API = "https://api.anthropic.com"
NO_KEY = "no-key"
"""Sent to a server of the user's own, which asks for none; the SDK sends nothing without one."""
CONNECTIONS = 2_000
"""Every worker may have a call in flight, and the Gate decides how many do."""
READ_SECONDS, CONNECT_SECONDS, IDLE_SECONDS = 600, 60, 30
"""The SDK's own 5 s to connect run out while a busy process is at other work."""
CREDENTIALS: dict[Provider, tuple[str, str]] = {
    "anthropic": ("ANTHROPIC_API_KEY", "Set ANTHROPIC_API_KEY to a key that may use the model."),
    "bedrock": ("AWS_BEARER_TOKEN_BEDROCK", "Set AWS_BEARER_TOKEN_BEDROCK, or AWS credentials and AWS_REGION."),
    "vertex": (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "Log in with gcloud (or set GOOGLE_APPLICATION_CREDENTIALS), and set CLOUD_ML_REGION.",
    ),
    "foundry": ("ANTHROPIC_FOUNDRY_API_KEY", "Set ANTHROPIC_FOUNDRY_API_KEY and ANTHROPIC_FOUNDRY_RESOURCE."),
}
"""For each provider the first variable that its credentials come from, and what to do if they won't do."""


@dataclass(slots=True, eq=False)
class Connection:
    """Reaches one server. Use it as an async context manager, or call `aclose`; nothing is imported or sent before.

    Clouds have credentials of their own, which the SDK takes from the environment; nothing else is read from there.

    Attributes:
        provider: whose API it is.
        key: for Anthropic's own API or a server of the user's own, which may need none (""); no cloud is shown it.
        base_url: address of the server, without `/v1/messages`; "" for the provider's own.
    """

    provider: Provider = "anthropic"
    key: str = field(default="", repr=False)
    base_url: str = ""
    _client: "Client | None" = field(default=None, init=False, repr=False)
    _opening: anyio.Lock = field(default_factory=anyio.Lock, init=False, repr=False)

    @property
    def name(self) -> str:
        """Its address, or the cloud's name: two connections of one name reach the same limits."""
        return self.base_url.rstrip("/") or (API if self.provider == "anthropic" else self.provider)

    @property
    def takes_bytes(self) -> bool:
        """Whether a request may be sent as it is; the SDK rewrites those for Bedrock and Vertex."""
        return self.provider in ("anthropic", "foundry")

    async def client(self) -> "Client":
        """The client, made at the first call, in a thread: the SDK alone takes seconds to import.

        Raises:
            KeyRefusedError: if there is no key, or what a cloud needs is not in the environment.
        """
        if self._client is None:
            self._check()
            async with self._opening:
                if self._client is None:
                    # aiohttp halves the CPU per call, and runs on asyncio alone.
                    on_asyncio = anyio.get_cancelled_exc_class().__module__.startswith("asyncio")
                    self._client = await in_thread(partial(self._opened, aiohttp=on_asyncio))
        return self._client

    async def aclose(self) -> None:
        """Close the client, if there is one."""
        client, self._client = self._client, None
        if client:
            with anyio.CancelScope(shield=True):
                await client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _check(self) -> None:
        if self.provider == "anthropic" and not self.key and not self.base_url:
            remedy = "Set ANTHROPIC_API_KEY in the environment, or base_url for a server that needs none."
            why = "There is no key for the model."
            raise self.refused(why, remedy)

    def _opened(self, *, aiohttp: bool) -> "Client":
        import anthropic
        import httpx2
        from anthropic.lib.bedrock import AsyncAnthropicBedrock
        from anthropic.lib.vertex import AsyncAnthropicVertex

        timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        limits = httpx2.Limits(
            max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=IDLE_SECONDS
        )
        transport = anthropic.DefaultAioHttpClient if aiohttp else anthropic.DefaultAsyncHttpxClient
        http = transport(timeout=timeout, limits=limits)
        options: dict[str, Any] = {"max_retries": 0, "timeout": timeout, "http_client": http}
        options |= {"base_url": self.base_url} if self.base_url else {}
        try:
            match self.provider:
                case "bedrock":
                    return AsyncAnthropicBedrock(**options)
                case "vertex":
                    return AsyncAnthropicVertex(**options)
                case "foundry":
                    return anthropic.AsyncAnthropicFoundry(**options)
                case "anthropic":
                    # An address and a key in any case, or the SDK takes them from the environment.
                    options.setdefault("base_url", API)
                    return anthropic.AsyncAnthropic(api_key=self.key or NO_KEY, **options)
        except (ValueError, anthropic.AnthropicError) as error:
            raise self.refused(str(error)) from error

    def refused(self, why: str, remedy: str = "") -> KeyRefusedError:
        """The error for credentials that are missing, or will not do."""
        variable, usual = CREDENTIALS[self.provider]
        return KeyRefusedError(why, field=variable, remedy=remedy or usual)

    def missing(self) -> InputError:
        """The error for a cloud whose extra packages are not installed."""
        msg = f"The packages that {self.provider} needs are not installed."
        return InputError(msg, field="provider", remedy=f"Run: pip install 'anthropic[{self.provider}]'")
