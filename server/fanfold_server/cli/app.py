"""The commands and their options. What a command needs is imported when it runs: `fanfold serve` starts light."""

import contextlib
import math
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .terminal import forgive_encodings

if TYPE_CHECKING:
    from fanfold_server.settings import Settings

    from .output import Form
    from .work import Wanted

F = TypeVar("F", bound=Callable[..., object])

TIDYING_SECONDS = 2.0

_HOME, _VERBOSE, _SETTINGS = "fanfold.home", "fanfold.verbose", "fanfold.settings"


def _kept(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
        if value:
            context.meta[key] = value

    return keep


def _set(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Keep an option of the settings under its spelling; `Settings.read` finds it there."""
    if value:
        context.meta.setdefault(_SETTINGS, {})[parameter.opts[0]] = value


def _everywhere(command: F) -> F:
    """The options that stand before or after a command's name."""
    home = click.option(
        "--home",
        type=click.Path(file_okay=False),
        expose_value=False,
        callback=_kept(_HOME),
        help="Folder of the journal (FANFOLD_HOME; else the system's place for user state).",
    )
    verbose = click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_kept(_VERBOSE),
        help="Log to stderr; twice for more.",
    )
    return home(verbose(command))


def _rooted(command: F) -> F:
    return click.option(
        "--root",
        "roots",
        multiple=True,
        metavar="[NAME=]DIR",
        help="A directory that workers may read; repeat it for more (FANFOLD_ROOTS).",
    )(command)


def _set_up(command: F) -> F:
    """The options of the settings."""
    options = {
        ("--config",): ("FILE", "A TOML file of settings (FANFOLD_CONFIG; config.toml in the system's place)."),
        ("--engine",): ("auto|model|rules", "Who works (FANFOLD_ENGINE; auto: models if there is a key)."),
        ("--lead-model",): ("ID", "The model that plans and composes (FANFOLD_LEAD_MODEL; claude-opus-5-5)."),
        ("--worker-model",): ("ID", "The model that does subtasks (FANFOLD_WORKER_MODEL; claude-sonnet-5-5)."),
        ("--max-usd", "--max-usd-per-run"): ("USD", "What a run may spend (FANFOLD_MAX_USD_PER_RUN; 5)."),
        ("--approve-above-usd",): (
            "USD",
            "Ask a person before a plan that may cost more (FANFOLD_APPROVE_ABOVE_USD; none).",
        ),
        ("--approve-above-workers",): (
            "N",
            "And before one of more agents than that (FANFOLD_APPROVE_ABOVE_WORKERS; none).",
        ),
        ("--worker-seconds",): ("SECONDS", "The longest a worker may take (FANFOLD_WORKER_SECONDS; its subtask's)."),
        ("--run-seconds",): ("SECONDS", "The longest a dispatch may take (FANFOLD_RUN_SECONDS; none)."),
        ("--enough",): ("SHARE", "Of its subtasks, what a run needs (FANFOLD_ENOUGH; 1)."),
        ("--grace-seconds",): ("SECONDS", "What the others get after that (FANFOLD_GRACE_SECONDS; 30)."),
        ("--servers",): ("FILE", "MCP servers whose tools workers may use (FANFOLD_SERVERS; none)."),
        ("--audit",): ("FILE", "Append a line of JSON for each call of a tool (FANFOLD_AUDIT; none)."),
    }
    for names, (metavar, text) in reversed(options.items()):
        command = click.option(*names, metavar=metavar, expose_value=False, callback=_set, help=text)(command)
    return command


def _detaching(command: F) -> F:
    text = "Leave it to a process of its own, and say its id."
    return click.option("--detach", is_flag=True, help=text)(command)


def _reporting(command: F) -> F:
    """The options that shape a report."""
    options = [
        click.option("--question", default="", help="What the report answers; the task if left out."),
        click.option(
            "--max-chars",
            type=click.IntRange(500, 1_000_000),
            default=8_000,
            show_default=True,
            help="Length of the report.",
        ),
        click.option(
            "--format", "form", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True
        ),
        click.option(
            "-o", "--output", metavar="FILE", help="Write the report there, whole or not at all; - is stdout."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fanfold", message="%(prog)s %(version)s")
@_everywhere
@click.pass_context
def fanfold(context: click.Context) -> int | None:
    """Split a wide task, fan it out to workers, fold what they find into one cited report.

    \b
    fanfold run "Audit these repositories for secrets" --root repos=~/src
    fanfold show runs

    Without a command it serves MCP over stdio where stdin is no terminal. Exit codes: 0 complete, 1 error,
    2 wrong usage, 3 partial, 130 stopped by Ctrl-C.
    """
    forgive_encodings()
    if context.invoked_subcommand:
        return None
    if sys.stdin is not None and sys.stdin.isatty():
        click.echo(context.get_help())
        return None
    return _serve(())


def _splitting(command: F) -> F:
    """The options that say how a task is split."""
    options = [
        click.option(
            "--item", "items", multiple=True, help="A thing to look at; repeat it. What lies in the roots if none."
        ),
        click.option(
            "--check", "checks", multiple=True, help="An inspection; repeat it. From the task's words if none."
        ),
        click.option("--max-workers", type=click.IntRange(1, 10_000), help="Split into at most that many subtasks."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@fanfold.command()
@click.argument("task", required=False)
@click.option("--follow-up", default="", metavar="RUN", help="In place of a TASK: what this run left open.")
@click.option("-o", "--output", metavar="FILE", help="Write the plan there as JSON, to read and edit.")
@_rooted
@_splitting
@_set_up
@_everywhere
def plan(
    task: str | None,
    follow_up: str,
    output: str | None,
    roots: tuple[str, ...],
    items: tuple[str, ...],
    checks: tuple[str, ...],
    max_workers: int | None,
) -> int:
    """Split TASK and price it; nothing is run. `fanfold run --plan` runs it, edited or not."""
    from . import plans, work
    from .output import Output
    from .stopping import until_stopped

    if bool(task) == bool(follow_up):
        msg = "It takes a TASK, or --follow-up RUN."
        raise click.UsageError(msg)
    fields = {"task": task, "items": items, "checks": checks, "max_workers": max_workers}
    given = work.task_of(fields) if task else None
    place = Output("json", Path(output) if output else None)
    again = work.repeated(click.get_current_context().meta.get(_HOME))
    return until_stopped(partial(plans.plan, _settings(roots), given, follow_up, place, again))


@fanfold.command()
@click.argument("task", required=False)
@click.option("--plan", "planned", metavar="PLAN", help="In place of a TASK: a plan's id, or a file with a plan.")
@_rooted
@_splitting
@_detaching
@_set_up
@_reporting
@_everywhere
def run(
    task: str | None,
    planned: str | None,
    roots: tuple[str, ...],
    items: tuple[str, ...],
    checks: tuple[str, ...],
    max_workers: int | None,
    detach: bool,
    question: str,
    max_chars: int,
    form: "Form",
    output: str | None,
) -> int:
    """Plan TASK, do it, and print the report; or do what a plan says.

    Progress goes to stderr. Exit code 3 says that a subtask did not end ok or part of the scope was not examined.
    """
    from . import plans, work
    from .stopping import until_stopped

    if bool(task) == bool(planned):
        msg = "It takes a TASK, or --plan PLAN."
        raise click.UsageError(msg)
    if planned and (items or checks or max_workers):
        msg = "--item, --check and --max-workers belong to a TASK; edit the plan instead."
        raise click.UsageError(msg)
    fields = {"task": task, "items": items, "checks": checks, "max_workers": max_workers}
    settings, wanted = _settings(roots), _wanted(question, max_chars, form, output)
    given = plans.given(planned) if planned else work.task_of(fields)
    code = until_stopped(partial(work.run, settings, given, wanted, detach=detach))
    if code < 128:  # whoever stopped it does not want to wait
        _tidy(settings)
    return code


@fanfold.command()
@click.argument("run_id", metavar="RUN")
@click.option("--retry", is_flag=True, help="Do again what failed; who was cut off goes on where he was.")
@click.option("--enough-of", multiple=True, metavar="SUBTASK", help="It needs only these; repeat it.")
@click.option("--no-report", is_flag=True, help="Only do what is left.")
@_detaching
@_rooted
@_set_up
@_reporting
@_everywhere
def resume(
    run_id: str,
    retry: bool,
    enough_of: tuple[str, ...],
    no_report: bool,
    detach: bool,
    roots: tuple[str, ...],
    question: str,
    max_chars: int,
    form: "Form",
    output: str | None,
) -> int:
    """Go on with a RUN that was stopped or killed; what has ended is kept. Then print the report.

    Its roots are those it began with; --root says where one is now. --max-usd says anew what it may spend in all.
    """
    from . import work
    from .stopping import until_stopped

    settings, wanted = _settings(roots), _wanted(question, max_chars, form, output)
    allow = "--max-usd" in click.get_current_context().meta.get(_SETTINGS, {})
    going = work.Going(retry, allow, enough_of, not no_report, detach)
    return until_stopped(partial(work.resume, settings, run_id, wanted, going))


@fanfold.command()
@click.argument("plan_id", metavar="PLAN")
@click.option("--yes", is_flag=True, help="Approve it without being asked.")
@_everywhere
def approve(plan_id: str, yes: bool) -> int:
    """Let a PLAN be started that waits for a person's approval; it is shown, and you are asked.

    approve_above_usd and approve_above_workers say which plans wait. The approval holds for this plan as it is: a
    changed version waits again. Where there is no terminal to ask on it takes --yes, which is for scripts of your
    own that have shown you the plan. A program, a model among them, that may run it as you approves as you: deny it
    this command where you want to be asked yourself.
    """
    from . import approving, work
    from .stopping import until_stopped

    again = work.repeated(click.get_current_context().meta.get(_HOME))
    return until_stopped(partial(approving.approve, _journal_alone(), plan_id, again, unasked=yes))


@fanfold.command()
@click.argument("run_id", metavar="RUN")
@_everywhere
def cancel(run_id: str) -> int:
    """Stop a RUN, wherever it is going on. What has ended is kept."""
    from . import work

    again = work.repeated(click.get_current_context().meta.get(_HOME))
    return _anyio_run(partial(work.cancel, _journal_alone(), run_id, again))


@fanfold.command()
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="How many.")
@_everywhere
def runs(limit: int) -> int:
    """List the latest runs."""
    from . import looking

    return _anyio_run(partial(looking.runs, _journal_alone(), limit))


@fanfold.command()
@click.argument("ref")
@click.option("--find", default="", help="Only the places where this text occurs.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Begin at this character.")
@click.option("--limit", type=click.IntRange(1, 100_000), help="At most so many characters.")
@click.option("--format", "form", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True)
@_everywhere
def show(ref: str, find: str, offset: int, limit: int | None, form: str) -> int:
    """Print what is stored under REF.

    \b
    runs                  recent runs
    p-...                 a plan        p-.../SUBTASK   what its worker is told
    r-...                 a run         r-.../SUBTASK   its result    r-.../events   what happened when
    s-...                 a report      s-.../ledger    the fate of each finding
    """
    from . import looking

    wanted = looking.Look(ref, find, offset, limit, as_json=form == "json")
    return _anyio_run(partial(looking.show, _as_far_as_it_can_be(), wanted))


@fanfold.command()
@click.argument("run_ids", metavar="[RUN]...", nargs=-1)
@click.option("--days", type=click.FloatRange(0, 36_500), help="Older than that many days (keep_days; 30).")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@_everywhere
def prune(run_ids: tuple[str, ...], days: float | None, dry_run: bool) -> int:
    """Remove runs that were left alone for long, or those named, with their plans and reports.

    A run that somebody is at stays. What is removed cannot be had back.
    """
    from . import pruning

    if run_ids and days is not None:
        msg = "Name runs, or say how old they must be with --days: not both."
        raise click.UsageError(msg)
    if days is not None and math.isnan(days):
        msg = "nan is no number of days."
        raise click.BadParameter(msg, param_hint="--days")
    if run_ids:
        return _anyio_run(partial(pruning.prune_named, _journal_alone().home, run_ids, dry_run=dry_run))
    settings = _settings(()) if days is None else _journal_alone()
    days = settings.keep_days if days is None else days
    return _anyio_run(partial(pruning.prune_old, settings.home, days, dry_run=dry_run))


@fanfold.command()
@click.option("--accept", default="", metavar="NAME", help="Take this server's tools as they are now.")
@_set_up
@_everywhere
def servers(accept: str) -> int:
    """List the MCP servers whose tools workers may use. A tool that changes is refused until it is accepted."""
    from . import servers as others

    return _anyio_run(partial(others.servers, _settings(()), _environ(), accept))


@fanfold.group("eval", invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@_everywhere
@click.pass_context
def evaluation(context: click.Context) -> None:
    """Measure the plans, or whether a fan-out is worth its price."""
    if not context.invoked_subcommand:
        click.echo(context.get_help())


def _evaluated(command: F) -> F:
    """The options of both evaluations."""
    options = {
        ("--config",): ("FILE", "A TOML file of settings (FANFOLD_CONFIG; config.toml in the system's place)."),
        ("--max-usd", "--max-usd-per-run"): ("USD", "What all of it may spend (FANFOLD_MAX_USD_PER_RUN; 5)."),
    }
    for names, (metavar, text) in reversed(options.items()):
        command = click.option(*names, metavar=metavar, expose_value=False, callback=_set, help=text)(command)
    as_json = click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
    chosen = click.option(
        "--cases", "wanted", default="", metavar="WHICH", help="Classes, ids or patterns of ids, parted by commas."
    )
    return chosen(as_json(command))


@evaluation.command("plan")
@click.option("--model", default="", metavar="ID", help="Have this model plan; it is paid for.")
@click.option("--engine", type=click.Choice(["rules", "model"]), help="Who plans; rules unless a model is named.")
@click.option("--answers", type=click.Path(path_type=Path), help="Plan with recorded answers; nobody is asked.")
@click.option("--record", type=click.Path(path_type=Path), help="Append what the model answers to this file.")
@click.option("--against", type=click.Path(path_type=Path), help="Compare with these results, not the last ones.")
@_evaluated
@_everywhere
def eval_plan(
    model: str,
    engine: str | None,
    answers: Path | None,
    record: Path | None,
    against: Path | None,
    wanted: str,
    as_json: bool,
) -> int:
    """Plan the tasks that ship with fanfold, score the plans, and show what differs from the last time.

    Exit code 3 says that of some cases nothing can be said: no answer, a stale one, no money.
    """
    from . import evaluating

    engine = engine or ("model" if model and not answers else "rules")
    if record and (answers or engine == "rules"):
        msg = "--record keeps what a model answers: name one with --model, and no --answers."
        raise click.UsageError(msg)
    if model and engine == "rules" and not answers:
        msg = "--engine rules asks no model: leave one of the two out."
        raise click.UsageError(msg)
    settings = _settings_of(model, "auto" if answers else engine)
    wish = evaluating.Wish(wanted, engine, model, answers, record, against, as_json)
    return _anyio_run(partial(evaluating.plan, settings, wish))


@evaluation.command("report")
@click.option("--lead-model", metavar="ID", expose_value=False, callback=_set, help="Plans, writes and judges.")
@click.option("--worker-model", metavar="ID", expose_value=False, callback=_set, help="Does the subtasks.")
@_evaluated
@_everywhere
def eval_report(wanted: str, as_json: bool) -> int:
    """Have one agent and the fan-out do the same tasks, and judge both: quality beside cost. It takes a key.

    Each report is held to listed facts and to its quotes by code, and to a rubric by the lead, who does not know
    whose it is. Exit code 3 says that an answer or a judgement is missing.
    """
    from . import contesting

    return _anyio_run(partial(contesting.report, _settings_of("", "model"), wanted, as_json=as_json))


def _settings_of(model: str, engine: str) -> "Settings":
    """The settings with this lead and engine, whatever else says."""
    given: dict[str, str] = click.get_current_context().meta.setdefault(_SETTINGS, {})
    given.update({"--engine": engine, **({"--lead-model": model} if model else {})})
    return _settings(())


@fanfold.command()
@_rooted
@_set_up
@_everywhere
def doctor(roots: tuple[str, ...]) -> int:
    """Say what is missing, and the remedy. Exit code 1 if something fails."""
    from . import doctoring

    return _anyio_run(partial(doctoring.doctor, _environ(), roots))


@fanfold.command()
@_rooted
@_set_up
@_everywhere
def serve(roots: tuple[str, ...]) -> int:
    """Serve MCP over stdio, for a host to start."""
    return _serve(roots)


def _serve(roots: tuple[str, ...]) -> int:
    from fanfold_server.mcp import serve_stdio

    settings = _settings(roots)
    return _anyio_run(partial(serve_stdio, settings))


def _anyio_run(work: Callable[[], Any]) -> int:
    import anyio

    return anyio.run(work) or 0


def _tidy(settings: "Settings") -> None:
    """Once a day, when the report is out: a run that ends at once leaves no time for it in the background."""
    import anyio

    from fanfold_server.store import upkeep

    async def tidy() -> None:
        with anyio.move_on_after(TIDYING_SECONDS):
            await upkeep(settings.home, settings.keep_days, after=0)

    with contextlib.suppress(KeyboardInterrupt):
        anyio.run(tidy)


def _environ() -> dict[str, str]:
    """The environment, with the options of the settings in it."""
    meta = click.get_current_context().meta
    home: str | None = meta.get(_HOME)
    return {**os.environ, **({"FANFOLD_HOME": home} if home else {}), **meta.get(_SETTINGS, {})}


def _settings(roots: tuple[str, ...]) -> "Settings":
    from fanfold_server.settings import Settings

    _log()
    return Settings.read(_environ(), roots)


def _journal_alone() -> "Settings":
    """Where the journal is, and no other setting: none that is wrong may hide what is stored."""
    from fanfold_server.settings import Settings, default_home

    _log()
    return Settings(home=default_home(_environ()))


def _as_far_as_it_can_be() -> "Settings":
    """All settings, or where something is wrong with them the journal's place alone."""
    from fanfold_workers.errors import FanfoldError

    try:
        return _settings(())
    except FanfoldError:
        return _journal_alone()


def _log() -> None:
    import logging

    verbose: int = click.get_current_context().meta.get(_VERBOSE, 0)
    level = (logging.ERROR, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")


def _wanted(question: str, max_chars: int, form: "Form", output: str | None) -> "Wanted":
    from .output import Output
    from .work import Wanted, repeated

    place = Output(form, None if output in {None, "-"} else Path(str(output)))
    return Wanted(question, max_chars, place, repeated(click.get_current_context().meta.get(_HOME)))
