"""One answer to one row."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """What a version says about one row.

    ``value`` is the label or the number; ``probabilities`` stand in the order of the labels, None
    for a number; ``warnings`` say what was odd about the row, one sentence each.
    """

    value: str | int | float | bool
    probabilities: tuple[float, ...] | None = None
    warnings: tuple[str, ...] = ()
