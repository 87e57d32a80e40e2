"""The form in which the worker model writes down what it draws from prose, and what that comes to."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import from_json

from fanfold_workers.contract import Severity

from .desk import Words, lean
from .texts import Drawn


def _severity(given: object) -> str:
    return given if isinstance(given, str) and given in Severity.__members__ else "info"


def _confidence(given: object) -> float:
    if not isinstance(given, int | float):
        return 0.5
    return float(given) if 0 <= given <= 1 else float(given > 1)


Level = Annotated[Literal["critical", "high", "medium", "low", "info"], BeforeValidator(_severity)]


class Draw(BaseModel):
    """A fact, as the model writes it. Read leniently: a slip in one must not cost the others."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra=lean)

    piece: Words
    quote: Words
    subject: Words
    claim: Words = ""
    attribute: Words = ""
    value: Words = ""
    severity: Level = "info"
    confidence: Annotated[float, BeforeValidator(_confidence)] = 0.5


class Draws(BaseModel):
    """What the model drew from the pieces of one request."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra=lean)

    findings: tuple[Draw, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was drawn, and what whoever reads the report should know of how.

    Attributes:
        drawn: findings in the order of their text, without ids, and spans that tile each text. A quote within another
            takes its part of that one's span: so a finding may have two spans, or none if others hold all it quotes.
        remarks: short sentences.
    """

    drawn: Drawn
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a text, as it is shown less its fence: from which character on, and how many tokens that are."""

    name: str
    start: int
    text: str
    tokens: int

    @property
    def end(self) -> int:
        """The character after its last."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of the pieces of one request: what was drawn from them, or why nothing could be.

    Attributes:
        pieces: those that were shown.
        draws: None if none can be used.
        why: why not.
        broken: whether the draws are from an answer that broke off: some pieces were then asked about again.
    """

    pieces: tuple[Piece, ...]
    draws: tuple[Draw, ...] | None
    why: str = ""
    broken: bool = False


def place_of(piece: str, known: int) -> int | None:
    """The number, from 0, of the piece that a tag names, of so many; None if it names none."""
    number = piece.strip("<>/[] ").casefold().removeprefix("p")
    known_form = number.isascii() and number.isdigit() and len(number) < 10
    return int(number) - 1 if known_form and 0 < int(number) <= known else None


def salvaged(text: str) -> tuple[Draw, ...]:
    """What stands complete in an answer that broke off; not the last in it, which may have been cut."""
    try:
        answer = from_json(text, allow_partial=True)
    except ValueError:
        return ()
    found = cast("dict[str, Any]", answer).get("findings") if isinstance(answer, dict) else None
    return tuple(_well_formed(cast("list[object]", found)[:-1])) if isinstance(found, list) else ()


def _well_formed(found: Iterable[object]) -> Iterator[Draw]:
    for one in found:
        with suppress(ValidationError):
            yield Draw.model_validate(one)


def reached(draws: Iterable[Draw], known: int) -> int:
    """The number, from 0, of the last piece that is named, of so many; 0 unless they were gone through in order.

    A model that does not keep to the order may have left out any piece before that one.
    """
    named = [place for draw in draws if (place := place_of(draw.piece, known)) is not None]
    return named[-1] if named and named == sorted(named) else 0
