"""Picks who answers a request. None of them is a model, and each says so."""

from benchmarks.endpoint.config import Config
from benchmarks.endpoint.draft import Draft
from benchmarks.endpoint.knowing import summary
from benchmarks.endpoint.prompt import Prompt
from benchmarks.endpoint.script import echo, scripted
from benchmarks.endpoint.structured import structured
from benchmarks.endpoint.synthesis import form, synthesis
from benchmarks.endpoint.worker import REPORT, worker


def answer(prompt: Prompt, config: Config) -> Draft:
    """What is answered, found from the request and the config alone."""
    mind = config.mind if config.mind != "auto" else _fitting(prompt, config)
    if mind == "synthesis":
        return synthesis(prompt, config)
    if mind == "summary":
        return summary(prompt, config)
    if mind == "structured":
        return structured(prompt)
    if mind == "worker":
        return worker(prompt)
    if mind == "script":
        return scripted(prompt, config.script)
    return echo(prompt, config.output_tokens)


def _fitting(prompt: Prompt, config: Config) -> str:
    if form(prompt):
        return "synthesis"
    if prompt.formatted or (REPORT not in prompt.tools and prompt.schema):
        return "structured"
    if REPORT in prompt.tools:
        return "script" if config.script else "worker"
    return "echo"
