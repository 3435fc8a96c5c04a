"""Did requests reach the arms in the shares that were asked for? Looked at any time.

Before any metric of two arms is read: a split that lost or doubled units compares two populations,
and every difference between the arms may come from that alone (sample-ratio mismatch).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from everfit.errors import UsageError

ALPHA = 0.01  # of all splits that are sound, watched for ever, this share is called broken
PRIOR = 0.5  # Jeffreys: no share is expected, and no arm is thought impossible


@dataclass(frozen=True, slots=True)
class Ratio:
    """Units that each arm got, beside the shares asked for, and the evidence that they differ.

    ``log_e`` is the log e-value against "the shares are as asked"; ``p`` is its anytime p-value,
    ``min(1, 1/e)``. ``broken`` says that the split may not be read at error rate ``alpha``.
    """

    counts: Mapping[str, int]
    asked: Mapping[str, float]
    log_e: float
    alpha: float

    @property
    def n(self) -> int:
        """All units."""
        return sum(self.counts.values())

    @property
    def p(self) -> float:
        """The anytime p-value, at most 1."""
        return math.exp(-max(self.log_e, 0.0))

    @property
    def broken(self) -> bool:
        """Whether the shares are not those that were asked for, beyond chance."""
        return self.log_e >= -math.log(self.alpha)

    @property
    def seen(self) -> dict[str, float]:
        """The share that each arm got; NaN without any unit."""
        return {arm: n / self.n if self.n else math.nan for arm, n in self.counts.items()}


def ratio_test(
    counts: Mapping[str, int], shares: Mapping[str, float], *, alpha: float = ALPHA
) -> Ratio:
    """Hold ``counts`` of units per arm against the ``shares`` that were asked for.

    The Bayes factor of all shares (Dirichlet with 1/2 for each arm) over the shares asked for. It
    is an e-process: when the split is sound, the chance that it EVER reaches 1/alpha is at most
    alpha, however often it is looked at. Units must be what was split, so keys and not rows: all
    rows of a key go to one arm together.

    Parameters
    ----------
    counts : distinct units per arm; an arm that is not named got none
    shares : in [0, 1] and of sum 1; an arm of share 0 must get none

    Raises
    ------
    UsageError : the shares do not add up to 1, or a count is below 0

    Notes
    -----
    E = Gamma(a) / Gamma(n + a) prod_k Gamma(n_k + 1/2) / Gamma(1/2) / prod_k q_k^n_k, with K arms,
    a = K/2, n units, n_k of them in arm k, and q_k its share.

    References
    ----------
    .. [1] Lindon & Malek (2022), Anytime-valid inference for multinomial count data, NeurIPS 35.

    Examples
    --------
    >>> ratio_test({"champion": 900, "canary": 100}, {"champion": 0.9, "canary": 0.1}).broken
    False
    >>> ratio_test({"champion": 940, "canary": 60}, {"champion": 0.9, "canary": 0.1}).broken
    True
    """
    arms = [*shares, *(arm for arm in counts if arm not in shares)]
    q = np.array([shares.get(arm, 0.0) for arm in arms], dtype=np.float64)
    n = np.array([counts.get(arm, 0) for arm in arms], dtype=np.float64)
    if not (abs(float(q.sum()) - 1.0) < 1e-9 and (q >= 0).all() and (n >= 0).all()):
        raise UsageError(
            "a split cannot be tested",
            got=f"shares {dict(shares)}, counts {dict(counts)}",
            expected="shares from 0 that add up to 1, and counts from 0",
        )
    kept = {arm: int(number) for arm, number in zip(arms, n, strict=True)}
    asked = {arm: float(share) for arm, share in zip(arms, q, strict=True)}
    return Ratio(kept, asked, _log_e(n, q), alpha)


def _log_e(n: np.ndarray, q: np.ndarray) -> float:
    if (n[q == 0] > 0).any():
        return math.inf  # who should get nobody got somebody: one unit is proof
    n, q = n[q > 0], q[q > 0]
    total, prior = float(n.sum()), PRIOR * len(n)
    mixed = special.gammaln(prior) - special.gammaln(total + prior)
    mixed += float((special.gammaln(n + PRIOR) - special.gammaln(PRIOR)).sum())
    return float(mixed) - float(n @ np.log(q))
