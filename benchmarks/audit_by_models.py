"""The audit of fifty repositories through MCP over stdio, with simulated models: planned, worked, written.

    make audit; python -m benchmarks.audit_by_models

The models are simulated (see `benchmarks/endpoint`): their plan takes one worker for each place, their workers list,
run the inspections, read a file, take findings over and report, and their report cites what it is shown. What this
shows is that everything around a model holds: the tools, the scope, the journal, the budget, the fold, the report.
"""

import json
import os
import re
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from benchmarks.endpoint.client import endpoint
from benchmarks.endpoint.config import Config, Latency
from benchmarks.endpoint.ledger import Stats
from mcp import Client, StdioServerParameters

REPOS = Path(__file__).parent / "data" / "repos"
PAGE_CHARS = 50_000
TASK = "Audit each of these repositories for secrets, dependency problems and missing tests"


async def main() -> None:
    if not REPOS.is_dir():
        sys.exit("There are no repositories yet. Fetch them: make audit")
    with TemporaryDirectory() as home:
        async with endpoint(Config(latency=Latency(median=0.5, sigma=0.3))) as simulated:
            env = {
                **{name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")},
                "FANFOLD_HOME": home,
                "FANFOLD_CONFIG": os.devnull,
                "FANFOLD_BASE_URL": simulated.url,
                "ANTHROPIC_API_KEY": "simulated",
            }
            arguments = ["-m", "fanfold_server", "serve", "--root", f"repos={REPOS}", "--max-usd", "50"]
            server = StdioServerParameters(command=sys.executable, args=arguments, env=env)
            async with Client(server, read_timeout_seconds=300) as client:
                await audited(client)
            stats = await simulated.settled()
    print(f"fold: {folds(stats)}, {stats.over_window} requests over the window")
    print(f"endpoint: {stats.asked} calls, {stats.statuses}, {stats.usage}, {stats.repeats} repeats")


async def audited(client: Client) -> None:
    async def call(tool: str, **arguments: Any) -> dict[str, Any]:
        result = await client.call_tool(tool, arguments)
        if result.is_error:
            sys.exit(result.content[0].text)
        return result.structured_content or {}

    async def until_done(tool: str, key: str, **arguments: Any) -> dict[str, Any]:
        while not (answer := await call(tool, **arguments)).get(key):
            pass
        return answer

    began = time.perf_counter()
    plan = await until_done("plan", "plan_id", task=TASK, roots=["repos"], fresh=True, max_workers=60)
    planned = time.perf_counter()
    print(f"plan by {plan['engine']}: {plan['mode']}, {plan['subtasks_total']} subtasks, {plan['problems']}")
    print(f"estimate: {json.dumps(plan['estimate'])}")
    run = await until_done("dispatch", "done", plan_id=plan["plan_id"])
    worked = time.perf_counter()
    print(f"run: {run['counts']}, ${run['usd']}")
    report = await until_done("synthesize", "report_id", run_id=run["run_id"])
    written = time.perf_counter()
    print(f"report by {report['engine']}: {len(report['report']):,} characters, {json.dumps(report['coverage'])}")
    print(f"ledger: {await ledger(client, run['run_id'], report['report_id'])}")
    times = f"{planned - began:.1f} s to plan, {worked - planned:.1f} s to work, {written - worked:.1f} s to write"
    print(times)
    print(report["report"][:1_500])


async def ledger(client: Client, run_id: str, report_id: str) -> str:
    """Whether each finding of the run has its one line in the report's ledger."""
    run = await read(client, run_id)
    lines = (await read(client, f"{report_id}/ledger")).splitlines()
    found = sum(map(int, re.findall(r"^- .*?, (\d+) findings, ", run, re.MULTILINE)))
    entered = {line.partition("  ")[0] for line in lines}
    whole = "complete" if found == len(lines) == len(entered) else "NOT COMPLETE"
    return f"{len(lines):,} lines for {found:,} findings, {whole}"


async def read(client: Client, ref: str) -> str:
    """All that stands under a ref."""
    text, offset = "", 0
    while offset is not None:
        result = await client.call_tool("read", {"ref": ref, "offset": offset, "limit": PAGE_CHARS})
        page = result.structured_content or {}
        text, offset = text + page["text"], page.get("next_offset")
    return text


def folds(stats: Stats) -> str:
    """Requests and tokens of each question that synthesis asked."""
    told: list[str] = []
    for form in ("Draws", "Settles", "Folds", "Writes"):
        asked = [one for one in stats.requests if one.form == form]
        used = [one.usage for one in asked]
        read = sum(u.input_tokens + u.cache_creation_input_tokens + u.cache_read_input_tokens for u in used)
        if asked:
            told.append(f"{form} {len(asked)} x ({read:,} tokens in, {sum(u.output_tokens for u in used):,} out)")
    return ", ".join(told) or "no model was asked"


if __name__ == "__main__":
    anyio.run(main)
