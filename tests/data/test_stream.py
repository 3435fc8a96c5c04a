"""Streaming: the same rows as reading, batch by batch."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from everfit.data.read import read
from everfit.data.stream import stream
from everfit.errors import UsageError
from everfit.records import Column


def test_batches_hold_all_rows_in_order_with_the_columns_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("b,a,more\n" + "".join(f"word{i % 3},{i},x\n" for i in range(25_000)))
    like = (Column("a", "number"), Column("gone", "category"), Column("b", "category"))

    tables = list(stream(path, like, batch_rows=10_000))

    assert [table.n_rows for table in tables][-1] <= 10_000
    assert all(table.frame.columns == ["a", "gone", "b"] for table in tables)
    whole = pl.concat([table.frame for table in tables])
    assert whole["a"].to_list() == [float(i) for i in range(25_000)]
    assert whole["gone"].null_count() == 25_000
    notes = [note for table in tables for note in table.source.notes]
    assert notes == ["column 'gone' is not there and counts as missing"]


def test_what_is_streamed_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "n,on,c\n"
        + "".join(f"{i % 700},{'yes' if i % 2 else 'no'},k{i % 5}\n" for i in range(9_000))
    )
    table = read(path)

    streamed = pl.concat([part.frame for part in stream(path, table.columns, batch_rows=1_000)])

    assert streamed.equals(table.frame.with_columns(pl.col("n").cast(pl.Float64)))


def test_day_and_month_mean_the_same_in_all_batches(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("d,x\n" + "01/02/2020,1\n" * 150_000 + "25/02/2020,2\n")

    frames = [table.frame for table in stream(path, (Column("d", "date"),))]

    days = pl.concat(frames)["d"]
    assert days.unique().sort().to_list() == [dt.datetime(2020, 2, 1), dt.datetime(2020, 2, 25)]


def test_a_file_without_header_has_its_names_by_place(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("1.5,x\n2.5,y\n")
    like = (Column("a", "number"), Column("y", "number", role="target"), Column("b", "category"))

    table = next(stream(path, like))

    assert table.frame.select("a", "b").rows() == [(1.5, "x"), (2.5, "y")]


def test_a_source_without_rows_gives_one_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n")

    tables = list(stream(path, (Column("a", "number"),)))

    assert [(t.n_rows, t.frame.columns) for t in tables] == [(0, ["a"])]


def test_rows_are_counted_even_when_no_column_fits() -> None:
    tables = list(stream({"z": [1, 2, 3]}, (Column("a", "number"),)))

    assert [t.frame["a"].to_list() for t in tables] == [[None, None, None]]


def test_batches_of_no_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="batch_rows is too small"):
        next(stream({"a": [1]}, (Column("a", "number"),), batch_rows=0))
