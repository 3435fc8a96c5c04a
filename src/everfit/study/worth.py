"""Whether more trials are worth their time: expected gain against what the data can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

PRIOR_TRIALS = 4.0  # weight, in trials, of the belief that a new trial gains half a visible step
VISIBLE_SHARE = 0.05  # a trial is worth its time when it is expected to gain 5% of a standard error


@dataclass(frozen=True, slots=True)
class Worth:
    """Whether to go on, and the sentence that says why."""

    go_on: bool
    why: str


def worth(best_losses: Sequence[float], error: float) -> Worth:
    """Judge a search by its record: the blend's loss after each finished trial.

    ``error`` is the standard error of that loss: a gain that is a small share of it can neither be
    seen nor trusted (Makarova et al. 2022 stop a search by the same comparison). The expected gain
    of the next trial is the mean gain of the trials so far, recent ones counting more, together
    with a prior that keeps the first few unlucky trials from ending the search.

    Examples
    --------
    >>> worth([0.50, 0.45], error=0.02).go_on
    True
    >>> worth([0.45] * 40, error=0.02).go_on
    False
    """
    gains = [max(0.0, a - b) for a, b in pairwise(best_losses)]
    weights = [0.9 ** (len(gains) - 1 - i) for i in range(len(gains))]
    prior = PRIOR_TRIALS * 0.9 ** len(gains)
    expected = sum(g * w for g, w in zip(gains, weights, strict=True)) + prior * 0.5 * error
    expected /= sum(weights) + prior
    least = VISIBLE_SHARE * error
    if expected > least:
        return Worth(True, f"the next trial is expected to gain {expected:.2g}")
    return Worth(
        False,
        f"the next trial is expected to lower the loss by {expected:.2g}, less than {least:.2g} "
        f"({VISIBLE_SHARE:.0%} of the standard error {error:.2g}, after {len(gains)} trials)",
    )
