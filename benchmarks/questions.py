"""Questions over real documentation trees, answered with passages: is the right one among the first three?

    python benchmarks/fetch_archives.py && python benchmarks/questions.py

Each question has a pattern that only a passage with the answer holds; those with none have no answer there, and
nothing must come back. Every quote is looked up at its locator by code that is not fanfold's.
"""

import re
import sys
import tempfile
from pathlib import Path

import anyio

from fanfold_server.orchestrator import Orchestrator
from fanfold_server.records import Task
from fanfold_workers.contract import Evidence

REPOS = Path(__file__).parent / "data" / "repos"
QUESTIONS = (
    ("django", "docs", "Which setting controls how long a session cookie lasts?", r"SESSION_COOKIE_AGE"),
    ("django", "docs", "How do I run tests in parallel?", r"--parallel"),
    ("django", "docs", "How do I write a custom management command?", r"management/commands|BaseCommand"),
    ("django", "docs", "How do I avoid race conditions when I increment a field?", r"F\("),
    ("sqlalchemy", "doc", "How do I set the size of the connection pool?", r"pool_size"),
    ("sqlalchemy", "doc", "How do I detect disconnects with a ping?", r"pool_pre_ping"),
    ("click", "docs", "How do I prompt for a password twice?", r"confirmation_prompt|password_option"),
    ("click", "docs", "How do I test a command line application?", r"CliRunner"),
    ("flask", "docs", "How do I stream a response from a generator?", r"stream_with_context|yield"),
    ("flask", "docs", "How are sessions signed and which key is needed?", r"SECRET_KEY|secret_key"),
    ("celery", "docs", "How do I retry a failed task automatically with exponential backoff?", r"retry_backoff"),
    ("celery", "docs", "How do I run a task periodically with crontab schedules?", r"crontab\("),
    ("gunicorn", "docs", "How many workers should I use?", r"2 ?[x*] ?\$?num|\(2|num_cores"),
    ("setuptools", "docs", "How do I include data files in a package?", r"include.package.data|package.data"),
    ("scrapy", "docs", "How can I limit the concurrent requests per domain?", r"CONCURRENT_REQUESTS_PER_DOMAIN"),
    ("networkx", ".", "How do I draw a graph with edge labels?", r"draw_networkx_edge_labels|edge.labels"),
    ("scikit-learn", "doc", "Which splitter keeps the class proportions in each fold?", r"Stratified"),
    ("twisted", "docs", "How do I call a function after some seconds?", r"callLater"),
    ("flask", "docs", "How do I train a neural network on images?", ""),
    ("celery", "docs", "Who won the football world championship in 1998?", ""),
    ("numpy", "doc", "How do I bake sourdough bread?", ""),
    ("django", "docs", "What is the airspeed of an unladen swallow?", ""),
)
FIRST = 3


def root_of(package: str, folder: str) -> Path:
    """The fetched documentation tree of a package."""
    found = sorted(REPOS.glob(f"{package}-[0-9]*"))
    if not found:
        raise SystemExit(f"{package} is not there: run benchmarks/fetch_archives.py first")
    return found[0] / folder


def stands(evidence: Evidence, tree: Path) -> bool:
    """Whether the quote is in the lines that its locator names."""
    first, _, last = evidence.locator.replace("L", "").partition("-")
    text = (tree / evidence.source.removeprefix("docs:")).read_bytes().decode("utf-8", "replace")
    lines = text.replace("\r\n", "\n").split("\n")[int(first) - 1 : int(last or first)]
    return evidence.quote in "\n".join(lines)


async def asked(tree: Path, question: str, home: Path) -> list[Evidence]:
    """The quotes that plan and dispatch come to, best first."""
    async with Orchestrator(roots={"docs": tree}, home=home) as fanfold:
        plan = await fanfold.plan(Task(task=question, roots=("docs",)))
        await fanfold.dispatch(plan.id)
        results = await fanfold.runs.results(await fanfold.runs.attempts(plan))
    return [finding.evidence[0] for result in results.values() for finding in result.findings]


async def main() -> int:
    right = quotes = false = 0
    with tempfile.TemporaryDirectory() as home:
        for package, folder, question, pattern in QUESTIONS:
            tree = root_of(package, folder)
            found = await asked(tree, question, Path(home))
            ranks = [n for n, e in enumerate(found, 1) if pattern and re.search(pattern, e.quote)]
            good = bool(ranks and ranks[0] <= FIRST) if pattern else not found
            where = f"rank {ranks[0]}" if ranks else "nothing found" if not found else "not among those found"
            print(f"{'ok ' if good else 'NO '} {package:13} {question:75} {where}")
            right += good
            quotes += len(found)
            false += sum(not stands(evidence, tree) for evidence in found)
    print(f"{right} of {len(QUESTIONS)} right; {quotes - false} of {quotes} quotes stand at their lines")
    return int(false > 0)


if __name__ == "__main__":
    sys.exit(anyio.run(main))
