"""The passages of the texts in scope that answer a question best, verbatim."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from fanfold_workers.contract import Evidence, Examined, Finding
from fanfold_workers.errors import FanfoldError, InputError
from fanfold_workers.tools.files import Document, Files, split_place
from fanfold_workers.tools.toolbox import Answer, Inspect, Tool

from .prose.cutting import Passage, passages, plain, sentences, visible
from .prose.ranking import Index, Ranked
from .prose.words import Term, indexed, terms
from .quoting import Page

BEST = 8
MAX_QUESTIONS = 20
MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_TOTAL_BYTES = 100 * 1024 * 1024
MAX_CLAIM_CHARS = 400
_DATA = (
    *(".svg", ".csv", ".tsv", ".json", ".jsonl", ".lock", ".map", ".min.js", ".min.css", ".po", ".pot", ".ipynb"),
    *(".xml", ".plist", ".sum", ".pem", ".crt", ".patch", ".diff", ".snap", ".css", ".scss", ".eps", ".geojson"),
)
"""What is text by its letters, but not for people."""
_CODE = (
    *(".js", ".ts", ".tsx", ".jsx", ".mjs", ".cjs", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".go", ".rs", ".java"),
    *(".kt", ".swift", ".rb", ".php", ".pl", ".pm", ".sh", ".bat", ".ps1", ".lua", ".r", ".scala", ".sql", ".pyx"),
    *(
        ".pxd",
        ".f",
        ".f90",
        ".m",
        ".s",
        ".toml",
        ".yaml",
        ".yml",
        ".ini",
        ".cfg",
        ".jinja",
        ".j2",
        ".proto",
        ".cmake",
    ),
)
_CODE_SHARE = 0.5
"""What a passage of code counts beside one of prose."""
_SHORT_SHARE, _FULL_CHARS = 0.6, 300
"""What a passage of no length counts beside one of 300 characters: a word index favours the short ones, which
seldom say enough."""


@dataclass(frozen=True, slots=True)
class _Found:
    place: str
    passage: Passage
    chars: int


@dataclass(slots=True)
class _Texts:
    """The texts of a scope, cut and indexed."""

    files: Files
    index: Index = field(default_factory=Index)
    passages: list[_Found] = field(default_factory=list[_Found])
    left_out: Counter[str] = field(default_factory=Counter[str])
    other: Counter[str] = field(default_factory=Counter[str])
    done: int = 0
    size: int = 0

    def take(self, document: Document) -> None:
        """Read one file into the index, or count why not."""
        reason = self._reason(document)
        if not reason:
            try:
                page = self.page(document.place)
            except (FanfoldError, OSError):
                reason = "could not be read"
            else:
                reason = self._taken(page) if page else "binary"
        if reason in {"data", "binary"}:
            self.other[reason] += 1
        elif reason:
            self.left_out[reason] += 1
        else:
            self.done += 1

    def _reason(self, document: Document) -> str:
        if document.place.endswith("/"):
            return "folders could not be looked into"
        if document.path.lower().endswith(_DATA):
            return "data"
        if document.size > MAX_FILE_BYTES:
            return f"over {MAX_FILE_BYTES // 2**20} MB"
        if self.size + document.size > MAX_TOTAL_BYTES:
            return f"beyond the first {MAX_TOTAL_BYTES // 2**20} MB"
        return ""

    def page(self, place: str) -> Page | None:
        """A file's text; None if it has none."""
        text = self.files.text(place, MAX_FILE_BYTES)
        return None if text is None else Page(place, text)

    def _taken(self, page: Page) -> str:
        self.size += len(page.text)
        lines = visible(page.place, page.lines)
        try:
            cut = list(passages(page.place, lines))
        except RecursionError:
            return "nested too deeply"
        self.passages += [_Found(page.place, passage, len(passage.of(lines))) for passage in cut]
        self.index.add((_headings(page.place, p), plain(page.place, p.of(lines))) for p in cut)
        return ""


def _headings(place: str, passage: Passage) -> str:
    name = split_place(place)[1].rpartition("/")[2].rpartition(".")[0]
    return " ".join((name.replace("_", " ").replace("-", " "), *passage.headings))


def inspect(files: Files, args: Inspect) -> Answer:
    """At most eight passages for a question, best first; of several questions, one on each line, for each.

    Raises:
        InputError: if there is no question.
        ScopeError: if `under` is outside the scope.
        UnknownNameError: if a place does not exist.
    """
    if not args.question.strip():
        msg = "There is nothing to look for."
        raise InputError(msg, field="passages.question", remedy="Ask a question, or name the words to find.")
    texts = _Texts(files)
    try:
        for document in files.walk(args.under):
            texts.take(document)
        questions = _questions(args.question)
        most = max(3, BEST // len(questions))
        answers = [_answer(question, texts, most) for question in questions]
    finally:
        texts.index.close()
    findings = tuple(dict.fromkeys(finding for found, _ in answers for finding in found))
    gaps = tuple(dict.fromkeys(gap for _, missing in answers for gap in missing)) + _unread(texts)
    left_out = tuple(f"{count} {reason}" for reason, count in sorted(texts.left_out.items()))
    in_scope = texts.done + sum(texts.left_out.values())
    examined = Examined(done=texts.done, in_scope=in_scope, unit="text files", left_out=left_out)
    return Answer(_text(findings, gaps, examined), findings, examined, gaps)


def _questions(question: str) -> list[str]:
    """Each line, where every line is a question of its own; else the whole."""
    lines = [line.strip() for line in question.splitlines() if line.strip()]
    apart = 1 < len(lines) <= MAX_QUESTIONS and all(line.endswith(("?", "\uff1f", "\u061f")) for line in lines)
    return lines if apart else [question]


def _answer(question: str, texts: _Texts, most: int) -> tuple[list[Finding], list[str]]:
    wanted = terms(question)
    if not wanted:
        return [], ["The question has no word that says what it is about."]
    holding = {term: texts.index.holding(term) for term in wanted}
    unknown = [term.text for term in wanted if not holding[term]]
    gaps = [f"No passage mentions {_some(unknown)}."] if unknown else []
    ranked = texts.index.ranked(wanted, holding)
    findings = list(_findings(ranked, texts, most))
    if not findings:
        gaps.append(f"No passage mentions enough of: {_some([term.text for term in wanted])}.")
    return findings, gaps


def _some(words: list[str]) -> str:
    return ", ".join(words[:12])[:200]


def _findings(ranked: list[Ranked], texts: _Texts, most: int) -> Iterator[Finding]:
    weighed = sorted(ranked, key=lambda one: -_weighed(one, texts))
    seen: set[str] = set()
    for one in weighed:
        found = texts.passages[one.number - 1]
        page = texts.page(found.place)
        text = found.passage.of(visible(found.place, page.lines)) if page else ""
        quote = _quoted(page, found.passage) if page else None
        key = " ".join(text.split())
        if quote is None or key in seen:
            continue
        seen.add(key)
        yield _finding(
            one, found, plain(found.place, text), quote, _weighed(one, texts) / _weighed(weighed[0], texts)
        )
        if len(seen) == most:
            return


def _weighed(one: Ranked, texts: _Texts) -> float:
    found = texts.passages[one.number - 1]
    share = _CODE_SHARE if found.place.lower().endswith(_CODE) else 1.0
    return one.score * share * min(1.0, _SHORT_SHARE + (1.0 - _SHORT_SHARE) * found.chars / _FULL_CHARS)


def _quoted(page: Page, passage: Passage) -> Evidence | None:
    if not passage.end:
        return page.quote(passage.first, passage.last)
    text = passage.of(page.lines).strip()
    return Evidence(source=page.place, locator=f"L{passage.first}", quote=text) if text else None


def _finding(one: Ranked, found: _Found, text: str, quote: Evidence, share: float) -> Finding:
    path = split_place(found.place)[1]
    return Finding(
        kind="passages.passage",
        subject=" > ".join(found.passage.headings)[:300].strip() or path[-300:],
        claim=_claim(text, found.passage.headings, one.terms),
        confidence=round(min(0.95, one.coverage * (0.5 + 0.5 * share)), 3),
        evidence=(quote,),
    )


def _claim(text: str, headings: tuple[str, ...], held: tuple[Term, ...]) -> str:
    """The first of its sentences that says most of what was asked, and what follows it while there is room."""
    said = [s for s in sentences(_without_heading(text, headings)) if any(c.isalnum() for c in s)] or [text.strip()]
    best = max(range(len(said)), key=lambda n: (sum(_says(said[n], term) for term in held), -n))
    claim = said[best]
    for more in said[best + 1 :]:
        if len(claim) + len(more) >= MAX_CLAIM_CHARS:
            break
        claim = f"{claim} {more}"
    return claim if len(claim) <= 2 * MAX_CLAIM_CHARS else f"{claim[: 2 * MAX_CLAIM_CHARS]}…"


def _without_heading(text: str, headings: tuple[str, ...]) -> str:
    first, _, rest = text.partition("\n")
    if not headings or headings[-1] not in first or not rest.strip():
        return text
    under, _, after = rest.partition("\n")
    return after if not any(c.isalnum() for c in under) and after.strip() else rest


def _says(sentence: str, term: Term) -> bool:
    """Whether a sentence holds a word that begins like a term: near enough to choose between sentences."""
    words = indexed(sentence.lower())
    text = term.text.lower()
    return text[: max(4, len(text) - 3)] in words


def _unread(texts: _Texts) -> tuple[str, ...]:
    what = [f"{count} {reason} files" for reason, count in sorted(texts.other.items())]
    return (f"{' and '.join(what)} were not read: they hold no prose.",) if what else ()


def _text(findings: tuple[Finding, ...], gaps: tuple[str, ...], examined: Examined) -> str:
    lines = [f"{len(findings)} passages from {examined.done} of {examined.in_scope} text files."]
    for finding in findings:
        evidence = finding.evidence[0]
        lines.append(f"\n## {finding.subject} ({evidence.source}:{evidence.locator})\n{evidence.quote}")
    return "\n".join([*lines, *([""] if gaps else []), *gaps])


TOOL = Tool(
    name="passages",
    description=(
        "The passages that answer a question best, verbatim with their lines, from documentation, notes, READMEs, "
        "docstrings and any other text in scope. Put the question, in plain words, in `question`."
    ),
    arguments=Inspect,
    run=inspect,
    inspection=True,
    hints=("passage", "documentation", "docs", "according to", "look up", "explain", "what does", "how does"),
)
