"""Arrow IPC streams as rows, and answers as such a stream.

A stream of a few bytes can stand for all the memory there is: compressed, as a billion nulls, as
one long text that many rows point at. So nothing is made of a stream before its shape is known.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from everfit.errors import UsageError
from everfit.live.desk.lane import Predicted
from everfit.live.desk.limits import Limits, TooMuch, check_rows

TYPE = b"application/vnd.apache.arrow.stream"
DICTIONARY, BATCH = 2, 3  # kinds of messages with data (Arrow's format/Message.fbs)
Row = dict[str, Any]


def arrow_rows(body: bytes, limits: Limits) -> list[Row]:
    """The rows of an Arrow IPC stream.

    Raises
    ------
    UsageError : no such stream, a name twice, compressed, or a column of a nested type
    TooMuch : more rows or longer texts than ``limits`` allow
    """
    import pyarrow as pa
    from pyarrow import ipc

    rows: list[Row] = []
    try:
        buffer = pa.py_buffer(body)
        _check_messages(ipc.MessageReader.open_stream(buffer))
        with ipc.open_stream(buffer) as stream:
            _check_schema(stream.schema)
            n = 0
            for batch in stream:
                n += batch.num_rows
                check_rows(n, limits)
                batch.validate(full=True)
                _check_texts(batch, limits)
                rows += batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError, struct.error) as error:
        raise UsageError(
            "the body is no Arrow IPC stream", got=str(error)[:120] or type(error).__name__,
            expected="a stream as pyarrow.ipc.new_stream writes it",
            do="send it as a stream, not as a file, or send JSON",
        ) from None  # fmt: skip
    return rows


def _check_messages(messages: Any) -> None:
    """Refuse compressed data by the heads of the messages alone."""
    while True:
        try:
            head = messages.read_next_message().metadata.to_pybytes()
        except (StopIteration, EOFError):
            return
        root = _offset(head, 0)
        kind = _field(head, root, 1)
        batch = _field(head, root, 2)
        if not kind or not batch or head[kind] not in (DICTIONARY, BATCH):
            continue
        batch = _offset(head, batch)
        if head[kind] == DICTIONARY:
            data = _field(head, batch, 1)
            if not data:
                continue
            batch = _offset(head, data)
        if _field(head, batch, 3):
            raise UsageError(
                "the Arrow stream is compressed", got="compressed record batches",
                expected="plain ones, whose size is what was sent",
                do="write it without compression",
            )  # fmt: skip


def _offset(head: bytes, at: int) -> int:
    """Where a flatbuffer's reference at ``at`` leads."""
    return int(at + struct.unpack_from("<I", head, at)[0])


def _field(head: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table stands, 0 when it is not there."""
    places = table - struct.unpack_from("<i", head, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", head, places)[0]:
        return 0
    offset = struct.unpack_from("<H", head, places + 4 + 2 * number)[0]
    return table + offset if offset else 0


def _check_schema(schema: Any) -> None:
    """Refuse names that stand twice, and types whose values have no bound on their size."""
    from pyarrow import types

    names = schema.names
    if len(set(names)) < len(names):
        raise UsageError(
            "the Arrow stream has a column twice", got=", ".join(names)[:80],
            expected="each name once", do="rename or drop one of them",
        )  # fmt: skip
    for item in schema:
        kind = item.type.value_type if types.is_dictionary(item.type) else item.type
        single = types.is_primitive(kind) or types.is_null(kind) or types.is_decimal(kind)
        if not (single or _is_text(kind)):
            raise UsageError(
                f"the column {item.name!r} has a type that cannot be read", got=str(item.type),
                expected="numbers, texts, booleans, dates and times", do="convert or drop it",
            )  # fmt: skip


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    texts = (types.is_string, types.is_large_string, types.is_string_view)
    return any(is_text(kind) for is_text in texts)


def _check_texts(batch: Any, limits: Limits) -> None:
    """Refuse texts that together are longer than the body that may hold them."""
    from pyarrow import compute, types

    total = 0
    for column in batch.columns:
        if types.is_dictionary(column.type) and _is_text(column.type.value_type):
            longest = compute.max(compute.binary_length(column.dictionary)).as_py()
            total += (longest or 0) * len(column)
        elif types.is_string_view(column.type):
            # its lengths stand in the views: 16 bytes each, the first four the length
            views = memoryview(column.buffers()[1] or b"").cast("B")[16 * column.offset :]
            n = len(column)
            total += sum(struct.unpack_from("<i", views, 16 * i)[0] for i in range(n))
    if total > 4 * limits.body_bytes:
        raise TooMuch(
            "the texts of the Arrow stream are too long together", got=f"{total:,} bytes",
            expected=f"at most {4 * limits.body_bytes:,} bytes", do="send fewer rows at a time",
        )  # fmt: skip


def arrow_answer(answers: Sequence[Predicted]) -> bytes:
    """Answers as an Arrow IPC stream: one row each.

    Columns are id, prediction, probabilities (a struct, where there are labels), low and high of
    the range, version, arm, warnings (a list of texts).
    """
    import pyarrow as pa
    from pyarrow import ipc

    ranges = [answer.range or (None, None) for answer in answers]
    columns: dict[str, Any] = {
        "id": pa.array([answer.id for answer in answers], pa.string()),
        "prediction": pa.array([answer.prediction for answer in answers]),
        "low": pa.array([low for low, _ in ranges], pa.float64()),
        "high": pa.array([high for _, high in ranges], pa.float64()),
        "version": pa.array([answer.version for answer in answers], pa.string()),
        "arm": pa.array([answer.arm for answer in answers], pa.string()),
        "warnings": pa.array([list(a.warnings) for a in answers], pa.list_(pa.string())),
    }
    if answers and isinstance(answers[0].probabilities, dict):
        columns["probabilities"] = pa.array([answer.probabilities for answer in answers])
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]
