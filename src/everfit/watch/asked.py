"""One window of traffic, reduced once to a small record: what was asked, and what was answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from everfit.column import Array, Column
from everfit.data.conform import fit_column
from everfit.records import Problem, Window
from everfit.tasks import Task
from everfit.watch.apart import apart
from everfit.watch.estimate.window import estimate
from everfit.watch.quality import odd_columns, repeated
from everfit.watch.reference import (
    Reference,
    answer_series,
    answers_of,
    as_record,
    feature,
    features_of,
    marked,
    reference_of_traffic,
)
from everfit.watch.skew import recomputed, verified
from everfit.watch.usual import Limits, Usual, scores, summed

DIGITS = 6  # of what is kept: errors are known to fewer
MOST_WORD = 40  # characters of a value that a finding shows

Verify = Callable[[pl.DataFrame], Array]
Lookup = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Beside:
    """What a window can be held against besides its reference; each may be left out.

    ``problem`` and ``task`` give an estimate of the loss without outcomes; ``lookup`` the source's
    rows for requests with keys, each with its ``key``; ``columns`` and ``limits`` what a version
    asks for whose folder has no reference: its first window then becomes it.
    """

    problem: Problem | None = None
    task: Task | None = None
    lookup: Lookup | None = None
    columns: tuple[Column, ...] = ()
    limits: Mapping[str, Limits] = field(default_factory=dict)


def asked(
    frame: pl.DataFrame,
    reference: Reference | None,
    *,
    start: datetime,
    end: datetime,
    version: int,
    seed: int = 0,
    verify: Verify | None = None,
    beside: Beside | None = None,
) -> Window:
    """Reduce the traffic of one window; a frame of the log in, a record of a few kB out.

    Parameters
    ----------
    frame : as ``Record.joined`` gives it; answers of shadows and of other versions are not counted
    reference : of ``version``; None makes one of this window where ``beside`` says which columns
    version : which answered most of the window
    verify : answers (n, n_outputs) of the packed version to rows, to be held against the log

    Notes
    -----
    ``facts`` holds ``away`` and ``errors`` in the order of ``reference.statistics``: how far the
    mean of each score is from the reference and its standard error; ``middles`` by column; counts
    of what did not fit by column (``odd``); ``schema``; ``apart``; ``verified``; ``recomputed``;
    ``estimate``.
    """
    beside = beside or Beside()
    mine = _mine(frame, version)
    facts: dict[str, Any] = {"rows": frame.height, "warned": _warned(mine)}
    if reference is None and beside.columns:
        labels = beside.problem.labels if beside.problem is not None else ()
        made = reference_of_traffic(
            mine, beside.columns, beside.limits, labels=labels, version=version
        )
        if made is not None:
            facts |= {"reference": as_record(made)} | _held(mine, made)
    elif reference is not None and mine.height:
        facts |= _held(mine, reference) | _besides(mine, reference, beside, seed)
        if verify is not None:
            facts["verified"] = verified(mine, reference, verify, seed=seed)
    return Window("asked", start, end, version, mine.height, facts)


def _besides(mine: pl.DataFrame, reference: Reference, beside: Beside, seed: int) -> dict[str, Any]:
    """Columns and rows as they came, the source's word for them, and the loss to be expected."""
    features = features_of(mine)
    facts: dict[str, Any] = {
        "schema": odd_columns(features, reference),
        "repeated": repeated(features),
    }
    if (told := apart(mine, reference)) is not None:
        facts["apart"] = told
    if beside.lookup is not None:
        facts["recomputed"] = recomputed(mine, reference, beside.lookup, seed=seed)
    if beside.problem is not None and beside.task is not None:
        facts["estimate"] = estimate(
            mine, reference, problem=beside.problem, task=beside.task, seed=seed
        )
    return facts


def _mine(frame: pl.DataFrame, version: int) -> pl.DataFrame:
    """The version's own answers to requests: not what shadows said."""
    if "arm" in frame.columns:
        frame = frame.filter(pl.col("arm").is_null() | (pl.col("arm") != "shadow"))
    if "version" in frame.columns and frame["version"].dtype.is_integer():
        frame = frame.filter(pl.col("version") == version)
    return frame


def _held(frame: pl.DataFrame, reference: Reference) -> dict[str, Any]:
    """Every column and every answer held against the reference."""
    away: list[float] = []
    errors: list[float] = []
    middles: list[float | str | None] = []
    odd: dict[str, dict[str, Any]] = {}
    for usual in reference.columns:
        values = feature(frame, usual.name)
        if values is None:
            fitted = pl.Series(usual.name, [None] * frame.height, dtype=pl.String)
            found = {"absent": True}
        else:
            bare = marked(values, usual.column)
            fitted, lost = fit_column(bare, usual.column)
            found = _odd(bare, fitted, lost, usual)
        if found:
            odd[usual.name] = found
        _add(fitted, usual, away, errors, middles)
    said = answers_of(frame, reference.labels)
    for usual, values in zip(
        reference.answered, answer_series(said, reference.labels), strict=True
    ):
        _add(values, usual, away, errors, middles)
    kept: dict[str, Any] = {"away": _short(away), "errors": _short(errors), "middles": middles}
    if odd:
        kept["odd"] = odd
    if reference.labels:
        best = np.where(np.isnan(said).any(axis=1), -1, np.nan_to_num(said).argmax(axis=1))
        kept["labels"] = [int((best == k).sum()) for k in range(len(reference.labels))]
    kept["unanswered"] = int(np.isnan(said).any(axis=1).sum())
    return kept


def _add(
    values: pl.Series,
    usual: Usual,
    away: list[float],
    errors: list[float],
    middles: list[float | str | None],
) -> None:
    if len(values) == values.null_count() and usual.column.kind == "number":
        values = values.cast(pl.Float64)
    found, error = summed(scores(values, usual), usual)
    away += found
    errors += error
    middles.append(_middle(values, usual))


def _middle(values: pl.Series, usual: Usual) -> float | str | None:
    """The typical value: the median of numbers or lengths, the most frequent word."""
    known = values.drop_nulls()
    if known.is_empty():
        return None
    if usual.column.kind == "text":
        known = known.str.len_chars()
    if usual.column.kind in ("number", "text"):
        return _digits(float(known.cast(pl.Float64).median() or 0.0))  # type: ignore[arg-type]
    if usual.column.kind in ("category", "ordered", "boolean"):
        return str(known.mode().sort()[0])[:MOST_WORD]
    return None


def _odd(values: pl.Series, fitted: pl.Series, lost: pl.Series, usual: Usual) -> dict[str, Any]:
    """What did not fit: values of another type, unknown levels, numbers out of range; one value."""
    found: dict[str, Any] = {}
    if n := int(lost.sum()):
        found |= {"misfit": n, "example": str(values.filter(lost)[0])[:MOST_WORD]}
        found["type"] = "text" if values.dtype == pl.String else str(values.dtype).lower()
    known = fitted.drop_nulls()
    if usual.column.kind == "number" and usual.low is not None and usual.high is not None:
        beyond = known.filter((known < usual.low) | (known > usual.high))
        if len(beyond):
            found |= {"outside": len(beyond), "far": _digits(float(beyond[0]))}
    if usual.levels and usual.column.kind in ("category", "ordered"):
        new = known.filter(~known.is_in(list(usual.levels)))
        if len(new):
            found |= {"new": len(new), "level": str(new[0])[:MOST_WORD]}
    varied = len(usual.knots) > 1 or len(usual.levels) > 1
    if varied and len(known) >= 20 and known.n_unique() == 1:
        found |= {"constant": str(known[0])[:MOST_WORD]}
    return found


def _warned(frame: pl.DataFrame) -> int:
    """Answers that came with a warning."""
    if not isinstance(frame.schema.get("warnings"), pl.List):
        return 0
    return int((frame["warnings"].list.len().fill_null(0) > 0).sum())


def _short(numbers: Sequence[float]) -> list[float | None]:
    return [None if np.isnan(x) else _digits(x) for x in numbers]


def _digits(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")
