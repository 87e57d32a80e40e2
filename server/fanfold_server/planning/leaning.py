"""Subtasks that build on what another finds without waiting for it. See `check` for the codes.

A worker is told nothing but its subtask and what those it depends on came to, so "the slow queries that s1 found" is
nothing to it unless it depends on s1. Words are read, not understood: an id of fanfold's making, another's title in
quotes or the word "subtask" leave no doubt, unless the task speaks of such itself; all else is only warned about.
What rules draw up carries the task's own words, and is not looked at here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fanfold_server.records import Problem
from fanfold_workers.contract import Subtask

from .candidate import Candidate
from .trouble import error, warning

AROUND = 80
"""So many characters before a reference are read."""
LEAST_TITLE, SHORT_TITLE = 8, 2
"""Titles of fewer characters are words like any other; those of so many words are, unless they stand in quotes."""

QUOTES = "\"'\u00ab\u00bb\u201c\u201d\u201e\u2018\u2019`"
_SENTENCE = re.compile(r"[.;:!?]\s|\n")

_NOUNS = (
    r"results?|findings?|outputs?|answers?|conclusions?|issues?|problems?|candidates?|(?:the|a|this) lists?|reports?|"
    r"evidence|work|ergebniss?en?|ergebnis|befunden?|funden?|fund|erkenntnissen?|ausgaben?|listen?|"
    r"résultats?|constats?|sorties?|listes?|resultados?|hallazgos?|conclusiones|salidas?|listas?|"
    r"risultat[oi]|conclusioni|achados?|conclusões"
)
_FOUND = (
    r"found|collected|identified|gathered|discovered|turned up|gefunden\w*|gesammelt\w*|ermittelt\w*|"
    r"trouvée?s?|recueillie?s?|identifiée?s?|encontrad[oa]s?|encontró|recogid[oa]s?|identificad[oa]s?|"
    r"trovat[oaie]|raccolt[oaie]|encontrou"
)
_OF = r"of|from|by|in|von|vom|aus|des|der|durch|de|du|des|par|del|por|di|da|dal|dei|do|dos|pelo"
_ON = (
    r"based on|build(?:s|ing)? on|given|auf grundlage von|auf basis von|aufbauend auf|ausgehend von|"
    r"en se basant sur|à partir de|sur la base de|basándose en|a partir de|con base en|sulla base di|com base em"
)
_THE = (
    r"(?:(?:the|all|dem|der|den|die|das|des|le|la|les|el|los|las|il|lo|gli|os|as|todos|todas|toutes|tous|allen?)\s+)*"
)
_BEFORE = re.compile(
    rf"(?:\b(?:{_NOUNS})\b[^.;:!?\n]{{0,30}}?\b(?:{_OF})|\b(?:{_FOUND})\s+(?:{_OF})|\b(?:{_ON}))"
    rf"\s+{_THE}[{QUOTES}]?$",
    re.IGNORECASE,
)
_HAS = r"has |have |had |hat |haben |a |ont |ha |han "
_AFTER = re.compile(
    rf"[{QUOTES}]?(?:['\u2019]s?\s+(?:\w+\s+)?(?:{_NOUNS})|\s+(?:{_HAS})?(?:{_FOUND}))\b", re.IGNORECASE
)
_NOT = re.compile(
    r"\b(?:not|n['\u2019]t|without|never|ignor\w+|independent\w*|regardless|instead|ohne|nicht|unabhängig|sans|sin|"
    r"ne|no|senza|non|sem|não)\b",
    re.IGNORECASE,
)
_PREVIOUS = (
    r"previous|preceding|prior|earlier|vorigen?|vorherigen?|vorangegangenen?|précédente?s?|anterior(?:es)?|"
    r"precedent[ei]"
)
_NTH = (
    rf"{_PREVIOUS}|first|second|third|other|ersten?|zweiten?|dritten?|anderen?|premi[eè]re?|deuxième|autres?|"
    r"primer[oa]?|segund[oa]|otr[oa]s?|prim[oa]|altr[ie]|outr[oa]s?"
)
_WHO = r"workers?|agents?|sub-?agents?|arbeitern?|agenten|agentes?|trabajador(?:es)?|agenti"
_STEP = r"steps?|stages?|schritte?s?|étapes?|pasos?|passi|passaggi|passos?"
_SUBTASK = r"sub-?tasks?|teilaufgaben?|sous-tâches?|subtareas?|sottocompit[oi]|subtarefas?"
_PART = re.compile(
    rf"\b(?P<sure>(?:(?:{_NTH})\s+)?(?:{_SUBTASK})(?:\s+(?:{_NTH})|\s+#?(?P<n>\d{{1,4}}))?)\b"
    rf"|\b(?:(?:{_NTH})\s+(?:{_WHO})|(?:{_WHO})\s+(?:{_NTH}|\#?(?P<m>\d{{1,4}})))\b"
    rf"|\b(?:(?:{_PREVIOUS})\s+(?:{_STEP})|(?:{_STEP})\s+(?:{_PREVIOUS}))\b|\bthe others\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![\w:/.-])[^\W_](?:[\w.-]*\w)?(?![\w/-])")
_OURS = re.compile(r"(?:s|t|st|w|task|subtask|step|worker)[-_]?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class _Reference:
    """Where others are spoken of: which (None for no one in particular), and whether it can be nothing else."""

    start: int
    end: int
    target: str | None
    sure: bool


def leaning(candidate: Candidate) -> Iterator[Problem]:
    """Subtasks whose words take another's findings for given, though they don't depend on it."""
    if candidate.by_rules or len(candidate.subtasks) < 2:
        return
    task = candidate.task
    asked = "\n".join((task.task, task.context, *task.items)).casefold()
    others = _Others.of(candidate.subtasks)
    for n, subtask in enumerate(candidate.subtasks):
        text = f"{subtask.title}\n{subtask.objective}"
        waits = candidate.upstream.get(subtask.id, frozenset())
        missing = [
            one
            for one in others.named_in(text)
            if one.target != subtask.id and not (one.target in waits if one.target else waits) and _leans(text, one)
        ]
        if missing:
            yield _problem(n, subtask, text, min(missing, key=lambda one: not one.sure), asked)


def _leans(text: str, one: _Reference) -> bool:
    """Whether what is said around a reference takes for given what it found."""
    before = _SENTENCE.split(text[max(0, one.start - AROUND) : one.start])[-1]
    return not _NOT.search(before) and bool(_BEFORE.search(before) or _AFTER.match(text, one.end))


def _problem(n: int, subtask: Subtask, text: str, one: _Reference, asked: str) -> Problem:
    words = text[one.start : one.end]
    tell = error if one.sure and words.casefold() not in asked else warning
    what = f"{subtask.id!r} takes what {words!r} found for given, and does not depend on it."
    remedy = f"Name {one.target or 'those it needs'} in depends_on, or word it so that it stands alone."
    return tell("leans_without_dependency", f"subtasks[{n}].objective", what, remedy)


@dataclass(frozen=True, slots=True)
class _Others:
    """How the subtasks of one plan can be spoken of.

    Attributes:
        ids: in plan order, for those spoken of by number.
        known: those of the ids that are no plain words.
        titles: ids by title.
        lengths: how long the titles are that begin with a word.
    """

    ids: tuple[str, ...]
    known: frozenset[str]
    titles: Mapping[str, str]
    lengths: Mapping[str, set[int]]

    @classmethod
    def of(cls, subtasks: Sequence[Subtask]) -> "_Others":
        ids = tuple(subtask.id for subtask in subtasks)
        titles = {s.title.casefold(): s.id for s in reversed(subtasks) if len(s.title) >= LEAST_TITLE}
        lengths: dict[str, set[int]] = {}
        for title in titles:
            if first := _NAME.match(title):
                lengths.setdefault(first[0], set()).add(len(title))
        return cls(ids, frozenset(name for name in ids if re.search(r"[-_\d]", name)), titles, lengths)

    def named_in(self, text: str) -> Iterator[_Reference]:
        """Every reference to a subtask in a text."""
        for match in _NAME.finditer(text):
            name = match[0]
            if name in self.known:
                yield _Reference(match.start(), match.end(), name, sure=bool(_OURS.fullmatch(name)))
            yield from self._titled(text, match.start(), name.casefold())
        for match in _PART.finditer(text):
            number = int(match["n"] or match["m"] or 0)
            target = self.ids[number - 1] if 0 < number <= len(self.ids) else None
            yield _Reference(match.start(), match.end(), target, sure=bool(match["sure"]))

    def _titled(self, text: str, at: int, first: str) -> Iterator[_Reference]:
        for length in self.lengths.get(first, ()):
            end = at + length
            title = text[at:end].casefold()
            if title not in self.titles:
                continue
            quoted = at > 0 and text[at - 1] in QUOTES and text[end : end + 1] in tuple(QUOTES)
            if quoted or len(title.split()) > SHORT_TITLE:
                yield _Reference(at, end, self.titles[title], sure=quoted)
