"""An MCP server that has the tools of a case and does nothing: `python -m fanfold_server.evaluation.pretend TOOLS`.

TOOLS is JSON: for each tool's name what it says of itself. A plan is drawn up from that; nobody calls them.
"""

import json
import sys
from collections.abc import Mapping

from fanfold_workers.tools.servers import Declared


def pretended(servers: Mapping[str, Mapping[str, str]]) -> dict[str, Declared]:
    """Servers with these tools, to be started when they are needed."""
    start = ("-m", "fanfold_server.evaluation.pretend")
    return {
        name: Declared(name, command=sys.executable, args=(*start, json.dumps(dict(tools))))
        for name, tools in servers.items()
    }


def serve(tools: Mapping[str, str]) -> None:
    """Serve these tools over stdio until the host has gone."""
    from mcp.server import MCPServer

    def nothing() -> str:
        return "This tool is pretended: it is there to be planned with."

    server = MCPServer("pretended")
    for name, description in tools.items():
        server.add_tool(nothing, name=name, description=description)
    server.run()


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
