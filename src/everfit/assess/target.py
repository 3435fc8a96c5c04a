"""The target itself: missing, rare, capped, long-tailed; and numbers out of this world."""

from __future__ import annotations

import numpy as np

from everfit.assess.check import Check, Context, counted, listed, percent, plain_number, share
from everfit.records import Act, Array, Finding

RARE_ROWS = 10
IMBALANCED = 0.05
FEW_TO_DROP = 0.01
LONG_TAIL = 2.0
FAR_OUT = 20.0  # distances between the quartiles


def find_missing_target(context: Context) -> list[Finding]:
    """Rows without a target cannot teach or judge."""
    missing = context.table.n_rows - len(context.known)
    missing -= _outside(context)
    if missing <= 0:
        return []
    n = context.table.n_rows
    return [
        Finding(
            check="missing target",
            severity="warn",
            headline=f"`{context.problem.target}` is missing in {counted(missing, 'row')} "
            f"({percent(share(missing, n))})",
            columns=(context.problem.target,),
            number=float(missing),
            unit="rows",
            done="these rows are left out",
            evidence={"test": "exact count", "n": n},
            acts=(Act("drop_missing", context.problem.target),),
        )
    ]


def find_rare_classes(context: Context) -> list[Finding]:
    """Classes with under ten rows; a class with one row is left out when that costs little."""
    if context.problem.form != "probabilities":
        return []
    counts = _counts(context)
    labels = context.problem.labels
    n = int(counts.sum())
    single = list(np.flatnonzero(counts < 2))
    keep = len(labels) - len(single)
    drop = bool(single) and keep >= 2 and counts[single].sum() < FEW_TO_DROP * n
    rare = [i for i in np.flatnonzero(counts < RARE_ROWS) if not (drop and i in single)]
    findings = []
    if drop:
        names = [labels[i] for i in single]
        findings.append(_single_finding(context, names, n))
    if rare:
        names = [labels[i] for i in rare]
        findings.append(
            Finding(
                check="rare classes",
                severity="warn",
                headline=f"{len(names)} of {len(labels)} classes have under {RARE_ROWS} rows: "
                + listed(names),
                columns=(context.problem.target,),
                number=float(counts[rare].min()),
                unit="rows, rarest class",
                examples=tuple(f"{labels[i]}: {int(counts[i])} rows" for i in rare[:5]),
                done="kept; they can hardly be learnt or judged",
                evidence={"test": "exact count", "n": n, "limit": RARE_ROWS},
            )
        )
    return findings


def find_imbalance(context: Context) -> list[Finding]:
    """A rarest class under 5%, or the share that always saying one class gets right."""
    if context.problem.form != "probabilities":
        return []
    counts = _counts(context)
    n, k = int(counts.sum()), len(counts)
    enough = counts[counts >= 2]
    if len(enough) < 2:
        return []
    low, high = share(float(enough.min()), n), share(float(counts.max()), n)
    if low * k > 0.5 or (low >= IMBALANCED and high < 0.9):
        return []  # many classes are all rare; what counts is how uneven they are
    least = int(np.where(counts >= 2, counts, n + 1).argmin())
    return [
        Finding(
            check="imbalance",
            severity="warn" if low < 0.01 and enough.min() < 100 else "info",
            headline=f"Class `{context.problem.labels[least]}` has {int(counts[least]):,} of {n:,} "
            f"rows ({percent(low)}); always saying "
            f"`{context.problem.labels[int(counts.argmax())]}` is right in {percent(high)}",
            columns=(context.problem.target,),
            number=low,
            unit="share of the rarest class",
            examples=tuple(
                f"{label}: {int(c):,}"
                for label, c in zip(context.problem.labels[:5], counts[:5], strict=False)
            ),
            done="kept as it is; probabilities are calibrated to these shares",
            evidence={"test": "exact count", "n": n, "limit": IMBALANCED},
        )
    ]


def find_capped_target(context: Context) -> list[Finding]:
    """One end value of a number that is far more frequent than its neighbours: a cap."""
    if context.problem.form != "values":
        return []
    values, counts = np.unique(context.target, return_counts=True)
    if len(values) < 50:
        return []
    n = len(context.target)
    findings = []
    for end, near in ((-1, slice(-21, -1)), (0, slice(1, 21))):
        count, usual = int(counts[end]), float(np.median(counts[near]))
        top = np.sort(counts)[-2] if counts.argmax() == end % len(counts) else counts.max()
        if count < max(20, 0.005 * n) or count < 5 * usual or (end == 0 and values[0] == 0):
            continue
        side = "upper" if end == -1 else "lower"
        findings.append(
            Finding(
                check="capped target",
                severity="warn",
                headline=f"`{context.problem.target}` ends at {plain_number(values[end])} in "
                f"{count:,} rows ({percent(count / n)}): it looks capped",
                columns=(context.problem.target,),
                number=count / n,
                unit="share of rows",
                examples=(plain_number(values[end]),),
                done=f"kept; true values beyond the {side} cap cannot be learnt",
                evidence={
                    "test": "exact count of the end value against its 20 neighbours",
                    "statistic": count / max(usual, 1.0),
                    "most_frequent_other": int(top),
                    "n": n,
                },
            )
        )
    return findings


def find_long_tail(context: Context) -> list[Finding]:
    """A skewed number as target, where a few rows decide a squared error."""
    if context.problem.form != "values" or len(context.target) < 20:
        return []
    y = context.target - context.target.mean()
    sd = float(y.std())
    if sd == 0:
        return []
    skew = float((y**3).mean()) / sd**3
    if abs(skew) < LONG_TAIL:
        return []
    squares = np.sort(y**2)[::-1]
    top = float(squares[: max(1, len(y) // 100)].sum() / squares.sum())
    return [
        Finding(
            check="long tail of the target",
            severity="info",
            headline=f"`{context.problem.target}` has a long tail: 1% of the rows hold "
            f"{percent(top)} of its variance",
            columns=(context.problem.target,),
            number=skew,
            unit="skewness",
            examples=tuple(f"{v:.6g}" for v in np.quantile(context.target, [0.5, 0.99, 1.0])),
            done="kept; learners may fit its logarithm",
            evidence={"test": "moment", "statistic": skew, "n": len(y), "limit": LONG_TAIL},
        )
    ]


def find_infinite(context: Context) -> list[Finding]:
    """Infinite numbers in features count as missing."""
    findings = []
    for column in context.features:
        facts = context.facts[column.name]
        if column.kind != "number" or not facts.quantiles:
            continue
        ends = facts.quantiles[0], facts.quantiles[-1]
        if np.isfinite(ends).all():
            continue
        count = int(np.isinf(context.numbers(column.name)).sum())
        findings.append(
            Finding(
                check="infinite values",
                severity="warn",
                headline=f"`{column.name}` is infinite in {counted(count, 'row')}",
                columns=(column.name,),
                number=float(count),
                unit="rows",
                examples=tuple(str(e) for e in ends if np.isinf(e)),
                done="infinite counts as missing",
                evidence={"test": "exact count", "n": context.table.n_rows},
                acts=(Act("blank", column.name, ("inf", "-inf")),),
            )
        )
    return findings


def find_outliers(context: Context) -> list[Finding]:
    """Numbers 20 quartile distances and more away: few, so perhaps mistakes."""
    hits: dict[str, tuple[int, float]] = {}
    for column in context.features:
        facts = context.facts[column.name]
        if column.kind != "number" or not facts.quantiles:
            continue
        low, high = facts.quantiles[2], facts.quantiles[4]
        reach = FAR_OUT * (high - low)
        if not reach > 0 or not (
            facts.quantiles[-1] > high + reach or facts.quantiles[0] < low - reach
        ):
            continue
        values = context.numbers(column.name)
        with np.errstate(invalid="ignore"):
            far = np.isfinite(values) & ((values > high + reach) | (values < low - reach))
        count = int(far.sum())
        if 0 < count <= max(5, 0.001 * len(values)):
            furthest = values[far][np.abs(values[far] - low).argmax()]
            hits[column.name] = (count, float(furthest))
    if not hits:
        return []
    names = list(hits)
    total = sum(count for count, _ in hits.values())
    return [
        Finding(
            check="far values",
            severity="info",
            headline=f"{counted(total, 'value')} very far from all others, in {listed(names)}",
            columns=tuple(names),
            number=float(total),
            unit="values",
            examples=tuple(f"{name}: {value:.6g}" for name, (_, value) in list(hits.items())[:5]),
            done="kept",
            evidence={
                "test": "exact count beyond 20 quartile distances",
                "n": context.table.n_rows,
                "values": {name: count for name, (count, _) in hits.items()},
            },
        )
    ]


def _single_finding(context: Context, names: list[str], n: int) -> Finding:
    return Finding(
        check="rare classes",
        severity="warn",
        headline=f"{len(names)} {'class has' if len(names) == 1 else 'classes have'} one row: "
        + listed(names),
        columns=(context.problem.target,),
        number=float(len(names)),
        unit="classes",
        examples=tuple(names[:5]),
        done="their rows are left out: they can be learnt or judged, not both",
        evidence={"test": "exact count", "n": n},
        acts=(Act("drop_value", context.problem.target, tuple(names)),),
    )


def _counts(context: Context) -> Array:
    return np.bincount(context.target.astype(np.int64), minlength=len(context.problem.labels))


def _outside(context: Context) -> int:
    """Rows that have a target which is none of the problem's classes."""
    known = context.table.n_rows - context.facts[context.problem.target].n_missing
    return max(known - len(context.known), 0)


CHECKS = (
    Check("missing target", "facts", find_missing_target),
    Check("rare classes", "facts", find_rare_classes),
    Check("imbalance", "facts", find_imbalance),
    Check("capped target", "facts", find_capped_target),
    Check("long tail of the target", "facts", find_long_tail),
    Check("infinite values", "facts", find_infinite),
    Check("far values", "facts", find_outliers),
)
