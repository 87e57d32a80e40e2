"""What a run of a plan will cost, and what the figures rest on. Calls block.

Each subtask has an assumed price (`prices`), which this machine's own history bends (`learning`). Totals are sums of
independent subtasks times what a whole run is off by (`book`); seconds go through the run's places and dependencies
(`schedule`). The same plan and history give the same figures.
"""

from collections.abc import Sequence

from fanfold_server.records import Estimate
from fanfold_workers.contract import EffortClass, Subtask

from .basis import told
from .book import Book
from .observed import History
from .prices import Piece, Terms
from .survey import Reach, Survey


def estimate(
    subtasks: Sequence[Subtask],
    survey: Survey,
    terms: Terms,
    history: History = (),
) -> Estimate:
    """The price of the subtasks: those with checks go to the rules engine, the others as the terms say."""
    reaches = [survey.reach(subtask.scope.places) for subtask in subtasks]
    pieces = [_piece(s, reach, terms) for s, reach in zip(subtasks, reaches, strict=True)]
    book = Book(terms, history, pieces)
    joining, joining_usd = book.joining()
    workers = book.tokens()
    tokens, usd, seconds = workers + joining, book.usd() + joining_usd, book.seconds()
    return Estimate(
        workers=len(subtasks),
        seconds_low=round(seconds.low, 2),
        seconds_mid=round(seconds.middle, 2),
        seconds_high=round(seconds.high, 2),
        tokens_low=round(tokens.low),
        tokens_mid=round(tokens.middle),
        tokens_high=round(tokens.high),
        usd_low=round(usd.low, 4),
        usd_mid=round(usd.middle, 4),
        usd_high=round(usd.high, 4),
        multiple=book.multiple(tokens.middle, workers.middle, _whole(subtasks, survey, terms)),
        basis=told(book, reaches),
    )


def reach_of(subtasks: Sequence[Subtask], survey: Survey) -> tuple[tuple[int, int], ...]:
    """Files and bytes that each may read, each file as far as a worker reads it, for a Plan to keep."""
    reaches = (survey.reach(subtask.scope.places) for subtask in subtasks)
    return tuple((reach.files, reach.read) for reach in reaches)


def _piece(subtask: Subtask, reach: Reach, terms: Terms) -> Piece:
    return Piece(
        id=subtask.id,
        engine=terms.engine(subtask.checks),
        effort=subtask.effort,
        checks=subtask.checks,
        files=reach.files,
        bytes=reach.read,
        waits=subtask.depends_on,
    )


def _whole(subtasks: Sequence[Subtask], survey: Survey, terms: Terms) -> Piece | None:
    """One agent's share if it did the work of all minds: everything in reach, at the greatest effort."""
    minds = [subtask for subtask in subtasks if not subtask.checks]
    if not minds:
        return None
    reach = survey.reach(dict.fromkeys(place for subtask in minds for place in subtask.scope.places))
    effort = max((subtask.effort for subtask in minds), key=list(EffortClass).index)
    return Piece("all", terms.engine(()), effort, (), reach.files, reach.read)
