"""The words of a question that say what it is about, and texts in the form a word index takes.

Scripts written without spaces (Chinese, Japanese, Thai …; Korean, whose words change their ends) are indexed by pairs
of characters.
"""

import re
import unicodedata
from dataclasses import dataclass

MAX_TERMS = 40
_RUN = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)
_HIRAGANA = re.compile("^[\u3040-\u309f]+$")
_PARTICLES = frozenset("的了吗呢吧是在和与及或也都就被把让请这那哪什么怎样如何为何可以能会要")
_WORD = re.compile(r"[^\W_][\w'\u2019.:/+-]*[^\W_]|[^\W_]\+{2}|[^\W_]#|[^\W_]", re.UNICODE)
_COMPOUND = re.compile(r"[_.:/+-]")

_ENGLISH = (
    "long "
    "a about above after again all also am an and any are aren't as at be because been before being below between "
    "both but by can can't cannot could did do does doesn't doing don't down during each else ever every few for "
    "from further get gets give given goes got had has have having he her here hers him his how i i'm if in into "
    "is isn't it it's its itself just know let like make makes many may me mean might mine more most much must my "
    "need needs no nor not now of off often on once one only or other our out over own per please same say says "
    "she should show so some such take tell than that that's the their them then there these they this those "
    "though through to too under until up upon us use used uses using very want was way ways we were what what's "
    "when where whether which while who whom whose why will with within without won't would you your yours answer "
    "anything describe document documentation documented docs explain find mention mentions mentioned question "
    "something say said possible thing things happen happens happening work works "
)
_EUROPEAN = (
    "aber al als ao aos au auch auf aus aux avec bei bin bis ce ces cette che chi com come comment como con cosa "
    "cuál cuándo da dal dans das dass de del della dem den der des di die doch dos dove du dónde e een ein eine "
    "einem einen einer eines el ella elle em en entre er es essa esse est esta este esto et für gli hat hay het "
    "hoe ich ihr il ils im isso ist ja je kann la las le les leur lo los ma mais man mas met mit más na nach nas "
    "ne nel nicht niet noch non nos nous nur não o ob oder op os ou où par para pas pela pelo perché pero più por "
    "pour pourquoi quand quando que quel quelle quem questo qui quién qué sa se sein sem ses seu sich sie sin "
    "sind sobre son sono sont su sua sur sus te um uma un una und une uns van vom von voor vor vous waar wann "
    "warum wat welke wenn wer werden wie wird wo y zijn zu zum zur è über "
)
"""German, French, Spanish, Portuguese, Italian and Dutch."""
STOP = frozenset(_ENGLISH.split()) | frozenset(_EUROPEAN.split())
"""Words that say nothing of what a question is about."""


@dataclass(frozen=True, slots=True)
class Term:
    """One informative word of a question.

    Attributes:
        text: as it was written.
        query: an expression for the index that finds it; nothing a question holds can be syntax in it.
    """

    text: str
    query: str


def terms(question: str) -> list[Term]:
    """The distinct informative words of a question, in its order, at most 40."""
    found: dict[str, Term] = {}
    for word in _WORD.findall(unicodedata.normalize("NFC", question)):
        for term in _of_word(word):
            found.setdefault(term.query, term)
    return list(found.values())[:MAX_TERMS]


def _of_word(word: str) -> list[Term]:
    runs = _RUN.findall(word)
    pairs = [pair for run in runs for pair in _pairs(run) if not _is_particle(pair)]
    found = [Term(pair, _quoted(pair) + ("" if len(pair) > 1 else "*")) for pair in pairs]
    rest = _RUN.sub(" ", word).strip(" .'\u2019:/-")
    for part in rest.split():
        low = part.lower().replace("\u2019", "'")
        stem = low.removesuffix("'s")
        if low in STOP or stem in STOP or not any(c.isalnum() for c in part) or (len(stem) == 1 and stem.isascii()):
            continue
        found.append(Term(part, _quoted(stem)))
    return found


def _is_particle(pair: str) -> bool:
    return bool(_HIRAGANA.match(pair)) or not _PARTICLES.isdisjoint(pair)


def _quoted(word: str) -> str:
    """A phrase, whose parts the index finds in their order (`get_event_loop`). No word holds a quotation mark."""
    return f'"{word}"'


def parts(term: Term) -> list[str]:
    """Expressions for the parts of a compound (`get_event_loop`: event, loop), which alone are worth less."""
    pieces = [p for p in _COMPOUND.split(term.text.lower()) if len(p) > 2 and p not in STOP]
    return [_quoted(p) for p in pieces] if len(pieces) > 1 else []


def indexed(text: str) -> str:
    """A text with its unspaced scripts written as pairs of characters, and the last one by itself."""
    return _RUN.sub(lambda found: f" {' '.join(_pairs(found[0]))} {found[0][-1]} ", text)


def _pairs(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(len(run) - 1)] or [run]
