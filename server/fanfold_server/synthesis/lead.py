"""The composer with a mind: the lead model writes the answer, and code holds it to what was found.

Each citation must have something to do with its sentence, each figure must stand somewhere: see `faithful`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from fanfold_server.records import Disposition
from fanfold_workers.aside import Aside
from fanfold_workers.errors import RejectedError
from fanfold_workers.models.tokens import count

from .compose import Brief, Composed
from .desk import SAFETY, Desk, Question, prompt
from .faithful import CITED, Held, Judged, cited_in
from .markdown import clean, inline
from .report import RulesComposer, attempts, composed, conflicts, fitted, gaps, head_of, tail_of, unsupported
from .sheets import sheets, shortened

MAX_OUTPUT = 32_000
OUTPUT = 4
"""The part of a small window that an answer may take (one in so many): one that is no good stands beside the next."""
AGAIN_TOKENS = 400
"""What asking once more adds to a request, besides the answer that was no good."""
MAX_FINDINGS_TOKENS = 60_000
"""Of the findings so much is put before the lead: more is folded first."""
FINDINGS, QUESTION, PART = 0.6, 0.12, 0.08
"""Of what it is shown, the part that is findings, the question, and each of conflicts, gaps and whom to trust."""
MAX_PART_CHARS = 12_000
"""Of conflicts, and of gaps, no more than this."""
ANSWER = 0.66
"""The part of a report that the answer may take; conflicts, gaps and the tail have the rest."""

_TAGS = re.compile(r"<(?=\s*/?\s*(?:question|findings|notes)\b)", re.IGNORECASE)


class Writes(BaseModel):
    """An answer as the lead writes it."""

    model_config = ConfigDict(extra="ignore")

    headline: Annotated[str, Field(description="The answer in one or two sentences.")]
    answer: Annotated[str, Field(description="The answer in full, in Markdown, citing findings as [id].")]


@dataclass(frozen=True, slots=True)
class ModelComposer:
    """Writes by asking the lead model. What it writes is put right once; then the rules engine writes, and says so.

    Attributes:
        desk: where it is asked.
        aside: where the rest of the writing runs.
    """

    desk: Desk
    aside: Aside

    @property
    def engine(self) -> str:
        """See Composer."""
        return f"model:{self.desk.lead.model}"[:300]

    async def compose(self, brief: Brief, /) -> Composed:
        """See Composer.

        Raises:
            ModelError, OverBudgetError: as Model.ask.
        """
        if not brief.entries:
            return replace(await RulesComposer(aside=self.aside).compose(brief), engine="rules")
        check = await self.aside(lambda: Check(brief, Held.to(brief, _stated(brief))))
        written = await self.desk.answer(await self.aside(lambda: self._question(brief, check)))
        if isinstance(written, Writes):
            return await self.aside(lambda: assembled(brief, written, check.judged(written), self.engine))
        if written.refused:
            msg = f"The model refused to write the report: {clean(written.problem)[:300]}."
            raise RejectedError(msg, field="compose", remedy='Ask for compose="rules", or "host".')
        return await self.aside(lambda: _by_rules(brief, self.engine, written.problem))

    def _question(self, brief: Brief, check: "Check") -> Question[Writes]:
        room = _room(self.desk)
        said = prompt("write").substitute(
            question=_TAGS.sub("&lt;", shortened(brief.question, int(room * QUESTION))),
            digest=_TAGS.sub("&lt;", _digest(brief, room, digest_tokens(self.desk))),
            notes=_TAGS.sub("&lt;", "\n\n".join(brief.notes)) or "None.",
            most=f"{_answer_chars(brief):,}",
        )
        return _asking(self.desk, said, check)


def _asking(desk: Desk, said: str, check: Callable[[Writes], str] = lambda _: "") -> Question[Writes]:
    output = min(MAX_OUTPUT, desk.lead.max_output, desk.lead.window // OUTPUT)
    system = prompt("compose").template
    return Question("compose", Writes, system, said, output, role="lead", check=check, whole=True)


def _room(desk: Desk) -> int:
    """Tokens, as `count` has them, for all that the lead is shown besides its instructions.

    An answer that is no good, and why, must fit besides, when it is asked for once more.
    """
    empty = _asking(desk, prompt("write").template)
    return max(0, int((desk.room("lead") - empty.tokens - empty.max_tokens - AGAIN_TOKENS) / SAFETY))


def digest_tokens(desk: Desk) -> int:
    """Tokens of findings, with a fold's notes, that the lead can be shown in one request."""
    return min(MAX_FINDINGS_TOKENS, int(_room(desk) * FINDINGS))


def _digest(brief: Brief, room: int, findings: int) -> str:
    """The findings as the lead is shown them: each under its id, then conflicts, gaps, and whom to trust."""
    listed = "\n".join(sheets(brief.entries, findings, brief.notes))
    told = shortened("\n".join(tail_of(brief, "rules")), int(room * PART))
    parts = (listed, *(_within(part, brief, int(room * PART)) for part in (conflicts, gaps)), told)
    return "\n\n".join(part for part in parts if part)


def _stated(brief: Brief) -> tuple[str, ...]:
    """What code says of the findings."""
    return conflicts(brief, MAX_PART_CHARS), gaps(brief, MAX_PART_CHARS), "\n".join(tail_of(brief, "rules"))


def _within(part: Callable[[Brief, int], str], brief: Brief, most: int) -> str:
    """As many lines of a part as fit in so many tokens."""
    chars = MAX_PART_CHARS
    while count(text := part(brief, chars)) > most and text:
        chars //= 2
    return text


@dataclass
class Check:
    """Looks at an answer, and at what it is changed to.

    Attributes:
        brief: what it is to be held to; held: the same, ready for that.
        looks: how often it has looked: a figure is asked about the first time only.
    """

    brief: Brief
    held: Held
    looks: int = 0

    def __call__(self, written: Writes) -> str:
        """What keeps an answer from being used, "" if nothing."""
        self.looks += 1
        return doubt(written, self.brief) or self.judged(written).doubt(figures=self.looks == 1)

    def judged(self, written: Writes) -> Judged:
        """How an answer does."""
        return self.held.judged(written.headline, written.answer)


def doubt(written: Writes, brief: Brief) -> str:
    """What keeps an answer from being used, "" if nothing: its length, or whom it cites."""
    known = {line.finding for line in brief.ledger if line.disposition is not Disposition.unsupported}
    cited = cited_in(f"{written.headline} {written.answer}")
    if strange := sorted(cited - known):
        return f"it cites findings that do not exist: {', '.join(strange[:10])}"
    if not cited:
        return "it cites no finding: cite each claim as [id]"
    if len(written.answer) > _answer_chars(brief):
        return f"its answer has {len(written.answer):,} characters, more than {_answer_chars(brief):,}"
    return ""


def assembled(brief: Brief, written: Writes, judged: Judged, engine: str) -> Composed:
    """The report: the lead's answer, then what code knows of conflicts, gaps and quotes."""
    headline = clean(CITED.sub("", written.headline)).replace(" .", ".")
    remarks = tuple(judged.remarks())
    told = replace(brief, remarks=(*remarks, *brief.remarks))
    head = head_of(brief, headline)
    tail = fitted(tail_of(told, f"{engine}, held to the findings by code"), int(brief.max_chars * 0.2))
    room = brief.max_chars - len(head) - len(tail) - len(written.answer) - 12
    others: list[str] = []
    for part in (conflicts, gaps, attempts, unsupported):
        text = part(brief, max(0, room))
        room -= len(text) + 2
        others.append(text)
    answer = written.answer.strip()
    markdown = "\n\n".join(part for part in (head, answer, *others, tail) if part)
    if len(markdown) > brief.max_chars:
        others, markdown = [], "\n\n".join((head, answer))[: brief.max_chars]
    cited = (judged.counted & cited_in(markdown)) | cited_in("\n".join(others))
    leads = {entry.findings[0] for entry in brief.entries if cited & set(entry.findings)}
    return Composed(
        markdown, cited & {line.finding for line in brief.ledger} | leads, headline, engine, remarks=remarks
    )


def _answer_chars(brief: Brief) -> int:
    return int(brief.max_chars * ANSWER)


def _by_rules(brief: Brief, engine: str, problem: str) -> Composed:
    told = f"\n\n*{inline(engine)} wrote nothing that could be used ({inline(problem, 200)}); ranked by rules.*"
    written = composed(replace(brief, max_chars=brief.max_chars - len(told)), host=False)
    return replace(written, markdown=written.markdown + told, engine="rules")
