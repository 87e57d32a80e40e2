"""The planner with a mind: it asks the lead model, and has it put right once what cannot be used."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from string import Template
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fanfold_server.records import Draft, Mode, Problem, Task
from fanfold_workers.accounts import Account
from fanfold_workers.aside import Aside
from fanfold_workers.contract import EffortClass
from fanfold_workers.errors import FaultError, RejectedError, TooLongError
from fanfold_workers.models.catalog import Card
from fanfold_workers.models.model import Ask, Model, Replied, Reply, Said, Turn
from fanfold_workers.tools.toolbox import RemoteTool, Tool

from .extent import most_for_lead
from .reading import cleaned, one_line
from .split import Split
from .survey import Survey

MAX_OUTPUT = 32_000
MOST_CHILDREN = 300
"""Names of a place that the lead is shown; of more, it is told how many there are."""
MOST_TOLD, MOST_CHARS = 30, 500
"""So many problems of its plan the lead is told of, each in so many characters."""
MOST_ITEM = 1_000
"""Characters of an item that a subtask holds; a longer list of items stands in its objective too."""

Judge = Callable[[Split], Awaitable[Sequence[Problem]]]
"""What is wrong with a split; see `check`."""

_TAGS = re.compile(r"<(?=\s*/?\s*(?:task|context|items|places|tools|checks)\b)", re.IGNORECASE)


class Drafted(BaseModel):
    """One subtask as the lead writes it."""

    model_config = ConfigDict(extra="ignore")

    title: str = ""
    objective: str
    boundaries: str = ""
    expected: str = ""
    done_when: Annotated[str, Field(description="What would make it done.")] = ""
    effort: Annotated[
        Literal["normal", "light", "deep"],
        Field(description="light: 1 to 3 tool calls; normal: 3 to 10; deep: more."),
    ] = "normal"
    item: Annotated[str, Field(description="The item it stands for, as given, or several, one a line.")] = ""
    places: Annotated[list[str], Field(description="What it may read: `root` or `root:path`, as shown.")] = []
    tools: Annotated[list[str], Field(description="Exact names of the tools it may call.")] = []
    checks: Annotated[list[str], Field(description="Inspections that answer it by rules; empty if not.")] = []
    web: Annotated[bool, Field(description="Whether it may search the web.")] = False
    depends_on: Annotated[list[int], Field(description="Positions, from 1, of subtasks that must end first.")] = []
    if_unmet: Annotated[
        Literal["skip", "run"],
        Field(description="If one of those finds nothing: skip this one, or run it without."),
    ] = "skip"


class Leads(BaseModel):
    """A plan as the lead writes it."""

    model_config = ConfigDict(extra="ignore")

    mode: Literal["single", "parallel", "staged"]
    reason: Annotated[str, Field(description="Why this mode, in a sentence or two.")] = ""
    assumptions: Annotated[list[str], Field(description="What you took for granted, a sentence each.")] = []
    subtasks: list[Drafted]


def _asked_for(kind: type[BaseModel]) -> str:
    """The schema that an answer is asked for in: every field is wanted, though one left out is no fault."""
    schema = kind.model_json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:
            part["required"] = list(part["properties"])
    return json.dumps(schema)


SCHEMA = _asked_for(Leads)


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

    async def plan(self, task: Task, /, judge: Judge | None = None) -> Split:
        """See Planner. With a `judge`, whatever errors it finds go back to the lead, once.

        Raises:
            ModelError, OverBudgetError: as Model.ask; a plan that cannot be read twice is a FaultError.
        """
        places = task.roots or tuple(sorted(self.survey.roots))[:500]
        asked = await self.aside(lambda: self._asked(task, places))
        reply = await self._reply([Said(asked)])
        split, wrong = await self._judged(reply, places, judge)
        if split and not wrong:
            return split
        told = "\n".join(wrong)
        again = Said(_prompt("repair").substitute(problems=told))
        mended, unread = await self._judged(
            await self._reply([Said(asked), Replied(reply.content), again]), places, None
        )
        split = mended or split
        if not split:
            msg = f"{self.card.model} gave no plan that can be used: {one_line(' '.join(unread), 300)}"
            raise FaultError(msg, field="lead_model", remedy="Call plan again, or pass subtasks of your own.")
        return replace(split, assumptions=(*split.assumptions, f"Put right once, since: {one_line(told, 1_000)}"))

    async def _judged(
        self, reply: Reply, places: tuple[str, ...], judge: Judge | None
    ) -> tuple[Split | None, list[str]]:
        """The split in a reply, if it can be read, and what is to be put right."""
        leads, unread = _read(reply)
        if not leads:
            return None, unread
        split = self._split(leads, places)
        problems = await judge(split) if judge else ()
        wrong = any(problem.level == "error" for problem in problems)
        return split, [_told(problem) for problem in problems[:MOST_TOLD]] if wrong else []

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
            most=most_for_lead(task),
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
        drafts = tuple(_draft(draft) for draft in leads.subtasks)
        return Split(
            drafts=drafts,
            mode=Mode(leads.mode),
            reason=leads.reason[:20_000] or f"As {self.card.model} says.",
            assumptions=tuple(text[:20_000] for text in leads.assumptions[:50]),
            places=places,
            engine=f"model:{self.card.model}"[:100],
        )


def _draft(draft: Drafted) -> Draft:
    """The lead's subtask as a Draft. Raises ValidationError where it does not fit the contract."""
    listed = f"\n\nItems:\n{draft.item}" if len(draft.item) > MOST_ITEM else ""
    return Draft(
        title=one_line(draft.title, 300),
        objective=f"{draft.objective.strip()}{listed}"[:8_000],
        boundaries=draft.boundaries[:20_000],
        expected=draft.expected[:20_000],
        done_when=draft.done_when[:2_000],
        effort=EffortClass(draft.effort),
        item=draft.item[:MOST_ITEM],
        places=tuple(draft.places),
        tools=tuple(dict.fromkeys((*draft.tools, *draft.checks))) if draft.tools else (),
        checks=tuple(draft.checks),
        web=draft.web,
        depends_on=tuple(f"s{n}" for n in draft.depends_on),
        if_unmet=draft.if_unmet,
    )


def _read(reply: Reply) -> tuple[Leads | None, list[str]]:
    """The plan in a reply, or what keeps it from being one."""
    if reply.stop == "refusal":
        msg = f"The model refused to plan this: {one_line(reply.text, 300) or 'it does not say why'}."
        raise RejectedError(msg, field="task", remedy="Word it differently, or pass subtasks of your own.")
    if reply.stop == "max_tokens":
        return None, ["It broke off at its greatest length. Use fewer subtasks, or fewer words for each."]
    try:
        leads = Leads.model_validate_json(reply.text)
        if not leads.subtasks:
            return None, ["subtasks: There is none. Give one at least, also for mode single."]
        for draft in leads.subtasks:
            _draft(draft)
    except ValidationError as error:
        return None, _problems(error)
    return leads, []


def _problems(error: ValidationError) -> list[str]:
    first = error.errors(include_url=False, include_context=False, include_input=False)[:10]
    return [f"{'.'.join(str(part) for part in one['loc']) or 'answer'}: {one['msg']}." for one in first]


def _told(problem: Problem) -> str:
    """A problem as the lead is told of it."""
    return f"- {problem.level} in {problem.field}: {problem.problem} {problem.remedy}"[:MOST_CHARS].rstrip()


def _fenced(text: str) -> str:
    return _TAGS.sub("&lt;", cleaned(text)).strip()


def _first(description: str) -> str:
    """The first sentence of a tool's description."""
    return one_line(description.partition(". ")[0], 200)


@cache
def _prompt(name: str) -> Template:
    return Template((files("fanfold_server.planning") / "prompts" / f"{name}.md").read_text("utf-8").strip())
