"""The policy as a Markov decision process, solved by value iteration, and shown as a table.

State: how old the champion is, how its loss stands to what was certified, and how scarce fits are.
Each window costs the loss at its level; an act costs its price and moves the level by the chances
that were counted. The table says for each state which act costs least over the remaining life.
Bellman 1957; for the choice of moments to retrain: Mahadevan & Mathioudakis 2024 (CARA), and the
square-root law of periodic replacement as the schedule to compare with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from everfit.maintain.chances import AGES, MIDDLES, NAMES, Chances, age_of, level_of
from everfit.records import ActKind

Floats = NDArray[np.float64]

ACTS: tuple[ActKind, ...] = ("nothing", "recalibrate", "retrain", "search")
FITS: tuple[ActKind, ...] = ("retrain", "search")
DISCOUNT = 0.99  # a window: what happens 100 windows from now counts a third
SWEEPS = 100
CLOSE = 1e-9
DEAREST = 1e6  # times the price of an act that the year's allowance forbids


@dataclass(frozen=True, slots=True)
class Prices:
    """What a unit of mean loss costs over one window, and what each act costs, in one unit.

    ``loss`` is the certified mean loss; ``left`` how often an act may still be done this year.
    """

    loss: float
    loss_cost: float
    acts: Mapping[ActKind, float]
    left: Mapping[ActKind, int] = field(default_factory=dict)
    windows_left: int = 365


@dataclass(frozen=True, slots=True)
class Table:
    """The solved policy: ``best`` (ages, levels) indexes :data:`ACTS`.

    ``values`` (ages, levels, acts) is the expected cost of doing the act now and the best later.
    ``scarce`` is how many times its price a fit counts, so that the allowance lasts the year.
    """

    best: NDArray[np.intp]
    values: Floats
    scarce: float
    overrides: Mapping[str, ActKind] = field(default_factory=dict)

    def act(self, age: float, ratio: float) -> tuple[ActKind, dict[str, float]]:
        """What to do at an age in windows and a loss ratio, and what each act would cost."""
        a, level = age_of(age), level_of(ratio)
        values: dict[str, float] = {
            act: float(v) for act, v in zip(ACTS, self.values[a, level], strict=True)
        }
        said = self.overrides.get(state_name(a, level))
        return (said or ACTS[self.best[a, level]]), values

    def told(self, age: float, ratio: float) -> bool:
        """Whether the user said what to do at an age in windows and a loss ratio."""
        return state_name(age_of(age), level_of(ratio)) in self.overrides

    def rows(self) -> list[dict[str, str]]:
        """One row an age, one column a level, for people."""
        return [
            {"age": age_name(a)}
            | {
                NAMES[level]: self.overrides.get(state_name(a, level), ACTS[self.best[a, level]])
                for level in range(len(NAMES))
            }
            for a in range(len(AGES) + 1)
        ]


def age_name(a: int) -> str:
    """The class of ages in words.

    Examples
    --------
    >>> age_name(0), age_name(3), age_name(8)
    ('1 window', '5 to 8 windows', 'over 128 windows')
    """
    if a == 0:
        return "1 window"
    if a == len(AGES):
        return f"over {AGES[-1]} windows"
    low, high = AGES[a - 1] + 1, AGES[a]
    return f"{high} windows" if low == high else f"{low} to {high} windows"


def state_name(a: int, level: int) -> str:
    """The key of a state in the overrides of a policy: age, then level."""
    return f"{age_name(a)}, {NAMES[level]}"


def solve(
    chances: Chances, prices: Prices, overrides: Mapping[str, ActKind] | None = None
) -> Table:
    """The cheapest act in every state, with fits made dearer until the allowance lasts the year.

    Raises
    ------
    ValueError : never; an act that has no allowance left is simply never the cheapest

    Examples
    --------
    >>> from everfit.maintain.chances import chances
    >>> costs = {"nothing": 0.0, "recalibrate": 0.1, "retrain": 1.0, "search": 10.0}
    >>> solve(chances([]), Prices(0.5, 100.0, costs)).act(30, 1.5)[0]
    'retrain'
    """
    scarce = 1.0
    table = _iterate(chances, prices, scarce)
    while _fits_a_window(chances, table.best) * prices.windows_left > _fits_left(prices):
        scarce *= 2.0
        if scarce > DEAREST:
            break
        table = _iterate(chances, prices, scarce)
    return Table(table.best, table.values, scarce, dict(overrides or {}))


def square_root_period(fit_cost: float, decay: float, loss_cost: float) -> float | None:
    """Windows between fits when the loss grows by ``decay`` a window: sqrt(2 k / (b v)).

    None when it does not grow. The schedule that any policy must beat.

    Examples
    --------
    >>> square_root_period(8.0, 0.01, 100.0)
    4.0
    """
    if decay <= 0 or loss_cost <= 0:
        return None
    return math.sqrt(2.0 * fit_cost / (decay * loss_cost))


def _iterate(chances: Chances, prices: Prices, scarce: float) -> Table:
    n_ages, n = len(AGES) + 1, len(MIDDLES)
    window = prices.loss * prices.loss_cost * np.tile(MIDDLES, n_ages)  # of one window
    moves = _moves(chances)
    cost = np.array([window + _price(act, prices, scarce) for act in ACTS])
    best = np.zeros(n_ages * n, dtype=np.intp)
    each = np.arange(n_ages * n)
    for _ in range(SWEEPS):
        # Howard's policy iteration: the fixed point of value iteration, in a few exact steps
        left = np.eye(n_ages * n) - DISCOUNT * moves[best, each]
        value = np.linalg.solve(left, cost[best, each])
        values = cost + DISCOUNT * moves @ value
        better = values.argmin(axis=0)
        gain = values[best, each] - values[better, each]
        if (gain <= CLOSE * np.abs(value)).all():
            break
        best = np.where(gain > CLOSE * np.abs(value), better, best)
    return Table(best.reshape(n_ages, n), values.T.reshape(n_ages, n, len(ACTS)), scarce)


def _moves(chances: Chances) -> Floats:
    """Chances (acts, states, states) of the next state; a state is age times levels plus level."""
    n_ages, n = len(AGES) + 1, len(MIDDLES)
    older = _older()
    table = np.empty((len(ACTS), n_ages, n, n_ages, n))
    for i, act in enumerate(ACTS):
        for a in range(n_ages):
            # recalibration leaves the model as old as it is; a new fit begins anew
            age = a if act in ("nothing", "recalibrate") else 0
            done = np.eye(n) if act == "nothing" else chances.after[act]
            table[i, a] = np.einsum("b,lm->lbm", older[age], done @ chances.keep[age])
    return table.reshape(len(ACTS), n_ages * n, n_ages * n)


def _price(act: ActKind, prices: Prices, scarce: float) -> float:
    plain = prices.acts.get(act, 0.0)
    if prices.left.get(act, 1) <= 0:
        return DEAREST * max(1.0, plain)
    return plain * scarce if act in FITS else plain


def _older() -> Floats:
    """Chances (ages, ages) that a window moves a model on to the next class of ages."""
    n_ages = len(AGES) + 1
    table = np.zeros((n_ages, n_ages))
    widths = np.diff([0, *AGES])
    for a in range(n_ages - 1):
        table[a, a + 1] = 1.0 / widths[a]
        table[a, a] = 1.0 - 1.0 / widths[a]
    table[-1, -1] = 1.0
    return table


def _fits_left(prices: Prices) -> float:
    left = [prices.left[act] for act in FITS if act in prices.left]
    return float(sum(left)) if left else math.inf


def _fits_a_window(chances: Chances, best: NDArray[np.intp]) -> float:
    """How often the policy fits anew in the long run: the share of windows with a fit."""
    flat = best.ravel()
    moves = _moves(chances)[flat, np.arange(len(flat))]
    n = len(flat)
    # the chances that stay as they are: they add up to 1, which replaces one of the equations
    equations = np.vstack([(np.eye(n) - moves.T)[:-1], np.ones(n)])
    share = np.linalg.lstsq(equations, np.eye(n)[-1], rcond=None)[0]
    fits = np.isin(flat, [ACTS.index(act) for act in FITS])
    return float(share[fits].sum())
