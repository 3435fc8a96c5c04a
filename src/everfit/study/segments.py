"""Which groups of units a candidate serves worse than the rest."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from everfit.evidence.segments import weak_segments, worse_segments
from everfit.records import Array, Losses, Segment

MIN_SHARE, MIN_ROWS = 0.01, 30
MAX_SHOWN = 5


def least_of(n: int) -> int:
    """How many of ``n`` units a group needs to be spoken of."""
    return max(MIN_ROWS, int(MIN_SHARE * n))


def segments(masks: Mapping[str, Array], losses: Losses) -> tuple[Segment, ...]:
    """Segments whose mean loss is above that of the rest beyond chance, worst first.

    They are found on one half of the units and tested on the other, with a correction for how
    many were tested. ``masks`` are bool (n,), by name, over the units of ``losses``.
    """
    found = weak_segments(losses.values, dict(masks), seed=0)
    return tuple(Segment(s.name, s.n, s.gap, s.p_adjusted) for s in found[:MAX_SHOWN])


def harmed(
    masks: Mapping[str, Array], losses: Losses, floor: Losses, together: Array | None = None
) -> tuple[Segment, ...]:
    """Segments that a candidate serves worse than the floor beyond chance, worst first.

    ``together`` names the group of each unit, where units of one group hang together.
    """
    found = worse_segments(_counted(losses), _counted(floor), dict(masks), groups=together)
    return tuple(Segment(s.name, s.n, s.gap, s.p_adjusted) for s in found)


def _counted(losses: Losses) -> Array:
    """Losses as much as their units count: only for differences, where none is the yardstick."""
    weight = losses.weight
    if weight is None or weight.sum() <= 0:
        return losses.values
    return np.asarray(losses.values * weight / weight.mean())
