"""Golden rows: what a fitted model answers to a few rows, read back from the files it wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.events import Past, to_plain
from everfit.learners import load
from everfit.learners.contract import answered
from everfit.records import Array

N_ROWS = 24  # of them a third with missing values, where there are any
ROWS, ANSWERS, PAST = "golden_rows.json", "golden.npy", "golden_past.json"


def golden_rows(features: Table) -> Table:
    """The rows that tell most of a table: some with missing values, some without."""
    return features.take(golden_places(features))


def golden_places(features: Table) -> Array:
    """Where the golden rows stand, ascending."""
    rng = np.random.default_rng(len(features.columns))
    missing = pl.any_horizontal(pl.all().is_null())
    holed = features.frame.select(missing.alias("holed")).to_series().to_numpy()
    some = rng.permutation(np.flatnonzero(holed))[: N_ROWS // 3]
    others = rng.permutation(np.flatnonzero(~holed))[: N_ROWS - len(some)]
    return np.sort(np.concatenate([some, others]))


def as_inputs(rows: Table) -> list[dict[str, Any]]:
    """Rows as a user would give them: plain values by column, dates as ISO text."""
    return [
        {name: _plain(value) for name, value in row.items()}
        for row in rows.frame.iter_rows(named=True)
    ]


def keep_golden(
    folder: Path,
    part: Mapping[str, Any],
    features: Table,
    places: Array,
    past: Past | None = None,
) -> None:
    """Write the golden rows and this model's answers, given by what lies in ``folder``.

    The process that fitted the model has its libraries at hand; whoever packs it need not
    import them. ``past`` has what was known before each row, for a model that reads it.
    """
    rows = features.take(places)
    np.save(folder / ANSWERS, answered(load(folder, part), rows, past))
    (folder / ROWS).write_text(json.dumps(as_inputs(rows)))
    if past is not None:
        (folder / PAST).write_text(json.dumps([to_plain(events) for events in past]))


@dataclass(frozen=True, slots=True)
class Golden:
    """Rows, one model's answers to them, and the history that it had read; None if it reads none.

    The history is as JSON holds it: see :func:`everfit.events.to_plain`.
    """

    rows: list[dict[str, Any]]
    answers: Array
    past: list[list[Any]] | None = None


def kept_golden(folder: Path) -> Golden | None:
    """The inverse of :func:`keep_golden`; None when the model kept none."""
    if not (folder / ANSWERS).exists():
        return None
    answers: Array = np.load(folder / ANSWERS)
    past = folder / PAST
    known = json.loads(past.read_text()) if past.exists() else None
    return Golden(json.loads((folder / ROWS).read_text()), answers, known)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
