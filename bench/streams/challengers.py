"""200 challengers, one after the other, of which 90% are no better: how many promotions are false?

Each challenger is judged on rows after the verdict on the one before, at the level that the rule
gives it, looked at every 100 rows until it is promoted, its rows are used up, or a gain is ruled
out. Beside the rules: every challenger at 5%, and a z-test at 5% that is looked at as often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.streams.worlds import Array, Rng, seed, zero_one
from everfit.evidence.online.levels import Decision, e_lond, e_lord
from everfit.evidence.trial.differences import Differences
from everfit.evidence.trial.verdict import trial_verdict

FDR, CHALLENGERS, BETTER, ROWS, FUTILE = 0.1, 200, 0.1, 100, 0.05


@dataclass(frozen=True, slots=True)
class Promotions:
    """One rule: the false share of promotions (mean over runs), and the share of better ones."""

    rule: str
    labels: int
    gain: str
    fdr: float
    error: float
    power: float
    false: float
    runs: int
    bar: bool

    def cells(self) -> list[str]:
        """A row of the table."""
        fine = self.fdr <= FDR and self.power >= 0.5
        return [self.rule, f"{self.labels:,}", self.gain, f"{self.fdr:.3f} ± {self.error:.3f}",
                f"{self.power:.2f}", f"{self.false:.2f}", str(self.runs),
                ("reached" if fine else "not reached") if self.bar else ""]  # fmt: skip


PROMOTIONS = ["rule", "outcomes each", "gain of the better", "false share", "power",
              "false ones in 200", "runs", "bar 0.1, 0.5"]  # fmt: skip

Rule = Callable[[Sequence[Decision], float], float]
RULES: dict[str, Rule] = {
    "e-LORD (default)": e_lord,
    "e-LOND (rows may overlap)": e_lond,
    "5% each": lambda history, alpha: 0.05,
}


def challengers(runs: int) -> Iterator[Promotions]:
    """All rules with 2,000 and 5,000 outcomes each."""
    for labels in (2_000, 5_000):
        for name, rule in RULES.items():
            bar = rule is e_lord
            yield _rule(name, rule, labels, runs, (0.02, 0.02), bar)
        yield _rule("e-LORD (default)", e_lord, labels, runs, (0.03, 0.03), True)
        yield _rule("e-LORD (default)", e_lord, labels, runs, (0.01, 0.03), True)
        yield _peeked(labels, runs)


def _rule(
    name: str, rule: Rule, labels: int, runs: int, gains: tuple[float, float], bar: bool
) -> Promotions:
    return _summed(name, labels, runs, gains, bar, lambda rng: _years(rule, labels, gains, rng))


def _years(rule: Rule, labels: int, gains: tuple[float, float], rng: Rng) -> Array:
    """(200, 2): whether each challenger was better, and whether it was promoted."""
    history: list[Decision] = []
    told = np.zeros((CHALLENGERS, 2), dtype=bool)
    for number in range(CHALLENGERS):
        better, d = _challenger(labels, gains, rng)
        level = rule(history, FDR)
        found = trial_verdict(
            [Differences.of_values(part) for part in d],
            level_promote=level, level_futile=FUTILE, zero_one=True, horizon_units=labels,
        )  # fmt: skip
        won = found.kind == "better"
        history.append(Decision(level, won, e=float(np.exp(min(found.log_es["better"], 500.0)))))
        told[number] = better, won
    return told


def _challenger(labels: int, gains: tuple[float, float], rng: Rng) -> tuple[bool, Array]:
    better = bool(rng.random() < BETTER)
    gain = float(rng.uniform(*gains)) if better else 0.0
    return better, zero_one(rng, labels // ROWS, ROWS, gain)


def _peeked(labels: int, runs: int) -> Promotions:
    def years(rng: Rng) -> Array:
        told = np.zeros((CHALLENGERS, 2), dtype=bool)
        for number in range(CHALLENGERS):
            better, d = _challenger(labels, (0.02, 0.02), rng)
            n = ROWS * np.arange(1, len(d) + 1)
            mean, square = np.cumsum(d.sum(axis=1)) / n, np.cumsum((d**2).sum(axis=1)) / n
            z = mean / np.sqrt(np.maximum(square - mean**2, 1e-12) / n)
            told[number] = better, (z > 1.645).any()
        return told

    return _summed("z-test at 5%, peeked", labels, runs, (0.02, 0.02), False, years)


def _summed(
    name: str, labels: int, runs: int, gains: tuple[float, float], bar: bool,
    years: Callable[[Rng], Array],
) -> Promotions:  # fmt: skip
    shares, found, better, false = [], 0, 0, 0
    for run in range(runs):
        told = years(seed(21, run, labels))
        wrong, all_ = int((told[:, 1] & ~told[:, 0]).sum()), int(told[:, 1].sum())
        shares.append(wrong / max(all_, 1))
        false += wrong
        found += int((told[:, 1] & told[:, 0]).sum())
        better += int(told[:, 0].sum())
    low, high = (f"{100 * g:g}" for g in gains)
    gain = f"{low} points" if low == high else f"{low} to {high} points"
    error = float(np.std(shares, ddof=1) / np.sqrt(runs)) if runs > 1 else float("nan")
    return Promotions(name, labels, gain, float(np.mean(shares)), error, found / max(better, 1),
                      false / runs, runs, bar)  # fmt: skip
