"""Settings as the environment and the command line give them."""

import os
from pathlib import Path

import pytest
from platformdirs import user_state_path

from fanfold_server.settings import Settings, default_home
from fanfold_workers.errors import InputError


def test_the_home_is_the_systems_place_for_state_unless_the_environment_names_one(tmp_path: Path) -> None:
    assert default_home({}) == default_home({"FANFOLD_HOME": " "}) == user_state_path("fanfold")
    assert default_home({"FANFOLD_HOME": str(tmp_path)}) == tmp_path
    assert default_home({"FANFOLD_HOME": "~/x"}) == Path("~/x").expanduser()
    assert default_home({"FANFOLD_HOME": "x"}) == Path.cwd() / "x"
    with pytest.raises(InputError, match="FANFOLD_HOME: "):
        default_home({"FANFOLD_HOME": "~nobody-of-that-name/x"})


def test_roots_are_named_by_the_option_or_by_their_directory(tmp_path: Path) -> None:
    (tmp_path / "My Code").mkdir()
    (tmp_path / "docs").mkdir()
    environ = {"FANFOLD_ROOTS": os.pathsep.join([str(tmp_path / "My Code"), f"papers={tmp_path / 'docs'}"])}
    settings = Settings.read(environ, [f"again={tmp_path / 'docs'}"])
    assert settings.roots == {
        "My-Code": tmp_path / "My Code",
        "papers": tmp_path / "docs",
        "again": tmp_path / "docs",
    }


def test_nothing_set_is_fine() -> None:
    assert Settings.read({}) == Settings(home=user_state_path("fanfold"), roots={}, width=8, wait=None)


@pytest.mark.parametrize(
    ("environ", "roots", "error"),
    [
        (
            {},
            ["a=/nowhere/at/all"],
            r"--root: The directory of the root a does not exist\. Name a directory: a=DIR",
        ),
        ({}, [f"a={__file__}"], r"--root: The directory of the root a is a file\."),
        ({}, ["a b=/"], r"--root: a b cannot name a root\. Use letters"),
        ({}, ["a=/", "a=/usr"], r"--root: Two roots are called a\. Give each its own name"),
        ({"FANFOLD_ROOTS": "a=/nowhere"}, [], r"FANFOLD_ROOTS: The directory of the root a does not exist"),
        ({"FANFOLD_WIDTH": "many"}, [], r"FANFOLD_WIDTH: many is not a number from 1 to 256"),
        ({"FANFOLD_WIDTH": "0"}, [], r"FANFOLD_WIDTH: 0 is not"),
        ({"FANFOLD_WAIT": "nan"}, [], r"FANFOLD_WAIT: nan is not"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_its_remedy(environ, roots, error) -> None:
    with pytest.raises(InputError, match=error):
        Settings.read(environ, roots)
