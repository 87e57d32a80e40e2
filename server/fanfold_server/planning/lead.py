"""The planner with a mind: it asks the lead model, and has it put right once what cannot be used."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fanfold_server.records import Draft, Mode, Task
from fanfold_workers.accounts import Account
from fanfold_workers.aside import Aside
from fanfold_workers.errors import FaultError, RejectedError, TooLongError
from fanfold_workers.models.catalog import Card
from fanfold_workers.models.model import Ask, Model, Replied, Reply, Said, Turn
from fanfold_workers.tools.toolbox import RemoteTool, Tool

from .reading import cleaned, one_line
from .split import Split
from .survey import Survey

MAX_OUTPUT = 32_000
MOST_CHILDREN = 300
"""Names of a place that the lead is shown; of more, it is told how many there are."""
MODEL_CAP = 50
"""Subtasks of a plan by the lead, unless the task names more items or allows more: each is an agent to be paid."""
TRIES = 2

_TAGS = re.compile(r"<(?=\s*/?\s*(?:task|context|items|places|tools|checks)\b)", re.IGNORECASE)


class Drafted(BaseModel):
    """One subtask as the lead writes it."""

    model_config = ConfigDict(extra="ignore")

    title: str
    objective: str
    boundaries: str
    expected: str
    item: Annotated[str, Field(description="The item it stands for, as given; empty if none.")]
    places: Annotated[list[str], Field(description="What it may read: `root` or `root:path`, as shown.")]
    tools: Annotated[list[str], Field(description="Exact names of the tools it may call.")]
    checks: Annotated[list[str], Field(description="Inspections that answer it by rules; empty if it takes a mind.")]
    web: Annotated[bool, Field(description="Whether it may search the web.")]
    depends_on: Annotated[list[int], Field(description="Positions, from 1, of subtasks that must end first.")]
    if_unmet: Annotated[
        Literal["skip", "run"],
        Field(description="If one of those finds nothing: skip this one, or run it without."),
    ] = "skip"


class Leads(BaseModel):
    """A plan as the lead writes it."""

    model_config = ConfigDict(extra="ignore")

    mode: Literal["single", "parallel", "staged"]
    reason: Annotated[str, Field(description="Why this mode, in a sentence or two.")]
    assumptions: Annotated[list[str], Field(description="What you took for granted, a sentence each.")]
    subtasks: list[Drafted]


SCHEMA = json.dumps(Leads.model_json_schema())


@dataclass(frozen=True, slots=True)
class ModelPlanner:
    """Splits a task by asking the lead model.

    Attributes:
        model: who is asked.
        card: its window and id.
        key: where its replies are journaled.
        purse: accounts that pay.
        survey: a look at the roots.
        tools: every tool that exists; remote: those of other MCP servers.
        web: whether workers may use the web.
        aside: where the look at the roots runs.
    """

    model: Model
    card: Card
    key: str
    purse: tuple[Account, ...]
    survey: Survey
    tools: Mapping[str, Tool[Any]]
    remote: Mapping[str, RemoteTool]
    web: bool
    aside: Aside

    async def plan(self, task: Task, /) -> Split:
        """See Planner.

        Raises:
            ModelError, OverBudgetError: as Model.ask; a plan that cannot be read twice is a FaultError.
        """
        places = task.roots or tuple(sorted(self.survey.roots))[:500]
        asked = await self.aside(lambda: self._asked(task, places))
        turns: list[Turn] = [Said(asked)]
        problems = "nothing"
        for _ in range(TRIES):
            reply = await self._reply(turns)
            leads, problems = _read(reply)
            if leads:
                return self._split(leads, places)
            turns += [Replied(reply.content), Said(_prompt("repair").substitute(problems=problems))]
        msg = f"{self.card.model} gave no plan that can be used: {one_line(problems, 300)}"
        raise FaultError(msg, field="lead_model", remedy="Call plan again, or pass subtasks of your own.")

    async def _reply(self, turns: Sequence[Turn]) -> Reply:
        output = min(MAX_OUTPUT, self.card.max_output, self.card.window // 2)
        ask = Ask(
            system=_prompt("lead").template,
            turns=tuple(turns),
            schema=SCHEMA,
            max_tokens=output,
            role="lead",
            key=f"{self.key}/t{len(turns) // 2:03}",
            purse=self.purse,
        )
        try:
            return await self.model.ask(ask)
        except TooLongError as error:
            remedy = "Say it in fewer words, name fewer roots or items, or pass subtasks of your own."
            raise TooLongError(error.problem, field="task", remedy=remedy) from error

    def _asked(self, task: Task, places: Sequence[str]) -> str:
        checks = [tool for tool in self.tools.values() if tool.inspection]
        tools = [f"{tool.name}: {_first(tool.description)}" for tool in self.tools.values()]
        tools += [f"{tool.name}: {_first(tool.description)}" for tool in self.remote.values()]
        web = "web: search and fetch pages (set `web`, name no tool)" if self.web else ""
        return _prompt("task").substitute(
            task=_fenced(task.task),
            context=_fenced(task.context) or "None given.",
            items=_fenced("\n".join(task.items)) or "None given: find out from the task and the places.",
            places=_fenced("\n".join(line for place in places for line in self._shown(place))) or "None.",
            tools=_fenced("\n".join([*tools, *([web] if web else [])])) or "None.",
            checks=_fenced("\n".join(f"{tool.name}: {_first(tool.description)}" for tool in checks)) or "None.",
            most=task.max_workers or max(MODEL_CAP, len(task.items)),
        )

    def _shown(self, place: str) -> list[str]:
        """A place and what is directly below it, with how much there is."""
        children = self.survey.children(place)
        reach = self.survey.reach([place])
        size = f"{reach.files:,}{'+' * reach.capped} files, {reach.bytes:,} bytes"
        below = [f"  {place}{'/' if ':' in place else ':'}{child.rstrip('/')}" for child in children[:MOST_CHILDREN]]
        more = [f"  … {len(children) - MOST_CHILDREN:,} more"] if len(children) > MOST_CHILDREN else []
        return [f"{place} ({size})", *below, *more]

    def _split(self, leads: Leads, places: tuple[str, ...]) -> Split:
        drafts = tuple(_draft(draft, self.web) for draft in leads.subtasks)
        return Split(
            drafts=drafts,
            mode=Mode(leads.mode),
            reason=leads.reason[:20_000] or f"As {self.card.model} says.",
            assumptions=tuple(text[:20_000] for text in leads.assumptions[:50]),
            places=places,
            engine=f"model:{self.card.model}"[:100],
        )


def _draft(draft: Drafted, web: bool) -> Draft:
    """The lead's subtask as a Draft. Raises ValidationError where it does not fit the contract."""
    return Draft(
        title=one_line(draft.title, 300),
        objective=draft.objective.strip()[:8_000],
        boundaries=draft.boundaries[:20_000],
        expected=draft.expected[:20_000],
        item=draft.item[:1_000],
        places=tuple(draft.places),
        tools=tuple(dict.fromkeys((*draft.tools, *draft.checks))) if draft.tools else (),
        checks=tuple(draft.checks),
        web=draft.web and web,
        depends_on=tuple(f"s{n}" for n in draft.depends_on),
        if_unmet=draft.if_unmet,
    )


def _read(reply: Reply) -> tuple[Leads | None, str]:
    """The plan in a reply, or what keeps it from being one."""
    if reply.stop == "refusal":
        msg = f"The model refused to plan this: {one_line(reply.text, 300) or 'it does not say why'}."
        raise RejectedError(msg, field="task", remedy="Word it differently, or pass subtasks of your own.")
    if reply.stop == "max_tokens":
        return None, "It broke off at its greatest length. Use fewer subtasks, or fewer words for each."
    try:
        leads = Leads.model_validate_json(reply.text)
        if not leads.subtasks:
            return None, "subtasks: There is none. Give one at least, also for mode single."
        for draft in leads.subtasks:
            _draft(draft, web=True)
    except ValidationError as error:
        return None, "\n".join(_problems(error))
    return leads, ""


def _problems(error: ValidationError) -> list[str]:
    first = error.errors(include_url=False, include_context=False, include_input=False)[:10]
    return [f"{'.'.join(str(part) for part in one['loc']) or 'answer'}: {one['msg']}." for one in first]


def _fenced(text: str) -> str:
    return _TAGS.sub("&lt;", cleaned(text)).strip()


def _first(description: str) -> str:
    """The first sentence of a tool's description."""
    return one_line(description.partition(". ")[0], 200)


@cache
def _prompt(name: str) -> Template:
    return Template((files("fanfold_server.planning") / "prompts" / f"{name}.md").read_text("utf-8").strip())
