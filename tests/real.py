"""Real data that installed packages carry, written as CSV first so that the whole path is used."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("EVERFIT_SHARED", ROOT.parent / "shared"))


def cancer(folder: Path) -> tuple[Path, str]:
    """569 tumours, 30 measurements, two classes (scikit-learn)."""
    from sklearn.datasets import load_breast_cancer

    raw = load_breast_cancer(as_frame=True)
    frame = pl.from_pandas(raw.frame).with_columns(
        pl.col("target").replace_strict({0: "malignant", 1: "benign"}, return_dtype=pl.String)
    )
    return _written(frame, folder / "cancer.csv"), "target"


def wine(folder: Path) -> tuple[Path, str]:
    """178 wines, 13 measurements, three classes (scikit-learn)."""
    from sklearn.datasets import load_wine

    return _written(pl.from_pandas(load_wine(as_frame=True).frame), folder / "wine.csv"), "target"


def diabetes(folder: Path) -> tuple[Path, str]:
    """442 patients, 10 measurements, disease progression after a year (scikit-learn)."""
    from sklearn.datasets import load_diabetes

    frame = pl.from_pandas(load_diabetes(as_frame=True, scaled=False).frame)
    return _written(frame, folder / "diabetes.csv"), "target"


def insurance(folder: Path, n_rows: int | None = None, *, seed: int = 0) -> tuple[Path, str]:
    """20,190 person-years of the RAND health insurance experiment (statsmodels).

    The target says whether a person saw a doctor at all that year.
    """
    from statsmodels.datasets import randhie

    frame = pl.from_pandas(randhie.load_pandas().data)
    frame = frame.with_columns(
        pl.when(pl.col("mdvis") > 0).then(pl.lit("yes")).otherwise(pl.lit("no")).alias("visited")
    ).drop("mdvis")
    if n_rows is not None:
        frame = frame.sample(n_rows, seed=seed)
    return _written(frame, folder / f"insurance-{frame.height}.csv"), "visited"


def shared_set(name: str) -> tuple[Path, dict[str, Any]]:
    """A set of the shared folder with its description; skips, with a word, where it is absent."""
    index = SHARED / "data" / "index.json"
    if not index.exists():
        pytest.skip("the shared data sets are not here (set EVERFIT_SHARED)")
    entry = next(e for e in json.loads(index.read_text()) if e["name"] == name)
    return SHARED / "data" / entry["file"], entry


def _written(frame: pl.DataFrame, path: Path) -> Path:
    frame.write_csv(path)
    return path
