"""The one frozen value that holds what a person set."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from platformdirs import user_state_path

from fanfold_workers.errors import InputError
from fanfold_workers.models.catalog import LEAD, WORKER, Figures

from . import checks
from .config import read_config
from .given import Given, Sources, with_options
from .roots import roots_of

Engine = Literal["auto", "model", "rules"]
Provider = Literal["anthropic", "bedrock", "vertex", "foundry"]

ONE_ENGINE: Callable[[Given], Engine] = checks.one_of(get_args(Engine))
ONE_PROVIDER: Callable[[Given], Provider] = checks.one_of(get_args(Provider))
MAX_USD = MAX_WORKERS = 10_000
MAX_USD_PER_RUN, MAX_USD_PER_DAY = 5.0, 20.0
"""What may be spent if nobody says otherwise: a run of fifty workers, and a few of those a day."""
GRACE_SECONDS, KEEP_DAYS = 30.0, 30.0
LEAST_SECONDS, LEAST_SHARE = 0.001, 0.000_1


@dataclass(frozen=True, slots=True)
class Settings:
    """How fanfold is set up. Options go before the environment, that before the TOML file, that before defaults.

    Attributes:
        home: folder of the journal. `--home` or `FANFOLD_HOME`, else the system's place for user state; never TOML.
        roots: directories that workers may read, by name. `--root [NAME=]DIR`, repeated, and `FANFOLD_ROOTS`, a
            list of the same parted by the system's path separator (`:`, on Windows `;`). Without a name the
            directory's own is used. TOML `[roots]` adds to them: `name = "DIR"`.
        width: workers at once, 1 to 256. `FANFOLD_WIDTH`, TOML `width`, default 8.
        worker_seconds: seconds a worker may take, 0.001 to 86,400, where its subtask allows more.
            `--worker-seconds`, `FANFOLD_WORKER_SECONDS`, TOML `worker_seconds`, default none.
        run_seconds: seconds a dispatch may take, 0.001 to 604,800, then what runs is cut. `--run-seconds`,
            `FANFOLD_RUN_SECONDS`, TOML `run_seconds`, default none.
        enough: the share of its subtasks that a run needs, above 0 to 1; the others are then given `grace_seconds`.
            `--enough`, `FANFOLD_ENOUGH`, TOML `enough`, default 1.
        grace_seconds: seconds those others still get, 0 to 86,400. `--grace-seconds`, `FANFOLD_GRACE_SECONDS`,
            TOML `grace_seconds`, default 30.
        hedge: whether a call that takes far longer than its siblings is made a second time. `FANFOLD_HEDGE` (1 or
            0), TOML `hedge`, default true.
        keep_days: days after its last activity that a run is kept, 0.01 to 36,500. `FANFOLD_KEEP_DAYS`, TOML
            `keep_days`, default 30.
        keep_text: whether text of files is kept on disk: answers of tools, replies of models, quotes.
            `FANFOLD_KEEP_TEXT` (1 or 0), TOML `keep_text`, default true.
        audit: file to which a line of JSON is appended for each call of a tool. `--audit`, `FANFOLD_AUDIT`, TOML
            `audit`, default none.
        wait: seconds a tool call may hold an unknown host, 1 to 3,600. `FANFOLD_WAIT`, TOML `wait`, default by host.
        engine: `model`, `rules` (no model whatever is set), or `auto`: see `has_model`. `--engine`,
            `FANFOLD_ENGINE`, TOML `engine`, default auto.
        lead_model: the id of the model that plans and composes. `--lead-model`, `FANFOLD_LEAD_MODEL`, TOML
            `lead_model`, default the catalog's LEAD.
        worker_model: the id of the model that does subtasks. `--worker-model`, `FANFOLD_WORKER_MODEL`, TOML
            `worker_model`, default the catalog's WORKER.
        provider: whose API it is. `FANFOLD_PROVIDER`, TOML `provider`, default anthropic.
        base_url: http(s) address of the server without `/v1/messages`; "" for the provider's own.
            `FANFOLD_BASE_URL`, then `ANTHROPIC_BASE_URL`, TOML `base_url`.
        key: `ANTHROPIC_API_KEY` and nothing else, "" for none; never shown, never in TOML.
        max_usd_per_run: US dollars a run may spend, 0 to 10,000. `--max-usd`, `FANFOLD_MAX_USD_PER_RUN`, TOML
            `max_usd_per_run`, default 5.
        max_usd_per_day: US dollars all runs of a day may spend, 0 to 10,000. `FANFOLD_MAX_USD_PER_DAY`, TOML
            `max_usd_per_day`, default 20.
        approve_above_usd: US dollars, 0 to 10,000; a plan estimated to cost more waits for a person's approval.
            `--approve-above-usd`, `FANFOLD_APPROVE_ABOVE_USD`, TOML `approve_above_usd`, default none: never.
        approve_above_workers: 0 to 10,000; so does a plan of which more subtasks take an agent.
            `--approve-above-workers`, `FANFOLD_APPROVE_ABOVE_WORKERS`, TOML `approve_above_workers`, default none.
        models: a person's own figures of models, by id. TOML `[models."ID"]` with `input`, `output`, `cache_read`,
            `cache_write` (US dollars a million tokens), `window`, `max_output` (tokens).
        servers_file: file of MCP servers whose tools workers may use. `--servers`, `FANFOLD_SERVERS`, TOML
            `servers`. This path and the next are absolute, and need not exist.
        host_file: a host's own file of MCP servers. `FANFOLD_HOST_FILE`, TOML `[host]` `file`.
        host_servers: which of the servers in it workers may use, by name. `FANFOLD_HOST_SERVERS`, a list parted by
            commas, TOML `[host]` `servers`.
        web: whether workers may search and fetch. `FANFOLD_WEB` (1 or 0), TOML `[web]` `enabled`, default false.
        web_allowed: the only domains they may; () for all. TOML `[web]` `allowed`.
        web_blocked: domains they may not. TOML `[web]` `blocked`; not together with `allowed`.
        sources: how good a person holds sources to be, by domain, for that and all below it: `primary`, `secondary`,
            `unknown`, `forum` or `farm`; it goes before fanfold's own list. TOML `[sources]`: `"DOMAIN" = "CLASS"`.
        config: the TOML file that was read; None if none. `--config` or `FANFOLD_CONFIG`, else `config.toml` in
            the system's place for user configuration. Relative paths in it count from its folder.
    """

    home: Path
    roots: Mapping[str, Path] = field(default_factory=dict[str, Path])
    width: int = 8
    worker_seconds: float | None = None
    run_seconds: float | None = None
    enough: float = 1.0
    grace_seconds: float = GRACE_SECONDS
    hedge: bool = True
    keep_days: float = KEEP_DAYS
    keep_text: bool = True
    audit: Path | None = None
    wait: float | None = None
    engine: Engine = "auto"
    lead_model: str = LEAD
    worker_model: str = WORKER
    provider: Provider = "anthropic"
    base_url: str = ""
    key: str = field(default="", repr=False)
    max_usd_per_run: float = MAX_USD_PER_RUN
    max_usd_per_day: float = MAX_USD_PER_DAY
    approve_above_usd: float | None = None
    approve_above_workers: int | None = None
    models: Mapping[str, Figures] = field(default_factory=dict[str, Figures])
    servers_file: Path | None = None
    host_file: Path | None = None
    host_servers: tuple[str, ...] = ()
    web: bool = False
    web_allowed: tuple[str, ...] = ()
    web_blocked: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    config: Path | None = None

    @property
    def has_model(self) -> bool:
        """Whether models do the work: there is a key, a base_url or a cloud provider, and engine is not `rules`."""
        return self.engine != "rules" and bool(self.key or self.base_url or self.provider != "anthropic")

    @classmethod
    def read(cls, environ: Mapping[str, str], roots: Iterable[str] = (), **options: object) -> "Settings":
        """Settings from the environment, the `--root` options, the TOML file, and options by their TOML keys.

        Options may as well stand in the environment under their own spelling (`--engine`), for who passes it on.
        Options: config, engine, lead_model, worker_model, max_usd_per_run, approve_above_usd,
        approve_above_workers, servers, audit, worker_seconds, run_seconds, enough, grace_seconds; None for one not
        given.

        Raises:
            InputError: for a value that cannot be, naming the option, the variable, or the key in the file.
        """
        environ = with_options(environ, options)
        config, filed = read_config(environ)
        sources = Sources(environ, filed)
        get = sources.get
        settings = cls(
            home=default_home(environ),
            roots=roots_of(sources, roots),
            width=get("width", checks.whole(1, 256), 8),
            worker_seconds=get("worker_seconds", checks.within(LEAST_SECONDS, 86_400), None),
            run_seconds=get("run_seconds", checks.within(LEAST_SECONDS, 604_800), None),
            enough=get("enough", checks.within(LEAST_SHARE, 1), 1.0),
            grace_seconds=get("grace_seconds", checks.within(0, 86_400), GRACE_SECONDS),
            hedge=get("hedge", checks.switch, default=True),
            keep_days=get("keep_days", checks.within(0.01, 36_500), KEEP_DAYS),
            keep_text=get("keep_text", checks.switch, default=True),
            audit=get("audit", checks.file, None),
            wait=get("wait", checks.within(1, 3_600), None),
            engine=get("engine", ONE_ENGINE, "auto"),
            lead_model=get("lead_model", checks.text, LEAD),
            worker_model=get("worker_model", checks.text, WORKER),
            provider=get("provider", ONE_PROVIDER, "anthropic"),
            base_url=get("base_url", checks.address, ""),
            key=_key(environ),
            max_usd_per_run=get("max_usd_per_run", checks.within(0, MAX_USD), MAX_USD_PER_RUN),
            max_usd_per_day=get("max_usd_per_day", checks.within(0, MAX_USD), MAX_USD_PER_DAY),
            approve_above_usd=get("approve_above_usd", checks.within(0, MAX_USD), None),
            approve_above_workers=get("approve_above_workers", checks.whole(0, MAX_WORKERS), None),
            models=get("models", checks.models, {}),
            servers_file=get("servers", checks.file, None),
            host_file=get("host.file", checks.file, None),
            host_servers=get("host.servers", checks.texts, ()),
            web=get("web.enabled", checks.switch, default=False),
            web_allowed=get("web.allowed", checks.domains, ()),
            web_blocked=get("web.blocked", checks.domains, ()),
            sources=get("sources", checks.sources, {}),
            config=config,
        )
        settings._refuse_contradictions(sources)
        return settings

    def _refuse_contradictions(self, sources: Sources) -> None:
        engine, lent = sources.given("engine"), sources.given("host.servers")
        allowed, blocked = sources.file.get("web.allowed"), sources.file.get("web.blocked")
        if engine and self.engine == "model" and not self.has_model:
            msg = "It asks for a model, but ANTHROPIC_API_KEY is not set."
            remedy = "Set it (or base_url for a server of your own, or provider for a cloud), or say auto."
            raise engine.wrong(msg, remedy)
        if lent and self.host_servers and not self.host_file:
            msg = "No file is named that would declare them."
            raise lent.wrong(msg, "Name the host's file: FANFOLD_HOST_FILE, or file under [host].")
        if allowed and not self.web_allowed:
            msg = "It allows nothing."
            raise allowed.wrong(msg, "Name a domain, or leave the line out to allow all.")
        if blocked and self.web_allowed and self.web_blocked:
            msg = "Domains are allowed and blocked at once."
            raise blocked.wrong(msg, "Keep one of the two lists.")


def default_home(environ: Mapping[str, str] | None = None) -> Path:
    """FANFOLD_HOME if it is set and not blank, else the system's folder for user state.

    Raises:
        InputError: if FANFOLD_HOME begins with the `~` of nobody known.
    """
    given = Given("FANFOLD_HOME", (os.environ if environ is None else environ).get("FANFOLD_HOME", "").strip())
    return user_state_path("fanfold") if given.is_blank else checks.path(given)


def _key(environ: Mapping[str, str]) -> str:
    """The key; what could not be sent in a header is refused, and not shown."""
    key = environ.get("ANTHROPIC_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        msg = "It holds characters that no key has."
        raise InputError(msg, field="ANTHROPIC_API_KEY", remedy="Copy the key again, or leave it unset.")
    return key
