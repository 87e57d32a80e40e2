"""The cases that ship: that they can be read, that there are enough, and what a malformed one is told."""

from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from fanfold_server.evaluation.case import CLASSES, cases, chosen, read_cases
from fanfold_server.evaluation.world import spread, world, world_in
from fanfold_workers.errors import InputError, UnknownNameError

GOOD = """
[[case]]
id = "one"
language = "en"
task = "Look."
why = "It is there to be broken."
[case.expect]
modes = ["single"]
"""


def test_there_are_enough_cases_of_every_class_and_in_several_languages() -> None:
    kinds = Counter(case.kind for case in cases())
    languages = Counter(case.language for case in cases())

    assert sum(kinds.values()) >= 84
    assert min(kinds[kind] for kind in CLASSES) >= 8
    assert len(languages) >= 6
    assert {"ja", "zh", "ar"} <= languages.keys()


def test_no_two_cases_ask_the_same() -> None:
    assert len({(" ".join(case.task.split()), case.repeated) for case in cases()}) == len(cases())


def test_every_class_has_right_answers_that_are_no_fan_out_or_says_why_not() -> None:
    single = Counter(case.kind for case in cases() if "single" in case.expect.modes)

    assert sum(single.values()) >= 30
    assert set(CLASSES) == single.keys()


def test_data_files_lie_within_the_package_that_the_wheel_takes() -> None:
    folder = files("fanfold_server.evaluation")

    assert {f"{kind}.toml" for kind in CLASSES} == {file.name for file in (folder / "cases").iterdir()}
    worlds = {file.name.removesuffix(".toml") for file in (folder / "worlds").iterdir()}
    assert {case.world for case in cases()} - {""} == worlds


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ('modes = ["single"]', 'modes = ["both"]', "narrow.toml: one: expect.modes.0"),
        ('modes = ["single"]', "", "narrow.toml: one: expect"),
        ('modes = ["single"]', 'modes = ["single"]\nleast = 2\nmost = 2', "a single agent is one subtask"),
        ('modes = ["single"]', 'modes = ["parallel"]\nleast = 3', "least: 3 is more than most, 1"),
        ('modes = ["single"]', 'modes = ["single"]\noff_limits = ["attic"]', "'attic' is in no root of its world"),
        ('modes = ["single"]', 'modes = ["single"]\navoids = ["look"]', "'look' stands in the task itself"),
        ('task = "Look."', 'tasks = "Look."', "narrow.toml: one: task"),
        ('language = "en"', 'language = "English"', "narrow.toml: one: language"),
        ('id = "one"', 'id = "one"\nworld = "moon"', "narrow.toml: one: world: There is no world moon.toml"),
        ("[[case]]", "[case]", "narrow.toml: case: It is no list"),
        ('id = "one"', "id = one", "narrow.toml: It is no TOML"),
    ],
)
def test_a_malformed_case_is_told_in_which_file_and_field(tmp_path: Path, was: str, becomes: str, told: str) -> None:
    (tmp_path / "narrow.toml").write_text(GOOD.replace(was, becomes))

    with pytest.raises(InputError) as error:
        read_cases([tmp_path / "narrow.toml"])

    assert told in str(error.value)


def test_two_cases_of_one_id_are_refused(tmp_path: Path) -> None:
    (tmp_path / "narrow.toml").write_text(GOOD + GOOD)

    with pytest.raises(InputError, match=r"narrow\.toml: id: 'one' is used twice"):
        read_cases([tmp_path / "narrow.toml"])


def test_cases_are_chosen_by_class_id_or_pattern() -> None:
    assert {case.kind for case in chosen(cases(), "narrow, audit")} == {"narrow", "audit"}
    assert [case.id for case in chosen(cases(), "trick-a-sum")] == ["trick-a-sum"]
    assert {case.kind for case in chosen(cases(), "orders-*")} == {"orders"}
    assert chosen(cases(), "") == cases()
    with pytest.raises(UnknownNameError, match=r"--cases: No case fits 'narow'\. Name a class \(narrow, "):
        chosen(cases(), "narow")


def test_braces_stand_for_several_names() -> None:
    assert spread("{a,b}/{08..10}.csv")[:4] == ("a/08.csv", "a/09.csv", "a/10.csv", "b/08.csv")
    assert spread("plain") == ("plain",)
    with pytest.raises(InputError, match="stands for"):
        spread("{0000..9999}{0000..9999}")


def test_a_world_is_a_root_of_names_sizes_and_contents() -> None:
    config, lake = world("harbour")["config"], world("lake")["lake"]

    assert config.read("gateway.toml").startswith(b"# Harbour gateway")
    assert lake.children() == ["gauges.csv", "readings/"]
    assert [(file.path, file.size) for file in lake.walk("readings/g0001.csv")] == [("readings/g0001.csv", 2_400)]
    assert len(list(lake.walk("readings"))) == 5_000
    whole = lake.read("gauges.csv", 300_000)
    assert len(whole) == 210_000
    assert lake.read("gauges.csv", 100, 777) == whole[777:877]


@pytest.mark.parametrize("text", ['[repos]\n"a" = true', '[repos]\n"a" = -1', 'repos = "a"', "[repos"])
def test_a_malformed_world_names_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.toml").write_text(text)

    with pytest.raises(InputError, match=r"bad\.toml"):
        world_in(tmp_path / "bad.toml")
