"""What was answered before is not asked again."""

import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from tests.workers.models.doubles import CARD, Backend, account, answer, asking, virtual_time

from fanfold_server.store import open_journal
from fanfold_workers.accounts import Amount
from fanfold_workers.journal import MemoryJournal
from fanfold_workers.models.memo import Memo
from fanfold_workers.models.model import Ask, Replied, Said, ToolSpec, Web
from fanfold_workers.models.record import Record


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return virtual_time()


ASK = asking("Which way?", key="r-1/calls/s1/001/1")


def memo(journal: MemoryJournal, backend: Backend, model: str = "a-model") -> Memo:
    return Memo(Record(backend, journal, CARD), journal, model)


FIRST_LIFE = """
    import os, sys, anyio
    from pathlib import Path
    from tests.workers.models.doubles import *
    from tests.workers.models.test_memo import ASK
    from fanfold_server.store import open_journal
    from fanfold_workers.models.memo import Memo
    from fanfold_workers.models.record import Record

    async def main():
        async with open_journal(Path(sys.argv[1])) as journal:
            backend = Backend([answer(text=f"said in process {os.getpid()}")])
            print((await Memo(Record(backend, journal, CARD), journal, "a-model").ask(ASK)).text)

    anyio.run(main)
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_same_request_at_the_same_place_is_asked_once_over_two_processes_lives(tmp_path: Path):
    command = [sys.executable, "-c", textwrap.dedent(FIRST_LIFE), str(tmp_path)]
    first = await anyio.run_process(command, stderr=None)
    async with open_journal(tmp_path) as journal:
        backend = Backend()
        reply = await Memo(Record(backend, journal, CARD), journal, "a-model").ask(ASK)
    assert reply.text == first.stdout.decode().strip()
    assert reply.text.startswith("said in process ")
    assert backend.asked == []


async def test_what_is_remembered_costs_nothing():
    journal, backend = MemoryJournal(), Backend()
    ask = replace(ASK, purse=(account("r-1"),), worst=Amount(100, 150, 1))
    replies = [await memo(journal, backend).ask(ask) for _ in range(3)]
    assert replies == [answer()] * 3
    assert (len(backend.asked), (await journal.standing("r-1")).spent) == (1, Amount(10, 60, 1))
    assert [reply.spent for reply in replies] == [Amount(10, 60, 1), None, None]


@pytest.mark.parametrize(
    "other",
    [
        replace(ASK, turns=(Said("Which way!"),)),
        replace(ASK, turns=(*ASK.turns, Replied("[]"), Said("And then?"))),
        replace(ASK, turns=(Replied(ASK.turns[0].text),)),
        replace(ASK, system="Be long."),
        replace(ASK, tools=(ToolSpec("look", "Looks.", "{}"),)),
        replace(ASK, web=Web()),
        replace(ASK, schema="{}"),
        replace(ASK, max_tokens=101),
        replace(ASK, effort="low"),
        replace(ASK, key="r-1/calls/s1/001/2"),
        replace(ASK, key="r-1/calls/s1/002/1"),
    ],
    ids=["text", "turn", "speaker", "system", "tools", "web", "schema", "length", "effort", "place", "attempt"],
)
async def test_another_request_or_place_is_asked_anew(other: Ask):
    journal, backend = MemoryJournal(), Backend()
    await memo(journal, backend).ask(ASK)
    await memo(journal, backend).ask(other)
    assert len(backend.asked) == 2


async def test_another_model_is_asked_anew():
    journal, backend = MemoryJournal(), Backend()
    await memo(journal, backend, "a-model").ask(ASK)
    await memo(journal, backend, "another-model").ask(ASK)
    assert len(backend.asked) == 2


async def test_who_pays_and_how_much_at_worst_makes_no_other_request():
    journal, backend = MemoryJournal(), Backend()
    await memo(journal, backend).ask(ASK)
    await memo(journal, backend).ask(replace(ASK, purse=(account("r-2"),), worst=Amount(5), begun=lambda: None))
    assert len(backend.asked) == 1


async def test_without_a_key_nothing_is_remembered_or_looked_up():
    journal, backend = MemoryJournal(), Backend()
    for _ in range(2):
        await memo(journal, backend).ask(replace(ASK, key=""))
    assert (len(backend.asked), await journal.entries("")) == (2, [])


async def test_what_is_said_to_be_new_is_not_looked_up_but_remembered():
    journal, backend = MemoryJournal(), Backend([answer(text="first"), answer(text="second")])
    new = replace(ASK, new=True)
    said = [(await memo(journal, backend).ask(ask)).text for ask in (new, new, ASK)]
    assert said == ["first", "second", "first"]
