"""The sequential classifier two-sample test: can anything tell new rows from old ones?

Window after window a learner is fitted on what came before, and bets that it can say which row of
a pair, one new and one of the reference, is the new one. Unlike tests of single columns it sees
columns that moved against each other, and it says which columns it needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from everfit.errors import UsageError
from everfit.evidence.interval import Floats, spread
from everfit.evidence.multiple import holm
from everfit.evidence.shift.bets import NewtonBets
from everfit.evidence.shift.logistic import learn_logistic

Scorer = Callable[[Floats], ArrayLike]  # rows (n, d) -> P(row is new) (n,)
Learner = Callable[[Floats, NDArray[np.bool_]], Scorer]
MEMORY = 20_000  # rows that a fit may look back at
GROWN = 0.05  # of the rows that a fit looked at have to be new before the next one
NAMED_FROM = 2_000  # the newest pairs that say which columns are needed
REPEATS = 5


@dataclass(frozen=True, slots=True)
class NeededColumn:
    """A column without which the learner would win less: the mean payoff lost, its adjusted p.

    ``share`` is that loss over the mean payoff of all columns together.
    """

    name: str
    lost: float
    share: float
    p: float


def payoffs(scorer: Scorer, new: ArrayLike, old: ArrayLike) -> Floats:
    """What each pair pays (n,), in [-1, 1]: row i of ``new`` (n, d) against row i of ``old``.

    ``tanh((logit g(new) - logit g(old))/2)``: 2 P - 1 with P the chance that the new one of the two
    is told right, when g is. It changes sign when the two change places, so that its mean is 0
    whatever g is while both come from the same distribution. The longer table loses its last rows.

    Examples
    --------
    >>> payoffs(lambda rows: 1 / (1 + np.exp(-rows[:, 0])), [[2.0]], [[0.0]]).round(3).tolist()
    [0.762]
    """
    a, b = _table(new), _table(old)
    pairs = min(len(a), len(b))
    if not pairs:
        return np.zeros(0)
    apart = _logit(scorer(a[:pairs])) - _logit(scorer(b[:pairs]))
    return np.asarray(np.tanh(apart / 2), dtype=np.float64)


def whole_payoff(pairs: ArrayLike) -> float:
    """One payoff in [-1, 1] for a whole window: ``tanh(sum f / sqrt(sum f^2))``.

    It changes sign when new and reference change places in ALL pairs together. So it needs only
    that windows are exchangeable: rows of a window may hang together (hours of a day, a user).

    Examples
    --------
    >>> round(whole_payoff([0.1, 0.3, -0.1]), 3), whole_payoff([])
    (0.718, 0.0)
    """
    f = np.asarray(pairs, dtype=np.float64).ravel()
    size = math.sqrt(float(f @ f))
    return math.tanh(float(f.sum()) / size) if size > 0 else 0.0


@dataclass
class TwoSample:
    """New rows against a reference, window by window, for ever: P(any false alarm) <= ``alpha``.

    ``reference`` (n, d) rows are used up: each is paired once, in an order drawn with ``seed``;
    when all are paired, ``spent`` is true and nothing more is tested. ``learn`` fits P(row is new)
    on the pairs of earlier windows, anew when they are 5% more. With ``whole_windows`` a window is
    one bet; without, each row is one, which finds more (3 to 6 windows of 100 rows instead of 10 to
    12 for shifts of 0.5 and 0.25 sd in 2 of 20 columns) but is right for independent rows only.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> test = TwoSample(rng.normal(size=(3000, 3)), alpha=0.05)
    >>> for _ in range(15):
    ...     wealth = test.update(rng.normal(size=(200, 3)) + [0.0, 0.5, 0.0])
    >>> test.decided, [column.name for column in test.needed("abc")]
    (True, ['b'])
    """

    reference: Floats
    alpha: float
    seed: int = 0
    learn: Learner = learn_logistic
    whole_windows: bool = True
    bets: NewtonBets = field(default_factory=NewtonBets)
    used: int = 0
    _rows: list[Floats] = field(default_factory=list)
    _new: list[NDArray[np.bool_]] = field(default_factory=list)
    _judged: list[tuple[Scorer, Floats, Floats]] = field(default_factory=list)
    _scorer: Scorer | None = None
    _since: int = 0

    def __post_init__(self) -> None:
        table = _table(self.reference)
        order = np.random.default_rng(self.seed).permutation(len(table))
        self.reference = np.asarray(table[order], dtype=np.float64)

    @property
    def spent(self) -> bool:
        """Whether every row of the reference was paired."""
        return self.used >= len(self.reference)

    @property
    def decided(self) -> bool:
        """Whether new rows are not like the reference; never taken back."""
        return self.bets.decided(self.alpha)

    def update(self, window: ArrayLike) -> float:
        """Bet on the rows (n, d) of a window, learn from them, and return the log wealth now."""
        new = _table(window)
        if len(new) and new.shape[1] != self.reference.shape[1]:
            raise UsageError(
                "new rows cannot be paired with the reference",
                got=f"{new.shape[1]} columns",
                expected=f"the {self.reference.shape[1]} columns of the reference",
            )
        old = self.reference[self.used : self.used + len(new)]
        new = new[: len(old)]
        self.used += len(old)
        if not len(new):
            return self.bets.log_wealth
        if self._rows:
            scorer = self._learnt()
            paid = payoffs(scorer, new, old)
            self.bets.update([whole_payoff(paid)] if self.whole_windows else paid)
            self._judge(scorer, new, old)
        self._remember(new, old)
        return self.bets.log_wealth

    def needed(self, names: Sequence[str], *, alpha: float = 0.01) -> tuple[NeededColumn, ...]:
        """The columns that the newest bets stood on, most needed first: those that drifted."""
        return needed_columns(self._judged, names, alpha=alpha, seed=self.seed)

    def _learnt(self) -> Scorer:
        held = sum(map(len, self._rows))
        if self._scorer is None or self._since > GROWN * held:
            self._scorer = self.learn(np.vstack(self._rows), np.concatenate(self._new))
            self._since = 0
        return self._scorer

    def _judge(self, scorer: Scorer, new: Floats, old: Floats) -> None:
        self._judged.append((scorer, new, old))
        while sum(len(part) for _, part, _ in self._judged[1:]) >= NAMED_FROM:
            del self._judged[0]

    def _remember(self, new: Floats, old: Floats) -> None:
        self._rows.append(np.vstack([new, old]))
        self._new.append(np.repeat([True, False], [len(new), len(old)]))
        self._since += len(new) + len(old)
        while len(self._rows) > 1 and sum(map(len, self._rows[1:])) >= MEMORY:
            del self._rows[0], self._new[0]


def needed_columns(
    judged: Sequence[tuple[Scorer, Floats, Floats]],
    names: Sequence[str],
    *,
    alpha: float = 0.01,
    seed: int = 0,
) -> tuple[NeededColumn, ...]:
    """Which inputs a scorer needs to tell new rows from old ones; most needed first.

    ``judged`` holds scorers with new and old rows that they did not learn from. A column is
    shuffled over new and old rows together; it is needed when the payoff falls, by a paired
    one-sided t over pairs at ``alpha`` after Holm. One look, made when the test has decided; a
    column that only repeats another one may be named in its place.
    """
    base: list[Floats] = []
    without: list[list[Floats]] = [[] for _ in names]
    rng = np.random.default_rng(seed)
    for scorer, new, old in judged:
        base.append(payoffs(scorer, new, old))
        for j in range(len(names)):
            parts = [_shuffled(scorer, new, old, j, rng) for _ in range(REPEATS)]
            without[j].append(np.stack(parts).mean(axis=0))
    if not base:
        return ()
    paid = np.concatenate(base)
    falls = [spread(paid - np.concatenate(part)) for part in without]
    total = float(paid.mean())
    adjusted = holm([fall.p_above(0.0) for fall in falls])
    found = [
        NeededColumn(str(name), fall.mean, fall.mean / total if total > 0 else math.nan, float(p))
        for name, fall, p in zip(names, falls, adjusted, strict=True)
        if p <= alpha
    ]
    return tuple(sorted(found, key=lambda column: -column.lost))


def _shuffled(
    scorer: Scorer, new: Floats, old: Floats, column: int, rng: np.random.Generator
) -> Floats:
    both = np.vstack([new, old])
    both[:, column] = rng.permutation(both[:, column])
    return payoffs(scorer, both[: len(new)], both[len(new) :])


def _logit(p: ArrayLike) -> Floats:
    shares = np.nan_to_num(np.asarray(p, dtype=np.float64).ravel(), nan=0.5)
    return np.asarray(special.logit(np.clip(shares, 1e-6, 1 - 1e-6)), dtype=np.float64)


def _table(rows: ArrayLike) -> Floats:
    x = np.asarray(rows, dtype=np.float64)
    return x[:, None] if x.ndim == 1 else x
