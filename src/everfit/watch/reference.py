"""What traffic is held against: rows of the training with answers of models that had not seen them.

A version carries its reference with it (``reference.parquet`` and ``reference.json``, covered by
its manifest). A version that was packed before has none: its first window becomes the reference,
and findings say so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from everfit.column import Array, Column, Form
from everfit.data.conform import fit_column
from everfit.errors import ArtefactRefused
from everfit.evidence.interval import Interval
from everfit.plain import as_plain, from_plain
from everfit.watch.usual import KNOTS, Limits, Usual, usual_of

ROWS, FACTS, FORMAT = "reference.parquet", "reference.json", 1
LOG_NAMES = frozenset(
    {"id", "at", "version", "arm", "key", "value", "probabilities", "low", "high", "warnings", "of",
     "outcome", "outcome_at", "lateness"}
)  # fmt: skip
FEW_KNOTS = 41  # of a reference that is kept in a window's record
MOST_LABELS = 5  # labels whose probability is followed
LEAST_ROWS = 100  # a first window with fewer rows is no reference


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What is usual for one version: of its columns, of its answers, of what turned out.

    Parameters
    ----------
    n : training rows behind it, or rows of the first window
    columns : one :class:`Usual` for each feature that the version asks for
    answered : the same for its answers: the number, or the probability of each label
    label_shares : of the training rows, in the order of ``labels``; empty for numbers
    loss, loss_bound : the certified mean loss with its range, and the bound of one row's loss
    rows, answers, truth : the sample: features (n, columns), out-of-fold answers (n, n_outputs) and
        what was true (n,), class codes or numbers; None for a reference made of traffic
    made_of : where it comes from
    """

    version: int
    n: int
    columns: tuple[Usual, ...]
    answered: tuple[Usual, ...] = ()
    form: Form = "values"
    labels: tuple[str, ...] = ()
    label_shares: tuple[float, ...] = ()
    loss: Interval | None = None
    loss_bound: float | None = None
    made_of: Literal["training", "traffic"] = "training"
    rows: pl.DataFrame | None = None
    answers: Array | None = None
    truth: Array | None = None

    @property
    def watched(self) -> tuple[Usual, ...]:
        """All that is followed: columns, then answers."""
        return (*self.columns, *self.answered)

    @property
    def statistics(self) -> tuple[tuple[str, str], ...]:
        """(column, statistic) in the order in which windows keep them."""
        return tuple((one.name, name) for one in self.watched for name in one.statistics)


def read_reference(folder: Path, *, version: int = 0) -> Reference | None:
    """The reference of the packed version in ``folder``; None when it was packed without.

    Raises
    ------
    ArtefactRefused : it is there and cannot be read
    """
    if not (folder / FACTS).is_file() or not (folder / ROWS).is_file():
        return None
    try:
        return _read(folder, version, (folder / FACTS).stat().st_mtime_ns)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise ArtefactRefused(
            f"the reference in {folder} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected=f"{FACTS} and {ROWS} as the release wrote them",
            do="put the version's folder back from a copy, or roll back to another version",
        ) from error


@lru_cache(maxsize=8)  # a turn of the loop asks several times for the same
def _read(folder: Path, version: int, _: int) -> Reference:
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    if facts.get("format") != FORMAT:
        raise ValueError(f"format {facts.get('format')!r}, this release reads {FORMAT}")
    sample = pl.read_parquet(folder / ROWS)
    columns, limits = columns_of(folder)
    loss = facts.get("loss")
    made = reference_of(sample, columns, limits, labels=tuple(facts["labels"]), version=version)
    return replace(
        made,
        form=facts["form"],
        loss=None if loss is None else from_plain(Interval, loss),
        loss_bound=facts.get("loss_bound"),
        label_shares=tuple(facts["label_shares"]),
    )


def columns_of(folder: Path) -> tuple[tuple[Column, ...], dict[str, Limits]]:
    """The features that a packed version asks for, with their training ranges and defaults."""
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    columns = tuple(from_plain(Column, item) for item in plan["columns"])
    limits = {
        item["name"]: Limits(item.get("low"), item.get("high"), item.get("default"))
        for item in plan["columns"]
    }
    return columns, limits


def reference_of(
    sample: pl.DataFrame,
    columns: Sequence[Column],
    limits: Mapping[str, Limits] | None = None,
    *,
    labels: tuple[str, ...] = (),
    version: int = 0,
) -> Reference:
    """A reference from rows as its file holds them: ``truth``, ``answer.k``, ``x:`` and a name.

    Columns that the sample lacks are left out.
    """
    answers = sample.select(sorted_answers(sample.columns)).to_numpy().astype(np.float64)
    kept = [column for column in columns if f"x:{column.name}" in sample.columns]
    rows = pl.DataFrame([fit_column(sample[f"x:{c.name}"].alias(c.name), c)[0] for c in kept])
    limits = limits or {}
    usual = tuple(
        usual_of(
            rows[column.name],
            column,
            limits.get(column.name),
            weight=_weight(rows[column.name], column, answers),
        )
        for column in kept
    )
    truth = sample["truth"].to_numpy().astype(np.float64)
    counts = np.bincount(truth.astype(np.int64), minlength=len(labels)) if labels else np.empty(0)
    return Reference(
        version=version,
        n=sample.height,
        columns=usual,
        answered=_answered(answers, labels, KNOTS),
        form="probabilities" if labels else "values",
        labels=labels,
        label_shares=tuple(float(count) for count in counts / max(float(counts.sum()), 1.0)),
        rows=rows,
        answers=answers,
        truth=truth,
    )


def reference_of_traffic(
    frame: pl.DataFrame,
    columns: Sequence[Column],
    limits: Mapping[str, Limits] | None = None,
    *,
    labels: tuple[str, ...] = (),
    version: int = 0,
) -> Reference | None:
    """A reference from the first window of a version that was packed without; None if too small.

    Its ranks are coarser, so that it fits into the window's record; it knows no truth.
    """
    if frame.height < LEAST_ROWS:
        return None
    answers = answers_of(frame, labels)
    usual = []
    for column in columns:
        values = feature(frame, column.name)
        if values is None:
            values = pl.Series(column.name, [None] * frame.height, dtype=pl.String)
        fitted = fit_column(marked(values, column), column)[0]
        weight = _weight(fitted, column, answers)
        usual.append(
            usual_of(
                fitted, column, (limits or {}).get(column.name), weight=weight, knots=FEW_KNOTS
            )
        )
    return Reference(
        version=version,
        n=frame.height,
        columns=tuple(usual),
        answered=_answered(answers, labels, FEW_KNOTS),
        form="probabilities" if labels else "values",
        labels=labels,
        made_of="traffic",
    )


def as_record(reference: Reference) -> dict[str, Any]:
    """A reference without its rows as plain JSON; :func:`from_record` gives it back."""
    bare = replace(reference, rows=None, answers=None, truth=None)
    plain: dict[str, Any] = as_plain(bare)
    return plain


def from_record(plain: Mapping[str, Any]) -> Reference:
    """The inverse of :func:`as_record`."""
    kept = {name: value for name, value in plain.items() if value is not None}
    kept = {name: value for name, value in kept.items() if name not in ("rows", "answers", "truth")}
    return from_plain(Reference, kept)


def feature(frame: pl.DataFrame, name: str) -> pl.Series | None:
    """A feature of a frame of the log, which shows it as ``feature.id`` where it has an ``id``."""
    shown = name
    while shown in LOG_NAMES:
        shown = f"feature.{shown}"
    return frame[shown].alias(name) if shown in frame.columns else None


def features_of(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows that were asked: the columns of a frame of the log that are not its own.

    Examples
    --------
    >>> features_of(pl.DataFrame({"id": ["a"], "age": [41], "feature.id": [7]})).columns
    ['age', 'id']
    """
    picked = []
    for name in frame.columns:
        bare = name
        while bare.startswith("feature."):
            bare = bare.removeprefix("feature.")
        shown = bare if bare in LOG_NAMES and bare != name else name
        if name not in LOG_NAMES:
            picked.append(pl.col(name).alias(shown))
    return frame.select(picked)


def marked(values: pl.Series, column: Column) -> pl.Series:
    """Values with the column's own marks of missing blanked, as the version reads them."""
    if not column.missing_marks or values.dtype == pl.Null:
        return values
    if values.dtype.is_numeric():
        marks = [number for mark in column.missing_marks if (number := _number(mark)) is not None]
        gone = values.cast(pl.Float64).is_in(marks)
    elif values.dtype == pl.String:
        gone = values.str.strip_chars().is_in(list(column.missing_marks))
    else:
        return values
    return values.to_frame().select(pl.when(~gone).then(pl.first())).to_series()


def answers_of(frame: pl.DataFrame, labels: Sequence[str]) -> Array:
    """What was answered (n, n_outputs): probabilities of ``labels``, or a number; NaN if none."""
    if not labels:
        said = frame["value"] if "value" in frame.columns else pl.Series([None] * frame.height)
        numbers = said.cast(pl.Float64, strict=False).fill_null(np.nan)
        return np.asarray(numbers.to_numpy(), dtype=np.float64).reshape(-1, 1)
    found = np.full((frame.height, len(labels)), np.nan)
    kind = frame.schema.get("probabilities")
    if isinstance(kind, pl.Struct):
        have = {field.name for field in kind.fields}
        for k, label in enumerate(labels):
            if label in have:
                share = frame["probabilities"].struct.field(label).cast(pl.Float64, strict=False)
                found[:, k] = share.fill_null(np.nan).to_numpy()
    return found


def answer_series(answers: Array, labels: Sequence[str]) -> list[pl.Series]:
    """The answers that are followed, by name: the number, or the probability of some labels."""
    if not labels:
        return [_known("prediction", answers[:, 0])]
    picked = range(1, 2) if len(labels) == 2 else range(min(len(labels), MOST_LABELS))
    return [_known(f"probability of {labels[k]}", answers[:, k]) for k in picked]


def sorted_answers(names: Sequence[str]) -> list[str]:
    """``answer.0``, ``answer.1`` ... in the order of the outputs."""
    found = [name for name in names if name.startswith("answer.")]
    return sorted(found, key=lambda name: int(name.rsplit(".", 1)[1]))


def _answered(answers: Array, labels: tuple[str, ...], knots: int) -> tuple[Usual, ...]:
    return tuple(
        usual_of(said, Column(said.name, "number"), knots=knots)
        for said in answer_series(answers, labels)
    )


def _known(name: str, values: Array) -> pl.Series:
    return pl.Series(name, values, dtype=pl.Float64).fill_nan(None)


def _weight(values: pl.Series, column: Column, answers: Array) -> float:
    """How much answers move with a column: the largest correlation (or its like for words)."""
    best = 0.0
    for k in range(min(answers.shape[1], MOST_LABELS)):
        said = pl.Series("said", answers[:, k]).fill_nan(None)
        both = pl.DataFrame([values.alias("value"), said]).drop_nulls()
        if both.height < 20 or both["said"].n_unique() < 2 or both["value"].n_unique() < 2:
            continue
        if column.kind in ("number", "date"):
            ranks = both.select(pl.all().cast(pl.Float64).rank()).to_numpy()
            found = abs(float(np.corrcoef(ranks.T)[0, 1]))
        elif column.kind == "text":
            continue
        else:
            found = _share_told(both)
        best = max(best, found)
    return round(best, 4)


def _share_told(both: pl.DataFrame) -> float:
    """The root of the share of the spread of answers that levels tell, less what chance would."""
    levels = both.group_by("value").agg(pl.col("said").mean().alias("mean"), pl.len())
    n, k = both.height, levels.height
    whole = float(both["said"].var() or 0.0) * (n - 1)  # type: ignore[arg-type]
    middle = float(both["said"].mean() or 0.0)  # type: ignore[arg-type]
    between = float((levels["len"] * (levels["mean"] - middle) ** 2).sum())
    if whole <= 0 or n <= k:
        return 0.0
    told = 1 - (1 - between / whole) * (n - 1) / (n - k)
    return float(np.sqrt(max(told, 0.0)))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
