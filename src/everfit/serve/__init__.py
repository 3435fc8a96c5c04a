"""Answer: execute packed versions, over one row in microseconds or over a table."""

from everfit.serve.answer import Answer
from everfit.serve.load import open_plan
from everfit.serve.scorer import Scorer

__all__ = ["Answer", "Scorer", "open_plan"]
