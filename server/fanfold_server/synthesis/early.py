"""Prose read while other workers are still at work: whatever request no later text can change is asked at once.

Requests are filled in plan order (see `drawing`), so the first results of a plan fill the same ones whatever comes
after them. Answers are kept by what was asked: when the report is made they are there.
"""

from collections.abc import Sequence

from fanfold_workers.aside import Aside
from fanfold_workers.contract import Result

from .desk import Desk
from .drawing import Reader
from .draws import Piece
from .material import proses


class EarlyReader:
    """Reads the prose of a plan's first results.

    Args:
        desk: whose worker model reads. It must keep its answers.
        question: what the report will answer.
        aside: where cutting runs.
    """

    def __init__(self, desk: Desk, question: str, aside: Aside) -> None:
        self._reader = Reader.at(desk, question)
        self._aside = aside
        self._open: tuple[Piece, ...] = ()

    async def filled(self, results: Sequence[Result]) -> list[tuple[Piece, ...]]:
        """The requests that these results, the next in plan order, have filled."""
        texts, _ = proses(results)
        requests = await self._aside(lambda: self._reader.requests(texts, self._open)) if texts else []
        if requests:
            self._open = requests.pop()
        return requests

    async def read(self, those: tuple[Piece, ...]) -> None:
        """Ask about them. What cannot be had now is asked for again, or told, when the report is made."""
        await self._reader.heard(those)
