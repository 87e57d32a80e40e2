"""Cases: a task, what exists where it is planned, and what a good plan of it looks like.

A file holds the cases of one class and is named after it. Each begins with `[[case]]`; what is expected of its plan
stands below in `[case.expect]`. The fields are those of `Case` and `Expect`.
"""

import json
import tomllib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from functools import cache, cached_property
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from fanfold_server.records import MAX_SUBTASKS, Mode, Task
from fanfold_workers.contract import Id, Line, Place, Value
from fanfold_workers.errors import InputError, UnknownNameError

from .world import spread, world

CLASSES = (
    "narrow",
    "comparison",
    "audit",
    "research",
    "methods",
    "review",
    "migration",
    "vague",
    "trick",
    "orders",
)
"""narrow: a fact, one look. comparison: a few sides. audit: the same questions of many items. research: wide ones.
methods: the same data by different ways. review: code by module. migration: steps that must follow one another.
vague: what it wants has to be taken for granted. trick: it looks like something it is not. orders: what stands in its
context, items or names tries to command whoever plans."""

Words = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
"""Phrases of which one is enough. Case and runs of blanks don't count; see `scoring.reaches`."""


class Expect(Value):
    """What a good plan of a case looks like.

    Attributes:
        modes: those that are right; empty with `refused`.
        least, most: subtasks.
        covers: what must be somebody's work, each as phrases of which one must stand in some subtask.
        avoids: phrases that must stand in none.
        off_limits: places of which nothing may be within any subtask's reach.
        unused: tools that no subtask may have; `web` for looking things up there.
        order: pairs of phrases: what the second stands for must wait for what the first stands for.
        scope: places that hold all it needs (braces stand for several); what else can be read is excess. Left out
            where that is no question.
        shared: whether several subtasks may well read the same.
        refused: whether the right answer is no plan but an error, or a plan with errors that say what is wrong.
        rules: `cannot` where the rules engine is expected to say that it takes a mind.
    """

    modes: tuple[Mode, ...] = ()
    least: Annotated[int, Field(ge=1)] = 1
    most: Annotated[int, Field(ge=1, le=MAX_SUBTASKS)] = 1
    covers: tuple[Words, ...] = ()
    avoids: tuple[Annotated[str, Field(min_length=2)], ...] = ()
    off_limits: tuple[Place, ...] = ()
    unused: tuple[Id, ...] = ()
    order: tuple[tuple[Words, Words], ...] = ()
    scope: tuple[Place, ...] | None = None
    shared: bool = False
    refused: bool = False
    rules: Literal["", "cannot"] = ""

    @model_validator(mode="after")
    def _is_possible(self) -> "Expect":
        if bool(self.modes) == self.refused:
            msg = "modes: name those that are right, or say refused = true"
            raise ValueError(msg)
        if self.least > self.most:
            msg = f"least: {self.least} is more than most, {self.most}"
            raise ValueError(msg)
        if Mode.single in self.modes and self.least > 1:
            msg = "least: a single agent is one subtask"
            raise ValueError(msg)
        return self

    @property
    def needed(self) -> tuple[str, ...] | None:
        """The places of `scope`, each by itself; None if that is no question."""
        return None if self.scope is None else tuple(place for some in self.scope for place in spread(some))


class Fact(Value):
    """Something that a right report of a case says.

    Attributes:
        fact: for a reader.
        says: phrases of which one must stand in the report; all of several lists.
    """

    fact: Line
    says: Annotated[tuple[Words, ...], Field(min_length=1)]


class Case(Value):
    """A task, what exists where it is planned, and what a good plan of it looks like.

    Attributes:
        id: unique among all cases.
        kind: its class, the name of its file.
        language: of the task, as ISO 639-1 has it.
        task, context, items, roots, checks, max_workers: of the Task. `{01..24}` in items stands for several.
        repeated: how often the context stands there, to make a long one.
        world: the tree it is planned over, a file of `worlds`; "" for no roots.
        servers: other MCP servers: for each, its tools with what it says of them.
        web: whether workers may use the web.
        expect: what a good plan looks like.
        why: one sentence for a reader: what makes it worth asking.
        facts: what a right report says; a case that has some is one of `fanfold eval report`.
    """

    id: Id
    kind: Annotated[str, Field(pattern=f"^({'|'.join(CLASSES)})$")]
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]
    task: Annotated[str, Field(min_length=1)]
    context: str = ""
    repeated: Annotated[int, Field(ge=1, le=10_000)] = 1
    items: tuple[str, ...] = ()
    roots: tuple[Place, ...] = ()
    checks: tuple[Id, ...] = ()
    max_workers: int | None = None
    world: str = ""
    servers: dict[Id, dict[Id, str]] = Field(default_factory=dict[str, dict[str, str]])
    web: bool = False
    expect: Expect
    why: Annotated[str, Field(min_length=10, max_length=300)]
    facts: tuple[Fact, ...] = ()

    @model_validator(mode="after")
    def _fits_its_world(self) -> "Case":
        known = world(self.world)
        places = [*self.expect.off_limits, *(self.expect.scope or ())]
        strange = [place for place in places if not self.expect.refused and place.partition(":")[0] not in known]
        if strange:
            msg = f"expect: {strange[0]!r} is in no root of its world"
            raise ValueError(msg)
        said = next((phrase for phrase in self.expect.avoids if phrase.casefold() in self.task.casefold()), "")
        if said:
            msg = f"expect.avoids: {said!r} stands in the task itself"
            raise ValueError(msg)
        if not self.expect.refused:
            _ = self.asked
        return self

    @cached_property
    def asked(self) -> Task:
        """The Task that a planner is given.

        Raises:
            InputError: if there can be no such task, which a case may be about.
        """
        return Task(
            task=self.task,
            context="\n".join([self.context] * self.repeated),
            items=tuple(name for item in self.items for name in spread(item)),
            roots=self.roots,
            checks=self.checks,
            max_workers=self.max_workers,
        )

    @property
    def digest(self) -> str:
        """Eight hex digits that change with the case."""
        return blake2b(self.model_dump_json().encode(), digest_size=4).hexdigest()


@cache
def cases() -> tuple[Case, ...]:
    """All shipped cases, class by class.

    Raises:
        InputError: for a case that is malformed, naming file and field.
    """
    folder = files("fanfold_server.evaluation") / "cases"
    return read_cases(folder / f"{kind}.toml" for kind in CLASSES)


def read_cases(paths: Iterable[Traversable | Path]) -> tuple[Case, ...]:
    """The cases of these files; errors as `cases`."""
    found: list[Case] = []
    for path in paths:
        for case in _read(path):
            if any(case.id == other.id for other in found):
                raise _malformed(path.name, "id", f"{case.id!r} is used twice.")
            found.append(case)
    return tuple(found)


def chosen(everything: Sequence[Case], wanted: str) -> tuple[Case, ...]:
    """Those whose class is `wanted`, or whose id fits it as a glob; several parted by commas; all for "".

    Raises:
        UnknownNameError: if a part of it fits none.
    """
    if not wanted.strip():
        return tuple(everything)
    parts = [part.strip() for part in wanted.split(",") if part.strip()]
    for part in parts:
        if not any(_fits(case, part) for case in everything):
            msg = f"No case fits {part[:80]!r}."
            remedy = f"Name a class ({', '.join(CLASSES)}), an id, or a pattern such as 'narrow-*'."
            raise UnknownNameError(msg, field="--cases", remedy=remedy)
    return tuple(case for case in everything if any(_fits(case, part) for part in parts))


def _fits(case: Case, part: str) -> bool:
    return case.kind == part or fnmatch(case.id, part)


def _read(path: Traversable | Path) -> list[Case]:
    kind = path.name.removesuffix(".toml")
    try:
        held = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise _malformed(path.name, "", f"It is no TOML: {error}.") from error
    tables: Any = held.pop("case", None)
    if held or not isinstance(tables, list) or not tables:
        raise _malformed(path.name, next(iter(held), "case"), "It is no list of [[case]].")
    return [_case(path.name, kind, n, table) for n, table in enumerate(tables, 1)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _case(file: str, kind: str, number: int, table: dict[str, Any]) -> Case:
    name = str(table.get("id", f"case {number}"))
    try:
        return Case.model_validate_json(json.dumps({**table, "kind": kind}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _malformed(file, f"{name}: {where}".removesuffix(": "), f"{first['msg']}.") from error
    except InputError as error:
        raise _malformed(file, f"{name}: {error.field}", error.problem) from error


def _malformed(file: str, field: str, problem: str) -> InputError:
    where = f"{file}: {field}" if field else file
    return InputError(problem, field=where, remedy="Correct it there; `evaluation/case.py` says what each field is.")
