"""From what a person set to an orchestrator that is ready to be entered."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from fanfold_server.approving import Thresholds
from fanfold_server.audit import AuditFile
from fanfold_server.detached import Launcher
from fanfold_server.dispatch.policy import Policy
from fanfold_server.minds import Minds, Seat
from fanfold_server.orchestrator import Orchestrator
from fanfold_server.settings import Settings
from fanfold_server.store import upkeep
from fanfold_workers.models.anthropic import Anthropic, Connection
from fanfold_workers.models.catalog import Figures, card_of
from fanfold_workers.models.model import Web
from fanfold_workers.tools.servers import Declared, read_servers


def orchestrator_of(settings: Settings, environ: Mapping[str, str], **others: Any) -> Orchestrator:
    """The orchestrator of these settings. Nothing is started and nobody is asked before it is needed.

    Args:
        settings: what a person set.
        environ: what a file of servers may refer to as `${NAME}`.
        others: arguments of Orchestrator that go before the settings.

    Raises:
        InputError: if a model has no price, a file of servers cannot be used, or the audit's file cannot be written,
            naming the setting.
    """
    given: dict[str, Any] = {
        "roots": settings.roots,
        "home": settings.home,
        "keep_text": settings.keep_text,
        "policy": policy_of(settings),
        "thresholds": Thresholds(settings.approve_above_usd, settings.approve_above_workers),
        "launch": Launcher(settings, environ),
        "minds": minds_of(settings),
        "servers": servers_of(settings, environ),
        "sources": settings.sources,
        "audit": audit_of(settings),
        "upkeep": partial(upkeep, settings.home, settings.keep_days),
    }
    return Orchestrator(**(given | others))


def policy_of(settings: Settings) -> Policy:
    """How runs are dispatched, as a person set it."""
    return Policy(
        width=settings.width,
        worker_seconds=settings.worker_seconds,
        run_seconds=settings.run_seconds,
        enough=settings.enough,
        grace_seconds=settings.grace_seconds,
        hedge=settings.hedge,
    )


def minds_of(settings: Settings) -> Minds | None:
    """The models of these settings; None if they have none.

    Raises:
        InputError: if nobody knows what one of them costs.
    """
    if not settings.has_model:
        return None
    connection = Connection(provider=settings.provider, key=settings.key, base_url=settings.base_url)
    web = Web(settings.web_allowed, settings.web_blocked) if settings.web else None
    return Minds(
        lead=_seat(connection, settings.lead_model, settings.models.get(settings.lead_model)),
        worker=_seat(connection, settings.worker_model, settings.models.get(settings.worker_model)),
        max_usd_per_run=settings.max_usd_per_run,
        max_usd_per_day=settings.max_usd_per_day,
        web=web,
        close=connection.aclose,
    )


def _seat(connection: Connection, model: str, figures: Figures | None) -> Seat:
    back_end = Anthropic(connection, model)
    stated = figures is not None and figures.window is not None and figures.max_output is not None
    return Seat(
        model=back_end,
        card=card_of(model, figures),
        server=connection.name,
        count=back_end.count,
        sizes=None if stated else back_end.describe,
    )


def servers_of(settings: Settings, environ: Mapping[str, str]) -> dict[str, Declared]:
    """The MCP servers whose tools workers may be allowed: those of fanfold's own file, and of a host's by name.

    Raises:
        InputError: if a file cannot be used, or has no server of a name asked for.
    """
    declared: dict[str, Declared] = {}
    if settings.host_file and settings.host_servers:
        declared |= read_servers(settings.host_file, only=settings.host_servers, environ=environ)
    if settings.servers_file:
        declared |= read_servers(settings.servers_file, environ=environ)
    return declared


def audit_of(settings: Settings) -> AuditFile | None:
    """The file to which calls of tools are appended; None if nobody wants that.

    Raises:
        InputError: if it cannot be written.
    """
    if not settings.audit:
        return None
    audit = AuditFile(settings.audit)
    audit.check()
    return audit
