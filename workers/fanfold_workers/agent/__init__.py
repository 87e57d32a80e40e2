"""A worker with a mind: it asks a model, runs the tools that it calls, and reports."""

from .worker import AgentWorker, Purses, union

__all__ = ["AgentWorker", "Purses", "union"]
