"""The gate: an export answers real rows, and rows made from them, as the version itself does.

Made rows have values missing, moved, swapped between rows, far outside the training range, and
categories that training never saw: where two programs that read the same data part ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from polars.selectors import float as floats

from everfit.errors import Refused, UsageError
from everfit.records import Array, Column
from everfit.serve import Scorer

N_MADE = 1_000
EXACT = 1e-9  # of the value, or of 1 if that is larger: as for golden rows
NEW_LEVEL = "a level that training never saw"
ODD_TEXTS = ("", "WIN 50! call now & later", "Ünïcode ΣΑΣ İstanbul ﬁ 数字 ١٢٣", "a b c")
Answer = Callable[[Sequence[Mapping[str, Any]]], Array]


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the answers of an export are from the version's: the largest of ``rows`` rows.

    A difference counts relative to the answer where that is above 1.
    """

    rows: int
    largest: float
    limit: float


def gate(
    scorer: Scorer, answer: Answer, rows: Iterable[Mapping[str, Any]], *, limit: float, what: str
) -> Parity:
    """Compare ``answer`` with ``scorer`` over ``rows`` and about 1,000 rows made from them.

    Parameters
    ----------
    answer : rows of typed values in (float, bool, str, datetime, or None where missing),
        (n, n_outputs) out
    limit : the largest difference that may be
    what : the export, for the error

    Raises
    ------
    Refused : the answers differ by more; says by how much, and through which column if one alone
        explains it
    UsageError : there are no rows
    """
    given = list(rows)
    table = scorer.as_table(given)
    real = table.frame.with_columns(floats().fill_nan(None)).to_dicts() or [{} for _ in given]
    if not real:
        raise UsageError(
            f"{what} has nothing to be compared on",
            got="no rows",
            expected="rows with answers that are known, such as the golden rows",
            do="export a released version",
        )
    asked = [*real, *made_rows(real, table.columns, n=N_MADE)]
    differ = differences(scorer, answer, asked)
    worst = int(differ.argmax())
    if not differ[worst] <= limit:  # true for NaN
        raise _refused(what, scorer, answer, asked[worst], float(differ[worst]), limit)
    return Parity(len(asked), float(differ[worst]), limit)


def differences(scorer: Scorer, answer: Answer, rows: Sequence[Mapping[str, Any]]) -> Array:
    """The largest difference in each row: (n,), relative above 1; infinite where one is no number.

    Raises
    ------
    Refused : the export gives answers of another shape
    """
    expected, found = answers(scorer, rows), np.asarray(answer(rows), dtype=np.float64)
    if found.shape != expected.shape:
        raise Refused(
            "the export gives answers of another shape",
            got=str(found.shape),
            expected=str(expected.shape),
            do="this is a fault of Everfit: please report it",
        )
    differ = np.abs(found - expected) / np.maximum(np.abs(expected), 1.0)
    return np.asarray(np.where(np.isnan(differ), np.inf, differ).max(axis=1))


def answers(scorer: Scorer, rows: Sequence[Mapping[str, Any]]) -> Array:
    """The version's own answers to rows: (n, n_outputs)."""
    given = [scorer.row(row) for row in rows]
    return np.array([a.probabilities or [a.value] for a in given], dtype=np.float64)


def made_rows(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, n: int, seed: int = 0
) -> list[dict[str, Any]]:
    """``n`` rows made from ``rows`` by changing one to three values of each, or many."""
    rng = np.random.default_rng(seed)
    if not columns:
        return []
    made = []
    for _ in range(n):
        row = dict(rows[int(rng.integers(len(rows)))])
        most = len(columns) if rng.random() < 0.1 else min(3, len(columns))
        for at in rng.choice(len(columns), int(rng.integers(1, most + 1)), replace=False):
            column = columns[int(at)]
            other = rows[int(rng.integers(len(rows)))][column.name]
            row[column.name] = _changed(row[column.name], other, column, rng)
        made.append(row)
    return made


def _changed(value: Any, other: Any, column: Column, rng: np.random.Generator) -> Any:
    way = rng.random()
    if way < 0.2:
        return None
    if way < 0.5:
        return other
    if column.kind == "number":
        base = 0.0 if value is None else float(value)
        ways = (base * (1.0 + 0.1 * rng.standard_normal()), base + 1e6, -base, 0.0, 1e30, 0.5)
        return float(ways[int(rng.integers(len(ways)))])
    if column.kind == "boolean":
        return bool(rng.random() < 0.5)
    if column.kind == "date":
        start = value or other or datetime(2020, 2, 29, 23, 59, 59)
        return start + timedelta(days=float(np.round(400.0 * rng.standard_normal(), 4)))
    if column.kind == "text":
        return f"{value or ''} {ODD_TEXTS[int(rng.integers(len(ODD_TEXTS)))]}"
    return NEW_LEVEL


def _refused(
    what: str, scorer: Scorer, answer: Answer, row: Mapping[str, Any], differs: float, limit: float
) -> Refused:
    without = [{**row, name: None} for name in row]
    left = differences(scorer, answer, without) if without else np.empty(0)
    through = [name for name, rest in zip(row, left, strict=True) if rest <= limit]
    blame = f", through column {through[0]!r}" if len(through) == 1 else ""
    return Refused(
        f"{what} does not answer as the version does",
        got=f"answers that differ by {differs:.3g}{blame}",
        expected=f"at most {limit:.3g} over real rows and rows made from them",
        do="use another kind of export, and report this as a fault of Everfit",
    )
