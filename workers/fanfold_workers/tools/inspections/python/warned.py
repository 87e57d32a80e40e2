"""Calls that warn of a deprecation: which calls those are, and what they say."""

import ast
import re
from dataclasses import dataclass

from .names import Lines, Names, dotted, last, lines
from .walking import Reading, Site
from .wording import Version, removal

_CATEGORY = re.compile(r"Deprecat\w*Warning$|DeprecatedIn\w*$|^RemovedIn\w*Warning$")
_WARNS = re.compile(r"^_*(?:issue_|emit_)?warn(?!s$|ings$|_unraisable)")
_DEFAULT = "{name!r} is deprecated and slated for removal in Python {remove}"
_TEMPLATE = re.compile(r"\{(name|remove)(?:!r)?\}")
_IN_WORDS = re.compile(r"\bdeprecated\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Warned:
    """One warning of a deprecation.

    Attributes:
        site: where it stands.
        call: the call itself.
        message: its text in one line; parts known only at run time stand as `{source}`, "" if nothing is known.
        removal: the version it states for the end.
        thing: the name of what is deprecated, where the call itself names it.
        sure: 0 to 1, that it is about a deprecation at all.
        where: the lines of the call, then of the texts it is made from.
    """

    site: Site
    call: ast.Call
    message: str
    removal: Version | None
    thing: str = ""
    sure: float = 0.95
    where: tuple[Lines, ...] = ()


def warned(reading: Reading) -> list[Warned]:
    """Every call of a module that warns of a deprecation by the usual means, in the order of the text."""
    return [found for site, call in reading.calls if (found := _warned(call, site, reading.names))]


def _warned(call: ast.Call, site: Site, names: Names) -> Warned | None:
    callee = names.resolved(call.func)
    if callee in {"warnings._deprecated", "_warnings._deprecated"}:
        return _planned(call, site, names)
    arguments = call.args
    if last(callee) == "partial" and arguments:
        callee, arguments = names.resolved(arguments[0]), arguments[1:]
    by_category = isinstance(call.func, ast.Attribute) and _is_category(call.func.value)
    if not (by_category or _WARNS.match(last(callee))):
        return None
    given = [*arguments, *(k.value for k in call.keywords)]
    message = next(
        (k.value for k in call.keywords if k.arg in {"message", "msg"}), arguments[0] if arguments else None
    )
    text = names.text(message, site.local())
    sure = 0.95 if by_category or any(_is_category(g) for g in given) else 0.7
    in_words = callee == "warnings.warn" and _IN_WORDS.search(text)
    if sure < 0.95 and not in_words:
        return None
    return Warned(site, call, text, removal(text), sure=sure, where=_where(call, site, names))


def _is_category(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        node = node.func
    return bool(_CATEGORY.search(last(dotted(node))))


def _planned(call: ast.Call, site: Site, names: Names) -> Warned:
    """`warnings._deprecated(name, message=…, remove=(3, 14))`, the standard library's own way."""
    keywords = {k.arg: k.value for k in call.keywords}
    local = site.local()
    thing = names.text(call.args[0] if call.args else keywords.get("name"), local)
    template = names.text(call.args[1] if len(call.args) > 1 else keywords.get("message"), local) or _DEFAULT
    template = template.replace("{warnings._DEPRECATED_MSG}", _DEFAULT)
    version = _version(keywords.get("remove"))
    filled = {"name": thing or "it", "remove": version.text if version else "{remove}"}
    message = _TEMPLATE.sub(lambda found: filled[found[1]], template)
    return Warned(site, call, message, version, thing=thing, where=_where(call, site, names))


def _version(node: ast.expr | None) -> Version | None:
    if not isinstance(node, ast.Tuple):
        return None
    parts = [part.value for part in node.elts if isinstance(part, ast.Constant)]
    return Version(".".join(map(str, parts)), of_python=True) if len(parts) >= 2 else None


def _where(call: ast.Call, site: Site, names: Names) -> tuple[Lines, ...]:
    local = site.local()
    given = [*call.args, *(k.value for k in call.keywords)]
    used = dict.fromkeys(node.id for g in given for node in ast.walk(g) if isinstance(node, ast.Name))
    texts = [lines(local[n]) for n in used if n in local and names.text(local[n], local)]
    return (lines(call), *texts, *(names.texts[n][1] for n in used if n in names.texts and n not in local))
