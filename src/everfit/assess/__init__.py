"""What is in the data? Findings with the evidence behind each, the split, the floor."""

from __future__ import annotations

from everfit.assess.profile import profile
from everfit.assess.stage import assess

__all__ = ["assess", "profile"]
