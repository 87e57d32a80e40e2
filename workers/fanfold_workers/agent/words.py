"""What the model is told, from the files in `prompts`."""

import re
from functools import cache
from importlib.resources import files
from string import Template

from fanfold_workers.contract import Subtask

SHOWN_PLACES = 50
GIVEN = "given"
"""By this ref a worker reads again what prerequisites found."""

_TAGS = re.compile(
    r"<(?=\s*/?\s*(?:objective|boundaries|expected|done_when|places|given|tool_output)\b)", re.IGNORECASE
)


@cache
def prompt(name: str) -> Template:
    """The prompt of that name."""
    return Template((files("fanfold_workers.agent") / "prompts" / f"{name}.md").read_text("utf-8").strip())


def opening(subtask: Subtask, tools: tuple[str, ...], in_scope: int, given: str = "", given_chars: int = 0) -> str:
    """The first message: all that a worker is told of its subtask, and the first of what prerequisites found."""
    scope = subtask.scope
    more = f"\nand {len(scope.places) - SHOWN_PLACES} more" if len(scope.places) > SHOWN_PLACES else ""
    told = prompt("subtask").substitute(
        objective=fenced(subtask.objective),
        boundaries=fenced(subtask.boundaries) or "None stated.",
        expected=fenced(subtask.expected) or "Findings that can be checked.",
        done_when=fenced(subtask.done_when) or "The objective is answered, or what keeps it from that is known.",
        effort=subtask.effort.meant,
        places=fenced("\n".join(scope.places[:SHOWN_PLACES]) + more) or "No files.",
        tools=", ".join(tools) or "none but note_findings and report",
        files=f" There are {in_scope:,} files in reach." if in_scope else "",
        tool_calls=subtask.limits.tool_calls,
        turns=subtask.limits.turns,
    )
    if not given:
        return told
    left = len(given) - given_chars
    rest = f"[{left:,} more characters: read_again(ref={GIVEN!r}, offset={given_chars})]" if left > 0 else ""
    return f"{told}\n\n" + prompt("given").substitute(given=fenced(given[:given_chars]), rest=rest).strip()


def fenced(text: str) -> str:
    """Strangers' text in which no tag of ours can begin or end."""
    return _TAGS.sub("&lt;", text).strip()


def output(tool: str, text: str) -> str:
    """What a tool answered, fenced as data."""
    return f'<tool_output tool="{tool}">\n{_TAGS.sub("&lt;", text)}\n</tool_output>'
