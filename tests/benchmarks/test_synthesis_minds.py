"""What `benchmarks/folding.py` rests on: minds that answer what synthesis asks, and a strict grader."""

from collections.abc import Sequence
from typing import Literal

import pytest
from benchmarks.endpoint import minds
from benchmarks.endpoint.config import Config, Knowledge
from benchmarks.endpoint.draft import reply
from benchmarks.endpoint.knowing import remembered
from benchmarks.endpoint.prompt import Prompt
from benchmarks.endpoint.synthesis import form
from benchmarks.folding import graded
from benchmarks.folding_contender import Told
from benchmarks.planted import Planted, planted
from pydantic import BaseModel

from fanfold_server.records import Conflict, Entry
from fanfold_server.synthesis import Desk, ModelComposer, synthesize
from fanfold_server.synthesis.drawing import drawn_by_model
from fanfold_server.synthesis.draws import Reading
from fanfold_server.synthesis.folding import folded
from fanfold_workers.aside import inline
from fanfold_workers.contract import Finding, Result, Severity
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.models.anthropic_request import request
from fanfold_workers.models.catalog import LEAD, WORKER, card_of
from fanfold_workers.models.model import Ask, FunctionModel, Reply, saying

TEXTS = planted(4, size=600)
FACTS = tuple(fact for text in TEXTS for fact in text.facts)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Minds:
    """The endpoint's minds as a model, without the endpoint."""

    def __init__(self, knows: Knowledge) -> None:
        self.config, self.forms = Config(knows=knows), list[str]()

    async def answer(self, ask: Ask) -> Reply:
        prompt = Prompt(request(ask, WORKER))
        self.forms.append(form(prompt))
        told = reply(minds.answer(prompt, self.config), ask.max_tokens, "q")
        return saying("".join(str(block["text"]) for block in told.content), stop=told.stop_reason)  # type: ignore[arg-type]

    @property
    def desk(self) -> Desk:
        return Desk(FunctionModel(self.answer), card_of(LEAD), card_of(WORKER), "r-1/calls", (), MemoryJournal())

    async def drawn(self, texts: Sequence[Planted] = TEXTS) -> Reading:
        asked = {text.name: text.text for text in texts}
        return await drawn_by_model(self.desk, "What is there?", asked, max_chars=8_000, aside=inline)


def quotes(reading: Reading) -> dict[str, set[str]]:
    found = reading.drawn.findings
    return {name: {" ".join(e.quote.split()) for f in those for e in f.evidence} for name, those in found.items()}


# -- draws -----------------------------------------------------------------------------------------------------------


async def test_a_reader_draws_the_facts_that_it_knows_and_nothing_else():
    reader = Minds(Knowledge(FACTS))
    reading = await reader.drawn()
    assert quotes(reading) == {text.name: set(text.facts) for text in TEXTS}
    assert reading.remarks == ()
    assert set(reader.forms) == {"Draws"}


async def test_a_reader_forgets_as_many_as_it_is_told_and_always_the_same_ones():
    texts = planted(40, size=600)
    knows = Knowledge(tuple(fact for text in texts for fact in text.facts), forget=0.3)
    kept = [quote for those in quotes(await Minds(knows).drawn(texts)).values() for quote in those]
    noticed = {fact for fact in knows.facts if fact in kept}
    assert 0.6 < len(noticed) / len(knows.facts) < 0.8
    remembered.cache_clear()
    few = quotes(await Minds(knows).drawn(texts[:3]))
    assert few == {text.name: set(text.facts) & noticed for text in texts[:3]}


async def test_a_summary_holds_the_facts_that_there_is_room_for():
    said = "Summarise it in at most 300 characters.\n\n" + TEXTS[0].text
    body = {"model": "m", "max_tokens": 1_000, "messages": [{"role": "user", "content": said}]}
    draft = minds.answer(Prompt(body), Config(mind="summary", knows=Knowledge(FACTS)))
    assert set(draft.text.splitlines()) < set(TEXTS[0].facts)
    assert 0 < len(draft.text) <= 300


# -- settles ---------------------------------------------------------------------------------------------------------


def waiting(subtask: str, value: str) -> Result:
    finding = Finding(subject="the pump", claim=f"It waits {value} s.", attribute="wait", value=value)
    return Result.ended(subtask, findings=(finding,))


async def conflict(side: Literal["first", "last", "none"]) -> Conflict:
    """What becomes of the one that there is."""
    results = [waiting("s1", "30"), waiting("s2", "60")]
    lead = Minds(Knowledge(side=side))
    report = await synthesize("How long?", (), results, {}, aside=inline, desk=lead.desk)
    (only,) = report.conflicts
    assert lead.forms == ["Settles"]
    assert report.remarks == ()
    return only


@pytest.mark.parametrize(("side", "value"), [("first", "30"), ("last", "60")])
async def test_a_lead_believes_the_side_that_it_is_told_to(side: Literal["first", "last"], value: str):
    settled = await conflict(side)
    assert settled.settled == f"settled by {LEAD}: Simulated: the {side} side is chosen by rule."
    assert settled.sides[0].value == value


async def test_a_lead_may_leave_a_conflict_open():
    assert (await conflict("none")).settled == ""


# -- folds -----------------------------------------------------------------------------------------------------------

PUMPS = tuple(f"Pump {n} stands still." for n in range(1, 200))


def entry(number: int, claim: str) -> Entry:
    return Entry(
        rank=number,
        subject="pumps",
        kind="claim",
        claim=claim,
        severity=Severity.info,
        score=1.0,
        support=1,
        findings=(f"s{number}.1",),
    )


async def test_a_folder_keeps_the_first_that_it_may_and_merges_what_says_the_same():
    folder = Minds(Knowledge())
    entries = [entry(n, claim) for n, claim in enumerate((*PUMPS[:3], PUMPS[0].upper(), *PUMPS[3:]), 1)]
    order = {one.findings[0]: n for n, one in enumerate(entries)}
    fold = await folded(folder.desk, "And?", entries, order, room=2_000, aside=inline)
    assert set(folder.forms) == {"Folds"}
    assert fold.remarks == ()
    assert 20 < len(fold.entries) < len(PUMPS)
    assert fold.entries[0].findings == ("s1.1", "s4.1")
    assert fold.merged == {"s4.1": "s1.1"}
    assert fold.notes[0].startswith("Simulated: the first of these are [s1.1")


# -- writes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("max_chars", "least", "most"), [(4_000, 65, 90), (8_000, 130, 170)])
async def test_a_writer_cites_as_many_findings_as_there_is_room_for(max_chars: int, least: int, most: int):
    writer = Minds(Knowledge())
    findings = [Finding(subject=claim[:8].strip(), claim=claim) for claim in PUMPS]
    results = [Result.ended(f"s{n}", findings=(finding,)) for n, finding in enumerate(findings)]
    composer = ModelComposer(writer.desk, inline)
    report = await synthesize("And?", (), results, {}, aside=inline, composer=composer, max_chars=max_chars)
    assert writer.forms == ["Writes"]
    assert report.engine == f"model:{LEAD}"
    assert least <= report.markdown.count("Pump ") <= most


# -- the grader ------------------------------------------------------------------------------------------------------


async def test_a_grader_wants_each_fact_from_its_own_worker_at_its_own_place():
    results = [text.handed.result for text in TEXTS]
    report = await synthesize("And?", (), results, {}, aside=inline, desk=Minds(Knowledge(FACTS)).desk)
    told = Told("", 0, 0, 0, drawn=list(FACTS))
    whole = graded(TEXTS, told, report, frozenset(FACTS))
    assert (whole.found, whole.entered, whole.cited, whole.resolved) == (20, 20, 20, 20)
    first, second, *rest = report.ledger
    moved = first.model_copy(update={"place": first.place.replace(" c", " c1")})
    stolen = second.model_copy(update={"subtask": "t4"})
    worse = graded(TEXTS, told, report.model_copy(update={"ledger": (moved, stolen, *rest[:-1])}), frozenset(FACTS))
    assert (worse.found, worse.entered, worse.cited, worse.resolved) == (18, 18, 19, 17)


# -- the form of a request -------------------------------------------------------------------------------------------


class Draws(BaseModel):
    anything: str


@pytest.mark.parametrize(("kind", "named"), [(Draws, "Draws"), (Finding, "")])
def test_a_form_is_known_by_its_title(kind: type[BaseModel], named: str):
    schema = {"type": "json_schema", "schema": kind.model_json_schema()}
    assert form(Prompt({"output_config": {"format": schema}, "messages": []})) == named
