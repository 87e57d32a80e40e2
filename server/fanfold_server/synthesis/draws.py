"""The form in which the worker model writes down what it draws from prose, and what that comes to."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

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
    """What became of the pieces of one request: what was drawn from them, or why nothing could be."""

    pieces: tuple[Piece, ...]
    draws: tuple[Draw, ...] | None
    why: str = ""


def place_of(piece: str, known: int) -> int | None:
    """The number, from 0, of the piece that a tag names, of so many; None if it names none."""
    number = piece.strip("<>/[] ").casefold().removeprefix("p")
    known_form = number.isascii() and number.isdigit() and len(number) < 10
    return int(number) - 1 if known_form and 0 < int(number) <= known else None
