"""A host without any key plays the orchestrator over real stdio: a parent and eight sub-agents of its own.

The parent plans with its own subtasks, starts a sub-agent for each with nothing but its worker_prompt, and asks for
the digest. The sub-agents are scripted, their material is real: each goes through one package of Python's standard
library and deposits a finding for every public class and function, quoted verbatim, with an account in prose. Three
of them also make quotes up, one never comes back. Run: python benchmarks/host_without_key.py
"""

import json
import re
import sys
import sysconfig
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.types import Implementation

STDLIB = Path(sysconfig.get_paths()["stdlib"])
PACKAGES = ("json", "logging", "email", "http", "urllib", "unittest", "xml", "importlib")
LIARS = ("logging", "http", "xml")
LOST = "urllib"
LIES = 5
DEFINED = re.compile(r"^(?:class|def|async def) ([A-Za-z]\w+)")


@dataclass
class Parent:
    """What reaches the parent's context, by form: hosts show its model one of the two."""

    client: Client
    text: int = 0
    structured: int = 0
    replies: int = 0
    calls: list[str] = field(default_factory=list)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and count what comes back."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        text, structured = result.content[0].text, json.dumps(result.structured_content, ensure_ascii=False)
        self.text += len(text)
        self.structured += len(structured)
        self.calls.append(f"{tool}: {len(text):,} characters as text, {len(structured):,} as JSON")
        return result.structured_content or {}


@dataclass
class SubAgents:
    """What the sub-agents produced, and what was said of their quotes on arrival."""

    client: Client
    produced: int = 0
    told: dict[str, Counter[str]] = field(default_factory=dict)

    async def start(self, prompt: str) -> str:
        """One sub-agent's life: read the instructions, work, deposit, answer in one line."""
        ref = re.search(r"p-[0-9a-f]+/\S+?(?=['\"])", prompt)
        assert ref, prompt
        read = await self.client.call_tool("read", {"ref": ref[0]})
        told = (read.structured_content or {})["text"]
        ids = {name: re.search(rf'{name}: "([^"]+)"', told)[1] for name in ("plan_id", "subtask_id")}
        package = re.search(r"Scope: stdlib:(\w+)", told)[1]
        if package == LOST:
            return ""
        findings, text = work(package)
        self.produced += len(json.dumps(findings, ensure_ascii=False)) + len(text)
        result = await self.client.call_tool("submit", {**ids, "findings": findings, "text": text, "status": "ok"})
        assert not result.is_error, result.content
        receipt = result.structured_content or {}
        self.told[package] = Counter(receipt["quotes"])
        return f"{ids['subtask_id']} submitted: {receipt['accepted']} findings"


def work(package: str) -> tuple[list[dict[str, Any]], str]:
    """Every public class and function of a package as a finding; a liar's first few quotes are made up."""
    findings: list[dict[str, Any]] = []
    for file in sorted((STDLIB / package).rglob("*.py")):
        place = f"stdlib:{file.relative_to(STDLIB).as_posix()}"
        for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
            if found := DEFINED.match(line):
                evidence = {"source": place, "locator": f"L{number}", "quote": line.strip()}
                claim = f"{place} offers {found[1]} at line {number}, part of what {package} lets its users call."
                findings.append({"subject": f"{package}.{found[1]}", "claim": claim, "evidence": [evidence]})
    if package in LIARS:
        for finding in findings[:LIES]:
            finding["evidence"][0]["quote"] = f"raise RuntimeError('{finding['subject']} is obsolete since 2.{LIES}')"
    account = "\n".join(
        f"{f['subject']}: I opened its file, read it to the end, and noted: {f['claim']}" for f in findings
    )
    return findings, f"What I did in {package}, step by step.\n{account}"


async def play(client: Client) -> tuple[Parent, SubAgents, dict[str, Any], list[str]]:
    """The whole play; the last two are the digest and its ledger's lines."""
    parent, agents = Parent(client), SubAgents(client)
    subtasks = [
        {
            "title": f"What does {package} offer?",
            "objective": f"Name every public class and function that {package} defines, each with the line.",
            "boundaries": "Only this package; the others are looked at by others.",
            "places": [f"stdlib:{package}"],
        }
        for package in PACKAGES
    ]
    planned = await parent.call("plan", task="What do these eight packages offer their users?", subtasks=subtasks)
    replies = await anyio.amap(agents.start, [piece["worker_prompt"] for piece in planned["subtasks"]])
    parent.replies = sum(len(reply) for reply in replies)
    digest = await parent.call("synthesize", plan_id=planned["plan_id"])
    ledger: list[str] = []
    offset: int | None = 0
    while offset is not None:  # by the audience, to check; it is not counted as the parent's
        page = await client.call_tool("read", {"ref": digest["ledger_ref"], "offset": offset, "limit": 100_000})
        ledger.append((page.structured_content or {})["text"])
        offset = (page.structured_content or {})["next_offset"]
    return parent, agents, digest, "".join(ledger).splitlines()


def show(parent: Parent, agents: SubAgents, digest: dict[str, Any], ledger: list[str]) -> bool:
    """Print the figures; whether every lie is marked and the lost one is named."""
    received = max(parent.text, parent.structured) + parent.replies
    print("The parent's calls:")
    print("".join(f"  {call}\n" for call in parent.calls), end="")
    print(f"  replies of the sub-agents: {parent.replies:,} characters")
    times = agents.produced / received
    print(f"Received by the parent: {received:,} characters, at most (the longer form of each answer)")
    print(f"Produced by the sub-agents: {agents.produced:,} characters, {times:.0f} times as many\n")
    print(f"{'package':<12}{'quotes':>8}{'made up':>9}  said on arrival")
    as_told = True
    for package in PACKAGES:
        told, lies = agents.told.get(package, Counter()), LIES if package in LIARS else 0
        verdicts = ", ".join(f"{verdict} {count}" for verdict, count in sorted(told.items())) or "never came"
        print(f"{package:<12}{sum(told.values()):>8}{lies:>9}  {verdicts}")
        as_told &= told["verified"] == sum(told.values()) - lies
    quotes = digest["coverage"]["quotes"]
    gaps = [gap for gap in digest["gaps"] if gap["kind"] == "never_came"]
    print(f"\nIn the digest: {digest['coverage']['findings']:,} findings, quotes {quotes}")
    print(
        f"In its ledger: {len(ledger):,} lines, {sum('unsupported' in line for line in ledger)} of them unsupported"
    )
    print(f"Gap: {gaps[0]['gap'] if gaps else 'NONE NAMED'}")
    lies = LIES * len(LIARS)
    return as_told and bool(gaps) and sum(quotes.values()) - quotes.get("verified", 0) == lies


async def main() -> int:
    """Start the server as a host does, play, show."""
    with tempfile.TemporaryDirectory() as home:
        serve = ["-m", "fanfold_server", "serve", "--root", f"stdlib={STDLIB}"]
        server = StdioServerParameters(command=sys.executable, args=serve, env={"FANFOLD_HOME": home})
        async with Client(server, client_info=Implementation(name="claude-code", version="1")) as client:
            return 0 if show(*await play(client)) else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))
