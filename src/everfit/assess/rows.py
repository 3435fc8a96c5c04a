"""Rows that are there more than once, contradict each other, or err like their neighbours."""

from __future__ import annotations

import numpy as np
import polars as pl

from everfit.assess.check import Check, Context, counted, percent, share
from everfit.assess.quick import out_of_fold, random_folds
from everfit.data.split import COPIES
from everfit.records import Array, Finding

LEAST_ROWS = 200


def find_duplicates(context: Context) -> list[Finding]:
    """Rows equal in all features and the target."""
    names = [c.name for c in context.features]
    if not names:
        return []
    names += [c.name for c in context.table.columns if c.role in ("time", "group", "weight")]
    group = _groups(context.table.frame.select([*names, context.problem.target]))
    sizes = np.bincount(group)
    extra = context.table.n_rows - len(sizes)
    if not extra:
        return []
    in_groups = int(sizes[sizes > 1].sum())
    distinct = len(
        np.unique(_groups(context.table.frame.select([c.name for c in context.features])))
    )
    chance = distinct * COPIES <= context.table.n_rows
    return [
        Finding(
            check="duplicate rows",
            severity="warn" if share(extra, context.table.n_rows) > 0.01 else "info",
            headline=f"{counted(extra, 'row')} ({percent(share(extra, context.table.n_rows))}) "
            f"{'repeats' if extra == 1 else 'repeat'} an earlier row",
            number=float(extra),
            unit="rows",
            examples=tuple(_example(context, group, sizes)),
            done="kept; so few combinations occur that equal rows count as separate cases"
            if chance
            else "kept; equal rows always stand on the same side of the split",
            evidence={
                "test": "exact count by a 64-bit hash of each row",
                "n": context.table.n_rows,
                "rows_in_groups": in_groups,
                # of random folds: a row of a group of s has a copy elsewhere but for 5^(1-s)
                "expected_across_a_random_split": round(
                    float(np.sum(sizes - sizes * 5.0 ** (1 - sizes)))
                ),
                "largest_group": int(sizes.max()),
            },
        )
    ]


def find_conflicts(context: Context) -> list[Finding]:
    """Rows with equal features and different targets: no model can be right on all of them."""
    names = [c.name for c in context.features]
    if not names or not len(context.known):
        return []
    rows = context.table.frame.select(names)[context.known]
    group = _groups(rows)
    if context.problem.form == "probabilities":
        return _conflicting_classes(context, group)
    return _conflicting_numbers(context, group)


def _conflicting_classes(context: Context, group: Array) -> list[Finding]:
    k = len(context.problem.labels)
    pair = group * k + context.target.astype(np.int64)
    cells, counts = np.unique(pair, return_counts=True)
    sizes = np.bincount(group)
    best = np.zeros(len(sizes), dtype=np.int64)
    np.maximum.at(best, cells // k, counts)
    wrong = int((sizes - best).sum())
    rows = int(sizes[best < sizes].sum())
    if not rows:
        return []
    n = len(group)
    return [
        Finding(
            check="conflicting labels",
            severity="warn" if share(wrong, n) > 0.01 else "info",
            headline=f"{rows:,} rows share all features with a row of another class; "
            f"at least {wrong:,} ({percent(share(wrong, n))}) cannot be told apart",
            number=float(rows),
            unit="rows",
            done="kept; this is a floor of the error",
            evidence={
                "test": "exact count by a 64-bit hash of each row",
                "n": n,
                "least_errors": wrong,
                "groups": int((best < sizes).sum()),
            },
        )
    ]


def _conflicting_numbers(context: Context, group: Array) -> list[Finding]:
    sizes = np.bincount(group)
    mean = np.bincount(group, context.target) / sizes
    spread = (context.target - mean[group]) ** 2
    differ = np.bincount(group, spread) > 1e-18 * max(1.0, float(context.target.var()))
    rows = int(sizes[differ].sum())
    if not rows:
        return []
    repeated = sizes > 1
    freedom = int((sizes[repeated] - 1).sum())
    noise = float(np.sqrt(spread.sum() / freedom))  # pure error of replicated rows
    whole = float(context.target.std())
    return [
        Finding(
            check="conflicting labels",
            severity="info",
            headline=f"{rows:,} rows share all features with a row of another target; "
            f"such rows differ by {noise:.3g} (all rows: {whole:.3g})",
            number=float(rows),
            unit="rows",
            done="kept",
            evidence={
                "test": "exact count; standard deviation within equal rows",
                "statistic": noise,
                "degrees_of_freedom": freedom,
                "n": len(group),
            },
        )
    ]


def _groups(frame: pl.DataFrame) -> Array:
    """A number for each row (n,), equal for rows of equal content."""
    hashes = frame.hash_rows(seed=0).to_numpy()
    return np.unique(hashes, return_inverse=True)[1].astype(np.int64)


def _example(context: Context, group: Array, sizes: Array) -> list[str]:
    most = int(sizes.argmax())
    rows = np.flatnonzero(group == most)[:5]
    return [f"rows {', '.join(f'{r + 1:,}' for r in rows)} are equal ({int(sizes[most])} times)"]


def find_neighbours(context: Context) -> list[Finding]:
    """Whether answers err alike on neighbouring rows, beyond what mixed rows would show."""
    time = context.left() > 0.5 + len(context.features) / 200
    if len(context.known) < LEAST_ROWS or not context.features or not time:
        return []
    n = min(len(context.known), 4_000)
    start = int(context.rng.integers(0, len(context.known) - n + 1))
    rows = np.arange(start, start + n)
    y, problem = context.target[rows], context.problem
    folds = random_folds(n, 3, context.rng)
    bins = context.view(rows).bins
    answers = out_of_fold(
        bins, y, problem.form, problem.n_outputs, context.rng, folds=folds, rounds=30
    )
    if problem.form == "probabilities":
        wanted = np.zeros_like(answers)
        wanted[np.arange(n), y.astype(np.int64)] = 1.0
    else:
        # ranks of residuals: a few huge ones must not decide
        wanted, answers = (
            (np.argsort(np.argsort(y - answers[:, 0])) / n)[:, None],
            np.full((n, 1), 0.5),
        )
    rest = wanted - answers
    rest = rest - rest.mean(axis=0)
    r = float((rest[1:] * rest[:-1]).sum() / (rest**2).sum())
    z = r * np.sqrt(n)
    if z < 5.0 or r < 0.15:
        return []
    if _sorted_by_target(context):
        return [_sorted_finding(context, r, z, n)]
    return [
        Finding(
            check="order of rows",
            severity="warn" if r >= 0.3 else "info",
            headline=f"Errors of neighbouring rows are alike (correlation {r:.2f}): "
            "the order of rows carries information",
            number=r,
            unit="correlation with the next row",
            done="kept; name a time or group column if rows hang together",
            evidence={"test": "lag-1 correlation of out-of-fold errors", "statistic": z, "n": n},
        )
    ]


def _sorted_by_target(context: Context) -> bool:
    """Whether rows stand in blocks of one class, or in long runs of rising targets."""
    y = context.target
    if context.problem.form == "probabilities":
        expected = 1.0 - float(((np.bincount(y.astype(np.int64)) / len(y)) ** 2).sum())
        return bool((y[1:] != y[:-1]).mean() < 0.02 * expected)
    ranks = np.argsort(np.argsort(y, kind="stable"), kind="stable")
    return bool(np.corrcoef(ranks[1:], ranks[:-1])[0, 1] > 0.98)


def _sorted_finding(context: Context, r: float, z: float, n: int) -> Finding:
    return Finding(
        check="order of rows",
        severity="info",
        headline=f"Rows are sorted by `{context.problem.target}`",
        columns=(context.problem.target,),
        number=r,
        unit="correlation of errors with the next row",
        done="nothing: rows are shuffled before they are held out",
        evidence={"test": "lag-1 correlation of out-of-fold errors", "statistic": z, "n": n},
    )


CHECKS = (
    Check("duplicate rows", "rows", find_duplicates),
    Check("conflicting labels", "rows", find_conflicts),
)
