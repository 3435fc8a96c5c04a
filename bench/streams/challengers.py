"""200 challengers, one after the other, of which 90% are no better: how many promotions are false?

Each challenger is judged on rows after the verdict on the one before, at the level that the rule
gives it, looked at every 100 rows until it is promoted, its rows are used up, or a gain is ruled
out. Beside the rules: every challenger at 5%, and a z-test at 5% that is looked at as often.

``power`` shows the same for fewer and more outcomes, beside two bounds at the levels that the
challengers were given. A test that may be repeated and KNOWS the gain: the likelihood ratio, whose
log is a random walk (drift gain^2/2s2, variance twice that). And the z-test that looks once, when
all outcomes are there: no test of any kind exceeds it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.streams.trials import with_mcnemar
from bench.streams.worlds import Array, Rng, seed
from everfit.evidence.online.levels import Decision, e_lond, e_lord
from everfit.evidence.sequential import bets
from everfit.evidence.trial.differences import Differences
from everfit.evidence.trial.verdict import trial_verdict

FDR, CHALLENGERS, BETTER, ROWS, FUTILE, APART = 0.1, 200, 0.1, 100, 0.05, 0.08
OUTCOMES = (500, 1_000, 2_000, 3_000, 4_000, 5_000, 10_000)
LIKELY = 0.5  # the power that is asked for

Gains = tuple[float, float]
Rule = Callable[[Sequence[Decision], float], float]
RULES: dict[str, Rule] = {
    "e-LORD (default)": e_lord,
    "e-LOND (rows may overlap)": e_lond,
    "5% each": lambda history, alpha: 0.05,
}


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
        fine = self.fdr <= FDR and self.power >= LIKELY
        return [self.rule, f"{self.labels:,}", self.gain, f"{self.fdr:.3f} ± {self.error:.3f}",
                f"{self.power:.2f}", f"{self.false:.2f}", str(self.runs),
                ("reached" if fine else "not reached") if self.bar else ""]  # fmt: skip


PROMOTIONS = ["rule", "outcomes each", "gain of the better", "false share", "power",
              "false ones in 200", "runs", "bar 0.1, 0.5"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Power:
    """e-LORD with so many outcomes for each challenger; gains of 1, 2 and 3 points."""

    labels: int
    power: tuple[float, ...]
    known: tuple[float, ...]
    once: tuple[float, ...]
    fdr: float
    level: float
    runs: int

    def cells(self) -> list[str]:
        """A row of the table."""
        all_ = zip(self.power, self.known, self.once, strict=True)
        pairs = [f"{p:.2f} ({k:.2f}, {o:.2f})" for p, k, o in all_]
        return [f"{self.labels:,}", *pairs, f"{self.fdr:.3f}", f"{self.level:.4f}", str(self.runs)]


POWER = ["outcomes each", "power at 1 point (gain known, one look)", "2 points", "3 points",
         "false share at 2 points", "level at 2 points", "runs"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """Of 200 challengers (200,): whether each was better, was promoted, and at what level."""

    better: NDArray[np.bool_]
    won: NDArray[np.bool_]
    level: Array


def challengers(runs: int) -> Iterator[Promotions]:
    """All rules with 2,000 and 5,000 outcomes each."""
    for labels in (2_000, 5_000):
        for name, rule in RULES.items():
            told = [_years(rule, labels, (0.02, 0.02), run) for run in range(runs)]
            yield _summed(name, labels, (0.02, 0.02), told, bar=rule is e_lord)
        for gains in ((0.03, 0.03), (0.01, 0.03)):
            told = [_years(e_lord, labels, gains, run) for run in range(runs)]
            yield _summed("e-LORD (default)", labels, gains, told, bar=True)
        told = [_peeked(labels, run) for run in range(runs)]
        yield _summed("z-test at 5%, peeked", labels, (0.02, 0.02), told, bar=False)


def power(runs: int) -> Iterator[Power]:
    """How often better challengers are promoted, over the outcomes that each of them gets."""
    for labels in OUTCOMES:
        found, known, once, level, fdr = [], [], [], math.nan, math.nan
        for gain in (0.01, 0.02, 0.03):
            told = [_years(e_lord, labels, (gain, gain), run) for run in range(runs)]
            better = np.concatenate([one.better for one in told])
            levels = np.concatenate([one.level for one in told])[better]
            found.append(float(np.concatenate([one.won for one in told])[better].mean()))
            known.append(float(known_gain(levels, labels, gain).mean()))
            once.append(float(one_look(levels, labels, gain).mean()))
            if gain == 0.02:
                fdr = _summed("", labels, (gain, gain), told, bar=False).fdr
                level = float(np.median(levels))
        yield Power(labels, tuple(found), tuple(known), tuple(once), fdr, level, runs)


def one_look(level: Array, labels: int, gain: float) -> Array:
    """The power of the z-test that looks once at ``labels`` outcomes (the best there is)."""
    null, true = math.sqrt(APART), math.sqrt(APART - gain**2)
    reach = gain * math.sqrt(labels) + special.ndtri(level) * null
    return np.asarray(special.ndtr(reach / true))


def known_gain(level: Array, labels: int, gain: float) -> Array:
    """The chance that the likelihood ratio of a known gain ever reaches 1/level (as Brownian)."""
    drift = gain**2 / (2 * APART) * labels
    spread, need = math.sqrt(2 * drift), -np.log(level)
    late = np.exp(need + special.log_ndtr(-(need + drift) / spread))
    return np.asarray(special.ndtr((drift - need) / spread) + late)


def _years(rule: Rule, labels: int, gains: Gains, run: int) -> Told:
    """200 challengers judged as ``trial_verdict`` does, all looks of all of them at once."""
    better, wins, losses = _drawn(seed(21, run, labels), labels, gains)
    for_it, against = _paths(wins, losses)
    history: list[Decision] = []
    end = wins.shape[1]
    ruled = np.where(against >= -math.log(FUTILE), np.arange(end), end).min(axis=1)
    for number in range(CHALLENGERS):
        level = rule(history, FDR)
        crossed = np.flatnonzero(for_it[number] >= -math.log(level))
        first = int(crossed[0]) if len(crossed) else end
        won = first < end and first <= ruled[number]
        last = min(first if won else ruled[number], end - 1)
        e = math.exp(min(for_it[number, last], 500.0))
        if run == 0 and number < 5:
            _as_judged(wins[number], losses[number], level, (won, e))
        history.append(Decision(level, won, e=e))
    return Told(better, np.array([one.rejected for one in history]),
                np.array([one.level for one in history]))  # fmt: skip


def _as_judged(wins: Array, losses: Array, level: float, expected: tuple[bool, float]) -> None:
    """Fail when the product would have judged a challenger otherwise."""
    each = np.diff(np.stack([wins, losses]), prepend=0.0, axis=1).astype(int).T
    d = [np.repeat([1.0, -1.0, 0.0], [w, lost, ROWS - w - lost]) for w, lost in each]
    found = trial_verdict(
        [Differences.of_values(part) for part in d],
        level_promote=level, level_futile=FUTILE, zero_one=True, horizon_units=len(d) * ROWS,
    )  # fmt: skip
    told = found.kind == "better", math.exp(min(found.log_es["better"], 500.0))
    assert np.allclose(told, expected), "trial_verdict has changed"


def _drawn(rng: Rng, labels: int, gains: Gains) -> tuple[NDArray[np.bool_], Array, Array]:
    """Which are better (200,); rows that only the new, only the old one got right, by look."""
    better = rng.random(CHALLENGERS) < BETTER
    gain = np.where(better, rng.uniform(*gains, CHALLENGERS), 0.0)
    share = np.stack([(APART + gain) / 2, (APART - gain) / 2, np.full(CHALLENGERS, 1 - APART)], 1)
    counts = rng.multinomial(ROWS, share[:, None, :], (CHALLENGERS, labels // ROWS))
    seen = counts.cumsum(axis=1).astype(np.float64)
    return better, seen[:, :, 0], seen[:, :, 1]


def _paths(wins: Array, losses: Array) -> tuple[Array, Array]:
    """The log e-values after each look that the new one is better, and that it is worse."""
    size = bets()
    won, lost = np.log1p(size), np.log1p(-size)
    better, worse = (
        special.logsumexp(a[:, :, None] * won + b[:, :, None] * lost, axis=2) - math.log(len(size))
        for a, b in ((wins, losses), (losses, wins))
    )
    return with_mcnemar(better, wins, losses), worse


def _peeked(labels: int, run: int) -> Told:
    better, wins, losses = _drawn(seed(21, run, labels), labels, (0.02, 0.02))
    n = ROWS * np.arange(1, wins.shape[1] + 1)
    mean, square = (wins - losses) / n, (wins + losses) / n
    z = mean / np.sqrt(np.maximum(square - mean**2, 1e-12) / n)
    return Told(better, (z > 1.645).any(axis=1), np.full(CHALLENGERS, 0.05))


def _summed(name: str, labels: int, gains: Gains, told: list[Told], *, bar: bool) -> Promotions:
    better, won = (np.stack([getattr(one, part) for one in told]) for part in ("better", "won"))
    wrong, runs = (won & ~better).sum(axis=1), len(told)
    shares = wrong / np.maximum(won.sum(axis=1), 1)
    low, high = (f"{100 * g:g}" for g in gains)
    gain = f"{low} points" if low == high else f"{low} to {high} points"
    error = float(np.std(shares, ddof=1) / np.sqrt(runs)) if runs > 1 else math.nan
    return Promotions(name, labels, gain, float(shares.mean()), error,
                      float((won & better).sum() / max(better.sum(), 1)),
                      float(wrong.mean()), runs, bar)  # fmt: skip
