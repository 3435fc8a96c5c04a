"""Runs with any false alarm on streams that stay as they are: 1,000 looks each.

As the product looks at them: ``loss``, losses of a champion exactly at its certified bound (by
window and by week, tempered where windows differ by more than their rows explain); ``drift of 20
columns``, mean ranks in a reference of 1,000 rows by window, joined by e-BH. A look is a thousandth
of a year there, so that the yearly promise is one for 1,000 looks.

The tests by themselves: ``conformal``, one column's mean rank among 100 windows before (20 for each
hour of the seasonal stream); ``e-BH``, that for 20 columns; ``classifier``, the two-sample
test; ``promotion``, a challenger exactly as good as the champion, with rows taken for independent
and with a dependence allowed for. Beside them t-tests at 5% that are looked at again and again.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import special

from bench.streams.counts import Falses
from bench.streams.trials import judged
from bench.streams.worlds import (
    CLOCK,
    DRAGGED,
    HEAVY,
    HOURS,
    LOOK_S,
    NORMAL,
    WORLDS,
    Array,
    World,
    differences,
    losses,
    seed,
    starts,
    zero_one,
)
from everfit.evidence.alarms.maps import BETS, RAISED, Look, log_gains, within
from everfit.evidence.alarms.recursion import Calibration, step
from everfit.evidence.alarms.reference import Reference, mean_margin
from everfit.evidence.alarms.strange import StrangeAlarm, power_gain
from everfit.evidence.multiple import e_bh
from everfit.evidence.shift.two_sample import TwoSample
from everfit.evidence.trial.dispersion import Dependence
from everfit.records import Window
from everfit.watch.bound import evidence
from everfit.watch.drift import (
    RECOVERY,
    Followed,
    _frozen,
    _seasons,
    _strange,
    replayed,
)
from everfit.watch.usual import _inflation

ALPHA, FDR = 0.05, 0.1
REFERENCE, CALIBRATION, COLUMNS = 1_000, 100, 20
AN_HOUR = 20  # calibration windows of each hour


def jobs(runs: int, looks: int, rows: int) -> list[partial[list[Falses]]]:
    """All detectors on all stationary streams, one job each, so that they can be shared out."""
    by_clock = (NORMAL, HEAVY, DRAGGED, CLOCK)
    return [
        *(partial(loss, world, runs, looks, rows) for world in by_clock),
        *(partial(watched, world, runs, looks) for world in by_clock),
        *(partial(conformal, world, runs, looks, rows) for world in WORLDS),
        *(partial(columns, world, runs, looks) for world in WORLDS),
        *(partial(classifier, world, runs, looks) for world in by_clock),
        *(partial(promotion, world, runs, looks, max(rows // 10, 1)) for world in by_clock),
    ]


def loss(world: World, runs: int, looks: int, rows: int) -> list[Falses]:
    """The e-detector of losses, and a t-test of all losses so far against the same bound."""
    bound = float(losses(world.values(seed(99), 20_000, 100)).mean())
    kept, peeked = [], 0
    for run in range(runs):
        x = losses(world.values(seed(1, run), looks, rows))
        kept.append(looks_of(x, bound))
        peeked += any_t(x - bound)
    e = evidence(starts(looks), kept, [0.0] * runs, window_s=LOOK_S, alpha=ALPHA)
    hit = int((e.max(axis=0) >= 1 / ALPHA).sum())
    return [
        Falses("loss", world.name, hit, runs, looks, ALPHA),
        Falses("t-test of the loss, peeked", world.name, peeked, runs, looks),
    ]


def looks_of(x: Array, bound: float) -> list[Look]:
    """The windows of a stream of losses, each reduced to a look."""
    logs, turned = np.empty((len(x), len(RAISED), len(BETS))), np.ascontiguousarray(x.T)
    for i, raised in enumerate(RAISED):
        away = turned / (bound * raised) - 1.0
        for j, bet in enumerate(BETS):
            # products of at most 100 factors from 0.1 on: one logarithm instead of a hundred
            logs[:, i, j] = np.log(np.multiply.reduce(1.0 + bet * away, axis=0))
    # all windows at once: what `log_gains` gives one by one
    assert np.allclose(logs[0], log_gains(x[0], bound)), "alarms.maps.log_gains has changed"
    return [
        Look(log, len(row), float(row.mean()), float(row.std()), within(row))
        for log, row in zip(logs.tolist(), x, strict=True)
    ]


def watched(world: World, runs: int, looks: int) -> list[Falses]:
    """Drift of 20 columns as ``watch`` replays it: runs in which it ever names a column."""
    hit, rows = 0, 20
    windows = [Window("asked", start, start, 1, rows) for start in starts(looks)]
    for first in range(0, runs, 20):
        batch = range(first, min(first + 20, runs))
        told = [_aways(world, run, looks, rows) for run in batch]
        what = followed(told, rows)
        e = e_values(windows, what, horizon=looks, check=first == 0)
        for one in np.split(e, len(batch), axis=1):
            near = np.flatnonzero(one.max(axis=1) >= 1 / ALPHA)
            hit += any(e_bh(one[t], ALPHA).any() for t in near)
    return [Falses("drift of 20 columns", world.name, hit, runs, looks, ALPHA)]


def _aways(world: World, run: int, looks: int, rows: int) -> tuple[Array, Array]:
    """How far the mean rank of each window and column is from one half (looks, 20), and margins."""
    rng, away, margins = seed(8, run), np.zeros((looks, COLUMNS)), np.zeros(COLUMNS)
    for column in range(COLUMNS):
        known = world.values(rng, 40, REFERENCE // 40).ravel()
        margins[column] = margin(known)
        x = world.values(rng, looks, rows)
        away[:, column] = mean_ranks(Reference.of(known), x) - 0.5
    return away, margins


def margin(known: Array) -> float:
    """What the mean rank may be off by, as ``watch`` has it: rows that hang together are fewer."""
    ranks = (np.argsort(np.argsort(known)) + 0.5)[:, None] / len(known)
    inflation = _inflation(ranks, np.ones(ranks.shape, dtype=np.bool_), ranks.mean(axis=0))
    return mean_margin(max(int(len(known) / inflation[0]), 1))


def mean_ranks(reference: Reference, x: Array) -> Array:
    """The mean rank of each window (looks,) of values that no two of are equal."""
    below = np.searchsorted(reference.ordered, x.ravel()).reshape(x.shape)
    found = (below.mean(axis=1) + 0.5) / (len(reference) + 1)
    assert np.isclose(found[0], reference.ranks(x[0]).mean()), "Reference.ranks has changed"
    return np.asarray(found)


def followed(told: list[tuple[Array, Array]], rows: int) -> Followed:
    """Mean ranks less one half of windows of so many rows, each of a column alone; margins."""
    away, margins = (np.concatenate(part, axis=-1) for part in zip(*told, strict=True))
    q = away.shape[1]
    errors = np.full(away.shape, 1 / np.sqrt(12 * rows))
    return Followed(tuple(map(str, range(q))), np.arange(q), np.ones(q), margins, away, errors)


def e_values(windows: list[Window], what: Followed, *, horizon: int, check: bool = False) -> Array:
    """The e-value of each column after each look; ``drift.replayed`` tells of the last one only."""
    calibration = Calibration(horizon, ALPHA)
    top = calibration.threshold * len(what.names) * np.exp(RECOVERY)
    frozen = _frozen(what.away, what.errors, what.margins, top)
    strange = _strange(what.away, what.errors, _seasons(windows, LOOK_S), top)
    e = (frozen + strange) / 2 / horizon
    if check:  # the lines above are those of `replayed`; this fails when they are changed there
        last = replayed(windows, what, window_s=LOOK_S, alpha=ALPHA)
        assert np.allclose(np.exp(last.log_e), e[-1]), "watch.drift.replayed has changed"
    return np.asarray(e)


def conformal(world: World, runs: int, looks: int, rows: int) -> list[Falses]:
    """One column's window scores: the conformal alarm, and a t-test of each window at 5%."""
    calm = AN_HOUR * HOURS if world.seasonal else CALIBRATION
    scores, peeked = np.zeros((calm + looks, runs)), 0
    for run in range(runs):
        rng = seed(2, run)
        reference = world.values(rng, HOURS, REFERENCE // HOURS + 1).ravel()
        x = world.values(rng, calm + looks, rows)
        scores[:, run] = mean_ranks(Reference.of(reference), x)
        peeked += _window_t(x[calm:], reference)
    hit = int(alarmed(world, scores, calm).sum())
    return [
        Falses("conformal", world.name, hit, runs, looks, ALPHA),
        Falses("t-test of each window", world.name, peeked, runs, looks),
    ]


def alarmed(world: World, scores: Array, calm: int, side: str = "both") -> Array:
    """Which columns (n,) of window scores (looks, n) ever gave an alarm."""
    alarm = StrangeAlarm(Calibration(len(scores) - calm, ALPHA), seed=3, side=side)  # type: ignore[arg-type]
    state = alarm.start(scores[:calm], world.seasons(calm))
    found = alarm.replay(state, scores[calm:], world.seasons(len(scores) - calm, calm))
    return np.asarray(found.watched.alarmed)


def columns(world: World, runs: int, looks: int) -> list[Falses]:
    """e-BH over 20 columns, after every window: runs in which it ever names a column."""
    calm = AN_HOUR * HOURS if world.seasonal else CALIBRATION
    hit = 0
    for start in range(0, runs, 20):
        batch = range(start, min(start + 20, runs))
        scores = np.concatenate([_window_means(world, run, calm + looks) for run in batch], axis=1)
        e = strange_path(scores, calm, world.seasons(calm + looks), Calibration(looks, FDR))
        for one in np.split(e, len(batch), axis=1):
            near = np.flatnonzero(one.max(axis=1) >= 1 / FDR)
            hit += any(e_bh(one[t], FDR).any() for t in near)
    return [Falses("conformal, e-BH over 20", world.name, hit, runs, looks, FDR)]


def strange_path(scores: Array, calm: int, seasons: list[int], calibration: Calibration) -> Array:
    """The e-value of each column after each look (looks, n); a replay tells of the last only."""
    alarm = StrangeAlarm(calibration, seed=4)
    state = alarm.start(scores[:calm], seasons[:calm])
    _, p = alarm._ranked(state, scores[calm:], [str(name) for name in seasons[calm:]])
    gains, watched, path = np.stack([power_gain(p), power_gain(1 - p)], axis=2), state.watched, []
    for gain in gains:
        watched = step(watched, gain, calibration)
        path.append(watched.e_values(calibration))
    return np.stack(path)


def _window_means(world: World, run: int, looks: int) -> Array:
    """Means (looks, 20) of windows of 25 rows, kept from being wild as ranks are."""
    rng = seed(5, run)
    means = [np.clip(world.values(rng, looks, 25), -2, 2).mean(axis=1) for _ in range(COLUMNS)]
    return np.stack(means, axis=1)


def classifier(world: World, runs: int, looks: int) -> list[Falses]:
    """The two-sample test with whole windows of 10 rows and 3 columns."""
    rows, hit = 10, 0
    for run in range(runs):
        rng = seed(6, run)
        old, new = (
            np.stack([world.values(rng, looks, rows) for _ in range(3)], axis=2) for _ in range(2)
        )
        test = TwoSample(old.reshape(-1, 3), ALPHA, seed=run)
        for window in new:
            test.update(window)
            if test.decided:
                break
        hit += test.decided
    return [Falses("classifier (two samples)", world.name, hit, runs, looks, ALPHA)]


def promotion(world: World, runs: int, looks: int, rows: int) -> list[Falses]:
    """A challenger that is no better, looked at after every few rows, and a peeked t-test."""
    plain = allowed = peeked = 0
    zero = world is NORMAL  # 0-1 losses there, bounded differences elsewhere
    for run in range(runs):
        rng = seed(7, run)
        d = zero_one(rng, looks, rows) if zero else differences(world.values(rng, looks, rows))
        check = run < 3
        plain += judged(d, ALPHA, zero_one=zero, check=check)[0] == "better"
        found = judged(d, ALPHA, zero_one=zero, dependence=Dependence(), check=check)
        allowed += found[0] == "better"
        peeked += any_t(d)
    stream = "0-1 losses, 8% differ" if zero else world.name
    # what is proven for independent rows has no bar where they are not
    proven = ALPHA if world in (NORMAL, HEAVY) else None
    return [
        Falses("promotion, rows may hang together", stream, allowed, runs, looks, ALPHA),
        Falses("promotion, independent rows", stream, plain, runs, looks, proven),
        Falses("t-test of the gain, peeked", stream, peeked, runs, looks),
    ]


def any_t(x: Array) -> bool:
    """Whether a one-sided t-test at 5% of all rows so far is ever above its limit (from 100)."""
    n = np.cumsum(np.full(len(x), x.shape[1]))
    total, squares = np.cumsum(x.sum(axis=1)), np.cumsum((x**2).sum(axis=1))
    variance = np.maximum(squares - total**2 / n, 1e-300) / (n - 1)
    t = total / n / np.sqrt(variance / n)
    return bool((t[n >= 100] > special.ndtri(0.95)).any())


def _window_t(x: Array, reference: Array) -> bool:
    """Whether a two-sided Welch test at 5% of any window against the reference rejects."""
    spread = x.var(axis=1, ddof=1) / x.shape[1] + reference.var(ddof=1) / len(reference)
    z = np.abs(x.mean(axis=1) - reference.mean()) / np.sqrt(spread)
    return bool((z > -special.ndtri(0.025)).any())
