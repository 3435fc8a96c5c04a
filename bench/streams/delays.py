"""How many rows after a change until its alarm: medians, beside the anchors of the simulations.

The stream stays as it is for 200 looks of 100 rows, then changes for good. All detectors promise
at most 5% of runs with any false alarm in 1,000 looks (e-BH: 10%).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from bench.streams.counts import NEVER, Delays
from bench.streams.nulls import (
    ALPHA,
    CALIBRATION,
    COLUMNS,
    FDR,
    REFERENCE,
    e_values,
    followed,
    looks_of,
    margin,
    mean_ranks,
    strange_path,
)
from bench.streams.trials import judged
from bench.streams.worlds import LOOK_S, Array, Rng, dragged, normal, seed, starts, zero_one
from everfit.evidence.alarms.mean import loss_alarm
from everfit.evidence.alarms.recursion import Calibration
from everfit.evidence.alarms.reference import Reference, rank_alarm
from everfit.evidence.alarms.strange import StrangeAlarm
from everfit.evidence.multiple import e_bh
from everfit.evidence.shift.two_sample import TwoSample
from everfit.evidence.trial.dispersion import Dependence
from everfit.records import Window
from everfit.watch.bound import evidence

BEFORE, AFTER, ROWS, LOOKS = 200, 300, 100, 1_000
CERTIFIED, LOSS = 0.12, 0.18


def delays(runs: int) -> Iterator[Delays]:
    """All changes by the detectors that are made for them."""
    yield loss_rows(runs, anchor=578)
    yield loss_shift(runs, LOSS, "loss 0.12 to 0.18", rows=25, anchor=578)
    yield loss_shift(runs, LOSS, "loss 0.12 to 0.18", anchor=578)
    yield loss_shift(runs, 0.136, "2% of labels flipped: 0.12 to 0.136")
    for shift, ours, rank, ebh in ((0.25, 800, 900, 700), (0.5, 400, 200, 400)):
        name = f"mean + {shift:g} sd"
        yield strange(runs, moved(shift), name, _middle, ours)
        yield ranks(runs, shift, name, rank)
        yield columns(runs, shift, f"{name}, 2 of 20 columns", ebh)
        yield drifted(runs, shift, f"{name}, 2 of 20 columns", ours)
        yield classifier(max(runs // 4, 1), shift, f"{name}, 2 of 20 columns")
    yield strange(
        runs, moved(0.5), "mean + 0.5 sd, rows autocorrelated (0.6)", _middle, 700, dragged
    )
    yield strange(runs, lambda x: x * np.sqrt(1.5), "variance x 1.5", _spread)
    yield swapped(runs)
    for gain, anchor in ((0.01, 5264), (0.02, 1524), (0.03, 622)):
        # many runs: a median that lies near its bar is else a matter of luck
        yield promoted(10 * runs, gain, anchor, None)
        yield promoted(10 * runs, gain, anchor, Dependence())


def moved(shift: float) -> Callable[[Array], Array]:
    """A change of the mean."""
    return lambda x: x + shift


def loss_rows(runs: int, anchor: float) -> Delays:
    """0-1 losses at their bound and then above it, each row a look: 10,000 in the horizon."""
    calm = 2_000
    alarm = loss_alarm(CERTIFIED, 0.0, Calibration(10_000, ALPHA))
    level = np.where(np.arange(6_000) < calm, CERTIFIED, LOSS)[:, None]
    x = (seed(10, runs).random((6_000, runs)) < level).astype(np.float64)
    first = alarm.replay(x).first
    rows = [int(f) - calm if f else NEVER for f in first]
    return Delays("loss, each row a look", "loss 0.12 to 0.18", tuple(r for r in rows if r > 0),
                  anchor, sum(r <= 0 for r in rows))  # fmt: skip


def loss_shift(
    runs: int, after: float, name: str, rows: int = ROWS, anchor: float | None = None
) -> Delays:
    """0-1 losses exactly at their bound, then above it, as ``watch`` looks at windows."""
    kept = []
    for run in range(runs):
        rng = seed(41, run)
        u = rng.random((BEFORE + AFTER, rows))
        level = np.where(np.arange(BEFORE + AFTER) < BEFORE, CERTIFIED, after)
        kept.append(looks_of((u < level[:, None]).astype(np.float64), CERTIFIED))
    at = starts(BEFORE + AFTER)
    e = evidence(at, kept, [0.0] * runs, window_s=LOOK_S, alpha=ALPHA)
    first = [_first(path >= 1 / ALPHA) for path in e.T]
    return _told(f"loss, windows of {rows} rows", name, first, anchor, rows)


def strange(
    runs: int, change: Callable[[Array], Array], name: str, score: Callable[[Array], Array],
    anchor: float | None = None, law: Callable[[Rng, int, int], Array] = normal,
) -> Delays:  # fmt: skip
    """The conformal alarm on a window score of one column's ranks."""
    table = np.zeros((CALIBRATION + BEFORE + AFTER, runs))
    for run in range(runs):
        rng = seed(12, run)
        reference = Reference.of(law(rng, 1, REFERENCE))
        x = law(rng, len(table), ROWS)
        x[CALIBRATION + BEFORE :] = change(x[CALIBRATION + BEFORE :])
        table[:, run] = score(reference.ranks(x.ravel()).reshape(x.shape))
    return _told("conformal", name, _strange_path(table), anchor)


def swapped(runs: int) -> Delays:
    """Two of five categories exchange their shares; the score is the distance of all shares."""
    shares = np.array([0.4, 0.25, 0.2, 0.1, 0.05])
    after = shares[[1, 0, 2, 3, 4]]
    table = np.zeros((CALIBRATION + BEFORE + AFTER, runs))
    for run in range(runs):
        rng = seed(13, run)
        known = rng.multinomial(REFERENCE, shares) / REFERENCE
        seen = np.vstack(
            [rng.multinomial(ROWS, shares, CALIBRATION + BEFORE),
             rng.multinomial(ROWS, after, AFTER)]
        )  # fmt: skip
        table[:, run] = np.abs(seen / ROWS - known).sum(axis=1)
    return _told("conformal", "shares 0.4 and 0.25 of two categories swapped", _strange_path(table))


def _strange_path(table: Array) -> list[int]:
    alarm = StrangeAlarm(Calibration(LOOKS, ALPHA), seed=3)
    state = alarm.replay(alarm.start(table[:CALIBRATION]), table[CALIBRATION:])
    return [int(first) for first in state.watched.first]


def ranks(runs: int, shift: float, name: str, anchor: float) -> Delays:
    """The row e-detector among a frozen reference with its margin; for independent rows only."""
    steps = np.zeros((BEFORE * 10 + AFTER * 10, runs))
    calibration = Calibration(LOOKS * ROWS, ALPHA)
    for run in range(runs):
        rng = seed(14, run)
        reference = Reference.of(rng.standard_normal(REFERENCE))
        x = rng.standard_normal(len(steps))
        x[BEFORE * 10 :] += shift
        steps[:, run] = reference.ranks(x)
    alarm = rank_alarm(REFERENCE, calibration)
    first = alarm.replay(steps).first
    rows = [int(f) - BEFORE * 10 if f else NEVER for f in first]
    return Delays("rows among a frozen reference", name, tuple(r for r in rows if r > 0), anchor,
                  sum(r <= 0 for r in rows))  # fmt: skip


def columns(runs: int, shift: float, name: str, anchor: float) -> Delays:
    """e-BH over 20 columns of which two move: rows until it names one of them."""
    calibration, seasons = Calibration(LOOKS, FDR), [0] * (CALIBRATION + BEFORE + AFTER // 3)
    rows, early = [], 0
    for batch in np.array_split(np.arange(runs), max(runs // 20, 1)):
        scores = [_two_of_20(int(run), shift, len(seasons))[0] for run in batch]
        e = strange_path(np.concatenate(scores, axis=1), CALIBRATION, seasons, calibration)
        for one in np.split(e, len(batch), axis=1):
            named = _named(one, FDR)
            found = _first(np.any(named[:, :2], axis=1))
            early += bool(named[:BEFORE].any())
            if not named[:BEFORE].any():
                rows.append((found - BEFORE) * ROWS if found else NEVER)
    return Delays("conformal, e-BH, first named", name, tuple(rows), anchor, early)


def drifted(runs: int, shift: float, name: str, anchor: float) -> Delays:
    """The drift alarm of ``watch`` over 20 columns of which two move, calm for 200 windows."""
    looks, rows, early = BEFORE + AFTER // 3, [], 0
    windows = [Window("asked", start, start, 1, ROWS) for start in starts(looks)]
    for batch in np.array_split(np.arange(runs), max(runs // 20, 1)):
        told = [_two_of_20(int(run), shift, looks, BEFORE) for run in batch]
        e = e_values(windows, followed(told, ROWS), horizon=LOOKS)
        for one in np.split(e, len(batch), axis=1):
            named = _named(one, ALPHA)
            found = _first(np.any(named[:, :2], axis=1))
            early += bool(named[:BEFORE].any())
            if not named[:BEFORE].any():
                rows.append((found - BEFORE) * ROWS if found else NEVER)
    return Delays("drift, as watch replays it", name, tuple(rows), anchor, early)


def _two_of_20(
    run: int, shift: float, looks: int, calm: int = CALIBRATION + BEFORE
) -> tuple[Array, Array]:
    """Mean ranks less one half (looks, 20), the first two of which move, and margins (20,)."""
    rng, away, margins = seed(15, run), np.zeros((looks, COLUMNS)), np.zeros(COLUMNS)
    for column in range(COLUMNS):
        known = rng.standard_normal(REFERENCE)
        margins[column] = margin(known)
        x = rng.standard_normal((looks, ROWS))
        x[calm:] += shift * (column < 2)
        away[:, column] = mean_ranks(Reference.of(known), x) - 0.5
    return away, margins


def _named(e: Array, alpha: float) -> NDArray[np.bool_]:
    """Which columns are named after each look (looks, n_columns)."""
    named = np.zeros(e.shape, dtype=np.bool_)
    for look in np.flatnonzero(e.max(axis=1) >= 1 / alpha):
        named[look] = e_bh(e[look], alpha)
    return named


def classifier(runs: int, shift: float, name: str) -> Delays:
    """The two-sample test with whole windows; it starts with the change, its reference is fresh."""
    rows = []
    for run in range(runs):
        rng = seed(16, run)
        test = TwoSample(rng.standard_normal((40 * ROWS, COLUMNS)), ALPHA, seed=run)
        move = np.where(np.arange(COLUMNS) < 2, shift, 0.0)
        found = NEVER
        for look in range(1, 41):
            test.update(rng.standard_normal((ROWS, COLUMNS)) + move)
            if test.decided:
                found = look * ROWS
                break
        rows.append(found)
    return Delays("classifier (two samples)", name, tuple(rows))


def promoted(runs: int, gain: float, anchor: float, dependence: Dependence | None) -> Delays:
    """Rows until a challenger that is better by ``gain`` is promoted, looked at every 10 rows."""
    rows, early = [], 0
    for run in range(runs):
        d = zero_one(seed(47, run), 1_000, 10, gain)
        kind, n = judged(d, ALPHA, zero_one=True, dependence=dependence, check=run < 3)
        rows.append(n if kind == "better" else NEVER)
        early += kind == "worse"
    name = f"challenger better by {gain * 100:g} points, 8% differ"
    what = "rows may hang together" if dependence else "independent rows"
    return Delays(f"promotion, {what}", name, tuple(rows), anchor, early)


def _middle(ranks: Array) -> Array:
    return np.asarray(ranks.mean(axis=1))


def _spread(ranks: Array) -> Array:
    return np.asarray(np.abs(ranks - 0.5).mean(axis=1))


def _first(over: NDArray[np.bool_]) -> int:
    where = np.flatnonzero(over)
    return int(where[0]) + 1 if len(where) else 0


def _told(
    what: str, name: str, first: list[int], anchor: float | None = None, rows: int = ROWS
) -> Delays:
    """From the look of the first alarm of each run, 0 for none."""
    after = [(f - BEFORE) * rows if f else NEVER for f in first]
    late = tuple(r for r in after if r > 0)
    return Delays(what, name, late, anchor, len(after) - len(late))
