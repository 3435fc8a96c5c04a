"""Matured traffic for tests: real tumours and a real linear model, in the form of the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from everfit.evidence.interval import Interval
from everfit.records import Problem, Upkeep, Window
from everfit.tasks import TASKS
from everfit.watch.matured import Certified, matured

DAY = timedelta(days=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
LABELS = ("benign", "malignant")
SORTS = Problem("classify", "tumour", "log_loss", "probabilities", LABELS)
TASK = TASKS["classify"]
SCHEMA = {
    "id": pl.String, "at": pl.Datetime("us", "UTC"), "version": pl.Int32, "arm": pl.String,
    "key": pl.String, "value": pl.String, "of": pl.String, "outcome": pl.String,
    "outcome_at": pl.Datetime("us", "UTC"), "lateness": pl.Duration("us"),
}  # fmt: skip


@lru_cache
def tumours() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two measurements, out-of-fold chances of malignant, and which are malignant: (569, ...)."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    raw = load_breast_cancer()
    x, y = raw.data[:, [1, 4]], 1 - raw.target
    model = make_pipeline(StandardScaler(), LogisticRegression())
    p = cross_val_predict(model, x, y, cv=5, method="predict_proba")[:, 1]
    return x, p, y


def certified(*, segments: dict[str, float] | None = None) -> Certified:
    """What the linear model was certified with, on the same rows out of fold."""
    _, p, y = tumours()
    losses = -np.log(np.where(y == 1, p, 1 - p))
    half = 1.96 * losses.std() / np.sqrt(len(y))
    mean = float(losses.mean())
    loss = Interval(mean - half, mean, mean + half, n=len(y))
    return Certified(loss, float(np.quantile(losses, 0.99)), segments or {})


def traffic(
    day: int = 0,
    n: int = 400,
    *,
    seed: int | None = None,
    wrong: float = 0.0,
    version: int = 3,
    arm: str = "champion",
    keys: Sequence[str | None] | None = None,
    late_s: float = 60.0,
) -> pl.DataFrame:
    """``n`` answers of one day, drawn from the tumours; a share ``wrong`` of outcomes is turned."""
    rng = np.random.default_rng(1000 + day if seed is None else seed)
    x, p, y = tumours()
    rows = rng.integers(0, len(y), n)
    true = np.where(rng.random(n) < wrong, 1 - y[rows], y[rows])
    at = [
        MONDAY + day * DAY + timedelta(seconds=float(s)) for s in np.sort(rng.uniform(0, 80_000, n))
    ]
    base = pl.DataFrame(
        {
            "id": [f"d{day}-{seed}-{i}" for i in range(n)],
            "at": at,
            "version": [version] * n,
            "arm": [arm] * n,
            "key": keys if keys is not None else [None] * n,
            "value": [LABELS[int(q > 0.5)] for q in p[rows]],
            "of": [None] * n,
            "outcome": [LABELS[int(one)] for one in true],
            "outcome_at": [one + timedelta(seconds=late_s) for one in at],
            "lateness": [timedelta(seconds=late_s)] * n,
        },
        schema=SCHEMA,
    )
    chances = pl.DataFrame({"benign": 1 - p[rows], "malignant": p[rows]})
    return base.with_columns(
        chances.to_struct("probabilities"),
        pl.Series("texture", x[rows, 0]),
        pl.Series("side", np.where(x[rows, 1] > np.median(x[:, 1]), "left", "right")),
    )


def shadow_of(frame: pl.DataFrame, version: int = 4, *, sharper: float = 1.0) -> pl.DataFrame:
    """The same requests answered by another version, with log-odds ``sharper`` times as far."""
    p = frame["probabilities"].struct.field("malignant").to_numpy()
    q = 1 / (1 + ((1 - p) / p) ** sharper)
    chances = pl.DataFrame({"benign": 1 - q, "malignant": q})
    return frame.with_columns(
        of=pl.col("id"), id="s" + pl.col("id"), arm=pl.lit("shadow"),
        version=pl.lit(version, dtype=pl.Int32), probabilities=chances.to_struct("probabilities"),
    )  # fmt: skip


def reduced(
    frame: pl.DataFrame, shadows: pl.DataFrame | None = None, day: int = 0, **changed: Any
) -> Window:
    """The window of one day."""
    settings: dict[str, Any] = {
        "start": MONDAY + day * DAY, "end": MONDAY + (day + 1) * DAY, "champion": 3,
        "problem": SORTS, "task": TASK, "upkeep": Upkeep(), "certified": certified(),
    }  # fmt: skip
    none = frame.clear() if shadows is None else shadows
    return matured(frame, none, **(settings | changed))


def days(n: int, *, wrong: Sequence[float] = (), rows: int = 200, **changed: Any) -> list[Window]:
    """``n`` windows; ``wrong`` is the share of turned outcomes of the last of them."""
    shares = [0.0] * (n - len(wrong)) + list(wrong)
    if not changed:
        return [_day(day, rows, share) for day, share in enumerate(shares)]
    return [
        reduced(traffic(day, rows, wrong=share), day=day, **changed)
        for day, share in enumerate(shares)
    ]


@lru_cache(maxsize=512)
def _day(day: int, rows: int, wrong: float) -> Window:
    return reduced(traffic(day, rows, wrong=wrong), day=day)
