"""What becomes of a quote: looked up in its source, never believed."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold_server.synthesis.source import MAX_SCANNED, Source, plain
from fanfold_server.synthesis.verify import judged, verified
from fanfold_workers.contract import Evidence, Finding, Result, Scope, Status, Subtask, Verdict
from fanfold_workers.tools.roots import MAX_READ_BYTES, MemoryRoot

CODE = (
    "import os\n\n\ndef main():\n    print(\u201chello   world\u201d)\n"
    "    token = 'ghp_abcdefghijkl123456'\n    return 42\n"
)
FILES = {"app.py": CODE, "deep/notes.md": "one\r\ntwo\r\nthree\r\n", "image.png": "\0\0PNG", "pkg/x.py": "x = 1\n"}
ROOTS = {
    "repo": MemoryRoot("repo", FILES),
    "other": MemoryRoot("other", {"secret.txt": "the password is swordfish\n"}),
}


def looked_up(*evidence: Evidence, text: str = "", places: tuple[str, ...] | None = None) -> list[Evidence]:
    finding = Finding(subject="x", claim="y", evidence=evidence)
    result = Result(subtask="s1", status=Status.partial, reason="r", findings=(finding,), text=text)
    (checked,) = verified([result], ROOTS, {} if places is None else {"s1": places})
    return list(checked.findings[0].evidence)


def quoted(quote: str, locator: str = "", source: str = "repo:app.py") -> Evidence:
    return Evidence(source=source, locator=locator, quote=quote)


@pytest.mark.parametrize(
    ("quote", "locator", "verdict", "where"),
    [
        ("import os", "L1", Verdict.verified, "L1"),
        ("import os", "", Verdict.verified, "L1"),
        ("import os", "L7", Verdict.moved, "L1"),
        ("import os", "L900", Verdict.moved, "L1"),
        ("import os", "L99999999999999999999", Verdict.moved, "L1"),
        ('def main():\n  print("hello world")', "L4-L5", Verdict.verified, "L4-L5"),
        ('def main():\n  print("hello world")', "L4", Verdict.verified, "L4"),
        ('print("hello world")', "L1", Verdict.moved, "L5"),
        ("\u2026print(\u201chello world\u201d)...", "L5", Verdict.verified, "L5"),
        ("import os", "c0-9", Verdict.verified, "c0-9"),
        ("return 42", "c0-9", Verdict.moved, f"c{CODE.index('return')}-{CODE.index('return') + 9}"),
        ("nothing like this stands there", "L1", Verdict.missing, "L1"),
        ("os", "L4", Verdict.unchecked, "L4"),
        ("sh", "L4", Verdict.missing, "L4"),
        ('    4\tdef main():\n    5\t    print("hello world")', "", Verdict.verified, "L4-L5"),
        ("`import os`", "L1", Verdict.verified, "L1"),
        ("", "L1", Verdict.unchecked, "L1"),
    ],
)
def test_a_quote_is_found_at_its_place_or_elsewhere_or_not(
    quote: str, locator: str, verdict: Verdict, where: str
) -> None:
    assert looked_up(quoted(quote, locator)) == [
        Evidence(source="repo:app.py", locator=where, quote=quote, verdict=verdict)
    ]


def test_an_altered_quote_shows_what_the_source_says() -> None:
    assert looked_up(quoted("return 41", "L7")) == [
        Evidence(source="repo:app.py", locator="L7", quote="return 41", verdict=Verdict.altered, actual="return 42")
    ]


@pytest.mark.parametrize(
    ("quote", "actual"),
    [
        ("Import OS", "import os"),
        ("def main(): ... return 42", "def main(): print(\"hello world\") token = 'ghp_********' return 42"),
        ('print("world")', 'print("hello world")'),
    ],
)
def test_a_quote_in_another_case_or_with_something_left_out_is_altered(quote: str, actual: str) -> None:
    (seen,) = looked_up(quoted(quote, "L1"))
    assert (seen.verdict, seen.actual) == (Verdict.altered, actual)


def test_an_altered_quote_never_shows_a_secret_that_stands_beside_it() -> None:
    (seen,) = looked_up(quoted("token = 'ghp_abcdefghijkl12345X'", "L6"))
    assert seen.verdict is Verdict.altered
    assert "abcdefghijkl123456" not in seen.actual


@pytest.mark.parametrize("quote", ["token = 'ghp_************3456'", "token = 'ghp_***'", "token = '***3456'"])
def test_a_masked_secret_is_verified_by_what_is_left_of_it(quote: str) -> None:
    (seen,) = looked_up(quoted(quote, "L6"))
    assert (seen.verdict, seen.locator) == (Verdict.verified, "L6")


def test_a_masked_quote_with_another_secret_is_missing() -> None:
    (seen,) = looked_up(quoted("token = 'xoxb-************9999'", "L6"))
    assert (seen.verdict, seen.actual) == (Verdict.missing, "")


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("repo:gone.py", Verdict.missing),
        ("repo:deep", Verdict.unchecked),
        ("repo", Verdict.unchecked),
        ("repo:image.png", Verdict.unchecked),
        ("https://example.org/a", Verdict.unchecked),
        ("nowhere:app.py", Verdict.unchecked),
        ("repo:../other/secret.txt", Verdict.unchecked),
        ("text:s1", Verdict.unchecked),
        ("text:", Verdict.unchecked),
        ("not a place at all", Verdict.unchecked),
    ],
)
def test_a_source_out_of_reach_proves_nothing(source: str, verdict: Verdict) -> None:
    (seen,) = looked_up(quoted("import os", "L1", source))
    assert seen.verdict is verdict


def test_a_worker_cannot_have_a_quote_verified_outside_its_scope() -> None:
    stolen = quoted("the password is swordfish", "L1", "other:secret.txt")
    own = quoted("x = 1", "L1", "repo:pkg/x.py")
    assert [e.verdict for e in looked_up(stolen, own, places=("repo:pkg",))] == [Verdict.unchecked, Verdict.verified]


def test_a_verdict_that_was_handed_in_is_not_believed() -> None:
    lie = Evidence(source="https://example.org", quote="so it is", verdict=Verdict.verified, actual="indeed")
    assert looked_up(lie) == [Evidence(source="https://example.org", quote="so it is")]


def test_a_quote_may_come_from_the_workers_own_prose() -> None:
    text = "First line.\nThe pump was   rebuilt\nin 1953 by two brothers.\n"
    (seen,) = looked_up(quoted("was rebuilt in 1953", "", "text:s1"), text=text)
    assert (seen.verdict, text[slice(*map(int, seen.locator[1:].split("-")))]) == (
        Verdict.verified,
        "was   rebuilt\nin 1953",
    )


def test_lines_are_counted_as_editors_count_them() -> None:
    (seen,) = looked_up(quoted("two three", "L2-L3", "repo:deep/notes.md"))
    assert seen.verdict is Verdict.verified


def test_a_quote_beyond_what_is_read_of_a_huge_file_is_unchecked_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanfold_server.synthesis.verify.MAX_SOURCE_BYTES", 30)
    (seen,) = looked_up(quoted("return 42", "L7"))
    assert seen.verdict is Verdict.unchecked


@dataclass(frozen=True)
class CountingRoot(MemoryRoot):
    """A MemoryRoot that remembers what was read."""

    reads: list[str] = field(default_factory=list[str])

    def read(self, path: str, /, limit: int = MAX_READ_BYTES, offset: int = 0) -> bytes:
        self.reads.append(path)
        return super().read(path, limit, offset)


def test_each_file_is_read_once_however_many_quotes_point_to_it() -> None:
    reads: list[str] = []
    root = CountingRoot("repo", FILES, reads)
    findings = tuple(Finding(subject="x", claim="y", evidence=(quoted("import os", "L1"),)) for _ in range(20))
    results = [Result(subtask=f"s{n}", status=Status.ok, findings=findings) for n in range(3)]
    verified(results, {"repo": root}, {})
    assert reads == ["app.py"]


def test_a_source_is_not_scanned_without_end() -> None:
    source = Source("a b c d " * 2_000)
    source.scanned = MAX_SCANNED + 1
    assert judged(quoted("a quote that is nowhere", "L1"), source).verdict is Verdict.unchecked


@given(st.text(min_size=1, max_size=400), st.data())
def test_whatever_stands_in_a_text_is_found_there(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    quote = text[start : data.draw(st.integers(start + 1, len(text)))]
    seen = judged(Evidence(source="text:a", locator=f"c{start}-{start + len(quote)}", quote=quote), Source(text))
    if plain(quote).strip("."):
        assert seen.verdict in {Verdict.verified, Verdict.moved, Verdict.unchecked}


def test_the_scope_of_a_subtask_is_what_its_quotes_may_come_from() -> None:
    subtask = Subtask(id="s1", title="t", objective="o", scope=Scope(places=("repo:deep",)))
    (seen,) = looked_up(quoted("import os", "L1"), places=subtask.scope.places)
    assert seen.verdict is Verdict.unchecked
