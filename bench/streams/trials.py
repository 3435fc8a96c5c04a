"""Many trials at once: what ``trial_verdict`` decides, from sums of their looks.

A trial of a thousand looks takes the product a tenth of a second, most of it for ranges and words
that a simulation never reads. Here only its e-values are worked out; each caller holds some trials
against the product itself.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from bench.streams.worlds import Array
from everfit.evidence.sequential import bets
from everfit.evidence.trial.differences import Differences
from everfit.evidence.trial.dispersion import Dependence, dispersions
from everfit.evidence.trial.verdict import MCNEMAR, trial_verdict


def judged(
    d: Array,
    level: float,
    *,
    zero_one: bool,
    dependence: Dependence | None = None,
    check: bool = False,
) -> tuple[str, int]:
    """What the trial of differences (looks, rows) says at ``level``, and after how many rows."""
    looks, rows = d.shape
    temper, readable = np.ones(looks), np.ones(looks, dtype=np.bool_)
    if dependence is not None:
        # of so few rows in a look `within` says nothing, and no more than sums is read
        sums = zip(d.sum(axis=1).tolist(), (d**2).sum(axis=1).tolist(), strict=True)
        blocks = [Differences(rows, {}, total, squares) for total, squares in sums]
        temper, readable = dispersions(blocks), dependence.readable(looks)
    better, worse = (_mixed(sign * d, temper) for sign in (1.0, -1.0))
    if zero_one and dependence is None:
        wins, losses = np.cumsum((d > 0).sum(axis=1)), np.cumsum((d < 0).sum(axis=1))
        better = with_mcnemar(better, wins, losses)
    need = -math.log(level)
    ends = [np.append(np.flatnonzero((e >= need) & readable), looks)[0] for e in (better, worse)]
    first = int(min(ends))
    kind = "undecided" if first == looks else ("better" if ends[0] == first else "worse")
    found = kind, min(first + 1, looks) * rows
    if check:
        held = trial_verdict(
            [Differences.of_values(part) for part in d], level_promote=level, level_futile=level,
            zero_one=zero_one and dependence is None, dependence=dependence,
        )  # fmt: skip
        assert (held.kind, held.n) == found, "trial_verdict has changed"
    return found


def with_mcnemar(mixture: Array, wins: Array, losses: Array) -> Array:
    """The log e-value for 0-1 losses: of the mixture of bets and the sequential McNemar test."""
    n, won, lost = wins + losses, wins + 0.5, losses + 0.5
    with np.errstate(divide="ignore"):
        above = np.log(special.betaincc(won, lost, 0.5))
    beta = special.betaln(won, lost) - special.betaln(0.5, 0.5)
    mcnemar = n * math.log(2) + beta + above + math.log(2) + math.log(MCNEMAR)
    return np.asarray(np.logaddexp(mixture + math.log(1 - MCNEMAR), mcnemar))


def _mixed(d: Array, temper: Array) -> Array:
    turned = np.ascontiguousarray(d.T)
    # products of a few factors from 0.1 on: one logarithm instead of many
    grown = [np.log(np.multiply.reduce(1.0 + bet * turned, axis=0)) for bet in bets()]
    wealth = np.cumsum(grown, axis=1) / temper
    return np.asarray(special.logsumexp(wealth, axis=0) - math.log(len(grown)))
