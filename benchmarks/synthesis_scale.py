"""Synthesis of 20,000 findings over 50 results, their quotes looked up in 3,000 files of 20 kB.

    python benchmarks/synthesis_scale.py [--findings 20000] [--max-chars 8000]

One quote in twenty is altered, one in thirty invented, one in ten stands elsewhere than it says. Prints wall seconds,
seconds of CPU, and how much the peak memory grew over what the input takes.
"""

import argparse
import random
import resource
import sys
import time

import anyio

from fanfold_server.synthesis import synthesize
from fanfold_workers.contract import Evidence, Examined, Finding, Result, Scope, Severity, Subtask
from fanfold_workers.tools.roots import MemoryRoot

KINDS = ["secrets.key", "dependencies.unpinned", "tests.untested", "upgrades.uses", "upgrades.deprecates"]
REPOS, FILES, LINES = 50, 60, 300


def megabytes() -> float:
    """Peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)


def quote(rng: random.Random, line: str) -> str:
    """The line as a worker quotes it, which is not always as it is."""
    chance = rng.random()
    if chance < 0.05:
        return line[:20] + "zz" + line[22:]
    return "this was never written in any of these files" if chance > 0.97 else line


def finding(rng: random.Random, repo: str, files: dict[str, str], words: list[str]) -> Finding:
    """One finding in a file of the repository."""
    path = f"{repo}/pkg/mod{rng.randrange(FILES)}.py"
    number = rng.randrange(LINES)
    said = number + 1 if rng.random() < 0.9 else rng.randint(1, LINES)
    kind = rng.choice(KINDS)
    subject = path if kind[0] in "st" else rng.choice(words)
    text = quote(rng, files[path].split("\n")[number])
    return Finding(
        kind=kind,
        subject=subject,
        claim=f"{subject}, {kind.partition('.')[2]}: {rng.choice(words)} in {path}",
        severity=rng.choice(list(Severity)),
        confidence=0.8,
        evidence=(Evidence(source=f"repos:{path}", locator=f"L{said}", quote=text),),
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--findings", type=int, default=20_000)
    parser.add_argument("--max-chars", type=int, default=8_000)
    given = parser.parse_args()
    rng = random.Random(3)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 10))) for _ in range(4_000)]
    paths = [f"repo{r}/pkg/mod{n}.py" for r in range(REPOS) for n in range(FILES)]
    files = {path: "\n".join(" ".join(rng.choices(words, k=9)) for _ in range(LINES)) for path in paths}
    roots = {"repos": MemoryRoot("repos", files)}
    names = [f"repo{r}" for r in range(REPOS)]
    subtasks = [Subtask(id=n, title=n, objective="audit", item=n, scope=Scope(places=(f"repos:{n}",))) for n in names]
    results = [
        Result.ended(
            name,
            engine="rules",
            findings=tuple(finding(rng, name, files, words) for _ in range(given.findings // REPOS)),
            examined=Examined(done=FILES, in_scope=FILES),
        )
        for name in names
    ]
    before, wall, cpu = megabytes(), time.perf_counter(), time.process_time()

    async def run() -> None:
        report = await synthesize("Audit these", subtasks, results, roots, max_chars=given.max_chars)
        print(
            f"{len(report.ledger):,} findings, {sum(map(len, files.values())) / 1e6:.0f} MB in {len(files):,} files:"
            f" {time.perf_counter() - wall:.1f} s ({time.process_time() - cpu:.1f} s of CPU),"
            f" {megabytes() - before:.0f} MB over the {before:.0f} MB of the input;"
            f" {len(report.entries)} entries shown, report {len(report.markdown):,} characters,"
            f" {len(report.model_dump_json()) / 1e6:.1f} MB as JSON; quotes {dict(report.coverage.quotes)}"
        )

    anyio.run(run)


if __name__ == "__main__":
    main()
