"""Results -> Report: verify, join, weigh, set conflicts side by side, compose, and account for every finding."""

from .compose import Brief, Composed, Composer
from .desk import Desk
from .early import EarlyReader
from .lead import ModelComposer
from .synthesize import synthesize
from .verify import verified

__all__ = ["Brief", "Composed", "Composer", "Desk", "EarlyReader", "ModelComposer", "synthesize", "verified"]
