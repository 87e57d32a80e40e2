"""What a set of tests imports or names, gathered from their text: enough to say that a module is in none of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_WORD = re.compile(r"[A-Za-z_]\w*")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_KEPT = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.") | frozenset(range(128, 256))
_TABLE = bytes(byte if byte in _KEPT else 32 for byte in range(256))
"""Everything but identifiers and dots to blanks: a quicker way to words than an expression."""
_FROM = re.compile(
    r"^[ \t]*from[ \t]{1,8}([\w.]{0,300})[ \t]{1,8}import\b(\s{0,8}\([^)]{0,5000}\)|[^\n#]*)", re.MULTILINE
)
_MAX_NAME = 300
"""Characters of a dotted name; a longer one names no module."""
_IMPORT = re.compile(r"^[ \t]*import[ \t]{1,8}([^\n#]+)", re.MULTILINE)
_QUOTED = re.compile(r"""["']([A-Za-z_][\w.-]*)["']""")
_DEFINED = re.compile(r"^(?:async\s+def|def|class)\s+(\w+)|^([A-Za-z_]\w*)[ \t]*(?::[^=\n]+)?=[ \t]*\S", re.MULTILINE)
_CALLABLE = re.compile(r"^[ \t]*(?:async\s+def|def)\s+\w+", re.MULTILINE)


@dataclass(slots=True)
class Mentions:
    """What tests mention.

    Attributes:
        words: every identifier anywhere in them.
        modules: dotted names that stand in them, with all that these begin with.
        parts: last parts of dotted names, imported names, single words in quotes, and words of file names.
    """

    words: set[str] = field(default_factory=set[str])
    modules: set[str] = field(default_factory=set[str])
    parts: set[str] = field(default_factory=set[str])

    def add(self, path: str, text: str) -> None:
        """Take in one test file, by its path below the project."""
        tokens = {
            t.decode("utf-8", "replace") for t in set(text.encode("utf-8", "replace").translate(_TABLE).split())
        }
        self.words.update(word for token in tokens for word in token.split("."))
        self.parts.update(_WORD.findall(path.replace("_", " ").replace("/", " ")))
        self.parts.update(part.removeprefix("test_").removesuffix("_test") for part in re.split(r"[/.]", path))
        self.parts.update(word.replace("-", "_").rpartition(".")[2] for word in _QUOTED.findall(text))
        dotted = (
            name for token in tokens if "." in token and len(token) <= _MAX_NAME for name in _DOTTED.findall(token)
        )
        for name in {*dotted, *_imported(text)}:
            parts = name[:_MAX_NAME].split(".")
            self.parts.update(parts[1:] or parts)
            self.modules.update(".".join(parts[:n]) for n in range(1, len(parts) + 1))

    def reach(self, module: str, text: str) -> bool:
        """Whether they import a module, name it, or name anything it defines."""
        stem = module.rpartition(".")[2]
        if module in self.modules or stem in self.parts or stem.strip("_") in self.parts:
            return True
        return ("_" in stem.strip("_") and stem in self.words) or bool(defined(text) & self.words)


def _imported(text: str) -> Iterator[str]:
    for module, names in _FROM.findall(text):
        if module.startswith("."):
            yield module.strip(".").rpartition(".")[2] or module
        for name in _WORD.findall(re.sub(r"\bas\s+\w+", "", names)):
            yield f"{module.strip('.')}.{name}".strip(".")
    for names in _IMPORT.findall(text):
        yield from re.findall(r"[A-Za-z_][\w.]*", re.sub(r"\bas\s+\w+", "", names))


def defined(text: str) -> set[str]:
    """The names a module defines at its top, dunders left out."""
    return {a or b for a, b in _DEFINED.findall(text) if not (a or b).startswith("__")}


def first_definition(text: str) -> int:
    """The line of the first function or class at the top of a module, from 1; 0 if there is none with code in it."""
    match = re.search(r"^(?:async\s+def|def|class)\s+\w+", text, re.MULTILINE)
    return text.count("\n", 0, match.start()) + 1 if match and _CALLABLE.search(text) else 0
