"""A small boosted model in plain numpy, for checks that need a model's opinion at once.

Trees are symmetric (every node of a level asks the same question), of depth 4 on binned columns.
Many outputs cost as much as one: the question is sought on one random projection of the gradients
(SketchBoost: Iosipoi and Vakhrushev, NeurIPS 2022), the leaves hold all outputs. No library is
loaded: LightGBM and scikit-learn each take about a second to import, as long as a whole
assessment may last in a 10 s run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from everfit.records import Array, Column, Form

N_BINS = 64  # of a column; bin 0 holds missing values
DEPTH = 4
RATE = 0.2
MAX_ASKED = 40  # columns that one tree may choose from
PULL = 5.0  # rows' worth of pull of a leaf towards nothing
MAX_STEP = 4.0  # of a log probability in one tree, before the rate


@dataclass(frozen=True, slots=True)
class View:
    """Columns as small whole numbers: ``codes`` int32 (n, d); ``levels`` codes a column has.

    Numbers and dates are cut at quantiles; categories are ranked by how frequent they are and keep
    all their levels in ``codes``; ``bins`` pools the rare ones. Code 0 is missing.
    """

    names: tuple[str, ...]
    codes: Array
    levels: tuple[int, ...]

    @property
    def bins(self) -> Array:
        """Codes cut at 63, int64 (n, d)."""
        return np.minimum(self.codes, N_BINS - 1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Quick:
    """A fitted quick model: T trees of DEPTH questions and 2 ** DEPTH leaves of k outputs."""

    form: Form
    start: Array  # (k,)
    asked: Array  # (T, DEPTH) columns
    cuts: Array  # (T, DEPTH) a bin above the cut goes right
    leaves: Array  # (T, 2 ** DEPTH, k)

    def answer(self, bins: Array) -> Array:
        """Answers for binned rows: float64 (n, k); probabilities sum to 1."""
        score = np.tile(self.start, (len(bins), 1))
        for asked, cuts, leaves in zip(self.asked, self.cuts, self.leaves, strict=True):
            score += leaves[_leaf(bins, asked, cuts)]
        return _probabilities(score) if self.form == "probabilities" else score


def view(columns: Sequence[tuple[Column, pl.Series]]) -> View:
    """Binned columns; text is seen by its length only."""
    names = tuple(column.name for column, _ in columns)
    n = columns[0][1].len() if columns else 0
    codes = np.zeros((n, len(columns)), dtype=np.int32, order="F")
    for j, (column, values) in enumerate(columns):
        codes[:, j] = _codes(column, values)
    levels = tuple(int(codes[:, j].max(initial=0)) + 1 for j in range(len(columns)))
    return View(names, codes, levels)


def _codes(column: Column, values: pl.Series) -> Array:
    if column.kind == "text":
        return quantile_codes(values.cast(pl.String).str.len_chars().cast(pl.Float64).to_numpy())
    if values.dtype == pl.Boolean:
        return values.cast(pl.Int32).fill_null(-1).to_numpy() + 1
    if values.dtype.is_temporal():
        values = values.cast(pl.Datetime("us")).to_physical()
    if values.dtype.is_numeric():
        return quantile_codes(values.cast(pl.Float64).to_numpy())
    return frequency_codes(values)


def quantile_codes(values: Array) -> Array:
    """Numbers as 0 (missing) and 1..63, cut at quantiles of the distinct values' mass."""
    known = ~np.isnan(values)
    ordered = np.sort(values[known])
    if not len(ordered):
        return np.zeros(len(values), dtype=np.int32)
    picks = np.linspace(0, len(ordered) - 1, N_BINS - 1).astype(np.int64)[1:]
    edges = np.unique(ordered[picks])
    codes = np.searchsorted(edges, values, side="left").astype(np.int32) + 1
    codes = np.minimum(codes, len(edges) + 1)
    codes[~known] = 0
    return codes


def frequency_codes(values: pl.Series) -> Array:
    """Words as 0 (missing) and 1.. by descending frequency, ties by word."""
    words = values.cast(pl.String).alias("word")
    counts = words.drop_nulls().value_counts().sort(["count", "word"], descending=[True, False])
    if counts.height == 0:
        return np.zeros(len(values), dtype=np.int32)
    ranks = counts.select("word").with_row_index("rank", offset=1)
    found = words.to_frame().join(ranks, on="word", how="left", maintain_order="left")["rank"]
    return found.cast(pl.Int32).fill_null(0).to_numpy()


def fit_quick(
    bins: Array,
    target: Array,
    form: Form,
    n_outputs: int,
    rng: np.random.Generator,
    *,
    rounds: int = 50,
) -> Quick:
    """Boost ``rounds`` symmetric trees on binned rows (n, d) with targets (n,)."""
    n, d = bins.shape
    rounds = rounds if d else 0
    if form == "probabilities":
        hot = np.zeros((n, n_outputs))
        hot[np.arange(n), target.astype(np.int64)] = 1.0
        start = np.log((hot.sum(axis=0) + 0.5) / (n + 0.5 * n_outputs))
    else:
        hot = target.reshape(-1, 1).astype(np.float64)
        start = hot.mean(axis=0)
    score = np.tile(start, (n, 1))
    per_tree = min(d, max(8, d // 3), MAX_ASKED)
    asked = np.zeros((rounds, DEPTH), dtype=np.int64)
    cuts = np.full((rounds, DEPTH), N_BINS, dtype=np.int64)
    leaves = np.zeros((rounds, 2**DEPTH, len(start)))
    for t in range(rounds):
        now = _probabilities(score) if form == "probabilities" else score
        pull = hot - now
        # the second derivative of the loss: of the log loss, scaled for k tied outputs, or 1
        k = len(start)
        curve = now * (1 - now) * (k / (k - 1)) if form == "probabilities" else np.ones((n, 1))
        sketch = pull[:, 0] if pull.shape[1] <= 2 else pull @ rng.normal(size=pull.shape[1])
        columns = rng.choice(d, per_tree, replace=False)
        asked[t], cuts[t] = _questions(bins[:, columns], sketch, columns)
        leaf = _leaf(bins, asked[t], cuts[t])
        leaves[t] = RATE * _leaf_values(leaf, pull, curve)
        score += leaves[t][leaf]
    return Quick(form, start, asked, cuts, leaves)


def out_of_fold(
    bins: Array,
    target: Array,
    form: Form,
    n_outputs: int,
    rng: np.random.Generator,
    *,
    folds: Array,
    rounds: int = 50,
) -> Array:
    """Answers (n, k) of quick models that did not see the row; ``folds`` int64 (n,)."""
    answers = np.zeros((len(target), n_outputs))
    for fold in np.unique(folds):
        asked = folds == fold
        model = fit_quick(bins[~asked], target[~asked], form, n_outputs, rng, rounds=rounds)
        answers[asked] = model.answer(bins[asked])
    return answers


def random_folds(n: int, n_folds: int, rng: np.random.Generator) -> Array:
    """Fold numbers of equal size in random order, int64 (n,)."""
    return rng.permutation(np.arange(n) % n_folds)


def _questions(bins: Array, sketch: Array, columns: Array) -> tuple[Array, Array]:
    """The questions that lower the squared error of ``sketch`` most, level by level."""
    n, m = bins.shape
    flat = bins + np.arange(m) * N_BINS
    repeated = np.repeat(sketch, m)
    leaf = np.zeros(n, dtype=np.int64)
    asked, cuts = np.zeros(DEPTH, dtype=np.int64), np.zeros(DEPTH, dtype=np.int64)
    for level in range(DEPTH):
        spots = (flat + (leaf * (m * N_BINS))[:, None]).ravel()
        shape = (2**level, m, N_BINS)
        total = np.bincount(spots, repeated, np.prod(shape)).reshape(shape).cumsum(axis=2)
        count = np.bincount(spots, minlength=np.prod(shape)).reshape(shape).cumsum(axis=2)
        rest, others = total[:, :, -1:] - total, count[:, :, -1:] - count
        gain = (total**2 / (count + PULL) + rest**2 / (others + PULL)).sum(axis=0)
        column, cut = np.unravel_index(gain[:, :-1].argmax(), (m, N_BINS - 1))
        asked[level], cuts[level] = columns[column], cut
        leaf = leaf * 2 + (bins[:, column] > cut)
    return asked, cuts


def _leaf(bins: Array, asked: Array, cuts: Array) -> Array:
    leaf = np.zeros(len(bins), dtype=np.int64)
    for column, cut in zip(asked, cuts, strict=True):
        leaf = leaf * 2 + (bins[:, column] > cut)
    return leaf


def _leaf_values(leaf: Array, pull: Array, curve: Array) -> Array:
    """Newton steps (2 ** DEPTH, k), held back so that one sure and wrong row cannot run away."""
    values = np.zeros((2**DEPTH, pull.shape[1]))
    for k in range(pull.shape[1]):
        mass = np.bincount(leaf, curve[:, k], 2**DEPTH) + PULL * (curve[:, k].mean() + 1e-9)
        values[:, k] = np.bincount(leaf, pull[:, k], 2**DEPTH) / mass
    if np.ndim(pull) == 2 and pull.shape[1] > 1:
        np.clip(values, -MAX_STEP, MAX_STEP, out=values)
    return values


def _probabilities(score: Array) -> Array:
    e = np.exp(score - score.max(axis=1, keepdims=True))
    total: Array = e.sum(axis=1, keepdims=True)
    shares: Array = e / total
    return shares
