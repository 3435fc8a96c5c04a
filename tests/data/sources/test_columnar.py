"""Typed files: each format gives the same table, damage is named."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import openpyxl
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import feather

from everfit.data.read import read
from everfit.errors import SourceUnreadable

DATA = {
    "n": [1, 2, None],
    "f": [1.5, None, 2.5],
    "t": ["a", "?", "b"],
    "d": [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2, 3), None],
}
ROWS = [(1, 1.5, "a", DATA["d"][0]), (2, None, None, DATA["d"][1]), (None, 2.5, "b", None)]


def written(folder: Path, ending: str) -> Path:
    frame, path = pl.DataFrame(DATA), folder / f"t{ending}"
    if ending == ".parquet":
        frame.write_parquet(path)
    elif ending == ".arrow":
        frame.write_ipc(path)
    elif ending == ".ipc":
        frame.write_ipc_stream(path)
    elif ending == ".feather":
        feather.write_feather(frame.to_arrow(compat_level=pl.CompatLevel.oldest()), path, version=1)
    elif ending == ".jsonl":
        frame.write_ndjson(path)
    else:
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.append(frame.columns)
        for row in frame.rows():
            sheet.append(row)
        book.save(path)
    return path


@pytest.mark.filterwarnings("ignore:Feather V1")
@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".ipc", ".feather", ".jsonl", ".xlsx"])
def test_each_format_gives_the_same_rows(tmp_path: Path, ending: str) -> None:
    table = read(written(tmp_path, ending))

    assert table.frame.rows() == ROWS
    assert [column.kind for column in table.columns] == ["number", "number", "category", "date"]
    assert table.column("t").missing_marks == ("?",)


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".xlsx", ".jsonl"])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"t{ending}").write_bytes(b"a,b\n1,2\n")
    (tmp_path / f"e{ending}").write_bytes(b"")

    with pytest.raises(SourceUnreadable, match="cannot be read as"):
        read(tmp_path / f"t{ending}")
    with pytest.raises(SourceUnreadable, match="is empty"):
        read(tmp_path / f"e{ending}")


def test_keys_of_json_lines_may_come_late_and_objects_become_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1, "o": {"x": "u", "y": 2}}\n{"a": 2.5, "late": "z"}\n')

    table = read(path)

    assert table.frame.rows(named=True) == [
        {"a": 1.0, "o.x": "u", "o.y": 2, "late": None},
        {"a": 2.5, "o.x": None, "o.y": None, "late": "z"},
    ]


def test_many_row_groups_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"x": list(range(5, 200_005)), "y": 0.5}).write_parquet(path, row_group_size=7_000)

    assert read(path).frame["x"].to_list() == list(range(5, 200_005))


def test_arrow_types_become_the_stored_ones() -> None:
    table = pa.table(
        {
            "small": pa.array([1, 2], pa.int8()),
            "real": pa.array([0.5, 2.0], pa.float32()),
            "day": pa.array([dt.date(2020, 1, 1), None]),
            "word": pa.array(["a", "b"]).dictionary_encode(),
            "cost": pa.array([1, 2], pa.decimal128(10, 2)),
            "list": pa.array([[1, 2], None]),
            "bytes": pa.array([b"x", b"y"]),
        }
    )

    found = read(table)

    assert [str(t) for t in found.frame.dtypes[:2]] == ["Int64", "Float64"]
    assert found.frame["word"].to_list() == ["a", "b"]
    assert found.frame["list"].to_list() == ["[1, 2]", None]
    assert "column 'bytes' holds bytes and was left out" in found.source.notes
