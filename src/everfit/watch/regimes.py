"""How the loss of a champion reads over its windows: stable, degrading, or broken, with chances.

A hidden Markov model smooths what single windows say: one bad window among good ones is noise, a
few in a row are not. It describes and never acts; alarms have their own tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from everfit.records import Array, Regime, Window
from everfit.watch.measured import reign

LEAST = 8  # windows; with fewer there is nothing to smooth
# where the loss lies in each state: 0 is what was certified, 1 its bound, 4 three tolerances above.
# Fixed by the policy and not learnt, so that states keep their names.
CENTRES = np.array([0.0, 1.25, 4.0])
WIDTHS = np.array([0.4, 0.5, 1.5])
LEAST_Y, MOST_Y = -1.0, 7.0  # better than certified is no news; worse than broken is broken
START = np.array([0.98, 0.015, 0.005])
# how likely each state follows each, before a model's own windows have been seen
STAYS = np.array([[0.98, 0.015, 0.005], [0.05, 0.90, 0.05], [0.03, 0.03, 0.94]])
PRIOR = 50.0  # windows that this counts for
STEPS = 10


def regime(windows: Sequence[Window], *, version: int | None = None) -> Regime | None:
    """Chances of the three states at the newest matured window; None for fewer than 8 of them.

    Parameters
    ----------
    version : None: the champion of the newest window; only its latest windows in a row count

    Notes
    -----
    The signal of a window is (mean loss - certified) / (bound - certified). In each state it is
    normal around a fixed centre (0, 1.25, 4), with the variance of a state and that of the mean of
    a window. How long states last is learnt from the windows by Baum-Welch with a Dirichlet prior,
    from a fixed start, so that the same windows give the same chances.

    References
    ----------
    .. [1] Rabiner (1989), A tutorial on hidden Markov models, Proceedings of the IEEE 77.
    """
    signal, noise = _signal(reign(windows, version))
    if len(signal) < LEAST:
        return None
    chances = _smoothed(signal, noise)[-1]
    stable, degrading, broken = (float(chance) for chance in chances)
    return Regime(stable, degrading, broken, len(signal))


def _signal(run: Sequence[Window]) -> tuple[Array, float]:
    """Each window's signal (n,), and the sd that the mean of a window has by chance."""
    values, variances = [], []
    for window in run:
        kept: dict[str, Any] | None = window.facts["maps"].get("")
        middle = window.facts["certified"][1]
        if kept is None or middle is None or not kept["limit"] > middle:
            continue
        unit = kept["limit"] - middle
        values.append((kept["mean"] - middle) / unit)
        variances.append(kept["within"] * kept["sd"] ** 2 / kept["n"] / unit**2)
    clipped = np.clip(np.array(values), LEAST_Y, MOST_Y)
    # one number for all: a window of few rows counts like the others, but never for certain
    return clipped, math.sqrt(float(np.median(variances))) if variances else 0.0


def _smoothed(signal: Array, noise: float) -> Array:
    """Chances of each state at each window (n, 3); the last row is what is known now."""
    from hmmlearn.hmm import GaussianHMM

    model = GaussianHMM(
        n_components=3,
        covariance_type="diag",
        params="t",
        init_params="",
        transmat_prior=1.0 + PRIOR * STAYS,
        n_iter=STEPS,
        tol=1e-4,
        random_state=0,
    )
    model.startprob_, model.transmat_ = START, STAYS
    model.means_ = CENTRES[:, None]
    model.covars_ = (WIDTHS**2 + noise**2)[:, None]
    column = signal[:, None]
    model.fit(column)
    return np.asarray(model.predict_proba(column), dtype=np.float64)
