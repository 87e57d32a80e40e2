"""What a person sees of dependencies: what nothing pins, what moves, what contradicts; and no more than that."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from fanfold_workers.contract import Evidence, Examined, Finding, Severity
from fanfold_workers.tools.files import Files
from fanfold_workers.tools.inspections.dependencies import TOOL
from fanfold_workers.tools.inspections.specifiers import applies_in, from_poetry, satisfiable
from fanfold_workers.tools.roots import MemoryRoot
from fanfold_workers.tools.toolbox import Answer, Inspect

PROJECT = '[project]\nname = "mine"\nversion = "1"\ndependencies = [{}]\n'


def inspected(files: dict[str, str]) -> Answer:
    return TOOL.run(Files({"repo": MemoryRoot("repo", files)}, ("repo",)), Inspect())


def found(files: dict[str, str]) -> list[tuple[str, str, str]]:
    return [(f.kind.partition(".")[2], f.subject, str(f.severity)) for f in inspected(files).findings]


def project(*requirements: str) -> str:
    return PROJECT.format(", ".join(f'"{r}"' for r in requirements))


def test_an_application_s_requirement_without_a_version_is_found_at_its_line():
    answer = inspected({"requirements.txt": "# needed\nflask==3.1.3\nrequests  # any will do\n"})
    assert answer.findings == (
        Finding(
            kind="dependencies.unpinned",
            subject="dependency requests",
            claim=(
                "requests is required without a version in requirements.txt, "
                "and no lock or manifest beside it bounds it."
            ),
            attribute="specifier",
            value="any version",
            severity=Severity.medium,
            confidence=0.9,
            evidence=(Evidence(source="repo:requirements.txt", locator="L3", quote="requests  # any will do"),),
        ),
    )
    assert answer.examined == Examined(done=1, in_scope=1, unit="manifests")


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": project("requests>=2")},
        {"requirements.txt": "requests", "constraints.txt": "requests==2.34.2"},
        {"requirements.in": "requests", "requirements.txt": "requests==2.34.2\n    # via -r requirements.in"},
        {"pyproject.toml": project("requests"), "uv.lock": '[[package]]\nname = "requests"\nversion = "2.34.2"'},
        {"pyproject.toml": project("requests>=2"), "requirements-dev.txt": "requests\n-e .\nmine[all]\n"},
        {"pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n'},
        {"pyproject.toml": project() + '[dependency-groups]\ndev = ["pytest"]\n'},
        {
            "tests/fixtures/app/requirements.txt": "requests",
            "src/_vendor/x/setup.py": "setup(install_requires=['a'])",
        },
        {"package.json": '{"dependencies": {"left-pad": "*"}}', "package-lock.json": "{}"},
        {"Gemfile": "gem 'rails'", "Gemfile.lock": ""},
        {"go.mod": "module x\nrequire y v1.2.3\n"},
        {"docs/constraints.txt": "Constraints are rules.\nThey say what a table may hold.\nSee also: models.\n"},
    ],
)
def test_ordinary_practice_is_no_finding(files: dict[str, str]):
    assert found(files) == []


@pytest.mark.parametrize(
    ("files", "subject"),
    [
        ({"pyproject.toml": project("anyio")}, "dependency anyio"),
        ({"setup.py": "from setuptools import setup\nsetup(name='x', install_requires=['Six'])"}, "dependency six"),
        ({"setup.cfg": "[options]\ninstall_requires =\n    attrs\n"}, "dependency attrs"),
        ({"Pipfile": '[packages]\nattrs = "*"\n'}, "dependency attrs"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.9"\nattrs = "*"\n'}, "dependency attrs"),
        (
            {"environment.yml": "name: x\ndependencies:\n  - python\n  - numpy\n  - pip:\n    - attrs==1\n"},
            "dependency numpy",
        ),
        ({"package.json": '{"dependencies": {"left-pad": "*", "ok": "^1"}}'}, "npm dependency left-pad"),
        ({"Cargo.toml": '[dependencies]\nserde = "*"\nlibc = "0.2"\n'}, "crate dependency serde"),
        ({"Gemfile": "gem 'rails'\ngem 'rake', '~> 13'\n"}, "gem dependency rails"),
    ],
)
def test_every_manifest_is_read(files: dict[str, str], subject: str):
    answer = inspected(files)
    assert [(f.kind, f.subject) for f in answer.findings] == [("dependencies.unpinned", subject)]
    assert subject.split()[-1] in answer.findings[0].evidence[0].quote.lower()


@pytest.mark.parametrize(
    ("line", "moves"),
    [
        ("git+https://github.com/a/b.git", True),
        ("b @ git+https://github.com/a/b.git@main", True),
        ("-e git+https://github.com/a/b.git@develop#egg=b", True),
        ("https://github.com/a/b/zipball/master", True),
        ("b @ git+https://github.com/a/b.git@v1.2.3", False),
        ("b @ git+https://github.com/a/b.git@0123456789abcdef0123456789abcdef01234567", False),
        ("b @ https://files/b-1.0.tar.gz", False),
        ("./local", False),
    ],
)
def test_a_source_that_moves_is_found(line: str, moves: bool):
    expected = [("moving_source", "dependency b", "medium")] if moves else []
    assert found({"requirements.txt": f"{line}\n"}) == expected


def test_a_password_in_an_address_is_never_shown():
    answer = inspected({"requirements.txt": "b @ git+https://me:hunter22hunter22@git.corp/b.git\n"})
    assert len(answer.findings) == 1
    assert "hunter22" not in answer.text + answer.findings[0].model_dump_json()


def test_requirements_that_no_version_satisfies_contradict():
    (finding,) = inspected(
        {"pyproject.toml": project("django>=5"), "requirements.txt": "django==4.2.1\nother==1\n"}
    ).findings
    assert (finding.kind, finding.subject, finding.value) == (
        "dependencies.contradiction",
        "dependency django",
        "==4.2.1 against >=5",
    )
    assert [(e.source, e.locator) for e in finding.evidence] == [
        ("repo:pyproject.toml", "L4"),
        ("repo:requirements.txt", "L1"),
    ]


@pytest.mark.parametrize(
    ("ours", "theirs", "contradict"),
    [
        ("a>=2", "a<2", True),
        ("a>=2; python_version<'3.9'", "a<2; python_version>='3.9'", False),
        ("a>=2; sys_platform=='win32'", "a<2; sys_platform!='win32'", False),
        ("a>=2; python_version<'3.12'", "a<2", True),
        ("a~=1.4", "a>=1.9,<3", False),
        ("a==1.*", "a!=1.0", False),
        ("a>1,<2", "a==2.0", True),
    ],
)
def test_markers_that_exclude_each_other_do_not_contradict(ours: str, theirs: str, contradict: bool):
    files = {"pyproject.toml": project(ours), "requirements.txt": theirs}
    assert [kind for kind, _, _ in found(files) if kind == "contradiction"] == ["contradiction"] * contradict


def test_extras_and_lists_for_other_uses_may_differ():
    extras = '[project.optional-dependencies]\nold = ["a<2"]\nnew = ["a>=2"]\n'
    files = {"pyproject.toml": project() + extras, "requirements-docs.txt": "b==1", "requirements-test.txt": "b==2"}
    assert found(files) == []


def test_packages_of_one_repository_do_not_contradict_each_other():
    files = {"pyproject.toml": project("a>=2"), "plugins/old/pyproject.toml": project("a<2").replace("mine", "old")}
    assert found(files) == []


def test_a_lock_that_no_longer_fits_its_manifest_is_found():
    files = {"pyproject.toml": project("a>=2"), "uv.lock": '[[package]]\nname = "a"\nversion = "1.5"\n'}
    assert found(files) == [("stale_lock", "dependency a", "medium")]


def test_a_private_package_without_a_lock_is_found():
    package = json.dumps({"private": True, "dependencies": {"a": "^1"}}, indent=1)
    assert found({"package.json": package}) == [("no_lock", "manifest repo:package.json", "low")]
    assert found({"app/package.json": package, "yarn.lock": ""}) == []


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": "[project\nname="},
        {"package.json": "{" * 100_000},
        {"package.json": '{"dependencies": ' + "[" * 50_000},
        {"pyproject.toml": "a = " + "[" * 50_000},
        {"setup.py": "setup(" + "(" * 100_000},
        {"setup.py": "x = " + "-" * 200_000 + "1"},
        {"setup.cfg": "no section\n"},
        {"uv.lock": "package = 1"},
    ],
)
def test_a_malformed_manifest_is_a_gap_and_not_called_examined(files: dict[str, str]):
    answer = inspected(files)
    assert answer.findings == ()
    assert (answer.examined.done, answer.examined.in_scope) == (0, 1)
    assert any("malformed" in gap for gap in answer.gaps)


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "a" * 1_000_000},
        {"requirements.txt": "a==1\n" + "\\\n" * 300_000},
        {"requirements.txt": "\n".join(f"p{n}" for n in range(100_000))},
        {"requirements.txt": "a==1\n" * 100_000},
        {"requirements.txt": "d==1\ne==1\nf==1\na==1.*.*\nb==banana\nc @ \n--hash=x\n"},
        {"pyproject.toml": "[project]\ndependencies = 3\n[tool]\npoetry = 1\n"},
        {"pyproject.toml": project(*(f"p{n}" for n in range(20_000)))},
        {"package.json": "[]"},
        {"package.json": '{"dependencies": {"a": {"b": 1}, "c": null}}'},
        {"Cargo.toml": "[dependencies]\na = 1\nb = {git = 3}\n"},
        {"setup.py": "setup(install_requires=[*x, 1, 'a'], extras_require={**y, z: 1})"},
    ],
)
def test_odd_manifests_are_borne(files: dict[str, str]):
    assert inspected(files).examined.in_scope == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["==", ">=", "<=", ">", "<", "!=", "~="]), st.integers(0, 2), st.integers(0, 2)),
        min_size=1,
        max_size=4,
    )
)
def test_specifiers_are_called_unsatisfiable_only_if_no_version_satisfies_them(clauses: list[tuple[str, int, int]]):
    specifiers = [f"{operator}{major}.{minor}" for operator, major, minor in clauses]
    joined = SpecifierSet(",".join(specifiers))
    tails = ("", ".0.1", ".5", ".99999", "a1", ".post1", ".dev1")
    some = any(joined.contains(f"{a}.{b}{c}", prereleases=True) for a in range(5) for b in range(5) for c in tails)
    assert satisfiable(specifiers) == some


@pytest.mark.parametrize(
    ("poetry", "standard"),
    [
        ("^1.2.3", "<2,>=1.2.3"),
        ("^0.2", "<0.3,>=0.2"),
        ("~1.2", "<1.3,>=1.2"),
        ("1.2", "==1.2"),
        ("*", ""),
        ("^1 || ^2", None),
    ],
)
def test_poetry_s_constraints_are_read_as_poetry_does(poetry: str, standard: str | None):
    assert from_poetry(poetry) == standard


def test_a_marker_that_cannot_be_read_applies_everywhere():
    assert applies_in("nonsense ===") == applies_in("") >= applies_in("python_version < '3.9'")
