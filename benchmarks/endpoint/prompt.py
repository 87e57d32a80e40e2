"""A request as the minds see it, and what the API refuses in one whoever answers it."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmarks.endpoint.behaviour import digest
from benchmarks.endpoint.tokens import Piece, blocks, pieces

MAX_MARKS = 4
MAX_SCHEMA_SEARCHES = 200


class Refusal(Exception):  # noqa: N818 - it is an answer, not an error of ours
    """Raised when a request gets an error status instead of a reply.

    Attributes:
        status: HTTP status.
        kind: the API's error type.
        message: for people.
        headers: sent with it.
    """

    def __init__(self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.headers = status, kind, message, headers or {}


def invalid(message: str) -> Refusal:
    """A refusal of a request that can never be taken."""
    return Refusal(400, "invalid_request_error", message)


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool call came to, as the request shows it."""

    name: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """A request to answer. `body` is the JSON of it."""

    body: Mapping[str, Any]

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def max_tokens(self) -> int:
        return int(self.body.get("max_tokens", 0))

    @property
    def streams(self) -> bool:
        return self.body.get("stream") is True

    @property
    def turn(self) -> int:
        """How many turns were answered before."""
        return sum(message["role"] == "assistant" for message in self.body["messages"])

    @cached_property
    def pieces(self) -> list[Piece]:
        """The request as tokens are counted and prefixes are cached."""
        return pieces(self.body)

    @cached_property
    def tools(self) -> Mapping[str, Mapping[str, Any]]:
        """The schema of each tool's arguments, by name."""
        return {str(tool["name"]): tool.get("input_schema") or {} for tool in self.body.get("tools") or ()}

    @property
    def forced(self) -> str:
        """The tool that must be called, "" if none must."""
        return str((self.body.get("tool_choice") or {}).get("name", ""))

    @cached_property
    def said(self) -> list[str]:
        """What the user said, message by message, without tool results."""
        return [text_of(m["content"]) for m in self.body["messages"] if m["role"] == "user"]

    @cached_property
    def system(self) -> str:
        return text_of(self.body.get("system") or "")

    @cached_property
    def called(self) -> list[str]:
        """Names of the tools called before, in order."""
        return [str(block["name"]) for block in self._blocks("assistant") if block.get("type") == "tool_use"]

    @cached_property
    def results(self) -> list[Result]:
        """What the tools answered, in order."""
        names = {b["id"]: str(b["name"]) for b in self._blocks("assistant") if b.get("type") == "tool_use"}
        answers = [block for block in self._blocks("user") if block.get("type") == "tool_result"]
        return [Result(names.get(b["tool_use_id"], ""), text_of(b.get("content") or "")) for b in answers]

    @cached_property
    def id(self) -> str:
        """What the request calls itself in `<id>`, else a hash of how its conversation began."""
        return self.tag("id") or digest(self.said[0].encode("utf-8", "surrogatepass"))

    @cached_property
    def schema(self) -> Mapping[str, Any] | None:
        """The JSON schema that the answer must fit: as a format, or within the text where that speaks of a schema."""
        form = (self.body.get("output_config") or {}).get("format")
        return form.get("schema") if form else next(_schemas([self.said[-1], self.system]), None)

    @property
    def form(self) -> str:
        """The title of that schema, "" if there is none."""
        return str((self.schema or {}).get("title", ""))

    @property
    def formatted(self) -> bool:
        """Whether the answer's format is asked for by `output_config`."""
        return bool((self.body.get("output_config") or {}).get("format"))

    def tag(self, name: str) -> str:
        """What stands first between `<name>` and `</name>` in what was said, "" if nothing does."""
        return next(self._tags(name), "")

    def _tags(self, name: str) -> Iterator[str]:
        tag = re.compile(rf"<{name}(?:\s[^>]*)?>\s*(.*?)\s*</{name}>", re.DOTALL)
        return (match[1] for text in (*self.said, self.system) if (match := tag.search(text)))

    def _blocks(self, role: str) -> Iterator[Mapping[str, Any]]:
        for message in self.body["messages"]:
            if message["role"] == role:
                yield from blocks(message["content"])


def parse(raw: bytes, *, counting: bool = False) -> Prompt:
    """The request in these bytes; with `counting`, one that is only to be counted.

    Raises:
        Refusal: if the API would not take it.
    """
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise invalid("The request body is not valid JSON") from error
    if not isinstance(body, dict):
        raise invalid("The request body must be an object")
    try:
        _check(body, counting)
    except (KeyError, TypeError, AttributeError) as error:
        raise invalid(f"The request is malformed: {type(error).__name__} {error}") from error
    return Prompt(body)


def text_of(content: Any) -> str:
    """The words in some content."""
    return "\n".join(str(block["text"]) for block in blocks(content) if block.get("type") == "text")


def _check(body: Mapping[str, Any], counting: bool) -> None:
    most = body.get("max_tokens")
    if not isinstance(body.get("model"), str):
        raise invalid("model: Field required")
    if not counting and (type(most) is not int or most < 0):
        raise invalid("max_tokens: Field required")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("messages: at least one message is required")
    if messages[0]["role"] != "user" or any(m["role"] not in {"user", "assistant"} for m in messages):
        raise invalid("messages: roles must be user and assistant, user first")
    _check_results(messages)
    _check_blocks(body)


def _check_results(messages: list[Mapping[str, Any]]) -> None:
    """Each tool call must be answered in the very next message, and nothing else may be."""
    wanted: set[str] = set()
    for n, message in enumerate([*messages, {"content": []}]):
        given = {b["tool_use_id"] for b in blocks(message["content"]) if b.get("type") == "tool_result"}
        if missing := sorted(wanted - given):
            where = f"messages.{min(n, len(messages) - 1)}"
            raise invalid(
                f"{where}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing}"
            )
        if odd := sorted(given - wanted):
            raise invalid(f"messages.{n}: unexpected `tool_use_id` found in `tool_result` blocks: {odd}")
        wanted = {b["id"] for b in blocks(message["content"]) if b.get("type") == "tool_use"}


def _check_blocks(body: Mapping[str, Any]) -> None:
    parts = [*blocks(body.get("system") or [])]
    for message in body["messages"]:
        parts += blocks(message["content"])
    if any(block["type"] == "text" and not block["text"] for block in parts):
        raise invalid("messages: text content blocks must be non-empty")
    marks = sum("cache_control" in part for part in (*parts, *(body.get("tools") or ()), body))
    if marks > MAX_MARKS:
        raise invalid(f"A maximum of 4 blocks with cache_control may be provided. Found {marks}.")


def _schemas(texts: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """JSON schemas of objects that stand in texts which speak of a schema."""
    decoder = json.JSONDecoder()
    for text in texts:
        if "schema" not in text.lower():
            continue
        for match in list(re.finditer(r"\{", text))[:MAX_SCHEMA_SEARCHES]:
            try:
                value, _ = decoder.raw_decode(text, match.start())
            except ValueError:
                continue
            if isinstance(value.get("properties"), dict):
                yield value
