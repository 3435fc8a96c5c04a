"""Estimates held against what was measured later, and whether they can be trusted now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from everfit.evidence.alarms.mean import MeanAlarm
from everfit.evidence.alarms.paths import Paths
from everfit.evidence.alarms.recursion import Calibration, Watched
from everfit.evidence.interval import Interval
from everfit.records import Alarm, Array, Performance, Window
from everfit.watch.bound import ringing

Z = 1.959963984540054  # of a 95% range
ALLOWED = 0.10  # share of ranges that may miss: one in ten is no reason to distrust them
ALPHA = 0.05  # chance of distrusting sound estimates in so many windows; nothing is done about it
LOOKS = 365
OVERDUE = 3  # windows in a row without an estimate, after which that is said
LEAST = 5  # residuals, below which errors are taken as they were told


@dataclass(frozen=True, slots=True)
class Trust:
    """What past estimates were off by, over ``n`` windows with outcomes.

    ``mean_off`` is the mean absolute difference of estimated and measured loss, ``bias`` the mean
    difference (above 0: estimates were too low), ``widening`` how many times larger differences
    are than the errors told, 1 or more; ``missed`` counts 95% ranges that missed, ``recent`` says
    which, oldest first. ``check_off``
    is ``mean_off`` of the unweighted check and ``last_off`` of taking the last measured loss.
    ``alarm`` rings when ranges miss more often than one in ten.
    """

    n: int
    mean_off: float
    bias: float
    widening: float
    missed: int
    recent: tuple[bool, ...]
    check_off: float
    last_off: float
    alarm: Alarm

    @property
    def sound(self) -> bool:
        """Whether estimates may be shown as such now."""
        return self.alarm.since is None


def estimated(windows: Sequence[Window]) -> tuple[Performance, ...]:
    """By window, oldest first, the loss expected where no outcomes have matured yet.

    Their 95% ranges are widened by what past estimates were off by. Windows whose estimate was
    refused are left out; all are, while estimates cannot be trusted.
    """
    past = trust(windows)
    if past is not None and not past.sound:
        return ()
    widening = past.widening if past is not None else 1.0
    done = {(window.start, window.version) for window in windows if _measured(window)}
    return tuple(
        _performance(window, widening)
        for window in windows
        if _told(window) and (window.start, window.version) not in done
    )


def trust(windows: Sequence[Window], *, version: int | None = None) -> Trust | None:
    """How estimates did on the windows that matured since; None without any.

    ``version`` None: of the version of the newest window with both. What is tested is whether the
    95% ranges of single windows miss in more than one of ten; the alarm costs nothing of the
    model's error budget, because all that follows is that estimates are not shown.
    """
    later = {(w.start, w.version): m for w in windows if (m := _measured(w)) is not None}
    both = [w for w in windows if _told(w) and (w.start, w.version) in later]
    if not both:
        return None
    number = both[-1].version if version is None else version
    both = [window for window in both if window.version == number]
    if not both:
        return None
    told = [window.facts["estimate"] for window in both]
    true = np.array([later[window.start, number] for window in both])
    gap = true - np.array([one["pape"]["loss"] for one in told])
    error = np.maximum([one["pape"]["error"] for one in told], 1e-12)
    off = np.abs(gap) > Z * error
    check = true - np.array([one["cbpe"]["loss"] for one in told])
    return Trust(
        n=len(gap),
        mean_off=float(np.abs(gap).mean()),
        bias=float(gap.mean()),
        widening=_widening(gap / error),
        missed=int(off.sum()),
        recent=tuple(bool(one) for one in off),
        check_off=float(np.abs(check).mean()),
        last_off=float(np.abs(np.diff(true)).mean()) if len(true) > 1 else math.nan,
        alarm=_alarm(off, both),
    )


def _widening(z: Array) -> float:
    """So that 95% ranges would have held 95% of the past; with few windows as they were told."""
    if len(z) < LEAST:
        return 1.0
    return max(1.0, float(np.quantile(np.abs(z), 0.95)) / Z)


_PATHS: Paths[list[Watched]] = Paths()


def _alarm(off: Array, both: Sequence[Window]) -> Alarm:
    calibration = Calibration(looks=LOOKS, alpha=ALPHA)
    test = MeanAlarm(calibration, high=ALLOWED)

    def step(stand: list[Watched], t: int) -> float:
        state = test.step(stand[0], [float(off[t])])
        # more wealth than rings the alarm would only make it last longer
        wealth = np.minimum(state.wealth, test.n_bets * calibration.threshold)
        stand[0] = replace(state, wealth=wealth)
        return float(wealth.mean())

    about = (both[0].start, both[0].version)
    path = _PATHS.follow(about, (off,), lambda: [test.start()], step)
    begun = ringing(path, calibration.threshold)
    since = None if begun is None else both[begun].start
    limit = math.log(calibration.threshold)
    return Alarm("estimates", "", "none", math.log(max(path[-1], 1e-300)), limit, len(both), since)


def _told(window: Window) -> bool:
    return window.kind == "asked" and "pape" in window.facts.get("estimate", {})


def _measured(window: Window) -> float | None:
    """The mean loss of the window's version, once outcomes have matured."""
    if window.kind != "matured":
        return None
    own: dict[str, Any] | None = window.facts["versions"].get(str(window.version))
    return None if own is None or not own["n"] else own["mean"]


def _performance(window: Window, widening: float) -> Performance:
    facts = window.facts["estimate"]
    loss, error, score = facts["pape"]["loss"], facts["pape"]["error"], facts["pape"]["score"]
    reach = Z * error * widening
    n = int(facts["n"])
    return Performance(
        window.version, window.start, window.end, n, n,
        Interval(max(loss - reach, 0.0), loss, loss + reach, n=n),
        None if score is None else Interval(score, score, score, n=n),
        "estimated",
    )  # fmt: skip
