"""A sample of rows with answers of models that had not seen them, for who watches later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.records import Array, Truth

SAMPLE = "sample.parquet"
MOST_ROWS, LEAST_ROWS = 5_000, 200
MOST_CELLS = 1_000_000  # of a sample: rows times columns and answers; a few megabytes
MOST_TEXT = 200  # characters of one value: drift of a text shows in its beginning


def keep_sample(folder: Path, features: Table, truth: Truth, values: Array, *, seed: int) -> Path:
    """Write at most 5,000 of the judged rows into ``folder``; give the path of the file.

    Columns: ``truth``, ``answer.0``, ``answer.1`` ... and each feature as ``x:`` and its name. The
    answers are out of fold, so that how often they are right is not flattered by having learnt the
    row. Rows keep their order.

    Parameters
    ----------
    features : of all rows of the study; ``truth.ids`` are positions in it
    values : (n, n_outputs), the calibrated answers to the rows ``truth.ids``
    """
    n = len(truth.ids)
    wide = values.shape[1] + len(features.features)
    most = min(MOST_ROWS, max(LEAST_ROWS, MOST_CELLS // wide), n)
    picked = np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
    rows = features.frame[truth.ids[picked]]
    kept = [pl.Series("truth", truth.values[picked], dtype=pl.Float64)]
    kept += [
        pl.Series(f"answer.{k}", values[picked, k], dtype=pl.Float32)
        for k in range(values.shape[1])
    ]
    for column in features.features:
        cells = rows[column.name].alias(f"x:{column.name}")
        kept.append(cells.str.slice(0, MOST_TEXT) if cells.dtype == pl.String else cells)
    path = folder / SAMPLE
    pl.DataFrame(kept).write_parquet(path, compression="zstd", statistics=False)
    return path
