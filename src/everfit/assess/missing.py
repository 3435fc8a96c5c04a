"""Missing values, and values that stand for missing without saying so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from everfit.assess.check import (
    Check,
    Context,
    as_numbers,
    chi_squared,
    counted,
    listed,
    percent,
    plain_number,
    share,
    welch,
)
from everfit.data.columns.collect import as_words
from everfit.evidence.multiple import holm
from everfit.records import Act, Array, Finding

ALPHA = 0.05
# smaller effects than these (Cramer's V; standard deviations) are true of any large file
LEAST_EFFECT = {"probabilities": 0.1, "values": 0.2}
MARK = re.compile(r"-?9{2,}(\.0)?|-1|-\d00+|2147483647|-2147483648|32767|65535|-32768")
FAR = 10.0  # a mark lies this many times further out than all other values
APART = 1.5  # and is worth a word from here
NEVER_WORDS = ("?", "", "-", "--", "n/a", "na", "nan", "null", "nil", "missing", "#n/a", "#na")
MAYBE_WORDS = ("unknown", "unk", "other/unknown", "not available", "unspecified", "xna")
DATE_MARKS = ("1900-01-01", "1970-01-01", "9999-12-31", "2099-12-31", "1899-12-30")
ZERO_SD = 3.0  # zero lies this many (robust) standard deviations below the middle of the rest
ZERO_SHARE = 0.10


def find_missing(context: Context) -> list[Finding]:
    """How much is missing, and where, as one finding."""
    n = context.table.n_rows
    missing = {
        c.name: c.n_missing
        for c in context.profile.columns
        if c.n_missing and c.name != context.problem.target and c.n_distinct
    }
    if not missing:
        return []
    names = sorted(missing, key=lambda name: -missing[name])
    worst = share(missing[names[0]], n)
    most = (
        f", most in `{names[0]}` ({percent(worst)})" if len(names) > 1 else f" ({percent(worst)})"
    )
    have = "columns have" if len(names) > 1 else "column has"
    return [
        Finding(
            check="missing values",
            severity="warn" if worst > 0.5 else "info",
            headline=f"{len(names)} {have} missing values: {listed(names)}{most}",
            columns=tuple(names),
            number=worst,
            unit="share of rows, worst column",
            examples=tuple(f"{name}: {missing[name]:,}" for name in names[:5]),
            done="kept; each learner handles missing values as a value of their own",
            evidence={"test": "exact count", "n": n, "missing": {k: missing[k] for k in names}},
        )
    ]


def find_missing_related(context: Context) -> list[Finding]:
    """Columns where missing goes with the target: chi-squared or Welch t, Holm over columns."""
    form = context.problem.form
    tested: dict[str, tuple[float, float, float]] = {}
    for column in context.features:
        gone = context.series(column.name, context.known).is_null().to_numpy()
        if min(gone.sum(), (~gone).sum()) < 10:
            continue
        if form == "probabilities":
            tested[column.name] = chi_squared(gone, context.target, len(context.problem.labels))
        else:
            tested[column.name] = welch(context.target[gone], context.target[~gone])
    if not tested:
        return []
    names = list(tested)
    adjusted = dict(zip(names, holm([tested[k][1] for k in names]), strict=True))
    hits = [k for k in names if adjusted[k] < ALPHA and tested[k][2] > LEAST_EFFECT[form]]
    if not hits:
        return []
    hits.sort(key=lambda name: -tested[name][2])
    test = "chi-squared" if form == "probabilities" else "Welch t"
    effect = "Cramer's V" if form == "probabilities" else "standard deviations"
    return [
        Finding(
            check="missing related to the target",
            severity="info",
            headline=f"Missing is not at random in {listed(hits)}: "
            f"`{context.problem.target}` differs where it is missing",
            columns=tuple(hits),
            number=tested[hits[0]][2],
            unit=f"{effect}, strongest column",
            done="kept; that a value is missing is used as a fact",
            evidence={
                "test": f"{test}, Holm over {len(names)} columns",
                "statistic": {k: tested[k][0] for k in hits},
                "p": {k: float(adjusted[k]) for k in hits},
                "n": len(context.target),
            },
        )
    ]


def find_marks(context: Context) -> list[Finding]:
    """Numbers such as 99999999 or -999 that stand apart from all others and repeat."""
    findings = []
    for column in context.features:
        if column.kind == "number":
            findings += _mark_of(context, column.name)
        elif column.kind == "date":
            findings += _date_mark_of(context, column.name)
    return findings


def find_zeros(context: Context) -> list[Finding]:
    """Zeros where a zero cannot be: far below a bell of other values, and few.

    A column whose zeros fall on the same rows as such zeros is taken along (insulin and skin
    thickness of ``pima``), because no one measured anything in those rows.
    """
    candidates: dict[str, Array] = {}
    sure: dict[str, Mapping[str, float]] = {}
    for column in context.features:
        facts = context.facts[column.name]
        if column.kind != "number" or not facts.quantiles or facts.quantiles[0] != 0.0:
            continue
        values = context.numbers(column.name)
        found = _zero_facts(values)
        if found is None:
            continue
        candidates[column.name] = values == 0
        bell = found["robust_sd_below"] >= ZERO_SD and found["share"] <= ZERO_SHARE
        if bell and found["zeros"] >= 5 and not _acts_small(context, values):
            sure[column.name] = found
    taken = _taken_along(candidates, sure)
    return [_zero_finding(name, {**sure, **taken}[name], context) for name in [*sure, *taken]]


def find_words(context: Context) -> list[Finding]:
    """Words such as ``?`` (blanked) and ``unknown`` (kept as a level) in categories."""
    kept, findings = {}, []
    for column in context.features:
        if column.kind not in ("category", "ordered"):
            continue
        values = context.series(column.name)
        counts = values.drop_nulls().value_counts()
        words = {str(word): int(count) for word, count in counts.rows()}
        plain = {w: c for w, c in words.items() if w.strip().lower() in NEVER_WORDS}
        maybe = {w: c for w, c in words.items() if w.strip().lower() in MAYBE_WORDS}
        if plain and len(words) - len(plain) >= 2:
            findings.append(_word_finding(column.name, plain, context.table.n_rows))
        if maybe:
            kept[column.name] = maybe
    if kept:
        examples = [f"{name}: {w!r} {c:,}" for name, m in kept.items() for w, c in m.items()]
        findings.append(
            Finding(
                check="words for missing",
                severity="info",
                headline=f"Words such as 'unknown' stand in {listed(kept)}",
                columns=tuple(kept),
                number=float(sum(c for m in kept.values() for c in m.values())),
                unit="cells",
                examples=tuple(examples[:5]),
                done="kept as a level of its own",
                evidence={"test": "exact count", "n": context.table.n_rows, "words": kept},
            )
        )
    return findings


def _mark_of(context: Context, name: str) -> list[Finding]:
    facts = context.facts[name]
    if facts.n_distinct < 10 or not facts.quantiles:
        return []
    values = context.numbers(name)
    values = values[np.isfinite(values)]
    for end in (facts.quantiles[-1], facts.quantiles[0]):
        mark = plain_number(end)
        if not np.isfinite(end) or not MARK.fullmatch(mark):
            continue
        rest = values[values != end]
        count = len(values) - len(rest)
        ratio = _apart(end, rest)
        if count >= 2 and ratio > APART:
            return [_mark_finding(name, mark, ratio, rest, values)]
    return []


def _apart(end: float, rest: Array) -> float:
    """How many times further from the middle ``end`` lies than the furthest of the rest.

    A -1 below values that are never negative counts as far when those values are many.
    """
    middle, low, high = float(np.median(rest)), float(rest.min()), float(rest.max())
    reach = max(high - middle, middle - low)
    if end < 0 <= low:
        return FAR if len(np.unique(rest[:5000])) >= 10 else 0.0
    if reach == 0:
        return 0.0
    return abs(end - middle) / reach


def _mark_finding(name: str, mark: str, ratio: float, rest: Array, values: Array) -> Finding:
    count, n = len(values) - len(rest), len(values)
    sure = ratio >= FAR
    ends = f"all other values lie between {rest.min():,.6g} and {rest.max():,.6g}"
    return Finding(
        check="disguised missing values",
        severity="warn" if sure else "info",
        headline=f"`{name}` is {mark} in {counted(count, 'row')}; {ends}"
        + ("" if sure else ": a cap, or a mark for missing"),
        columns=(name,),
        number=float(count),
        unit="rows",
        examples=(mark,),
        done=f"{mark} counts as missing" if sure else "kept: it may be a true upper limit",
        evidence={
            "test": "exact count of a repeated end value",
            "statistic": ratio,
            "unit": "distance from the median, in reaches of all other values",
            "limit": FAR,
            "n": n,
        },
        acts=(Act("blank", name, (mark,)),) if sure else (),
    )


def _date_mark_of(context: Context, name: str) -> list[Finding]:
    values = context.series(name).drop_nulls()
    if values.len() < 20:
        return []
    days = values.dt.strftime("%Y-%m-%d")
    seconds = as_numbers(values)
    for mark in DATE_MARKS:
        hit = (days == mark).to_numpy()
        if not 2 <= hit.sum() < len(hit):
            continue
        rest = seconds[~hit]
        gap = max(rest.min() - seconds[hit].max(), seconds[hit].min() - rest.max())
        if gap > max(rest.max() - rest.min(), 86_400.0 * 365):
            words = sorted(as_words(values.filter(pl.Series(hit)).unique()).to_list())
            return [
                Finding(
                    check="disguised missing values",
                    severity="warn",
                    headline=f"`{name}` is {mark} in {int(hit.sum()):,} rows, far from all others",
                    columns=(name,),
                    number=float(hit.sum()),
                    unit="rows",
                    examples=(mark,),
                    done=f"{mark} counts as missing",
                    evidence={
                        "test": "exact count of a repeated end value",
                        "statistic": gap / 86_400,
                        "unit": "days to the nearest other date",
                        "n": context.table.n_rows,
                    },
                    acts=(Act("blank", name, tuple(words)),),
                )
            ]
    return []


def _zero_facts(values: Array) -> dict[str, float] | None:
    """What speaks for a zero that stands for missing; None when zeros join on to the rest."""
    known = values[np.isfinite(values)]
    rest = np.sort(known[known != 0])
    zeros = len(known) - len(rest)
    if zeros < 2 or len(rest) < 50 or rest[0] <= 0:
        return None
    distinct = np.unique(rest)
    if len(distinct) < 20:
        return None
    middle = float(np.median(rest))
    spacing = float(np.median(np.diff(distinct)))
    # zero must be isolated: a gap of many spacings, and no small part of the way to the middle
    if rest[0] < 5 * spacing or rest[0] < 0.1 * middle:
        return None
    spread = 1.4826 * float(np.median(np.abs(rest - middle))) or float(rest.std())
    return {
        "zeros": float(zeros),
        "share": zeros / len(known),
        "smallest_other": float(rest[0]),
        "median_other": middle,
        "robust_sd_below": middle / spread if spread else 0.0,
    }


def _acts_small(context: Context, values: Array) -> bool:
    """Whether the target at zero continues what it does at small values: then zero is a number.

    The mean target (or class shares) at zero must differ from all other rows beyond noise, in the
    direction of the smallest quarter of them (garages of no area are cheaper than small ones).
    """
    x, y = values[context.known], context.target
    zero, rest = x == 0, np.isfinite(x) & (x != 0)
    if zero.sum() < 10:
        return False
    small = rest & (x <= np.quantile(x[rest], 0.25))
    if context.problem.form == "probabilities":
        k = len(context.problem.labels)
        p = chi_squared(zero[zero | rest], y[zero | rest], k)[1]
        wanted = np.eye(k)[y.astype(np.int64)]
    else:
        p = welch(y[zero], y[rest])[1]
        wanted = y[:, None]
    middle = wanted[rest].mean(axis=0)
    away, trend = wanted[zero].mean(axis=0) - middle, wanted[small].mean(axis=0) - middle
    return bool(p < 0.001 and away @ trend > 0)


def _taken_along(
    candidates: Mapping[str, Array], sure: Mapping[str, Mapping[str, float]]
) -> dict[str, Mapping[str, Any]]:
    """Columns whose zeros fall on the rows of zeros already seen through, by chi-squared."""
    known = dict.fromkeys(sure)
    taken: dict[str, Mapping[str, Any]] = {}
    changed = True
    while changed:
        changed = False
        for name in [c for c in candidates if c not in known]:
            zero = candidates[name]
            for other in known:
                seen = candidates[other]
                both, p = (zero & seen).sum(), 1.0
                if min(seen.sum(), zero.sum()) >= 10:
                    p = chi_squared(seen, zero.astype(np.float64), 2)[1]
                # nearly all rows without `other` must be without this one as well
                if p < 1e-6 and both >= 0.8 * min(seen.sum(), zero.sum()):
                    taken[name] = {
                        "zeros": float(zero.sum()),
                        "share": float(zero.mean()),
                        "p": p,
                        "shared_rows": float(both),
                        "with": str(other),
                    }
                    known[name] = None
                    changed = True
                    break
    return taken


def _zero_finding(name: str, facts: Mapping[str, Any], context: Context) -> Finding:
    zeros = int(facts["zeros"])
    if "smallest_other" in facts:
        why = f"all other values are {facts['smallest_other']:.4g} or more"
        test = "exact count; robust distance of zero from the rest"
    else:
        why = f"on the same rows as the zeros of `{facts['with']}`"
        test = "chi-squared of zeros on the same rows"
    return Finding(
        check="disguised missing values",
        severity="warn",
        headline=f"`{name}` is 0 in {counted(zeros, 'row')} ({percent(facts['share'])}); {why}",
        columns=(name,),
        number=float(zeros),
        unit="rows",
        examples=("0",),
        done="0 counts as missing",
        evidence={"test": test, "n": context.table.n_rows, **facts},
        acts=(Act("blank", name, ("0",)),),
    )


def _word_finding(name: str, words: Mapping[str, int], n: int) -> Finding:
    shown = ", ".join(f"{w!r}" for w in words)
    return Finding(
        check="words for missing",
        severity="warn",
        headline=f"`{name}` has {shown} in {sum(words.values()):,} rows: words for missing",
        columns=(name,),
        number=float(sum(words.values())),
        unit="rows",
        examples=tuple(words),
        done=f"{shown} counts as missing",
        evidence={"test": "exact count", "n": n, "words": dict(words)},
        acts=(Act("blank", name, tuple(words)),),
    )


CHECKS = (
    Check("disguised missing values", "facts", find_marks),
    Check("zeros for missing", "facts", find_zeros),
    Check("words for missing", "facts", find_words),
    Check("missing values", "facts", find_missing),
    Check("missing related to the target", "rows", find_missing_related),
)
