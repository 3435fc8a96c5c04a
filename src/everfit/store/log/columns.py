"""From rows of JSON to typed columns.

In a stored frame a feature stands under ``x:`` and its name, so that a feature called ``id`` or
``value`` never meets the columns of the log. A reader sees ``age``; a feature whose name the log
uses itself is seen as ``feature.id``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

import msgspec
import polars as pl

FEATURE = "x:"
MOST_WORDS = 1_000  # different outcomes that are decoded one by one
PLAIN = (pl.Boolean, pl.Int64, pl.Float64, pl.String, pl.Null)

# what a reader sees beside the features
SEEN = (
    "id", "at", "version", "arm", "key", "value", "probabilities", "low", "high", "warnings", "of",
)  # fmt: skip
JOINED = ("outcome", "outcome_at", "lateness")
# what a stored frame has beside the features; `root` is the number of the prediction whose
# outcomes are this row's: its own, or for a shadow that of the prediction it repeats
STORED = ("seq", "root", *SEEN)


class _Said(msgspec.Struct):
    """Of an answer, what becomes columns."""

    prediction: Any = None
    probabilities: dict[str, float] | None = None
    range: list[float | None] | None = None
    warnings: list[str] = []


_said = msgspec.json.Decoder(_Said).decode


def stored_frame(rows: Sequence[Sequence[Any]], names: Mapping[int, str]) -> pl.DataFrame:
    """Rows of the table of predictions, in the order of its columns, as a stored frame."""
    seq, ids, of, root, _, version, arm, at_us, key, request, answer = (
        zip(*rows, strict=True) if rows else ((),) * 11
    )
    homes = [
        own if original is None else home for own, original, home in zip(seq, of, root, strict=True)
    ]
    own = pl.DataFrame(
        {
            "seq": pl.Series(seq, dtype=pl.Int64),
            "root": pl.Series(homes, dtype=pl.Int64),
            "id": pl.Series(ids, dtype=pl.String),
            "at": pl.Series(at_us, dtype=pl.Int64)
            .cast(pl.Datetime("us"))
            .dt.replace_time_zone("UTC"),
            "version": pl.Series(version, dtype=pl.Int32),
            "arm": pl.Series([names[number] for number in arm], dtype=pl.String),
            "key": pl.Series(key, dtype=pl.String),
            "of": pl.Series(of, dtype=pl.String),
        }
    )
    features = table(request)
    features = features.select(pl.col(name).alias(FEATURE + name) for name in features.columns)
    said = _answers(answer)
    parts = [own.select(name for name in STORED if name in own.columns), said]
    if features.width:
        parts.append(features)
    return pl.concat(parts, how="horizontal")


def instants(at_us: pl.Series) -> pl.Series:
    """Microseconds since 1970 UTC as times."""
    return at_us.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _answers(answers: Sequence[bytes]) -> pl.DataFrame:
    """value, probabilities, low, high and warnings of answers in JSON."""
    found = _fast_table(_lines(answers))
    if found is None or not _is_usual(found.schema):
        return _slow_answers(answers)
    ranges = pl.col("range") if "range" in found.columns else pl.lit(None)
    if found.schema.get("range", pl.Null) == pl.Null:
        ranges = pl.lit(None, pl.List(pl.Float64))
    warnings = pl.col("warnings") if "warnings" in found.columns else pl.lit([])
    probabilities = pl.col("probabilities") if "probabilities" in found.columns else pl.lit(None)
    return found.select(
        pl.col("prediction").alias("value"),
        probabilities.alias("probabilities"),
        ranges.list.get(0, null_on_oob=True).cast(pl.Float64).alias("low"),
        ranges.list.get(1, null_on_oob=True).cast(pl.Float64).alias("high"),
        warnings.cast(pl.List(pl.String)).alias("warnings"),
    )


def _is_usual(schema: pl.Schema) -> bool:
    """Whether answers were read as the types they have when nothing is odd about them."""
    probabilities = schema.get("probabilities", pl.Null)
    if isinstance(probabilities, pl.Struct):
        shares = all(field.dtype in (pl.Float64, pl.Null) for field in probabilities.fields)
    else:
        shares = probabilities == pl.Null
    ranges, warnings = schema.get("range", pl.Null), schema.get("warnings")
    return (
        shares
        and schema.get("prediction") in PLAIN
        and (ranges == pl.Null or ranges in (pl.List(pl.Float64), pl.List(pl.Null)))
        and warnings in (pl.List(pl.String), pl.List(pl.Null))
    )


def _slow_answers(answers: Sequence[bytes]) -> pl.DataFrame:
    said = [_said(answer) for answer in answers]
    ranges = [item.range or (None, None) for item in said]
    labels = {label: None for item in said for label in item.probabilities or ()}
    return pl.DataFrame(
        [
            column("value", [item.prediction for item in said]),
            pl.Series(
                "probabilities",
                [item.probabilities for item in said],
                dtype=pl.Struct(dict.fromkeys(labels, pl.Float64)) if labels else pl.Null,
            ),
            pl.Series("low", [low for low, _ in ranges], dtype=pl.Float64, strict=False),
            pl.Series("high", [high for _, high in ranges], dtype=pl.Float64, strict=False),
            pl.Series("warnings", [item.warnings for item in said], dtype=pl.List(pl.String)),
        ]
    )


def table(rows: Iterable[bytes]) -> pl.DataFrame:
    """JSON objects as a frame; a column holds booleans, whole numbers, numbers or text.

    What is of several kinds becomes text, and so does what is nested: nothing is dropped.

    Examples
    --------
    >>> table([b'{"age": 41}', b'{"age": 41.5, "plan": "trial"}']).rows()
    [(41.0, None), (41.5, 'trial')]
    """
    lines = _lines(rows)
    if not lines:
        return pl.DataFrame()
    found = _fast_table(lines)
    if found is None or any(kind not in PLAIN for kind in found.dtypes):
        return _slow_table(lines)
    return found


def _lines(rows: Iterable[bytes]) -> list[bytes]:
    # a line break between the parts of an object is allowed, one inside a text is not
    return [row.replace(b"\n", b" ") if b"\n" in row else row for row in rows]


def _fast_table(lines: Sequence[bytes]) -> pl.DataFrame | None:
    """What Polars makes of the lines; None when it refuses them or sees another number of rows."""
    try:
        found = pl.read_ndjson(BytesIO(b"\n".join(lines)), infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    return found if found.height == len(lines) else None


def _slow_table(lines: Sequence[bytes]) -> pl.DataFrame:
    rows = [msgspec.json.decode(line) for line in lines]
    names = {name: None for row in rows for name in row}
    return pl.DataFrame([column(name, [row.get(name) for row in rows]) for name in names])


def column(name: str, values: Sequence[Any]) -> pl.Series:
    """Values that JSON gave, as the narrowest of the kinds that :func:`table` has."""
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pl.Series(name, values, dtype=pl.Null)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {str}:
        return pl.Series(name, values, dtype=pl.String)
    if kinds == {int} and all(v is None or -(2**63) <= v < 2**63 for v in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds <= {int, float}:
        numbers = [None if value is None else float(value) for value in values]
        return pl.Series(name, numbers, dtype=pl.Float64)
    texts = [
        value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()
        for value in values
    ]
    return pl.Series(name, texts, dtype=pl.String)


def typed(values: pl.Series) -> pl.Series:
    """JSON values in text as a typed column of the same name."""
    if values.null_count() == len(values):
        return pl.Series(values.name, [None] * len(values), dtype=pl.Null)
    distinct = values.drop_nulls().unique()
    if len(distinct) > MOST_WORDS:  # measured values rather than labels
        for kind in (pl.Int64, pl.Float64):
            numbers = values.cast(kind, strict=False)
            if numbers.null_count() == values.null_count():
                return numbers
    decoded = table([b'{"v":' + value.encode() + b"}" for value in distinct])["v"]
    return values.replace_strict(distinct, decoded, default=None, return_dtype=decoded.dtype)


def shown(features: Iterable[str], taken: Sequence[str]) -> dict[str, str]:
    """What a reader sees for each stored name of a feature.

    Examples
    --------
    >>> shown(["x:age", "x:id"], ["id"])
    {'x:age': 'age', 'x:id': 'feature.id'}
    """
    names: dict[str, str] = {}
    used = set(taken)
    for stored in features:
        name = stored.removeprefix(FEATURE)
        while name in used:
            name = f"feature.{name}"
        used.add(name)
        names[stored] = name
    return names
