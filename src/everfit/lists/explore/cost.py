"""What exploring costs, and how hot it may be for that to stay small."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from everfit.column import Array
from everfit.errors import UsageError
from everfit.lists.explore.draw import COLD, HOT, Explore, candidates, log_weights, placed, scaled


def expected_loss(
    codes: Array,
    scores: Array,
    policy: Explore,
    *,
    k: int = 10,
    gains: Array | None = None,
    draws: int = 32,
) -> tuple[float, float]:
    """The share of the discounted gain of the first k places that exploring costs, and its error.

    ``1 - sum_r g(shown_r)/log2(r + 1)`` over the same sum for the plain lists, averaged over lists
    (n, depth) and draws. ``gains`` (n, depth) are those of the candidates: 1 for true items gives
    the loss of NDCG; None takes the scaled scores, so what the model itself thinks it costs.
    Lists without any gain are left out.
    """
    return _Costs.of(codes, scores, k=k, gains=gains, draws=draws, policy=policy).at(
        policy.temperature
    )


def temperature_for(
    codes: Array,
    scores: Array,
    *,
    share: float,
    budget: float = 0.02,
    k: int = 10,
    gains: Array | None = None,
    draws: int = 32,
    seed: int = 0,
) -> float:
    """The hottest temperature whose expected loss stays within ``budget``, two errors included.

    Arguments are those of :func:`expected_loss`. Hotter lists learn more about items far down. When
    even uniform draws cost less than the budget, the hottest one comes back; a share of 0
    costs nothing.

    Raises
    ------
    UsageError : the budget is not inside (0, 1)

    Examples
    --------
    >>> codes, scores = np.tile(np.arange(20), (50, 1)), np.tile(np.linspace(1, 0, 20), (50, 1))
    >>> careful = temperature_for(codes, scores, share=0.2, budget=0.01)
    >>> careful < temperature_for(codes, scores, share=0.2, budget=0.05)
    True
    """
    if not 0 < budget < 1:
        raise UsageError(
            "a budget for exploring is none", got=str(budget), expected="a share inside (0, 1)"
        )
    policy = Explore(share=share, seed=seed)
    costs = _Costs.of(codes, scores, k=k, gains=gains, draws=draws, policy=policy)

    def fits(temperature: float) -> bool:
        loss, error = costs.at(temperature)
        return loss + 2 * error <= budget

    if share == 0 or fits(HOT):
        return HOT
    low, high = math.log(COLD), math.log(HOT)
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(math.exp(middle)) else (low, middle)
    return math.exp(low)


@dataclass(frozen=True, slots=True, eq=False)
class _Costs:
    """Fixed draws, so that losses at two temperatures differ by the temperature alone."""

    items: Array  # (n * draws, depth)
    worth: Array
    gain: Array
    u: Array
    coins: Array
    best: Array  # (n * draws,)
    draws: int
    k: int

    @classmethod
    def of(
        cls,
        codes: Array,
        scores: Array,
        *,
        k: int,
        gains: Array | None,
        draws: int,
        policy: Explore,
    ) -> _Costs:
        items, worth = candidates(codes, scores, k)
        given = scaled(items, worth) if gains is None else np.asarray(gains, dtype=np.float64)
        gain = np.where(items >= 0, given, 0.0)
        best = _discounted(gain[:, :k])
        useful = best > 0
        items, worth, gain, best = (
            np.repeat(part[useful], draws, axis=0) for part in (items, worth, gain, best)
        )
        rng = np.random.Generator(np.random.PCG64(policy.seed % 2**64))
        coins = rng.random((len(items), k)) < policy.share
        return cls(items, worth, gain, rng.random(items.shape), coins, best, draws, k)

    def at(self, temperature: float) -> tuple[float, float]:
        """The mean loss at a temperature, and its standard error over lists."""
        if not len(self.items):
            return 0.0, 0.0
        weight = log_weights(self.items, self.worth, temperature)
        at, _ = placed(weight, self.items >= 0, self.u, self.coins)
        got = np.where(at >= 0, np.take_along_axis(self.gain, at.clip(min=0), axis=1), 0.0)
        loss = (1.0 - _discounted(got) / self.best).reshape(-1, self.draws).mean(axis=1)
        error = float(loss.std(ddof=1)) / math.sqrt(len(loss)) if len(loss) > 1 else 0.0
        return float(loss.mean()), error


def _discounted(gain: Array) -> Array:
    return np.asarray(gain @ (1.0 / np.log2(np.arange(2, gain.shape[1] + 2))))
