"""Arrow streams as clients write them, and those that stand for more than they are."""

from __future__ import annotations

import struct
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import ipc

from everfit.errors import UsageError
from everfit.faces.http.routes.arrow import arrow_answer, arrow_rows
from everfit.live.desk.lane import Predicted
from everfit.live.desk.limits import Limits, TooMuch

LIMITS = Limits(body_bytes=1_000_000, rows=1_000)


def stream(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def test_a_stream_of_pyarrow_is_its_rows() -> None:
    rows = [{"age": 41, "plan": "trial", "paid": True}, {"age": None, "plan": None, "paid": None}]

    assert arrow_rows(stream(pa.Table.from_pylist(rows)), LIMITS) == rows


def test_a_stream_of_polars_with_its_own_kind_of_texts_is_its_rows(tmp_path: Any) -> None:
    frame = pl.DataFrame({"plan": ["a long text that is not inlined in a view", None, "b"]})
    frame.write_ipc_stream(tmp_path / "rows", compression="uncompressed")

    body = (tmp_path / "rows").read_bytes()

    assert arrow_rows(body, LIMITS) == frame.to_dicts()


def test_categories_are_their_texts() -> None:
    table = pa.table({"plan": pa.array(["a", "b", None, "a"]).dictionary_encode()})

    assert [row["plan"] for row in arrow_rows(stream(table), LIMITS)] == ["a", "b", None, "a"]


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
@pytest.mark.parametrize("encoded", [False, True])
def test_a_compressed_stream_is_refused(compression: str, encoded: bool) -> None:
    column = pa.array(["x" * 10_000] * 10)
    table = pa.table({"plan": column.dictionary_encode() if encoded else column})

    with pytest.raises(UsageError, match="is compressed"):
        arrow_rows(stream(table, compression=compression), LIMITS)


def test_a_long_text_that_many_rows_point_at_is_refused() -> None:
    indices = pa.array([0] * 1_000, pa.int32())
    table = pa.table({"plan": pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 50_000]))})
    one = struct.pack("<i4sii", 50_000, b"xxxx", 0, 0)  # length, start, buffer, offset
    buffers = [None, pa.py_buffer(one * 1_000), pa.py_buffer(b"x" * 50_000)]
    views = pa.Array.from_buffers(pa.string_view(), 1_000, buffers)

    for made in (table, pa.table({"plan": views})):
        with pytest.raises(TooMuch, match="too long together"):
            arrow_rows(stream(made), LIMITS)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1, 2]]),
        pa.array([{"a": 1}]),
        pa.nulls(1, pa.list_(pa.null(), 1_000_000)),
        pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array(["x"])),
        pa.array([b"x"]),
    ],
    ids=["list", "struct", "fixed list", "run ends", "bytes"],
)
def test_values_without_a_bound_are_refused_by_their_column(column: pa.Array) -> None:
    with pytest.raises(UsageError, match="the column 'plan' has a type that cannot be read"):
        arrow_rows(stream(pa.table({"plan": column})), LIMITS)


def test_every_byte_may_be_wrong_without_harm() -> None:
    body = stream(pa.table({"age": [1.0, 2.0], "plan": ["a", "b"]}))

    for at in range(0, len(body), 3):
        broken = body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
        try:
            rows = arrow_rows(broken, LIMITS)
        except (UsageError, TooMuch):
            continue
        assert len(rows) <= LIMITS.rows
    for at in range(0, len(body), 7):
        with pytest.raises(UsageError) if at < 8 else _either():
            arrow_rows(body[:at], LIMITS)


class _either:
    """A stream that ends early may be whole so far, or be refused."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return isinstance(error, (UsageError, TooMuch))


def test_answers_without_labels_or_ranges_are_a_stream_too() -> None:
    import msgspec

    answers = [Predicted("a", 7.5, msgspec.UNSET, None, msgspec.UNSET, "v1", "champion", ["odd"])]

    table = ipc.open_stream(arrow_answer(answers)).read_all()

    assert table.to_pylist() == [
        {"id": "a", "prediction": 7.5, "low": None, "high": None, "version": "v1",
         "arm": "champion", "warnings": ["odd"]}
    ]  # fmt: skip
    assert arrow_answer([])
