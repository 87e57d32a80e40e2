import sysconfig
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold_workers.contract import Evidence, Examined, Finding, Severity
from fanfold_workers.tools.disk import DiskRoot
from fanfold_workers.tools.files import Files, split_place
from fanfold_workers.tools.inspections.python.wording import next_python
from fanfold_workers.tools.inspections.upgrades import TOOL
from fanfold_workers.tools.roots import MemoryRoot, Root
from fanfold_workers.tools.toolbox import Answer, Inspect

TO_3_14 = "Can it move to Python 3.14?"
LIBRARY = {"os.py": "", "abc.py": "", "warnings.py": ""}
"""What marks the modules beside it as a standard library."""


def inspected(sources: dict[str, str], question: str = TO_3_14, places: tuple[str, ...] = ("r",)) -> Answer:
    root = MemoryRoot("r", {path: dedent(text) for path, text in sources.items()})
    files = Files({"r": root}, places)
    answer = TOOL.run(files, Inspect(question=question))
    assert_every_quote_stands(root, answer)
    return answer


def assert_every_quote_stands(root: Root, answer: Answer) -> None:
    for finding in answer.findings:
        assert finding.evidence
        for evidence in finding.evidence:
            text = root.read(split_place(evidence.source)[1], 2**22).decode("utf-8", "replace")
            first, _, last = evidence.locator.replace("L", "").partition("-")
            lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[int(first) - 1 : int(last or first)]
            assert evidence.quote == "\n".join(lines).strip()[:2_000].strip()


def deprecated(sources: dict[str, str], question: str = TO_3_14) -> dict[str, str]:
    """Stated versions by subject."""
    answer = inspected(LIBRARY | sources, question)
    return {f.subject: f.value for f in answer.findings if f.kind == "upgrades.deprecates"}


def used(source: str) -> dict[str, int]:
    """Counts by subject of what `app.py` uses."""
    answer = inspected({"app.py": source})
    return {f.subject: f.count for f in answer.findings if f.kind == "upgrades.uses"}


def test_a_module_that_is_to_be_removed_is_found_with_its_version_and_the_lines_that_say_so() -> None:
    source = """
        import warnings
        _MSG = "{name} goes in {remove}"
        warnings._deprecated(__name__, _MSG, remove=(3, 14))
        """

    answer = inspected(LIBRARY | {"imp.py": source})

    assert answer.findings == (
        Finding(
            kind="upgrades.deprecates",
            subject="imp",
            claim='`imp` is deprecated, to end with Python 3.14: "imp goes in 3.14"',
            attribute="removal",
            value="3.14",
            severity=Severity.high,
            confidence=0.95,
            evidence=(
                Evidence(
                    source="r:imp.py", locator="L4", quote="warnings._deprecated(__name__, _MSG, remove=(3, 14))"
                ),
                Evidence(source="r:imp.py", locator="L3", quote='_MSG = "{name} goes in {remove}"'),
            ),
        ),
    )
    assert answer.examined == Examined(done=4, in_scope=4, unit="Python files")


@pytest.mark.parametrize(
    ("question", "severity"),
    [
        ("May we go to Python 3.14?", Severity.high),
        ("May we go from 3.12 to 3.13?", Severity.medium),
        ("What breaks after Python 3.13?", Severity.high),
    ],
)
def test_what_goes_with_the_named_python_is_severe(question: str, severity: Severity) -> None:
    source = 'import warnings\nwarnings.warn("Removed in Python 3.14", DeprecationWarning)\n'

    answer = inspected(LIBRARY | {"cgi.py": source}, question)

    assert [(f.subject, f.severity) for f in answer.findings] == [("cgi", severity)]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("f() is deprecated since Python 3.4 and, as was said before, is slated for removal in Python 3.12", "3.12"),
        ("The class was renamed in Python 3.2. This alias will be removed in Python 3.12.", "3.12"),
        ("In 3.13 classes made inside an enum will not become members", "3.13"),
        ("Python 3.14 will, by default, filter archives", "3.14"),
        (".. deprecated-removed:: 3.11 3.13", "3.13"),
        ("Deprecated since 3.4, use g", ""),
        ("deprecated; g is available since Python 3.4", ""),
    ],
)
def test_the_version_of_the_end_is_told_from_other_versions(text: str, version: str) -> None:
    source = f"import warnings\nwarnings.warn({text!r}, DeprecationWarning)"

    assert deprecated({"cgi.py": source}) == {"cgi": version}


def test_without_a_named_python_the_next_one_is_meant() -> None:
    assert next_python("Can this environment move to the next Python?", (3, 11)) == (3, 12)


def test_functions_methods_classes_and_attributes_are_named_as_importers_write_them() -> None:
    source = """
        import warnings as w
        from warnings import warn as _warn

        def gone():
            w.warn("gone() will be removed in Python 3.15", DeprecationWarning, 2)

        class Old:
            def __init__(self):
                _warn("Old is deprecated since 3.10", category=PendingDeprecationWarning)

        class New:
            @property
            def name(self):
                '''Deprecated, use `title`.'''

            def method(self):
                '''Do it.

                .. deprecated:: 3.12
                '''
        """

    assert deprecated({"abc.py": source}) == {
        "abc.gone": "3.15",
        "abc.Old": "",
        "abc.New.name": "",
        "abc.New.method": "",
    }


def test_a_deprecated_way_to_call_something_never_condemns_the_thing() -> None:
    source = """
        import warnings

        def gather(*args, loop=None):
            if loop is not None:
                warnings.warn("The loop argument is deprecated", DeprecationWarning)

        def split(s):
            if s is None:
                warnings.warn("Passing None to split() is deprecated", DeprecationWarning)

        def early(x):
            if x:
                return x
            warnings.warn("falsehood is deprecated", DeprecationWarning)

        def lock(*args):
            warnings.warn("Passing arguments to lock is deprecated", DeprecationWarning)
        """

    assert set(deprecated({"abc.py": source})) == {
        "abc.gather()[loop]",
        "abc.split()[usage]",
        "abc.early()[usage]",
        "abc.lock()[usage]",
    }


def test_a_warning_on_import_about_an_argument_never_condemns_the_module() -> None:
    source = "import warnings\nwarnings.warn('The x argument of f is deprecated', DeprecationWarning)"

    assert set(deprecated({"abc.py": source})) == {"abc[usage]"}


def test_names_behind_a_getattr_are_read_from_its_tables_even_in_another_module() -> None:
    sources = {
        "ast.py": """
            _old = {name: 1 for name in ("Num", "Str")}
            def __getattr__(name):
                if name in _old:
                    import warnings
                    warnings._deprecated(f"ast.{name}", remove=(3, 14))
                    return _old[name]
            """,
        "sqlite3/__init__.py": """
            from sqlite3.dbapi2 import _names
            def __getattr__(name):
                if name in _names:
                    from warnings import warn
                    warn(f"{name} is deprecated", DeprecationWarning)
            """,
        "sqlite3/dbapi2.py": '_names = frozenset({"version"})',
    }

    assert deprecated(sources) == {"ast.Num": "3.14", "ast.Str": "3.14", "sqlite3.version": ""}


def test_wrapped_methods_and_decorated_functions_carry_the_shortest_public_name() -> None:
    sources = {
        "unittest/__init__.py": "from .case import TestCase\nfrom .loader import *",
        "unittest/case.py": """
            import warnings
            class TestCase:
                def _deprecate(original):
                    def wrapper(*args):
                        warnings.warn("Please use {0} instead.".format(original.__name__), DeprecationWarning, 2)
                        return original(*args)
                    return wrapper
                failUnlessEqual = assertEquals = _deprecate(assertEqual)
            """,
        "unittest/loader.py": """
            from warnings import deprecated
            __all__ = ("makeSuite",)
            @deprecated("removed in Python 3.13")
            def makeSuite(): ...
            @deprecated("removed in Python 3.13")
            def other(): ...
            """,
    }

    found = deprecated(sources)

    assert found == {
        "unittest.TestCase.assertEquals": "",
        "unittest.TestCase.failUnlessEqual": "",
        "unittest.makeSuite": "3.13",
        "unittest.loader.other": "3.13",
    }


def test_private_twins_and_metaclasses_stand_for_what_they_implement() -> None:
    sources = {
        "_pydatetime.py": """
            class datetime:
                @classmethod
                def utcnow(cls):
                    import warnings
                    warnings.warn("datetime.utcnow() is deprecated", DeprecationWarning)
            """,
        "typing.py": """
            import warnings
            class _Old(type):
                def __getattribute__(cls, name):
                    if name not in ("__dict__",):
                        warnings.warn(f"{cls.__name__} will be removed in Python 3.12.", DeprecationWarning)
            class io(metaclass=_Old): ...
            """,
    }

    assert deprecated(sources) == {"datetime.datetime.utcnow": "", "typing.io": "3.12"}


def test_a_helper_that_warns_for_others_is_not_deprecated_itself() -> None:
    source = """
        import warnings
        def warn_somehow(message):
            warnings.warn(message, DeprecationWarning)
        def _warn_about(name):
            warnings.warn(f"{name} is deprecated", DeprecationWarning)
        def deprecated(func):
            '''Deprecated things get this decorator.'''
            def inner(*args):
                warnings.warn("old", DeprecationWarning)
            return inner
        def old():
            _warn_about("old")
        @deprecated
        def older(): ...
        """

    assert set(deprecated({"abc.py": source})) == {"abc.old", "abc.older"}


def test_a_third_party_version_is_no_python_version() -> None:
    source = """
        import warnings
        def f():
            warnings.warn("f will be removed in version 2.0", DeprecationWarning)
        def g():
            warnings.warn("g will be removed in Python 3.13", DeprecationWarning)
        """

    answer = inspected({"pkg/__init__.py": source})

    found = [(f.subject, f.value, f.severity) for f in answer.findings if f.kind == "upgrades.deprecates"]
    assert found == [("pkg.g", "3.13", Severity.high), ("pkg.f", "2.0", Severity.low)]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import imp\nimp.find_module('x')", {"imp": 1, "imp.find_module": 1}),
        ("import imp as i\ni.reload(x)", {"imp": 1, "imp.reload": 1}),
        ("from imp import reload as r\nr(x)", {"imp": 1, "imp.reload": 2}),
        (
            "from datetime import datetime\ndatetime.utcnow()",
            {"datetime": 1, "datetime.datetime": 1, "datetime.datetime.utcnow": 1},
        ),
        (
            "import xml.dom\nxml.dom.minidom.parse",
            {"xml": 1, "xml.dom": 2, "xml.dom.minidom": 1, "xml.dom.minidom.parse": 1},
        ),
        ("import ssl\nssl.wrap(certfile=1)", {"ssl": 1, "ssl.wrap": 1, "ssl.wrap()[certfile]": 1}),
        (
            "import importlib\nimportlib.import_module('imp')",
            {"importlib": 1, "importlib.import_module": 1, "imp": 1},
        ),
        ("import numpy\nnumpy.imp\nfrom . import imp\nimp.x", {}),
    ],
)
def test_uses_are_counted_under_the_full_name_however_they_are_imported(source: str, names: dict[str, int]) -> None:
    assert used(source) == names


def test_a_variable_that_is_called_like_a_module_is_no_use() -> None:
    source = """
        import imp
        def f(imp):
            imp.reload()
        def g():
            imp = 1
            imp.real
        h = lambda imp: imp.load
        class A:
            import imp as i
            def f(self):
                i.reload()
        [imp.a for imp in ()]
        """

    assert used(source) == {"imp": 2}


def test_methods_are_uses_where_the_class_is_certain() -> None:
    source = """
        import threading, unittest
        class Base(unittest.TestCase):
            def helper(self): ...
        class T(Base):
            def test(self):
                self.assertEquals(1, 1)
                self.helper()
                self.own = 1
                self.own.more
                super().setUp()
        class Mixed(unittest.TestCase, Unknown):
            def test(self):
                self.assertItemsEqual
        def f():
            t = threading.Thread()
            t.setDaemon(True)
            u = threading.Thread()
            u = other()
            u.getName()
        """

    found = {name for name in used(source) if name.count(".") == 2}
    assert found == {"unittest.TestCase.assertEquals", "unittest.TestCase.setUp", "threading.Thread.setDaemon"}


def test_guarded_uses_say_so_and_weigh_less() -> None:
    source = """
        import sys
        from typing import TYPE_CHECKING
        try:
            import asyncore
        except ImportError:
            asyncore = None
        if sys.version_info < (3, 12):
            import imp
        if TYPE_CHECKING:
            import uu
        def f():
            asyncore.loop()
        import crypt
        """

    answer = inspected({"app.py": source})

    found = {f.subject: (f.claim, f.confidence) for f in answer.findings}
    assert {name: found[name] for name in ("asyncore.loop", "imp", "uu", "crypt")} == {
        "asyncore.loop": ("Uses `asyncore.loop` once, where its absence is provided for.", 0.6),
        "imp": ("Uses `imp` once, under a check of the Python version.", 0.6),
        "uu": ("Uses `uu` once, for type checkers only.", 0.6),
        "crypt": ("Uses `crypt` once.", 0.95),
    }


def test_deprecations_and_uses_of_one_thing_have_one_subject() -> None:
    library = MemoryRoot(
        "stdlib", LIBRARY | {"imp.py": "import warnings\nwarnings._deprecated(__name__, remove=(3, 14))"}
    )
    site = MemoryRoot("site", {"pkg/__init__.py": "import imp", "pkg-1.dist-info/METADATA": ""})
    roots = {"stdlib": library, "site": site}

    stated = TOOL.run(Files(roots, ("stdlib:imp.py",)), Inspect())
    using = TOOL.run(Files(roots, ("site:pkg", "site:pkg-1.dist-info")), Inspect())

    assert [(f.kind, f.subject) for f in (*stated.findings, *using.findings)] == [
        ("upgrades.deprecates", "imp"),
        ("upgrades.uses", "imp"),
    ]


def test_a_standard_library_does_not_use_itself_but_a_repository_with_such_names_does() -> None:
    source = "import imp"

    assert inspected(LIBRARY | {"pkgutil.py": source}).findings == ()
    for sources in ({"profile.py": source, "setup.py": ""}, {"vendor/profile.py": source}):
        assert [f.subject for f in inspected(sources).findings] == ["imp"]


def test_a_module_of_the_scope_hides_the_standard_one_and_that_is_a_gap() -> None:
    answer = inspected({"app.py": "import parser, json\nparser.parse()", "parser.py": ""})

    assert [f.subject for f in answer.findings] == ["json"]
    assert answer.gaps == ("Uses of parser are left out: the scope has modules of its own by such names.",)


def test_tests_of_a_standard_library_are_read_only_when_asked_for() -> None:
    sources = LIBRARY | {"test/support/__init__.py": "", "idlelib/run.py": "", "unittest/test/x.py": ""}

    assert inspected(sources).examined.in_scope == 3
    assert "3 files of the standard library's own tests" in inspected(sources).gaps[0]
    assert inspected(sources, places=("r:test",)).examined.in_scope == 1


def test_what_cannot_be_read_is_left_out_with_the_reason_and_the_rest_is_read() -> None:
    sources = {
        "a.py": "import imp",
        "broken.py": "def (",
        "nul.py": "x = 1\n" * 2000 + "\0",
        "binary.py": "\0",
        "old.py": "print 'hello'",
        "deep.py": "x = " + "-" * 100_000 + "1",
        "long.py": "x = " + "+".join(["1"] * 50_000),
        "escape.py": 'import uu\n"\\d"',
        "large.py": "#" * (2**21 + 1),
        "speedups.so": "",
    }

    answer = inspected(sources)

    assert [f.subject for f in answer.findings] == ["imp", "uu"]
    assert answer.gaps == ("1 compiled modules (.so/.pyd) cannot be read for what they deprecate or use.",)
    examined = answer.examined
    assert examined.in_scope == 9
    assert examined.done + sum(int(line.split()[0]) for line in examined.left_out) == 9
    assert "1 binary (r:binary.py)" in examined.left_out
    assert "1 over 2 MB (r:large.py)" in examined.left_out
    assert any("nested too deeply" in line and "r:deep.py" in line for line in examined.left_out)
    assert any("does not parse on this Python" in line and "r:broken.py" in line for line in examined.left_out)


def test_a_scope_without_python_says_so() -> None:
    answer = inspected({"README.md": "imp is deprecated"})

    assert (answer.findings, answer.gaps) == ((), ("There is no Python source in this scope.",))


def test_a_real_standard_library_is_read_and_quoted_truly() -> None:
    root = DiskRoot("stdlib", sysconfig.get_paths()["stdlib"])
    places = ("stdlib:unittest", "stdlib:importlib", "stdlib:logging", "stdlib:asyncio", "stdlib:locale.py")

    answer = TOOL.run(Files({"stdlib": root}, places), Inspect())

    assert_every_quote_stands(root, answer)
    found = {f.subject for f in answer.findings}
    assert {"logging.warn", "logging.Logger.warn", "locale.getdefaultlocale"} <= found
    assert {f.kind for f in answer.findings} == {"upgrades.deprecates"}
    assert answer.examined.done == answer.examined.in_scope > 30


_LINES = st.lists(
    st.sampled_from(
        [
            "import imp, warnings",
            "from imp import *",
            "class A(warnings.W):",
            "  def f(self, x=imp.a): self.f",
            "def g(*a, **k):",
            '  """Deprecated."""',
            "  warnings.warn('x is deprecated', DeprecationWarning)",
            "  global imp",
            "try:",
            "except ImportError: imp = None",
            "  match imp:",
            "    case imp.x: pass",
            "lambda: (yield)",
            "@warnings.deprecated('')",
            "\x0c",
            "\ufeff",
            "'''",
        ]
    )
    | st.text(max_size=20),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(lines=_LINES)
def test_whatever_stands_in_a_file_it_is_examined_or_left_out(lines: list[str]) -> None:
    answer = inspected({"pkg/a.py": "\n".join(lines).encode("utf-8", "replace").decode()})

    assert answer.examined.in_scope == 1
    assert answer.examined.done == 1 - len(answer.examined.left_out)
