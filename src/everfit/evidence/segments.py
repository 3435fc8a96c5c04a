"""Groups of rows where a model does worse: found on one half of the rows, tested on the other.

A segment is a mask (n,) over the rows with a name; where the masks come from is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from everfit.evidence.interval import Floats, Interval, spread, t_quantile, t_tail
from everfit.evidence.multiple import holm
from everfit.evidence.paired import finite_losses

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SegmentGap:
    """How much more a segment loses than the rest (above 0: worse), with its two-sided p.

    ``n`` counts the segment's rows in the test; ``p_adjusted`` is p after correction for all
    segments tested together.
    """

    name: str
    n: int
    gap: Interval
    p: float
    p_adjusted: float


def welch(inside: ArrayLike, outside: ArrayLike, *, level: float = 0.95) -> tuple[Interval, float]:
    """Mean inside minus mean outside with Welch's range, and the two-sided p.

    Variances may differ; degrees of freedom by Welch-Satterthwaite. Unbounded with p = 1 when one
    side has fewer than two rows.

    Examples
    --------
    >>> gap, p = welch([2.0, 2.1, 1.9], [1.0, 1.1, 0.9])
    >>> round(gap.mid, 3), p < 0.001
    (1.0, True)
    """
    a, b = finite_losses(inside, outside)
    one, two = spread(a), spread(b)
    middle = one.mean - two.mean
    if not (math.isfinite(one.error) and math.isfinite(two.error)):
        return Interval(-math.inf, middle, math.inf, n=len(a), level=level), 1.0
    variance = one.error**2 + two.error**2
    if variance == 0:
        return Interval(middle, middle, middle, n=len(a), level=level), float(middle == 0)
    freedom = variance**2 / (one.error**4 / max(len(a) - 1, 1) + two.error**4 / max(len(b) - 1, 1))
    error = math.sqrt(variance)
    reach = t_quantile(0.5 + level / 2, freedom) * error
    p = 2 * t_tail(abs(middle) / error, freedom)
    return Interval(middle - reach, middle, middle + reach, n=len(a), level=level), p


def segment_gaps(
    losses: ArrayLike,
    segments: Mapping[str, Mask],
    *,
    adjust: Callable[[ArrayLike], Floats] = holm,
    least: int = 10,
) -> tuple[SegmentGap, ...]:
    """Welch's test of the mean loss inside against outside for every segment, worst first.

    Segments that leave fewer than ``least`` rows on either side are left out. ``adjust`` is
    ``multiple.holm`` or ``multiple.benjamini_hochberg``. The segments must not have been found on
    these same losses; else use :func:`weak_segments`.
    """
    (values,) = finite_losses(losses)
    found = []
    for name, mask in segments.items():
        inside = np.asarray(mask, dtype=np.bool_)
        if min(int(inside.sum()), int((~inside).sum())) < max(least, 1):
            continue
        gap, p = welch(values[inside], values[~inside])
        found.append(SegmentGap(name, int(inside.sum()), gap, p, p))
    adjusted = adjust([item.p for item in found])
    done = [replace(item, p_adjusted=float(p)) for item, p in zip(found, adjusted, strict=True)]
    return tuple(sorted(done, key=lambda item: -item.gap.mid))


def weak_segments(
    losses: ArrayLike,
    segments: Mapping[str, Mask],
    *,
    half: Mask | None = None,
    seed: int = 0,
    keep: int = 10,
    alpha: float = 0.05,
    adjust: Callable[[ArrayLike], Floats] = holm,
    least: int = 10,
) -> tuple[SegmentGap, ...]:
    """Segments that are worse: the ``keep`` most striking on one half, tested on the other half.

    ``half`` (n,) marks the rows to discover on; when None they are drawn with ``seed``. What is
    given back was tested on rows that had no say in finding it: gaps are not flattered, and
    P(any false one) <= alpha (Holm) however many segments were tried. Only segments with a gap
    above 0 and ``p_adjusted`` <= alpha come back.
    """
    (values,) = finite_losses(losses)
    drawn = np.random.default_rng(seed).permutation(len(values)) % 2 == 0
    here = drawn if half is None else np.asarray(half, dtype=np.bool_)
    first = segment_gaps(
        values[here], {name: np.asarray(m)[here] for name, m in segments.items()}, least=least
    )
    striking = sorted((s for s in first if s.gap.mid > 0), key=lambda s: (s.p, -s.gap.mid))
    chosen = {s.name: np.asarray(segments[s.name])[~here] for s in striking[:keep]}
    tested = segment_gaps(values[~here], chosen, adjust=adjust, least=least)
    return tuple(s for s in tested if s.gap.mid > 0 and s.p_adjusted <= alpha)


def worse_segments(
    loss_new: ArrayLike,
    loss_old: ArrayLike,
    segments: Mapping[str, Mask],
    *,
    allowed: float = 0.0,
    alpha: float = 0.05,
    least: int = 10,
    groups: NDArray[Any] | None = None,
) -> tuple[SegmentGap, ...]:
    """Segments where the new model's mean loss exceeds (1 + ``allowed``) times the old one's.

    Paired, one-sided, Holm over all segments: a guardrail that noise in small segments does not
    trip. ``gap`` is the mean of ``new - (1 + allowed) old`` in the unit of the loss. ``groups``
    (n,) names the group of each row when rows of a group hang together.
    """
    new, old = finite_losses(loss_new, loss_old)
    excess = new - (1 + allowed) * old
    found = []
    for name, mask in segments.items():
        inside = np.asarray(mask, dtype=np.bool_)
        if int(inside.sum()) < max(least, 2):
            continue
        measured = spread(excess[inside], groups=None if groups is None else groups[inside])
        p = measured.p_above(0.0)
        found.append(SegmentGap(name, int(inside.sum()), measured.interval(), p, p))
    adjusted = holm([item.p for item in found])
    done = [replace(item, p_adjusted=float(p)) for item, p in zip(found, adjusted, strict=True)]
    broken = (item for item in done if item.p_adjusted <= alpha)
    return tuple(sorted(broken, key=lambda item: -item.gap.mid))
