"""Steps that a task states one after another: "first …, then …, finally …", in a few languages.

Only words that say so are taken for it, and only where they begin a clause: "then" after a comma, a full stop or an
"and" goes on with a sequence; in "if it fails, then report it" it does not.
"""

import re

from .reading import cleaned

MOST_STEPS = 6
"""More steps than this are one agent's work: each is told only what those before it found."""
LEAST_CHARS = 2

_FIRST = (
    r"first(?:ly| of all)?|to begin with|start by|zuerst|zunächst|als erstes|erst|premièrement|"
    r"d.abord|"  # codespell:ignore abord
    r"en premier(?: lieu)?|commence par|primero|en primer lugar|prima|per prima cosa|innanzitutto|primeiro|"
    r"em primeiro lugar"
)
_NEXT = (
    r"then(?! some\b)|after that|afterwards?|after which|next|subsequently|once (?:that|this) is done|dann|danach|"
    r"anschließend|daraufhin|als nächstes|ensuite|puis|après (?:cela|ça|quoi)|luego|después|a continuación|"
    r"tras (?:eso|ello)|poi|dopo(?:diché| di che)?|quindi|successivamente|depois|em seguida|a seguir"
)
_LAST = (
    r"finally|lastly|last of all|at the end|zuletzt|schließlich|zum schluss|"
    r"am ende|"  # codespell:ignore ende
    r"abschließend|enfin|finalement|"
    r"pour finir|finalmente|por último|al final|infine|alla fine|por fim"
)
_AND = r"(?:(?:and|und|et|y|e)\s+)"
_CUT = re.compile(
    rf"(?:(?:[,;]|[.!?:](?=\s)|\s[\u2013\u2014-](?=\s)|\n)\s*{_AND}?|\s+{_AND})(?:{_NEXT}|{_LAST})(?=[\s,:])[,:]?\s*",
    re.IGNORECASE,
)
_OPENS = re.compile(rf"^(?:please\s+|bitte\s+)?(?:{_FIRST})(?=[\s,:])[,:]?\s*", re.IGNORECASE)
_IF = re.compile(
    r"\b(?:if|when(?:ever)?|unless|until|wenn|falls|sobald|bis|si|quand|lorsque|cuando|hasta|se|quando)\b[^.;!?\n]*$",
    re.IGNORECASE,
)
_MARKS = r"[,\uff0c\u3002;\uff1b\u3001\s]*"
_HAN = re.compile(rf"{_MARKS}(?:然后|接着|随后|之后再|最后|次に|その後|それから|最後に){_MARKS}")
_HAN_OPENS = re.compile(rf"^(?:首先|先|まず){_MARKS}")
_TRIMMED = " \t\n,;.\uff0c\u3002\u3001"


def steps(text: str) -> tuple[str, ...]:
    """The steps of a text in order; none if it states no sequence of two to MOST_STEPS."""
    text = cleaned(text)
    parts = _cut(text) or _HAN.split(_HAN_OPENS.sub("", text))
    parts = [part.strip(_TRIMMED) for part in parts]
    if not 2 <= len(parts) <= MOST_STEPS or any(len(part) < LEAST_CHARS for part in parts):
        return ()
    return tuple(parts)


def _cut(text: str) -> list[str]:
    """The parts between words of sequence; empty if there are none."""
    text = _OPENS.sub("", text)
    parts: list[str] = []
    at = 0
    for match in _CUT.finditer(text):
        if not _IF.search(text[at : match.start()]):
            parts.append(text[at : match.start()])
            at = match.end()
    return [*parts, text[at:]] if parts else []
