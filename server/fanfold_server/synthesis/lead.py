"""The composer with a mind: the lead model writes the answer, and code holds it to what was found."""

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from string import Template
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fanfold_server.records import Disposition
from fanfold_workers.accounts import Account
from fanfold_workers.aside import Aside
from fanfold_workers.errors import RejectedError
from fanfold_workers.models.catalog import Card
from fanfold_workers.models.model import Ask, Model, Replied, Reply, Said, Turn

from .compose import Brief, Composed
from .markdown import clean, inline
from .report import RulesComposer, composed, conflicts, fitted, gaps, head_of, tail_of, unsupported

MAX_OUTPUT = 32_000
MAX_DIGEST_CHARS = 200_000
"""Of the findings so much is put before the lead, ranked: some 60,000 tokens."""
CHARS_A_TOKEN = 2
"""Characters of digest for a token of the window: few, so that it fits whatever it is made of."""
ANSWER = 0.66
"""The part of a report that the answer may take; conflicts, gaps and the tail have the rest."""
TRIES = 2

_CITED = re.compile(r"\[([A-Za-z0-9][\w.-]*(?:[,;]\s*[A-Za-z0-9][\w.-]*)*)\](?!\()")
_TAGS = re.compile(r"<(?=\s*/?\s*(?:question|findings)\b)", re.IGNORECASE)


class Writes(BaseModel):
    """An answer as the lead writes it."""

    model_config = ConfigDict(extra="ignore")

    headline: Annotated[str, Field(description="The answer in one or two sentences.")]
    answer: Annotated[str, Field(description="The answer in full, in Markdown, citing findings as [id].")]


SCHEMA = json.dumps(Writes.model_json_schema())


@dataclass(frozen=True, slots=True)
class ModelComposer:
    """Writes by asking the lead model. What it writes is put right once; then the rules engine writes, and says so.

    Attributes:
        model: who is asked.
        card: its window and id.
        key: where its replies are journaled.
        purse: accounts that pay.
        aside: where the rest of the writing runs.
    """

    model: Model
    card: Card
    key: str
    purse: tuple[Account, ...]
    aside: Aside

    @property
    def engine(self) -> str:
        """See Composer."""
        return f"model:{self.card.model}"[:300]

    async def compose(self, brief: Brief, /) -> Composed:
        """See Composer.

        Raises:
            ModelError, OverBudgetError: as Model.ask.
        """
        if not brief.entries:
            return replace(await RulesComposer(aside=self.aside).compose(brief), engine="rules")
        turns: list[Turn] = [Said(await self.aside(lambda: self._asked(brief)))]
        problem = ""
        for _ in range(TRIES):
            reply = await self._reply(turns)
            written, problem = read(reply, brief)
            if written:
                return assembled(brief, written, self.engine)
            turns += [Replied(reply.content), Said(_prompt("rewrite").substitute(problem=problem))]
        return await self.aside(lambda: _by_rules(brief, self.engine, problem))

    def _asked(self, brief: Brief) -> str:
        room = (self.card.window - self._output) // 2 * CHARS_A_TOKEN
        most = max(1_000, min(MAX_DIGEST_CHARS, room))
        digest = composed(replace(brief, max_chars=most), host=True)
        return _prompt("write").substitute(
            question=_TAGS.sub("&lt;", brief.question),
            digest=_TAGS.sub("&lt;", digest.markdown),
            most=f"{_answer_chars(brief):,}",
        )

    @property
    def _output(self) -> int:
        return min(MAX_OUTPUT, self.card.max_output, self.card.window // 2)

    async def _reply(self, turns: list[Turn]) -> Reply:
        ask = Ask(
            system=_prompt("compose").template,
            turns=tuple(turns),
            schema=SCHEMA,
            max_tokens=self._output,
            role="lead",
            key=f"{self.key}/t{len(turns) // 2:03}",
            purse=self.purse,
        )
        reply = await self.model.ask(ask)
        if reply.stop == "refusal":
            msg = f"The model refused to write the report: {clean(reply.text)[:300] or 'it does not say why'}."
            raise RejectedError(msg, field="compose", remedy='Ask for compose="rules", or "host".')
        return reply


def read(reply: Reply, brief: Brief) -> tuple[Writes | None, str]:
    """What the lead wrote, or what keeps it from being used: its form, its length, or whom it cites."""
    if reply.stop == "max_tokens":
        return None, f"it broke off. Write at most {_answer_chars(brief):,} characters."
    try:
        written = Writes.model_validate_json(reply.text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return None, f"{'.'.join(str(part) for part in first['loc']) or 'answer'}: {first['msg']}."
    known = {line.finding for line in brief.ledger if line.disposition is not Disposition.unsupported}
    cited = cited_in(f"{written.headline} {written.answer}")
    if strange := sorted(cited - known):
        return None, f"it cites findings that do not exist: {', '.join(strange[:10])}."
    if not cited:
        return None, "it cites no finding. Cite each claim as [id]."
    if len(written.answer) > _answer_chars(brief):
        return None, f"its answer has {len(written.answer):,} characters, more than {_answer_chars(brief):,}."
    return written, ""


def cited_in(text: str) -> frozenset[str]:
    """Ids cited as `[id]` or `[id, id]`; words in brackets that have no dot cite nothing."""
    ids = (name.strip() for match in _CITED.findall(text) for name in re.split("[,;]", match))
    return frozenset(name for name in ids if re.search(r"\.\d+$", name))


def assembled(brief: Brief, written: Writes, engine: str) -> Composed:
    """The report: the lead's answer, then what code knows of conflicts, gaps and quotes."""
    headline = clean(_CITED.sub("", written.headline)).replace(" .", ".")
    head = head_of(brief, headline)
    tail = fitted(tail_of(brief, f"{engine}, held to the findings by code"), int(brief.max_chars * 0.2))
    room = brief.max_chars - len(head) - len(tail) - len(written.answer) - 12
    others: list[str] = []
    for part in (conflicts, gaps, unsupported):
        text = part(brief, max(0, room))
        room -= len(text) + 2
        others.append(text)
    answer = written.answer.strip()
    markdown = "\n\n".join(part for part in (head, answer, *others, tail) if part)
    if len(markdown) > brief.max_chars:
        markdown = "\n\n".join((head, answer))[: brief.max_chars]
    cited = cited_in(markdown)
    leads = {entry.findings[0] for entry in brief.entries if cited & set(entry.findings)}
    return Composed(markdown, cited & {line.finding for line in brief.ledger} | leads, headline, engine)


def _answer_chars(brief: Brief) -> int:
    return int(brief.max_chars * ANSWER)


def _by_rules(brief: Brief, engine: str, problem: str) -> Composed:
    told = f"\n\n*{inline(engine)} wrote nothing that could be used ({inline(problem, 200)}); ranked by rules.*"
    written = composed(replace(brief, max_chars=brief.max_chars - len(told)), host=False)
    return replace(written, markdown=written.markdown + told, engine="rules")


@cache
def _prompt(name: str) -> Template:
    return Template((files("fanfold_server.synthesis") / "prompts" / f"{name}.md").read_text("utf-8").strip())
