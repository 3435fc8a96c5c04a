"""Before a trial starts: how many units it needs, and what to ask when there are not so many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from everfit.errors import UsageError
from everfit.evidence.sequential import planned_units

Asked = Literal["better", "not_worse", "wait"]


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """What a trial can show with the units it will get.

    ``units`` is how many a gain of ``gain`` needs, ``seen_gain`` the smallest gain that
    ``horizon_units`` show and ``seen_margin`` the smallest margin within which two equal models
    can be called not worse. ``ask`` is the question that fits: "better", "not_worse", or "wait"
    when neither does. Gains and margins are shares of the bound.
    """

    gain: float
    units: int | None
    horizon_units: int
    seen_gain: float
    seen_margin: float
    ask: Asked
    why: str

    @property
    def feasible(self) -> bool:
        """Whether the gain can be seen within the horizon."""
        return self.units is not None and self.units <= self.horizon_units


def plan_trial(
    gain: float,
    squares: float,
    level: float,
    horizon_units: int,
    *,
    margin: float | None = None,
) -> TrialPlan:
    """Plan a trial for a true mean difference of ``gain`` when E[d^2] is ``squares``.

    For 0-1 losses ``squares`` is the share of rows on which the two models disagree in being right.
    ``2 squares (ln(1/level) + 1) / gain^2`` units; a test that cannot end within
    its horizon is not worth starting, so the plan then names a question that can be answered.

    Raises
    ------
    UsageError : ``squares`` or the level outside (0, 1], or a negative horizon

    Examples
    --------
    >>> plan = plan_trial(0.01, 0.08, 0.05, horizon_units=10_000)
    >>> plan.units, plan.feasible, round(plan.seen_gain, 4)
    (6394, True, 0.008)
    >>> plan_trial(0.002, 0.08, 0.05, 10_000, margin=0.01).ask
    'not_worse'
    """
    if not (0 < squares <= 1 and 0 < level < 1 and horizon_units >= 0):
        raise UsageError(
            "a trial cannot be planned",
            got=f"mean square {squares}, level {level}, {horizon_units} units",
            expected="a mean square in (0, 1], a level in (0, 1), and units from 0",
        )
    units = planned_units(gain, squares, level)
    least = _least(squares, level, horizon_units)
    enough = units is not None and units <= horizon_units
    room = margin is not None and margin >= least
    ask: Asked = "better" if enough else ("not_worse" if room else "wait")
    return TrialPlan(gain, units, horizon_units, least, least, ask, _why(ask, units, least, gain))


def _least(squares: float, level: float, units: int) -> float:
    """The smallest mean difference that ``units`` show."""
    if not units:
        return math.inf
    reach = math.sqrt(2 * squares * (math.log(1 / level) + 1) / units)
    return reach if planned_units(reach * 1.001, squares, level) is not None else math.inf


def _why(ask: Asked, units: int | None, least: float, gain: float) -> str:
    need = f"about {units:,} units to see a gain of {gain:g}" if units else "no gain to look for"
    if ask == "better":
        return need
    if ask == "not_worse":
        return f"{need}, more than there will be: ask whether the new model is not worse"
    return (
        f"{need}, more than there will be: wait for more outcomes, compare by a loss that varies "
        f"less, or ask for a gain or margin of at least {least:.3g}"
    )
