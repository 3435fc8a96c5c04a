"""How far off are estimates of the loss without outcomes? Against what is measured later.

python -m bench.estimates        # the open sets beside the repository; about two minutes

Each set is cut in time, or its traffic is drawn so that some rows come more often (covariate
shift; five draws of which rows are learnt from). A boosted model learns from the first part; every
window is estimated, then measured. Columns: mean absolute errors of the loss.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl

from everfit.column import Array, Column
from everfit.data.conform import conform
from everfit.records import Answers, Problem, Truth, Window
from everfit.tasks import TASKS, Task
from everfit.watch.estimate import estimate, trust
from everfit.watch.reference import Reference, reference_of

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
LEARNT, KEPT = 0.4, 4_000
SEEDS, WINDOWS, SIZE = 5, 20, 2_000


@dataclass(frozen=True)
class Stream:
    """Rows to learn from, and windows of traffic in order."""

    name: str
    columns: tuple[Column, ...]
    problem: Problem
    task: Task
    learn: pl.DataFrame
    windows: list[pl.DataFrame]


def streams() -> Iterator[list[Stream]]:
    """The streams by name: shifted by drawing, and in time."""
    churn = pl.read_csv(SHARED / "telco_churn/data.csv").drop("customerID")
    yield drawn("telco_churn, longer contracts", churn, "Churn", "tenure")
    names = ["age", "workclass", "fnlwgt", "education", "education-num", "marital-status"]
    names += ["occupation", "relationship", "race", "sex", "capital-gain", "capital-loss"]
    names += ["hours-per-week", "native-country", "income"]
    adult = pl.read_csv(SHARED / "adult/data.csv", has_header=False, new_columns=names)
    adult = adult.with_columns(pl.col(pl.String).str.strip_chars()).drop_nulls("income")
    yield drawn("adult, older people", adult, "income", "age")
    houses = pl.read_csv(SHARED / "california_housing/data.csv")
    houses = houses.with_columns(pl.col("median_house_value") / 100_000)
    yield drawn("california_housing, richer", houses, "median_house_value", "median_income")
    prices = pl.read_parquet(SHARED / "elec2/data.parquet")
    # three columns stand still before: what came then was never seen
    yield [ordered("elec2, in time", prices[17_760:], "class", 336)]
    bikes = pl.read_csv(SHARED / "bike_hour/data.csv")
    bikes = bikes.drop("instant", "dteday", "casual", "registered")
    yield [ordered("bike_hour, in time", bikes, "cnt", 168)]


def ordered(name: str, frame: pl.DataFrame, target: str, size: int) -> Stream:
    """Windows of ``size`` rows in the order of the file."""
    start = int(LEARNT * frame.height)
    cuts = range(start, frame.height - size + 1, size)
    return _stream(name, frame, target, frame[:start], [frame[at : at + size] for at in cuts])


def drawn(name: str, frame: pl.DataFrame, target: str, by: str) -> list[Stream]:
    """Windows drawn so that rows with a high value of ``by`` come ever more often, then less."""
    found = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        mixed = frame.sample(fraction=1.0, shuffle=True, seed=seed)
        start = int(LEARNT * mixed.height)
        rest = mixed[start:]
        rank = rest[by].cast(pl.Float64, strict=False).rank().fill_null(0).to_numpy() / rest.height
        windows = []
        for at in range(WINDOWS):
            chance = np.exp(4 * np.sin(np.pi * at / WINDOWS) * (rank - 0.5))
            windows.append(rest[rng.choice(rest.height, SIZE, p=chance / chance.sum())])
        found.append(_stream(name, mixed, target, mixed[:start], windows))
    return found


def _stream(
    name: str, frame: pl.DataFrame, target: str, learn: pl.DataFrame, windows: list[pl.DataFrame]
) -> Stream:
    number = frame[target].dtype.is_numeric() and frame[target].n_unique() > 10
    task = TASKS["regress" if number else "classify"]
    labels = () if number else tuple(sorted(str(v) for v in frame[target].unique()))
    kinds = {
        c: "number" if frame[c].dtype.is_numeric() else "category"
        for c in frame.columns
        if c != target
    }
    columns = tuple(Column(c, kind) for c, kind in kinds.items())  # type: ignore[arg-type]
    problem = Problem(task.name, target, task.metrics[0], task.form, labels)
    return Stream(name, columns, problem, task, learn, windows)


class Fitted:
    """A boosted model over conformed rows."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.levels = {
            c.name: sorted(conform(stream.learn, [c])[0][c.name].drop_nulls().unique().to_list())
            for c in stream.columns
            if c.kind != "number"
        }

    def matrix(self, frame: pl.DataFrame) -> Array:
        """Rows as numbers."""
        fitted, _ = conform(frame, self.stream.columns)
        parts = []
        for c in self.stream.columns:
            values = fitted[c.name]
            if c.kind != "number":
                codes = {word: float(at) for at, word in enumerate(self.levels[c.name])}
                values = values.replace_strict(codes, default=None, return_dtype=pl.Float64)
            parts.append(values.fill_null(np.nan).to_numpy())
        return np.column_stack(parts)

    def truth(self, frame: pl.DataFrame) -> Array:
        """Codes or numbers."""
        labels = self.stream.problem.labels
        if not labels:
            return frame[self.stream.problem.target].cast(pl.Float64).to_numpy()
        words = frame[self.stream.problem.target].cast(pl.String).to_list()
        return np.array([labels.index(w) for w in words], dtype=np.float64)

    def fit(self, x: Array, y: Array) -> lgb.Booster:
        """Few rounds: it stays near to calibrated."""
        kind = "binary" if self.stream.problem.labels else "regression"
        settings = {"objective": kind, "num_leaves": 15, "verbose": -1, "num_threads": 1, "seed": 0}
        return lgb.train(settings, lgb.Dataset(x, y), 100)

    def answers(self, model: lgb.Booster, x: Array) -> Array:
        """(n, n_outputs)."""
        said = np.asarray(model.predict(x), dtype=np.float64)
        return np.column_stack([1 - said, said]) if self.stream.problem.labels else said[:, None]


def judged(stream: Stream) -> dict[str, Any]:
    """Mean absolute errors of the estimates of the loss, and of taking other numbers for it."""
    fitted = Fitted(stream)
    x, y = fitted.matrix(stream.learn), fitted.truth(stream.learn)
    fold = np.random.default_rng(0).permutation(len(y)) % 5
    said = np.zeros((len(y), stream.problem.n_outputs))
    for k in range(5):
        said[fold == k] = fitted.answers(fitted.fit(x[fold != k], y[fold != k]), x[fold == k])
    reference = _reference(stream, said, y)
    model = fitted.fit(x, y)
    promised = float(_losses(stream, said, y).mean())
    rows, seconds, covered = [], [], []
    lived: list[Window] = []
    before, doubted = promised, 0
    for at, window in enumerate(stream.windows):
        now = fitted.answers(model, fitted.matrix(window))
        true = float(_losses(stream, now, fitted.truth(window)).mean())
        begun = time.process_time()
        found = estimate(_traffic(stream, window, now), reference, problem=stream.problem,
                         task=stream.task, seed=at)  # fmt: skip
        seconds.append(time.process_time() - begun)
        if "pape" in found:
            one = found["pape"]
            covered.append(abs(true - one["loss"]) <= 1.96 * one["error"])
            rows.append([abs(true - one["loss"]), abs(true - found["cbpe"]["loss"]),
                         abs(true - before), abs(true - promised), true])  # fmt: skip
        before = true
        lived += _lived(at, found, true)
        past = trust(lived)
        doubted += past is not None and not past.sound
    off = np.array(rows).reshape(-1, 5)
    return {
        "windows": len(stream.windows), "told": len(rows),
        "measured": off[:, 4].mean(), "sd": off[:, 4].std(),
        "PAPE": off[:, 0].mean(), "CBPE": off[:, 1].mean(), "last": off[:, 2].mean(),
        "certified": off[:, 3].mean(), "in range": np.mean(covered), "distrusted": doubted,
        "ms": 1e3 * np.median(seconds),
    }  # fmt: skip


def _lived(at: int, found: dict[str, Any], true: float) -> list[Window]:
    """The window as it was asked, and as it matured."""
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=at)
    end = start + timedelta(days=1)
    own = {"1": {"n": found["n"], "mean": true}}
    return [
        Window("asked", start, end, 1, found["n"], {"estimate": found}),
        Window("matured", start, end, 1, found["n"], {"versions": own}),
    ]


def _reference(stream: Stream, said: Array, y: Array) -> Reference:
    rows = np.sort(np.random.default_rng(1).permutation(len(y))[:KEPT])
    kept, _ = conform(stream.learn[rows], stream.columns)
    sample = kept.rename({c: f"x:{c}" for c in kept.columns}).with_columns(
        pl.Series("truth", y[rows]),
        *(pl.Series(f"answer.{k}", said[rows, k]) for k in range(said.shape[1])),
    )
    made = reference_of(sample, stream.columns, labels=stream.problem.labels)
    return replace(made, form=stream.problem.form)


def _traffic(stream: Stream, window: pl.DataFrame, said: Array) -> pl.DataFrame:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    own = window.drop(stream.problem.target).with_columns(
        pl.Series("at", [at + timedelta(seconds=i) for i in range(window.height)])
    )
    if not stream.problem.labels:
        return own.with_columns(pl.Series("value", said[:, 0]))
    shares = {f: said[:, k] for k, f in enumerate(stream.problem.labels)}
    return own.with_columns(pl.DataFrame(shares).to_struct("probabilities"))


def _losses(stream: Stream, said: Array, y: Array) -> Array:
    ids = np.arange(len(y))
    return stream.task.losses(Answers(ids, said), Truth(ids, y), stream.problem.metric).values


def main() -> None:
    """Print a line for each stream, averaged over its draws."""
    warnings.filterwarnings("ignore")
    for draws in streams():
        found = [judged(stream) for stream in draws]
        means = {k: float(np.mean([one[k] for one in found])) for k in found[0]}
        print(draws[0].name, *(f"{k} {v:.4g}" for k, v in means.items()), sep="  ", flush=True)


if __name__ == "__main__":
    main()
