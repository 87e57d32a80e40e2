"""The MCP face: six tools over the three verbs, for any host that speaks the protocol."""

from .server import build_server
from .stdio import serve_stdio

__all__ = ["build_server", "serve_stdio"]
