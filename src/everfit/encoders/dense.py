"""The view for linear and neural learners: everything filled, scaled and one-hot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from scipy.special import ndtri

from everfit.encoders.codes import PARTS, Draft, varying_parts, vocabulary_of, word_names
from everfit.encoders.execute import apply
from everfit.encoders.steps import (
    PERIOD,
    Cycle,
    Missing,
    OneHot,
    Quantile,
    Scale,
    Step,
    Words,
)
from everfit.encoders.text import fit_words
from everfit.records import Array, Column

MAX_ONE_HOT = 64
N_KNOTS = 65
HEAVY_TAIL = 6.0


def dense_columns(draft: Draft) -> None:
    """Add the steps of the dense view for every usable feature of the draft's table."""
    for column in draft.table.features:
        if column.kind in ("identifier", "constant") or column.name not in draft.table.frame:
            continue
        if column.kind == "category":
            _one_hot(draft, column)
        elif column.kind == "text":
            _words(draft, column)
        elif column.kind == "date":
            _date(draft, column)
        else:
            if column.kind == "ordered":
                levels = column.levels or vocabulary_of(draft.table.frame[column.name])
                draft.vocabularies[column.name] = levels
            draft.read(column)
            _number(draft, column)


def _number(draft: Draft, column: Column) -> None:
    values = draft.reader().floats(column.name)
    known = values[~np.isnan(values)]
    if not len(known):
        return
    if np.ptp(known) > 0.0:
        draft.add(scaled(column.name, known), [column.name])
    if len(known) < len(values):
        draft.add(Missing(column.name), [f"{column.name} is missing"])


def scaled(name: str, known: Array) -> Step:
    """How to scale a number: its mean and sd, or quantiles to normal for a heavy tail.

    ``known`` are the values that are not missing. A tail is heavy when the middle half and the
    ends differ far more than those of a normal shape (distance / interquartile range above 6).
    """
    low, first, middle, third, high = np.quantile(known, [0.0, 0.25, 0.5, 0.75, 1.0])
    reach = max(high - middle, middle - low)
    distinct = len(np.unique(known[:1_000]))
    if distinct <= 10 or reach <= HEAVY_TAIL * (third - first):
        centre, spread = float(known.mean()), float(known.std())
        if np.isfinite(spread) and spread > 1e-12 * max(1.0, abs(centre)):
            return Scale(name, float(middle), centre, spread)
    return _quantiles(name, known, float(middle))


def _quantiles(name: str, known: Array, middle: float) -> Step:
    shares = np.linspace(0.0, 1.0, N_KNOTS)
    knots = np.quantile(known, shares)
    # a knot for each distinct quantile, at the middle of the shares it covers
    distinct, at = np.unique(knots, return_inverse=True)
    mid = np.bincount(at, weights=shares) / np.bincount(at)
    if len(distinct) < 2:
        distinct = np.array([known.min(), known.max()])
        mid = np.array([0.25, 0.75])
    edge = 0.5 / (len(known) + 1.0)
    marks = ndtri(np.clip(mid, max(edge, 1e-4), 1.0 - max(edge, 1e-4)))
    return Quantile(name, middle, tuple(distinct.tolist()), tuple(marks.tolist()))


def _one_hot(draft: Draft, column: Column) -> None:
    series = draft.table.frame[column.name]
    levels = vocabulary_of(series, most=MAX_ONE_HOT)
    if not levels:
        return
    draft.read(column)
    draft.vocabularies[column.name] = levels
    other = bool(np.isnan(draft.reader().floats(column.name)).any())
    names = ["missing" if level is None else level for level in levels]
    names += ["other"] if other else []
    step = OneHot(column.name, len(levels), other)
    draft.add(step, [f"{column.name} = {name}" for name in names])


def _date(draft: Draft, column: Column) -> None:
    draft.read(column)
    parts = varying_parts(draft, column)
    if not parts:
        return
    values = draft.reader().floats(column.name)
    known = values[~np.isnan(values)]
    if np.ptp(known) > 0.0:
        draft.add(scaled(column.name, known), [f"{column.name}.days"])
    for part in PARTS:
        if part in parts and part in ("month", "weekday", "hour"):
            angle = 2.0 * np.pi * np.arange(PERIOD[part]) / PERIOD[part]
            table = np.column_stack([np.sin(angle), np.cos(angle)])
            names = [f"{column.name}.{part} sine", f"{column.name}.{part} cosine"]
            draft.add(Cycle(column.name, part, table), names)
    if len(known) < len(values):
        draft.add(Missing(column.name), [f"{column.name} is missing"])


def _words(draft: Draft, column: Column) -> None:
    draft.read(column)
    texts = draft.table.frame[column.name].cast(pl.String, strict=False).to_list()
    step: Words = fit_words(column.name, texts, seed=draft.seed)
    values = apply(step, draft.reader())
    spread = values.std(axis=0)
    # a component that does not vary is left at zero rather than blown up
    spread[spread < 1e-9] = 1.0
    step = replace(step, centre=values.mean(axis=0), spread=spread)
    draft.add(step, word_names(step))
