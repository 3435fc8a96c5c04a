"""One answer to one row."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """What a version says about one row.

    ``value`` is the label or the number; ``probabilities`` stand in the order of the labels, None
    for a number; ``warnings`` say what was odd about the row, one sentence each. ``range`` is a 95%
    range, learnt from answers to rows that the fits had not seen: of the outcome for a number, of
    the probability of ``value`` for a label; None when the version was packed without ranges.
    """

    value: str | int | float | bool
    probabilities: tuple[float, ...] | None = None
    warnings: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
