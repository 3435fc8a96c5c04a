"""What matured windows say of a version: how good it was, and whether that is worse than promised.

Everything is replayed from the windows, so that a turn that starts anew sees what the last one saw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import numpy as np

from everfit.evidence.alarms.maps import N_BETS, Look, dispersions
from everfit.evidence.alarms.recursion import planned_delay
from everfit.evidence.bounds.asymptotic import asymptotic_batches
from everfit.evidence.interval import Interval, t_quantile
from everfit.records import Alarm, Array, Performance, Upkeep, Window
from everfit.watch.bound import FAST, YEAR_S, evidence, ringing

PARTS = {"loss": 0.5, "segments": 0.25, "floor": 0.25}  # of the share for degradation
SPANS = (1, 7, 28)  # windows that are taken together to judge a floor
LEAST_E = 1e-300


def measured(
    windows: Sequence[Window], *, version: int | None = None, arm: str | None = None
) -> tuple[Performance, ...]:
    """By window, oldest first, what a version lost and scored, with 95% ranges.

    Each window speaks for itself: of many ranges one in twenty misses. Windows without a single
    outcome are left out.

    Parameters
    ----------
    version : whose answers; None: of the version that was champion of each window
    arm : only its answers there (``champion``, ``canary``, ``shadow``, ...)
    """
    found = []
    for window in _matured(windows):
        number = window.version if version is None else version
        facts = _of(window, number, arm)
        if facts is not None and facts["n"]:
            found.append(_performance(window, number, facts))
    return tuple(found)


def _of(window: Window, version: int, arm: str | None) -> Mapping[str, Any] | None:
    own: Mapping[str, Any] | None = window.facts["versions"].get(str(version))
    if arm == "shadow" or (arm is None and own is None):
        shadowed: Mapping[str, Any] | None = window.facts["shadows"].get(str(version))
        return shadowed
    if arm is None or own is None:
        return own
    here: Mapping[str, Any] | None = own["arms"].get(arm)
    return here


def _performance(window: Window, version: int, facts: Mapping[str, Any]) -> Performance:
    loss = _range(facts["mean"], facts["error"], facts["freedom"], facts["n"], (0.0, math.inf))
    score = None
    if facts["score"] is not None:
        low, high = window.facts["limits"]
        ends = (-math.inf if low is None else low, math.inf if high is None else high)
        score = _range(facts["score"], facts["score_error"], facts["freedom"], facts["n"], ends)
    return Performance(
        version, window.start, window.end, facts["n"], facts["asked"], loss, score, "measured"
    )


def _range(
    mid: float, error: float | None, freedom: float | None, n: int, ends: tuple[float, float]
) -> Interval:
    if error is None or freedom is None:
        return Interval(ends[0], mid, ends[1], n=n)
    reach = t_quantile(0.975, freedom) * error if error else 0.0
    return Interval(max(mid - reach, ends[0]), mid, min(mid + reach, ends[1]), n=n)


def overall(windows: Sequence[Window], *, version: int | None = None) -> Performance | None:
    """The mean loss of the champion over its windows so far, in a range that holds at every look.

    The mean of the means of windows, with an asymptotic confidence sequence whose errors hold for
    windows that differ more than their rows explain. None without outcomes.
    """
    run = reign(windows, version)
    own = [(window, window.facts["versions"].get(str(window.version))) for window in run]
    known = [(w, facts) for w, facts in own if facts and facts["n"] > 1 and facts["sd"] is not None]
    if not known:
        return None
    looks = [
        Look((), facts["n"], facts["mean"], facts["sd"], facts["within"]) for _, facts in known
    ]
    errors = [look.sd**2 / look.n * d for look, d in zip(looks, dispersions(looks), strict=True)]
    n = sum(look.n for look in looks)
    band = asymptotic_batches([look.mean for look in looks], errors)
    loss = replace(band.at(), n=n)
    asked = sum(facts["asked"] for _, facts in known)
    return Performance(
        run[-1].version, known[0][0].start, known[-1][0].end, n, asked,
        replace(loss, low=max(loss.low, 0.0)),
    )  # fmt: skip


def degradation(
    windows: Sequence[Window], upkeep: Upkeep, *, version: int | None = None
) -> Alarm | None:
    """Is the mean loss of the champion above what was certified plus the tolerance?

    The chance of any false alarm in a year of windows is at most the part of ``error_budget`` that
    falls to it, however many champions share that year: each look spends its part of it.
    ``since`` is the start of the window that rang; it is None again when the evidence is gone.
    None when there is nothing to test: no outcomes, or no certified loss.
    """
    run = reign(windows, version)
    looks = [look_of(window, "") for window in run]
    if not any(looks):
        return None
    alpha = level(run, upkeep, "loss")
    found = held(run, [looks], [""], upkeep, alpha)[:, 0]
    begun = ringing(found, 1 / alpha)
    since = None if begun is None else run[begun].start
    e = log_e(found[-1])
    return Alarm("degradation", "", "degradation", e, -math.log(alpha), len(run), since)


def floor(windows: Sequence[Window], upkeep: Upkeep, *, version: int | None = None) -> Alarm | None:
    """Is the metric on the wrong side of the policy's floor? None without a floor or a score.

    Looked at over the last 1, 7 and 28 windows; ``e`` is minus the log of the smallest p, held
    against the level of one look, so that all looks of a year keep their part of the budget.
    ``since`` is the start of the window from which on it was broken at every look until now.
    """
    run = reign(windows, version)
    if upkeep.floor is None or not run:
        return None
    own = [window.facts["versions"].get(str(window.version)) for window in run]
    looks = [_score_look(entry) for entry in own]
    if not any(looks):
        return None
    sign = 1.0 if run[-1].facts["higher"] else -1.0
    excess = [None if look is None else sign * (upkeep.floor - look.mean) for look in looks]
    limit = math.log(looks_a_year(upkeep) * len(SPANS) / level(run, upkeep, "floor"))
    path = _floor_path(looks, excess)
    broken = [*takewhile(lambda at: path[at] >= limit, range(len(run) - 1, -1, -1))]
    since = run[broken[-1]].start if broken else None
    return Alarm("floor", "", "degradation", float(path[-1]), limit, len(run), since)


def _floor_path(looks: Sequence[Look | None], excess: Sequence[float | None]) -> list[float]:
    """Minus the log of the smallest p at each look that the metric holds the floor."""
    from scipy.special import log_ndtr

    tempers = dispersions(looks)
    path = []
    for t in range(len(looks)):
        smallest = 0.0
        for span in SPANS:
            some = range(max(0, t + 1 - span), t + 1)
            held = [(excess[i], looks[i], tempers[i]) for i in some]
            n = sum(look.n for _, look, _ in held if look)
            if not n:
                continue
            gap = sum(e * look.n for e, look, _ in held if look and e is not None) / n
            square = sum(look.n * look.sd**2 * d for _, look, d in held if look) / n**2
            if square > 0:
                smallest = min(smallest, float(log_ndtr(-gap / math.sqrt(square))))
        path.append(-smallest)
    return path


def _score_look(entry: Mapping[str, Any] | None) -> Look | None:
    if entry is None or entry["score"] is None or not entry["score_error"]:
        return None
    n, error = entry["n"], entry["score_error"]
    return Look((), n, entry["score"], error * math.sqrt(n))


@dataclass(frozen=True, slots=True)
class Delay:
    """How soon a rise of the mean loss would be seen: after about so many rows, or windows.

    ``rise`` is in the unit of the loss, above the bound; None of both: not within a year.
    """

    rise: float
    rows: int | None
    windows: int | None


def delay(
    windows: Sequence[Window],
    upkeep: Upkeep,
    *,
    rise_sd: float = 0.25,
    version: int | None = None,
) -> Delay | None:
    """What the loss alarm can see: a rise by ``rise_sd`` standard deviations over its bound.

    To be told before anything rings ("about 900 rows"). None when there is nothing to test.
    """
    run = reign(windows, version)
    looks = [look_of(window, "") for window in run]
    seen = [look for look in looks if look is not None]
    rows = sum(look.n for look in seen)
    variance = sum(look.n * look.sd**2 for look in seen) / rows if rows else 0.0
    if not variance > 0:
        return None
    temper = float(dispersions(looks, expected(run, "", upkeep))[-1])
    rise = rise_sd * math.sqrt(variance)
    a_year = looks_a_year(upkeep)
    need = a_year / FAST / level(run, upkeep, "loss")  # the rest of the evidence is that of weeks
    needs = planned_delay(rise, variance * temper, need, N_BETS)
    some = None if needs is None else math.ceil(needs / (rows / len(seen)))
    if needs is None or some is None or some > a_year:
        return Delay(rise, None, None)
    return Delay(rise, needs, some)


def reign(windows: Sequence[Window], version: int | None = None) -> list[Window]:
    """The newest matured windows in which ``version`` was champion throughout, oldest first.

    None: the champion of the newest window.
    """
    own = _matured(windows)
    if not own:
        return []
    number = own[-1].version if version is None else version
    return [*takewhile(lambda window: window.version == number, reversed(own))][::-1]


def level(run: Sequence[Window], upkeep: Upkeep, part: str) -> float:
    """The chance of a false alarm in a year that one part has: ``loss``, ``segments``, ``floor``.

    Parts that nobody needs fall to the loss of all rows. All is fixed by the policy and the
    release, never by what was seen.
    """
    used = dict(PARTS)
    if upkeep.floor is None:
        used["loss"] += used.pop("floor")
    if not any(set(window.facts["maps"]) - {""} for window in run):
        used["loss"] += used.pop("segments", 0.0)
    alpha = upkeep.error_budget * upkeep.shares.get("degradation", 0.0) * used[part]
    return min(max(alpha, 1e-9), 0.5)


def looks_a_year(upkeep: Upkeep) -> int:
    """Windows in a year."""
    return max(1, math.ceil(YEAR_S / upkeep.window_s))


def held(
    run: Sequence[Window],
    looks: Sequence[Sequence[Look | None]],
    names: Sequence[str],
    upkeep: Upkeep,
    alpha: float,
) -> Array:
    """E-values (n_windows, n_names) against "the losses ``names`` are below their bounds"."""
    return evidence(
        [window.start for window in run],
        looks,
        [expected(run, name, upkeep) for name in names],
        window_s=upkeep.window_s,
        alpha=alpha,
    )


def look_of(window: Window, name: str) -> Look | None:
    """What a window says of the champion's loss on all rows (""), or in a kept segment."""
    kept = window.facts["maps"].get(name)
    if kept is None:
        return None
    return Look(kept["log"], kept["n"], kept["mean"], kept["sd"], kept["within"])


def expected(run: Sequence[Window], name: str, upkeep: Upkeep) -> float:
    """Differences between neighbouring windows that would be no surprise: the tolerance."""
    limits = [window.facts["maps"][name]["limit"] for window in run if name in window.facts["maps"]]
    return float(np.median(limits)) * upkeep.tolerance if limits else 0.0


def log_e(e: float) -> float:
    """The logarithm of an e-value; of none at all, a number that JSON can hold."""
    return math.log(max(float(e), LEAST_E))


def _matured(windows: Sequence[Window]) -> list[Window]:
    return [window for window in windows if window.kind == "matured"]
