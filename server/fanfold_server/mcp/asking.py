"""Asking the person behind a host, by the protocol's elicitation and nothing else.

An answer comes as the host's reply to our own question (until 2025-11-25), or beside the arguments of the repeated
call with a state that only this process can have sealed (from 2026-07-28). Neither is within reach of a model, which
writes arguments alone. What a host makes of a question is the host's: one that nobody watches answers by itself.
"""

from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import Any

import anyio
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import is_version_at_least
from pydantic import ValidationError

from fanfold_server.approving import agents_in, price_of
from fanfold_server.minds import Minds
from fanfold_server.records import Plan
from fanfold_workers.errors import ApprovalNeededError
from fanfold_workers.tools.legible import in_line

Host = Context[Any, Any]

KEY = "approve"
"""The question's name among the requests of a result, and the answer's only field."""
MODERN = "2026-07-28"
"""From this version on a question is a result of the call, and its answer comes with the call repeated."""
MOST_QUESTIONS = 3
"""How often a person is asked about one plan: a model that calls again and again must not wear anybody down."""
LOST_SECONDS = 60.0
"""A question that went out as a result is held to be open for so long: a host that drops one says nothing."""
TASK_CHARS = 160
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        KEY: {"type": "boolean", "title": "Start it", "description": "Yes lets fanfold start it and spend that."}
    },
    "required": [KEY],
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a question: whether the person said yes, and if not, what happened, in a sentence."""

    yes: bool
    why_not: str = ""


DECLINED = Heard(False, "The person declined, or the host did in their place.")
DISMISSED = Heard(False, "The question was dismissed unanswered, by the person or by the host in their place.")
UNCLEAR = Heard(False, "What the host answered is neither yes nor no.")
UNABLE = Heard(False, "This host cannot ask anybody: it declares no elicitation.")
ENOUGH = Heard(False, f"The person was asked about it {MOST_QUESTIONS} times and is not asked again.")


@dataclass(slots=True, eq=False)
class Question:
    """One that is open.

    Attributes:
        lost_at: when it is held to be lost, on the event loop's clock.
        closed: set when it is answered, or given up.
        heard: what came of it; None if it was given up with its call.
    """

    lost_at: float = inf
    closed: anyio.Event = field(default_factory=anyio.Event)
    heard: Heard | None = None


@dataclass(slots=True)
class Person:
    """The person behind a host: asked about one plan once at a time, however many calls ask."""

    _open: dict[str, Question] = field(default_factory=dict[str, Question])
    _asked: Counter[str] = field(default_factory=Counter[str])

    async def asked(self, plan_id: str, text: str, host: Host, seconds: float) -> Heard | InputRequiredResult:
        """What the person says within so many seconds; or the question, for the host to put and to call again.

        A call that comes while the question is open waits for the same answer.
        """
        until = anyio.current_time() + seconds
        if host.request_state == _state(plan_id):
            return self._closed(plan_id, _read((host.input_responses or {}).get(KEY)))
        if not _can_ask(host):
            return UNABLE
        while question := self._open.get(plan_id):
            with anyio.CancelScope(deadline=min(until, question.lost_at)):
                await question.closed.wait()
            if question.heard or anyio.current_time() >= until:
                return question.heard or _unheard(seconds)
            if self._open.get(plan_id) is question:
                del self._open[plan_id]
        if self._asked[plan_id] == MOST_QUESTIONS:
            return ENOUGH
        self._asked[plan_id] += 1
        if not _is_modern(host):
            return await self._put(plan_id, text, host, until - anyio.current_time())
        self._open[plan_id] = Question(anyio.current_time() + LOST_SECONDS)
        return InputRequiredResult(input_requests={KEY: _request(text)}, request_state=_state(plan_id))

    def _closed(self, plan_id: str, heard: Heard) -> Heard:
        if question := self._open.pop(plan_id, None):
            question.heard = heard
            question.closed.set()
        return heard

    async def _put(self, plan_id: str, text: str, host: Host, seconds: float) -> Heard:
        """The answer to a question that is put while the call goes on; taken back if none comes."""
        question = self._open[plan_id] = Question()
        try:
            heard = question.heard = await _answer(text, host, seconds)
        finally:
            question.closed.set()
            if self._open.get(plan_id) is question:
                del self._open[plan_id]
        return heard


def question_about(plan: Plan, minds: Minds | None) -> str:
    """What a person is asked: figures first, then the task, whose words are a model's."""
    ceilings = ""
    if minds:
        ceilings = f" It stops at ${minds.max_usd_per_run:g} for the run and ${minds.max_usd_per_day:g} for the day."
    agents, others = agents_in(plan), len(plan.subtasks) - len(plan.kept) - agents_in(plan)
    rules = f" and {others:,} for rules" if others else ""
    task = in_line(" ".join(plan.task.task.split()), TASK_CHARS)
    return (
        f"Start {plan.id}? {agents:,} subtasks for agents{rules}; estimated: {price_of(plan)}.{ceilings} "
        f'The task, as the host worded it: "{task}"'
    )


async def _answer(text: str, host: Host, seconds: float) -> Heard:
    try:
        with anyio.fail_after(seconds):
            return _read(await host.session.elicit_form(text, SCHEMA, host.request_id))
    except TimeoutError:
        return _unheard(seconds)
    except MCPError as error:
        return Heard(False, f"The host could not ask anybody: {in_line(error.message) or 'it did not say why'}.")
    except ValidationError:
        return UNCLEAR


def not_approved(needed: ApprovalNeededError, heard: Heard) -> ApprovalNeededError:
    """The error that says what came of the question, where no approval did."""
    remedy = needed.remedy
    if heard is DECLINED:
        remedy = f"Leave it, or plan less. Who changes their mind runs this in a terminal: {needed.command}"
    problem, command = f"{heard.why_not} {needed.problem}", needed.command
    return ApprovalNeededError(problem, plan_id=needed.plan_id, why=needed.why, command=command, remedy=remedy)


def _request(text: str) -> ElicitRequest:
    return ElicitRequest(params=ElicitRequestFormParams(message=text, requested_schema=SCHEMA))


def _state(plan_id: str) -> str:
    """What comes back with the answer; the SDK seals it with the call's own arguments."""
    return f"{KEY} {plan_id}"


def _read(answer: object) -> Heard:
    """A yes is an accepted form with a yes in it; anything else is none."""
    if not isinstance(answer, ElicitResult):
        return UNCLEAR
    if answer.action != "accept":
        return DECLINED if answer.action == "decline" else DISMISSED
    said = (answer.content or {}).get(KEY)
    if said is True:
        return Heard(True)
    return DECLINED if said is False else UNCLEAR


def _unheard(seconds: float) -> Heard:
    return Heard(False, f"Nobody answered within {seconds:.0f} s.")


def _is_modern(host: Host) -> bool:
    return bool(host.protocol_version) and is_version_at_least(str(host.protocol_version), MODERN)


def _can_ask(host: Host) -> bool:
    """Whether the host declares forms: an elicitation with no mode said is one of forms."""
    capabilities = host.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False
    return _is_modern(host) or host.session.can_send_request
