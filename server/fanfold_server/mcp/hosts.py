"""How long a tool call may hold each host, by the name it gives of itself."""

from typing import Any

from mcp.server.mcpserver import Context

KNOWN_SECONDS = 240.0
"""Codex and Goose cut a call at 300 s whatever is sent meanwhile; Gemini CLI at 600 s; Claude Code bears hours."""
UNKNOWN_SECONDS = 40.0
"""The shortest limits known are 60 s: Claude Desktop, Zed, and the TypeScript SDK's default."""
PATIENT = ("claude-code", "codex", "gemini-cli", "goose")
"""How the names of the patient ones begin: `claude-code`, `codex-mcp-client`, `gemini-cli-mcp-client-<server>`."""


def host_name(context: Context[Any, Any]) -> str:
    """What the host calls itself, in lower case; "" if it does not say."""
    params = context.session.client_params
    return params.client_info.name.lower() if params else ""


def patience(host: str, asked: float | None, override: float | None) -> float:
    """Seconds a call may take: what the host bears, or the override; less if the caller asked for less.

    As long as may be, since each repeated call sends the host's whole conversation again.
    """
    most = override or (KNOWN_SECONDS if host.startswith(PATIENT) else UNKNOWN_SECONDS)
    return most if asked is None else min(asked, most)
