"""The tool calls of one turn: who may, what they came to, and the journal that remembers it."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio
from pydantic import TypeAdapter

from fanfold_workers.contract import Examined, Finding, Usage
from fanfold_workers.errors import FanfoldError, InputError
from fanfold_workers.lenient import read_findings
from fanfold_workers.models.model import Reply, ToolAnswer, ToolCall
from fanfold_workers.tools.audit import Executor
from fanfold_workers.tools.legible import in_line, legible
from fanfold_workers.work import Notes, Step

from .builtin import (
    AGAIN,
    NAMES,
    NOTE,
    REPORT,
    Adopted,
    AgainArguments,
    NoteArguments,
    ReportArguments,
    read_arguments,
)
from .coverage import Coverage
from .past import Past
from .words import GIVEN, output

MAX_CALLS_A_TURN = 20
MAX_SAME = 2
"""How often the very same call is answered."""
SHOWN_CHARS = 40_000
"""Of an answer so much is shown; the rest is there to be read again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one tool call came to.

    Attributes:
        text: all of the answer.
        failed: whether it is an error.
        findings: what an inspection found.
        examined: what it looked at.
    """

    text: str
    failed: bool = False
    findings: tuple[Finding, ...] = ()
    examined: Examined = field(default_factory=Examined)


OUTCOMES = TypeAdapter(list[Outcome])


@dataclass(slots=True)
class Calls:
    """Runs a worker's tool calls, each answered once and for all.

    Attributes:
        toolbox: decides what may run.
        notes: where findings go.
        past: where answers are kept, so that a worker that goes on later sees what it saw.
        coverage: what was looked at so far.
        limit: how many calls may be made.
        withdrawn: whether only noting and reporting are left.
        report: what was reported, once it was.
        made: calls made so far, built-in tools left out.
        sources: what was cited of pages that the provider looked up, by address.
        given: what there is to read from the start: what prerequisites found.
        replies: of the model, so far.
        noted: every finding noted so far.
    """

    toolbox: Executor
    notes: Notes
    past: Past
    coverage: Coverage
    limit: int
    withdrawn: bool = False
    report: ReportArguments | None = None
    made: int = 0
    sources: dict[str, str] = field(default_factory=dict[str, str])
    given: str = ""
    replies: list[Reply] = field(default_factory=list[Reply])
    noted: list[Finding] = field(default_factory=list[Finding])
    _turn: int = -1
    _kept: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    _same: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        if self.given:
            self._kept[GIVEN] = Outcome(self.given)

    def stepped(self, kind: Literal["turn", "tool"], note: str) -> None:
        """Tell whoever watches what comes next, and how far this try is."""
        self.notes.step(Step(kind, in_line(note, 100), self.coverage.examined, used(self.replies, self.made)))

    async def answer(self, calls: Sequence[ToolCall]) -> tuple[ToolAnswer, ...]:
        """The answers of one turn, in the order of the calls. Calls of tools run side by side."""
        self._turn += 1
        name = f"tools{self._turn:03}.{digest(calls)}"
        kept = self.past.known.get(name)
        whys = [self._refusal(n, call) for n, call in enumerate(calls)]
        outcomes = OUTCOMES.validate_json(kept) if kept else await self._made(calls, whys)
        for n, call in enumerate(calls):
            outcomes[n] = await self._noted(call, whys[n], outcomes[n])
            self._kept[f"t{self._turn}.{n}"] = outcomes[n]
            if not (outcomes[n].failed or call.name in NAMES):
                self.coverage.saw(call.name, call.arguments, outcomes[n].examined)
        # What a built-in tool says follows from what was asked of it: only the world's answers need to be kept.
        if kept is None and any(call.name not in NAMES for call in calls):
            await self.past.keep(name, OUTCOMES.dump_json(outcomes).decode())
        return tuple(self._shown(n, call, outcomes[n]) for n, call in enumerate(calls))

    def cut_off(self, calls: Sequence[ToolCall]) -> tuple[ToolAnswer, ...]:
        """The answers to calls of a reply that broke off: none is made, since who knows what they lack."""
        self._turn += 1
        text = (
            "Your reply broke off at its greatest length, so this call was not made. Make it again, and be shorter."
        )
        return tuple(ToolAnswer(call.id, text, failed=True) for call in calls)

    def _refusal(self, n: int, call: ToolCall) -> str:
        """Why a call is not made, "" if it is."""
        if n >= MAX_CALLS_A_TURN:
            return f"Only {MAX_CALLS_A_TURN} calls are answered in one turn. Make this one in the next."
        if call.name in NAMES:
            return ""
        if self.withdrawn:
            return "No tool answers any more. Call report now."
        if self.made >= self.limit:
            return f"All {self.limit} tool calls are used up. Call report now."
        same = f"{call.name} {json.dumps(call.arguments, sort_keys=True, default=str)}"
        self._same[same] += 1
        if self._same[same] > MAX_SAME:
            return "You have made this very call before, and its answer stands above. Do something else, or report."
        self.made += 1
        return ""

    async def _made(self, calls: Sequence[ToolCall], whys: Sequence[str]) -> list[Outcome]:
        """What came of the calls that may be made, side by side; the others are refused."""
        wanted = [n for n, call in enumerate(calls) if not (whys[n] or call.name in NAMES)]
        outcomes = [Outcome(why, failed=bool(why)) for why in whys]
        came = await anyio.amap(self._ran, [calls[n] for n in wanted]) if wanted else []
        for n, outcome in zip(wanted, came, strict=True):
            outcomes[n] = outcome
        return outcomes

    async def _ran(self, call: ToolCall) -> Outcome:
        self.stepped("tool", call.name)
        try:
            answer = await self.toolbox.call(call.name, call.arguments)
        except FanfoldError as error:
            return Outcome(legible(str(error)), failed=True)
        except Exception as error:
            crash = in_line(f"{type(error).__name__}: {error}", 500)
            return Outcome(f"The tool {in_line(call.name, 100)} crashed: {crash}. Try another way.", failed=True)
        return Outcome(legible(answer.text), findings=answer.findings, examined=answer.examined)

    async def _noted(self, call: ToolCall, why: str, outcome: Outcome) -> Outcome:
        """The outcome of a built-in tool. Its effects come again when a worker goes on; its words stay the same."""
        if why or call.name not in NAMES:
            return outcome
        try:
            text = await self._built_in(call)
        except FanfoldError as error:
            return Outcome(outcome.text or legible(str(error)), failed=True)
        return Outcome(outcome.text or legible(text))

    async def _built_in(self, call: ToolCall) -> str:
        if call.name == AGAIN:
            return self._again(read_arguments(AgainArguments, AGAIN, call.arguments))
        if call.name == NOTE:
            given = read_arguments(NoteArguments, NOTE, call.arguments)
            return await self._note(given.findings, given.adopt)
        if self.report is not None:
            msg = "You have reported already."
            raise InputError(msg, field=REPORT, remedy="Report once.")
        report: ReportArguments = read_arguments(ReportArguments, REPORT, call.arguments)
        text = await self._note(report.findings, report.adopt)
        self.report = report
        return f"Reported. {text}"

    async def _note(self, given: Sequence[object], adopt: Sequence[Adopted]) -> str:
        read, refused = read_findings(given)
        adopted = [finding for one in adopt for finding in self._adopted(one)]
        cited = [self._cited(finding) for finding in read]
        noted = await self.notes.found(*cited, *adopted) if cited or adopted else ()
        self.noted.extend(noted)
        kept = f"Noted {len(noted)}" + (f" as {noted[0].id} to {noted[-1].id}." if noted else ".")
        problems = [f"{one.field}: {one.problem}." for one in refused[:20]]
        return "\n".join([kept, *(["Not noted; correct these and note them again:", *problems] if problems else [])])

    def _cited(self, finding: Finding) -> Finding:
        """The finding with the words that its pages were cited for, where it names a page and quotes nothing."""
        evidence = tuple(
            one
            if one.quote or one.source not in self.sources
            else one.model_copy(update={"quote": self.sources[one.source]})
            for one in finding.evidence
        )
        return finding.model_copy(update={"evidence": evidence})

    def _adopted(self, wanted: Adopted) -> Sequence[Finding]:
        outcome = self._kept.get(wanted.ref)
        if outcome is None or not outcome.findings:
            msg = f"The call {in_line(wanted.ref, 50)} found nothing that can be taken over."
            raise InputError(msg, field="adopt.ref", remedy="Name the call of an inspection, such as t2.0.")
        if not wanted.only:
            return outcome.findings
        return [outcome.findings[n - 1] for n in dict.fromkeys(wanted.only) if 1 <= n <= len(outcome.findings)]

    def _again(self, wanted: AgainArguments) -> str:
        outcome = self._kept.get(wanted.ref)
        if outcome is None:
            msg = f"There is no call {in_line(wanted.ref, 50)}."
            raise InputError(msg, field="read_again.ref", remedy="Name one as it stands in its answer: t2.0.")
        return outcome.text[wanted.offset : wanted.offset + SHOWN_CHARS]

    def _shown(self, n: int, call: ToolCall, outcome: Outcome) -> ToolAnswer:
        ref = f"t{self._turn}.{n}"
        ours = outcome.failed or call.name in {NOTE, REPORT}
        text = outcome.text[:SHOWN_CHARS] if ours else output(in_line(call.name, 100), outcome.text[:SHOWN_CHARS])
        more = len(outcome.text) - SHOWN_CHARS
        told: list[str] = []
        if more > 0 and call.name != AGAIN:
            told.append(f"[{more:,} more characters: read_again(ref={ref!r}, offset={SHOWN_CHARS})]")
        if outcome.findings:
            told.append(f"[Take findings over with adopt: ref {ref!r}, lines counted from 1]")
        return ToolAnswer(call.id, "\n".join([text, *told]), outcome.failed)


def digest(calls: Sequence[ToolCall]) -> str:
    """Eight hex digits of what was called: other calls in the same turn have other answers."""
    told = json.dumps([[call.name, call.arguments] for call in calls], sort_keys=True, default=str)
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def used(replies: Sequence[Reply], made: int) -> Usage:
    """What so many replies and tool calls took; what it cost, the accounts know."""
    return Usage(
        tool_calls=made,
        model_calls=len(replies),
        input_tokens=sum(reply.usage.read for reply in replies),
        output_tokens=sum(reply.usage.output for reply in replies),
        cached_tokens=sum(reply.usage.cache_read + reply.usage.cache_write for reply in replies),
    )
