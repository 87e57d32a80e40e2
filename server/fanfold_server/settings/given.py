"""A value as somebody gave it, and who is heard first where several gave one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fanfold_workers.errors import InputError

T = TypeVar("T")

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "engine": ("--engine", "FANFOLD_ENGINE"),
    "lead_model": ("--lead-model", "FANFOLD_LEAD_MODEL"),
    "worker_model": ("--worker-model", "FANFOLD_WORKER_MODEL"),
    "provider": ("FANFOLD_PROVIDER",),
    "base_url": ("FANFOLD_BASE_URL", "ANTHROPIC_BASE_URL"),
    "max_usd_per_run": ("--max-usd", "FANFOLD_MAX_USD_PER_RUN"),
    "max_usd_per_day": ("FANFOLD_MAX_USD_PER_DAY",),
    "approve_above_usd": ("--approve-above-usd", "FANFOLD_APPROVE_ABOVE_USD"),
    "approve_above_workers": ("--approve-above-workers", "FANFOLD_APPROVE_ABOVE_WORKERS"),
    "width": ("FANFOLD_WIDTH",),
    "worker_seconds": ("--worker-seconds", "FANFOLD_WORKER_SECONDS"),
    "run_seconds": ("--run-seconds", "FANFOLD_RUN_SECONDS"),
    "enough": ("--enough", "FANFOLD_ENOUGH"),
    "grace_seconds": ("--grace-seconds", "FANFOLD_GRACE_SECONDS"),
    "hedge": ("FANFOLD_HEDGE",),
    "keep_days": ("FANFOLD_KEEP_DAYS",),
    "keep_text": ("FANFOLD_KEEP_TEXT",),
    "audit": ("--audit", "FANFOLD_AUDIT"),
    "wait": ("FANFOLD_WAIT",),
    "servers": ("--servers", "FANFOLD_SERVERS"),
    "host.file": ("FANFOLD_HOST_FILE",),
    "host.servers": ("FANFOLD_HOST_SERVERS",),
    "web.enabled": ("FANFOLD_WEB",),
    "web.allowed": (),
    "web.blocked": (),
}
"""By TOML key: option and variables. The first that is not blank wins; the file comes last."""

CONFIG = ("--config", "FANFOLD_CONFIG")
"""Where the TOML file is."""

OPTIONS: Mapping[str, str] = {
    "config": CONFIG[0],
    **{key: names[0] for key, names in SPELLINGS.items() if names and names[0].startswith("--")},
}
"""How the settings that are options are spelled there."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given.

    Attributes:
        field: where, as whoever gave it spells that: `--engine`, `FANFOLD_ENGINE`, `config.toml: engine`.
        value: text, or what TOML made of it.
        folder: from which a relative path counts.
    """

    field: str
    value: object
    folder: Path = Path()

    @property
    def shown(self) -> str:
        """The value, short enough for a message."""
        text = str(self.value)
        return (text.lower() if isinstance(self.value, bool) else text)[:40]

    @property
    def is_blank(self) -> bool:
        """Whether it says nothing."""
        return isinstance(self.value, str) and not self.value.strip()

    def at(self, key: str, value: object) -> "Given":
        """A value within this one, if this one is a table."""
        return Given(f"{self.field}.{key}", value, self.folder)

    def wrong(self, problem: str, remedy: str) -> InputError:
        """The error that says so of this value."""
        return InputError(problem, field=self.field, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Sources:
    """All that was given.

    Attributes:
        environ: the environment, with the options in it under their own spelling.
        file: what stands in the TOML file, by key.
    """

    environ: Mapping[str, str]
    file: Mapping[str, Given]

    def given(self, key: str) -> Given | None:
        """The value that counts for this setting; None if there is none, or only blank ones."""
        named = (Given(name, self.environ.get(name, "").strip()) for name in SPELLINGS.get(key, ()))
        filed = [self.file[key]] if key in self.file else []
        return next((given for given in (*named, *filed) if not given.is_blank), None)

    def get(self, key: str, check: Callable[[Given], T], default: T) -> T:
        """The checked value of this setting, or its default."""
        given = self.given(key)
        return default if given is None else check(given)


def with_options(environ: Mapping[str, str], options: Mapping[str, object]) -> dict[str, str]:
    """The environment with these options in it, under their own spelling; those that are None are left out.

    Raises:
        TypeError: if there is no such option.
    """
    for name in options:
        if name not in OPTIONS:
            msg = f"{name} is no option of the settings; they are {', '.join(OPTIONS)}"
            raise TypeError(msg)
    return {**environ, **{OPTIONS[name]: str(value) for name, value in options.items() if value is not None}}
