"""Columns that say nothing, name rows, repeat one another or have very many levels."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import polars as pl

from everfit.assess.check import Check, Context, listed, percent, share
from everfit.records import Act, Array, Column, ColumnProfile, Finding, Kind

NEAR_CONSTANT = 0.999
IDENTIFIER_SHARE = 0.95
ID_NAME = re.compile(
    r"(^|[_\s.\-])(id|ids|uuid|guid|key|index|idx|rowid|row|rownum|nr|no|number|instant|order)$"
    r"|[a-z](Id|ID|Key|Index|Uuid|UUID)$|^[A-Z]{1,3}ID$|^(rownames|unnamed: 0|_c0)$",
    re.ASCII,
)
MANY_LEVELS = 50
TWIN = 0.999  # correlation of columns that carry the same
MAX_ALIKE = 50  # columns of equally many levels that are compared in pairs


def id_like(name: str) -> bool:
    """Whether a name reads like that of an identifier.

    Examples
    --------
    >>> [id_like(n) for n in ("PassengerId", "customer_id", "PID", "paid", "humid", "instant")]
    [True, True, True, False, False, True]
    """
    return bool(ID_NAME.search(name) or ID_NAME.search(name.lower()))


def find_constants(context: Context) -> list[Finding]:
    """Columns with one value, or none; and columns with nearly one value."""
    n = context.table.n_rows
    facts = [context.facts[c.name] for c in [*context.features, *_set_aside(context, "constant")]]
    dead = [f for f in facts if f.n_distinct == 0 or (f.n_distinct == 1 and not f.n_missing)]
    # one value beside missing: whether it is there may still say something
    near = [
        (f.name, share(f.top[0][1], n))
        for f in facts
        if f not in dead and f.n_distinct > 1 and f.top and f.top[0][1] >= NEAR_CONSTANT * n
    ]
    findings = []
    if dead:
        names = [f.name for f in dead]
        findings.append(
            Finding(
                check="constant columns",
                severity="warn",
                headline=f"{_columns(len(names))} one value or none: {listed(names)}",
                columns=tuple(names),
                number=float(len(names)),
                unit="columns",
                examples=tuple(
                    f"{f.name}: {f.top[0][0] if f.top else 'missing'}" for f in dead[:5]
                ),
                done="left out",
                evidence={"test": "exact count of distinct values", "n": n},
                acts=tuple(Act("drop_column", name) for name in names),
            )
        )
    if near:
        findings.append(
            Finding(
                check="constant columns",
                severity="info",
                headline=f"{_columns(len(near))} nearly one value: {listed(k for k, _ in near)}",
                columns=tuple(k for k, _ in near),
                number=max(s for _, s in near),
                unit="share of the most frequent value",
                examples=tuple(
                    f"{context.facts[k].top[0][0]} in {percent(s)}" for k, s in near[:5]
                ),
                done="kept",
                evidence={"test": "exact count", "n": n, "limit": NEAR_CONSTANT},
            )
        )
    return findings


def find_identifiers(context: Context) -> list[Finding]:
    """Columns that name a row: distinct nearly everywhere, and in order, or words, or so named."""
    findings = []
    roles = {context.problem.time, context.problem.group}
    aside = _set_aside(context, "identifier")
    for column in [*aside, *context.features]:
        facts = context.facts[column.name]
        known = context.table.n_rows - facts.n_missing
        if column.name in roles or (known < 20 and column not in aside):
            continue
        distinct = share(facts.n_distinct, known)
        why = ""
        if column in aside:
            why = column.why.split(";")[0] or "set aside when it was read"
        elif distinct > IDENTIFIER_SHARE:
            why = _why_identifier(context, facts)
        if why:
            findings.append(
                Finding(
                    check="identifiers",
                    severity="warn",
                    headline=f"`{column.name}` names rows: {percent(distinct)} of its values "
                    f"are distinct, {why}",
                    columns=(column.name,),
                    number=distinct,
                    unit="share of distinct values",
                    examples=tuple(_head(context, column.name)),
                    done="left out: it would be learnt by heart",
                    evidence={
                        "test": "exact count of distinct values",
                        "statistic": facts.n_distinct,
                        "n": known,
                        "limit": IDENTIFIER_SHARE,
                        "why": why,
                    },
                    acts=(Act("drop_column", column.name),),
                )
            )
    return findings


def find_copies(context: Context) -> list[Finding]:
    """Columns equal to another (left out), and columns that carry the same (kept)."""
    copies, twins = _copies(context)
    findings = []
    for name, first in copies.items():
        findings.append(
            Finding(
                check="copies of columns",
                severity="warn",
                headline=f"`{name}` equals `{first}` in every row",
                columns=(name, first),
                number=float(context.table.n_rows),
                unit="equal rows",
                done=f"`{name}` is left out",
                evidence={"test": "exact comparison", "n": context.table.n_rows},
                acts=(Act("drop_column", name),),
            )
        )
    if twins:
        pairs = [f"`{a}` and `{b}`" for a, b, _ in twins]
        more = f" and {len(pairs) - 3} more pairs" if len(pairs) > 3 else ""
        findings.append(
            Finding(
                check="copies of columns",
                severity="info",
                headline=f"Nearly the same: {'; '.join(pairs[:3])}{more}",
                columns=tuple(dict.fromkeys(name for a, b, _ in twins for name in (a, b))),
                number=float(len(twins)),
                unit="pairs",
                examples=tuple(f"{a} ~ {b}: {r}" for a, b, r in twins[:5]),
                done="kept",
                evidence={"test": "correlation of 0.999 or one-to-one", "n": context.table.n_rows},
            )
        )
    return findings


def find_many_levels(context: Context) -> list[Finding]:
    """Categories with so many levels that most have few rows."""
    n = context.table.n_rows
    hits = [
        (c.name, context.facts[c.name].n_distinct)
        for c in context.features
        if c.kind in ("category", "identifier")
        and context.facts[c.name].n_distinct > max(MANY_LEVELS, 0.05 * n)
    ]
    if not hits:
        return []
    hits.sort(key=lambda pair: -pair[1])
    return [
        Finding(
            check="many levels",
            severity="info",
            headline=f"Most levels have few rows in {listed(name for name, _ in hits)}",
            columns=tuple(name for name, _ in hits),
            number=float(hits[0][1]),
            unit="levels, most",
            examples=tuple(f"{name}: {levels:,} levels" for name, levels in hits[:5]),
            done="kept; rare levels are pooled",
            evidence={"test": "exact count of distinct values", "n": n, "levels": dict(hits)},
        )
    ]


def find_reading_notes(context: Context) -> list[Finding]:
    """What the reader had to do to make sense of the file."""
    notes = context.table.source.notes
    if not notes:
        return []
    return [
        Finding(
            check="reading",
            severity="info",
            headline=notes[0] + (f" ({len(notes) - 1} more notes)" if len(notes) > 1 else ""),
            number=float(len(notes)),
            unit="notes",
            examples=notes[:5],
            done="as the notes say",
            evidence={"test": "exact count", "n": context.table.n_rows},
        )
    ]


def _set_aside(context: Context, kind: Kind) -> list[Column]:
    """Columns of a kind that the reader has already put out of use."""
    return [c for c in context.table.columns if c.role == "ignore" and c.kind == kind]


def _columns(count: int) -> str:
    return "1 column has" if count == 1 else f"{count} columns have"


def _head(context: Context, name: str) -> list[str]:
    return [str(v) for v in context.table.frame[name].drop_nulls().head(3)]


def _why_identifier(context: Context, facts: ColumnProfile) -> str:
    """Why a column of distinct values is an identifier, or an empty string."""
    values = context.series(facts.name).drop_nulls()
    if values.dtype.is_numeric():
        numbers = values.cast(pl.Float64).to_numpy()
        if not np.isfinite(numbers).all() or not (numbers == np.floor(numbers)).all():
            return ""
        if _timestamps(numbers):
            return ""
        steps = np.diff(numbers)
        if (steps > 0).mean() > 0.99 or (steps < 0).mean() > 0.99:
            return "whole numbers in the order of the rows"
        if numbers.max() - numbers.min() + 1 <= 1.05 * len(numbers):
            return "whole numbers without a gap"
        named = id_like(facts.name) or facts.kind == "identifier"
        return "whole numbers under a name of an identifier" if named else ""
    if values.dtype.is_temporal() or facts.kind in ("text", "boolean", "date"):
        return ""
    words = values.cast(pl.String)
    phrases = words.str.contains(r"\s").to_numpy().mean()
    if phrases > 0.2 and not id_like(facts.name):
        return ""  # phrases may be read as text
    return "single words"


def _timestamps(numbers: Array) -> bool:
    """Whole numbers that read as seconds or milliseconds of the years 2001 to 2050."""
    low, high = float(numbers.min()), float(numbers.max())
    return any(978_307_200 * s <= low and high <= 2_524_608_000 * s for s in (1, 1000, 1_000_000))


def _copies(context: Context) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Exact copies (later -> earlier), and pairs that carry the same facts."""
    names = [c.name for c in context.features]
    copies = _equal(context, names)
    place = {name: i for i, name in enumerate(names) if name not in copies}
    twins = []
    for a, b, r in context.profile.correlations:
        if a in place and b in place and abs(r) >= TWIN:
            first, later = (a, b) if place[a] < place[b] else (b, a)
            twins.append((first, later, f"r = {r:.4f}"))
    by_levels: dict[int, list[str]] = {}
    for name in place:
        facts = context.facts[name]
        if facts.kind not in ("date", "text") and 2 < facts.n_distinct <= 1000:
            by_levels.setdefault(facts.n_distinct, []).append(name)
    for alike in by_levels.values():
        for first, later in combinations(alike[:MAX_ALIKE], 2):
            numbers = context.facts[first].kind == context.facts[later].kind == "number"
            # two numbers are seen by their correlation
            if not numbers and _one_to_one(context, first, later):
                twins.append((first, later, "one-to-one"))
    return copies, twins


def _equal(context: Context, names: list[str]) -> dict[str, str]:
    """Columns equal to an earlier one; only those of equal facts are compared cell by cell."""
    seen: dict[object, list[str]] = {}
    copies: dict[str, str] = {}
    for name in names:
        facts = context.facts[name]
        alike = seen.setdefault((facts.n_missing, facts.n_distinct, facts.top), [])
        values = context.series(name).cast(pl.String) if alike else None
        for first in alike:
            if values is not None and values.equals(context.series(first).cast(pl.String)):
                copies[name] = first
                break
        else:
            alike.append(name)
    return copies


def _one_to_one(context: Context, first: str, later: str) -> bool:
    """Whether each value of one goes with one value of the other, missing included."""
    pair = context.table.frame.select(first, later)
    return pair.n_unique() == pair[first].n_unique() == pair[later].n_unique()


CHECKS = (
    Check("reading", "facts", find_reading_notes),
    Check("constant columns", "facts", find_constants),
    Check("identifiers", "facts", find_identifiers),
    Check("copies of columns", "rows", find_copies),
    Check("many levels", "facts", find_many_levels),
)
