"""Changes that a simulation makes on the way: of a column, of the schema, of what is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import polars as pl

from everfit.errors import UsageError

Kind = Literal[
    "shift", "scale", "swap", "missing", "drop", "rename", "retype", "labels", "silent", "late",
    "same",
]  # fmt: skip
OF_TARGET: tuple[Kind, ...] = ("labels", "silent", "late", "same")
TOLD: tuple[Kind, ...] = ("silent", "late", "same")  # what turned out stays as it is
NUMERIC: tuple[Kind, ...] = ("shift", "scale")
RENAMED = "_new"  # behind the name of a column that was renamed
_WORD = re.compile(
    r"(?P<kind>[a-z]+):(?P<column>.*?)(:(?P<size>[^:@]*))?@(?P<start>\d+)(-(?P<end>\d+))?"
)
EXPECTED = "KIND:COLUMN[:SIZE]@WINDOW[-WINDOW], such as shift:age:0.5@20"
DO = 'for example --drift "shift:age:0.5@20" or --drift "labels::0.1@20-40"'


@dataclass(frozen=True, slots=True)
class Drift:
    """One change from window ``start`` on, fully there at ``end`` (it grows in between).

    Of a column: ``shift`` adds ``size`` standard deviations, ``scale`` multiplies the spread,
    ``swap`` gives this share of the rows the value of another row, ``missing`` blanks this share,
    ``drop`` leaves the column out, ``rename`` calls it otherwise, ``retype`` writes it as words.

    Of the target, without a column: ``labels`` gives this share of the rows the target of another
    row. What turned out stays, and is told otherwise: ``silent`` outcomes of this share never come,
    ``late`` ones come ``size`` windows later, and ``same`` tells of this share one and the same.
    """

    kind: Kind
    column: str
    size: float
    start: int
    end: int

    def strength(self, index: int) -> float:
        """How much of it is there in window ``index``, from 0 to 1."""
        if index < self.start:
            return 0.0
        return min(1.0, (index - self.start + 1) / (self.end - self.start + 1))


def read_drift(text: str) -> Drift:
    """A drift from its words.

    Raises
    ------
    UsageError : they are none

    Examples
    --------
    >>> read_drift("shift:age:0.5@20")
    Drift(kind='shift', column='age', size=0.5, start=20, end=20)
    >>> read_drift("labels::0.1@5-15").end
    15
    """
    found = _WORD.fullmatch(text.strip())
    kinds = get_args(Kind)
    try:
        if found is None or found["kind"] not in kinds:
            raise ValueError
        size = float(found["size"] or 1.0)
        start = int(found["start"])
        end = int(found["end"] or start)
        if end < start or not np.isfinite(size):
            raise ValueError
        if bool(found["column"]) == (found["kind"] in OF_TARGET):
            raise ValueError
    except ValueError:
        raise UsageError(
            "a drift cannot be read",
            got=repr(text),
            expected=f"{EXPECTED}; kinds: {', '.join(kinds)}; "
            f"without a column: {', '.join(OF_TARGET)}",
            do=DO,
        ) from None
    return Drift(found["kind"], found["column"], size, start, end)  # type: ignore[arg-type]


def check_drifts(rows: pl.DataFrame, target: str, drifts: Sequence[Drift], n_windows: int) -> None:
    """Refuse drifts that could not be made, before anything is simulated.

    Raises
    ------
    UsageError : one names a column that is not there, is no number, or is the target, or begins
        after the last window
    """
    features = [name for name in rows.columns if name != target]
    for drift in drifts:
        if drift.start >= n_windows:
            raise UsageError(
                f"the drift {drift.kind!r} begins after the last window",
                got=f"window {drift.start}",
                expected=f"a window from 0 to {n_windows - 1}",
                do="give an earlier one, or more windows: --windows",
            )
        if drift.kind in OF_TARGET:
            continue
        if drift.column not in features:
            raise UsageError(
                f"there is no column {drift.column!r} to {drift.kind}",
                got=drift.column,
                expected="one of: " + ", ".join(features[:10]),
                do=DO,
            )
        if drift.kind in NUMERIC and not rows[drift.column].dtype.is_numeric():
            raise UsageError(
                f"{drift.column!r} is no number, so it cannot {drift.kind}",
                got=str(rows[drift.column].dtype),
                expected="a column of numbers",
                do="for other columns: swap, missing, drop, rename",
            )


def drifted(
    rows: pl.DataFrame, target: str, drifts: Iterable[Drift], index: int, *, seed: int
) -> pl.DataFrame:
    """The rows of window ``index`` with the changes that are there by then.

    What another drift took away before, such as a dropped column, changes no more.
    """
    for number, drift in enumerate(drifts):
        strength = drift.strength(index)
        name = target if drift.kind == "labels" else drift.column
        if drift.kind not in TOLD and strength > 0.0 and name in rows.columns:
            rng = np.random.default_rng([seed, index, number])
            rows = _changed(rows, drift, name, strength, rng)
    return rows


def _changed(
    rows: pl.DataFrame, drift: Drift, name: str, strength: float, rng: np.random.Generator
) -> pl.DataFrame:
    if drift.kind == "drop":
        return rows.drop(name)
    if drift.kind == "rename":
        return rows.rename({name: name + RENAMED})
    if drift.kind == "retype":
        words = pl.lit("value ") + pl.col(name).cast(pl.String)
        return rows.with_columns(words.alias(name))
    column, n = rows[name], rows.height
    if drift.kind in NUMERIC:
        values = column.cast(pl.Float64)
        middle, sd = values.mean() or 0.0, values.std() or 1.0
        factor = 1.0 + (drift.size - 1.0) * strength
        moved = (
            values + drift.size * strength * sd
            if drift.kind == "shift"
            else (values - middle) * factor + middle
        )
        return rows.with_columns(moved.alias(name))
    hit = pl.Series(rng.random(n) < drift.size * strength)
    if drift.kind == "missing":
        return rows.with_columns(pl.when(hit).then(None).otherwise(pl.col(name)).alias(name))
    other = column.gather(rng.permutation(n))
    return rows.with_columns(pl.when(hit).then(other).otherwise(pl.col(name)).alias(name))


def told(
    outcomes: pl.Series, drifts: Iterable[Drift], index: int, *, seed: int
) -> tuple[pl.Series, float]:
    """What is told of the outcomes of window ``index``, and how many windows too late.

    Examples
    --------
    >>> told(pl.Series(["no", "yes"]), [read_drift("late::3@0")], 0, seed=0)[1]
    3.0
    """
    late = 0.0
    for number, drift in enumerate(drifts):
        strength = drift.strength(index)
        if drift.kind not in TOLD or strength <= 0.0:
            continue
        rng = np.random.default_rng([seed, index, number])
        hit = pl.Series(rng.random(len(outcomes)) < drift.size * strength)
        if drift.kind == "late":
            late += drift.size * strength
        elif drift.kind == "silent":
            outcomes = _where(hit, pl.lit(None), outcomes)
        elif len(outcomes):
            usual = outcomes.drop_nulls().mode().sort()
            outcomes = _where(hit, pl.lit(usual[0] if len(usual) else None), outcomes)
    return outcomes, late


def _where(hit: pl.Series, then: pl.Expr, otherwise: pl.Series) -> pl.Series:
    name = otherwise.name
    frame = pl.DataFrame({"hit": hit, "value": otherwise})
    picked = pl.when(pl.col("hit")).then(then).otherwise(pl.col("value"))
    return frame.select(picked.cast(otherwise.dtype).alias(name)).to_series()
