"""Settings as options, the environment, a TOML file and nobody give them."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from platformdirs import user_config_path, user_state_path

from fanfold_server.settings import Settings, default_home
from fanfold_server.settings.checks import FIGURES
from fanfold_server.settings.given import CONFIG, OPTIONS, SPELLINGS
from fanfold_workers.errors import InputError
from fanfold_workers.models.catalog import LEAD, WORKER, Figures, card_of

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")


def written(folder: Path, text: str, name: str = "config.toml") -> dict[str, str]:
    """An environment that names a file of this text."""
    (folder / name).write_bytes(text.encode())
    return {"FANFOLD_CONFIG": str(folder / name)}


def test_the_home_is_the_systems_place_for_state_unless_the_environment_names_one(tmp_path: Path) -> None:
    assert default_home({}) == default_home({"FANFOLD_HOME": " "}) == user_state_path("fanfold")
    assert default_home({"FANFOLD_HOME": f" {tmp_path} "}) == tmp_path
    assert default_home({"FANFOLD_HOME": "~/x"}) == Path("~/x").expanduser()
    assert default_home({"FANFOLD_HOME": "x"}) == Path.cwd() / "x"
    with pytest.raises(InputError, match="FANFOLD_HOME: "):
        default_home({"FANFOLD_HOME": "~nobody-of-that-name/x"})


def test_nothing_set_is_fine() -> None:
    settings = Settings.read({})

    assert settings == Settings(home=user_state_path("fanfold"), roots={}, width=8, wait=None)
    assert (settings.lead_model, settings.worker_model) == (LEAD, WORKER)
    assert (settings.max_usd_per_run, settings.max_usd_per_day, settings.has_model) == (5, 20, False)


# -- who is heard first ----------------------------------------------------------------------------------------------

LAYERS: dict[str, tuple[str, list[str], list[Any]]] = {
    "engine": ("engine", ["rules", "auto"], ["rules", "auto"]),
    "lead_model": ("lead_model", ["one", "two"], ["one", "two"]),
    "worker_model": ("worker_model", ["one", "two"], ["one", "two"]),
    "provider": ("provider", ["bedrock", "vertex"], ["bedrock", "vertex"]),
    "base_url": ("base_url", ["http://one", "https://two:8/x/"], ["http://one", "https://two:8/x"]),
    "max_usd_per_run": ("max_usd_per_run", ["0", "10000"], [0, 10_000]),
    "max_usd_per_day": ("max_usd_per_day", ["0.5", "3"], [0.5, 3]),
    "approve_above_usd": ("approve_above_usd", ["0", "2.5"], [0, 2.5]),
    "approve_above_workers": ("approve_above_workers", ["0", "10000"], [0, 10_000]),
    "width": ("width", ["1", "256"], [1, 256]),
    "worker_seconds": ("worker_seconds", ["0.001", "86400"], [0.001, 86_400]),
    "run_seconds": ("run_seconds", ["0.001", "604800"], [0.001, 604_800]),
    "enough": ("enough", ["0.9", "1"], [0.9, 1]),
    "grace_seconds": ("grace_seconds", ["0", "86400"], [0, 86_400]),
    "hedge": ("hedge", ["0", "on"], [False, True]),
    "keep_days": ("keep_days", ["0.01", "36500"], [0.01, 36_500]),
    "keep_text": ("keep_text", ["0", "1"], [False, True]),
    "audit": ("audit", ["/one", "/two"], [Path("/one"), Path("/two")]),
    "wait": ("wait", ["1", "3600"], [1, 3_600]),
    "servers": ("servers_file", ["/one", "/two"], [Path("/one"), Path("/two")]),
    "host.file": ("host_file", ["/one", "/two"], [Path("/one"), Path("/two")]),
    "host.servers": ("host_servers", ["a, b,,a", "c"], [("a", "b"), ("c",)]),
    "web.enabled": ("web", ["1", "off"], [True, False]),
}
"""By key: the field, and two values as they are given and as they are held."""


@pytest.mark.parametrize("key", LAYERS)
def test_options_go_before_the_environment_and_that_before_the_file(key: str, tmp_path: Path) -> None:
    field, texts, values = LAYERS[key]
    table, _, name = key.rpartition(".")
    toml = f'[{table}]\n{name} = "{texts[0]}"\n' if table else f'{name} = "{texts[0]}"\n'
    if key == "host.servers":
        toml += 'file = "x"\n'
    environ = written(tmp_path, toml)
    expected, spellings = values[0], SPELLINGS[key]

    assert getattr(Settings.read(environ), field) == expected
    for turn, spelling in enumerate(reversed(spellings), 1):
        assert getattr(Settings.read(environ | {spelling: " "}), field) == expected
        environ[spelling] = texts[turn % 2]
        expected = values[turn % 2]
        assert getattr(Settings.read(environ), field) == expected


def test_every_setting_is_in_the_test_above_or_has_one_way_to_be_given() -> None:
    assert {key for key, spellings in SPELLINGS.items() if spellings} == set(LAYERS)


def test_fanfolds_own_base_url_goes_before_the_providers() -> None:
    environ = {"ANTHROPIC_BASE_URL": "http://theirs", "FANFOLD_BASE_URL": "http://ours"}

    assert Settings.read(environ).base_url == "http://ours"


def test_domains_are_held_as_they_are_compared(tmp_path: Path) -> None:
    toml = "[web]\nblocked = [' Docs.Python.org ', 'example.com/Blog', 'docs.python.org']"

    assert Settings.read(written(tmp_path, toml)).web_blocked == ("docs.python.org", "example.com/Blog")


def test_options_may_be_given_as_arguments(tmp_path: Path) -> None:
    config = written(tmp_path, "width = 3")["FANFOLD_CONFIG"]
    environ = {"FANFOLD_LEAD_MODEL": "one", "FANFOLD_ENGINE": "model"}

    settings = Settings.read(environ, config=config, engine="rules", lead_model=None, max_usd_per_run=0.5)

    assert (settings.width, settings.engine, settings.max_usd_per_run) == (3, "rules", 0.5)
    assert (settings.lead_model, settings.config) == ("one", Path(config))
    with pytest.raises(TypeError, match="breadth is no option of the settings; they are config, engine"):
        Settings.read({}, breadth=3)


# -- roots -----------------------------------------------------------------------------------------------------------


def test_roots_are_named_by_the_option_or_by_their_directory(tmp_path: Path) -> None:
    (tmp_path / "My\u00a0Code ").mkdir()
    (tmp_path / "docs").mkdir()
    environ = {"FANFOLD_ROOTS": os.pathsep.join([str(tmp_path / "My\u00a0Code "), f"papers={tmp_path / 'docs'}"])}
    settings = Settings.read(environ, [f"again={tmp_path / 'docs'}"])
    assert settings.roots == {
        "My-Code": tmp_path / "My\u00a0Code ",
        "papers": tmp_path / "docs",
        "again": tmp_path / "docs",
    }


def test_roots_of_the_file_are_added_and_hidden_by_others_of_their_name(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    environ = written(tmp_path, '[roots]\ndocs = "docs"\ncode = "gone"\nhome = "~"\n')

    settings = Settings.read(environ | {"FANFOLD_ROOTS": f"code={tmp_path}"}, ["more=/"])

    assert settings.roots == {"docs": tmp_path / "docs", "code": tmp_path, "home": Path.home(), "more": Path("/")}


def test_paths_in_the_file_count_from_its_folder_and_need_not_exist(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    environ = written(tmp_path / "dir", 'servers = "a.json"\n[host]\nfile = "~/b.json"\n')

    settings = Settings.read(environ)

    assert settings.servers_file == tmp_path / "dir" / "a.json"
    assert settings.host_file == Path.home() / "b.json"
    assert Settings.read(environ | {"FANFOLD_SERVERS": "c.json"}).servers_file == Path.cwd() / "c.json"


# -- whether there is a model ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "has_model"),
    [
        ({}, False),
        ({"ANTHROPIC_API_KEY": "  "}, False),
        ({"ANTHROPIC_API_KEY": "sk"}, True),
        ({"FANFOLD_BASE_URL": "http://localhost:11434"}, True),
        ({"ANTHROPIC_BASE_URL": "https://api.anthropic.com/"}, False),
        ({"FANFOLD_PROVIDER": "vertex"}, True),
        ({"FANFOLD_ENGINE": "model", "ANTHROPIC_API_KEY": "sk"}, True),
        ({"FANFOLD_ENGINE": "rules", "ANTHROPIC_API_KEY": "sk", "FANFOLD_PROVIDER": "vertex"}, False),
    ],
)
def test_models_work_if_something_could_answer_for_them(environ: dict[str, str], has_model: bool) -> None:
    assert Settings.read(environ).has_model is has_model


def test_to_insist_on_a_model_without_a_key_names_the_key_and_other_ways(tmp_path: Path) -> None:
    environ = written(tmp_path, 'engine = "model"')

    with pytest.raises(InputError) as caught:
        Settings.read(environ)

    assert str(caught.value) == (
        "config.toml: engine: It asks for a model, but ANTHROPIC_API_KEY is not set. Set it (or base_url for a "
        "server of your own, or provider for a cloud), or say auto."
    )


def test_a_key_is_shown_nowhere(tmp_path: Path) -> None:
    settings = Settings.read({"ANTHROPIC_API_KEY": " sk-secret\n"})
    errors: list[str] = []
    for environ in (
        {"ANTHROPIC_API_KEY": "sk-secret sk-secret"},
        {"ANTHROPIC_API_KEY": "sk-secret\u2026"},
        *(written(tmp_path, f'{name} = "sk-secret"', name) for name in ("key", "api_key", "ANTHROPIC-API-KEY")),
        written(tmp_path, '[models.x]\napi_key = "sk-secret"'),
    ):
        with pytest.raises(InputError) as caught:
            Settings.read(environ)
        errors.append(str(caught.value))

    assert settings.key == "sk-secret"
    assert "sk-secret" not in f"{settings!r} {errors}"
    assert all("characters that no key has" in error for error in errors[:2])
    assert all("lie about in plain text. Take it out, and set ANTHROPIC_API_KEY" in error for error in errors[2:])


# -- figures of models -----------------------------------------------------------------------------------------------


def test_a_persons_own_figures_price_a_model_nobody_knows(tmp_path: Path) -> None:
    toml = """
        [models."llama3.3:70b"]
        input = 0
        output = 0.25
        window = 32_768
        [models.claude-haiku-4-5]
        cache_read = 1e-1
    """

    models = Settings.read(written(tmp_path, toml)).models

    assert models == {
        "llama3.3:70b": Figures(input=0, output=0.25, window=32_768),
        "claude-haiku-4-5": Figures(cache_read=0.1),
    }
    assert card_of("llama3.3:70b", models["llama3.3:70b"]).window == 32_768


# -- what cannot be --------------------------------------------------------------------------------------------------


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
        ({}, ["a=~nobody-of-that-name"], r"--root: There is no home directory behind ~nobody"),
        ({}, ["a="], r"--root: It is no path\."),
        ({"FANFOLD_ROOTS": "a=/"}, ["a=/usr"], r"--root: Two roots are called a\."),
        ({"FANFOLD_ROOTS": "a=/nowhere"}, [], r"FANFOLD_ROOTS: The directory of the root a does not exist"),
        ({"FANFOLD_WIDTH": "many"}, [], r"FANFOLD_WIDTH: many is not a whole number from 1 to 256\. Correct it, or"),
        ({"FANFOLD_WIDTH": "0"}, [], r"FANFOLD_WIDTH: 0 is not"),
        ({"FANFOLD_WIDTH": "2.5"}, [], r"FANFOLD_WIDTH: 2\.5 is not a whole number"),
        ({"FANFOLD_WAIT": "nan"}, [], r"FANFOLD_WAIT: nan is not a number from 1 to 3,600"),
        ({"FANFOLD_MAX_USD_PER_RUN": "inf"}, [], r"FANFOLD_MAX_USD_PER_RUN: inf is not a number from 0 to 10,000"),
        ({"--max-usd": "-1"}, [], r"--max-usd: -1 is not a number from 0 to 10,000"),
        ({"FANFOLD_MAX_USD_PER_DAY": "10000.01"}, [], r"FANFOLD_MAX_USD_PER_DAY: 10000\.01 is not"),
        ({"FANFOLD_ENGINE": "magic"}, [], r"FANFOLD_ENGINE: magic is not one of auto, model, rules\."),
        ({"FANFOLD_PROVIDER": "azure"}, [], r"FANFOLD_PROVIDER: azure is not one of anthropic, bedrock, vertex, f"),
        ({"ANTHROPIC_BASE_URL": "localhost:11434"}, [], r"ANTHROPIC_BASE_URL: It is not the address .* Write it as"),
        ({"FANFOLD_BASE_URL": "ftp://x"}, [], r"FANFOLD_BASE_URL: It is not the address"),
        ({"FANFOLD_BASE_URL": "http://"}, [], r"FANFOLD_BASE_URL: It is not the address"),
        ({"FANFOLD_BASE_URL": "http://x:99999"}, [], r"FANFOLD_BASE_URL: It is not the address"),
        ({"FANFOLD_BASE_URL": "http://[x"}, [], r"FANFOLD_BASE_URL: It is not the address"),
        ({"FANFOLD_BASE_URL": "http://x/?v=1"}, [], r"FANFOLD_BASE_URL: It is not the address"),
        ({"--lead-model": "a\nb"}, [], r"--lead-model: It is no line of text of 1 to 1,000 characters\."),
        ({"FANFOLD_WEB": "perhaps"}, [], r"FANFOLD_WEB: perhaps is neither on nor off\. Say 1 or 0"),
        ({"--servers": "/"}, [], r"--servers: / is a directory\. Name a file in it\."),
        ({"FANFOLD_HOST_FILE": "~nobody-of-that-name/x"}, [], r"FANFOLD_HOST_FILE: There is no home directory"),
        ({"FANFOLD_HOST_SERVERS": "github"}, [], r"FANFOLD_HOST_SERVERS: No file is named .* FANFOLD_HOST_FILE"),
        ({"--config": "/nowhere/x.toml"}, [], r"--config: /nowhere/x\.toml cannot be read: .* Name a file that can"),
        ({"FANFOLD_CONFIG": "/"}, [], r"FANFOLD_CONFIG: / is a directory\."),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_its_remedy(environ, roots, error) -> None:
    with pytest.raises(InputError, match=error):
        Settings.read(environ, roots)


@pytest.mark.parametrize(
    ("toml", "error"),
    [
        ("lead-model = 'x'", r"There is no setting lead-model\. Did you mean lead_model\?"),
        ("max_usd_per_runs = 1", r"There is no setting max_usd_per_runs\. Did you mean max_usd_per_run\?"),
        ("colour = 'red'", r"There is no setting colour\. Use some of engine, "),
        ("[web]\nenable = true", r"web\.enable: There is no setting web\.enable\. Did you mean web\.enabled\?"),
        ("home = '/tmp'", r"home: The journal's folder is not set here\. Set FANFOLD_HOME, or give --home\."),
        ("width = true", r"width: true is not a whole number from 1 to 256"),
        ("width = [8]", r"width: \[8\] is not a whole number"),
        ("max_usd_per_run = nan", r"max_usd_per_run: nan is not a number from 0"),
        (f"max_usd_per_run = {10**400}", r"max_usd_per_run: 1000000\d+ is not a number from 0 to 10,000\."),
        ("engine = 1", r"engine: 1 is not one of"),
        ("lead_model = 5", r"lead_model: It is no line of text"),
        ("servers = 5", r"servers: It is no path\."),
        ('servers = "a\\u0000b"', r"servers: It is no path\."),
        ("servers = '.'", r"servers: .* is a directory\."),
        ("roots = '~/src'", r"roots: ~/src is no table\. Write \[roots\] on a line of its own"),
        (
            "[roots]\ncode = 'gone'",
            r"roots\.code: The directory of the root code does not .* directory: code = \"DIR\"",
        ),
        ("[roots]\n'a b' = '/'", r"roots\.a b: a b cannot name a root\."),
        ("[roots]\ncode = 8", r"roots\.code: It is no path\."),
        ("web = true", r"web: true is no table\. Write \[web\]"),
        ("[web]\nenabled = 2", r"web\.enabled: 2 is neither on nor off\."),
        ("[web]\nallowed = []", r"web\.allowed: It allows nothing\. Name a domain, or leave the line out"),
        ("[web]\nallowed = ''", r"web\.allowed: It allows nothing\."),
        ("[web]\nallowed = [5]", r"web\.allowed: It is no line of text"),
        (
            "[web]\nallowed = ['https://x.org']",
            r"web\.allowed: https://x\.org is no domain\. Write it as docs\.python",
        ),
        ("[web]\nblocked = ['a.org', 'b org.com']", r"web\.blocked: b org\.com is no domain"),
        ("[web]\nblocked = ['*.org']", r"web\.blocked: \*\.org is no domain"),
        ("[web]\nallowed = ['a.org']\nblocked = ['b.org']", r"web\.blocked: Domains are allowed and blocked at once"),
        ("[host]\nservers = 5", r"host\.servers: 5 is no list\. Write it as \[\"one\", \"two\"\]\."),
        ("[host]\nservers = ['a']", r"host\.servers: No file is named that would declare them\."),
        ("models = 5", r"models: 5 is no table\."),
        ("[models]\nx = 5", r'models\."x": 5 is no table\.'),
        ("[models.x]\ninput = -1", r'models\."x"\.input: -1 is not a number from 0 to 1,000,000'),
        ("[models.x]\noutput = inf", r'models\."x"\.output: inf is not a number'),
        ("[models.x]\nwindow = 999", r'models\."x"\.window: 999 is not a whole number from 1,000 to 1,000,000,000'),
        ("[models.x]\nmax_output = 99", r'models\."x"\.max_output: 99 is not a whole number from 100'),
        ("[models.x]\ninputs = 1", r'models\."x"\.inputs: There is no setting inputs\. Did you mean input\?'),
        ("[models.llama3.3]\ninput = 1", r'models\."llama3": There is a table 3 in it\. Quote an id that has a dot'),
    ],
)
def test_what_cannot_be_in_the_file_is_named_by_its_key(toml: str, error: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^config\.toml: .*{error}"):
        Settings.read(written(tmp_path, toml))


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"width = 8\nwait 5\n", r"is no TOML: .* \(at line 2, column 6\)\. Correct it there\."),
        (b"width = 8\nwait = ", r"is no TOML: .* \(at line 2, column 8\)"),
        (b"width = 8\nlead_model = '\xff'", r"is no UTF-8 \(at line 2, column 15\)\. Save it as UTF-8\."),
        (b"x = " + b"[" * 5_000, r"is no TOML: a value in it is too long or too deep\."),
        (b"x = " + b"9" * 5_000, r"is no TOML: a value in it is too long or too deep\."),
    ],
)
def test_a_file_that_is_no_toml_is_told_by_line_and_column(content: bytes, error: str, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_bytes(content)

    with pytest.raises(InputError, match=rf"^my\.toml: {re.escape(str(tmp_path / 'my.toml'))} {error}"):
        Settings.read({"--config": str(tmp_path / "my.toml")})


def test_a_file_of_over_a_megabyte_is_not_read(tmp_path: Path) -> None:
    fitting = written(tmp_path, "width = 3 #".ljust(1_000_000, "x"), "fitting.toml")

    assert Settings.read(fitting).width == 3
    with pytest.raises(InputError, match=r"^FANFOLD_CONFIG: .* is over 1,000,000 bytes\."):
        Settings.read(written(tmp_path, "width = 3 #".ljust(1_000_001, "x")))


def test_a_file_as_windows_editors_write_it_is_read(tmp_path: Path) -> None:
    assert Settings.read(written(tmp_path, "\ufeffwidth = 3\r\nwait = 5\r\n")).wait == 5


@given(st.text(max_size=8) | st.floats().map(str) | st.integers().map(str))
def test_a_ceiling_is_a_number_within_its_bounds_or_refused(text: str) -> None:
    refused = False
    ceiling = 0.0
    try:
        ceiling = Settings.read({"FANFOLD_MAX_USD_PER_RUN": text}).max_usd_per_run
    except InputError:
        refused = True

    assert 0 <= ceiling <= 10_000
    assert refused or not text.strip() or ceiling == float(text)


# -- where the file is -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="the place there is not known from variables")
def test_the_file_in_the_systems_place_is_read_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "etc"))
    place = user_config_path("fanfold")
    nothing = Settings.read(os.environ | {"FANFOLD_CONFIG": ""})
    place.mkdir(parents=True)
    written(place, "width = 3")

    usual, named = Settings.read({"HOME": str(tmp_path)}), Settings.read(written(tmp_path, "width = 4"))

    assert (nothing.config, nothing.width) == (None, 8)
    assert (usual.config, usual.width) == (place / "config.toml", 3)
    assert (named.config, named.width) == (tmp_path / "config.toml", 4)
    assert Settings.read({}).config is None
    assert Settings.read({"HOME": str(tmp_path), "FANFOLD_CONFIG": os.devnull}).width == 8


# -- the page --------------------------------------------------------------------------------------------------------


def test_the_example_of_the_documentation_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    environ = written(tmp_path, example)
    for folder in ("src", "papers"):
        (tmp_path / folder).mkdir()

    settings = Settings.read(environ)

    assert settings == replace(
        Settings.read({}),
        roots={"code": tmp_path / "src", "papers": tmp_path / "papers"},
        approve_above_usd=2,
        approve_above_workers=20,
        worker_seconds=600,
        run_seconds=3_600,
        audit=tmp_path / "audit.jsonl",
        wait=40,
        models={
            "claude-opus-5-5": Figures(input=3.5, output=17.5),
            "qwen3:32b": Figures(input=0, output=0, window=32_768, max_output=8_192),
        },
        servers_file=tmp_path / "servers.json",
        host_file=tmp_path / ".claude.json",
        host_servers=("github",),
        web=True,
        web_allowed=("docs.python.org",),
        config=tmp_path / "config.toml",
    )


def test_the_documentation_names_every_way_to_give_a_setting() -> None:
    table = PAGE.partition("## All settings")[2].partition("## What costs")[0]
    keys = {part for key in SPELLINGS for part in key.split(".")} | {*FIGURES, LEAD, WORKER}
    spellings = {name for names in (*SPELLINGS.values(), CONFIG, OPTIONS.values()) for name in names}

    assert {name for name in keys | spellings if name not in re.findall(r"[\w-]+", table)} == set()


# -- the start -------------------------------------------------------------------------------------------------------


def test_settings_start_light() -> None:
    code = "import sys; from fanfold_server.settings import Settings; Settings.read({}); \
print([m for m in ('anthropic', 'mcp', 'pydantic', 'anyio', 'difflib') if m in sys.modules])"

    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert seen.stdout == "[]\n"
