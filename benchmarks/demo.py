"""What `make demo` runs: real MCP over stdio, every call shown, every claim about it checked by code of its own.

    python benchmarks/demo.py [--texts 200] [--chars 40000]

It uses no API key and no model, and leaves nothing behind but what it prints.
"""

import argparse
import json
import os
import re
import shutil
import signal
import sys
import sysconfig
import tempfile
import textwrap
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import anyio
from handed_texts import made
from mcp import Client, StdioServerParameters

from fanfold_server.store import open_journal

QUESTION = "Can this environment move to the next Python?"
ROOTS = {"stdlib": Path(sysconfig.get_paths()["stdlib"]), "site": Path(sysconfig.get_paths()["purelib"])}
REPORT_CHARS = 2_500
FOLDED_CHARS = (8_000, 20_000)
POLL_SECONDS = 0.3
PAGE = 100_000
COLUMNS = 100

SERVER = """
import os, sys
from fanfold_server.cli import main
with open(sys.argv.pop(1), "w") as file:
    file.write(str(os.getpid()))
main()
"""
"""`fanfold serve` that leaves its process id where the demo can find it, to kill it."""


def say(text: str = "", *, style: str = "") -> None:
    codes = {"bold": "1", "dim": "2", "red": "31", "green": "32", "cyan": "36"}
    colored = style and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(f"\x1b[{codes[style]}m{text}\x1b[0m" if colored else text, flush=True)


def cut(text: str, *, style: str = "") -> None:
    say(text if len(text) <= COLUMNS else f"{text[: COLUMNS - 1]}…", style=style)


def wrapped(text: str, indent: str) -> None:
    for line in text.splitlines():
        say(textwrap.fill(line, COLUMNS, initial_indent=indent, subsequent_indent=indent, break_long_words=False))


@dataclass(slots=True)
class Tally:
    """What the demo promised and whether it came true."""

    failed: list[str] = field(default_factory=list[str])

    def check(self, good: bool, text: str) -> None:
        say(f"  {'ok ' if good else 'NO '} {text}", style="green" if good else "red")
        if not good:
            self.failed.append(text)


@dataclass(slots=True)
class Host:
    """An MCP host: starts `fanfold serve`, calls its tools, shows each call."""

    home: Path
    roots: dict[str, Path] = field(default_factory=dict[str, Path])

    @property
    def pid_file(self) -> Path:
        return self.home.parent / "server.pid"

    def connection(self) -> Client:
        roots = [part for name, path in self.roots.items() for part in ("--root", f"{name}={path}")]
        arguments = ["-c", SERVER, str(self.pid_file), "serve", *roots]
        env = {**os.environ, "FANFOLD_HOME": str(self.home)}
        return Client(StdioServerParameters(command=sys.executable, args=arguments, env=env))

    def kill(self) -> None:
        os.kill(int(self.pid_file.read_text()), getattr(signal, "SIGKILL", signal.SIGTERM))


async def call(client: Client, tool: str, shown: bool = True, **arguments: Any) -> dict[str, Any]:
    if shown:
        told = ", ".join(f"{name}={_short(value)}" for name, value in arguments.items())
        say(f"  > {tool}({told})", style="cyan")
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        sys.exit(f"{tool} failed: {result.content[0].text}")
    return result.structured_content or {}


def _short(value: Any) -> str:
    if isinstance(value, list) and len(json.dumps(value)) > 60:
        return f"[{len(value)} of them]"
    return json.dumps(value)


# -- one: a real question, a kill in the middle, and every quote looked up ------------------------------------------


async def upgrade(home: Path, tally: Tally) -> None:
    say(f"1. {QUESTION}", style="bold")
    say("   One worker for each module of the standard library says what it deprecates, one for each installed")
    say("   distribution says what it uses. Synthesis joins the two. The demo kills the server half-way.")
    say(f"   roots: stdlib = {ROOTS['stdlib']}")
    say(f"          site   = {ROOTS['site']}")
    say()
    host = Host(home, ROOTS)
    plan_id, run_id = await killed_half_way(host)
    before = await records(home, run_id)
    say(f"  ! kill -9 of the server; {len(before)} results are on disk", style="red")
    async with host.connection() as client:
        seen = await call(client, "read", ref=run_id, limit=200)
        state = seen["text"].split(" ")[1]
        cut(f"  < a new server says: {seen['text'].splitlines()[0]}")
        tally.check(state == "interrupted", f"the killed run reads {state}")
        await dispatched(client, plan_id, until=1.0)
        await kept(home, run_id, before, tally)
        report = await call(client, "synthesize", run_id=run_id, compose="rules", max_chars=REPORT_CHARS)
        say("  < the report:")
        say()
        wrapped(report["report"], "    | ")
        say()
        await quotes(client, home, run_id, report, tally)


async def killed_half_way(host: Host) -> tuple[str, str]:
    run: dict[str, Any] = {}
    try:
        async with host.connection() as client:
            plan = await call(client, "plan", task=QUESTION, roots=list(ROOTS), checks=["upgrades"])
            say(f"  < {plan['plan_id']}: {plan['mode']}, {plan['subtasks_total']} subtasks. {plan['reason']}")
            run = await dispatched(client, plan["plan_id"], until=0.5)
            host.kill()
    except Exception:
        if not run:
            raise  # else the pipes of the dead server, which break in more than one way
    return plan["plan_id"], run["run_id"]


async def dispatched(client: Client, plan_id: str, until: float) -> dict[str, Any]:
    """Repeat the identical call until so great a share of the workers has ended."""
    began, calls = time.perf_counter(), 1
    run = await call(client, "dispatch", plan_id=plan_id, wait_seconds=POLL_SECONDS)
    while sum(run["counts"].values()) < until * run["total"]:
        run = await call(client, "dispatch", shown=False, plan_id=plan_id, wait_seconds=POLL_SECONDS)
        calls += 1
    counts = ", ".join(f"{count} {status}" for status, count in run["counts"].items())
    took = f"after {calls} identical calls, {time.perf_counter() - began:.0f} s"
    say(f"  < {run['state']} {took}: {counts} of {run['total']}")
    for finding in run["findings"][:2]:
        cut(f"    found: {finding['subject']}: {finding['claim']}", style="dim")
    return run


async def records(home: Path, run_id: str) -> dict[str, tuple[float, str]]:
    """Every result on disk: when it was recorded, and what."""
    async with open_journal(home) as journal:
        entries = await journal.entries(f"{run_id}/results/")
    return {entry.key: (entry.at, entry.value) for entry in entries if entry.value is not None}


async def kept(home: Path, run_id: str, before: dict[str, tuple[float, str]], tally: Tally) -> None:
    after = await records(home, run_id)
    same = [key for key in before if after.get(key) == before[key]]
    new = [key for key in after if key not in before]
    tally.check(
        len(same) == len(before),
        f"{len(same)} of {len(before)} results from before the kill are untouched, by time and by content;"
        f" {len(new)} were run after it",
    )


async def quotes(client: Client, home: Path, run_id: str, report: dict[str, Any], tally: Tally) -> None:
    whole = json.loads(await everything(client, f"{report['report_id']}/json"))
    shown = [evidence for entry in whole["entries"] for evidence in entry["evidence"]]
    results = [json.loads(value) for _, value in (await records(home, run_id)).values()]
    findings = [finding for result in results for finding in result["findings"]]
    every = [evidence for finding in findings for evidence in finding["evidence"]]
    prose = {f"text:{result['subtask']}": result["text"] or result["summary"] for result in results}
    say("  The demo now opens the files itself and looks at the lines:")
    for what, evidences in (("the report's quotes", shown), ("all quotes of all findings", every)):
        good = sum(stands(evidence, prose) for evidence in evidences)
        tally.check(good == len(evidences), f"{what}: {good} of {len(evidences)} stand at their line")
    kinds: dict[str, int] = {}
    for finding in findings:
        kinds[finding["kind"]] = kinds.get(finding["kind"], 0) + 1
    say(f"  found: {', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items(), key=lambda k: -k[1]))}")
    inside = [e[0]["source"] for f in findings if f["kind"] == "upgrades.deprecates" and (e := f["evidence"])]
    stated = [source for source in inside if source.startswith("stdlib:")]
    lines, files = grepped(ROOTS["stdlib"])
    say(f'  control: a plain grep for "Deprecat" meets {lines} lines in {files} files of the standard library,')
    going, places = len(stated), len(set(stated))
    say(f"  imports and comments too; the workers name {going} things that are to go, in {places} files.")
    fates = whole["coverage"]
    say(
        f"  ledger: {fates['findings']} findings = {fates['cited']} cited + {fates['merged']} merged"
        f" + {fates['below_cut']} below the cut + {fates['unsupported']} unsupported + {fates['context']} context"
    )
    total = sum(fates[name] for name in ("cited", "merged", "below_cut", "unsupported", "context"))
    tally.check(total == fates["findings"] == len(findings), "every finding has one line in the ledger")


async def everything(client: Client, ref: str) -> str:
    """A stored text of any length, page by page."""
    text, offset = "", 0
    while offset is not None:
        page = await call(client, "read", shown=False, ref=ref, offset=offset, limit=PAGE)
        text, offset = text + page["text"], page["next_offset"]
    return text


def stands(evidence: dict[str, Any], prose: dict[str, str]) -> bool:
    """Whether the quote is at its line (or characters, in a worker's prose). Nothing of fanfold is used here."""
    first, last = ([int(number) for number in re.findall(r"\d+", evidence["locator"])] * 2)[:2] or (0, 0)
    if not (evidence["locator"] and evidence["quote"]):
        return False
    if evidence["source"] in prose:
        return evidence["quote"] in prose[evidence["source"]][first:last]
    root, _, path = evidence["source"].partition(":")
    return evidence["quote"] in "\n".join(_lines(ROOTS[root] / path)[first - 1 : last])


@cache
def _lines(path: Path) -> list[str]:
    return path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").split("\n")


def grepped(folder: Path) -> tuple[int, int]:
    lines, files = 0, 0
    for path in folder.rglob("*.py"):
        if "site-packages" in path.parts or "test" in path.parts or "tests" in path.parts:
            continue
        count = sum("Deprecat" in line for line in _lines(path))
        lines, files = lines + count, files + bool(count)
    return lines, files


# -- two: more text than any context holds --------------------------------------------------------------------------


async def folded(home: Path, count: int, chars: int, tally: Tally) -> None:
    say(f"2. {count} texts of {chars // 1000} kB handed to synthesize", style="bold")
    say("   Each hides one fact, an ordinary sentence at a random place in real prose (the standard library's")
    say("   docstrings). fanfold knows neither the facts nor where they are, and has no model. Where is each found?")
    results, facts = made(count, chars, "docstrings", 1)
    handed = [{"id": result.subtask, "text": result.text} for result in results]
    total = sum(len(result.text) for result in results)
    say(f"   for example: {facts[0]}", style="dim")
    say()
    async with Host(home).connection() as client:
        what: dict[str, Any] = {"results": handed, "question": "What is worth knowing here?"}
        for size in FOLDED_CHARS:
            began = time.perf_counter()
            report = await call(client, "synthesize", **what, max_chars=size)
            seconds, length = time.perf_counter() - began, len(report["report"])
            beginnings = "\n".join(result.text[: length // count] for result in results)
            say(f"  < {total:,} characters in {seconds:.1f} s to a report of {length:,}")
            say(f"    facts in the report's text: {present(facts, report['report'])} of {count}")
            say(f"    control, in as much from the beginnings of all texts: {present(facts, beginnings)} of {count}")
            what = {"run_id": report["run_id"]}
        whole = json.loads(await everything(client, f"{report['report_id']}/json"))
        drawn = in_spans(facts, results, whole["spans"])
        say(f"  facts in stretches of text from which that report's ledger shows a finding drawn: {drawn} of {count}")
        reached = 0
        for result, fact in zip(results, facts, strict=True):
            ref = f"{report['run_id']}/{result.subtask}/text"
            words = " ".join(fact.split()[:4])
            page = await call(client, "read", shown=False, ref=ref, find=words)
            reached += " ".join(fact.split()) in " ".join(page["text"].split())
        words = " ".join(facts[0].split()[:4])
        say(f'  > read(ref="{report["run_id"]}/t1/text", find="{words}") and so on', style="cyan")
        tally.check(
            reached == count, f"read(find=four words of a fact) shows it in its stored text: {reached} of {count}"
        )


def present(facts: Iterable[str], text: str) -> int:
    """How many facts stand in the text word for word, but for line breaks and Markdown's backslashes."""
    plain = " ".join(text.replace("\\", "").split())
    return sum(" ".join(fact.split()) in plain for fact in facts)


def in_spans(facts: list[str], results: list[Any], spans: list[dict[str, Any]]) -> int:
    """How many facts lie wholly within stretches of text from which a finding was drawn."""
    drawn: dict[str, list[tuple[int, int]]] = {}
    for span in spans:
        if span["finding"]:
            drawn.setdefault(span["text"], []).append((span["start"], span["end"]))
    reached = 0
    for result, fact in zip(results, facts, strict=True):
        at = result.text.find(fact)
        reached += any(a <= at and at + len(fact) <= b for a, b in drawn.get(f"text:{result.subtask}", ()))
    return reached


async def main(count: int, chars: int) -> int:
    began = time.perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="fanfold-demo-"))
    tally = Tally()
    say("fanfold: plan -> dispatch -> synthesize, over real MCP on stdio. No API key, no model.", style="bold")
    machine = f"{os.cpu_count()} cores, Python {sys.version.split()[0]}"
    say(f"> is a tool call, < its answer. State: a temporary folder. {machine}.")
    say()
    try:
        await upgrade(folder / "one", tally)
        first = time.perf_counter() - began
        say()
        await folded(folder / "two", count, chars, tally)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    total = time.perf_counter() - began
    say()
    say(
        f"{total:.0f} s in all ({first:.0f} + {total - first:.0f}). {'All checks held.' if not tally.failed else ''}",
        style="bold",
    )
    for text in tally.failed:
        say(f"did not hold: {text}", style="red")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--chars", type=int, default=40_000)
    given = parser.parse_args()
    sys.exit(anyio.run(main, given.texts, given.chars))
