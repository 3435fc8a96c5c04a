"""Two samples as one table: standardised, missing marked, running numbers left out."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from everfit.column import Column
from everfit.watch.estimate.design import designs
from everfit.watch.reference import reference_of

COLUMNS = (
    Column("size", "number"),
    Column("plan", "category"),
    Column("count", "number"),
    Column("day", "date"),
)


def reference(n=400):
    rng = np.random.default_rng(0)
    size = rng.normal(0, 1, n)
    p = 1 / (1 + np.exp(-size))
    sample = pl.DataFrame(
        {
            "x:size": size,
            "x:plan": [["a", "b"][at] for at in rng.integers(0, 2, n)],
            "x:count": np.arange(float(n)),
            "x:day": pl.Series(["2026-01-01"] * n).str.to_datetime(),
            "truth": (rng.random(n) < p).astype(float),
            "answer.0": 1 - p,
            "answer.1": p,
        }
    )
    return reference_of(sample, COLUMNS, labels=("no", "yes"))


def traffic(n=300, start=400):
    rng = np.random.default_rng(1)
    size = rng.normal(0.5, 1, n)
    p = 1 / (1 + np.exp(-size))
    frame = pl.DataFrame(
        {
            "size": size,
            "plan": [["a", "b"][at] for at in rng.integers(0, 2, n)],
            "count": np.arange(start, start + n),
            "day": ["2026-02-01"] * n,
        }
    )
    return frame, np.column_stack([1 - p, p])


def test_both_samples_have_the_same_columns_on_one_scale():
    known, asked, dropped = designs(reference(), *traffic())

    assert known.shape[1] == asked.shape[1]
    assert (len(known), len(asked)) == (400, 300)
    assert (known.mean(axis=0) + asked.mean(axis=0)) / 2 == pytest.approx(0, abs=1e-9)
    assert sorted(dropped) == ["count", "day"]


def test_a_running_number_that_was_seen_stays():
    *_, dropped = designs(reference(), *traffic(start=0))

    assert dropped == ("day",)


def test_a_column_that_matters_and_is_gone_sets_the_samples_apart():
    frame, said = traffic()

    known, asked, dropped = designs(reference(), frame.drop("size"), said)

    assert "size" not in dropped
    apart = [k for k in range(known.shape[1]) if known[:, k].max() < asked[:, k].min()]
    assert apart


def test_missing_values_have_a_mark_of_their_own():
    frame, said = traffic()
    some = frame.with_columns(size=pl.when(pl.int_range(300) % 2 == 0).then("size"))

    plain, marked = (designs(reference(), f, said)[1] for f in (frame, some))

    assert marked.shape[1] == plain.shape[1] + 1


def test_a_level_that_was_never_seen_is_no_known_level():
    frame, said = traffic()

    _, asked, _ = designs(reference(), frame.with_columns(plan=pl.lit("new")), said)

    assert np.isfinite(asked).all()
