"""Features made from others: target encodings, counts, crosses, arithmetic and group gaps.

What is made is chosen on the training rows by how much of the target's variance it explains
beyond its parents. Target encodings of the training rows are out of fold (5 folds, smoothing 10;
Micci-Barreca 2001), so no row's features know its own target; what is chosen is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from everfit.encoders.codes import Draft
from everfit.encoders.execute import Reader, apply, keys_of
from everfit.encoders.plan import FeaturePlan
from everfit.encoders.steps import Arithmetic, Gap, Lookup, Operation, Step, Take
from everfit.records import Array, Form

N_FOLDS = 5
SMOOTHING = 10.0
MAX_CLASSES = 5
MAX_ENCODED = 20
MAX_CROSSES = 8
MAX_ARITHMETIC = 30
MAX_GAPS = 6
TOP_NUMBERS = 6
TOP_CATEGORIES = 6
BINS = 16
JUDGED_ROWS = 10_000
OPERATIONS: tuple[Operation, ...] = ("difference", "ratio", "product")


@dataclass(frozen=True, slots=True)
class Goal:
    """The target as columns (n, c) centred, with the fold of each row and a sample of rows."""

    values: Array
    prior: Array
    folds: Array
    judged: Array

    @property
    def noise(self) -> float:
        """Share of the variance that ``BINS`` groups explain by chance, twice over."""
        return 2.0 * BINS / len(self.judged)


def engineer(draft: Draft, target: Array, form: Form, n_outputs: int) -> tuple[FeaturePlan, Array]:
    """Add made features to a draft of the codes view; the plan and its training features.

    Parameters
    ----------
    draft : already holds the steps of the codes view
    target : (n,) class codes or numbers
    """
    goal = _goal(target, form, n_outputs, draft.seed)
    for column in draft.table.features:
        if column.kind == "boolean" and column.name in draft.inputs:
            draft.vocabularies[column.name] = column.levels or ("false", "true")
    reader = draft.reader()
    n_plain = len(draft.names)
    made: list[Array] = []
    categories = _encode(draft, reader, goal, made)
    _cross(draft, reader, goal, categories[:TOP_CATEGORIES], made)
    numbers = _strongest_numbers(draft, reader, goal)
    _calculate(draft, reader, goal, numbers, made)
    groups = [name for name, _ in categories if len(draft.vocabularies[name]) > 2]
    _gaps(draft, reader, goal, numbers=numbers[:3], groups=groups[:3], made=made)
    plan = draft.done()
    out = np.empty((reader.n, len(plan.names)))
    start = 0
    for step in plan.steps:
        if start >= n_plain:
            break
        out[:, start : start + step.size] = apply(step, reader)
        start += step.size
    if made:
        out[:, n_plain:] = np.hstack(made)
    return plan, out


def _goal(target: Array, form: Form, n_outputs: int, seed: int) -> Goal:
    if form == "probabilities":
        codes = target.astype(np.int64)
        counts = np.bincount(codes, minlength=n_outputs)
        classes = np.sort(np.argsort(-counts, kind="stable")[:MAX_CLASSES])
        if n_outputs == 2:
            classes = np.array([1])
        values = (codes[:, None] == classes).astype(float)
    else:
        values = np.asarray(target, dtype=float)[:, None]
    rng = np.random.default_rng(seed)
    n = len(values)
    folds = rng.permutation(np.arange(n) % N_FOLDS)
    judged = np.sort(rng.choice(n, min(n, JUDGED_ROWS), replace=False))
    prior = values.mean(axis=0)
    return Goal(values - prior, prior, folds, judged)


def _sums(groups: Array, m: int, values: Array) -> tuple[Array, Array]:
    count = np.bincount(groups, minlength=m).astype(float)
    total = np.column_stack(
        [np.bincount(groups, weights=values[:, c], minlength=m) for c in range(values.shape[1])]
    )
    return count, total


def out_of_fold(groups: Array, goal: Goal) -> tuple[Array, Array, Array]:
    """Smoothed target means of each row's group, learnt from the other folds.

    Returns
    -------
    training values (n, c), values of each group from all rows (m, c), rows in each group (m,);
    all centred on the prior
    """
    m = int(groups.max()) + 1
    count, total = _sums(groups, m, goal.values)
    fold_count, fold_total = _sums(goal.folds * m + groups, N_FOLDS * m, goal.values)
    at = goal.folds * m + groups
    rest = (total[groups] - fold_total[at]) / (count[groups] - fold_count[at] + SMOOTHING)[:, None]
    return rest, total / (count + SMOOTHING)[:, None], count


def _share(prediction: Array, goal: Goal) -> float:
    """Share of the target's variance that centred predictions (n, c) explain."""
    return float(1.0 - ((goal.values - prediction) ** 2).sum() / (goal.values**2).sum())


def explained(values: Array, goal: Goal) -> float:
    """Share of the variance that quantile bins of one feature explain, on the judged rows."""
    values, target = values[goal.judged], goal.values[goal.judged]
    known = ~np.isnan(values)
    groups = np.full(len(values), BINS)
    if known.any():
        cuts = np.quantile(values[known], np.linspace(0.0, 1.0, BINS + 1)[1:-1])
        groups[known] = np.searchsorted(cuts, values[known], side="right")
    count, total = _sums(groups, BINS + 1, target)
    between = (total**2 / np.maximum(count, 1.0)[:, None]).sum()
    return float(between / max((target**2).sum(), 1e-300))


def _codes_of(reader: Reader, draft: Draft, columns: tuple[str, ...]) -> tuple[Array, Array]:
    """Dense group numbers of a tuple of columns and the key of each group."""
    sizes = [len(draft.vocabularies[name]) for name in columns]
    keys = keys_of([reader.codes(name) for name in columns], sizes)
    known, groups = np.unique(keys, return_inverse=True)
    return known, groups


def _lookup(
    draft: Draft, columns: tuple[str, ...], keys: Array, table: Array, default: Array
) -> Lookup:
    sizes = tuple(len(draft.vocabularies[name]) for name in columns)
    return Lookup(columns, sizes, tuple(default.tolist()), keys, np.ascontiguousarray(table))


def _add_encoding(
    draft: Draft, reader: Reader, goal: Goal, columns: tuple[str, ...], made: list[Array]
) -> None:
    keys, groups = _codes_of(reader, draft, columns)
    training, table, count = out_of_fold(groups, goal)
    often = count >= 2.0
    step = _lookup(draft, columns, keys[often], table[often] + goal.prior, goal.prior)
    label = " x ".join(columns)
    names = [f"target by {label}"]
    if step.size > 1:
        names = [f"target {c} by {label}" for c in range(step.size)]
    draft.add(step, names)
    made.append(training + goal.prior)


def _encode(draft: Draft, reader: Reader, goal: Goal, made: list[Array]) -> list[tuple[str, float]]:
    """Target encodings and counts; category columns with the share each explains, best first."""
    shares: list[tuple[str, float]] = []
    for name in draft.vocabularies:
        _, groups = _codes_of(reader, draft, (name,))
        if groups.max() > 0:
            shares.append((name, _share(out_of_fold(groups, goal)[0], goal)))
    shares.sort(key=lambda item: -item[1])
    for name, share in shares[:MAX_ENCODED]:
        if share > 0.0 and len(draft.vocabularies[name]) > 2:
            _add_encoding(draft, reader, goal, (name,), made)
    for name, _ in shares[:MAX_ENCODED]:
        if len(draft.vocabularies[name]) > 10:
            keys, groups = _codes_of(reader, draft, (name,))
            # a share of the rows, not a count: it keeps its meaning when rows are added
            table = (np.bincount(groups) / reader.n)[:, None]
            step = _lookup(draft, (name,), keys, table, np.array([1.0 / reader.n]))
            draft.add(step, [f"share of {name}"])
            made.append(apply(step, reader))
    return shares


def _cross(
    draft: Draft, reader: Reader, goal: Goal, categories: list[tuple[str, float]],
    made: list[Array],
) -> None:  # fmt: skip
    """Target encodings of pairs that explain more together than their sum of surprises."""
    found: list[tuple[float, tuple[str, str]]] = []
    for (left, a), (right, b) in combinations(categories, 2):
        _, groups = _codes_of(reader, draft, (left, right))
        gain = _share(out_of_fold(groups, goal)[0], goal) - max(a, b, 0.0)
        if gain > 0.0:
            found.append((gain, (left, right)))
    for _, columns in sorted(found, key=lambda item: -item[0])[:MAX_CROSSES]:
        _add_encoding(draft, reader, goal, columns, made)


def _strongest_numbers(draft: Draft, reader: Reader, goal: Goal) -> list[tuple[str, float]]:
    kinds = {item.name: item.kind for item in draft.inputs.values()}
    names = [s.column for s in draft.steps if isinstance(s, Take) and kinds[s.column] == "number"]
    shares = [(name, explained(reader.floats(name), goal)) for name in names]
    return sorted(shares, key=lambda item: -item[1])[:TOP_NUMBERS]


def _calculate(
    draft: Draft, reader: Reader, goal: Goal, numbers: list[tuple[str, float]], made: list[Array]
) -> None:
    """Differences, ratios and products of the strongest numbers that beat both parents."""
    found: list[tuple[float, Step, str, Array]] = []
    for (left, a), (right, b) in combinations(numbers, 2):
        for operation in OPERATIONS:
            step = Arithmetic(operation, left, right)
            values = apply(step, reader)
            gain = explained(values[:, 0], goal) - max(a, b)
            if gain > goal.noise:
                sign = {"difference": "-", "ratio": "/", "product": "*"}[operation]
                found.append((gain, step, f"{left} {sign} {right}", values))
    for _, chosen, name, values in sorted(found, key=lambda item: -item[0])[:MAX_ARITHMETIC]:
        draft.add(chosen, [name])
        made.append(values)


def _gaps(
    draft: Draft, reader: Reader, goal: Goal, *, numbers: list[tuple[str, float]],
    groups: list[str], made: list[Array],
) -> None:  # fmt: skip
    """Numbers minus their mean in a category, where that beats the number itself."""
    found: list[tuple[float, Step, str, Array]] = []
    for name, share in numbers:
        values = reader.floats(name)
        known = ~np.isnan(values)
        mean = float(values[known].mean())
        for category in groups:
            codes, size = reader.codes(category), len(draft.vocabularies[category]) + 1
            count, total = _sums(codes[known], size, (values[known] - mean)[:, None])
            # not smoothed: a shift towards the overall mean would hide small gaps of large means
            step = Gap(name, category, mean + total[:, 0] / np.maximum(count, 1.0))
            made_values = apply(step, reader)
            gain = explained(made_values[:, 0], goal) - share
            if gain > goal.noise:
                found.append((gain, step, f"{name} against {category}", made_values))
    for _, chosen, name, values in sorted(found, key=lambda item: -item[0])[:MAX_GAPS]:
        draft.add(chosen, [name])
        made.append(values)
