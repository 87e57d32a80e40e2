"""How many tokens a request will be, without asking anybody.

A token is at least one byte, so no text has more tokens than bytes. `count` weighs bytes by what they are: it is
above what tokenizers make of prose and code; of text that is all rare letters it may be a third of the truth, never
less: three times the count is never under the number of bytes. What calls really used corrects it, per model.
"""

import json
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache

from .model import Answered, Ask, Replied, ToolSpec, Turn

LETTERS_A_TOKEN = 3.0
HIGH_BYTES_A_TOKEN = 1.5
SPACES_A_TOKEN = 3.0
TOOLS_TOKENS, TOOL_TOKENS, TURN_TOKENS = 350, 30, 10
"""What a request takes besides its text: once if it has tools, for each tool, for each turn."""
MARGIN = 1.05
KEPT = 30
LOWEST, HIGHEST = 0.5, 3.0
DOUBT = 1.25
"""How far text may be from that seen so far."""
LEAST_TOKENS = 500
"""Calls of fewer tokens say more about the overheads than about the text."""

_LETTERS = bytes(range(65, 91)) + bytes(range(97, 123))
_SPACES = b" \t\r\n"
_HIGH = bytes(range(128, 256))


def count(text: str) -> int:
    """Tokens of a text; the same text has the same count, always."""
    data = text.encode("utf-8", "surrogatepass")
    size = len(data)
    letters, spaces, high = (size - len(data.translate(None, kind)) for kind in (_LETTERS, _SPACES, _HIGH))
    others = size - letters - spaces - high
    return int(letters / LETTERS_A_TOKEN + spaces / SPACES_A_TOKEN + high / HIGH_BYTES_A_TOKEN + others) + 1


def turn_tokens(turn: Turn) -> int:
    """Tokens of one turn."""
    if isinstance(turn, Answered):
        return TURN_TOKENS + count(turn.text) + sum(TURN_TOKENS + count(answer.text) for answer in turn.answers)
    if isinstance(turn, Replied):
        # Its JSON escapes what the model said in characters.
        return TURN_TOKENS + count(json.dumps(json.loads(turn.content), ensure_ascii=False))
    return TURN_TOKENS + count(turn.text)


def prefix_tokens(ask: Ask) -> int:
    """Tokens of what siblings share: instructions, tools, schema."""
    besides = TOOLS_TOKENS if ask.tools or ask.web else 0
    return _prefix_tokens(ask.system, ask.tools, ask.schema) + besides


@lru_cache(maxsize=64)  # all workers of a run share one
def _prefix_tokens(system: str, tools: tuple[ToolSpec, ...], schema: str) -> int:
    each = sum(TOOL_TOKENS + count(tool.name + tool.description + tool.schema) for tool in tools)
    return count(system) + each + (count(schema) if schema else 0)


def ask_tokens(ask: Ask) -> int:
    """Tokens of a whole request, uncorrected."""
    return prefix_tokens(ask) + sum(map(turn_tokens, ask.turns))


@dataclass(slots=True)
class Meter:
    """Corrects the count of one model's requests by what earlier ones really used.

    It takes the highest ratio of the last 30 calls and 5 % more: above the truth for text like that seen so far.
    """

    _ratios: deque[float] = field(default_factory=lambda: deque[float](maxlen=KEPT))

    def estimate(self, ask: Ask) -> int:
        """Tokens that the request will take."""
        return self.corrected(ask_tokens(ask))

    def corrected(self, tokens: int) -> int:
        """A count as it will turn out."""
        ratio = max(self._ratios, default=1.0 / MARGIN) * MARGIN
        return int(tokens * min(max(ratio, LOWEST), HIGHEST)) + 1

    def at_most(self, tokens: int) -> int:
        """What a count may turn out to be, if the text is not like that seen so far, or none was."""
        return int(self.corrected(tokens) * DOUBT) if self._ratios else int(tokens * HIGHEST)

    def learn(self, counted: int, used: int) -> None:
        """Take in that a request of so many counted tokens really had so many."""
        if counted >= LEAST_TOKENS and used:
            self._ratios.append(used / counted)
