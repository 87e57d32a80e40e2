"""The last results of an engine, kept in the state folder, and what differs from them."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from re import sub
from uuid import uuid4

from pydantic import Field, ValidationError

from fanfold_server.records import Dollars
from fanfold_workers.contract import Id, Share, Value
from fanfold_workers.errors import InputError, JournalError

from .evaluating import Judged
from .scoring import NAMES
from .summing import Sum

FOLDER = "evaluations"
LEAST = 0.000_5
"""Scores that differ by less are the same."""


class Change(Value):
    """A case that came out otherwise than before.

    Attributes:
        id: of the case.
        before, after: its score; None where it was not scored.
        scores: those that differ, with both values.
        note: what else differs: its state, or the case itself.
    """

    id: Id
    before: Share | None
    after: Share | None
    scores: dict[str, tuple[Share | None, Share | None]] = Field(
        default_factory=dict[str, tuple[float | None, float | None]]
    )
    note: str = ""

    @property
    def by(self) -> float:
        """How much better it is; worse below 0."""
        return (self.after or 0.0) - (self.before or 0.0)


class Suite(Value):
    """Results of an engine.

    Attributes:
        engine: `rules` or `model:<id>`.
        at: when the latest of them came in, local time with its offset.
        version: of fanfold.
        usd: what the planning cost, in US dollars.
        results: of each case the latest.
        classes: the same summed, class by class, and in all.
        against: when those results came in that `changes` are against; "" if there are none.
        changes: the cases that came out otherwise.
    """

    engine: str
    at: str = ""
    version: str = ""
    usd: Dollars = 0.0
    results: tuple[Judged, ...]
    classes: tuple[Sum, ...] = ()
    against: str = ""
    changes: tuple[Change, ...] = ()


def differences(before: Iterable[Judged], after: Iterable[Judged]) -> tuple[Change, ...]:
    """The cases of both that came out otherwise, the worst change first. A case that was rewritten is only named."""
    known = {judged.id: judged for judged in before}
    found = (_change(known[one.id], one) for one in after if one.id in known)
    return tuple(sorted((change for change in found if change), key=lambda change: (change.by, change.id)))


def _change(before: Judged, after: Judged) -> Change | None:
    was, now = (one.total if one.state == "scored" else None for one in (before, after))
    if before.case != after.case:
        return Change(id=after.id, before=was, after=now, note="the case was changed")
    pairs = {name: (before.scores.get(name), after.scores.get(name)) for name in NAMES}
    scores = {name: pair for name, pair in pairs.items() if not _alike(*pair)}
    note = f"{before.state} became {after.state}" if before.state != after.state else ""
    if not (scores or note) and _alike(was, now):
        return None
    return Change(id=after.id, before=was, after=now, scores=scores, note=note)


def _alike(was: float | None, now: float | None) -> bool:
    if was is None or now is None:
        return was is now
    return abs(was - now) < LEAST


@dataclass(frozen=True, slots=True)
class Kept:
    """The last results of each engine, a file for each.

    Attributes:
        home: the state folder.
    """

    home: Path

    def file(self, engine: str) -> Path:
        """Where an engine's results are."""
        slug = sub(r"[^A-Za-z0-9.-]+", "-", engine).strip("-.")[:80]
        return self.home / FOLDER / f"{slug}-{blake2b(engine.encode(), digest_size=3).hexdigest()}.json"

    def last(self, engine: str) -> Suite | None:
        """The last results of an engine; None if there are none that can be read."""
        try:
            return Suite.model_validate_json(self.file(engine).read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def keep(self, suite: Suite) -> None:
        """Keep results; of cases that were not run this time the earlier ones stay.

        Raises:
            JournalError: if the state folder cannot be written.
        """
        file, last = self.file(suite.engine), self.last(suite.engine)
        new = {judged.id for judged in suite.results}
        old = tuple(judged for judged in (last.results if last else ()) if judged.id not in new)
        told = {"results": (*old, *suite.results), "classes": (), "against": "", "changes": ()}
        whole = suite.model_copy(update=told)
        beside = file.with_name(f".{file.name}.{uuid4().hex[:8]}.tmp")
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside.write_text(whole.model_dump_json(indent=1), "utf-8")
            beside.replace(file)
        except OSError as error:
            msg = f"{file} cannot be written: {error.strerror or error}."
            remedy = "Set FANFOLD_HOME to a folder on a local disk that you can write to."
            raise JournalError(msg, field="home", remedy=remedy) from error


def read_suite(file: Path) -> Suite:
    """Results that were written as JSON.

    Raises:
        InputError: if the file cannot be read or holds no results.
    """
    try:
        return Suite.model_validate_json(file.read_bytes())
    except OSError as error:
        msg = f"{file} cannot be read: {error.strerror or error}."
        raise InputError(
            msg, field="--against", remedy="Name a file that `fanfold eval plan --json` wrote."
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        msg = f"{file} holds no results ({where}: {first['msg']})."
        raise InputError(
            msg, field="--against", remedy="Name a file that `fanfold eval plan --json` wrote."
        ) from error
