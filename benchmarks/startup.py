"""What answering the first tools/list over stdio costs: fanfold against a bare mcp server with six tools.

Fresh processes, in pairs, in alternating order; wall time until the answer has been read, and CPU time of the whole
process. Run: python benchmarks/startup.py [PAIRS]
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = """
from mcp.server import MCPServer

server = MCPServer("bare")


@server.tool()
def one(a: str, b: int = 0) -> str:
    "One."
    return a


@server.tool()
def two(a: str, b: int = 0) -> str:
    "Two."
    return a


@server.tool()
def three(a: str, b: int = 0) -> str:
    "Three."
    return a


@server.tool()
def four(a: str, b: int = 0) -> str:
    "Four."
    return a


@server.tool()
def five(a: str, b: int = 0) -> str:
    "Five."
    return a


@server.tool()
def six(a: str, b: int = 0) -> str:
    "Six."
    return a


server.run()
"""
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "benchmark", "version": "1"},
    },
}
REST = (
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
)


def once(command: list[str], home: str) -> tuple[float, float]:
    """Wall seconds until tools/list is answered, and CPU seconds of the process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    env = {**os.environ, "FANFOLD_HOME": home}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
    ) as child:
        assert child.stdin
        assert child.stdout
        for message in (INITIALIZE, *REST):
            child.stdin.write(json.dumps(message).encode() + b"\n")
            child.stdin.flush()
            if message is INITIALIZE:
                child.stdout.readline()
        tools = json.loads(child.stdout.readline())["result"]["tools"]
        wall = time.perf_counter() - started
        assert len(tools) == 6
        child.stdin.close()
        child.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(pairs: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        bare = Path(home) / "bare.py"
        bare.write_text(BARE)
        commands = {
            "bare": [sys.executable, str(bare)],
            "fanfold": [sys.executable, "-m", "fanfold_server", "serve"],
        }
        for command in commands.values():  # once unmeasured, so that both find their files in the cache
            once(command, home)
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for n in range(pairs):
            for name in list(commands)[:: 1 if n % 2 else -1]:
                measured[name].append(once(commands[name], home))
    for what, index in (("wall", 0), ("CPU", 1)):
        medians = {name: statistics.median(m[index] for m in values) for name, values in measured.items()}
        ratios = [f[index] / b[index] for f, b in zip(measured["fanfold"], measured["bare"], strict=True)]
        shown = ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in medians.items())
        print(f"{what}: {shown}; ratio, median of {pairs} pairs: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
