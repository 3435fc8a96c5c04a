"""Golden rows: what a fitted model answers to a few rows, read back from the files it wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.learners import load
from everfit.records import Array

N_ROWS = 24  # of them a third with missing values, where there are any
ROWS, ANSWERS = "golden_rows.json", "golden.npy"


def golden_rows(features: Table) -> Table:
    """The rows that tell most of a table: some with missing values, some without."""
    rng = np.random.default_rng(len(features.columns))
    missing = pl.any_horizontal(pl.all().is_null())
    holed = features.frame.select(missing.alias("holed")).to_series().to_numpy()
    some = rng.permutation(np.flatnonzero(holed))[: N_ROWS // 3]
    others = rng.permutation(np.flatnonzero(~holed))[: N_ROWS - len(some)]
    return features.take(np.sort(np.concatenate([some, others])))


def as_inputs(rows: Table) -> list[dict[str, Any]]:
    """Rows as a user would give them: plain values by column, dates as ISO text."""
    return [
        {name: _plain(value) for name, value in row.items()}
        for row in rows.frame.iter_rows(named=True)
    ]


def keep_golden(folder: Path, part: Mapping[str, Any], features: Table) -> None:
    """Write the golden rows and this model's answers, given by what lies in ``folder``.

    The process that fitted the model has its libraries at hand; whoever packs it need not
    import them.
    """
    rows = golden_rows(features)
    np.save(folder / ANSWERS, load(folder, part).answer(rows))
    (folder / ROWS).write_text(json.dumps(as_inputs(rows)))


def kept_golden(folder: Path) -> tuple[list[dict[str, Any]], Array] | None:
    """The inverse of :func:`keep_golden`; None when the model kept none."""
    if not (folder / ANSWERS).exists():
        return None
    answers: Array = np.load(folder / ANSWERS)
    return json.loads((folder / ROWS).read_text()), answers


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
