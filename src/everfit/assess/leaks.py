"""Single columns, and sums of a few, that give the target away.

A column's power is its skill: the share of the floor's squared error that it takes away, 1 being
perfect and 0 the floor. It is that of the target's means within bins of the column, out of fold;
for numbers of many values that come near 1, also that of the mean of the four neighbours in the
order of the column, the row itself left out. For a number as target it is measured on the target
and on its ranks, so that one huge value decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from everfit.assess.check import Check, Context, as_numbers, listed
from everfit.assess.quick import View, out_of_fold, random_folds
from everfit.assess.split import row_groups
from everfit.records import Act, Array, Finding

GIVEN_AWAY = 0.99
STRONG = 0.95  # of perfect, and of what all columns together reach
EXACT = 1e-6  # of the target's standard deviation
MAX_TERMS = 4
MANY_VALUES = 20
LIKELY = 0.9
LEAST_ROWS = 50


@dataclass(frozen=True, slots=True)
class Power:
    """Out-of-fold skill of each column of a view, and how each was found."""

    names: tuple[str, ...]
    skill: Array

    def order(self) -> Array:
        """Positions, strongest first."""
        return np.argsort(-self.skill, kind="stable")


def column_power(context: Context) -> tuple[Power, View]:
    """The skill of every feature alone, on at most 10,000 rows."""
    rows = context.sample
    seen = context.view(rows)
    folds = _folds(context, rows)
    wanted = _wanted(context, rows)
    skills = []
    for j, name in enumerate(seen.names):
        codes, levels = seen.codes[:, j], seen.levels[j]
        found = [skill(codes, levels, y, folds) for y in wanted]
        # rows of one thing are neighbours in all that it has: bins must say so too
        if max(found) > LIKELY and levels > MANY_VALUES and context.facts[name].kind == "number":
            x = as_numbers(context.series(name, context.known[rows]))
            found += [neighbour_skill(x, y, context.rng) for y in wanted]
        skills.append(max(found))
    return Power(seen.names, np.array(skills)), seen


def _folds(context: Context, rows: Array) -> Array:
    """Four folds, by thing where rows belong to things: else what a thing has is its name."""
    groups = row_groups(context)
    if groups is None:
        return random_folds(len(rows), 4, context.rng)
    names, place = np.unique(groups[rows], return_inverse=True)
    return random_folds(len(names), 4, context.rng)[place]


def skill(codes: Array, levels: int, wanted: Array, folds: Array) -> float:
    """The share of the squared error around the mean that bin means take away, out of fold.

    ``codes`` int (n,) in [0, levels), ``wanted`` float64 (n, k), ``folds`` int64 (n,).

    Examples
    --------
    >>> x = np.tile([0, 1], 50)
    >>> round(skill(x, 2, x[:, None].astype(float), np.arange(100) // 25), 2)
    1.0
    """
    n_folds = int(folds.max()) + 1
    cell = codes.astype(np.int64) + levels * folds
    size = levels * n_folds
    count = np.bincount(cell, minlength=size).reshape(n_folds, levels)
    others = count.sum(axis=0) - count  # rows of a bin outside the fold
    error = base = 0.0
    for k in range(wanted.shape[1]):
        y = wanted[:, k]
        sums = np.bincount(cell, y, size).reshape(n_folds, levels)
        left, n_left = sums.sum() - sums.sum(axis=1), count.sum() - count.sum(axis=1)
        prior = left / np.maximum(n_left, 1)
        # a level that no other fold has gets the overall mean
        inside = np.where(others > 0, sums.sum(axis=0) - sums, prior[:, None])
        mean = inside / np.maximum(others, 1)
        error += float(((y - mean.ravel()[cell]) ** 2).sum())
        base += float(((y - prior[folds]) ** 2).sum())
    return 1.0 - error / base if base > 0 else 0.0


def neighbour_skill(x: Array, wanted: Array, rng: np.random.Generator) -> float:
    """The share of the squared error that the four neighbours in the order of ``x`` take away.

    ``x`` (n,) and ``wanted`` (n, k). Equal and missing values stand in random order, so that the
    order of the file tells nothing.
    """
    order = rng.permutation(len(x))
    order = order[np.argsort(x[order], kind="stable")]
    y = wanted[order]
    mean = (y[:-4] + y[1:-3] + y[3:-1] + y[4:]) / 4
    middle = y[2:-2]
    base = float(((middle - middle.mean(axis=0)) ** 2).sum())
    return 1.0 - float(((middle - mean) ** 2).sum()) / base if base > 0 else 0.0


def find_giveaways(context: Context) -> list[Finding]:
    """Columns that give the target away alone (left out), or nearly alone (kept, said)."""
    if len(context.known) < LEAST_ROWS or not context.features:
        return []
    power, seen = column_power(context)
    findings, given = [], set()
    for j in power.order():
        name, value = power.names[j], float(power.skill[j])
        how = "skill of this column alone, out of fold"
        if value < GIVEN_AWAY:
            how = _parted(context, name, seen.codes[:, j], seen.levels[j])
        if value >= GIVEN_AWAY or how:
            given.add(name)
            findings.append(_giveaway(context, name, value, how))
    sums = _sums(context, [c for c in power.names if c not in given])
    findings += sums
    given |= {name for f in sums for name in f.columns}
    left = [j for j in power.order() if power.names[j] not in given]
    if left and power.skill[left[0]] >= STRONG and context.left() > 0.3:
        findings += _nearly(context, power, int(left[0]), seen)
    return findings


def _wanted(context: Context, rows: Array) -> list[Array]:
    y = context.target[rows]
    if context.problem.form == "probabilities":
        hot = np.zeros((len(y), len(context.problem.labels)))
        hot[np.arange(len(y)), y.astype(np.int64)] = 1.0
        return [hot]
    ranks = np.unique(y, return_inverse=True)[1].astype(np.float64)
    return [y[:, None], ranks[:, None]]


def _parted(context: Context, name: str, codes: Array, levels: int) -> str:
    """Whether column and target cut each other into ranges that do not overlap; how, or ``""``.

    A number as target: each level of a column of few levels holds its own range of the target
    (the target, binned). Classes: each class holds its own range of a number.
    """
    y = context.target[context.sample]
    n = len(y)
    if n < 100:
        return ""
    if context.problem.form == "values":
        if not 3 <= np.count_nonzero(np.bincount(codes)) <= 50:
            return ""
        blocks = codes[np.argsort(y, kind="stable")]
        by, runs = y, _runs(blocks)
        held = len(np.unique(codes))
    else:
        values = context.series(name, context.known[context.sample])
        if not values.dtype.is_numeric() or values.null_count() or levels < 20:
            return ""
        by = values.cast(pl.Float64).to_numpy()
        runs = _runs(y[np.argsort(by, kind="stable")])
        held = len(np.unique(y))
        if np.bincount(y.astype(np.int64)).max() > n - 10:
            return ""
    if runs != held or len(np.unique(by)) < 20:
        return ""
    return "each level holds its own range, with no overlap"


def _runs(values: Array) -> int:
    return int((values[1:] != values[:-1]).sum()) + 1


def _giveaway(context: Context, name: str, value: float, how: str) -> Finding:
    target = context.problem.target
    return Finding(
        check="target given away",
        severity="fail",
        headline=f"`{name}` alone gives `{target}` away: skill {value:.3f} of 1",
        columns=(name,),
        number=value,
        unit="share of the error explained by this column alone",
        examples=tuple(_pairs(context, name)),
        done="left out; most likely it is not known before the target is",
        evidence={"test": how, "statistic": value, "n": len(context.sample), "limit": GIVEN_AWAY},
        acts=(Act("drop_column", name),),
    )


def _pairs(context: Context, name: str) -> list[str]:
    target = context.problem.target
    rows = context.known[:3]
    values = context.table.frame[name][rows], context.table.frame[target][rows]
    return [f"{name}={a}, {target}={b}" for a, b in zip(*values, strict=True)]


def _sums(context: Context, names: list[str]) -> list[Finding]:
    """Weighted sums of two to four columns that equal the target in every row."""
    if context.problem.form != "values":
        return []
    y = context.target
    sd = float(y.std())
    columns = {}
    for name in names:
        if context.facts[name].kind != "number" or context.facts[name].n_missing:
            continue
        values = context.numbers(name)[context.known]
        if np.isfinite(values).all() and values.std() > 0:
            columns[name] = values
    if len(columns) < 2 or sd == 0:
        return []
    chosen = _fewest(columns, y, context)
    if not chosen:
        return []
    x = np.column_stack([columns[c] for c in chosen] + [np.ones(len(y))])
    weights = np.linalg.lstsq(x[:20_000], y[:20_000], rcond=None)[0]
    off = np.abs(x @ weights - y)
    sizes = np.abs(weights[:-1]) * x[:, :-1].std(axis=0)
    if float(off.max()) > EXACT * sd or (sizes < 1e-3 * sd).any():
        return []
    terms = " + ".join(
        f"`{c}`" if abs(w - 1) < 1e-6 else f"{w:.4g} x `{c}`"
        for c, w in zip(chosen, weights, strict=False)
    )
    return [
        Finding(
            check="target given away",
            severity="fail",
            headline=f"`{context.problem.target}` is exactly {terms}"
            + (f" + {weights[-1]:.4g}" if abs(weights[-1]) > EXACT * sd else ""),
            columns=tuple(chosen),
            number=float(len(y)),
            unit="rows, all of them",
            examples=tuple(_pairs(context, chosen[0])),
            done=f"{listed(chosen)} left out; most likely they are not known before the target is",
            evidence={
                "test": "exact sum in every row",
                "statistic": float(off.max()) / sd,
                "n": len(y),
                "limit": EXACT,
            },
            acts=tuple(Act("drop_column", c) for c in chosen),
        )
    ]


def _fewest(columns: dict[str, Array], y: Array, context: Context) -> list[str]:
    """The fewest of at most 400 columns whose sum may be the target, or none.

    Every pair is tried by its multiple correlation, then up to four columns greedily.
    """
    rows = context.sample
    names = list(columns)[:400]
    z = np.column_stack([columns[c][rows] for c in names])
    z = (z - z.mean(axis=0)) / np.maximum(z.std(axis=0), 1e-300)
    t = (y[rows] - y[rows].mean()) / max(float(y[rows].std()), 1e-300)
    r, ry = z.T @ z / len(t), z.T @ t / len(t)
    with np.errstate(divide="ignore", invalid="ignore"):
        both = (ry[:, None] ** 2 + ry**2 - 2 * ry[:, None] * ry * r) / (1 - r**2)
    both[np.abs(r) > 1 - 1e-9] = 0.0
    i, j = np.unravel_index(np.nan_to_num(both).argmax(), both.shape)
    if both[i, j] > 1 - 1e-9:
        return [names[k] for k in sorted((int(i), int(j)))]
    picked: list[int] = []
    rest = t
    for _ in range(MAX_TERMS):
        picked.append(int(np.abs(z.T @ rest).argmax()))
        weights = np.linalg.lstsq(z[:, picked], t, rcond=None)[0]
        rest = t - z[:, picked] @ weights
        if float((rest**2).mean()) < 1e-9:
            return [names[k] for k in sorted(set(picked))]
    return []


def _nearly(context: Context, power: Power, top: int, seen: View) -> list[Finding]:
    """A very strong column that all columns together hardly improve on: said, not left out."""
    rows = context.sample[:: max(1, len(context.sample) // 4000)]
    keep = np.isin(context.sample, rows)
    y = context.target[rows]
    form, k = context.problem.form, context.problem.n_outputs
    folds = random_folds(len(rows), 3, context.rng)
    answers = out_of_fold(seen.bins[keep], y, form, k, context.rng, folds=folds, rounds=40)
    wanted = _wanted(context, rows)[0]
    base = float(((wanted - wanted.mean(axis=0)) ** 2).sum())
    whole = 1.0 - float(((wanted - answers) ** 2).sum()) / base
    alone, name = float(power.skill[top]), power.names[top]
    if alone < STRONG * whole:
        return []
    return [
        Finding(
            check="target given away",
            severity="warn",
            headline=f"`{name}` alone explains {alone:.3f} of 1, all columns {whole:.3f}: "
            "is it known before the target?",
            columns=(name,),
            number=alone,
            unit="share of the error explained by this column alone",
            examples=tuple(_pairs(context, name)),
            done="kept; leave it out if it is not known in time",
            evidence={
                "test": "out-of-fold skill, this column against all",
                "statistic": alone / max(whole, 1e-9),
                "n": len(rows),
                "limit": STRONG,
            },
        )
    ]


CHECKS = (Check("target given away", "rows", find_giveaways),)
