"""Which groups of rows a candidate serves worse than the rest."""

from __future__ import annotations

import numpy as np

from everfit.data.groups import groups
from everfit.data.table import Table
from everfit.evidence.segments import weak_segments, worse_segments
from everfit.records import Array, Losses, Segment

MIN_SHARE, MIN_ROWS = 0.01, 30
MAX_SHOWN = 5


def segments(features: Table, losses: Losses) -> tuple[Segment, ...]:
    """Segments whose mean loss is above that of the rest beyond chance, worst first.

    They are found on one half of the rows and tested on the other, with a correction for how
    many were tested.
    """
    found = weak_segments(losses.values, _masks(features, losses), seed=0)
    return tuple(Segment(s.name, s.n, s.gap, s.p_adjusted) for s in found[:MAX_SHOWN])


def harmed(
    features: Table, losses: Losses, floor: Losses, together: Array | None = None
) -> tuple[Segment, ...]:
    """Segments that a candidate serves worse than the floor beyond chance, worst first.

    ``together`` names the group of each row, where rows of one group hang together.
    """
    masks = _masks(features, losses)
    found = worse_segments(_counted(losses), _counted(floor), masks, groups=together)
    return tuple(Segment(s.name, s.n, s.gap, s.p_adjusted) for s in found)


def _counted(losses: Losses) -> Array:
    """Losses as much as their rows count: only for differences, where no row is the yardstick."""
    weight = losses.weight
    if weight is None or weight.sum() <= 0:
        return losses.values
    return np.asarray(losses.values * weight / weight.mean())


def _masks(features: Table, losses: Losses) -> dict[str, Array]:
    least = max(MIN_ROWS, int(MIN_SHARE * len(losses.ids)))
    return groups(features.take(losses.ids), least=least)
