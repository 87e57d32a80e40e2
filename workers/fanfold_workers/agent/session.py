"""One worker's conversation with its model: ask, run the tools that it calls, until it reports or must stop."""

from dataclasses import dataclass, replace

import anyio

from fanfold_workers.accounts import Account, Amount
from fanfold_workers.contract import Limits, Status
from fanfold_workers.errors import TooLongError
from fanfold_workers.models.model import Answered, Ask, Effort, Model, Replied, Reply, Said, ToolSpec, Turn, Web
from fanfold_workers.models.tokens import prefix_tokens

from .calls import Calls
from .history import fitted
from .past import Past
from .words import prompt

SOFT = 0.8
"""At this part of its time or tokens a worker is asked to report."""
LAST_TURNS = 3
"""Turns left when it is asked to report, and those it may still take then."""
MAX_HISTORY_TOKENS = 150_000
"""Every turn reads the whole history again, so a large window is no reason to fill it."""
SMALLEST_ROOM = 2_000
MAX_QUOTE_CHARS = 2_000
"""As much as evidence holds."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What all workers of a run have in common.

    Attributes:
        model: who is asked.
        system, tools: the same bytes for all, so that a cache serves them.
        web: what those may look up whose scope says so.
        window: tokens of a request with its answer.
        max_tokens: tokens of an answer.
        effort: how hard the model should try.
        hedge: whether a call that takes far longer than its siblings is made a second time.
    """

    model: Model
    system: str
    tools: tuple[ToolSpec, ...]
    web: Web | None
    window: int
    max_tokens: int
    effort: Effort = ""
    hedge: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How a conversation ended.

    Attributes:
        status: the worst that can be said; ok leaves it to what was reported and examined.
        reason: why it is not ok.
        text: prose in place of a report.
    """

    status: Status = Status.ok
    reason: str = ""
    text: str = ""


@dataclass(slots=True)
class Session:
    """One try at one subtask.

    Attributes:
        setup: what it shares with the other workers.
        calls: runs its tools.
        past: what is known of this try, so that it goes on as it went before.
        purse: accounts that pay.
        limits: where it must stop.
        web: whether it may use the web.
        turns: the conversation so far.
        spent: what the try has cost, if its last call was answered just now; None if only the journal knows.
    """

    setup: Setup
    calls: Calls
    past: Past
    purse: tuple[Account, ...]
    limits: Limits
    web: bool
    turns: list[Turn]
    spent: Amount | None = None
    _room: int = 0
    _closing: int = 0
    _ran_out: str = ""
    _reminded: bool = False
    _began: float = 0.0

    @property
    def replies(self) -> list[Reply]:
        """All replies so far."""
        return self.calls.replies

    async def converse(self) -> Ending:
        """Go on until the model reports, refuses, or must stop.

        Raises:
            ModelError, OverBudgetError: as Model.ask.
        """
        await self._prepare()
        for n in range(self.limits.turns):
            await self._steer(n)
            self.spent = None
            self.calls.stepped("turn", f"turn {n + 1}")
            reply = await self._reply(n)
            self.spent = reply.spent
            self.replies.append(reply)
            self.calls.sources |= {one.url: one.quote[:MAX_QUOTE_CHARS] for one in reply.sources if one.quote}
            self.turns.append(Replied(reply.content))
            ending = await self._called(reply) if reply.calls else self._spoke(reply)
            if ending:
                return ending
            if self._closing and n - self._closing >= LAST_TURNS:
                break
        return Ending(Status.truncated, f"it did not report within {len(self.replies)} turns")

    async def _prepare(self) -> None:
        self._began = anyio.current_time()
        shared = prefix_tokens(self._ask(0))
        room = min(MAX_HISTORY_TOKENS, self.setup.window - self.setup.max_tokens - shared)
        self._room = max(room, SMALLEST_ROOM)

    # -- steering: what depends on time, kept so that a worker that goes on does as it did --------------------------

    async def _steer(self, n: int) -> None:
        """Ask for the report when time, tokens or turns run out."""
        name = f"t{n:03}.closing"
        what = self.past.known.get(name) or self._running_out(n)
        if not what or self._closing:
            return
        await self.past.keep(name, what, own=True)
        self._closing, self._ran_out, self.calls.withdrawn = max(n, 1), what, True
        self._say(prompt("report_now").substitute(what=what))

    def _running_out(self, n: int) -> str:
        if anyio.current_time() - self._began >= self.limits.seconds * SOFT:
            return "time"
        if sum(reply.usage.read + reply.usage.output for reply in self.replies) >= self.limits.tokens * SOFT:
            return "tokens"
        if self.calls.made >= self.calls.limit:
            return "tool calls"
        return "turns" if n and n >= self.limits.turns - LAST_TURNS else ""

    def _say(self, text: str) -> None:
        last = self.turns[-1]
        if isinstance(last, Said):
            self.turns[-1] = Said(f"{last.text}\n\n{text}")
        elif isinstance(last, Answered):
            self.turns[-1] = replace(last, text=f"{last.text}\n\n{text}".strip())
        else:
            self.turns.append(Said(text))

    # -- asking ---------------------------------------------------------------------------------------------------

    async def _reply(self, n: int) -> Reply:
        """The reply of a turn; a request that turns out too long is made once more with less history."""
        name = f"t{n:03}.room"
        self._room = int(self.past.known.get(name) or self._room)
        self.turns = fitted(self.turns, self._room)
        try:
            return await self.setup.model.ask(self._ask(n))
        except TooLongError:
            if self._room // 2 < SMALLEST_ROOM:
                raise
            self._room //= 2
            await self.past.keep(name, str(self._room))
            self.turns = fitted(self.turns, self._room)
            return await self.setup.model.ask(self._ask(n))

    def _ask(self, n: int) -> Ask:
        setup = self.setup
        return Ask(
            system=setup.system,
            turns=tuple(self.turns),
            tools=setup.tools,
            web=setup.web if self.web else None,
            max_tokens=setup.max_tokens,
            effort=setup.effort,
            shared=True,
            ongoing=True,
            key=f"{self.past.prefix}t{n:03}.reply",
            new=not self.past.holds(f"t{n:03}.reply"),
            purse=self.purse,
            hedge=setup.hedge,
        )

    # -- what came back -------------------------------------------------------------------------------------------

    async def _called(self, reply: Reply) -> Ending | None:
        if reply.stop in {"max_tokens", "model_context_window_exceeded"}:
            self.turns.append(Answered(self.calls.cut_off(reply.calls)))
            return self._again("your reply broke off", Status.truncated)
        answers = await self.calls.answer(reply.calls)
        self.turns.append(Answered(answers))
        if self.calls.report is None:
            return None
        doubt = self._doubt()
        if self._closing:
            return Ending(Status.partial, f"it ran out of {self._ran_out} and was asked to report")
        if not doubt or self._reminded:
            return Ending(Status.ok)
        self.calls.report = None
        return self._again(doubt, Status.partial)

    def _doubt(self) -> str:
        """Why a report will not do yet, "" if it will."""
        report, noted = self.calls.report, self.calls.noted
        if report and not (report.summary.strip() or noted or report.gaps):
            return "the report is empty"
        if noted and not any(finding.evidence for finding in noted):
            return "none of the findings has evidence that could be looked up"
        seen = self.calls.coverage
        if seen.barely_begun:
            return f"you looked at {seen.examined.done:,} of the {seen.in_scope:,} files in reach"
        return ""

    def _spoke(self, reply: Reply) -> Ending | None:
        """What words without any call come to."""
        if reply.stop == "pause_turn":
            return None
        if reply.stop == "refusal":
            said = f": {' '.join(reply.text.split())[:500]}" if reply.text.strip() else ""
            return Ending(Status.refused, f"the model refused{said}")
        if reply.stop == "max_tokens":
            return self._again("your reply broke off at its greatest length", Status.truncated, reply.text)
        if reply.stop == "model_context_window_exceeded":
            self._room = max(self._room // 2, SMALLEST_ROOM)
            return self._again("your reply broke off at the end of the window", Status.truncated, reply.text)
        if not reply.text.strip():
            return self._again("your reply is empty", Status.failed)
        return self._again("you answered in prose and did not call report", Status.partial, reply.text)

    def _again(self, doubt: str, status: Status, text: str = "") -> Ending | None:
        """Ask once more; the second time, end with what there is."""
        if self._reminded:
            return Ending(status, doubt.replace("your reply", "its reply").replace("you ", "it "), text)
        self._reminded = True
        self._say(prompt("once_more").substitute(doubt=doubt))
        return None
