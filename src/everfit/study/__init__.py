"""Which model? Hypotheses are tested on common folds until more is not worth the time."""

from __future__ import annotations

from everfit.study.conduct import Setting, study
from everfit.study.own import own_hypotheses

__all__ = ["Setting", "own_hypotheses", "study"]
