"""Imported by child processes while nothing is asked of them yet: it imports what fits need."""

from __future__ import annotations

from everfit.learners import LEARNERS, warm
from everfit.study import fold

__all__ = ["fold"]

# the order of the first hypotheses: linear models, then boosted trees, then the rest
warm(name for name in LEARNERS if name not in ("foreign", "neural"))
