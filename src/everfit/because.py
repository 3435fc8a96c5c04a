"""One rule behind a decision.

Apart from the other records, so that a server that starts does not wait for numpy.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Because:
    """One rule behind a decision: what was measured, its range, the limit and who set it.

    ``counts`` is what ``n`` counts, as one of them is called.
    """

    rule: str
    passed: bool | None
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    limit: float | None = None
    limit_by: str = "default"
    unit: str = ""
    note: str = ""
    counts: str = "row"
