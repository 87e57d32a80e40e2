"""Tools of other MCP servers: declared in a file, started when needed, pinned at first sight.

Importing this does not import the SDK's client; the first server that is started does, in a thread.
"""

from .declared import Declared, read_servers
from .pool import SEPARATOR, Servers, ServerTool

__all__ = ["SEPARATOR", "Declared", "ServerTool", "Servers", "read_servers"]
