"""Has a column or an answer moved away from the reference? Replayed from windows at every turn.

Two detectors watch each statistic, and their evidence is averaged. The first holds every window
against the frozen reference, from the first day; it learns from the windows before how much
windows differ while nothing changes (weekdays, rows that hang together). The second begins after
100 windows: is this window strange among those before it, its weekday or hour taken off? Both
keep the chance of ANY false alarm in the horizon at most alpha; e-BH joins the columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from everfit.column import Array
from everfit.evidence.alarms.paths import Paths
from everfit.evidence.alarms.recursion import Calibration
from everfit.evidence.alarms.reference import mean_margin
from everfit.evidence.alarms.strange import power_gain
from everfit.evidence.multiple import e_bh
from everfit.records import Window
from everfit.watch.reference import Reference
from everfit.watch.usual import RARE

YEAR_S = 365.25 * 86_400
LEARNT_FROM = 100  # windows that the second detector is calibrated on
SEASON_LEAST = 8  # of them in each season, or seasons are not told apart
BETS = np.array([0.25, 0.5, 1.0, 2.0])  # in standard errors; what the frozen detector bets on
TOP = 4.0  # standard errors: no single window, however odd, is proof
LEAST_MARGIN = 0.01  # of a mean rank or a share: moves below it concern nobody
MARGIN_SD = 2.5758  # standard deviations of the reference's error in a margin: 1 in 100 is beyond
USUAL_SPREAD, WORTH = 0.05, 7.0  # how much windows are thought to differ, and in windows how firmly
MAIN = 4.0  # times as much as other statistics counts the mean rank of a number
SUSPECT, SLOW = 1_000.0, 0.25  # evidence from which on windows hardly count for what is usual
SETTLED = 21.0  # windows before that holds
WHOLE, WHOLE_MARGIN = "rows as a whole", 0.03  # of an area under the curve
TIE = 1e-9  # standard errors
RECOVERY = 3.0  # log wealth above the limit that is kept: a column that is back is told soon


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """What the windows say about each column and answer (k,), in the reference's order.

    The last is ``WHOLE``: all columns of a row taken together.

    ``log_e`` is the evidence now and ``limit`` what it must reach, both logarithms; ``moved`` says
    which are away now, ``since`` the start of the window whose evidence was enough, and ``begun``
    that of the likeliest first one; ``statistic``
    the position, among its own, of the one that is furthest away; ``away`` by how much, over the
    windows since; ``looks`` windows behind it; ``n`` their rows.
    """

    names: tuple[str, ...]
    log_e: Array
    limit: Array
    moved: Array
    since: tuple[datetime | None, ...]
    begun: tuple[datetime | None, ...]
    statistic: Array
    away: Array
    looks: int
    n: int
    alpha: float


@dataclass(slots=True, eq=False)
class _Bets:
    """Where the first detector stands: its wealth (2, bets, q), and what it knows (q,).

    ``beyond`` and ``seen`` tell how much windows differ, ``mean`` and ``firm`` (its precision) by
    how much the reference is off.
    """

    wealth: Array
    beyond: Array
    seen: Array
    mean: Array
    firm: Array


_FROZEN: Paths[_Bets] = Paths()
_STRANGE: Paths[Array] = Paths()


def looks_a_year(window_s: float) -> int:
    """How many windows a year has, at least 1.

    Examples
    --------
    >>> looks_a_year(86_400.0)
    365
    """
    return max(1, round(YEAR_S / max(window_s, 1.0)))


def in_force(windows: Sequence[Window], reference: Reference) -> list[Window]:
    """The windows of traffic that count now: of the reference's version, in its present year.

    Evidence starts anew with another champion and after each year, with a share of the error
    budget of its own.
    """
    width = len(reference.statistics)
    mine = [
        window
        for window in windows
        if window.kind == "asked"
        and window.version == reference.version
        and len(window.facts.get("away", ())) == width
        and "reference" not in window.facts  # it cannot be held against itself
    ]
    if not mine:
        return []
    year = timedelta(seconds=YEAR_S)
    current = (mine[-1].start - mine[0].start) // year
    return [window for window in mine if (window.start - mine[0].start) // year == current]


def drift(
    windows: Sequence[Window], reference: Reference, *, window_s: float, alpha: float
) -> Drift:
    """Replay both detectors over ``windows`` as :func:`in_force` gives them.

    Parameters
    ----------
    window_s : length of a window; a year of them is the horizon
    alpha : chance of any false alarm in that year, all columns together
    """
    watched = reference.watched
    owner = np.repeat(np.arange(len(watched)), [len(usual.statistics) for usual in watched])
    told = [window.facts.get("apart", {}) for window in windows]
    whole = np.array([[one.get("away"), one.get("error")] for one in told], dtype=np.float64)
    whole = whole.reshape(len(windows), 2)
    followed = Followed(
        names=(*(usual.name for usual in watched), WHOLE),
        owner=np.append(owner, len(watched)),
        weights=np.append(_weights(reference), 1.0),
        margins=np.append(_margins(reference), WHOLE_MARGIN),
        away=np.hstack([_table(windows, "away", len(owner)), whole[:, :1]]),
        errors=np.hstack([_table(windows, "errors", len(owner)), whole[:, 1:]]),
    )
    return replayed(windows, followed, window_s=window_s, alpha=alpha)


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Statistics (q,) of things by name: whose each is (``owner``), how it counts, what it was.

    ``weights`` sum to 1 for each owner; ``margins`` are what the reference may be off by, and below
    0.01 moves that do not count; ``away`` and ``errors`` (windows, q) are distances from the
    reference and their standard errors.
    """

    names: tuple[str, ...]
    owner: Array
    weights: Array
    margins: Array
    away: Array
    errors: Array


def replayed(
    windows: Sequence[Window], followed: Followed, *, window_s: float, alpha: float
) -> Drift:
    """What both detectors say after ``windows``, which ``followed`` has a row for each of."""
    looks = looks_a_year(window_s)
    horizon = Calibration(looks=max(looks, len(windows)), alpha=alpha)
    names, owner = followed.names, followed.owner
    away, errors = followed.away, followed.errors
    top = horizon.threshold * max(len(names), 1) * np.exp(RECOVERY)
    wealth = (_frozen(away, errors, followed.margins, top)
              + _strange(away, errors, _seasons(windows, window_s), top)) / 2  # fmt: skip
    e = np.zeros((len(windows), len(names)))
    np.add.at(e.T, owner, (wealth * followed.weights).T)
    e /= horizon.looks
    rung = np.zeros(e.shape, dtype=bool)
    for t in np.flatnonzero(e.max(axis=1, initial=0.0) >= 1 / alpha):
        rung[t] = e_bh(e[t], alpha)
    return _told(windows, names, owner, away, wealth, e, rung, alpha)


def _told(
    windows: Sequence[Window],
    names: tuple[str, ...],
    owner: Array,
    away: Array,
    wealth: Array,
    e: Array,
    rung: Array,
    alpha: float,
) -> Drift:
    k = len(names)
    moved = rung[-1] if len(rung) else np.zeros(k, dtype=bool)
    since: list[datetime | None] = [None] * k
    begun: list[datetime | None] = [None] * k
    statistic, far = np.zeros(k, dtype=np.int64), np.zeros(k)
    for j in range(k):
        mine = np.flatnonzero(owner == j)
        if not len(windows) or not len(mine):
            continue
        at = mine[int(np.argmax(wealth[-1, mine]))]
        statistic[j] = at - mine[0]
        calm = np.flatnonzero(~rung[:, j])
        crossed = 0 if not len(calm) else int(calm[-1]) + 1
        first = crossed
        if moved[j]:
            first = _first(away[:, at], crossed)
            since[j], begun[j] = windows[crossed].start, windows[first].start
        recent = away[min(first, len(windows) - 1) :, at]
        known = recent[~np.isnan(recent)]
        far[j] = float(known.mean()) if len(known) else np.nan
    number = max(int(moved.sum()), 1)
    with np.errstate(divide="ignore"):
        log_e = np.log(e[-1]) if len(e) else np.full(k, -np.inf)
    return Drift(
        names=names,
        log_e=log_e,
        limit=np.full(k, np.log(max(k, 1) / (alpha * number))),
        moved=moved,
        since=tuple(since),
        begun=tuple(begun),
        statistic=statistic,
        away=far,
        looks=len(windows),
        n=sum(window.n for window in windows),
        alpha=alpha,
    )


def _first(away: Array, crossed: int) -> int:
    """The window from which on it was likeliest away, at the latest where the evidence was enough.

    The start with the largest sum of what lies beyond half of the move (Page's CUSUM).
    """
    later = away[crossed:]
    move = float(np.nanmean(later)) if not np.isnan(later).all() else 0.0
    beyond = np.nan_to_num(np.sign(move) * away[: crossed + 1] - abs(move) / 2)
    return int(np.argmax(np.cumsum(beyond[::-1])[::-1]))


def _weights(reference: Reference) -> Array:
    """The share of each statistic in the evidence of its column; they sum to 1 there."""
    found = []
    for usual in reference.watched:
        own = np.array([MAIN if name == "level" else 1.0 for name in usual.statistics])
        found += list(own / own.sum())
    return np.array(found)


def _margins(reference: Reference) -> Array:
    """How far a mean may be off because the reference is a sample, and because nobody minds."""
    found = []
    for usual in reference.watched:
        for name, spread, inflation in zip(
            usual.statistics, usual.spreads, usual.inflations, strict=True
        ):
            n = max(int(usual.n / inflation), 1)
            margin = mean_margin(n)
            if name not in ("level", "spread"):
                # of a share: its own spread instead of that of ranks, 1/sqrt(12); what was not
                # seen in n rows may still have a share of 3/n
                margin = max(margin * spread * np.sqrt(12), RARE / n)
            found.append(max(margin, LEAST_MARGIN))
    return np.array(found)


def _frozen(away: Array, errors: Array, margins: Array, top: float) -> Array:
    """Wealth (windows, statistics) of bets that the mean left the reference, either way.

    The gain is exp(b y - b^2/2), y how far the window is beyond the margin in standard errors: of
    the window's own rows, and of windows as they differed so far. The latter is known before the
    window, so that the bet is fair; at first it is thought to be 0.05. What of the margin is there
    for the error of the reference shrinks as windows show where they really lie: its posterior
    mean, normal around 0, moves the middle, and never beyond what the margin allowed anyway.
    """
    q = away.shape[1]
    half = (BETS**2 / 2)[:, None]
    least = np.minimum(margins, LEAST_MARGIN)
    room = margins - least

    def step(state: _Bets, t: int) -> Array:
        known = ~np.isnan(away[t])
        x, variance = np.where(known, away[t], 0.0), errors[t] ** 2
        between = np.maximum(state.beyond, 0.0) / state.seen
        middle = np.clip(state.mean, -room, room)
        scale = np.sqrt(variance + between + (room > 0) / state.firm)
        wealth = state.wealth
        for side, sign in enumerate((1.0, -1.0)):
            y = np.clip((sign * (x - middle) - least) / scale, -TOP, TOP)
            gain = np.exp(BETS[:, None] * np.where(known, y, 0.0) - half)
            wealth[side] = np.minimum((1 + wealth[side]) * np.where(known, gain, 1.0), top)
        found = np.asarray(wealth.mean(axis=(0, 1)))
        # a change should not teach what is usual; a season, in the first weeks, should
        learns = known * np.where((found > SUSPECT) & (state.seen > SETTLED), SLOW, 1.0)
        weight = np.where(known, learns / (variance + between), 0.0)
        state.mean = (state.firm * state.mean + weight * x) / (state.firm + weight)
        state.firm = state.firm + weight
        off = x - np.clip(state.mean, -room, room)
        state.beyond += learns * np.where(known, off**2 - variance, 0.0)
        state.seen += learns
        return found

    def begin() -> _Bets:
        usual = np.full(q, WORTH * USUAL_SPREAD**2)
        firm = (MARGIN_SD / np.maximum(margins, 1e-12)) ** 2
        return _Bets(np.zeros((2, len(BETS), q)), usual, np.full(q, WORTH), np.zeros(q), firm)

    found = _FROZEN.follow((margins.tobytes(), top), (away, errors), begin, step)
    return found.reshape(len(away), q)


def _strange(
    away: Array, errors: Array, seasons: Sequence[Sequence[Hashable]], top: float
) -> Array:
    """Wealth (windows, statistics) of bets that a window is strange among those before it."""
    n, q = away.shape
    if n <= LEARNT_FROM:
        return np.zeros((n, q))
    score = _scores(away, errors, _finest(seasons))
    # drawn row by row: a window more changes nothing of those before; the first breaks ties
    ties, draws = (np.random.default_rng(seed).random((n, q)) for seed in (0, 1))
    score += TIE * ties
    known = np.cumsum(~np.isnan(score), axis=0)
    side = np.ascontiguousarray(score.T)

    def step(wealth: Array, t: int) -> Array:
        if t < LEARNT_FROM:
            return np.zeros(q)
        greater = np.count_nonzero(side[:, :t] > side[:, t, None], axis=1)
        p = np.where(np.isnan(score[t]), np.nan, (greater + draws[t]) / (known[t - 1] + 1))
        gains = np.stack([power_gain(p), power_gain(1 - p)])
        wealth[:] = np.minimum((1 + wealth) * gains, top)
        return np.asarray(wealth.mean(axis=0))

    return _STRANGE.follow((q, top), (score,), lambda: np.zeros((2, q)), step)


def _scores(away: Array, errors: Array, season: Sequence[Hashable]) -> Array:
    """How far each window is from the calibration windows of its season, in standard errors.

    A calibration window is held against the others of its season, as a later one is held against
    all of them: else they would look calmer than they are.
    """
    first, marks = away[:LEARNT_FROM], np.array([str(name) for name in season])
    centre = np.full(away.shape, np.nan)
    for name in dict.fromkeys(marks):
        mine = np.flatnonzero(marks[:LEARNT_FROM] == name)
        known = ~np.isnan(first[mine])
        total, count = np.where(known, first[mine], 0.0).sum(axis=0), known.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            later = marks == name
            centre[later] = total / count
            centre[mine] = (total - np.where(known, first[mine], 0.0)) / (count - known)
    off = away - centre
    known = ~np.isnan(off[:LEARNT_FROM])
    count = np.maximum(known.sum(axis=0), 1)
    variance = (
        np.where(known, off[:LEARNT_FROM], 0.0) ** 2
        - np.where(known, errors[:LEARNT_FROM], 0.0) ** 2
    )
    between = np.maximum(variance.sum(axis=0) / count, 0.0)
    return np.asarray(off / np.sqrt(errors**2 + between + LEAST_MARGIN**2 / 100))


def _seasons(windows: Sequence[Window], window_s: float) -> list[list[Hashable]]:
    """The season of each window in several ways, the finest first."""
    starts = [window.start for window in windows]
    ways: list[list[Hashable]] = []
    if window_s <= 12 * 3600:
        ways.append([(start.weekday(), start.hour) for start in starts])
        ways.append([(start.weekday() >= 5, start.hour) for start in starts])
        ways.append([start.hour for start in starts])
    if window_s <= 3 * 86_400:
        ways.append([start.weekday() for start in starts])
        ways.append([start.weekday() >= 5 for start in starts])
    ways.append([""] * len(starts))
    return ways


def _finest(ways: Sequence[Sequence[Hashable]]) -> Sequence[Hashable]:
    """The finest way in which all seasons are known well enough."""
    for names in ways[:-1]:
        known = Counter(names[:LEARNT_FROM])
        if all(known[name] >= SEASON_LEAST for name in set(names)):
            return names
    return ways[-1]


def _table(windows: Sequence[Window], name: str, width: int) -> Array:
    rows = [window.facts[name] for window in windows]
    return np.array(rows, dtype=np.float64).reshape(len(windows), width)
