"""An MCP server of the handshake era in plain Python, which starts in no time and misbehaves when told to.

`plain_server.py [MODE] [FILE]`: silent, garbage and dies never answer, stays never ends, pages lists tools in pages,
prompts has none; the description of `echo` is FILE's text.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

MODE, FILE = (*sys.argv[1:], "", "")[:2]
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
NONE: dict[str, Any] = {"type": "object", "properties": {}}


def tools() -> list[dict[str, Any]]:
    description = Path(FILE).read_text() if FILE else "Says it again."
    names = (
        "pid",
        "die",
        "hang",
        "nonsense",
        "noise",
        "bytes",
        "absent",
        "announce",
        "refuse",
        "protocol_error",
        "surrogate",
    )
    return [
        {"name": "echo", "description": description, "inputSchema": TEXT},
        *({"name": name, "inputSchema": NONE} for name in names),
    ]


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"result": {"content": [{"type": "text", "text": said}], **more}}


ANSWERS: dict[str, dict[str, Any] | None] = {
    "pid": text(str(os.getpid())),
    "nonsense": {"result": {"content": "nonsense"}},
    "refuse": text("That file is not there.", isError=True),
    "protocol_error": {"error": {"code": -32603, "message": "The disk is full"}},
    "surrogate": text("before \ud800 after"),
    "hang": None,
    "bytes": None,
    "noise": None,
    "announce": text("Done."),
}
LINES = {
    "noise": "Hello! This is a log line.",
    "announce": json.dumps({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}),
}


def called(name: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """The answer's fields; None for no answer at all."""
    if name == "die":
        sys.stderr.write(f"my key was {os.environ.get('KEY', '')}\n")
        sys.stderr.flush()
        os._exit(3)
    if name == "bytes":
        sys.stdout.buffer.write(b"\xff\n")
        sys.stdout.buffer.flush()
    if name in LINES:
        sys.stdout.write(f"{LINES[name]}\n")
        sys.stdout.flush()
    if name == "echo":
        return text(arguments["text"])
    return ANSWERS.get(name, {"error": {"code": -32602, "message": f"Unknown tool: {name}"}})


def answered(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    match method:
        case "initialize":
            info = {"name": "plain", "version": "1"}
            return {"result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}}
        case "tools/list" if MODE == "pages":
            name, more = ("echo", {"nextCursor": "2"}) if "cursor" not in params else ("echo_again", {})
            return {"result": {"tools": [{"name": name, "inputSchema": TEXT}], **more}}
        case "tools/list" if MODE != "prompts":
            return {"result": {"tools": tools()}}
        case "tools/call":
            return called(params["name"], params.get("arguments") or {})
        case _:
            return {"error": {"code": -32601, "message": "Method not found"}}


def main() -> None:
    if MODE == "dies":
        sys.stderr.write("No module named 'nowhere'\n")
        sys.exit(1)
    if MODE == "stays":  # whatever becomes of its host
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in sys.stdin:
        request = json.loads(line)
        if MODE == "silent" or "id" not in request:
            continue
        if MODE == "garbage":
            sys.stdout.write("{'jsonrpc': nonsense}\n")
            sys.stdout.flush()
            continue
        if (answer := answered(request["method"], request.get("params", {}))) is not None:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}) + "\n")
            sys.stdout.flush()
    while MODE == "stays":
        time.sleep(1)


main()
