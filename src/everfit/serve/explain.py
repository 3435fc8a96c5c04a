"""How much each column moved one answer: Shapley values by sampling, for every kind of model.

No library's own SHAP is called: LightGBM's can be made to read outside its memory by a crafted
model, and a calibrated blend has none at all. Only answers are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from everfit.column import Array
from everfit.errors import UsageError
from everfit.events import Event
from everfit.serve.scorer import Scorer

LEAST = 4  # two pairs of walks: below it there is no standard error


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one column added to the answer, with the standard error of the sampling."""

    column: str
    value: Any
    contribution: float
    se: float


@dataclass(frozen=True, slots=True)
class Contributions:
    """Why one answer is not the average one: ``base`` plus all contributions is the answer.

    ``of`` is the label whose probability is explained, the one that is predicted; None for a
    number. ``columns`` holds the columns that the model reads, the largest contribution first.
    """

    of: str | int | float | bool | None
    base: float
    columns: tuple[Contribution, ...]


def contributions(
    scorer: Scorer,
    background: Sequence[Mapping[str, Any]],
    row: Mapping[str, Any],
    *,
    permutations: int = 32,
    seed: int = 0,
    past: Sequence[Event] = (),
) -> Contributions:
    """Interventional Shapley values of the columns for the answer to ``row``.

    Columns are set one after the other, in random order, from the values of a background row to
    those of ``row``; each gets what the answer changed by. Orders come in pairs, one the
    other's reverse. The same seed takes the same orders and background rows.

    Parameters
    ----------
    background : rows that stand for the average, such as the golden rows of the version
        (:func:`everfit.serve.verify.golden_rows`); ``base`` is their mean answer
    row : as for :meth:`Scorer.row`: a column that is not given takes its default, else is missing
    past : the row's history, for a version that reads it: all answers are given with it, so that
        ``base`` is what the model says of the background if it had lived through the same
    permutations : walks from a background row to ``row``, at least 4, rounded up to a pair

    Raises
    ------
    UsageError : no background rows, or fewer than 4 permutations

    Notes
    -----
    The mean over the walks telescopes to answer minus the mean of the background rows that were
    drawn. What that differs from ``base`` is shared out in proportion to the squared errors, so
    that base and contributions add up to the answer.

    References
    ----------
    .. [1] Strumbelj and Kononenko (2014), Explaining prediction models and individual predictions
       with feature contributions, Knowledge and Information Systems 41.
    .. [2] Mitchell, Cooper, Frank and Holmes (2022), Sampling permutations for Shapley value
       estimation, JMLR 23.
    """
    if not background or permutations < LEAST:
        raise UsageError(
            "an answer cannot be explained from so little",
            got=f"{len(background)} background rows and {permutations} permutations",
            expected=f"at least 1 row and {LEAST} permutations",
            do="give the version's golden rows, and more permutations",
        )
    pairs = -(-permutations // 2)
    walks = _Walks(scorer, background, row, past, pairs=pairs, seed=seed)
    found, error, base = walks.shapley()
    order = np.argsort(-np.abs(found), kind="stable")
    names = scorer.read_columns
    columns = tuple(
        Contribution(names[j], row.get(names[j]), float(found[j]), float(error[j])) for j in order
    )
    return Contributions(walks.of, base, columns)


class _Walks:
    """The rows on all ways from the background to one row, and their answers."""

    def __init__(
        self,
        scorer: Scorer,
        background: Sequence[Mapping[str, Any]],
        row: Mapping[str, Any],
        past: Sequence[Event],
        *,
        pairs: int,
        seed: int,
    ) -> None:
        self._scorer, self._pairs, self._past = scorer, pairs, past
        self._asked = scorer.read(row)
        self._others = [scorer.read(other) for other in background]
        rows = [self._asked, *self._others]
        ends = scorer.answers(rows, [past] * len(rows))
        self._output = int(ends[0].argmax())
        self.of = None if scorer.form == "values" else scorer.decide(ends[:1])[0]
        self._answer, self._starts = ends[0, self._output], ends[1:, self._output]
        self._rng = np.random.default_rng(seed)

    def shapley(self) -> tuple[Array, Array, float]:
        """Contributions (d,), standard errors (d,), and the mean answer of the background."""
        drawn = np.resize(self._rng.permutation(len(self._others)), self._pairs)
        rows: list[list[Any]] = []
        steps: list[tuple[int, list[int]]] = []
        for pair, other in enumerate(drawn):
            order = self._rng.permutation(len(self._asked)).tolist()
            for way in (order, order[::-1]):
                walk = [j for j in way if not _same(self._asked[j], self._others[other][j])]
                rows += self._between(self._others[other], walk)
                steps.append((pair, walk))
        each = self._gains(drawn, steps, self._values(rows))  # (pairs, d)
        found, error = each.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(self._pairs)
        base = float(self._starts.mean())
        share = error**2 + 1e-12 * max(float(error.max(initial=0.0)) ** 2, 1e-12)
        found += share / share.sum() * (self._answer - base - found.sum())
        return found, error, base

    def _between(self, start: list[Any], walk: Sequence[int]) -> list[list[Any]]:
        """The rows of a walk without its two ends, whose answers are known."""
        row, rows = list(start), []
        for j in walk[:-1]:
            row[j] = self._asked[j]
            rows.append(row.copy())
        return rows

    def _values(self, rows: Sequence[list[Any]]) -> Array:
        if not rows:
            return np.empty(0)
        return self._scorer.answers(rows, [self._past] * len(rows))[:, self._output]

    def _gains(self, drawn: Array, steps: Sequence[tuple[int, list[int]]], values: Array) -> Array:
        each = np.zeros((self._pairs, len(self._asked)))
        at = 0
        for pair, walk in steps:
            if not walk:
                continue
            end = at + len(walk) - 1
            path = np.concatenate([[self._starts[drawn[pair]]], values[at:end], [self._answer]])
            each[pair, walk] += 0.5 * np.diff(path)
            at = end
        return each


def _same(one: Any, other: Any) -> bool:
    """Whether two values as read are the same, NaN and NaN too."""
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - NaN only
