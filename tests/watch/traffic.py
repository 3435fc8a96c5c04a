"""Traffic and references for the tests of watch: three columns, two labels, seeded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from everfit.column import Column
from everfit.evidence.interval import Interval
from everfit.records import Problem, Version, Window
from everfit.watch.asked import asked
from everfit.watch.reference import Reference, reference_of
from everfit.watch.usual import Limits, scores, summed

DAY = timedelta(days=1)
START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
COLUMNS = (
    Column("age", "number", missing_marks=("-1",)),
    Column("plan", "category"),
    Column("paid", "boolean", levels=("no", "yes")),
    Column("note", "text"),
)
LIMITS = {"age": Limits(low=0.0, high=100.0), "plan": Limits(default="basic")}
LABELS = ("no", "yes")
PROBLEM = Problem("classify", "churned", "log_loss", "probabilities", LABELS)
VERSION = Version(
    "churn", 3, "v3", "", PROBLEM, Interval(0.4, 0.5, 0.6, n=500), "1", "trees", START
)


def rows(n: int, rng: np.random.Generator, *, shift: float = 0.0) -> pl.DataFrame:
    """Features; ``shift`` moves ages by so many of their sds, which are 10 years."""
    return pl.DataFrame(
        {
            "age": np.clip(50 + 10 * (rng.normal(size=n) + shift), 0, 100),
            "plan": rng.choice(["basic", "trial", "pro"], n, p=[0.6, 0.3, 0.1]),
            "paid": rng.random(n) < 0.8,
            "note": ["x" * int(k) for k in rng.integers(3, 30, n)],
        }
    )


def answers(features: pl.DataFrame) -> np.ndarray[Any, Any]:
    """What the model says: the probability of yes rises with age."""
    age = features["age"].cast(pl.Float64, strict=False).fill_null(50.0).to_numpy()
    p = 1 / (1 + np.exp(-(age - 50) / 10))
    return np.column_stack([1 - p, p])


@lru_cache(maxsize=4)
def reference(n: int = 5_000, seed: int = 0) -> Reference:
    """What training looked like, with answers and what was true."""
    rng = np.random.default_rng(seed)
    features = rows(n, rng)
    said = answers(features)
    sample = pl.DataFrame(
        {
            "truth": (rng.random(n) < said[:, 1]).astype(float),
            "answer.0": said[:, 0],
            "answer.1": said[:, 1],
        }
    ).hstack(features.select(pl.all().name.prefix("x:")))
    return reference_of(sample, COLUMNS, LIMITS, labels=LABELS, version=3)


def log(features: pl.DataFrame, day: int = 0, **columns: Any) -> pl.DataFrame:
    """A frame of the log with the champion's answers to ``features``; ``columns`` replace some."""
    n = features.height
    said = answers(features) if "age" in features.columns else np.full((n, 2), 0.5)
    own: dict[str, Any] = {
        "id": [f"{day}-{i}" for i in range(n)],
        "at": [START + day * DAY + i * DAY / max(n, 1) for i in range(n)],
        "version": pl.Series([3] * n, dtype=pl.Int32),
        "arm": ["champion"] * n,
        "key": pl.Series([f"k{day}-{i}" for i in range(n)], dtype=pl.String),
        "value": ["yes" if p > 0.5 else "no" for p in said[:, 1]],
        "probabilities": pl.Series(
            [{"no": float(p), "yes": float(q)} for p, q in said],
            dtype=pl.Struct({"no": pl.Float64, "yes": pl.Float64}),
        ),
        "low": pl.Series([None] * n, dtype=pl.Float64),
        "high": pl.Series([None] * n, dtype=pl.Float64),
        "warnings": pl.Series([[]] * n, dtype=pl.List(pl.String)),
        "of": pl.Series([None] * n, dtype=pl.String),
    }
    return pl.DataFrame(own | columns).hstack(features)


def told(frame: pl.DataFrame, day: int = 0, **columns: Any) -> pl.DataFrame:
    """The frame with outcomes as often yes as was said, a minute after each prediction."""
    rng = np.random.default_rng(day)
    p = frame["probabilities"].struct.field("yes").to_numpy()
    outcome = pl.Series(np.where(rng.random(frame.height) < p, "yes", "no"))
    minute = timedelta(minutes=1)
    joined = frame.with_columns(
        outcome=outcome, outcome_at=pl.col("at") + minute, lateness=pl.lit(minute)
    )
    return joined.with_columns(**columns)


def window(frame: pl.DataFrame, day: int = 0, **more: Any) -> Window:
    """The record of one day."""
    begin = START + day * DAY
    given: dict[str, Any] = {"reference": reference(), "version": 3} | more
    return asked(frame, given.pop("reference"), start=begin, end=begin + DAY, **given)


def days(
    n_days: int,
    change: Callable[[int, pl.DataFrame], pl.DataFrame] = lambda day, features: features,
    *,
    n: int = 200,
    seed: int = 1,
) -> list[Window]:
    """Windows of traffic like the reference's, changed by day as told."""
    found = []
    for day in range(n_days):
        rng = np.random.default_rng([seed, day])
        found.append(window(log(change(day, rows(n, rng)), day), day))
    return found


def numbers(
    means: Sequence[float] | np.ndarray[Any, Any],
    draw: Callable[[int], np.ndarray[Any, Any]],
    *,
    n: int,
    known: Reference,
) -> list[Window]:
    """Windows of one number column and no answers that move, quickly: for many simulations."""
    age, said = known.columns[0], known.answered[0]
    found = []
    for day, mean in enumerate(means):
        values = pl.Series("a", draw(n) + mean)
        away, errors = summed(scores(values, age), age)
        calm = [0.0] * len(said.statistics)
        facts = {
            "away": [*away, *calm],
            "errors": [*errors, *([0.02] * len(calm))],
            "middles": [float(values.median() or 0.0), 0.0],  # type: ignore[arg-type]
        }
        begin = START + day * DAY
        found.append(Window("asked", begin, begin + DAY, known.version, n, facts))
    return found


def of_numbers(values: np.ndarray[Any, Any]) -> Reference:
    """A reference of one number column, for :func:`numbers`."""
    n = len(values)
    sample = pl.DataFrame({"truth": np.zeros(n), "answer.0": np.linspace(0, 1, n), "x:a": values})
    return reference_of(sample, [Column("a", "number")], version=3)
