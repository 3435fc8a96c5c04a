"""Decisions as they were logged: what was earned, how likely each was, and how likely elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from everfit.errors import DataError, UsageError
from everfit.evidence.interval import Floats

TOLERANCE = 1e-9  # a chance may be above 1 by rounding


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """Decisions (n,) of one policy, and what another policy (the target) thinks of them.

    ``reward`` is in the unit of what is earned; ``propensity`` the chance with which the logging
    policy took this very decision, ``target`` the chance with which the target would have.
    ``predicted`` is a reward model's mean reward of the decision taken and ``expected`` its mean
    over what the target would have taken; both zero without a model. ``groups`` names who each
    decision was for where one person has several; None: each stands alone.
    """

    reward: Floats
    propensity: Floats
    target: Floats
    predicted: Floats
    expected: Floats
    groups: NDArray[Any] | None = None

    @classmethod
    def of(
        cls,
        reward: ArrayLike,
        propensity: ArrayLike,
        target: ArrayLike,
        *,
        predicted: ArrayLike | None = None,
        expected: ArrayLike | None = None,
        groups: NDArray[Any] | None = None,
    ) -> Logged:
        """From arrays (n,), checked.

        The reward model must not have been fitted on these decisions.

        Raises
        ------
        DataError : a propensity that is missing, zero or no chance, or a reward not known yet
        UsageError : arrays of other lengths, or one half of a reward model

        Examples
        --------
        >>> Logged.of([1.0, 0.0], [0.5, 0.25], [1.0, 0.0]).weight.tolist()
        [2.0, 0.0]
        """
        earned, chance, aim = (
            np.asarray(part, dtype=np.float64).ravel() for part in (reward, propensity, target)
        )
        if (predicted is None) != (expected is None):
            raise UsageError(
                "half a reward model was given",
                got="predicted" if expected is None else "expected",
                expected="both the mean reward of what was taken and of what would be, or neither",
            )
        none = np.zeros(len(earned))
        said = none if predicted is None else np.asarray(predicted, dtype=np.float64).ravel()
        mean = none if expected is None else np.asarray(expected, dtype=np.float64).ravel()
        sizes = {len(earned), len(chance), len(aim), len(said), len(mean)}
        if len(sizes | ({len(groups)} if groups is not None else set())) != 1:
            raise UsageError(
                "logged decisions do not fit together",
                got=f"{len(earned):,} rewards, {len(chance):,} propensities, {len(aim):,} targets",
                expected="one of each per decision",
            )
        check_chances(chance, aim)
        known(earned, "rewards", "fill in what no reward means once its time is over (often 0)")
        known(said, "predicted rewards", "predict every decision, or leave the reward model out")
        known(mean, "expected rewards", "predict every decision, or leave the reward model out")
        return cls(earned, chance, aim, said, mean, groups)

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def weight(self) -> Floats:
        """How much more often the target takes each decision: target / propensity, (n,)."""
        return self.target / self.propensity


def check_chances(propensity: Floats, target: Floats) -> None:
    """Refuse logged chances that are missing, zero or above 1, and targets that are no chances.

    Raises
    ------
    DataError : says how many and why
    """
    missing = int(np.isnan(propensity).sum())
    zero = int((propensity <= 0).sum())
    above = int((propensity > 1 + TOLERANCE).sum())
    if missing or zero or above:
        kinds = ((missing, "missing"), (zero, "zero or below"), (above, "above 1"))
        raise DataError(
            "logged decisions have no usable propensity, so they cannot stand for another policy",
            got=", ".join(f"{n:,} {word}" for n, word in kinds if n)
            + f" of {propensity.size:,} propensities",
            expected="with every decision the chance, in (0, 1], with which it was taken",
            do="log the chance when the decision is taken; it cannot be worked out afterwards. "
            "Leave out decisions without one only if what was logged did not hang on them",
        )
    wrong = int((~((target >= 0) & (target <= 1 + TOLERANCE))).sum())
    if wrong:
        raise DataError(
            "the policy that is judged gives no chances",
            got=f"{wrong:,} of {target.size:,} outside [0, 1] or missing",
            expected="the chance with which it would have taken the logged decision, 0 if never",
            do="ask the policy for chances over the same choices that the logged one had",
        )


def known(values: Floats, what: str, do: str) -> None:
    """Refuse values that are missing or infinite.

    Raises
    ------
    DataError : says how many
    """
    away = int((~np.isfinite(values)).sum())
    if away:
        raise DataError(
            f"{what} of logged decisions are not known",
            got=f"{away:,} of {values.size:,} missing or infinite",
            expected="a finite number per decision",
            do=do,
        )
