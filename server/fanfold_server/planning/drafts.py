"""From a Draft to a Subtask: what was left out is filled in, what was said is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fanfold_server.records import Draft
from fanfold_workers.contract import Scope, Subtask
from fanfold_workers.tools.files import split_place
from fanfold_workers.tools.toolbox import Tool

from .naming import Names
from .reading import one_line, visible

TITLE_CHARS = 120


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a draft gets that says nothing of its own.

    Attributes:
        places: what it may read.
        names: where its item is looked up, to read that alone; None if it is not.
        tools: every tool that exists: those its checks need, else the file tools if there is anything to read.
        remote: the server of each tool of other MCP servers, by the tool's name.
        narrow: whether one that names no places, but the web or tools of other servers alone, gets no files.
    """

    places: tuple[str, ...]
    names: Names | None
    tools: Mapping[str, Tool[Any]]
    remote: Mapping[str, str] = field(default_factory=dict[str, str])
    narrow: bool = False

    def filled(self, drafts: Sequence[Draft]) -> tuple[Subtask, ...]:
        """The drafts as subtasks, in order."""
        return tuple(self._subtask(draft, own) for draft, own in zip(drafts, _ids(drafts), strict=True))

    def narrowed(self, draft: Draft) -> tuple[str, ...]:
        """The places that a draft's item means, if it names none itself and its item is to be looked up."""
        found = self.names.find(draft.item) if self.names and draft.item.strip() and not draft.places else None
        return tuple(place for place in found.places if split_place(place)[1]) if found else ()

    def _subtask(self, draft: Draft, own: str) -> Subtask:
        said = next((text for text in (draft.objective, draft.title, draft.item) if visible(text)), own)
        title = draft.title[:300] if visible(draft.title) else one_line(draft.item or said, TITLE_CHARS) or own
        places = draft.places or self.narrowed(draft) or (() if self._elsewhere(draft) else self.places)
        tools = draft.tools or tuple(dict.fromkeys(draft.checks)) or (self._file_tools() if places else ())
        return Subtask(
            id=own,
            title=title,
            objective=said.strip(),
            boundaries=draft.boundaries,
            expected=draft.expected,
            done_when=draft.done_when,
            effort=draft.effort,
            item=draft.item,
            checks=draft.checks,
            scope=Scope(places=places, tools=tools, servers=self._servers(tools), web=draft.web),
            depends_on=draft.depends_on,
            if_unmet=draft.if_unmet,
        )

    def _elsewhere(self, draft: Draft) -> bool:
        """Whether what it looks at is no file, for all that it names."""
        named = draft.web or bool(draft.tools)
        return self.narrow and named and not draft.checks and not any(name in self.tools for name in draft.tools)

    def _servers(self, tools: Sequence[str]) -> tuple[str, ...]:
        """The servers whose tools it may call: naming the tool is enough."""
        return tuple(dict.fromkeys(self.remote[name] for name in tools if name in self.remote))

    def _file_tools(self) -> tuple[str, ...]:
        return tuple(name for name, tool in self.tools.items() if not tool.inspection)[:100]


def _ids(drafts: Sequence[Draft]) -> list[str]:
    """Each draft's own id, else `s<position>`, with a suffix where another draft took that."""
    taken = {draft.id for draft in drafts if draft.id}
    ids: list[str] = []
    for n, draft in enumerate(drafts, 1):
        own, k = draft.id or f"s{n}", 1
        while not draft.id and own in taken:
            k += 1
            own = f"s{n}.{k}"
        taken.add(own)
        ids.append(own)
    return ids
