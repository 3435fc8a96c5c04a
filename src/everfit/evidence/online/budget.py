"""The error budget of one deployed model for one year, and who may spend which part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from everfit.errors import UsageError
from everfit.evidence.alarms.recursion import Calibration, Rule


@dataclass(frozen=True, slots=True)
class Budget:
    """How the chance of any false act in a year is split over the kinds of act.

    ``total`` is at least the sum of its branches (Bonferroni across branches; inside a branch
    averages and e-BH are free). ``drift`` covers alarms without outcomes, ``degradation`` those on
    measured losses. A branch at 0 is switched off. ``discoveries`` is not part of the sum: it is
    the share of promotions over the years that may be false (online FDR).

    Examples
    --------
    >>> Budget().level("rollback"), Budget().spare
    (0.01, 0.0)
    >>> Budget.scaled(0.5).level("promotion")
    0.2
    """

    total: float = 0.05
    promotion: float = 0.02
    rollback: float = 0.01
    degradation: float = 0.01
    drift: float = 0.01
    discoveries: float = 0.1

    def __post_init__(self) -> None:
        parts = self.branches
        over = sum(parts.values()) > self.total * (1 + 1e-9)
        if not 0 < self.total < 1 or over or any(not 0 <= part < 1 for part in parts.values()):
            raise UsageError(
                "an error budget does not add up",
                got=f"a total of {self.total} for " + _listed(parts),
                expected="a total inside (0, 1), and branches from 0 with no larger sum",
                do="raise the total, or take from a branch",
            )
        if not 0 < self.discoveries < 1:
            raise UsageError(
                "a share of false promotions is none",
                got=str(self.discoveries),
                expected="a number inside (0, 1)",
            )

    @classmethod
    def scaled(cls, total: float) -> Budget:
        """The usual split (40% promotion, 20% each for the others) of another yearly total."""
        return cls(
            total=total,
            promotion=0.4 * total,
            rollback=0.2 * total,
            degradation=0.2 * total,
            drift=0.2 * total,
        )

    @property
    def branches(self) -> dict[str, float]:
        """The yearly error rate of each branch."""
        return {
            "promotion": self.promotion,
            "rollback": self.rollback,
            "degradation": self.degradation,
            "drift": self.drift,
        }

    @property
    def spare(self) -> float:
        """What no branch has taken."""
        return max(round(self.total - sum(self.branches.values()), 12), 0.0)

    def level(self, branch: str, *, ways: int = 1) -> float:
        """The error rate of one of ``ways`` equal tests inside a branch, for one year.

        Raises
        ------
        UsageError : there is no such branch, or not one way
        """
        parts = self.branches
        if branch not in parts or ways < 1:
            raise UsageError(
                "an error budget has no such part",
                got=f"{branch!r} in {ways} ways",
                expected="one of " + ", ".join(parts) + ", in one way or more",
            )
        return parts[branch] / ways

    def calibration(
        self, branch: str, looks: int, *, ways: int = 1, rule: Rule = "sr"
    ) -> Calibration:
        """The alarm of a branch that is looked at ``looks`` times in the year.

        A new year, or a detector that is started again, is a new horizon with its own share.
        """
        return Calibration(looks=looks, alpha=self.level(branch, ways=ways), rule=rule)


def _listed(parts: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {part:g}" for name, part in parts.items())
