"""What the lead answered, kept in a file by case and prompt, and given again without asking anybody.

One line of JSON for each answer: the model, the case, a hash of all that it was asked, the answer. A prompt, a schema
or a tool's description that has changed makes another hash, and the answer stale: it was given to other words.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fanfold_workers.errors import InputError, RejectedError
from fanfold_workers.models.model import Ask, Model, Reply
from fanfold_workers.models.record import dumped, loaded


class StaleError(RejectedError):
    """Raised when no recorded answer was given to just these words."""


def hash_of(ask: Ask) -> str:
    """Sixteen hex digits of all that is asked: instructions, conversation, tools, schema; not its greatest length."""
    return replace(ask, max_tokens=0).digest("")


@dataclass(frozen=True, slots=True)
class Recording:
    """A Model whose answers are written down as they come in.

    Attributes:
        model: who is asked; `id` is its name.
        file: where answers are appended.
        case: whose plan it is.
    """

    model: Model
    id: str
    file: Path
    case: str

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model."""
        reply = await self.model.ask(ask)
        line = {"model": self.id, "case": self.case, "asked": hash_of(ask), "reply": json.loads(dumped(reply))}
        # Here and now, not aside: nothing may come between an answer that is paid for and its line on disk.
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(f"{json.dumps(line)}\n")
        return reply


@dataclass(frozen=True, slots=True)
class Replaying:
    """A Model that gives the recorded answers of one case.

    Attributes:
        answers: by hash.
    """

    answers: Mapping[str, Reply]

    async def ask(self, ask: Ask, /) -> Reply:
        """See Model.

        Raises:
            StaleError: if nothing was recorded for just these words.
        """
        if reply := self.answers.get(hash_of(ask)):
            return reply
        if not self.answers:
            msg = "No answer was recorded for this case."
            raise StaleError(msg, field="--answers", remedy="Record one: --record FILE, with a key.")
        msg = "Its recorded answer is stale: the lead would be asked in other words now."
        raise StaleError(msg, field="--answers", remedy="Record it again: --record FILE, with a key.")


@dataclass(frozen=True, slots=True)
class Answers:
    """Recorded answers of one model.

    Attributes:
        model: its id.
        by_case: for each case its answers by hash; of two to the same words the later counts.
    """

    model: str
    by_case: Mapping[str, Mapping[str, Reply]]

    def of(self, case: str) -> Replaying:
        """A Model for one case."""
        return Replaying(self.by_case.get(case, {}))


def read_answers(file: Path, model: str = "") -> Answers:
    """The answers that a file holds of one model, or of the only one there is.

    Raises:
        InputError: if it cannot be read, a line is no answer, or it holds none of that model or those of several.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file} cannot be read: {error}."
        raise InputError(msg, field="--answers", remedy="Name a file that --record wrote.") from error
    held = [_line(n, line) for n, line in enumerate(lines, 1) if line.strip()]
    names = list(dict.fromkeys(name for name, *_ in held))
    if not names or (model and model not in names) or (not model and len(names) > 1):
        msg = f"It holds answers of {', '.join(names) or 'nobody'}."
        remedy = "Say whose with --model." if names else "Record some: --record FILE, with a key."
        raise InputError(msg, field="--answers", remedy=remedy)
    mine = model or names[0]
    by_case: dict[str, dict[str, Reply]] = {}
    for name, case, asked, reply in held:
        if name == mine:
            by_case.setdefault(case, {})[asked] = reply
    return Answers(mine, by_case)


def _line(number: int, text: str) -> tuple[str, str, str, Reply]:
    try:
        line: dict[str, Any] = json.loads(text)
        return str(line["model"]), str(line["case"]), str(line["asked"]), loaded(json.dumps(line["reply"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"Line {number} is no recorded answer ({type(error).__name__})."
        raise InputError(msg, field="--answers", remedy="Name a file that --record wrote.") from error
