"""Where synthesis asks its models: each question once, sized before it is sent, its answer held to a form.

Answers are kept by what was asked, not by the report they were asked for: a second report of the same run, longer or
about another question, asks again only what is different.
"""

import json
import re
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from hashlib import blake2b
from importlib.resources import files
from string import Template
from typing import Annotated, Any, Generic, Literal, TypeVar

import anyio
from pydantic import BaseModel, BeforeValidator, ValidationError

from fanfold_workers.accounts import Account
from fanfold_workers.errors import unwrapped
from fanfold_workers.journal import Journal, once
from fanfold_workers.models.catalog import Card
from fanfold_workers.models.model import Ask, Model, Replied, Reply, Role, Said, Turn
from fanfold_workers.models.tokens import count

from .markdown import clean, cut

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
R = TypeVar("R")

TRIES = 2
UNUSABLE = "unusable: "
"""How the record of a question begins that got no answer that can be used."""
SAFETY = 1.25
"""Real tokens for each one counted, at worst: what is counted here is an estimate."""
MAX_WHY_CHARS = 200
"""Of a reason that a remark gives: with our own words around it the remark has at most 300."""

# An underscore within a word and a sharp before a figure are no markup, and stand in names that remedies need.
_MARKUP = re.compile(r"[\\*\[\]<>|~]|(?<![^\W_])_|_(?![^\W_])|(?<!\w)#+(?!\w)|&(?=#?\w+;)")


def _text(given: object) -> str:
    return "" if given is None else given if isinstance(given, str) else str(given)


Words = Annotated[str, BeforeValidator(_text)]
"""Text as models write it: what is none is empty, a number is its figures. A slip must not cost the whole answer."""


def lean(schema: dict[str, Any]) -> None:
    """A schema without titles, descriptions and defaults: they would go with every request."""
    for part in (schema, *schema.get("properties", {}).values()):
        for name in ("title", "description", "default"):
            part.pop(name, None)


@dataclass(frozen=True, slots=True)
class Unusable:
    """An answer that cannot be used, after it was asked for once more.

    Attributes:
        problem: why, as the model was told.
        cut: whether it broke off at its greatest length: ask about less.
        refused: whether the model refused.
        text: what it said: of an answer that broke off, all up to there. Records of old have none.
    """

    problem: str
    cut: bool = False
    refused: bool = False
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Question(Generic[M]):
    """Something to ask.

    Attributes:
        name: what sort of question: `draw`, `fold`, `settle`; part of the journal's key.
        kind: the form of the answer; its JSON schema goes with the request.
        system: instructions, the same for all questions of the sort, so that a cache serves them.
        said: the material.
        max_tokens: the most it may answer.
        role: who is asked.
        check: what keeps a well-formed answer from being used, "" if nothing.
        whole: whether it cannot be asked in parts, so that an answer that broke off is asked for once more.
    """

    name: str
    kind: type[M]
    system: str
    said: str
    max_tokens: int
    role: Role = "worker"
    check: Callable[[M], str] = lambda _: ""
    whole: bool = False

    @property
    def tokens(self) -> int:
        """Tokens of the request and its answer, at worst."""
        schema = json.dumps(self.kind.model_json_schema())
        return int((count(self.system) + count(self.said) + count(schema)) * SAFETY) + self.max_tokens


@dataclass(frozen=True, slots=True)
class Desk:
    """Who is asked, who pays, where answers stand.

    Attributes:
        model: both roles, with all that belongs around them.
        lead, worker: their cards.
        key: where a run's questions stand: `r-1f…/calls`.
        purse: accounts that pay.
        journal: where answers are claimed and kept; None where no text is to be kept.
    """

    model: Model
    lead: Card
    worker: Card
    key: str
    purse: tuple[Account, ...]
    journal: Journal | None = None

    def card(self, role: Role) -> Card:
        """The card of whoever has that role."""
        return self.lead if role == "lead" else self.worker

    def room(self, role: Role) -> int:
        """Tokens that a request and its answer may have together, by the window of whoever is asked."""
        return self.card(role).window

    async def answer(self, question: Question[M]) -> M | Unusable:
        """The answer, held to its form and its check; asked once more if it fails them.

        Raises:
            TooLongError: if it does not fit the window, before anything is sent.
            ModelError, OverBudgetError: as Model.ask.
        """
        if self.journal is None:
            return _read(await self._asked(question), question)
        key = f"{self.key}/{question.name}/{self._digest(question)}"
        return _read(await once(self.journal, key, partial(self._asked, question)), question)

    async def _asked(self, question: Question[M]) -> str:
        turns: list[Turn] = [Said(question.said)]
        judged = Unusable("")
        for _ in range(TRIES):
            reply = await self._reply(question, turns)
            judged = _judged(reply, question)
            if not judged.problem:
                return reply.text
            if judged.refused or (judged.cut and not question.whole):
                break
            turns += [Replied(reply.content), Said(prompt("again").substitute(problem=judged.problem))]
        return UNUSABLE + json.dumps(asdict(judged))

    async def _reply(self, question: Question[M], turns: list[Turn]) -> Reply:
        ask = Ask(
            system=question.system,
            turns=tuple(turns),
            schema=json.dumps(question.kind.model_json_schema()),
            max_tokens=question.max_tokens,
            role=question.role,
            shared=True,
            key=f"{self.key}/{question.name}.reply/t{len(turns) // 2:03}",
            purse=self.purse,
        )
        return await self.model.ask(ask)

    def _digest(self, question: Question[M]) -> str:
        hashed = blake2b(digest_size=8)
        schema, model = json.dumps(question.kind.model_json_schema()), self.card(question.role).model
        for part in (model, question.system, question.said, schema, str(question.max_tokens)):
            data = part.encode("utf-8", "surrogatepass")
            hashed.update(b"%d:" % len(data) + data)
        return hashed.hexdigest()


def _judged(reply: Reply, question: Question[M]) -> Unusable:
    """What keeps a reply from being used; no problem if nothing does."""
    if reply.stop in {"max_tokens", "model_context_window_exceeded"}:
        return Unusable("it broke off at its greatest length", cut=True, text=reply.text)
    if reply.stop == "refusal":
        return Unusable(reason_of(reply.text) or "it does not say why", refused=True, text=reply.text)
    try:
        value = question.kind.model_validate_json(reply.text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        problem = f"{'.'.join(str(part) for part in first['loc']) or 'answer'}: {first['msg']}"
        return Unusable(problem, text=reply.text)
    problem = question.check(value)
    return Unusable(problem, text=reply.text if problem else "")


def _read(value: str, question: Question[M]) -> M | Unusable:
    """What was kept: the answer's own text, or why there is none."""
    if value.startswith(UNUSABLE):
        return Unusable(**json.loads(value.removeprefix(UNUSABLE)))
    return question.kind.model_validate_json(value)


Name = Literal["again", "compose", "draw", "fold", "settle", "write"]


@cache
def prompt(name: Name) -> Template:
    """The prompt of that name."""
    return Template((files("fanfold_server.synthesis") / "prompts" / f"{name}.md").read_text("utf-8").strip())


def reason_of(text: str) -> str:
    """What a model or a server gives as its reason, for a remark: one short line without markup or hidden characters.

    Markup goes, rather than being escaped: whoever prints a remark escapes it, and a person may read it as it is.
    """
    return cut(clean(_MARKUP.sub("", clean(text).replace("`", "'"))), MAX_WHY_CHARS)


async def every(work: Callable[[T], Coroutine[Any, Any, R]], those: Iterable[T]) -> list[R]:
    """What the work makes of each, all at once, in order.

    Raises:
        FanfoldError: the first, as itself, where nothing else went wrong: a group of them would pass for a bug.
        ExceptionGroup: of bugs.
    """
    try:
        return await anyio.amap(work, those)
    except ExceptionGroup as group:
        if (error := unwrapped(group)) is group:
            raise
        raise error from group
