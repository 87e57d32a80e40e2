import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold_workers.contract import Evidence, Examined, Finding
from fanfold_workers.errors import InputError
from fanfold_workers.tools.files import Files, split_place
from fanfold_workers.tools.inspections.passages import TOOL
from fanfold_workers.tools.inspections.prose.cutting import MAX_LINE_CHARS, passages
from fanfold_workers.tools.roots import MemoryRoot
from fanfold_workers.tools.toolbox import Answer, Inspect

GUIDE = """\
# Server guide

Welcome to the guide.

## Sessions

A session ends after thirty minutes without a request.
Set `session_timeout` to change that.

## Uploads

Uploaded files are kept in memory up to two megabytes.

## Passwords

Passwords are hashed with argon2 before they are stored.
"""


def asked(files: dict[str, str], question: str) -> Answer:
    answer = TOOL.run(Files({"docs": MemoryRoot("docs", files)}, ("docs",)), Inspect(question=question))
    for finding in answer.findings:
        for evidence in finding.evidence:
            lines = files[split_place(evidence.source)[1]].replace("\r\n", "\n").replace("\r", "\n").split("\n")
            found = re.fullmatch(r"L(\d+)(?:-L(\d+))?", evidence.locator)
            assert found
            assert evidence.quote
            assert evidence.quote in "\n".join(lines[int(found[1]) - 1 : int(found[2] or found[1])])
    return answer


def subjects(files: dict[str, str], question: str) -> list[str]:
    return [finding.subject for finding in asked(files, question).findings]


def test_the_answer_is_the_passage_under_its_headings_with_its_lines() -> None:
    answer = asked({"guide.md": GUIDE}, "After how long does a session end?")

    assert answer.findings == (
        Finding(
            kind="passages.passage",
            subject="Server guide > Sessions",
            claim="A session ends after thirty minutes without a request. Set `session_timeout` to change that.",
            confidence=0.95,
            evidence=(
                Evidence(
                    source="docs:guide.md",
                    locator="L5-L8",
                    quote=(
                        "## Sessions\n\nA session ends after thirty minutes without a request.\n"
                        "Set `session_timeout` to change that."
                    ),
                ),
            ),
        ),
    )
    assert (answer.gaps, answer.examined) == ((), Examined(done=1, in_scope=1, unit="text files"))


@pytest.mark.parametrize(
    ("question", "section"),
    [
        ("how are password hashes stored", "Passwords"),
        ("What is session_timeout?", "Sessions"),
        ("Where do uploads go, into memory?", "Uploads"),
    ],
)
def test_other_forms_of_a_word_and_names_with_underscores_are_found(question: str, section: str) -> None:
    assert subjects({"guide.md": GUIDE}, question)[0] == f"Server guide > {section}"


def test_no_stray_passage_is_returned_for_what_is_not_there() -> None:
    answer = asked({"guide.md": GUIDE}, "Which wine goes with a grilled session of salmon?")

    assert answer.findings == ()
    assert answer.gaps == (
        "No passage mentions wine, grilled, salmon.",
        "No passage mentions enough of: wine, grilled, session, salmon.",
    )


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("东京是日本的首都。\n\n巴黎以埃菲尔铁塔闻名。", "日本的首都是什么"),
        ("東京都庁は新宿にあります。\n\n大阪城は大阪市にあります。", "東京都庁はどこにありますか"),
        ("서울은 한국의 수도이다.\n\n부산은 항구 도시이다.", "한국의 수도는?"),
    ],
)
def test_scripts_without_spaces_are_searched_too(text: str, question: str) -> None:
    first = text.partition("\n")[0]
    files = {"a.txt": first, "b.txt": text.rpartition("\n")[2]}

    assert [f.evidence[0].quote for f in asked(files, question).findings] == [first]


def test_a_few_words_in_common_are_no_answer() -> None:
    assert (
        subjects({"guide.md": GUIDE}, "Which session of wine, salmon, pasta, cheese and bread ends with olives?")
        == []
    )


def test_accents_may_be_left_out_of_a_question() -> None:
    assert subjects({"a.txt": "Der Zug nach Zürich fährt um sieben."}, "Wann fahrt der Zug nach Zurich?") == ["a.txt"]


@pytest.mark.parametrize(
    "question",
    [
        'session" OR body:*',
        "NEAR(session timeout)",
        "session AND NOT (",
        '"',
        "heading : session",
        "session^ -end",
        "\0session ends",
    ],
)
def test_nothing_in_a_question_is_query_syntax(question: str) -> None:
    asked({"guide.md": GUIDE}, question)


def test_headings_of_every_kind_are_known() -> None:
    files = {
        "a.rst": "=====\nTitle\n=====\n\nOne\n---\n\nAbout apples here.\n\nTwo\n---\n\nAbout pears here.\n",
        "b.md": "Title\n=====\n\n```\n# no heading\n```\n\nPart\n----\n\nAbout plums here.\n",
        "c.html": (
            "<h1>Title</h1>\n<script>figs()</script>\n<h2>Part <b>two</b></h2>\n<p>About&nbsp;<i>figs</i> here.</p>\n"
        ),
        "d.adoc": "= Title\n\n== Part\n\nAbout cherries here.\n",
        "e.py": 'class A:\n    def f(self):\n        """About quinces here."""\n        x = "quinces here"\n',
    }

    found = [subjects(files, f"about {fruit}") for fruit in ("pears", "plums", "figs", "cherries", "quinces")]

    assert found == [["Title > Two"], ["Title > Part"], ["Title > Part two"], ["Title > Part"], ["A > f"]]


def test_a_word_in_a_heading_weighs_more() -> None:
    files = {
        "a.md": "# Cats\n\nThey purr at night, a lot of them.\n",
        "b.md": "# Dogs\n\nThey bark at cats, cats, cats at night.\n",
    }

    assert subjects(files, "cats at night") == ["Cats", "Dogs"]


def test_scripts_and_markup_stay_out_of_claims() -> None:
    page = "<p>Figs <i>ripen</i> in August.</p>\n<script>figs.ripen()</script>\n<p>Eat them soon &amp; fresh.</p>\n"

    (finding,) = asked({"figs.html": page}, "When do figs ripen?").findings

    assert finding.claim == "Figs ripen in August. Eat them soon & fresh."


def test_a_very_long_line_is_quoted_where_it_answers() -> None:
    line = "".join(f"Sentence {n} is about nothing in particular. " for n in range(200))
    text = f"{line}The zeppelin lands at noon. {line}"

    (finding, *_) = asked({"long.txt": text}, "When does the zeppelin land?").findings

    assert "The zeppelin lands at noon." in finding.evidence[0].quote
    assert finding.evidence[0].locator == "L1"


def test_the_same_passage_in_two_files_is_returned_once() -> None:
    text = "A session ends after thirty minutes.\n"

    assert subjects({"a.md": text, "copy/b.md": text}, "When does a session end?") == ["a.md"]


def test_questions_on_lines_of_their_own_are_answered_each() -> None:
    found = subjects({"guide.md": GUIDE}, "When does a session end?\nHow are passwords hashed?")

    assert found == ["Server guide > Sessions", "Server guide > Passwords"]


def test_data_binaries_and_large_files_are_accounted_for() -> None:
    files = {"a.md": "Sessions end.", "data.json": "{}", "bin.dat": "\0", "big.txt": "session ends " * 400_000}

    answer = asked(files, "When do sessions end?")

    assert answer.examined == Examined(done=1, in_scope=2, unit="text files", left_out=("1 over 4 MB",))
    assert answer.gaps == ("1 binary files and 1 data files were not read: they hold no prose.",)


@pytest.mark.parametrize("question", ["", "  \n "])
def test_a_blank_question_is_refused(question: str) -> None:
    with pytest.raises(InputError, match=r"passages\.question"):
        asked({"guide.md": GUIDE}, question)


def test_a_question_without_a_telling_word_is_a_gap() -> None:
    answer = asked({"guide.md": GUIDE}, "What is it about?")

    assert (answer.findings, answer.gaps) == ((), ("The question has no word that says what it is about.",))


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=400), question=st.text(min_size=1, max_size=60))
def test_any_text_and_any_question_are_borne(text: str, question: str) -> None:
    if question.strip():
        asked({"a.md": text, "b.html": text, "c.rst": text}, question)


_LINE = st.sampled_from(
    ["# h", "===", "```", "", "text", "x" * 1300, "y. " * 900, "Title", "-----", "é" * MAX_LINE_CHARS]
)


@given(lines=st.lists(_LINE, max_size=30), name=st.sampled_from(["a.md", "a.rst", "a.txt", "a.html", "a.adoc"]))
def test_passages_hold_every_word_of_a_text_once_and_stay_short(lines: list[str], name: str) -> None:
    cut = list(passages(name, lines))

    assert "".join("".join(p.of(lines).split()) for p in cut) == "".join("".join(lines).split())
    assert all(len(p.of(lines).strip()) <= MAX_LINE_CHARS for p in cut)
