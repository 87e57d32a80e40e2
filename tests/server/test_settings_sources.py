"""How good somebody holds sources to be, as set in the TOML file."""

from pathlib import Path

import pytest

from fanfold_server.settings import Settings
from fanfold_workers.errors import InputError


def read(folder: Path, text: str) -> Settings:
    (folder / "config.toml").write_text(text, "utf-8")
    return Settings.read({"FANFOLD_CONFIG": str(folder / "config.toml")})


def test_domains_are_classed_in_a_table_of_their_own(tmp_path: Path) -> None:
    settings = read(tmp_path, '[sources]\n"Wiki.Example.com" = "primary"\n"medium.com" = "farm"\n')
    assert settings.sources == {"wiki.example.com": "primary", "medium.com": "farm"}
    assert read(tmp_path, "").sources == {}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            '"medium.com" = "good"',
            'sources."medium.com": good is not one of primary, secondary, unknown, forum, farm',
        ),
        ('"medium.com" = 1', 'sources."medium.com": 1 is not one of'),
        ('"https://medium.com" = "farm"', "https://medium.com is no domain.*no https://"),
        ('"medium.com/blog" = "farm"', "medium.com/blog is no domain.*no path"),
        ('medium.com = "farm"', "There is a table medium in it.*Quote a domain"),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read(tmp_path, f"[sources]\n{line}\n")


def test_a_list_in_place_of_the_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no table.*Write \[sources\]"):
        read(tmp_path, 'sources = ["medium.com"]\n')
