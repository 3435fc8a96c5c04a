"""Rows as bodies of requests, and answers as frames: what goes over the wire for containers."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from math import isfinite
from typing import Any

from everfit.errors import UsageError
from everfit.faces.containers import Incoming

JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"
FEW = 200  # rows of a frame that go as JSON: a server needs no Arrow for them
AT_ONCE, LEAST = 5_000, 20  # rows in one request
SHARES = "probabilities"


def body_of(rows: Any) -> bytes:
    """JSON of one row or many: NaN and infinities are null, times ISO 8601.

    Examples
    --------
    >>> body_of({"age": float("nan"), "since": date(2026, 1, 2)})
    b'{"age":null,"since":"2026-01-02"}'
    """
    text = json.dumps(_plain(rows), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def as_polars(given: Incoming) -> Any:
    """The rows of a frame of any library as a Polars frame.

    Raises
    ------
    UsageError : a column of it holds what no table can
    """
    import polars as pl  # heavy, and only users of frames come here

    if given.container == "polars":
        return given.rows
    try:
        if given.container == "arrow":
            return pl.DataFrame(pl.from_arrow(given.rows))
        return pl.from_pandas(given.rows, include_index=False)
    except Exception as error:
        raise UsageError(
            "the rows cannot be sent as a table", got=str(error)[:200],
            expected="columns that hold one type each", do="send a list of dicts",
        ) from error  # fmt: skip


def body_of_frame(frame: Any) -> tuple[str, bytes]:
    """Content type and body of a Polars frame: JSON when it is small, else an Arrow stream."""
    if frame.height <= FEW:
        return JSON, body_of(frame.to_dicts())
    import polars as pl  # there already: the caller has a frame

    body = io.BytesIO()
    frame.write_ipc_stream(body, compat_level=pl.CompatLevel.oldest())
    return ARROW, body.getvalue()


def frame_of(kind: str, body: bytes) -> Any:
    """Answers as a Polars frame: id, prediction, probabilities, low, high, version, arm, warnings.

    Raises
    ------
    UsageError : the body is of another type
    """
    import polars as pl  # heavy, and only users of frames come here

    if kind == ARROW:
        return pl.DataFrame(pl.read_ipc_stream(io.BytesIO(body)))
    answers = json.loads(body)["predictions"]
    ends = [answer["range"] or (None, None) for answer in answers]
    columns = {
        "id": pl.Series([answer["id"] for answer in answers], dtype=pl.String),
        "prediction": pl.Series([answer["prediction"] for answer in answers]),
        "low": pl.Series([low for low, _ in ends], dtype=pl.Float64),
        "high": pl.Series([high for _, high in ends], dtype=pl.Float64),
        "version": pl.Series([answer["version"] for answer in answers], dtype=pl.String),
        "arm": pl.Series([answer["arm"] for answer in answers], dtype=pl.String),
        "warnings": pl.Series([answer["warnings"] for answer in answers], dtype=pl.List(pl.String)),
    }
    if answers and SHARES in answers[0]:
        columns[SHARES] = pl.Series([answer[SHARES] for answer in answers])
    return pl.DataFrame(columns)


def one_frame(parts: Sequence[Any]) -> Any:
    """Frames of answers as one; an empty one when there are none."""
    import polars as pl  # heavy, and only users of frames come here

    return pl.concat(parts) if parts else frame_of(JSON, b'{"predictions":[]}')


def label_type(predictions: Sequence[Any]) -> str:
    """The type of labels, from one of them: ``str``, ``int``, ``float`` or ``bool``.

    Examples
    --------
    >>> label_type([True]), label_type([])
    ('bool', 'str')
    """
    return type(predictions[0]).__name__ if predictions else "str"


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (datetime, date)):
        # pandas' NaT is a datetime that differs from itself
        return value.isoformat() if value == value else None  # noqa: PLR0124
    return _plain_of_a_library(value)


def _plain_of_a_library(value: Any) -> Any:
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if type(value).__name__ == "datetime64":
        return None if str(value) == "NaT" else str(value)
    if hasattr(value, "item"):
        return _plain(value.item())
    if hasattr(value, "__float__"):
        return _plain(float(value))
    raise UsageError(
        "a value cannot be sent", got=f"{type(value).__name__}: {value!r}"[:80],
        expected="a text, number, boolean, date or None", do="turn it into one of these",
    )  # fmt: skip
