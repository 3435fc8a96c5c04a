from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from everfit.data import sample as module
from everfit.data.sample import keep_sample
from everfit.data.table import Table
from everfit.records import Column, Source, Truth


def table(n: int) -> Table:
    frame = pl.DataFrame(
        {
            "row": [float(i) for i in range(n)],
            "note": ["x" * 500] * n,
            "id": [str(i) for i in range(n)],
        }
    )
    columns = (
        Column("row", "number"),
        Column("note", "text"),
        Column("id", "identifier", "ignore"),
    )
    return Table(frame, columns, Source("t.csv", "", n, 3))


def test_each_row_is_kept_with_its_own_answer_and_truth_in_its_order(tmp_path: Path) -> None:
    ids = np.array([1, 4, 7, 9])
    values = np.column_stack([1 - ids / 10, ids / 10])

    path = keep_sample(tmp_path, table(10), Truth(ids, ids * 100.0), values, seed=0)

    found = pl.read_parquet(path)
    assert found.columns == ["truth", "answer.0", "answer.1", "x:row", "x:note"]
    assert found["x:row"].to_list() == ids.tolist()
    assert found["truth"].to_list() == (ids * 100.0).tolist()
    assert found["answer.1"].to_list() == pytest.approx((ids / 10).tolist(), rel=1e-6)


def test_what_is_kept_is_bounded_in_rows_cells_and_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 8_000
    truth = Truth(np.arange(n), np.zeros(n))

    rows = pl.read_parquet(keep_sample(tmp_path, table(n), truth, np.zeros((n, 1)), seed=0))
    monkeypatch.setattr(module, "MOST_CELLS", 900)
    cells = pl.read_parquet(keep_sample(tmp_path, table(n), truth, np.zeros((n, 1)), seed=0))

    assert rows.height == 5_000
    assert rows["x:row"].is_sorted()
    assert rows["x:note"].str.len_chars().max() == 200
    assert cells.height == 300


def test_the_same_seed_keeps_the_same_rows(tmp_path: Path) -> None:
    n = 6_000
    truth = Truth(np.arange(n), np.zeros(n))
    (tmp_path / "again").mkdir()

    paths = [keep_sample(f, table(n), truth, np.zeros((n, 1)), seed=3)
             for f in (tmp_path, tmp_path / "again")]  # fmt: skip

    assert paths[0].read_bytes() == paths[1].read_bytes()
