"""Would the other policy have earned more? An answer, or a refusal that says what is missing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from everfit.errors import UsageError
from everfit.evidence.interval import Interval, spread
from everfit.evidence.offpolicy.value import Value

ROUNDED = 1e-4  # of the mean weight: chances are logged with a few digits
LEAST = 100  # effective decisions, below which ranges in the limit are not to be trusted
Answer = Literal["better", "worse", "undecided", "refused"]


@dataclass(frozen=True, slots=True)
class OffPolicyVerdict:
    """Whether a policy would have earned more per decision than what was logged.

    ``gain`` is the difference in the unit of the reward, None when the verdict is refused: no
    number may be read then. ``needs`` says how many decisions in all should be enough (None: an
    answer is there, or none can be told). ``why`` is one sentence for people.
    """

    answer: Answer
    gain: Interval | None
    ess: float
    max_weight: float
    n: int
    needs: int | None
    why: str

    @property
    def refused(self) -> bool:
        """Whether there is too little, or wrong, evidence to say anything."""
        return self.answer == "refused"


def verdict(
    value: Value, reward: ArrayLike, *, least: int = LEAST, alpha: float = 0.05
) -> OffPolicyVerdict:
    """Hold a policy's value against the mean of the rewards (n,) that were logged.

    Refused below ``least`` effective decisions, and when the mean weight is not 1 beyond chance:
    then logged chances are not those that decisions were taken with, or the target takes what was
    never, or hardly ever, tried. One look only; over repeated looks use the bands of ``anytime``.

    Raises
    ------
    UsageError : rewards of other decisions

    Examples
    --------
    >>> from everfit.evidence.offpolicy.estimate import snips
    >>> from everfit.evidence.offpolicy.logged import Logged
    >>> reward = [1.0, 0.0] * 200
    >>> few = verdict(snips(Logged.of(reward, [0.5] * 400, [1.0] * 90 + [0.0] * 310)), reward)
    >>> few.answer, few.needs
    ('refused', 445)
    """
    earned = np.asarray(reward, dtype=np.float64).ravel()
    if len(earned) != value.n:
        raise UsageError(
            "a value and rewards are not of the same decisions",
            got=f"{value.n:,} decisions and {len(earned):,} rewards",
            expected="the rewards that were logged, in the same order",
        )
    reason, needs = _refusal(value, least)
    if reason:
        return OffPolicyVerdict(
            "refused", None, value.ess, value.max_weight, value.n, needs, reason
        )
    found = spread(value.units - earned, groups=value.groups)
    found = replace(found, freedom=max(min(found.freedom, value.ess - 1.0), 1e-3))
    gain = found.interval(1 - alpha)
    gain = replace(gain, low=gain.low - abs(value.bias), high=gain.high + abs(value.bias))
    answer: Answer = "better" if gain.low > 0 else "worse" if gain.high < 0 else "undecided"
    return OffPolicyVerdict(
        answer,
        gain,
        value.ess,
        value.max_weight,
        value.n,
        _enough(gain, value.n) if answer == "undecided" else None,
        _sentence(answer, gain, value),
    )


def _refusal(value: Value, least: int) -> tuple[str, int | None]:
    """Why nothing may be said, empty when it may; and how many decisions would do."""
    if not value.ess > 0:
        none = f"none of {value.n:,} logged decisions" if value.n else "nothing was logged that"
        return f"No verdict: {none} would have been taken by this policy; explore more.", None
    if not value.ess >= least:
        needs = math.ceil(value.n * least / value.ess)
        return (
            f"No verdict: {value.n:,} logged decisions say as much as {value.ess:,.0f} would that "
            f"were taken by this policy, and {least:,} are the least; about {needs:,} decisions in "
            "all are needed, or more exploration.",
            needs,
        )
    mean = value.mean_weight
    if not mean.low - ROUNDED <= 1.0 <= mean.high + ROUNDED:
        return (
            f"No verdict: the mean weight is {value.mean_weight} and has to be 1. Either decisions "
            "were not taken with the chances that were logged, or this policy takes what was never "
            "tried, or so seldom that it has not come up yet.",
            None,
        )
    return "", None


def _enough(gain: Interval, n: int) -> int | None:
    """Decisions at which the range would leave zero, if the gain seen is the true one."""
    reach = (gain.high - gain.low) / 2
    if not (gain.mid and math.isfinite(reach)):
        return None
    return max(math.ceil(n * (reach / gain.mid) ** 2), n + 1)


def _sentence(answer: Answer, gain: Interval, value: Value) -> str:
    level = f"{100 * gain.level:.0f}% range"
    said = {
        "better": "would have earned more",
        "worse": "would have earned less",
        "undecided": "may have earned more or less",
    }[answer]
    return (
        f"This policy {said} per decision than what was logged: {gain.mid:+.4g}, {level} "
        f"{gain.low:+.4g} to {gain.high:+.4g}, from {value.n:,} decisions of which "
        f"{value.ess:,.0f} count ({value.name})."
    )
