"""Segments that were kept at the release: which rows of the traffic they hold, and their alarms.

A segment is known by the name that ``data.groups`` gave it: ``plan=trial``, ``plan=missing``,
``age up to 33``, ``age 33 to 50``, ``age above 50``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from everfit.data.columns.collect import as_words
from everfit.evidence.interval import Interval, t_quantile, t_tail
from everfit.evidence.multiple import e_bh, holm
from everfit.records import Alarm, Array, Segment, Upkeep, Window
from everfit.watch.bound import ringing
from everfit.watch.measured import held, level, log_e, look_of, reign

RECENT = 28  # windows that say how a segment does now

_NUMBER = r"(-?[0-9.]+(?:e[+-]?[0-9]+)?)"
_THIRDS = (
    (re.compile(rf" up to {_NUMBER}$"), lambda low, high: (-np.inf, low)),
    (re.compile(rf" above {_NUMBER}$"), lambda low, high: (low, np.inf)),
    (re.compile(rf" {_NUMBER} to {_NUMBER}$"), lambda low, high: (low, high)),
)


def members(frame: pl.DataFrame, names: Iterable[str]) -> dict[str, Array]:
    """Masks, bool (n,), of the rows of traffic in each segment; one that no column fits is absent.

    Examples
    --------
    >>> traffic = pl.DataFrame({"plan": ["trial", None, "pro"], "age": [20, 40, 60]})
    >>> found = members(traffic, ["plan=trial", "age above 33", "size=big"])
    >>> {name: mask.tolist() for name, mask in found.items()}
    {'plan=trial': [True, False, False], 'age above 33': [False, True, True]}
    """
    found = {name: _mask(frame, name) for name in names}
    return {name: mask for name, mask in found.items() if mask is not None}


def _mask(frame: pl.DataFrame, name: str) -> Array | None:
    for split in (at for at, letter in enumerate(name) if letter == "="):
        if (column := _column(frame, name[:split])) is not None:
            words, level = as_words(column), name[split + 1 :]
            same = (words == level).fill_null(level == "missing")
            return np.asarray(same.to_numpy())
    for pattern, ends in _THIRDS:
        hit = pattern.search(name)
        column = None if hit is None else _column(frame, name[: hit.start()])
        if hit is not None and column is not None:
            numbers = column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
            low, high = ends(*(float(part) for part in (hit.group(1), hit.groups()[-1])))
            return np.asarray((numbers > low) & (numbers <= high))
    return None


def _column(frame: pl.DataFrame, name: str) -> pl.Series | None:
    """A feature, which the log shows under another name where it has a column of that name."""
    for shown in (f"feature.{name}", name):
        if shown in frame.columns:
            return frame[shown]
    return None


def segments(
    windows: Sequence[Window], upkeep: Upkeep, *, version: int | None = None
) -> tuple[Alarm, ...]:
    """Where each kept segment stands against its own bound, those that rang first.

    Each has its own detector, as all rows have. Together they keep the chance of any false alarm in
    a year, and when some ring, the expected share of false ones among them, to the part of the
    budget that is theirs (e-BH, which holds under any dependence). ``limit`` is
    what a segment needs that rings with as many others as ring now, or alone.
    """
    run = reign(windows, version)
    names = sorted({name for window in run for name in window.facts["maps"]} - {""})
    if not names:
        return ()
    alpha = level(run, upkeep, "segments")
    found = held(run, [[look_of(w, name) for w in run] for name in names], names, upkeep, alpha)
    # what each needs beside those that ring with it; alone it needs the most
    alone = len(names) / alpha
    need = np.array([alone / max(int(e_bh(now, alpha).sum()), 1) for now in found])
    limit = math.log(need[-1])
    alarms = []
    for at, name in enumerate(names):
        begun = ringing(found[:, at], need)
        rang = None if begun is None else run[begun].start
        alarms.append(
            Alarm("segment", name, "degradation", log_e(found[-1, at]), limit, len(run), rang)
        )
    return tuple(sorted(alarms, key=lambda alarm: (alarm.since is None, -alarm.e, alarm.about)))


def weakest(windows: Sequence[Window], *, version: int | None = None) -> tuple[Segment, ...]:
    """How much more the champion lost lately in each kept segment than on its other rows.

    Over its last 28 windows, worst first; p is corrected for all segments (Welch, Holm). Losses
    above the bound of one row count as the bound.
    """
    run = reign(windows, version)[-RECENT:]
    names = sorted({name for window in run for name in window.facts["maps"]} - {""})
    gaps = [(name, *_gap(run, name)) for name in names]
    sound = [gap for gap in gaps if math.isfinite(gap[2].mid)]
    adjusted = holm([p for *_, p in sound])
    found = [
        Segment(name, n, gap, float(p))
        for (name, n, gap, _), p in zip(sound, adjusted, strict=True)
    ]
    return tuple(sorted(found, key=lambda segment: -segment.gap.mid))


def _gap(run: Sequence[Window], name: str) -> tuple[int, Interval, float]:
    """Rows of a segment, mean inside minus mean outside with its range, and the two-sided p."""
    sums = np.zeros((2, 3))  # inside and all rows: n, sum, sum of squares
    for window in run:
        for at, which in enumerate((name, "")):
            look = look_of(window, which)
            if look is not None:
                square = look.n * (look.sd**2 + look.mean**2)
                sums[at] += (look.n, look.n * look.mean, square)
    sums[1] -= sums[0]
    n = sums[:, 0]
    if n.min() < 2:
        return int(n[0]), Interval(-math.inf, math.nan, math.inf, n=int(n[0])), 1.0
    mean = sums[:, 1] / n
    each = np.maximum(sums[:, 2] / n - mean**2, 0.0) / (n - 1)
    middle, error = float(mean[0] - mean[1]), math.sqrt(float(each.sum()))
    if error == 0.0:
        return int(n[0]), Interval(middle, middle, middle, n=int(n[0])), float(middle == 0)
    freedom = float(each.sum() ** 2 / (each**2 / (n - 1)).sum())
    reach = t_quantile(0.975, freedom) * error
    p = 2 * t_tail(abs(middle) / error, freedom)
    return int(n[0]), Interval(middle - reach, middle, middle + reach, n=int(n[0])), p
