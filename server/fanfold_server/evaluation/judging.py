"""The judgement of two reports: by the lead, blind to who wrote which, once in either order.

The rubric is `prompts/judge.md`. Who wrote a report must not show: ids of findings become numbers, and what code adds
about workers and engines is left out. A preference counts only where it is the same in both orders.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fanfold_server.minds import Mind
from fanfold_workers.errors import FaultError
from fanfold_workers.models.model import Ask, Replied, Reply, Said, Turn

from .case import Case

MAX_OUTPUT = 2_000
TRIES = 2

_ID = re.compile(r"\b[A-Za-z0-9][\w-]*\.\d+\b(?=[^\[\]]*\])")
_CITED = re.compile(r"\[[^\[\]\n]{1,400}\]")
_OURS = re.compile(r"\b(?:sub-?agents?|subtasks?|workers?|model:\S+|fanfold)\b", re.IGNORECASE)
_TAGS = re.compile(r"<(?=\s*/?\s*(?:task|facts|first|second)\b)", re.IGNORECASE)


def _clamped(given: object) -> object:
    return min(10.0, max(0.0, float(given))) if isinstance(given, int | float) else given


Mark = Annotated[float, BeforeValidator(_clamped)]


class Marks(BaseModel):
    """A report's marks, 0 to 10 each."""

    model_config = ConfigDict(extra="ignore")

    correct: Mark
    complete: Mark
    supported: Mark
    useful: Mark

    @property
    def mean(self) -> float:
        """The four together, 0 to 1."""
        return (self.correct + self.complete + self.supported + self.useful) / 40


class Judges(BaseModel):
    """A judgement as the lead writes it."""

    model_config = ConfigDict(extra="ignore")

    first: Marks
    second: Marks
    better: Literal["first", "second", "neither"]
    why: Annotated[str, Field(description="In a sentence or two.")]


SCHEMA = json.dumps(Judges.model_json_schema())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of judging two reports in both orders.

    Attributes:
        marks: the mean of each one's marks over both orders, 0 to 1.
        better: 0 or 1 for the one that was better in both orders, None where neither was, or where it hung on the
            order.
        steady: whether both orders came to the same.
        why: what the lead said first.
    """

    marks: tuple[float, float]
    better: int | None
    steady: bool
    why: str


async def judged(mind: Mind, case: Case, reports: Sequence[str], run: str) -> Verdict:
    """Have the lead judge two reports of a case; `run` is whose account pays.

    Raises:
        ModelError, OverBudgetError: as Model.ask; an answer that cannot be read twice is a FaultError.
    """
    one, other = (blinded(report) for report in reports)
    there = await _asked(mind, _said(case, one, other), run)
    back = await _asked(mind, _said(case, other, one), run)
    marks = ((there.first.mean + back.second.mean) / 2, (there.second.mean + back.first.mean) / 2)
    forth, turned = _which(there, ("first", "second")), _which(back, ("second", "first"))
    return Verdict(marks, forth if forth == turned else None, forth == turned, " ".join(there.why.split())[:500])


def _which(judges: Judges, names: tuple[str, str]) -> int | None:
    return names.index(judges.better) if judges.better in names else None


def blinded(report: str) -> str:
    """A report without what tells who wrote it: ids of findings, what code says below it, lines about workers."""
    numbers: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return numbers.setdefault(match[0], str(len(numbers) + 1))

    written, ruled, _ = report.rpartition("\n---\n")
    renamed = _CITED.sub(lambda cited: _ID.sub(number, cited[0]), written if ruled else report)
    return "\n".join(line for line in renamed.splitlines() if not _OURS.search(line)).strip()


def _said(case: Case, first: str, second: str) -> str:
    facts = "\n".join(f"- {fact.fact}" for fact in case.facts)
    parts = {"task": case.task, "facts": facts, "first": first, "second": second}
    return _prompt("pair").substitute({name: _TAGS.sub("&lt;", text) for name, text in parts.items()})


async def _asked(mind: Mind, said: str, run: str) -> Judges:
    turns: list[Turn] = [Said(said)]
    for _ in range(TRIES):
        reply = await _reply(mind, turns, run)
        try:
            return Judges.model_validate_json(reply.text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            problem = f"{'.'.join(map(str, first['loc'])) or 'answer'}: {first['msg']}"
            turns += [Replied(reply.content), Said(f"That cannot be read ({problem}). Answer again, put right.")]
    msg = f"{mind.lead.model} gave no judgement that can be read."
    raise FaultError(msg, field="lead_model", remedy="Try again, or name another lead.")


async def _reply(mind: Mind, turns: Sequence[Turn], run: str) -> Reply:
    ask = Ask(
        system=_prompt("judge").template,
        turns=tuple(turns),
        schema=SCHEMA,
        max_tokens=min(MAX_OUTPUT, mind.lead.max_output),
        role="lead",
        shared=True,
        purse=mind.purse(run),
    )
    return await mind.model.ask(ask)


@cache
def _prompt(name: Literal["judge", "pair"]) -> Template:
    return Template((files("fanfold_server.evaluation") / "prompts" / f"{name}.md").read_text("utf-8").strip())
