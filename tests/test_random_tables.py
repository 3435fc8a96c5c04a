"""Generated tables through the whole loop: a decision or a clear error, never anything else."""

from __future__ import annotations

import math
import tempfile
import time
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from everfit.data.conform import conform
from everfit.data.table import Table
from everfit.errors import BudgetSpent, DataError
from everfit.executors import InlineExecutor
from everfit.house import House
from everfit.loop import Request
from everfit.records import Progress, Source
from everfit.store import open_store

KINDS = ("number", "whole", "word", "flag", "day", "text", "constant", "key")


def quiet(progress: Progress) -> None:
    """Nobody listens."""


def column(kind: str, n: int, rng: np.random.Generator, holes: float) -> list[Any]:
    made: list[Any] = {
        "number": lambda: rng.normal(0, 10 ** rng.uniform(-3, 6), n).tolist(),
        "whole": lambda: rng.integers(-5, 50, n).tolist(),
        "word": lambda: rng.choice(["red", "green", "größe", "", "a,b", 'say "x"'], n).tolist(),
        "flag": lambda: rng.choice([True, False], n).tolist(),
        "day": lambda: [date(2024, 1, 1) + timedelta(int(d)) for d in rng.integers(0, 400, n)],
        "text": lambda: [
            " ".join(rng.choice(["good", "bad", "ship", "late"], 6)) for _ in range(n)
        ],
        "constant": lambda: [7] * n,
        "key": lambda: [f"id-{i:05d}" for i in range(n)],
    }[kind]()
    return [
        None if gone else value for gone, value in zip(rng.random(n) < holes, made, strict=True)
    ]


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    n = draw(st.integers(35, 150))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    holes = draw(st.sampled_from([0.0, 0.1, 0.6]))
    frame = {f"c{i}": column(kind, n, rng, holes) for i, kind in enumerate(kinds)}
    target = draw(st.sampled_from(["two", "many", "number", "empty", "one"]))
    signal = rng.normal(size=n)
    frame["signal"] = signal.tolist()
    frame["y"] = {
        "two": lambda: np.where(signal + rng.normal(size=n) > 0, "yes", "no").tolist(),
        "many": lambda: rng.choice(["a", "b", "c", "d"], n, p=[0.6, 0.3, 0.08, 0.02]).tolist(),
        "number": lambda: (signal * 3 + rng.normal(size=n)).tolist(),
        "empty": lambda: [None] * n,
        "one": lambda: n * ["same"],
    }[target]()
    return pl.DataFrame(frame, strict=False)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables())
def test_any_table_gives_a_decision_or_an_error_of_the_data(frame: pl.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as place:
        house = House(place, lambda create: open_store(place, create=create), InlineExecutor, 1)
        request = Request(frame, "y", name="m", budget_s=2.5, started=time.monotonic())
        try:
            result = house.run(request, quiet)
        except (DataError, BudgetSpent) as error:
            event(type(error).__name__)
            assert error.what and error.expected and error.do
            return
        event(result.decision.kind)

        assert result.decision.kind in ("released", "refused")
        assert result.study.candidate.score.low <= result.study.candidate.score.high
        if result.champion is None:
            return
        _, scorer = house.scorer("m")
        asked, _ = conform(frame, scorer.columns)
        source = Source("rows", "", asked.height, asked.width)
        values = scorer.table(Table(asked, tuple(scorer.columns), source))
        one = scorer.row(frame.row(0, named=True))
        house.close()
        assert np.isfinite(values).all()
        if one.probabilities is not None:
            assert np.allclose(one.probabilities, values[0], atol=1e-9)
        else:
            assert math.isclose(float(one.value), values[0, 0], rel_tol=1e-9, abs_tol=1e-9)
